"""What one can do with an entity besides reading and writing it: list secrets, reconnect, list references.

Source: API Management REST 2024-05-01: `namedValues/{id}/listValue`, `/refreshSecret`,
`subscriptions/{sid}/listSecrets`,
`/regeneratePrimaryKey`, `/regenerateSecondaryKey`, `backends/{id}/reconnect`, `policyFragments/{id}/listReferences`,
`tenant/operationResults/{id}`, `networkstatus`, `skus`, `allPolicies`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.apim.consumers import subscription_keys
from simulator.apim.named_values import named_value_text
from simulator.apim.references import documents, referring_to_fragment
from simulator.resources.entities import answer_operation, operation_headers, show
from simulator.resources.errors import ArmError
from simulator.resources.long_running import operations
from simulator.resources.paging import answer_page
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.resources.wire_time import wire_time
from simulator.resources.writing import ReadContext

if TYPE_CHECKING:
    from simulator.world import World

SERVICE_TEMPLATE = (
    "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.ApiManagement"
    "/service/{serviceName}"
)


def register_actions(world: World, router: Router) -> None:
    """Register the POST actions and the read-only aids."""
    base = SERVICE_TEMPLATE
    read_results = "Microsoft.ApiManagement/service/tenant/operationResults/read"
    router.add("GET", f"{base}/tenant/operationResults/{{operationId}}", answer_operation, action=read_results)
    router.add("POST", f"{base}/namedValues/{{name}}/listValue", _list_value)
    router.add("POST", f"{base}/namedValues/{{name}}/refreshSecret", _refresh_secret)
    router.add("POST", f"{base}/subscriptions/{{name}}/listSecrets", _list_secrets)
    router.add("POST", f"{base}/subscriptions/{{name}}/regeneratePrimaryKey", _regenerate_key)
    router.add("POST", f"{base}/subscriptions/{{name}}/regenerateSecondaryKey", _regenerate_key)
    router.add("POST", f"{base}/backends/{{name}}/reconnect", _reconnect)
    router.add("POST", f"{base}/policyFragments/{{name}}/listReferences", _list_references)
    router.add("GET", f"{base}/allPolicies", _all_policies)
    router.add("GET", f"{base}/networkstatus", _network_status)
    router.add("GET", f"{base}/regions", _regions)
    router.add("GET", f"{base}/apis/{{name}}/revisions", _revisions)
    router.add("GET", f"{base}/apis/{{name}}/products", _products_of_api)
    router.add("GET", f"{base}/products/{{name}}/subscriptions", _subscriptions_of_product)
    router.add("GET", f"{base}/skus", _skus)
    router.add(
        "GET",
        "/subscriptions/{subscriptionId}/providers/Microsoft.ApiManagement/deletedservices",
        _deleted_services,
    )


def _entity(request: ArmRequest) -> Resource:
    """The entity the action is on.

    Raises:
        ArmError: 404.
    """
    entity_id = request.path.rsplit("/", 1)[0]
    resource = request.world.store.get(entity_id)
    if resource is None:
        kind, name = entity_id.rsplit("/", 2)[1:]
        raise ArmError(404, "ResourceNotFound", f"{kind} '{name}' not found.")
    return resource


def _service(request: ArmRequest) -> Resource:
    return _entity(request)


def _list_value(request: ArmRequest) -> ArmResponse:
    resource = _entity(request)
    return ArmResponse(200, {"value": named_value_text(resource)}, {"etag": resource.etag})


def _refresh_secret(request: ArmRequest) -> ArmResponse:
    resource = _entity(request)
    if not resource.properties.get("keyVault"):
        raise ArmError(400, "ValidationError", "Only a Key Vault named value can be refreshed.", "keyVault")
    world = request.world
    body = {**resource.body, "properties": {**resource.properties}}
    body["properties"]["keyVault"] = {
        **body["properties"]["keyVault"],
        "lastStatus": {"code": "Success", "timeStampUtc": wire_time(world.now)},
    }
    world.store.put(resource.id, resource.type, body)
    status_path = "/".join(resource.id.split("/")[:9]) + "/tenant/operationResults/{id}"
    operation = operations(world).start(resource.id, status_path, arm_settings(world).entity_seconds)
    return ArmResponse(202, None, operation_headers(request, resource.id, operation))


def _list_secrets(request: ArmRequest) -> ArmResponse:
    resource = _entity(request)
    return ArmResponse(200, subscription_keys(resource), {"etag": resource.etag})


def _regenerate_key(request: ArmRequest) -> ArmResponse:
    resource = _entity(request)
    name = "primaryKey" if request.path.lower().endswith("primarykey") else "secondaryKey"
    fresh = f"{request.world.random('subscription-keys').getrandbits(128):032x}"
    request.world.store.put(resource.id, resource.type, resource.body, hidden={**resource.hidden, name: fresh})
    return ArmResponse(204)


def _reconnect(request: ArmRequest) -> ArmResponse:
    """The gateway makes new connections to a backend; nothing to see, so only that it exists is checked."""
    resource = _entity(request)
    request.world.note(f"reconnect asked for {resource.name}")
    return ArmResponse(202)


def _list_references(request: ArmRequest) -> ArmResponse:
    fragment = _entity(request)
    entries = [
        {"id": document.id, "type": document.type, "name": document.name}
        for document in referring_to_fragment(request.world, fragment)
    ]
    return answer_page(request, entries, extras=("count", "nextLink"))


def _all_policies(request: ArmRequest) -> ArmResponse:
    service = _service(request)
    entries: list[dict[str, Any]] = [
        {
            "id": f"{service.id}/allPolicies/{document.name}",
            "type": f"{service.type}/allPolicies",
            "name": document.name,
            "properties": {"referencePolicyId": document.id, "complianceState": "NonCompliant"},
        }
        for document in documents(request.world, service.id)
        if document.type.endswith("/policies")
    ]
    return answer_page(request, entries)


def _regions(request: ArmRequest) -> ArmResponse:
    service = _service(request)
    places = [service.body, *(service.properties.get("additionalLocations") or ())]
    entries = [
        {"name": place.get("location"), "isMasterRegion": index == 0, "isDeleted": False}
        for index, place in enumerate(places)
    ]
    return ArmResponse(200, {"value": entries, "count": len(entries), "nextLink": ""})


def _revisions(request: ArmRequest) -> ArmResponse:
    """The revisions of an API: itself and its `;rev=n` siblings."""
    api = _entity(request)
    stem = api.name.split(";")[0].lower()
    service_id = api.id.rsplit("/apis/", 1)[0]
    entries = [
        {
            "apiId": f"/apis/{found.name}",
            "apiRevision": found.properties.get("apiRevision", "1"),
            "createdDateTime": wire_time(found.created_at),
            "updatedDateTime": wire_time(found.changed_at),
            "isOnline": True,
            "isCurrent": bool(found.properties.get("isCurrent")),
        }
        for found in request.world.store.children(service_id, "apis")
        if found.name.split(";")[0].lower() == stem
    ]
    return answer_page(request, entries, extras=("count", "nextLink"))


def _products_of_api(request: ArmRequest) -> ArmResponse:
    api = _entity(request)
    store, read = request.world.store, ReadContext(request.world, in_list=True)
    entries = [
        show(product, read)
        for product in store.children(api.id.rsplit("/apis/", 1)[0], "products")
        if store.get(f"{product.id}/apis/{api.name}") is not None
    ]
    return answer_page(request, entries, extras=("count", "nextLink"))


def _subscriptions_of_product(request: ArmRequest) -> ArmResponse:
    product = _entity(request)
    read = ReadContext(request.world, in_list=True)
    entries = [
        show(subscription, read)
        for subscription in request.world.store.children(product.id.rsplit("/products/", 1)[0], "subscriptions")
        if str(subscription.properties.get("scope", "")).lower() == product.id.lower()
    ]
    return answer_page(request, entries, extras=("count", "nextLink"))


def _network_status(request: ArmRequest) -> ArmResponse:
    service = _service(request)
    status = {
        "name": "https://management.azure.com",
        "status": "success",
        "error": "",
        "lastUpdated": wire_time(request.world.now),
        "lastStatusChange": wire_time(service.created_at),
        "resourceType": "ControlPlane",
        "isOptional": False,
    }
    network = {"dnsServers": ["168.63.129.16"], "connectivityStatus": [status]}
    return ArmResponse(200, [{"location": service.body.get("location"), "networkStatus": network}])


def _skus(request: ArmRequest) -> ArmResponse:
    service = _service(request)
    name = (service.body.get("sku") or {}).get("name", "Premium")
    most = {"Developer": 1, "Basic": 2, "Standard": 4, "Premium": 31}.get(name, 10)
    capacity = {"minimum": 1, "maximum": most, "default": 1, "scaleType": "automatic"}
    return ArmResponse(
        200, {"value": [{"resourceType": service.type, "sku": {"name": name}, "capacity": capacity}], "nextLink": None}
    )


def _deleted_services(request: ArmRequest) -> ArmResponse:
    prefix = f"/subscriptions/{request.parameters['subscriptionId']}/"
    read = ReadContext(request.world)
    entries = [
        show(resource, read)
        for resource in request.world.store.of_type("Microsoft.ApiManagement/locations/deletedservices", under=prefix)
    ]
    return ArmResponse(200, {"value": entries})
