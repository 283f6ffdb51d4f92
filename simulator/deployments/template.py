"""A template expanded into what is to be written: one task a resource, loops unrolled, dependencies known.

Both forms of `resources` are read: the array and the object keyed by symbolic name. Names, types, scopes, conditions
and loop counts are evaluated here, bodies only when their turn comes: they may ask for what others created.
Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.deployments.language import Call, TemplateError, expressions_in, walk
from simulator.deployments.scope import Scope, Symbol, UnresolvedReference, resource_id

DEPLOYMENT_TYPE = "microsoft.resources/deployments"

_ENVELOPE = {
    "condition",
    "copy",
    "dependson",
    "existing",
    "type",
    "apiversion",
    "name",
    "scope",
    "comments",
    "resources",
}
_PLACEMENT = {"resourcegroup", "subscriptionid"}
MAXIMUM_RESOURCES = 800


@dataclass(slots=True)
class ResourceTask:
    """One resource to write. `body` is unevaluated; `depends_on` holds lower-case resource ids of other tasks."""

    resource_id: str
    resource_type: str
    name: str
    api_version: str
    body: dict[str, Any]
    scope: Scope
    symbolic_name: str | None = None
    is_existing: bool = False
    is_skipped: bool = False
    depends_on: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """The id as tasks are compared by."""
        return self.resource_id.lower()

    @property
    def is_deployment(self) -> bool:
        """A nested deployment, which has resources of its own."""
        return self.resource_type.lower() == DEPLOYMENT_TYPE

    @property
    def has_inner_scope(self) -> bool:
        """Whether the nested template is evaluated with its own parameters and variables."""
        options = self.body.get("properties", {}).get("expressionEvaluationOptions", {})
        return str(options.get("scope", "outer")).lower() == "inner"


def expand(template: dict[str, Any], scope: Scope) -> list[ResourceTask]:
    """Every task of one template, nested deployments as single tasks, in the template's order.

    Raises:
        TemplateError: the template cannot be evaluated, names a resource twice, or its dependencies run in a circle.
    """
    if not isinstance(template, dict) or "resources" not in template:
        raise TemplateError("Deployment template validation failed: 'Required property 'resources' not found in JSON.'")
    resources = template["resources"]
    entries = list(resources.items()) if isinstance(resources, dict) else [(None, r) for r in resources]
    tasks: list[ResourceTask] = []
    loops: dict[str, list[ResourceTask]] = {}
    for symbol, raw in entries:
        for flat, parent in _flatten(raw):
            made = _instances(symbol if parent is None else None, flat, scope)
            tasks.extend(made)
            for label in (symbol, flat.get("copy", {}).get("name") if isinstance(flat.get("copy"), dict) else None):
                if label:
                    loops[label.lower()] = made
    if len(tasks) > MAXIMUM_RESOURCES:
        raise TemplateError(f"The template has {len(tasks)} resources; {MAXIMUM_RESOURCES} are allowed.")
    _register_symbols(tasks, scope)
    _resolve_dependencies(tasks, loops)
    _refuse_duplicates(tasks)
    _refuse_circles(tasks)
    return tasks


def _flatten(raw: dict[str, Any], parent: dict[str, Any] | None = None) -> list[tuple[dict[str, Any], Any]]:
    """A resource and the children written inside it, types and names made whole."""
    flat = [(raw, parent)]
    for child in raw.get("resources", []) if isinstance(raw.get("resources"), list) else []:
        whole = dict(child)
        if "/" not in str(child["type"]) or not str(child["type"]).lower().startswith("microsoft."):
            whole["type"] = f"{raw['type']}/{child['type']}"
            whole["name"] = _joined_name(raw["name"], child["name"])
        flat.extend(_flatten(whole, raw))
    return flat


def _joined_name(parent: str, child: str) -> str:
    def inner(text: str) -> str:
        return text[1:-1] if text.startswith("[") and not text.startswith("[[") else "'" + text.replace("'", "''") + "'"

    return f"[concat({inner(parent)}, '/', {inner(child)})]"


def _instances(symbol: str | None, raw: dict[str, Any], scope: Scope) -> list[ResourceTask]:
    copy = raw.get("copy")
    if not isinstance(copy, dict):
        return [_task(symbol, raw, scope)]
    count = _early(scope, copy["count"], "copy.count")
    if not isinstance(count, int) or not 0 <= count <= MAXIMUM_RESOURCES:
        raise TemplateError(
            f"The copy count of '{copy.get('name')}' must be 0 to {MAXIMUM_RESOURCES}, it is '{count}'."
        )
    made = [_task(symbol, raw, scope.with_loop(copy["name"], index)) for index in range(count)]
    if str(copy.get("mode", "parallel")).lower() == "serial":
        batch = int(_early(scope, copy.get("batchSize", 1), "copy.batchSize"))
        for index, task in enumerate(made):
            first_of_batch = index - index % batch
            task.depends_on.update(t.key for t in made[max(0, first_of_batch - batch) : first_of_batch])
    return made


def _early(scope: Scope, value: Any, what: str) -> Any:
    """Evaluate what must be known before anything is created."""
    try:
        return scope.with_runtime(None).evaluate(value)
    except UnresolvedReference as error:
        if scope.is_predicting:
            raise
        raise TemplateError(f"The template function '{error}' is not expected at this location ('{what}').") from error


def _task(symbol: str | None, raw: dict[str, Any], scope: Scope) -> ResourceTask:
    resource_type = str(raw["type"])
    name = str(_early(scope, raw["name"], "name"))
    body = {k: v for k, v in raw.items() if k.lower() not in _ENVELOPE}
    task = ResourceTask(
        resource_id=_identify(raw, resource_type, name, scope),
        resource_type=resource_type,
        name=name,
        api_version=str(_early(scope, raw.get("apiVersion", ""), "apiVersion")),
        body=body,
        scope=scope,
        symbolic_name=symbol,
        is_existing=bool(raw.get("existing", False)),
        is_skipped=not _early(scope, raw.get("condition", True), "condition"),
    )
    task.depends_on.update(str(_early(scope, d, "dependsOn")) for d in raw.get("dependsOn", []))
    return task


def _identify(raw: dict[str, Any], resource_type: str, name: str, scope: Scope) -> str:
    place = scope.placement
    base = place.scope_id
    if resource_type.lower() == DEPLOYMENT_TYPE or raw.get("existing"):
        subscription = _early(scope, raw["subscriptionId"], "subscriptionId") if "subscriptionId" in raw else None
        group = _early(scope, raw["resourceGroup"], "resourceGroup") if "resourceGroup" in raw else None
        root = f"/subscriptions/{subscription or place.subscription_id}"
        if group:
            base = f"{root}/resourceGroups/{group}"
        elif subscription:
            base = root
    if "scope" in raw:
        target = str(_early(scope, raw["scope"], "scope"))
        base = target if target.startswith("/") else f"{base}/providers/{target}"
        base = base.rstrip("/")
    if resource_type.lower() == "microsoft.resources/resourcegroups":
        return f"/subscriptions/{place.subscription_id}/resourceGroups/{name}"
    return resource_id(base, resource_type, [name])


def _register_symbols(tasks: list[ResourceTask], scope: Scope) -> None:
    for task in tasks:
        symbol = Symbol(task.resource_id, task.name, task.api_version or None)
        if task.symbolic_name is None:
            scope.symbols[task.key] = symbol
            continue
        label = task.symbolic_name.lower()
        index = task.scope.loops.get("")
        scope.symbols[f"{label}[{index}]" if index is not None else label] = symbol


def _resolve_dependencies(tasks: list[ResourceTask], groups: dict[str, list[ResourceTask]]) -> None:
    keys = {task.key for task in tasks}
    for task in tasks:
        wanted: set[str] = set()
        for dependency in task.depends_on:
            text = dependency.lower()
            if text in keys:
                wanted.add(text)
            elif text in groups:
                wanted.update(t.key for t in groups[text])
            else:
                wanted.update(_by_ending(text, keys, dependency, tasks))
        wanted.update(_implicit(task, keys, groups))
        wanted.discard(task.key)
        task.depends_on = wanted


def _by_ending(text: str, keys: set[str], dependency: str, tasks: list[ResourceTask]) -> set[str]:
    found = {key for key in keys if key.endswith("/" + text.lstrip("/"))}
    found |= {t.key for t in tasks if f"{t.resource_type}/{t.name}".lower() == text or t.name.lower() == text}
    if not found and "/" in text and not text.startswith("/"):
        return found
    if not found and not text.startswith("/"):
        raise TemplateError(
            f"Deployment template validation failed: 'The resource '{dependency}' is not defined in the template.'"
        )
    return found


def _implicit(task: ResourceTask, keys: set[str], groups: dict[str, list[ResourceTask]]) -> set[str]:
    """Tasks whose state the body asks for by `reference()` or `list*()`."""
    body: Any = task.body
    if task.is_deployment and task.has_inner_scope:
        properties = {k: v for k, v in body.get("properties", {}).items() if k != "template"}
        body = {**body, "properties": properties}
    found: set[str] = set()
    for expression in expressions_in(body):
        for node in walk(expression):
            if not isinstance(node, Call) or not (
                node.name in ("reference", "references") or node.name.startswith("list")
            ):
                continue
            if not node.arguments:
                continue
            try:
                target = str(task.scope.with_runtime(None)._node(node.arguments[0])).lower()
            except (UnresolvedReference, TemplateError):
                continue  # a target only known at run time gives no order; its own failure is reported then
            if target in keys:
                found.add(target)
            elif target.split("[")[0] in groups:
                found.update(t.key for t in groups[target.split("[")[0]])
    return found


def _refuse_duplicates(tasks: list[ResourceTask]) -> None:
    seen: set[str] = set()
    for task in tasks:
        if task.is_skipped or task.is_existing:
            continue
        if task.key in seen:
            raise TemplateError(
                f"Deployment template validation failed: 'The resource '{task.resource_id}' is defined multiple times "
                "in a template.'"
            )
        seen.add(task.key)


def _refuse_circles(tasks: list[ResourceTask]) -> None:
    waiting = {task.key: set(task.depends_on) for task in tasks}
    while waiting:
        ready = [key for key, needs in waiting.items() if not needs & waiting.keys()]
        if not ready:
            names = ", ".join(sorted(key.rsplit("/", 1)[1] for key in waiting))
            raise TemplateError(
                f"Deployment template validation failed: 'Circular dependency detected on resource: {names}.'"
            )
        for key in ready:
            del waiting[key]
