"""Drains through the real adapter against the served Azure: trouble on the way, other consoles, others' deployments."""

from __future__ import annotations

import asyncio
import copy
from datetime import timedelta
from typing import Any

import pytest

from console.domain.health import HealthState
from console.errors import ConsoleError, GuardRefusal
from console.journal import read_journal
from console.operations.drain.desk import DrainDesk
from console.operations.drain.execute import DrainOrder, StalePlan
from console.operations.drain.prove import Ending
from simulator.names import SERVICE
from simulator.resources.faults import fault_table
from simulator.server import Server
from simulator.world import World
from tests.operations.desks import desk_on
from tests.simulated_gateway import make_world

BACKEND = "payg-westus"
POOLS = ("chat-pool", "embeddings-pool", "payg-pool")
BACKENDS_TYPE = "Microsoft.ApiManagement/service/backends"
ORDER = DrainOrder("ana@contoso", "slow since 09:20, ticket INC-4411")


def body_of(world: World, path: str) -> dict[str, Any]:
    resource = world.store.get(f"{SERVICE}/{path}")
    assert resource is not None
    return resource.body


def members_of(world: World, pool: str) -> list[str]:
    services = body_of(world, f"backends/{pool}")["properties"]["pool"]["services"]
    return [entry["id"].rsplit("/", 1)[1] for entry in services]


def put_pool(world: World, pool: str, body: dict[str, Any]) -> None:
    """Somebody else deploys a pool."""
    world.store.put(f"{SERVICE}/backends/{pool}", BACKENDS_TYPE, body)


async def drain(desk: DrainDesk, backend: str = BACKEND, order: DrainOrder = ORDER) -> None:
    await desk.look()
    await desk.drain(desk.plan(backend), order)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "stale-etag", "method": "PUT", "path": "*/backends/*", "count": 2},
        {"kind": "throttle", "method": "PUT", "path": "*", "count": 2, "retry_after_seconds": 30.0},
        {"kind": "reset", "method": "PUT", "path": "*/backends/*", "count": 1},
        {"kind": "truncate", "method": "PUT", "path": "*/backends/*", "count": 1},
        {"kind": "status", "method": "PUT", "path": "*/namedValues/*", "count": 1, "status": 503},
    ],
    ids=lambda fault: str(fault["kind"]),
)
async def test_trouble_on_the_way_is_ridden_out_and_everything_comes_back(fault: dict[str, Any]) -> None:
    world = make_world("calm")
    for pool in POOLS:
        body = copy.deepcopy(body_of(world, f"backends/{pool}"))
        body["properties"]["pool"]["sessionAffinity"] = {"sessionId": {"source": "cookie", "name": "SessionId"}}
        put_pool(world, pool, body)
    before = {pool: copy.deepcopy(body_of(world, f"backends/{pool}")["properties"]) for pool in POOLS}
    async with desk_on(world) as desk:
        await desk.look()
        fault_table(world).add(dict(fault))
        await desk.drain(desk.plan(BACKEND), ORDER)
        assert all(BACKEND not in members_of(world, pool) for pool in POOLS)
        assert body_of(world, "namedValues/drained-backends")["properties"]["value"] == BACKEND
        fault_table(world).clear(None)
        fault_table(world).add(dict(fault))
        await desk.restore(BACKEND)
        fault_table(world).clear(None)
        assert {p: body_of(world, f"backends/{p}")["properties"] for p in POOLS} == before
        assert (await desk.look_again()).drains == ()


async def test_a_long_running_write_that_fails_is_told_and_the_drain_can_go_on() -> None:
    """Named values are written by long-running operations; the list's fails after it was accepted."""
    world = make_world("calm")
    async with desk_on(world) as desk:
        await desk.look()
        fault = {"kind": "operation-failure", "method": "PUT", "path": "*/namedValues/drained-backends", "count": 1}
        fault_table(world).add(fault)
        with pytest.raises(ConsoleError, match="drained-backends was not written"):
            await desk.drain(desk.plan(BACKEND), ORDER)
        world.advance(90)
        (left,) = (await desk.look_again()).drains
        assert left.condition == "interrupted while draining"
        await desk.resume(BACKEND)
        assert all(BACKEND not in members_of(world, pool) for pool in POOLS)
        await desk.restore(BACKEND)
        assert all(BACKEND in members_of(world, pool) for pool in POOLS)


async def test_every_write_is_in_the_journal_with_its_outcome() -> None:
    world = make_world("calm")
    async with desk_on(world) as desk:
        await drain(desk)
        entries = list(read_journal(desk.journal_file))
        assert {e.phase for e in entries} == {"intent", "done"}
        assert [e.target for e in entries if e.phase == "done"] == [
            "namedValues/drain-payg-westus",
            "namedValues/drain-payg-westus",
            "namedValues/drained-backends",
            *(f"backends/{pool}" for pool in POOLS),
            "namedValues/drain-payg-westus",
        ]
        assert {(e.operation, e.owner, e.reason) for e in entries} == {("drain", ORDER.owner, ORDER.reason)}


