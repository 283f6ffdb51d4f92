"""Running deployments: tasks in order of their dependencies, each a process in simulated time.

Every resource goes through the one write path that HTTP PUTs use. A failed task stops what depends on it; the rest
goes on, as in Azure, and the deployment ends Failed with the nested error of each.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.deployments.durations import provisioning_seconds
from simulator.deployments.language import TemplateError
from simulator.deployments.parameters import bind_parameters, is_secure, resolve_definition
from simulator.deployments.records import TERMINAL, DeploymentRecord, Operation
from simulator.deployments.scope import Placement, Runtime, Scope
from simulator.deployments.template import DEPLOYMENT_TYPE, ResourceTask, expand
from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, QueryParameters, arm_router
from simulator.resources.writing import write_resource

if TYPE_CHECKING:
    from simulator.entra.principals import Principal
    from simulator.world import World

DETAILS_HINT = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)


@dataclass(slots=True)
class DeploymentRoom:
    """All deployments of the world.

    `operation_lag_seconds`: how late a new operation shows in the list. Assumed.
    `denied_types`: resource types (lower-case) an Azure Policy assignment refuses, with the assignment's name.
    `unavailable_skus`: (region, SKU) pairs of API Management that cannot be created there, both lower-case.
    `service_limit`: how many API Management services a subscription may have, None for no limit.
    `failing_types`: resource types (lower-case) whose writes their provider refuses while a deployment runs, with the
    code and message it says; what preflight cannot know.
    """

    world: World
    operation_lag_seconds: float = 1.0
    history_limit: int = 800
    records: dict[str, DeploymentRecord] = field(default_factory=dict)
    denied_types: dict[str, str] = field(default_factory=dict)
    unavailable_skus: set[tuple[str, str]] = field(default_factory=set)
    service_limit: int | None = None
    failing_types: dict[str, tuple[str, str]] = field(default_factory=dict)

    def in_scope(self, scope_id: str) -> list[DeploymentRecord]:
        """Deployments made at exactly this scope, newest first."""
        prefix = f"{scope_id}/providers/microsoft.resources/deployments/".lower()
        found = [r for key, r in self.records.items() if key.startswith(prefix) and "/" not in key[len(prefix) :]]
        return sorted(found, key=lambda r: -r.started_at)

    def unique_id(self, *parts: object) -> str:
        """A GUID that repeats with the world's seed."""
        salt = self.world.random("deployments").getrandbits(64)
        return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(str(p) for p in (*parts, salt))))


@dataclass(slots=True)
class Plan:
    """A deployment made ready: its record, its scope and its tasks. Nothing has been written yet."""

    record: DeploymentRecord
    scope: Scope
    tasks: list[ResourceTask]
    template: dict[str, Any]
    principal: Principal


def plan_deployment(
    room: DeploymentRoom,
    placement: Placement,
    properties: dict[str, Any],
    principal: Principal,
    *,
    deployment_id: str,
    tags: dict[str, str] | None = None,
    is_predicting: bool = False,
) -> Plan:
    """Evaluate all that can be known beforehand. `is_predicting`: for a what-if, where references stay unresolved.

    Raises:
        TemplateError: the template or its parameters are wrong.
    """
    template = properties.get("template")
    if not isinstance(template, dict):
        raise TemplateError("The request content was invalid: 'template' is missing.", code="InvalidRequestContent")
    now_text = room.world.now_at.strftime("%Y%m%dT%H%M%SZ")
    variables = dict(template.get("variables", {}))
    scope = Scope(placement, {}, variables, now_text=now_text, is_predicting=is_predicting)
    bind_parameters(template, properties.get("parameters") or {}, scope)
    tasks = expand(template, scope)
    record = DeploymentRecord(
        id=deployment_id,
        name=placement.deployment_name,
        location=None if placement.resource_group else placement.location,
        mode=str(properties.get("mode", "Incremental")),
        correlation_id=room.unique_id("correlation", deployment_id),
        caller=principal.name,
        started_at=room.world.now,
        template_hash=template_hash(template),
        tags=tags or {},
        template=template,
        shown_parameters=_shown_parameters(template, scope.parameters),
        providers=_providers(tasks, placement.location),
        dependencies=_dependencies(tasks),
    )
    return Plan(record, scope, tasks, template, principal)


