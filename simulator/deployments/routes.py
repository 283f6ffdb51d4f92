"""The deployments API over HTTP, at subscription and resource-group scope.

Source: azure-rest-api-specs Microsoft.Resources resources.json 2024-07-01: PUT is a long-running 200/201, what-if and
validate 200/202 with Location, cancel 204, delete 202/204; HEAD tells existence by 204.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.deployments.availability import register_availability
from simulator.deployments.engine import DeploymentRoom, Plan, plan_deployment, run_deployment
from simulator.deployments.language import TemplateError
from simulator.deployments.preflight import check_request, check_resources
from simulator.deployments.records import DeploymentRecord
from simulator.deployments.scope import Placement
from simulator.deployments.whatif import what_if_changes
from simulator.deployments.wire import read_json
from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, ArmResponse, arm_router
from simulator.resources.settings import arm_settings

if TYPE_CHECKING:
    from simulator.world import World

_SUBSCRIPTION = "/subscriptions/{subscriptionId}/providers/Microsoft.Resources/deployments"
_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Resources/deployments"
WHAT_IF_SECONDS = 1.5
"""How long a what-if takes. Assumed; real ones take half a minute and more."""


def attach(world: World) -> DeploymentRoom:
    """Serve deployments on the world's Resource Manager; the room is kept as `world.rooms["deployments"]`."""
    room = DeploymentRoom(world)
    world.rooms["deployments"] = room
    api = _Api(room)
    router = arm_router(world)
    for base in (_SUBSCRIPTION, _GROUP):
        one = base + "/{deploymentName}"
        router.add("GET", base, api.list)
        router.add("PUT", one, api.put)
        router.add("GET", one, api.get)
        router.add("HEAD", one, api.head)
        router.add("DELETE", one, api.delete)
        router.add("POST", one + "/validate", api.validate)
        router.add("POST", one + "/whatIf", api.what_if)
        router.add("POST", one + "/cancel", api.cancel)
        router.add("POST", one + "/exportTemplate", api.export)
        router.add("GET", one + "/operations", api.operations)
        router.add("GET", one + "/operations/{operationId}", api.operation)
        router.add("GET", one + "/operationStatuses/{statusId}", api.status)
    for base in (_SUBSCRIPTION.rsplit("/", 1)[0], _GROUP.rsplit("/", 1)[0]):
        router.add("GET", base + "/whatIfResults/{resultId}", api.what_if_result)
    register_availability(room, router)
    return room


@dataclass(slots=True)
class _WhatIf:
    ready_at: float
    body: dict[str, Any]


