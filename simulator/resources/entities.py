"""The generic handler: read, list, write and delete any resource by its path, by the rules of its type.

This is the router's fallback; a route registered for a path comes first.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from simulator.resources.errors import ArmError, resource_not_found
from simulator.resources.faults import fault_table
from simulator.resources.filtering import parse_filter
from simulator.resources.ids import ResourcePath, parse_resource_path
from simulator.resources.long_running import Operation, operations
from simulator.resources.paging import answer_page
from simulator.resources.router import ArmRequest, ArmResponse
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.resources.writing import (
    ReadContext,
    TypeRules,
    delete_resource,
    entity_not_found,
    type_registry,
    write_resource,
)

if TYPE_CHECKING:
    from simulator.world import World


def answer_entity(request: ArmRequest) -> ArmResponse | Generator[float, None, ArmResponse]:
    """Answer a request that no route of its own matches.

    Raises:
        ArmError: 400, 404, 405, 409 or 412 as Resource Manager would.
    """
    path = parse_resource_path(request.path)
    if path is None:
        raise ArmError(404, "NotFound", f"The path '{request.path}' does not exist.")
    rules = type_registry(request.world).rules(path.type)
    if not path.is_resource:
        if request.method != "GET":
            raise ArmError(
                404 if request.method == "POST" else 405,
                "InvalidResourceType" if request.method == "POST" else "HttpMethodNotAllowed",
                f"The operation '{request.method}' is not known at '{request.path}'.",
            )
        return _list(request, path, rules)
    if request.method not in rules.methods:
        raise ArmError(
            405,
            "HttpMethodNotAllowed",
            f"The requested resource does not support http method '{request.method}'.",
        )
    match request.method:
        case "GET" | "HEAD":
            return _read(request, path, rules)
        case "PUT":
            return _write(request, path, rules, "PUT")
        case "PATCH":
            return _write(request, path, rules, "PATCH")
        case _:
            return _delete(request, path, rules)


def show(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """The body a read returns: the type's own rendering, the provisioning state of the moment."""
    rules = type_registry(read.world).rules(resource.type)
    body = rules.render(resource, read) if rules.render is not None else copy.deepcopy(resource.body)
    if resource.hidden.get("settles_at", 0.0) > read.world.now:
        properties = body.setdefault("properties", {})
        properties["provisioningState"] = resource.hidden.get("progress_word", "InProgress")
    return body


def children_shown(world: World, parent_id: str, collection: str) -> list[dict[str, Any]]:
    """The direct children of a collection as a list shows them."""
    read = ReadContext(world, in_list=True)
    return [show(resource, read) for resource in world.store.children(parent_id, collection)]


def _read(
    request: ArmRequest, path: ResourcePath, rules: TypeRules
) -> ArmResponse | Generator[float, None, ArmResponse]:
    asked = request.query.get("asyncId")
    if asked:
        operation = operations(request.world).get(asked)
        if operation is not None:
            return _read_result(request, path, operation)
    return _read_now(request, path)


def _read_now(request: ArmRequest, path: ResourcePath) -> ArmResponse:
    resource = request.world.store.get(path.path)
    if resource is None:
        if path.group_id and request.world.store.get(path.group_id) is None:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{path.resource_group}' could not be found.")
        raise entity_not_found(path) if len(path.types) > 1 else resource_not_found(path.path)
    rules = type_registry(request.world).rules(resource.type)
    headers = {"etag": resource.etag} if rules.entity_tag else {}
    if request.method == "HEAD":
        return ArmResponse(rules.statuses.get("HEAD", 200), None, headers)
    return ArmResponse(200, show(resource, ReadContext(request.world, request.query, request.api_version)), headers)


def _read_result(request: ArmRequest, path: ResourcePath, operation: Operation) -> Generator[float, None, ArmResponse]:
    """The `Location` of an operation: 202 while it runs, then what it led to."""
    yield from wait_when_nobody_drives(request.world, operation)
    status = operation.status(request.world.now)
    if status == "InProgress":
        return ArmResponse(202, None, operation_headers(request, path.path, operation))
    if status != "Succeeded":
        return ArmResponse(400, {"error": operation.error or {"code": "Canceled", "message": "Canceled."}})
    if operation.final_status == 204:
        return ArmResponse(204)
    return _read_now(request, path)


