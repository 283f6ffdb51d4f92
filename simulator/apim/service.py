"""The API Management service resource: created over minutes, soft-deleted, restored.

Source: Microsoft.ApiManagement/service and deletedservices, api-version 2024-05-01; "API Management soft-delete".
Assumed: durations (see `ArmSettings.service_seconds`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from simulator.resources.errors import ArmError
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.resources.wire_time import wire_time
from simulator.resources.writing import ReadContext, TypeRules, WriteContext, type_registry

if TYPE_CHECKING:
    from simulator.world import World

SERVICE = "Microsoft.ApiManagement/service"
DELETED = "Microsoft.ApiManagement/locations/deletedservices"
SKUS = (
    "Developer",
    "Basic",
    "Standard",
    "Premium",
    "Consumption",
    "Isolated",
    "BasicV2",
    "StandardV2",
    "PremiumV2",
)
_NAME = re.compile(r"^[a-zA-Z](?:[a-zA-Z0-9-]{0,48}[a-zA-Z0-9])?$")
DEFAULT_POLICY = (
    "<policies>\r\n\t<inbound />\r\n\t<backend>\r\n\t\t<forward-request />\r\n\t</backend>\r\n\t<outbound />\r\n"
    "\t<on-error />\r\n</policies>"
)


def register_service(world: World) -> None:
    """Register the rules of the service itself and of what remains of deleted ones."""
    registry = type_registry(world)
    registry.register(
        TypeRules(
            SERVICE,
            prepare=_prepare,
            render=_render,
            after_write=_furnish,
            before_delete=_keep_deleted,
            seconds=_seconds,
            entity_tag=True,
        )
    )
    registry.register(TypeRules(DELETED, methods=frozenset({"GET", "DELETE"})))


def _seconds(context: WriteContext) -> float:
    sku = str((context.body.get("sku") or {}).get("name"))
    if context.existing is not None and context.existing.body.get("sku") == context.body.get("sku"):
        return 0.0
    return arm_settings(context.world).service_seconds.get(sku, 60.0)


def _prepare(context: WriteContext) -> None:
    body, properties, problems = context.body, context.properties, context.problems
    name = context.path.name
    if not _NAME.match(name):
        problems.add("name", "A service name has 1 to 50 letters, digits and dashes and begins with a letter.")
    if not body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    sku = body.get("sku")
    if not isinstance(sku, dict) or sku.get("name") not in SKUS:
        problems.add("sku", f"The sku name must be one of {', '.join(SKUS)}.")
    else:
        sku.setdefault("capacity", 0 if sku["name"] == "Consumption" else 1)
    for required in ("publisherEmail", "publisherName"):
        if not properties.get(required):
            problems.add(required, f"{required} is required.")
    _check_name_free(context, name)
    host = f"{name.lower()}.azure-api.net"
    location = str(body["location"]).replace(" ", "").lower()
    defaults: dict[str, Any] = {
        "notificationSenderEmail": "apimgmt-noreply@mail.windowsazure.com",
        "createdAtUtc": wire_time(context.world.now),
        "platformVersion": "stv2.1" if str((sku or {}).get("name", "")).endswith("V2") else "stv2",
        "virtualNetworkType": "None",
        "publicNetworkAccess": "Enabled",
        "disableGateway": False,
        "natGatewayState": "Disabled",
        "customProperties": {},
        "hostnameConfigurations": [
            {
                "type": "Proxy",
                "hostName": host,
                "negotiateClientCertificate": False,
                "defaultSslBinding": True,
                "certificateSource": "BuiltIn",
            }
        ],
    }
    for key, value in defaults.items():
        properties.setdefault(key, value)
    properties.update(
        provisioningState="Succeeded",
        targetProvisioningState="",
        gatewayUrl=f"https://{host}",
        gatewayRegionalUrl=f"https://{name.lower()}-{location}-01.regional.azure-api.net",
        managementApiUrl=f"https://{name.lower()}.management.azure-api.net",
    )
    properties.pop("restore", None)
    identity = body.get("identity")
    if (
        isinstance(identity, dict)
        and "SystemAssigned" in str(identity.get("type", ""))
        and "principalId" not in identity
    ):
        kept = context.existing.body.get("identity", {}) if context.existing is not None else {}
        bits = f"{context.world.random('identities').getrandbits(128):032x}"
        identity["principalId"] = kept.get("principalId") or "-".join(
            (bits[:8], bits[8:12], bits[12:16], bits[16:20], bits[20:])
        )
        identity["tenantId"] = context.principal.tenant_id if context.principal is not None else ""
    context.hidden["progress_word"] = "Activating" if context.existing is None else "Updating"


def _check_name_free(context: WriteContext, name: str) -> None:
    store = context.world.store
    for other in store.of_type(SERVICE):
        if other.name.lower() == name.lower() and other.id.lower() != context.path.path.lower():
            raise ArmError(409, "ServiceAlreadyExists", f"Api service already exists: {name}")
    for gone in list(store.of_type(DELETED)):
        if gone.name.lower() == name.lower():
            if not context.properties.get("restore"):
                raise ArmError(
                    409,
                    "ServiceAlreadyExistsInSoftDeletedState",
                    f"Api service {name} was soft-deleted. In order to create the new service with the same name, you "
                    "have to either undelete the service or purge it. See https://aka.ms/apimsoftdelete.",
                )
            store.delete(gone.id)


def _furnish(world: World, resource: Resource, created: bool) -> None:
    """What a new service comes with."""
    if not created:
        return
    put = world.store.put
    put(f"{resource.id}/policies/policy", f"{SERVICE}/policies", {"properties": {"value": DEFAULT_POLICY}})
    keys = world.random("subscription-keys")
    put(
        f"{resource.id}/subscriptions/master",
        f"{SERVICE}/subscriptions",
        {
            "properties": {
                "scope": f"{resource.id}/",
                "displayName": "Built-in all-access subscription",
                "state": "active",
                "createdDate": wire_time(world.now),
                "allowTracing": False,
            }
        },
        hidden={"primaryKey": f"{keys.getrandbits(128):032x}", "secondaryKey": f"{keys.getrandbits(128):032x}"},
    )
    put(
        f"{resource.id}/groups/administrators",
        f"{SERVICE}/groups",
        {"properties": {"displayName": "Administrators", "builtIn": True, "type": "system"}},
    )


def _keep_deleted(world: World, resource: Resource, query: dict[str, str]) -> None:
    """Leave the soft-deleted trace of a service about to go."""
    location = str(resource.body.get("location", "")).replace(" ", "").lower()
    subscription = "/".join(resource.id.split("/")[:3])
    world.store.put(
        f"{subscription}/providers/Microsoft.ApiManagement/locations/{location}/deletedservices/{resource.name}",
        DELETED,
        {
            "location": resource.body.get("location"),
            "properties": {
                "serviceId": resource.id,
                "deletionDate": wire_time(world.now),
                "scheduledPurgeDate": wire_time(world.now + 48 * 3600),
            },
        },
    )


def _render(resource: Resource, read: ReadContext) -> dict[str, Any]:
    return {**resource.body, "etag": resource.etag.strip('"'), "properties": dict(resource.properties)}
