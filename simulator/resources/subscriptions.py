"""Tenants, subscriptions, resource groups, locations, providers, permissions: what stands above the resources.

Subscriptions and groups are resources of the store (`Microsoft.Resources/subscriptions`, `.../resourceGroups`).
Source: Resource Manager REST, "Subscriptions" 2022-12-01, "Resource groups" 2021-04-01, "Providers" 2021-04-01,
"Permissions" 2022-04-01, cloud metadata 2022-09-01.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simulator.entra.tokens import entra
from simulator.resources.api_versions import KNOWN_VERSIONS
from simulator.resources.entities import answer_entity, show
from simulator.resources.errors import ArmError
from simulator.resources.paging import answer_page
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.store import Resource
from simulator.resources.writing import ReadContext, TypeRules, WriteContext, type_registry

if TYPE_CHECKING:
    from simulator.world import World

SUBSCRIPTIONS = "Microsoft.Resources/subscriptions"
GROUPS = "Microsoft.Resources/resourceGroups"
LOCATIONS: dict[str, str] = {
    "swedencentral": "Sweden Central",
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "uksouth": "UK South",
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus": "West US",
    "westus3": "West US 3",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
}
PROVIDERS = (
    "Microsoft.ApiManagement",
    "Microsoft.Authorization",
    "Microsoft.CognitiveServices",
    "Microsoft.EventHub",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.ResourceHealth",
    "Microsoft.Resources",
    "Microsoft.Storage",
)


class ProviderStates:
    """Which providers are registered, by subscription. All are, until the control door or a scenario says otherwise."""

    def __init__(self) -> None:
        self._unregistered: set[tuple[str, str]] = set()

    def unregister(self, subscription_id: str, namespace: str) -> None:
        """Make a provider unknown to a subscription."""
        self._unregistered.add((subscription_id.lower(), namespace.lower()))

    def register(self, subscription_id: str, namespace: str) -> None:
        """Register it again."""
        self._unregistered.discard((subscription_id.lower(), namespace.lower()))

    def is_registered(self, subscription_id: str, namespace: str) -> bool:
        """Whether resources of the provider may be written."""
        return (subscription_id.lower(), namespace.lower()) not in self._unregistered


def provider_states(world: World) -> ProviderStates:
    """The world's provider registrations, kept as `world.rooms["arm-providers"]`."""
    states = world.rooms.setdefault("arm-providers", ProviderStates())
    assert isinstance(states, ProviderStates)
    return states


def register_subscriptions(world: World, router: Router) -> None:
    """Register the routes and rules of this room."""
    registry = type_registry(world)
    registry.register(TypeRules(SUBSCRIPTIONS, render=_render_subscription, methods=frozenset({"GET"})))
    registry.register(TypeRules(GROUPS, prepare=_prepare_group, render=_render_group))
    add = router.add
    add("GET", "/metadata/endpoints", _answer_metadata, action="")
    add("GET", "/tenants", _answer_tenants, action="")
    add("GET", "/subscriptions", _answer_subscriptions, action="")
    add("GET", "/subscriptions/{subscriptionId}", _answer_subscription)
    add("GET", "/subscriptions/{subscriptionId}/locations", _answer_locations)
    add("GET", "/subscriptions/{subscriptionId}/resources", _answer_resources)
    group = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
    add("GET", f"{group}/resources", _answer_resources)
    add("HEAD", group, _answer_group_exists)
    add("GET", "/subscriptions/{subscriptionId}/providers", _answer_providers)
    add("GET", "/subscriptions/{subscriptionId}/providers/{namespace}", _answer_provider)
    add("POST", "/subscriptions/{subscriptionId}/providers/{namespace}/register", _answer_register)
    add("GET", "{scope}/providers/Microsoft.Authorization/permissions", _answer_permissions, action="")


def _render_subscription(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """A subscription has no `properties`, no type and no name on the wire."""
    shown = {key: value for key, value in resource.body.items() if key not in ("type", "name", "properties")}
    shown.setdefault("subscriptionId", resource.name)
    shown.setdefault("tenantId", entra(read.world).default.tenant_id)
    shown.setdefault("displayName", resource.name)
    shown.setdefault("state", "Enabled")
    shown.setdefault("authorizationSource", "RoleBased")
    return shown


def _prepare_group(context: WriteContext) -> None:
    if not context.body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if context.existing is not None and context.existing.body.get("location") != context.body["location"]:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{context.body['location']}'. The Resource group already exists "
            f"in location "
            f"'{context.existing.body.get('location')}'.",
        )
    context.properties["provisioningState"] = "Succeeded"


def _render_group(resource: Resource, read: ReadContext) -> dict[str, Any]:
    return {**resource.body, "properties": {"provisioningState": "Succeeded", **resource.properties}}