class _Api:
    def __init__(self, room: DeploymentRoom) -> None:
        self._room = room
        self._what_ifs: dict[str, _WhatIf] = {}

    # -- reading the request ---------------------------------------------------------------------------------

    def _placement(self, request: ArmRequest, location: str | None) -> Placement:
        group_name = request.parameters.get("resourceGroupName")
        subscription_id = request.parameters["subscriptionId"]
        group_location = None
        if group_name is not None:
            group = self._room.world.store.get(f"/subscriptions/{subscription_id}/resourceGroups/{group_name}")
            if group is None:
                raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group_name}' could not be found.")
            group_name, group_location = group.name, group.body.get("location")
        return Placement(
            subscription_id=subscription_id,
            tenant_id=request.principal.tenant_id,
            deployment_name=request.parameters["deploymentName"],
            location=location or group_location or "",
            resource_group=group_name,
            resource_group_location=group_location,
            caller_object_id=request.principal.object_id,
        )

    def _plan(self, request: ArmRequest, body: dict[str, Any]) -> Plan:
        properties = body.get("properties")
        if not isinstance(properties, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: 'properties' is missing.")
        placement = self._placement(request, body.get("location"))
        mode = str(properties.get("mode", "")).lower()
        if mode == "complete" and placement.resource_group is None:
            raise ArmError(400, "InvalidDeploymentMode", "The mode 'Complete' is not supported at this scope.")
        if mode == "complete":
            raise ArmError(400, "InvalidDeploymentMode", "The mode 'Complete' is not modelled by the embedded Azure.")
        if "templateLink" in properties:
            raise ArmError(400, "InvalidTemplateLink", "Linked templates cannot be downloaded from here.")
        return plan_deployment(
            self._room, placement, properties, request.principal, deployment_id=_id(request), tags=body.get("tags")
        )

    def _prepare(self, request: ArmRequest) -> tuple[dict[str, Any], Plan]:
        try:
            body = read_json(request.body.decode("utf-8-sig"))
            if not isinstance(body, dict):
                raise ArmError(400, "InvalidRequestContent", "The request content was invalid: an object is expected.")
            scope_id = _id(request).rsplit("/providers/", 1)[0]
            check_request(
                self._room, _id(request), request.parameters["deploymentName"], scope_id, body.get("location")
            )
            return body, self._plan(request, body)
        except TemplateError as error:
            raise ArmError(400, error.code, error.message) from error

    def _record(self, request: ArmRequest) -> DeploymentRecord:
        record = self._room.records.get(_id(request).lower())
        if record is None:
            raise ArmError(
                404, "DeploymentNotFound", f"Deployment '{request.parameters['deploymentName']}' could not be found."
            )
        return record

    # -- writing ---------------------------------------------------------------------------------------------

    def put(self, request: ArmRequest) -> ArmResponse:
        existed = _id(request).lower() in self._room.records
        _, plan = self._prepare(request)
        self._preflight(plan)
        world = self._room.world
        self._room.records[plan.record.id.lower()] = plan.record
        shown = plan.record.as_json(world.now)
        world.spawn(run_deployment(self._room, plan), _finished(plan.record, world))
        status_id = f"{int(plan.record.started_at * 1000):020d}"
        headers = {
            "Azure-AsyncOperation": f"{request.base_url}{plan.record.id}/operationStatuses/{status_id}"
            f"?api-version={request.api_version}",
            "Retry-After": "1",
        }
        return ArmResponse(200 if existed else 201, shown, headers)

    def _preflight(self, plan: Plan) -> None:
        try:
            check_resources(self._room, plan)
        except TemplateError as error:
            raise ArmError(400, error.code, error.message) from error

    def validate(self, request: ArmRequest) -> ArmResponse:
        _, plan = self._prepare(request)
        self._preflight(plan)
        shown = plan.record.as_json(self._room.world.now)
        shown["properties"]["provisioningState"] = "Succeeded"
        shown["properties"]["validatedResources"] = [
            {"id": change["resourceId"]}
            for change in what_if_changes(self._room, plan, ids_only=True)
            if change["changeType"] == "Deploy"
        ]
        return ArmResponse(200, shown)

    def what_if(self, request: ArmRequest) -> ArmResponse:
        body, plan = self._prepare(request)
        settings = body["properties"].get("whatIfSettings") or {}
        ids_only = str(settings.get("resultFormat", "FullResourcePayloads")).lower() == "resourceidonly"
        try:
            self._preflight(plan)
            changes = what_if_changes(self._room, plan, ids_only=ids_only)
            result: dict[str, Any] = {
                "status": "Succeeded",
                "properties": {"correlationId": plan.record.correlation_id, "changes": changes},
            }
        except ArmError as error:
            result = {"status": "Failed", **error.as_json()}
        except TemplateError as error:
            result = {"status": "Failed", "error": {"code": error.code, "message": error.message}}
        result_id = self._room.unique_id("what-if")
        self._what_ifs[result_id] = _WhatIf(self._room.world.now + WHAT_IF_SECONDS, result)
        while len(self._what_ifs) > 50:
            del self._what_ifs[next(iter(self._what_ifs))]
        provider = _id(request).rsplit("/deployments/", 1)[0]
        return ArmResponse(202, None, self._what_if_headers(request, f"{provider}/whatIfResults/{result_id}"))

    @staticmethod
    def _what_if_headers(request: ArmRequest, path: str) -> dict[str, str]:
        return {
            "Location": f"{request.base_url}{path}?api-version={request.api_version}",
            "Retry-After": _pause(request),
        }

    def what_if_result(self, request: ArmRequest) -> Generator[float, None, ArmResponse]:
        result = self._what_ifs.get(request.parameters["resultId"])
        if result is None:
            raise ArmError(404, "WhatIfResultNotFound", "The what-if result is not known or has expired.")
        if arm_settings(request.world).polls_wait and self._room.world.now < result.ready_at:
            yield result.ready_at - self._room.world.now
        if self._room.world.now < result.ready_at:
            return ArmResponse(202, None, self._what_if_headers(request, request.path))
        return ArmResponse(200, result.body)

    def cancel(self, request: ArmRequest) -> ArmResponse:
        record = self._record(request)
        if record.is_over:
            raise ArmError(
                409,
                "DeploymentCannotBeCancelled",
                f"The deployment '{record.name}' cannot be cancelled because it is already in state '{record.state}'.",
            )
        record.cancel_requested = True
        return ArmResponse(204)

    def delete(self, request: ArmRequest) -> ArmResponse:
        record = self._room.records.get(_id(request).lower())
        if record is None:
            return ArmResponse(204)
        if not record.is_over:
            raise ArmError(409, "DeploymentBeingDeleted", f"The deployment '{record.name}' is still running.")
        del self._room.records[record.id.lower()]
        return ArmResponse(204)

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, request: ArmRequest) -> ArmResponse:
        return ArmResponse(200, self._record(request).as_json(self._room.world.now))

    def head(self, request: ArmRequest) -> ArmResponse:
        known = _id(request).lower() in self._room.records
        return ArmResponse(204 if known else 404)

    def list(self, request: ArmRequest) -> ArmResponse:
        scope_id = _scope(request)
        found = self._room.in_scope(scope_id)
        condition = str(request.query.get("$filter", ""))
        if condition:
            parts = condition.split("'")
            if "provisioningState" not in condition or len(parts) < 2:
                raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{condition}'.")
            found = [r for r in found if r.state.lower() == parts[1].lower()]
        top = request.query.get("$top")
        shown = found[: int(top)] if top else found
        return ArmResponse(200, {"value": [r.as_json(self._room.world.now) for r in shown]})

    def operations(self, request: ArmRequest) -> ArmResponse:
        record, now = self._record(request), self._room.world.now
        visible = [o for o in record.operations if o.visible_at <= now or record.is_over]
        return ArmResponse(200, {"value": [o.as_json(record.id, now) for o in reversed(visible)]})

    def operation(self, request: ArmRequest) -> ArmResponse:
        record, now = self._record(request), self._room.world.now
        for operation in record.operations:
            if operation.operation_id.lower() == request.parameters["operationId"].lower():
                return ArmResponse(200, operation.as_json(record.id, now))
        raise ArmError(404, "DeploymentOperationNotFound", "The deployment operation could not be found.")

    def status(self, request: ArmRequest) -> ArmResponse:
        record = self._record(request)
        body: dict[str, Any] = {"status": record.state if record.is_over else "Running"}
        if record.error is not None:
            body["error"] = record.error
        return ArmResponse(200, body, {} if record.is_over else {"Retry-After": "1"})

    def export(self, request: ArmRequest) -> ArmResponse:
        return ArmResponse(200, {"template": self._record(request).template})


def _pause(request: ArmRequest) -> str:
    """`Retry-After` in whole seconds, as the clients want it here."""
    return str(int(arm_settings(request.world).retry_after_seconds))


def _scope(request: ArmRequest) -> str:
    base = f"/subscriptions/{request.parameters['subscriptionId']}"
    group = request.parameters.get("resourceGroupName")
    return f"{base}/resourceGroups/{group}" if group else base


def _id(request: ArmRequest) -> str:
    name = request.parameters["deploymentName"]
    return f"{_scope(request)}/providers/Microsoft.Resources/deployments/{name}"


def _finished(record: DeploymentRecord, world: World) -> Callable[[Any, BaseException | None], None]:
    """A defect of the simulator must not leave a deployment running for ever: it fails, and the log says why."""

    def note(_: Any, error: BaseException | None) -> None:
        if error is not None:
            world.note(f"deployment {record.name} stopped on a defect of the simulator: {error!r}")
            record.end("Failed", world.now, {"code": "InternalServerError", "message": str(error)})

    return note
