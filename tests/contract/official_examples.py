"""Microsoft's example requests, sent to the embedded Azure as they stand.

Only names are put in place: the examples' subscription, group and service become the simulated ones, and what an
example presumes to exist is made first, from the example of its own creation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from simulator.names import RESOURCE_GROUP, SERVICE, SERVICE_NAME, SUBSCRIPTION_ID
from simulator.resources.errors import ArmError
from simulator.resources.ids import parse_resource_path
from simulator.resources.router import arm_router
from simulator.resources.writing import type_registry
from simulator.world import World
from tests.contract.descriptions import MANAGEMENT, Example, Operation, descriptions
from tests.simulator.arm_world import Http

_SERVICE_IN_TEXT = re.compile(
    r"/subscriptions/[^/\"]+/resourceGroups/[^/\"]+/providers/Microsoft\.ApiManagement/service/[^/\"]+", re.IGNORECASE
)
_WHERE = {"subscriptionId": SUBSCRIPTION_ID, "resourceGroupName": RESOURCE_GROUP, "serviceName": SERVICE_NAME}
LINKS = frozenset({"products/apis", "products/groups", "products/tags", "apis/tags", "operations/tags", "groups/users"})
"""Collections whose entries stand for an entity of the service."""
WRITE_SECONDS = 30.0
"""Long enough for any write of an entity to be through."""
_NAMED_IN_POLICIES = {"namedValues": r"{{([\w-]+)}}", "loggers": r'logger-id=\\"([\w-]+)'}
_KEY_VAULT = {"NamedValue_RefreshSecret": "ApiManagementCreateNamedValueWithKeyVault"}
"""Operations that presume a certain kind of what they work on, and the example that makes it."""
ORDER = ("put", "get", "head", "patch", "post", "delete")


def in_place(value: Any) -> Any:
    """An example's value with its service's id made ours."""
    return json.loads(_SERVICE_IN_TEXT.sub(SERVICE, json.dumps(value)))


def is_served(world: World, operation: Operation) -> bool:
    """Whether the embedded Azure has a handler or type rules for a described operation of Resource Manager."""
    path = re.sub(r"\{(scope|resourceUri)\}", "subscriptions/s/resourceGroups/g/providers/A.B/c/d", operation.template)
    path = re.sub(r"\{[^}]+\}", "x", path)
    try:
        if arm_router(world).find(operation.method.upper(), path) is not None:
            return True
    except ArmError:
        return False
    parts = parse_resource_path(path)
    if parts is None:
        return False
    rules = type_registry(world).known(parts.type)
    if rules is None:
        return False
    return operation.method.upper() in rules.methods if parts.is_resource else operation.method == "get"


def served_operations(world: World) -> list[Operation]:
    """All described operations of Resource Manager that the embedded Azure answers."""
    return [o for o in descriptions().operations if o.place == MANAGEMENT and is_served(world, o)]


def in_order(operations: list[Operation]) -> list[Operation]:
    """Writes before reads before deletions; the service's own deletion, and what remains of it, at the end."""
    last = ("ApiManagementService_Delete", "DeletedServices_ListBySubscription", "DeletedServices_GetByName")
    last = (*last, "DeletedServices_Purge")
    return sorted(
        operations, key=lambda o: (last.index(o.id) + 1 if o.id in last else 0, ORDER.index(o.method), o.template)
    )


