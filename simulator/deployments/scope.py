"""Evaluating template values: parameters, variables, loops, resource ids, references.

A scope belongs to one template of one deployment; nested templates with inner scope get a scope of their own. What
has to be asked of the world (`reference`, `listKeys`) comes in as a callable and is absent while a what-if is computed.
Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-resource
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.deployments.functions import FUNCTIONS, call_function, to_text
from simulator.deployments.language import (
    Access,
    Call,
    Literal,
    Node,
    TemplateError,
    is_expression,
    literal_of,
    parse_expression,
)


class UnresolvedReference(Exception):
    """The value needs the runtime state of a resource, which a what-if does not have."""


class Unresolved(str):
    """A value that waits for a resource's state: the text of its expression. Whatever is computed from it waits too."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a deployment runs: its own scope and the ids that functions such as `subscription()` tell."""

    subscription_id: str
    tenant_id: str
    deployment_name: str
    location: str
    resource_group: str | None = None
    resource_group_location: str | None = None
    caller_object_id: str = ""

    @property
    def scope_id(self) -> str:
        """The ARM id of the scope deployed to."""
        base = f"/subscriptions/{self.subscription_id}"
        return f"{base}/resourceGroups/{self.resource_group}" if self.resource_group else base


Runtime = Callable[[str, str, str | None], Any]
"""(function, resource id, api-version) -> value, for `reference`, `list*`; raises TemplateError when not found."""


def resource_id(scope_id: str, resource_type: str, names: list[str]) -> str:
    """`{scope}/providers/{namespace}/{type1}/{name1}/{type2}/{name2}`; names may come joined by slashes.

    Raises:
        TemplateError: the number of names does not fit the type.
    """
    namespace, *types = resource_type.split("/")
    parts = [part for name in names for part in str(name).split("/")]
    if len(parts) != len(types):
        raise TemplateError(
            f"Unable to process template language expressions: the type '{resource_type}' takes {len(types)} "
            f"resource name segment(s), {len(parts)} given."
        )
    if resource_type.lower() == "microsoft.resources/resourcegroups":
        return f"{scope_id.split('/resourceGroups/')[0]}/resourceGroups/{parts[0]}"
    path = "".join(f"/{kind}/{name}" for kind, name in zip(types, parts, strict=True))
    return f"{scope_id}/providers/{namespace}{path}"


