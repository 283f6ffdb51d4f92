"""Templates deployed over HTTP to an embedded Azure whose clock only the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from simulator.deployments.engine import DeploymentRoom
from simulator.names import SUBSCRIPTION
from simulator.server import Server
from simulator.world import World
from tests.simulated_gateway import make_world
from tests.simulator.arm_world import Http

VERSION = "api-version=2025-04-01"
GROUP_TYPE = "Microsoft.Resources/resourceGroups"
NAMED_GROUP = {"type": GROUP_TYPE, "apiVersion": "2024-03-01", "name": "rg-new", "location": "swedencentral"}


@dataclass
class Deployments:
    """One subscription's deployments over HTTP."""

    http: Http
    world: World

    @property
    def room(self) -> DeploymentRoom:
        room: DeploymentRoom = self.world.rooms["deployments"]
        return room

    def path(self, name: str, verb: str = "") -> str:
        verb = f"/{verb}" if verb else ""
        return f"{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/{name}{verb}?{VERSION}"

    async def put(self, name: str, template: Mapping[str, Any], **more: Any) -> tuple[int, Any]:
        status, _, body = await self.http("PUT", self.path(name), request_body(template, **more))
        return status, body

    async def get(self, name: str) -> dict[str, Any]:
        _, _, body = await self.http("GET", self.path(name))
        properties: dict[str, Any] = body["properties"]
        return properties

    async def run(self, name: str, template: Mapping[str, Any], *, seconds: float = 60, **more: Any) -> dict[str, Any]:
        """Put it, let time pass, and return its properties."""
        status, body = await self.put(name, template, **more)
        assert status in (200, 201), body
        self.world.advance(seconds)
        return await self.get(name)

    async def outputs(self, template: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """What a template's outputs come to."""
        done = await self.run("outputs", template, **more)
        assert done["provisioningState"] == "Succeeded", done
        return {name: entry["value"] for name, entry in done["outputs"].items()}

    async def what_if(self, template: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
        status, headers, body = await self.http("POST", self.path("w", "whatIf"), request_body(template, **more))
        assert status == 202, body
        self.world.advance(5)
        location = headers["location"].split(self.http._server.base_url, 1)[1]
        _, _, result = await self.http("GET", location)
        assert result["status"] == "Succeeded", result
        changes: list[dict[str, Any]] = result["properties"]["changes"]
        return changes


def request_body(
    template: Mapping[str, Any], *, parameters: Mapping[str, Any] | None = None, location: str | None = "swedencentral"
) -> dict[str, Any]:
    """A deployment request as the clients send it."""
    whole = {"contentVersion": "1.0.0.0", "resources": [], **template}
    given = {name: {"value": value} for name, value in (parameters or {}).items()}
    return {
        **({"location": location} if location else {}),
        "properties": {"mode": "Incremental", "template": whole, "parameters": given},
    }


@asynccontextmanager
async def deployments() -> AsyncIterator[Deployments]:
    """A subscription with accounts and no gateway."""
    world = make_world("empty-subscription")
    async with Server(world, driven=False) as server:
        yield Deployments(Http(server), world)