def _answer_metadata(request: ArmRequest) -> ArmResponse:
    """Cloud metadata, for `az cloud register`."""
    base = request.base_url
    return ArmResponse(
        200,
        {
            "name": "GenAIGatewaySimulator",
            "portal": "https://portal.azure.com",
            "authentication": {
                "loginEndpoint": f"{base}/hosts/login.microsoftonline.com/",
                "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "media": "https://rest.media.azure.net",
            "graphAudience": "https://graph.windows.net/",
            "graph": "https://graph.windows.net/",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "batch": "https://batch.core.windows.net/",
            "resourceManager": f"{base}/",
            "vmImageAliasDoc": "",
            "gallery": "https://gallery.azure.com/",
            "sqlManagement": "https://management.core.windows.net:8443/",
            "microsoftGraphResourceId": "https://graph.microsoft.com/",
            "logAnalyticsResourceId": "https://api.loganalytics.io",
            "logAnalyticsEndpoint": f"{base}/hosts/api.loganalytics.io",
            "suffixes": {
                "storage": "core.windows.net",
                "keyVaultDns": "vault.azure.net",
                "sqlServerHostname": "database.windows.net",
                "acrLoginServer": "azurecr.io",
            },
        },
    )


def _answer_tenants(request: ArmRequest) -> ArmResponse:
    tenant = entra(request.world).default.tenant_id
    entry = {"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Contoso", "tenantCategory": "Home"}
    return ArmResponse(200, {"value": [entry]})


def _answer_subscriptions(request: ArmRequest) -> ArmResponse:
    """Only the subscriptions in which the caller holds some role."""
    read = ReadContext(request.world)
    visible = [
        show(resource, read)
        for resource in request.world.store.of_type(SUBSCRIPTIONS)
        if any(
            assignment.covers(resource.id) or assignment.scope.lower().startswith(resource.id.lower() + "/")
            for assignment in request.principal.assignments
        )
    ]
    return ArmResponse(200, {"value": visible, "count": {"type": "Total", "value": len(visible)}})


def _subscription(request: ArmRequest) -> Resource:
    asked = request.parameters["subscriptionId"]
    resource = request.world.store.get(f"/subscriptions/{asked}")
    if resource is None:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{asked}' could not be found.")
    return resource


def _answer_subscription(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, show(_subscription(request), ReadContext(request.world)))


def _answer_locations(request: ArmRequest) -> ArmResponse:
    subscription = _subscription(request)
    entries = [
        {
            "id": f"{subscription.id}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": title,
            "regionalDisplayName": title,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }
        for name, title in LOCATIONS.items()
    ]
    return ArmResponse(200, {"value": entries})


def _answer_resources(request: ArmRequest) -> ArmResponse:
    """Top-level resources of a subscription or group, without their properties."""
    group = request.parameters.get("resourceGroupName")
    scope = f"/subscriptions/{request.parameters['subscriptionId']}"
    if group is not None:
        scope = f"{scope}/resourceGroups/{group}"
        if request.world.store.get(scope) is None:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    wanted = str(request.query.get("$filter", "")).strip()
    wanted_type = ""
    if wanted:
        field_name, _, value = wanted.partition(" eq ")
        if field_name.strip().lower() != "resourcetype" or not value:
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{wanted}' specified in the query string."
            )
        wanted_type = value.strip().strip("'").lower()
    entries = []
    for resource in request.world.store.below(scope):
        if resource.type in (SUBSCRIPTIONS, GROUPS) or resource.type.count("/") != 1:
            continue
        if "/providers/" in resource.id.lower().split("/providers/", 1)[1]:
            continue
        if wanted_type and resource.type.lower() != wanted_type:
            continue
        kept = ("id", "name", "type", "location", "kind", "sku", "tags", "identity")
        entries.append({key: resource.body[key] for key in kept if key in resource.body})
    return answer_page(request, entries)


def _answer_group_exists(request: ArmRequest) -> ArmResponse:
    known = request.world.store.get(request.path) is not None
    return ArmResponse(204 if known else 404)


def _provider_entry(request: ArmRequest, namespace: str) -> dict[str, Any]:
    subscription = request.parameters["subscriptionId"]
    registered = provider_states(request.world).is_registered(subscription, namespace)
    versions = list(KNOWN_VERSIONS.get(namespace.lower(), ()))
    types = {"Microsoft.ApiManagement": "service", "Microsoft.CognitiveServices": "accounts"}
    known = [{"resourceType": types.get(namespace), "locations": list(LOCATIONS.values()), "apiVersions": versions}]
    return {
        "id": f"/subscriptions/{subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered" if registered else "NotRegistered",
        "resourceTypes": known if namespace in types else [],
    }


def _answer_providers(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, {"value": [_provider_entry(request, namespace) for namespace in PROVIDERS]})


def _known_provider(request: ArmRequest) -> str:
    asked = request.parameters["namespace"]
    for namespace in PROVIDERS:
        if namespace.lower() == asked.lower():
            return namespace
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{asked}' is invalid.")


def _answer_provider(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _provider_entry(request, _known_provider(request)))


def _answer_register(request: ArmRequest) -> ArmResponse:
    namespace = _known_provider(request)
    provider_states(request.world).register(request.parameters["subscriptionId"], namespace)
    return ArmResponse(200, _provider_entry(request, namespace))


def _answer_permissions(request: ArmRequest) -> ArmResponse:
    roles = request.principal.roles_at(request.parameters["scope"])
    return ArmResponse(200, {"value": [role.as_permission() for role in roles], "nextLink": None})


def answer_provider_write(request: ArmRequest) -> ArmResponse | Generator[float, None, ArmResponse]:
    """The generic handler, behind the registration check.

    Source: Resource Manager error `MissingSubscriptionRegistration` (409).

    Raises:
        ArmError: 409, when the provider of a write is not registered; 404 for an unknown subscription.
    """
    parts = [part for part in request.path.split("/") if part]
    if len(parts) > 1 and parts[0].lower() == "subscriptions":
        subscription = parts[1]
        if request.world.store.get(f"/subscriptions/{subscription}") is None:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        lowered = [part.lower() for part in parts]
        if request.method in ("PUT", "PATCH") and "providers" in lowered:
            namespace = parts[lowered.index("providers") + 1]
            if not provider_states(request.world).is_registered(subscription, namespace):
                raise ArmError(
                    409,
                    "MissingSubscriptionRegistration",
                    f"The subscription is not registered to use namespace '{namespace}'. See "
                    "https://aka.ms/rps-not-found for how to register subscriptions.",
                )
    return answer_entity(request)
