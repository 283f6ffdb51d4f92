"""The console is killed (SIGKILL, a real process) after every single write of a drain and of a restore.

The next console finds what was left, and can both finish it and undo it, whichever write was the last.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from console.engine import open_engine
from console.errors import ConsoleError
from console.operations.drain.desk import DrainDesk
from console.operations.drain.execute import DrainOrder
from simulator.names import SERVICE
from simulator.server import Server
from tests.operations.killed_consoles import Azure, LaterClock, azure_with_a_door
from tests.simulated_gateway import profile_of

BACKEND = "payg-westus"
POOLS = ("chat-pool", "embeddings-pool", "payg-pool")
DRAIN_WRITES = 7
"""Claim, begin, list, three pools, applied."""
RESTORE_WRITES = 6
"""Begin, three pools, list, record deleted."""

Stored = dict[str, tuple[str, dict[str, Any]]]


def stored(server: Server) -> Stored:
    """Every backend, pool and named value as it stands."""
    store = server.world.store
    kinds = ("backends", "namedValues")
    return {r.id: (r.type, copy.deepcopy(r.body)) for kind in kinds for r in store.children(SERVICE, kind)}


def put_back(server: Server, state: Stored) -> None:
    """The gateway as it stood at that moment."""
    for resource_id in set(stored(server)) - set(state):
        server.world.store.delete(resource_id)
    for resource_id, (kind, body) in state.items():
        server.world.store.put(resource_id, kind, copy.deepcopy(body))


def pools_of(state: Stored) -> dict[str, Any]:
    return {
        name: [(s["id"], s.get("priority"), s.get("weight")) for s in body["properties"]["pool"]["services"]]
        for resource_id, (_, body) in state.items()
        if (name := resource_id.rsplit("/", 1)[1]) in POOLS
    }


def is_drained(state: Stored) -> bool:
    """Out of every pool, and listed."""
    members = {s[0].rsplit("/", 1)[1] for pool in pools_of(state).values() for s in pool}
    return BACKEND not in members and value_of(state, "drained-backends") == BACKEND


def value_of(state: Stored, named_value: str) -> str | None:
    found = state.get(f"{SERVICE}/namedValues/{named_value}")
    return None if found is None else str(found[1]["properties"]["value"])


def assert_as_it_was(state: Stored, before: Stored) -> None:
    assert pools_of(state) == pools_of(before)
    assert value_of(state, f"drain-{BACKEND}") is None
    assert value_of(state, "drained-backends") == "none"


@asynccontextmanager
async def next_console(azure: Azure) -> AsyncIterator[DrainDesk]:
    """Another console, two minutes later."""
    engine = open_engine(profile_of(azure.server), LaterClock())
    try:
        yield DrainDesk(engine, "ben@contoso", azure.folder / "ben.jsonl")
    finally:
        await engine.stop()


@pytest.mark.parametrize("write", range(1, DRAIN_WRITES + 1))
async def test_whatever_write_of_a_drain_was_the_last(write: int, tmp_path: Path) -> None:
    async with azure_with_a_door(tmp_path) as azure:
        before = stored(azure.server)
        code = await azure.console("drain", BACKEND, "--yes", "--reason", "INC-4411", "--wait", "0", kill_after=write)
        assert azure.door.was_killed, (tmp_path / "stderr.txt").read_text()
        assert code == -9
        assert len(azure.door.writes) == write
        left = stored(azure.server)
        async with next_console(azure) as desk:
            snapshot = await desk.look_again()
            (drain,) = snapshot.drains
            assert drain.owner == "ana@contoso"
            if write < DRAIN_WRITES:
                assert drain.needs_attention, drain
                assert any(drain.text in p.what for p in snapshot.problems)
                assert BACKEND in snapshot.verdict.text
            else:
                assert drain.condition == "in place"
            await desk.restore(BACKEND)
            assert_as_it_was(stored(azure.server), before)
            put_back(azure.server, left)
            if write == 1:
                # Only the claim was written: nothing to finish, and the next drain takes its place.
                await desk.look()
                await desk.drain(desk.plan(BACKEND), DrainOrder("ben@contoso", "again"))
            else:
                await desk.resume(BACKEND)
            assert is_drained(stored(azure.server))
            assert (await desk.look_again()).drains[0].condition in ("in place", "under way")
            await desk.restore(BACKEND)
            assert_as_it_was(stored(azure.server), before)


@pytest.mark.parametrize("write", range(1, RESTORE_WRITES + 1))
async def test_whatever_write_of_a_restore_was_the_last(write: int, tmp_path: Path) -> None:
    async with azure_with_a_door(tmp_path) as azure:
        before = stored(azure.server)
        async with next_console(azure) as desk:
            await desk.look()
            await desk.drain(desk.plan(BACKEND), DrainOrder("ben@contoso", "INC-4411"))
        assert is_drained(stored(azure.server))
        await azure.console("restore", BACKEND, "--yes", kill_after=write)
        assert azure.door.was_killed, (tmp_path / "stderr.txt").read_text()
        left = stored(azure.server)
        async with next_console(azure) as desk:
            snapshot = await desk.look_again()
            if write == RESTORE_WRITES:
                assert snapshot.drains == ()
                assert_as_it_was(stored(azure.server), before)
                return
            assert snapshot.drains[0].condition == "interrupted while restoring"
            assert any("not finished" in p.what for p in snapshot.problems)
            await desk.restore(BACKEND)
            assert_as_it_was(stored(azure.server), before)
            put_back(azure.server, left)
            with pytest.raises(ConsoleError, match="being restored"):
                await desk.resume(BACKEND)
            await desk.restore(BACKEND)  # undone is: restored, then drained anew
            await desk.look()
            await desk.drain(desk.plan(BACKEND), DrainOrder("ben@contoso", "again"))
            assert is_drained(stored(azure.server))


async def test_a_drain_and_a_restore_have_as_many_writes_as_were_tried(tmp_path: Path) -> None:
    async with azure_with_a_door(tmp_path) as azure:
        assert await azure.console("drain", BACKEND, "--yes", "--wait", "0") == 0
        assert len(azure.door.writes) == DRAIN_WRITES, azure.door.writes
        assert await azure.console("restore", BACKEND, "--yes") == 0
        assert len(azure.door.writes) == RESTORE_WRITES, azure.door.writes