def _list(request: ArmRequest, path: ResourcePath, rules: TypeRules) -> ArmResponse:
    world = request.world
    store = world.store
    if len(path.types) > 1:
        if store.get(path.parent_id) is None:
            raise resource_not_found(path.parent_id)
        found = list(store.children(path.parent_id, path.types[-1]))
    else:
        if path.group_id and store.get(path.group_id) is None:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{path.resource_group}' could not be found.")
        found = [
            resource for resource in store.of_type(path.type, under=path.scope + "/") if _stands_at(resource, path)
        ]
    read = ReadContext(world, request.query, request.api_version, in_list=True)
    entries = [show(resource, read) for resource in found]
    condition = request.query.get("$filter")
    if condition and (rules.counted_list or rules.filter_fields):
        accepts = parse_filter(condition, rules.filter_fields)
        entries = [entry for entry in entries if accepts(entry)]
    return answer_page(request, entries, extras=rules.list_extras if rules.counted_list else ())


def _stands_at(resource: Resource, path: ResourcePath) -> bool:
    """Whether a resource belongs to the list at a scope: below a container everything, at a resource only its own."""
    parts = parse_resource_path(resource.id)
    if parts is None:
        return False
    is_container = "/providers/" not in path.scope.lower()
    return is_container or parts.scope.lower() == path.scope.lower()


def _write(request: ArmRequest, path: ResourcePath, rules: TypeRules, method: Literal["PUT", "PATCH"]) -> ArmResponse:
    world = request.world
    result = write_resource(
        world,
        path.path,
        rules.type,
        {} if rules.body_optional and not request.body.strip() else request.json_object(),
        request.principal,
        request.headers.get("if-match"),
        api_version=request.api_version,
        method=method,
        correlation_id=request.correlation_id,
        fail_with=fault_table(world).take_operation_failure(request.method, path.path),
    )
    body = show(result.resource, ReadContext(world, request.query, request.api_version))
    headers = {"etag": result.resource.etag} if rules.entity_tag else {}
    if result.operation is not None:
        headers.update(operation_headers(request, path.path, result.operation))
    status = rules.statuses.get(method, 201 if result.created else 200)
    return ArmResponse(status, None if status == 204 else body, headers)


def _delete(request: ArmRequest, path: ResourcePath, rules: TypeRules) -> ArmResponse:
    existed, operation = delete_resource(
        request.world,
        path.path,
        request.principal,
        request.headers.get("if-match"),
        query=request.query,
        correlation_id=request.correlation_id,
    )
    if operation is not None:
        return ArmResponse(202, None, operation_headers(request, path.path, operation))
    if not existed and path.type.lower() == "microsoft.resources/resourcegroups":
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{path.name}' could not be found.")
    return ArmResponse(rules.statuses.get("DELETE", 200) if existed else 204)


def operation_headers(request: ArmRequest, resource_id: str, operation: Operation) -> dict[str, str]:
    """`Azure-AsyncOperation`, `Location` and `Retry-After` of an operation."""
    version = request.api_version
    seconds = arm_settings(request.world).retry_after_seconds
    code = operation.final_status
    return {
        "azure-asyncoperation": f"{request.base_url}{quote(operation.status_url_path)}?api-version={version}",
        "location": f"{request.base_url}{quote(resource_id)}?api-version={version}"
        f"&asyncId={operation.id}&asyncCode={code}",
        "retry-after": f"{seconds:g}",
    }


def wait_when_nobody_drives(world: World, operation: Operation) -> Generator[float, None, None]:
    """Let a poll wait for the end of its operation when the clock only moves for requests."""
    if arm_settings(world).polls_wait and operation.ends_at > world.now:
        yield operation.ends_at - world.now


def answer_operation(request: ArmRequest) -> Generator[float, None, ArmResponse]:
    """GET the status of an operation (any of the status paths).

    Raises:
        ArmError: 404, when there is no such operation.
    """
    operation = operations(request.world).get(request.parameters["operationId"])
    if operation is None:
        raise ArmError(404, "ResourceNotFound", f"Operation '{request.parameters['operationId']}' not found.")
    yield from wait_when_nobody_drives(request.world, operation)
    headers = {}
    if operation.status(request.world.now) == "InProgress":
        headers["retry-after"] = f"{arm_settings(request.world).retry_after_seconds:g}"
    return ArmResponse(200, operation.as_json(request.world.now), headers)