@dataclass(slots=True)
class Scope:
    """One template's names and how to evaluate with them. `runtime` None: what-if, references stay unresolved."""

    placement: Placement
    parameters: dict[str, Any]
    variables: dict[str, Any]
    runtime: Runtime | None = None
    symbols: dict[str, Symbol] = field(default_factory=dict)
    loops: dict[str, int] = field(default_factory=dict)
    lambdas: dict[str, Any] = field(default_factory=dict)
    now_text: str = ""
    is_predicting: bool = False
    _values: dict[str, Any] = field(default_factory=dict)

    def with_loop(self, name: str, index: int) -> Scope:
        """The same scope inside one turn of a copy loop."""
        inner = copy.copy(self)
        inner.loops = {**self.loops, name.lower(): index, "": index}
        return inner

    def with_lambda(self, names: list[str], values: list[Any]) -> Scope:
        """The same scope inside a lambda's body."""
        inner = copy.copy(self)
        inner.lambdas = {**self.lambdas, **dict(zip((n.lower() for n in names), values, strict=False))}
        return inner

    def with_runtime(self, runtime: Runtime | None) -> Scope:
        """The same scope, able (or not) to ask for the state of resources."""
        inner = copy.copy(self)
        inner.runtime = runtime
        return inner

    def evaluate(self, value: Any) -> Any:
        """A JSON value with every expression in it replaced, `copy` property loops included."""
        if isinstance(value, str):
            return self._node(parse_expression(value)) if is_expression(value) else literal_of(value)
        if isinstance(value, list):
            return [self.evaluate(item) for item in value]
        if isinstance(value, dict):
            return self._object(value)
        return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if key == "copy" and isinstance(item, list):
                for loop in item:
                    count = int(self.evaluate(loop["count"]))
                    result[loop["name"]] = [
                        self.with_loop(loop["name"], i).evaluate(loop["input"]) for i in range(count)
                    ]
            else:
                result[to_text(self.evaluate(key))] = self.evaluate(item)
        return result

    # -- nodes -----------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Access):
            return self._access(node)
        return self._call(node)

    def _access(self, node: Access) -> Any:
        subject, index = self._node(node.subject), self._node(node.index)
        if isinstance(subject, Unresolved):
            raise UnresolvedReference(subject)
        if isinstance(subject, dict):
            for key, value in subject.items():
                if key.lower() == str(index).lower():
                    return value
        elif isinstance(subject, list | str) and isinstance(index, int) and 0 <= index < len(subject):
            return subject[index]
        if node.is_safe:
            return None
        where = ", ".join(subject) if isinstance(subject, dict) else type(subject).__name__
        raise TemplateError(
            f"The language expression property '{index}' doesn't exist, available properties are '{where}'."
        )

    def _call(self, call: Call) -> Any:
        special = _SPECIAL.get(call.name)
        if special is not None:
            return special(self, call)
        if call.name == "if":
            condition, then, otherwise = call.arguments
            return self._node(then if self._node(condition) else otherwise)
        if call.name.startswith("list") and call.name not in FUNCTIONS:
            return self._list_action(call)
        return call_function(call.name, _arguments(self, call))

    def _list_action(self, call: Call) -> Any:
        target, version, *_ = [self._node(a) for a in call.arguments] + [None]
        return self._ask(call.name, self._target_id(target), version)

    def _ask(self, function: str, target_id: str, version: str | None) -> Any:
        if self.runtime is None:
            raise UnresolvedReference(f"{function}('{target_id}')")
        return self.runtime(function, target_id, version)

    def _target_id(self, target: Any) -> str:
        text = str(target)
        symbol = self.symbols.get(text.lower())
        if symbol is not None:
            return symbol.resource_id
        if text.startswith("/"):
            return text
        for known in self.symbols.values():
            if known.name.lower() == text.lower():
                return known.resource_id
        raise TemplateError(f"The resource '{text}' is not defined in the template.")

    # -- names -----------------------------------------------------------------------------------------------

    def parameter(self, name: str) -> Any:
        """The value of a parameter (case-insensitive).

        Raises:
            TemplateError: no such parameter.
        """
        for key, value in self.parameters.items():
            if key.lower() == name.lower():
                return value if isinstance(value, Unresolved) else copy.deepcopy(value)
        raise TemplateError(f"The template parameter '{name}' is not found.")

    def variable(self, name: str) -> Any:
        """The value of a variable, evaluated when first asked for.

        Raises:
            TemplateError: no such variable.
        """
        key = name.lower()
        if key not in self._values:
            source = next((v for k, v in self.variables.items() if k.lower() == key), _MISSING)
            if source is _MISSING:
                for loop in self.variables.get("copy", []):
                    if loop["name"].lower() == key:
                        count = int(self.evaluate(loop["count"]))
                        source = [self.with_loop(loop["name"], i).evaluate(loop["input"]) for i in range(count)]
                        self._values[key] = source
                        return copy.deepcopy(source)
                raise TemplateError(f"The template variable '{name}' is not found.")
            self._values[key] = self.evaluate(source)
        return copy.deepcopy(self._values[key])


@dataclass(frozen=True, slots=True)
class Symbol:
    """A resource of this template as `reference()` may name it: by symbol or by name."""

    resource_id: str
    name: str
    api_version: str | None


_MISSING = object()


