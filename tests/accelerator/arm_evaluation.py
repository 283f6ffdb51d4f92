"""Expands a compiled template into the resources Azure would be asked for: just the functions our template uses.

It lets a test look at what is deployed ("what url does ptuEndpoint1 get?") without a cloud. What the template asks of
a running Azure (`reference`) comes back as a readable placeholder; an unknown function is an error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TOKENS = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[()\[\],.]))")


@dataclass
class Scope:
    """What an expression can see: the parameters and variables of its template, and where it is deployed."""

    parameters: dict[str, Any]
    variables: dict[str, Any]
    subscription: str
    group: str | None
    index: int | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    def variable(self, name: str) -> Any:
        if name not in self.cache:
            self.cache[name] = resolve(self.variables[name], self)
        return self.cache[name]


@dataclass(frozen=True)
class Expanded:
    """One resource as it would be sent: full name, resolved body, and where."""

    type: str
    api_version: str
    name: str
    body: dict[str, Any]
    subscription: str
    group: str | None


def expand(template: dict[str, Any], given: dict[str, Any]) -> list[Expanded]:
    """Every resource of the template and of its nested deployments, in order."""
    return list(_expand(template, given, SUBSCRIPTION, None))


def _expand(
    template: dict[str, Any], given: dict[str, Any], subscription: str, group: str | None
) -> Iterator[Expanded]:
    scope = Scope(dict(given), template.get("variables", {}), subscription, group)
    for name, entry in template["parameters"].items():
        if name not in given:
            scope.parameters[name] = resolve(entry["defaultValue"], scope)
        allowed = entry.get("allowedValues")
        assert allowed is None or scope.parameters[name] in allowed, f"{name} is {scope.parameters[name]}"
    for resource in template["resources"]:
        count = resolve(resource["copy"]["count"], scope) if "copy" in resource else None
        for index in range(count) if count is not None else [None]:
            scope.index = index
            if resolve(resource.get("condition", True), scope):
                yield from _expand_one(resource, scope)
        scope.index = None


def _expand_one(resource: dict[str, Any], scope: Scope) -> Iterator[Expanded]:
    if resource["type"] == "Microsoft.Resources/deployments":
        properties = resource["properties"]
        given = {key: resolve(entry["value"], scope) for key, entry in properties["parameters"].items()}
        subscription = resolve(resource.get("subscriptionId", scope.subscription), scope)
        yield from _expand(properties["template"], given, subscription, resolve(resource["resourceGroup"], scope))
        return
    body = {k: resolve(v, scope) for k, v in resource.items() if k not in ("copy", "condition", "dependsOn")}
    name = body["name"]
    yield Expanded(resource["type"], resource["apiVersion"], name, body, scope.subscription, scope.group)


def resolve(value: Any, scope: Scope) -> Any:
    if isinstance(value, dict):
        return {key: resolve(member, scope) for key, member in value.items()}
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if isinstance(value, str) and value.startswith("[") and not value.startswith("[["):
        found = _Reader(value[1:-1], scope).whole()
        return repr(found) if isinstance(found, _Later) else found
    return value


class _Reader:
    def __init__(self, text: str, scope: Scope) -> None:
        self.scope = scope
        self.tokens = list(TOKENS.finditer(text))
        assert "".join(match[0] for match in self.tokens) == text, text
        self.at = 0

    def whole(self) -> Any:
        value = self.value()
        assert self.at == len(self.tokens)
        return value

    def mark(self, expected: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at]["mark"] == expected:
            self.at += 1
            return True
        return False

    def value(self) -> Any:
        token = self.tokens[self.at]
        self.at += 1
        if token["string"]:
            return token["string"][1:-1].replace("''", "'")
        if token["number"]:
            return int(token["number"])
        assert token["name"], token[0]
        assert self.mark("("), token[0]
        arguments = []
        while not self.mark(")"):
            arguments.append(self.value())
            self.mark(",")
        value = _FUNCTIONS[token["name"].lower()](self.scope, *arguments)
        while True:
            if self.mark("."):
                value = value[self.tokens[self.at]["name"]]
                self.at += 1
            elif self.mark("["):
                value = value[self.value()]
                assert self.mark("]")
            else:
                return value


class _Later(dict[str, Any]):
    """What only a running Azure knows."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def __missing__(self, key: str) -> Any:
        name = self.path.rpartition("/")[2]
        return f"<{name}>" if key == "value" else _Later(f"{self.path}/{key}")

    def __repr__(self) -> str:
        return f"<{self.path.rpartition('/')[2]}>"


def _resource_id(prefix: str, kind: str, names: tuple[str, ...]) -> str:
    provider, *types = kind.split("/")
    assert len(types) == len(names), f"{kind}: {names}"
    tail = "/".join(f"{a}/{b}" for a, b in zip(types, names, strict=True))
    return f"{prefix}/providers/{provider}/{tail}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "parameters": lambda scope, name: scope.parameters[name],
    "variables": lambda scope, name: scope.variable(name),
    "format": lambda scope, template, *values: template.format(*values),
    "copyindex": lambda scope: scope.index,
    "subscription": lambda scope: {
        "id": f"/subscriptions/{scope.subscription}",
        "subscriptionId": scope.subscription,
    },
    "resourceid": lambda scope, kind, *names: _resource_id(
        f"/subscriptions/{scope.subscription}/resourceGroups/{scope.group}", kind, names
    ),
    "subscriptionresourceid": lambda scope, kind, *names: _resource_id(
        f"/subscriptions/{scope.subscription}", kind, names
    ),
    "extensionresourceid": lambda scope, base, kind, *names: _resource_id(base, kind, names),
    "reference": lambda scope, path, *rest: _Later(path),
    "length": lambda scope, value: len(value),
    "split": lambda scope, text, separator: text.split(separator),
    "if": lambda scope, test, yes, no: yes if test else no,
    "empty": lambda scope, value: not value,
    "createarray": lambda scope, *items: list(items),
    "guid": lambda scope, *parts: "-".join(re.findall(r"^(.{8})(.{4})(.{4})(.{4})(.{12})", _digest(*parts))[0]),
    "uniquestring": lambda scope, *parts: _digest(*parts)[:13],
}