@pytest.mark.parametrize(("hers", "his"), [(BACKEND, BACKEND), (BACKEND, "ptu-eastus2")], ids=["same", "different"])
async def test_of_two_consoles_at_once_one_wins_and_the_other_is_told_who(hers: str, his: str) -> None:
    for seed in (0, 3):
        world = make_world("calm", seed=seed)
        async with (
            Server(world, driven=False) as server,
            desk_on(world, owner="ana@contoso", server=server) as ana,
            desk_on(world, owner="ben@contoso", server=server) as ben,
        ):
            await asyncio.gather(ana.look(), ben.look())
            plans = (ana.plan(hers), ben.plan(his))
            orders = (DrainOrder("ana@contoso", "a"), DrainOrder("ben@contoso", "b"))

            async def later(desk: DrainDesk, plan: Any, order: DrainOrder, turns: int) -> Any:
                for _ in range(turns):
                    await asyncio.sleep(0)
                return await desk.drain(plan, order)

            both = await asyncio.gather(
                later(ana, plans[0], orders[0], seed), later(ben, plans[1], orders[1], 3 - seed), return_exceptions=True
            )
            refused = [outcome for outcome in both if isinstance(outcome, BaseException)]
            assert len(refused) == 1, both
            assert isinstance(refused[0], GuardRefusal)
            assert refused[0].exit_code == 3
            winner = "ben@contoso" if both.index(refused[0]) == 0 else "ana@contoso"
            assert winner in refused[0].line
            (standing,) = (await ana.look_again()).drains
            assert standing.owner == winner
            assert standing.state == "applied"


async def test_a_console_that_begins_while_another_drains_is_told_before_it_plans() -> None:
    world = make_world("calm")
    async with Server(world, driven=False) as server, desk_on(world, server=server) as ana:
        await drain(ana)
        async with desk_on(world, owner="ben@contoso", server=server) as ben:
            await ben.look()
            with pytest.raises(GuardRefusal, match="ana@contoso"):
                await ben.drain(ben.plan("ptu-eastus2"), DrainOrder("ben@contoso", "b"))
            with pytest.raises(GuardRefusal, match="ana@contoso"):
                await ben.drain(ben.plan(BACKEND), DrainOrder("ben@contoso", "b", forced=True))
            forced = await ben.drain(
                ben.plan("ptu-eastus2"), DrainOrder("ben@contoso", "both regions fail", forced=True)
            )
            assert forced.forced
            assert {d.backend_name for d in (await ben.look_again()).drains} == {BACKEND, "ptu-eastus2"}


async def test_a_pool_changed_since_the_plan_is_planned_and_asked_anew() -> None:
    world = make_world("calm")
    async with desk_on(world) as desk:
        await desk.look()
        plan = desk.plan(BACKEND)
        body = copy.deepcopy(body_of(world, "backends/chat-pool"))
        body["properties"]["pool"]["services"][0]["weight"] = 7
        put_pool(world, "chat-pool", body)
        with pytest.raises(StalePlan) as refused:
            await desk.drain(plan, ORDER)
        assert refused.value.exit_code == 3
        snapshot = await desk.look_again()
        assert snapshot.drains == ()
        await desk.drain(desk.plan(BACKEND), ORDER)
        await desk.restore(BACKEND)
        services = body_of(world, "backends/chat-pool")["properties"]["pool"]["services"]
        assert services[0]["weight"] == 7


async def test_a_redeployment_that_brings_it_back_is_announced_and_can_be_drained_again() -> None:
    world = make_world("calm", minutes=6, traffic=True)
    template = copy.deepcopy(body_of(world, "backends/chat-pool"))
    async with desk_on(world) as desk:
        await drain(desk)
        put_pool(world, "chat-pool", template)
        snapshot = await desk.look_again()
        (found,) = snapshot.drains
        assert found.condition == "overwritten"
        assert "back in chat-pool" in found.text
        assert any(found.text == p.what for p in snapshot.problems)
        assert f"drain of {BACKEND} overwritten" in snapshot.verdict.text
        row = snapshot.backend(BACKEND)
        assert row is not None
        assert row.health.state not in (HealthState.DRAINING, HealthState.DRAINED)
        assert row.health.reasons[0] == found.text
        await desk.resume(BACKEND)
        assert BACKEND not in members_of(world, "chat-pool")
        put_pool(world, "chat-pool", template)
        plan = await desk.fetch_restore_plan(BACKEND)
        assert next((p.pool_name, p.state.value) for p in plan.places) == ("chat-pool", "already back")
        await desk.restore(BACKEND)
        assert (await desk.look_again()).drains == ()