def template_hash(template: dict[str, Any]) -> str:
    """A decimal hash of the template, as the `templateHash` property. Assumed: only its shape is Azure's."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return str(int.from_bytes(digest[:8], "big"))


def _shown_parameters(template: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, raw in template.get("parameters", {}).items():
        definition = resolve_definition(template, raw)
        kind = str(definition.get("type", ""))
        shown[name] = {"type": kind[:1].upper() + kind[1:]}
        if not is_secure(definition):
            shown[name]["value"] = values.get(name)
    return shown


def _providers(tasks: list[ResourceTask], location: str) -> list[dict[str, Any]]:
    by_namespace: dict[str, set[str]] = {}
    for task in tasks:
        namespace, kind = task.resource_type.split("/", 1)
        by_namespace.setdefault(namespace, set()).add(kind)
    return [
        {"namespace": n, "resourceTypes": [{"resourceType": k, "locations": [location]} for k in sorted(kinds)]}
        for n, kinds in sorted(by_namespace.items())
    ]


def _dependencies(tasks: list[ResourceTask]) -> list[dict[str, Any]]:
    by_key = {task.key: task for task in tasks}

    def entry(task: ResourceTask) -> dict[str, Any]:
        return {"id": task.resource_id, "resourceType": task.resource_type, "resourceName": task.name}

    return [
        {"dependsOn": [entry(by_key[k]) for k in sorted(task.depends_on) if k in by_key], **entry(task)}
        for task in tasks
        if task.depends_on
    ]


def run_deployment(room: DeploymentRoom, plan: Plan) -> Generator[float, None, None]:
    """The course of a deployment. Ends with the record Succeeded, Failed or Canceled; raises nothing of Azure's."""
    record, world = plan.record, room.world
    record.state = "Running"
    room.records[record.id.lower()] = record
    state = {task.key: "waiting" for task in plan.tasks if not (task.is_skipped or task.is_existing)}
    order = [task for task in plan.tasks if task.key in state]
    failures: list[dict[str, Any]] = []

    def finished(task: ResourceTask) -> Callable[[Any, BaseException | None], None]:
        def note(_: Any, error: BaseException | None) -> None:
            state[task.key] = "done" if error is None else "failed"
            if isinstance(error, _StepFailed):
                failures.append(error.error)
            elif error is not None:
                raise error

        return note

    while True:
        for task in order:
            if state[task.key] != "waiting" or record.cancel_requested:
                continue
            needs = {state.get(key, "done") for key in task.depends_on}
            if needs <= {"done"}:
                state[task.key] = "running"
                world.spawn(_step(room, plan, task), finished(task))
            elif needs & {"failed", "blocked"}:
                state[task.key] = "blocked"
        if "running" not in state.values():
            ready = any(
                s == "waiting" and {state.get(k, "done") for k in t.depends_on} <= {"done"}
                for t, s in ((t, state[t.key]) for t in order)
            )
            if record.cancel_requested or not ready:
                break
            continue
        yield 0.25
    _close(room, plan, failures)


def _close(room: DeploymentRoom, plan: Plan, failures: list[dict[str, Any]]) -> None:
    record, now = plan.record, room.world.now
    if record.cancel_requested:
        for operation in record.operations:
            if operation.state not in TERMINAL:
                operation.state, operation.ended_at, operation.status_code = "Canceled", now, "Conflict"
        record.end("Canceled", now, {"code": "DeploymentCanceled", "message": "The deployment was canceled."})
        return
    if failures:
        record.end(
            "Failed",
            now,
            {"code": "DeploymentFailed", "target": record.id, "message": DETAILS_HINT, "details": failures},
        )
        return
    try:
        record.outputs = _outputs(room, plan)
    except TemplateError as error:
        record.end("Failed", now, {"code": "DeploymentOutputEvaluationFailed", "message": error.message})
        return
    record.output_resource_ids = [t.resource_id for t in plan.tasks if not (t.is_skipped or t.is_existing)]
    record.end("Succeeded", now)


