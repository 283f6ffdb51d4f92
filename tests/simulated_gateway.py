"""The embedded Azure for tests of the console: a world, its server, and what leads an engine to it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from console.engine import Engine, open_engine
from console.profile import Profile, profile_from_table
from simulator.__main__ import endpoints
from simulator.embedded import build_world
from simulator.server import Server
from simulator.world import World

NOW = 1_795_363_230.0
"""2026-11-22 16:00:30 UTC: half a minute into a minute, as most moments are."""


class WorldClock:
    """Time as the simulated world has it; deadlines still run on the machine's own."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def now(self) -> datetime:
        return self._server.world.now_at

    def monotonic(self) -> float:
        return time.monotonic()


def make_world(scenario: str = "ptu-saturation", *, minutes: float = 0.0, traffic: bool = False, **more: Any) -> World:
    """A demonstration world; without traffic it costs nothing."""
    return build_world(scenario, now=NOW, history_seconds=minutes * 60, traffic=traffic, **more)


def profile_of(server: Server, **changes: Any) -> Profile:
    """The profile that leads to a server."""
    ready = endpoints(server.world, server.base_url)
    profile = profile_from_table(
        "simulated",
        {
            "subscription_id": ready["subscription_id"],
            "resource_group": ready["resource_group"],
            "service_name": ready["service_name"],
            "credential": "managed-identity",
            "identity_endpoint": ready["identity_endpoint"],
            "identity_header": ready["identity_header"],
            "workspace_id": ready["workspace_id"],
            "resolve": ready["resolve"],
        },
        "a test",
    )
    return replace(profile, **changes)


@asynccontextmanager
async def engine_on(world: World, **changes: Any) -> AsyncIterator[tuple[Engine, Server]]:
    """An engine on a served world. Nobody drives the clock."""
    async with Server(world, driven=False) as server:
        engine = open_engine(profile_of(server, **changes), WorldClock(server))
        try:
            yield engine, server
        finally:
            await engine.stop()
