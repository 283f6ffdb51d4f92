"""The embedded Resource Manager without its socket: same router, rules and entity tags, fast enough for thousands of
sequences. Between console and Azure stands a seam where answers are lost, refused, or somebody else writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from console.azure.entities import RawEntity
from console.errors import Conflict, ConsoleError, NotAllowed
from simulator import apim, topology
from simulator.entra.principals import BUILT_IN_ROLES, Assignment, Principal
from simulator.names import SERVICE
from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, QueryParameters, arm_router
from simulator.resources.settings import arm_settings
from simulator.world import World

OPERATOR = Principal(
    "oid", "operator@contoso.com", "tid", "cid", assignments=[Assignment(BUILT_IN_ROLES["Owner"], "/")]
)


def make_service(pools: Mapping[str, list[tuple[str, int, int]]], backends: list[str], seed: int = 1) -> World:
    """A service with these backends and pools ({pool: [(backend, priority, weight)]}), and nothing else."""
    world = World(seed=seed, now=1_795_000_000.0)
    topology.write_platform(world)
    topology._write_service(world)
    apim.attach(world)
    arm_settings(world).throttling = False
    for name in backends:
        body = {"properties": {"url": f"https://{name}.openai.azure.com/openai", "protocol": "http", "type": "Single"}}
        world.store.put(f"{SERVICE}/backends/{name}", "Microsoft.ApiManagement/service/backends", body)
    for pool, members in pools.items():
        write_pool(world, pool, members)
    return world


def write_pool(world: World, pool: str, members: list[tuple[str, int, int]]) -> None:
    """A pool as a redeployment would write it, properties of newer API versions included."""
    services = [
        {"id": f"{SERVICE}/backends/{name}", "priority": priority, "weight": weight, "preferredCarbonEmission": "Low"}
        for name, priority, weight in members
    ]
    world.store.put(
        f"{SERVICE}/backends/{pool}",
        "Microsoft.ApiManagement/service/backends",
        {
            "properties": {
                "type": "Pool",
                "description": "as deployed",
                "pool": {"services": services, "sessionAffinity": {"sessionId": {"source": "cookie", "name": "s"}}},
            }
        },
    )


class Lost(ConsoleError):
    """The connection broke."""


class Killed(BaseException):
    """The console process is gone: nothing after this line of it runs."""


class InProcessEntities:
    """`Entities` on a world. `before` and `after` are called around every request with (method, path)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.after: Callable[[str, str], None] = lambda method, path: None
        self.writes = 0

    async def get(self, path: str) -> RawEntity | None:
        status, headers, body = self._call("GET", path)
        return None if status == 404 else RawEntity(f"{SERVICE}/{path}", headers.get("etag", ""), body)

    async def put(self, path: str, body: Mapping[str, Any], *, if_match: str | None) -> str:
        _, headers, _ = self._call("PUT", path, body, if_match)
        if "azure-asyncoperation" in headers:
            self.world.advance(5)
        return headers.get("etag", "")

    async def delete(self, path: str, *, if_match: str) -> None:
        self._call("DELETE", path, None, if_match)

    async def list(self, collection: str) -> tuple[RawEntity, ...]:
        _, _, body = self._call("GET", collection, query={"$top": "1000"})
        return tuple(RawEntity(str(item["id"]), "", item) for item in body["value"])

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        path, _, asked = path.partition("?")
        query = {**(query or {}), **dict(part.split("=", 1) for part in asked.split("&") if part)}
        self.before(method, path)
        headers = {"content-type": "application/json", **({"if-match": if_match} if if_match else {})}
        request = ArmRequest(
            method,
            f"{SERVICE}/{path}",
            QueryParameters({"api-version": "2024-05-01", **query}),
            headers,
            json.dumps(body).encode() if body is not None else b"",
            self.world,
            OPERATOR,
        )
        try:
            answer = self.world.run(arm_router(self.world).answer(request))
        except ArmError as error:
            if error.status == 404:
                return 404, {}, {}
            if error.status in (409, 412):
                raise Conflict(error.message, where=path) from error
            if error.status == 403:
                raise NotAllowed(error.message, where=path) from error
            raise ConsoleError(f"HTTP {error.status} {error.code}: {error.message}", where=path) from error
        self.writes += method != "GET"
        self.after(method, path)
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body
