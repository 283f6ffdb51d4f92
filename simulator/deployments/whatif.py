"""What-if: what a deployment would change, with the noise Azure is known for.

References are not resolved, so properties that depend on them look modified; properties the provider filled in and the
template does not name look deleted; policy texts differ by their serialisation alone.
Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/deploy-what-if (change and
property-change kinds), azure-rest-api-specs resources.json 2024-07-01 (WhatIfOperationResult).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from simulator.deployments.engine import DeploymentRoom, Plan, nested_plan
from simulator.deployments.language import is_expression
from simulator.deployments.scope import Scope, Unresolved, UnresolvedReference
from simulator.deployments.template import ResourceTask

if TYPE_CHECKING:
    from simulator.resources.store import Resource

_READ_ONLY = frozenset(
    {
        "provisioningstate",
        "targetprovisioningstate",
        "createdatutc",
        "gatewayurl",
        "gatewayregionalurl",
        "portalurl",
        "developerportalurl",
        "managementapiurl",
        "scmurl",
        "outboundpublicipaddresses",
        "publicipaddresses",
        "platformversion",
        "customerid",
        "createddate",
        "modifieddate",
        "iscurrent",
        "isonline",
        "endpoint",
        "endpoints",
        "appid",
        "instrumentationkey",
        "connectionstring",
        "principalid",
        "tenantid",
    }
)
_ENVELOPE = ("location", "sku", "kind", "identity", "tags", "properties", "zones")


def what_if_changes(room: DeploymentRoom, plan: Plan, *, ids_only: bool) -> list[dict[str, Any]]:
    """The `changes` of a what-if result: every resource of the template, nested ones too, then those it leaves alone.

    Raises:
        TemplateError: a nested template is wrong.
    """
    changes: list[dict[str, Any]] = []
    touched: set[str] = set()
    _collect(room, plan, changes, touched, ids_only)
    changes.extend(_ignored(room, touched))
    return sorted(changes, key=lambda change: change["resourceId"].lower())


def _collect(
    room: DeploymentRoom, plan: Plan, changes: list[dict[str, Any]], touched: set[str], ids_only: bool
) -> None:
    for task in plan.tasks:
        if task.is_skipped or task.is_existing:
            continue
        if task.is_deployment:
            try:
                inner = nested_plan(room, plan, task, _TolerantScope.of(task.scope))
            except UnresolvedReference as reference:
                changes.append(
                    {
                        "resourceId": task.resource_id,
                        "changeType": "Unsupported",
                        "unsupportedReason": f"Its names depend on the outcome of another deployment: {reference}.",
                    }
                )
                continue
            _collect(room, inner, changes, touched, ids_only)
            continue
        touched.add(task.key)
        changes.append(_change(room, task, ids_only))


class _TolerantScope(Scope):
    """Evaluates what it can; an expression that needs a resource's state stays as it stands in the template."""

    @classmethod
    def of(cls, scope: Scope) -> _TolerantScope:
        return cls(
            scope.placement,
            scope.parameters,
            scope.variables,
            None,
            scope.symbols,
            scope.loops,
            scope.lambdas,
            scope.now_text,
            is_predicting=True,
        )

    def evaluate(self, value: Any) -> Any:
        if isinstance(value, str) and is_expression(value):
            try:
                return super().evaluate(value)
            except UnresolvedReference:
                return Unresolved(value)
        return super().evaluate(value)


def _change(room: DeploymentRoom, task: ResourceTask, ids_only: bool) -> dict[str, Any]:
    existing = room.world.store.get(task.resource_id)
    if ids_only:
        return {"resourceId": task.resource_id, "changeType": "Deploy"}
    body = _TolerantScope.of(task.scope).evaluate(task.body)
    after = {
        "apiVersion": task.api_version,
        **{key: body[key] for key in _ENVELOPE if key in body},
        "id": task.resource_id,
        "name": task.resource_id.rsplit("/", 1)[1],
        "type": task.resource_type,
    }
    if existing is None:
        return {"resourceId": task.resource_id, "changeType": "Create", "after": after}
    before = _before(existing, task.api_version)
    delta = compare(before, after)
    return {
        "resourceId": task.resource_id,
        "changeType": "Modify" if any(d["propertyChangeType"] != "NoEffect" for d in delta) else "NoChange",
        "before": before,
        "after": after,
        "delta": delta,
    }