def _arguments(scope: Scope, call: Call) -> list[Any]:
    values = [scope._node(argument) for argument in call.arguments]
    for value in values:
        if isinstance(value, Unresolved):
            raise UnresolvedReference(value)
    return values


def _copy_index(scope: Scope, call: Call) -> int:
    arguments = _arguments(scope, call)
    name = arguments[0].lower() if arguments and isinstance(arguments[0], str) else ""
    offset = next((a for a in arguments if isinstance(a, int)), 0)
    if name not in scope.loops:
        raise TemplateError("The template function 'copyIndex' is not expected at this location.")
    return scope.loops[name] + offset


def _resource_id(scope: Scope, call: Call) -> str:
    arguments = [str(a) for a in _arguments(scope, call)]
    place = scope.placement
    kind = next((i for i, a in enumerate(arguments) if "/" in a and not a.startswith("/")), None)
    if kind is None:
        raise TemplateError("Unable to evaluate template language function 'resourceId': no resource type is given.")
    before, resource_type, names = arguments[:kind], arguments[kind], arguments[kind + 1 :]
    subscription_id, group = place.subscription_id, place.resource_group
    if len(before) == 2:
        subscription_id, group = before
    elif len(before) == 1:
        group = before[0]
    base = f"/subscriptions/{subscription_id}"
    return resource_id(f"{base}/resourceGroups/{group}" if group else base, resource_type, names)


def _subscription_resource_id(scope: Scope, call: Call) -> str:
    arguments = [str(a) for a in _arguments(scope, call)]
    subscription_id = scope.placement.subscription_id
    if "/" not in arguments[0]:
        subscription_id, *arguments = arguments
    return resource_id(f"/subscriptions/{subscription_id}", arguments[0], arguments[1:])


def _tenant_resource_id(scope: Scope, call: Call) -> str:
    arguments = [str(a) for a in _arguments(scope, call)]
    return resource_id("", arguments[0], arguments[1:])


def _extension_resource_id(scope: Scope, call: Call) -> str:
    base, resource_type, *names = [str(a) for a in _arguments(scope, call)]
    return resource_id(base, resource_type, names)


def _subscription(scope: Scope, _call: Call) -> dict[str, Any]:
    place = scope.placement
    return {
        "id": f"/subscriptions/{place.subscription_id}",
        "subscriptionId": place.subscription_id,
        "tenantId": place.tenant_id,
        "displayName": "Contoso Production",
    }