def _outputs(room: DeploymentRoom, plan: Plan) -> dict[str, Any]:
    scope = plan.scope.with_runtime(_runtime(room, plan))
    outputs: dict[str, Any] = {}
    for name, definition in plan.template.get("outputs", {}).items():
        if not scope.evaluate(definition.get("condition", True)):
            continue
        kind = str(resolve_definition(plan.template, definition).get("type", "string"))
        shown: dict[str, Any] = {"type": kind[:1].upper() + kind[1:]}
        if not kind.lower().startswith("secure"):
            if isinstance(definition.get("copy"), dict):
                count = int(scope.evaluate(definition["copy"]["count"]))
                shown["value"] = [scope.with_loop(name, i).evaluate(definition["copy"]["input"]) for i in range(count)]
            else:
                shown["value"] = scope.evaluate(definition["value"])
        outputs[name] = shown
    if outputs:
        now = room.world.now
        plan.record.operations.append(
            Operation(
                room.unique_id("operation"),
                "EvaluateDeploymentOutput",
                now,
                now,
                state="Succeeded",
                ended_at=now,
                status_code="OK",
            )
        )
    return outputs


class _StepFailed(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", ""))
        self.error = error


def _step(room: DeploymentRoom, plan: Plan, task: ResourceTask) -> Generator[float, None, None]:
    """One task from its operation's start to its end."""
    now = room.world.now
    operation = Operation(
        operation_id=room.unique_id("operation", task.key),
        provisioning_operation="Create",
        started_at=now,
        visible_at=now + room.operation_lag_seconds,
        target_id=task.resource_id,
        target_type=task.resource_type,
        target_name=task.name,
        symbolic_name=task.symbolic_name,
    )
    plan.record.operations.append(operation)
    try:
        if task.is_deployment:
            yield from _nested(room, plan, task)
        else:
            yield from _write(room, plan, task)
    except (ArmError, TemplateError, _StepFailed) as error:
        body = _error_body(error, task)
        operation.state, operation.ended_at, operation.error = "Failed", room.world.now, body
        operation.status_code = _STATUS_WORDS.get(getattr(error, "status", 400), "BadRequest")
        raise _StepFailed(body) from error
    if operation.state not in TERMINAL:
        operation.state, operation.ended_at, operation.status_code = "Succeeded", room.world.now, "OK"


_STATUS_WORDS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    422: "UnprocessableEntity",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


def _error_body(error: ArmError | TemplateError | _StepFailed, task: ResourceTask) -> dict[str, Any]:
    if isinstance(error, _StepFailed):
        return error.error
    if isinstance(error, TemplateError):
        return {"code": error.code, "message": error.message, "target": task.resource_id}
    inner: dict[str, Any] = dict(error.as_json()["error"])
    return {
        "code": "ResourceDeploymentFailure",
        "target": task.resource_id,
        "message": "The resource write operation failed to complete successfully, because it reached terminal "
        "provisioning state 'Failed'.",
        "details": [inner],
    }


def _write(room: DeploymentRoom, plan: Plan, task: ResourceTask) -> Generator[float, None, None]:
    world = room.world
    body = task.scope.with_runtime(_runtime(room, plan)).evaluate(task.body)
    refusal = room.failing_types.get(task.resource_type.lower())
    if refusal is not None:
        yield provisioning_seconds(task.resource_type)
        raise ArmError(400, refusal[0], refusal[1], task.resource_id)
    result = write_resource(
        world,
        task.resource_id,
        task.resource_type,
        body,
        plan.principal,
        api_version=task.api_version,
        correlation_id=plan.record.correlation_id,
    )
    if result.operation is None:
        yield provisioning_seconds(task.resource_type)
        return
    while result.operation.status(world.now) == "InProgress":
        yield max(0.05, result.operation.ends_at - world.now)
    if result.operation.error is not None:
        raise _StepFailed({"target": task.resource_id, **result.operation.error})


def _nested(room: DeploymentRoom, plan: Plan, task: ResourceTask) -> Generator[float, None, None]:
    outer = task.scope.with_runtime(_runtime(room, plan))
    nested = nested_plan(room, plan, task, outer)
    if plan.record.cancel_requested:
        return
    process = run_deployment(room, nested)
    for delay in process:
        if plan.record.cancel_requested:
            nested.record.cancel_requested = True
        yield delay
    if nested.record.state == "Failed" and nested.record.error is not None:
        raise _StepFailed(
            {
                "code": "ResourceDeploymentFailure",
                "target": task.resource_id,
                "message": "The resource write operation failed to complete successfully, because it reached terminal "
                "provisioning state 'Failed'.",
                "details": [nested.record.error],
            }
        )


def nested_plan(room: DeploymentRoom, plan: Plan, task: ResourceTask, outer: Scope) -> Plan:
    """The plan of a nested deployment, its parameters evaluated in `outer`.

    Raises:
        TemplateError: the nested template is wrong, or it names a resource group that does not exist.
    """
    raw = dict(task.body.get("properties", {}))
    template = raw.pop("template", None)
    properties = outer.evaluate(raw)
    place = _nested_placement(room, plan, task, outer)
    if task.has_inner_scope:
        properties["template"] = template
        return plan_deployment(
            room,
            place,
            properties,
            plan.principal,
            deployment_id=task.resource_id,
            is_predicting=outer.is_predicting,
        )
    # Outer scope: the nested template's expressions see the parent's parameters and variables.
    inner_template: dict[str, Any] = template if isinstance(template, dict) else {"resources": []}
    scope = Scope(place, outer.parameters, outer.variables, now_text=outer.now_text, loops=outer.loops)
    nested = plan_deployment(
        room, place, {"template": {"resources": []}}, plan.principal, deployment_id=task.resource_id
    )
    return Plan(nested.record, scope, expand(inner_template, scope), inner_template, plan.principal)


def _nested_placement(room: DeploymentRoom, plan: Plan, task: ResourceTask, outer: Scope) -> Placement:
    parts = task.resource_id.strip("/").split("/")
    group = parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else None
    base = outer.placement
    location = outer.evaluate(task.body.get("location", base.location))
    group_location = None
    if group is not None:
        resource = room.world.store.get(f"/subscriptions/{parts[1]}/resourceGroups/{group}")
        group_location = resource.body.get("location") if resource is not None else None
        if resource is None and outer.runtime is not None:
            raise TemplateError(f"Resource group '{group}' could not be found.", code="ResourceGroupNotFound")
    return Placement(
        subscription_id=parts[1],
        tenant_id=base.tenant_id,
        deployment_name=task.name,
        location=location,
        resource_group=group,
        resource_group_location=group_location,
        caller_object_id=base.caller_object_id,
    )


def _runtime(room: DeploymentRoom, plan: Plan) -> Runtime:
    """What `reference` and `list*` answer while the deployment runs."""

    def ask(function: str, target_id: str, version: str | None) -> Any:
        if not function.startswith("reference"):
            return _list_action(room, function, target_id, version or "", plan.principal)
        record = room.records.get(target_id.lower())
        if record is not None and DEPLOYMENT_TYPE in target_id.lower():
            body = record.as_json(room.world.now)
        else:
            resource = room.world.store.get(target_id)
            if resource is None:
                raise TemplateError(f"The resource '{target_id}' was not found.", code="ResourceNotFound")
            body = resource.body
        return body if function.endswith(":full") else body.get("properties", {})

    return ask


def _list_action(room: DeploymentRoom, function: str, target_id: str, version: str, principal: Principal) -> Any:
    """`listKeys()` and its kin: the POST action of the resource, answered by the same route as over HTTP."""
    verb = _LIST_VERBS.get(function, function)
    request = ArmRequest(
        "POST", f"{target_id}/{verb}", QueryParameters({"api-version": version}), {}, b"", room.world, principal
    )
    try:
        return room.world.run(arm_router(room.world).answer(request)).body
    except ArmError as error:
        raise TemplateError(error.message, code=error.code) from error


_LIST_VERBS = {"listkeys": "listKeys", "listsecrets": "listSecrets", "listvalue": "listValue"}