async def test_what_others_changed_meanwhile_is_shown_and_kept() -> None:
    world = make_world("calm")
    async with desk_on(world) as desk:
        await drain(desk)
        body = copy.deepcopy(body_of(world, "backends/chat-pool"))
        body["properties"]["description"] = "edited by hand"
        body["properties"]["pool"]["services"].append(
            {"id": f"{SERVICE}/backends/{BACKEND}", "priority": 2, "weight": 5}
        )
        put_pool(world, "chat-pool", body)
        world.store.delete(f"{SERVICE}/backends/payg-pool")
        plan = await desk.fetch_restore_plan(BACKEND)
        assert {p.pool_name: p.state.value for p in plan.decisions} == {
            "chat-pool": "back with other values",
            "payg-pool": "pool gone",
        }
        await desk.restore(BACKEND)
        properties = body_of(world, "backends/chat-pool")["properties"]
        assert properties["description"] == "edited by hand"
        assert properties["pool"]["services"][-1]["weight"] == 5
        assert BACKEND in members_of(world, "embeddings-pool")


async def test_a_drain_past_its_expiry_is_announced_and_stays() -> None:
    world = make_world("calm")
    async with desk_on(world) as desk:
        await desk.look()
        until = desk.engine.clock.now() + timedelta(minutes=30)
        await desk.drain(desk.plan(BACKEND), DrainOrder("ana@contoso", "maintenance", until))
        assert not (await desk.look_again()).drains[0].needs_attention
        world.advance(31 * 60)
        snapshot = await desk.look_again()
        (found,) = snapshot.drains
        assert found.is_expired
        assert found.condition == "in place"
        assert f"drain of {BACKEND} expired" in snapshot.verdict.text
        assert any("is past that" in p.what for p in snapshot.problems)
        assert all(BACKEND not in members_of(world, pool) for pool in POOLS), "a timer never brings traffic back"


async def test_listed_without_a_record_is_found_and_taken_off() -> None:
    world = make_world("calm")
    named = "Microsoft.ApiManagement/service/namedValues"
    body = copy.deepcopy(body_of(world, "namedValues/drained-backends"))
    body["properties"]["value"] = f"{BACKEND},ptu-eastus2"
    world.store.put(f"{SERVICE}/namedValues/drained-backends", named, body)
    async with desk_on(world) as desk:
        snapshot = await desk.look_again()
        assert sum("without a drain record" in p.what for p in snapshot.problems) == 2
        assert await desk.restore(BACKEND) is None
        assert body_of(world, "namedValues/drained-backends")["properties"]["value"] == "ptu-eastus2"


async def test_writes_are_refused_in_read_only_mode() -> None:
    world = make_world("calm")
    async with desk_on(world, is_read_only=True) as desk:
        await desk.look()
        plan = desk.plan(BACKEND)
        assert not plan.can_be_forced
        with pytest.raises(GuardRefusal):
            await desk.drain(plan, DrainOrder("ana@contoso", "try me", forced=True))
        with pytest.raises(GuardRefusal):
            await desk.restore(BACKEND)
        assert not desk.journal_file.exists()


async def test_the_last_member_of_a_pool_is_refused_whoever_insists() -> None:
    world = make_world("calm")
    body = copy.deepcopy(body_of(world, "backends/embeddings-pool"))
    body["properties"]["pool"]["services"] = body["properties"]["pool"]["services"][1:]
    put_pool(world, "embeddings-pool", body)
    async with desk_on(world) as desk:
        await desk.look()
        plan = desk.plan(BACKEND)
        assert any("no member left" in g.text for g in plan.refusals)
        with pytest.raises(GuardRefusal):
            await desk.drain(plan, DrainOrder("ana@contoso", "insisting on it", forced=True))
        assert members_of(world, "embeddings-pool") == [BACKEND]


async def test_a_gradual_restore_goes_in_steps_and_halts_when_its_answers_fail() -> None:
    world = make_world("breaker-flapping", minutes=8, traffic=True)
    async with desk_on(world) as desk:
        await drain(desk, "ptu-swedencentral")
        world.advance(180)
        await desk.look()
        steps: list[str] = []
        with pytest.raises(ConsoleError, match=r"halted at .* of its weight"):
            await desk.restore("ptu-swedencentral", lambda step: steps.append(step.what), is_gradual=True)
        weights = [
            entry["weight"]
            for entry in body_of(world, "backends/chat-pool")["properties"]["pool"]["services"]
            if entry["id"].endswith("/ptu-swedencentral")
        ]
        assert weights[0] < 50
        assert (await desk.look_again()).drains[0].condition == "interrupted while restoring"
        await desk.restore("ptu-swedencentral")
        assert members_of(world, "chat-pool").index("ptu-swedencentral") == 0


async def test_a_drain_overwritten_while_watched_ends_as_that() -> None:
    world = make_world("calm", minutes=4, traffic=True)
    template = copy.deepcopy(body_of(world, "backends/chat-pool"))
    async with desk_on(world) as desk:
        await drain(desk)
        put_pool(world, "chat-pool", template)
        applied_at = (await desk.look_again()).drains[0].applied_at
        assert applied_at is not None
        outcome = await desk.prove(BACKEND, applied_at)
        assert outcome.ending is Ending.OVERWRITTEN