def _resource_group(scope: Scope, _call: Call) -> dict[str, Any]:
    place = scope.placement
    if place.resource_group is None:
        raise TemplateError("The template function 'resourceGroup' is not expected at this location.")
    return {
        "id": place.scope_id,
        "name": place.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": place.resource_group_location or place.location,
        "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    }


def _deployment(scope: Scope, _call: Call) -> dict[str, Any]:
    place = scope.placement
    return {"name": place.deployment_name, "location": place.location, "properties": {"provisioningState": "Running"}}


def _environment(_scope: Scope, _call: Call) -> dict[str, Any]:
    return {
        "name": "AzureCloud",
        "resourceManager": "https://management.azure.com/",
        "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
        "suffixes": {
            "storage": "core.windows.net",
            "keyvaultDns": ".vault.azure.net",
            "sqlServerHostname": ".database.windows.net",
        },
    }


def _reference(scope: Scope, call: Call) -> Any:
    target, *rest = _arguments(scope, call)
    version = rest[0] if rest else None
    is_full = len(rest) > 1 and str(rest[1]).lower() == "full"
    return scope._ask("reference:full" if is_full else "reference", scope._target_id(target), version)


def _references(scope: Scope, call: Call) -> list[Any]:
    """`references('loop')`: the state of every resource of a loop of symbolic resources."""
    (name, *rest) = _arguments(scope, call)
    function = "reference:full" if rest and str(rest[0]).lower() == "full" else "reference"
    members = [s for key, s in scope.symbols.items() if key.startswith(f"{str(name).lower()}[")]
    return [scope._ask(function, member.resource_id, member.api_version) for member in members]


def _new_guid(scope: Scope, _call: Call) -> str:
    return str(call_function("guid", [scope.placement.deployment_name, scope.now_text]))


def _lambda_parts(call: Call) -> tuple[list[str], Node]:
    body_call = call.arguments[1]
    if not (isinstance(body_call, Call) and body_call.name == "lambda"):
        raise TemplateError(f"The template function '{call.name}' expects a lambda.")
    *names, body = body_call.arguments
    return [str(n.value) for n in names if isinstance(n, Literal)], body


def _lambda_function(scope: Scope, call: Call) -> Any:
    """map, filter, sort, toObject, groupBy and reduce with `lambda('x', ...)`."""
    if call.name == "reduce":
        items, value = scope._node(call.arguments[0]), scope._node(call.arguments[1])
        names, body = _lambda_parts(Call("reduce", (call.arguments[0], call.arguments[2])))
        for item in items:
            value = scope.with_lambda(names, [value, item])._node(body)
        return value
    items = scope._node(call.arguments[0])
    names, body = _lambda_parts(call)

    def apply(*values: Any) -> Any:
        return scope.with_lambda(names, list(values))._node(body)

    if call.name == "map":
        return [apply(item, i) for i, item in enumerate(items)]
    if call.name == "mapvalues":
        return {k: apply(v) for k, v in items.items()}
    if call.name == "filter":
        return [item for i, item in enumerate(items) if apply(item, i)]
    if call.name == "toobject":
        value_lambda = call.arguments[2] if len(call.arguments) > 2 else None
        if value_lambda is None:
            return {str(apply(item)): item for item in items}
        value_names, value_body = _lambda_parts(Call("toObject", (call.arguments[0], value_lambda)))
        return {str(apply(item)): scope.with_lambda(value_names, [item])._node(value_body) for item in items}
    if call.name == "groupby":
        groups: dict[str, list[Any]] = {}
        for item in items:
            groups.setdefault(str(apply(item)), []).append(item)
        return groups
    ordered: list[Any] = []
    for item in items:  # sort: the lambda says whether the first comes before the second
        position = next((i for i, other in enumerate(ordered) if apply(item, other)), len(ordered))
        ordered.insert(position, item)
    return ordered


def _lambda_variable(scope: Scope, call: Call) -> Any:
    name = str(_arguments(scope, call)[0]).lower()
    if name not in scope.lambdas:
        raise TemplateError(f"The lambda variable '{name}' is not found.")
    return scope.lambdas[name]


def _deployer(scope: Scope, _call: Call) -> dict[str, str]:
    return {"tenantId": scope.placement.tenant_id, "objectId": scope.placement.caller_object_id}


_SPECIAL: dict[str, Callable[[Scope, Call], Any]] = {
    "parameters": lambda s, c: s.parameter(str(_arguments(s, c)[0])),
    "variables": lambda s, c: s.variable(str(_arguments(s, c)[0])),
    "copyindex": _copy_index,
    "resourceid": _resource_id,
    "subscriptionresourceid": _subscription_resource_id,
    "tenantresourceid": _tenant_resource_id,
    "extensionresourceid": _extension_resource_id,
    "managementgroupresourceid": _tenant_resource_id,
    "subscription": _subscription,
    "resourcegroup": _resource_group,
    "tenant": lambda s, _c: {"tenantId": s.placement.tenant_id},
    "deployment": _deployment,
    "deployer": _deployer,
    "environment": _environment,
    "reference": _reference,
    "references": _references,
    "utcnow": lambda s, c: s.now_text,
    "newguid": _new_guid,
    "lambdavariables": _lambda_variable,
    **dict.fromkeys(("map", "mapvalues", "filter", "sort", "toobject", "groupby", "reduce"), _lambda_function),
}
