"""A small embedded Azure for tests of Resource Manager, and Microsoft's own clients pointed at it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.apimanagement.aio import ApiManagementClient

from simulator import apim, topology
from simulator.entra.tokens import entra
from simulator.names import GROUP, RESOURCE_GROUP, SERVICE, SERVICE_NAME, SUBSCRIPTION, SUBSCRIPTION_ID
from simulator.server import Server
from simulator.world import World

NOW = 1_795_000_000.0
VERSION = "api-version=2024-05-01"

__all__ = ["GROUP", "NOW", "RESOURCE_GROUP", "SERVICE", "SERVICE_NAME", "SUBSCRIPTION", "VERSION"]


def make_world(seed: int = 7, now: float = NOW) -> World:
    """The demonstration gateway's resources behind Resource Manager; no data plane, no traffic."""
    world = World(seed=seed, now=now)
    topology.write_demo(world)
    apim.attach(world)
    return world


class LoopbackAuthentication(SansIOHTTPPolicy[Any, Any]):
    """Puts a token on each request, plain http included: for loopback only."""

    def __init__(self, world: World) -> None:
        self.token, _ = entra(world).mint("https://management.azure.com")

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self.token}"


class UnusedCredential:
    """The clients want one; the authentication policy above never asks it."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise AssertionError(f"nobody should ask for {scopes}")

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def sdk(server: Server, **options: Any) -> AsyncIterator[ApiManagementClient]:
    """Microsoft's API Management client on the server. Retries are off unless asked for."""
    options.setdefault("retry_total", 0)
    client = ApiManagementClient(
        UnusedCredential(),
        SUBSCRIPTION_ID,
        base_url=server.base_url,
        authentication_policy=LoopbackAuthentication(server.world),
        **options,
    )
    async with client:
        yield client


class Http:
    """Plain requests with a token: (status, headers, JSON or text)."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.token, _ = entra(server.world).mint("https://management.azure.com")

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        authenticated: bool = True,
    ) -> tuple[int, dict[str, str], Any]:
        sent = dict(headers or {})
        if authenticated:
            sent.setdefault("authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.request(method, self._server.base_url + path, data=data, headers=sent) as response,
        ):
            text = await response.text()
            received = {name.lower(): value for name, value in response.headers.items()}
            try:
                return response.status, received, json.loads(text)
            except ValueError:
                return response.status, received, text


@asynccontextmanager
async def arm_server(world: World | None = None, **options: Any) -> AsyncIterator[Server]:
    """A server on a small world whose clock nobody drives."""
    options.setdefault("driven", False)
    async with Server(world or make_world(), **options) as server:
        yield server
