"""Every fault the control door can inject, as an operator feels it: one clear line, the rest goes on, and it heals."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from console.domain.snapshot import GatewaySnapshot, Problem
from console.engine import Engine, open_engine
from console.errors import Conflict, ConsoleError
from console.operations.drain.desk import DrainDesk
from console.operations.drain.execute import DrainOrder
from simulator.resources.settings import arm_settings
from simulator.server import Server
from simulator.world import World
from tests.simulated_gateway import WorldClock, engine_on, make_world, profile_of
from tests.simulator.arm_world import Http

BACKENDS = "*/backends"
LOGS = "api.loganalytics.io"
METRICS = "*.metrics.monitor.azure.com"
ORDER = DrainOrder("operator@contoso.com", "a drill")


@pytest.fixture(scope="module")
def lived() -> World:
    """Some minutes of life, so that every feed has something to say."""
    world = make_world(minutes=6, traffic=True)
    arm_settings(world).throttling = False  # nobody drives the clock, so buckets would never fill again
    return world


@asynccontextmanager
async def faulty(world: World, fault: dict[str, Any]) -> AsyncIterator[tuple[Engine, Http]]:
    """An engine on a world in which one fault is in force; the fault is gone afterwards."""
    async with engine_on(world) as (engine, server):
        http = Http(server)
        status, _, answer = await http("POST", "/_control/fault", fault)
        assert status == 200, answer
        try:
            yield engine, http
        finally:
            await http("DELETE", "/_control/fault")


def about(snapshot: GatewaySnapshot, feed: str) -> tuple[Problem, ...]:
    return tuple(problem for problem in snapshot.problems if problem.feed == feed)


def hold_to_one_clear_line(problems: tuple[Problem, ...], wanted: str) -> None:
    """One problem, which says what, where and what to do, in words for people."""
    assert len(problems) == 1, problems
    (problem,) = problems
    assert re.search(wanted, problem.what), problem.what
    assert "\n" not in problem.what
    assert not re.search(r"[<>]|Traceback|object at 0x|Bearer", problem.what)
    assert len(problem.what) < 200
    assert problem.where
    assert problem.remedy.endswith(".")


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ({"kind": "status", "status": 500}, "backends cannot be listed: HTTP 500 InternalServerError"),
        ({"kind": "status", "status": 403, "code": "AuthorizationFailed"}, "not allowed"),
        ({"kind": "status", "status": 404, "code": "ResourceNotFound", "message": "Gone."}, "Gone"),
        ({"kind": "reset"}, "no connection"),
        ({"kind": "truncate"}, "the answer broke off in the middle"),
        ({"kind": "wrong-json"}, "the answer cannot be read"),
        ({"kind": "throttle", "retry_after_seconds": 30}, "Azure throttles"),
        ({"kind": "expired-token"}, "the sign-in is missing or has expired"),
    ],
)
async def test_what_resource_manager_does_is_told_in_one_line_and_heals(
    lived: World, fault: dict[str, Any], wanted: str
) -> None:
    async with faulty(lived, {**fault, "path": BACKENDS}) as (engine, http):
        hurt = await engine.fetch_once(30)
        hold_to_one_clear_line(about(hurt, "topology"), wanted)
        elsewhere = [feed for feed in hurt.feeds if feed.name in ("traffic", "consumers", "activity")]
        assert elsewhere
        assert all(feed.last_error is None for feed in elsewhere)
        await http("DELETE", "/_control/fault")
        healed = await engine.fetch_once(30)
    assert healed.problems == ()
    assert len(healed.backends) == 5


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ({"kind": "status", "status": 500}, "logs cannot be queried: HTTP 500"),
        ({"kind": "reset"}, "no connection"),
        ({"kind": "truncate"}, "the answer broke off in the middle"),
        ({"kind": "wrong-json"}, "the answer cannot be read"),
        ({"kind": "throttle", "retry_after_seconds": 30}, "Azure throttles"),
    ],
)
async def test_without_logs_the_fleet_still_stands(lived: World, fault: dict[str, Any], wanted: str) -> None:
    async with faulty(lived, {**fault, "host": LOGS}) as (engine, _):
        hurt = await engine.fetch_once(30)
    hold_to_one_clear_line(about(hurt, "traffic"), wanted)
    assert len(hurt.backends) == 5
    assert all(status.load.caller_throttled_ratio.value is None for status in hurt.backends)
    assert any(status.load.requests_per_minute.value is not None for status in hurt.backends)


async def test_without_metrics_of_a_region_its_backends_have_none_and_the_others_do(lived: World) -> None:
    fault = {"kind": "status", "status": 500, "host": "eastus2.metrics.monitor.azure.com"}
    async with faulty(lived, fault) as (engine, _):
        hurt = await engine.fetch_once(30)
    hold_to_one_clear_line(about(hurt, "metrics"), "metrics of eastus2")
    figures = {status.name: status.load.utilization_ratio.value for status in hurt.backends}
    assert figures["ptu-eastus2"] is None
    assert figures["ptu-swedencentral"] is not None


async def test_a_token_that_expires_once_is_renewed_and_nobody_is_told(lived: World) -> None:
    async with faulty(lived, {"kind": "expired-token", "count": 1}) as (engine, _):
        assert (await engine.fetch_once(30)).problems == ()


async def test_all_tokens_revoked_are_asked_for_again(lived: World) -> None:
    async with engine_on(lived) as (engine, server):
        assert (await engine.fetch_once(30)).problems == ()
        await Http(server)("POST", "/_control/tokens", {"action": "expire"})
        assert (await engine.fetch_once(30)).problems == ()


async def test_one_throttled_answer_that_asks_for_little_is_waited_for(lived: World) -> None:
    fault = {"kind": "throttle", "path": BACKENDS, "count": 1, "retry_after_seconds": 0.05}
    async with faulty(lived, fault) as (engine, _):
        assert (await engine.fetch_once(30)).problems == ()


async def test_who_does_not_answer_is_named_when_time_is_up(lived: World) -> None:
    async with Server(lived, driven=True) as server:
        engine = open_engine(profile_of(server), WorldClock(server))
        http = Http(server)
        try:
            await engine.session.open()
            await http("POST", "/_control/fault", {"kind": "delay", "delay_seconds": 600.0, "host": LOGS})
            hurt = await engine.fetch_once(2.0)
        finally:
            await http("DELETE", "/_control/fault")
            await engine.stop()
    lines = [problem.what for problem in hurt.problems]
    assert len(lines) == 1
    assert lines[0].startswith("No answer in 2 s from: ")
    assert "traffic" in lines[0]
    assert len(hurt.backends) == 5


async def desk_on(engine: Engine, folder: Path, world: World) -> DrainDesk:
    async def pause(seconds: float) -> None:
        world.advance(seconds)

    desk = DrainDesk(engine, ORDER.owner, folder / "journal.jsonl", pause)
    await desk.look()
    return desk


async def test_a_write_that_somebody_else_won_is_a_conflict_and_the_drain_can_be_done_again(tmp_path: Path) -> None:
    world = make_world()
    fault = {"kind": "stale-etag", "method": "PUT", "path": "*/backends/embeddings-pool", "count": 20}
    async with faulty(world, fault) as (engine, http):
        desk = await desk_on(engine, tmp_path, world)
        order = DrainOrder(ORDER.owner, ORDER.reason, forced=True)
        with pytest.raises(Conflict) as refused:
            await desk.drain(desk.plan("payg-westus"), order)
        assert "\n" not in refused.value.line
        assert refused.value.where or "embeddings-pool" in refused.value.what
        await http("DELETE", "/_control/fault")
        world.advance(90.0)  # until it is plain that nobody is writing any more
        await desk.look_again()
        await desk.restore("payg-westus")
        await desk.look_again()
        await desk.drain(desk.plan("payg-westus"), order)
        drained = await desk.look_again()
    assert [drain.backend_name for drain in drained.drains] == ["payg-westus"]


async def test_a_write_whose_answer_is_lost_is_looked_up_and_the_drain_goes_on(tmp_path: Path) -> None:
    world = make_world()
    fault = {"kind": "truncate", "method": "PUT", "path": "*/backends/embeddings-pool", "count": 1}
    async with faulty(world, fault) as (engine, _):
        desk = await desk_on(engine, tmp_path, world)
        await desk.drain(desk.plan("payg-westus"), DrainOrder(ORDER.owner, ORDER.reason, forced=True))
        drained = await desk.look_again()
    assert [drain.backend_name for drain in drained.drains] == ["payg-westus"]


async def test_an_operation_that_fails_in_the_end_says_azures_own_reason(tmp_path: Path) -> None:
    world = make_world()
    fault = {
        "kind": "operation-failure",
        "method": "PUT",
        "path": "*/namedValues/*",
        "code": "InternalError",
        "message": "The named value could not be saved.",
    }
    async with faulty(world, fault) as (engine, _):
        desk = await desk_on(engine, tmp_path, world)
        with pytest.raises(ConsoleError) as refused:
            await desk.drain(desk.plan("payg-westus"), DrainOrder(ORDER.owner, ORDER.reason, forced=True))
    assert "could not be saved" in refused.value.line
    assert "\n" not in refused.value.line