def path_of(operation: Operation, parameters: dict[str, Any]) -> str:
    """The path of an example, in our place."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        value = _WHERE.get(name)
        if value is None:
            constant = next((p["enum"][0] for p, _ in operation.parameters if p["name"] == name and p.get("enum")), "x")
            value = str(parameters.get(name, constant))
        return quote(value)

    return re.sub(r"\{([^}]+)\}", fill, operation.template)


def body_of(operation: Operation, example: Example) -> Any:
    """The body of an example, None when it has none."""
    for parameter, _ in operation.parameters:
        if parameter["in"] == "body" and parameter["name"] in example.parameters:
            return in_place(example.parameters[parameter["name"]])
    return None


def query_of(operation: Operation, example: Example) -> str:
    """The query of an example."""
    pairs = [f"api-version={operation.version}"]
    for parameter, _ in operation.parameters:
        name = parameter["name"]
        if parameter["in"] == "query" and name != "api-version" and name in example.parameters:
            pairs.append(f"{quote(name)}={quote(_text(example.parameters[name]))}")
    return "&".join(pairs)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Rehearsal:
    """Sends examples. `sent` keeps (operation id, example, status)."""

    def __init__(self, world: World, http: Http) -> None:
        self.world = world
        self.http = http
        self.sent: list[tuple[str, str, int]] = []
        self._making: set[str] = set()

    async def ensure(self, path: str) -> None:
        """Make what stands at `path` exist, its parents first, from the example of its creation."""
        parts = parse_resource_path(path)
        if parts is None or not parts.is_resource or self.world.store.get(parts.path) is not None:
            return
        maker = descriptions().find(MANAGEMENT, "PUT", path)
        if maker is None or "service/" not in parts.path or parts.path in self._making:
            return
        self._making.add(parts.path)
        await self.ensure(parts.parent_id)
        if "/".join(parts.types[-2:]) in LINKS:
            await self.ensure(f"{SERVICE}/{parts.types[-1]}/{parts.name}")
        for body in self._bodies_for(maker, parts.name):
            await self._ensure_what_is_named(body)
            status, _, _ = await self.http("PUT", f"{path}?api-version={maker.version}", body)
            self.world.advance(WRITE_SECONDS)
            if status < 300:
                break
        self._making.discard(parts.path)

    async def _put_example(self, path: str, name: str) -> None:
        maker = descriptions().find(MANAGEMENT, "PUT", path)
        assert maker is not None
        body = next(body_of(maker, example) for example in maker.examples() if example.name == name)
        body["properties"]["displayName"] = path.rsplit("/", 1)[1]
        await self.http("PUT", f"{path}?api-version={maker.version}", body)
        self.world.advance(WRITE_SECONDS)

    def _bodies_for(self, maker: Operation, name: str) -> Iterator[Any]:
        if maker.id == "Api_CreateOrUpdate":  # its examples claim paths and follow links
            yield {"properties": {"displayName": name, "path": f"presumed-{name}", "protocols": ["https"]}}
        for example in maker.examples():
            body = body_of(maker, example)
            if isinstance(body, dict) and "displayName" in body.get("properties", {}):
                body["properties"]["displayName"] = name
            if body is not None or not maker.body_is_required:
                yield body

    async def _ensure_what_is_named(self, body: Any) -> None:
        """Entities that a body refers to by id."""
        for found in re.findall(rf"(?:{re.escape(SERVICE)})?(/[a-zA-Z]+/[\w-]+)\"", json.dumps(body or {})):
            await self.ensure(SERVICE + found)
        text = json.dumps(body or {})
        for collection, pattern in _NAMED_IN_POLICIES.items():
            for name in re.findall(pattern, text):
                await self.ensure(f"{SERVICE}/{collection}/{name}")

    async def send(self, operation: Operation, example: Example) -> tuple[int, Any]:
        """Send one example with what it presumes in place."""
        path = path_of(operation, example.parameters)
        body = body_of(operation, example)
        if operation.method == "put":
            parts = parse_resource_path(path)
            if parts is not None:
                await self.ensure(parts.parent_id)
                if "/".join(parts.types[-2:]) in LINKS:
                    await self.ensure(f"{SERVICE}/{parts.types[-1]}/{parts.name}")
        elif operation.method == "post":
            await self.ensure(path.rsplit("/", 1)[0])
            if operation.id in _KEY_VAULT:
                await self._put_example(path.rsplit("/", 1)[0], _KEY_VAULT[operation.id])
        else:
            await self.ensure(path)
            parts = parse_resource_path(path)
            if parts is not None:
                await self.ensure(parts.parent_id)
        await self._ensure_what_is_named(body)
        guarded = any(p["name"] == "If-Match" and p.get("required") for p, _ in operation.parameters)
        headers = {"if-match": "*"} if guarded or operation.method in ("patch", "delete") else {}
        status, _, answer = await self.http(
            operation.method.upper(), f"{path}?{query_of(operation, example)}", body, headers=headers
        )
        self.sent.append((operation.id, example.name, status))
        self.world.advance(WRITE_SECONDS if operation.method in ("put", "patch", "delete") else 0.0)
        return status, answer


def missing_from(sent: Any, served: Any, place: str = "$") -> Iterator[str]:
    """Where what was sent is not what is served: the path of each difference. More may be served than was sent."""
    if isinstance(sent, dict) and isinstance(served, dict):
        for name, value in sent.items():
            if value is not None:
                yield from missing_from(value, served.get(name), f"{place}.{name}")
    elif isinstance(sent, list) and isinstance(served, list) and len(sent) == len(served):
        for index, (one, other) in enumerate(zip(sent, served, strict=True)):
            yield from missing_from(one, other, f"{place}[{index}]")
    elif sent != served:
        yield f"{place}: sent {sent!r}, served {served!r}"
