"""A drain desk on a served embedded Azure whose time passes only when the desk waits. No sleeps."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from console.engine import open_engine
from console.operations.drain.desk import DrainDesk
from simulator.server import Server
from simulator.world import World
from tests.simulated_gateway import profile_of


class SimulatedClock:
    """All time is the world's: also what deadlines are measured in."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now_at

    def monotonic(self) -> float:
        return self._world.now


@asynccontextmanager
async def desk_on(
    world: World, *, owner: str = "ana@contoso", server: Server | None = None, **changes: Any
) -> AsyncIterator[DrainDesk]:
    """A desk whose waits advance the world. With `server`, a second console on the same gateway."""
    if server is not None:
        async with _desk(server, owner, changes) as desk:
            yield desk
        return
    async with Server(world, driven=False) as own, _desk(own, owner, changes) as desk:
        yield desk


@asynccontextmanager
async def _desk(server: Server, owner: str, changes: dict[str, Any]) -> AsyncIterator[DrainDesk]:
    world = server.world

    async def let_time_pass(seconds: float) -> None:
        world.advance(seconds)

    engine = open_engine(profile_of(server, **changes), SimulatedClock(world))
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield DrainDesk(engine, owner, Path(folder) / "journal.jsonl", let_time_pass)
        finally:
            await engine.stop()