def _before(existing: Resource, api_version: str) -> dict[str, Any]:
    body = copy.deepcopy(existing.body)
    shown = {key: body[key] for key in _ENVELOPE if key in body}
    properties = shown.get("properties")
    if isinstance(properties, dict):
        shown["properties"] = {k: v for k, v in properties.items() if k.lower() not in _READ_ONLY}
        if "value" in properties and existing.type.lower().endswith("/namedvalues") and properties.get("secret"):
            shown["properties"]["value"] = "*******"
    return {"apiVersion": api_version, **shown, "id": existing.id, "name": existing.name, "type": existing.type}


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Property changes between two resources, in the recursive shape of the API (paths relative to their parent)."""
    delta: list[dict[str, Any]] = []
    for key in _ENVELOPE:
        if key in before or key in after:
            delta.extend(_difference(key, before.get(key, _ABSENT), after.get(key, _ABSENT)))
    return delta


_ABSENT: Any = object()


def _difference(path: str, before: Any, after: Any) -> list[dict[str, Any]]:
    if before is _ABSENT and after is _ABSENT:
        return []
    if before is _ABSENT:
        return [{"path": path, "propertyChangeType": "Create", "after": after}]
    if after is _ABSENT:
        if path in _ENVELOPE or path.rsplit(".", 1)[-1].lower() in _READ_ONLY or before in (None, [], {}, ""):
            return []
        return [{"path": path, "propertyChangeType": "Delete", "before": before}]
    if isinstance(before, dict) and isinstance(after, dict):
        found: list[dict[str, Any]] = []
        for key in [*before, *(k for k in after if k not in before)]:
            found.extend(_difference(f"{path}.{key}", before.get(key, _ABSENT), after.get(key, _ABSENT)))
        return found
    if isinstance(before, list) and isinstance(after, list):
        children = _array_children(before, after)
        return [{"path": path, "propertyChangeType": "Array", "children": children}] if children else []
    if _same(before, after):
        return []
    return [{"path": path, "propertyChangeType": "Modify", "before": before, "after": after}]


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, str) and isinstance(after, str) and before.startswith("/subscriptions/"):
        return before.lower() == after.lower()
    return bool(before == after)


def _array_children(before: list[Any], after: list[Any]) -> list[dict[str, Any]]:
    children: list[dict[str, Any]] = []
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else _ABSENT
        new = after[index] if index < len(after) else _ABSENT
        if isinstance(old, dict) and isinstance(new, dict):
            inner: list[dict[str, Any]] = []
            for key in [*old, *(k for k in new if k not in old)]:
                inner.extend(_difference(key, old.get(key, _ABSENT), new.get(key, _ABSENT)))
            if inner:
                children.append({"path": str(index), "propertyChangeType": "Modify", "children": inner})
        elif old is _ABSENT:
            children.append({"path": str(index), "propertyChangeType": "Create", "after": new})
        elif new is _ABSENT:
            children.append({"path": str(index), "propertyChangeType": "Delete", "before": old})
        else:
            children.extend(_difference(str(index), old, new))
    return children


def _ignored(room: DeploymentRoom, touched: set[str]) -> list[dict[str, Any]]:
    """What stands in a resource group the template writes to and is not named by it."""
    groups = {"/".join(key.split("/")[:5]) for key in touched if "/resourcegroups/" in key}
    ignored: list[dict[str, Any]] = []
    for group in sorted(groups):
        for resource in room.world.store.below(group):
            if resource.id.lower() in touched or resource.id.lower() == group:
                continue
            before = _before(resource, "")
            del before["apiVersion"]
            ignored.append({"resourceId": resource.id, "changeType": "Ignore", "before": before, "after": before})
    return ignored
