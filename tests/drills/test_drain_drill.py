"""A backend fails at 03:00 and an operator drains it, on the whole embedded Azure: what callers, rows, routes show."""

from __future__ import annotations

import pytest

from console.domain.health import HealthState
from console.domain.history import last_minutes
from console.domain.load import Window, mean
from console.domain.snapshot import BackendStatus
from console.operations.drain.execute import DrainOrder
from console.operations.drain.predict import SurvivorLoad
from console.operations.drain.prove import Ending
from simulator.world import World
from tests.operations.desks import desk_on
from tests.simulated_gateway import make_world

MINUTE = 60.0


def callers_of(world: World, minutes: int) -> tuple[int, int]:
    """(requests, of them failed or refused) of all callers in the last whole minutes, from the ground truth."""
    end = int(world.now // 60 * 60)
    rows = world.truth.as_json(end - minutes * 60, end)["gateway"]
    return sum(r["requests"] for r in rows), sum(r["failed"] + r["throttled"] for r in rows)


async def test_draining_the_failing_backend_hurts_nobody_and_is_proven_and_undone() -> None:
    world = make_world("breaker-flapping", minutes=12, traffic=True)
    async with desk_on(world) as desk:
        before = (await desk.look()).backend("ptu-swedencentral")
        assert before is not None
        assert before.health.state is HealthState.FAILING
        pools = {p.name: p.members for p in desk.engine.store.current.gateway.pools}  # type: ignore[union-attr]
        requests, lost = callers_of(world, 8)
        plan = desk.plan("ptu-swedencentral")
        assert plan.refusals == ()
        record = await desk.drain(plan, DrainOrder("ana@contoso", "503s since 09:20"))
        assert record.applied_at is not None
        row = (await desk.look()).backend("ptu-swedencentral")
        assert row is not None
        assert row.health.state is HealthState.DRAINING, "nothing is proven yet"
        seen: list[float | None] = []
        outcome = await desk.prove(
            "ptu-swedencentral", record.applied_at, on_look=lambda look: seen.append(look.requests_per_minute)
        )
        assert outcome.ending is Ending.DRAINED
        assert "model metrics and gateway logs" in outcome.text
        assert seen[-1] == 0
        row = desk.engine.store.current.backend("ptu-swedencentral")
        assert row is not None
        assert row.health.state is HealthState.DRAINED
        world.advance(4 * MINUTE)
        requests_after, lost_after = callers_of(world, 8)
        assert requests_after > 0.7 * requests
        assert lost_after / requests_after <= lost / requests + 0.005, "callers fare no worse than before"
        assert await desk.restore("ptu-swedencentral") is not None
        world.advance(6 * MINUTE)
        snapshot = await desk.look()
        assert {p.name: p.members for p in snapshot.gateway.pools} == pools  # type: ignore[union-attr]
        assert snapshot.drains == ()
        back = snapshot.backend("ptu-swedencentral")
        assert back is not None
        assert back.health.state not in (HealthState.DRAINING, HealthState.DRAINED)
        assert (back.load.requests_per_minute.value or 0) > 5


async def test_a_route_that_does_not_heed_drains_times_out_by_name() -> None:
    world = make_world("calm", minutes=10, traffic=True)
    async with desk_on(world) as desk:
        await desk.look()
        plan = desk.plan("payg-legacy")
        assert [g.text for g in plan.refusals if "old-route" in g.text], "what a drain cannot move is said beforehand"
        order = DrainOrder("ana@contoso", "the route is made aware next", forced=True)
        record = await desk.drain(plan, order)
        assert record.applied_at is not None
        outcome = await desk.prove("payg-legacy", record.applied_at, deadline_seconds=300)
        assert outcome.ending is Ending.TIMED_OUT
        assert "fragment old-route line 3 (used by legacy-chat)" in outcome.text
        assert outcome.seconds >= 300
        assert {s.api for s in outcome.senders} == {"legacy-chat"}
        assert sum(s.requests for s in outcome.senders) > 0
        row = desk.engine.store.current.backend("payg-legacy")
        assert row is not None
        assert row.health.state is HealthState.DRAINING


@pytest.mark.parametrize(
    ("scenario", "backend"),
    [
        ("calm", "ptu-swedencentral"),
        ("ptu-saturation", "ptu-eastus2"),
        ("breaker-flapping", "ptu-swedencentral"),
        ("slow-backend", "ptu-eastus2"),
        ("payg-quota", "payg-westus"),
    ],
)
async def test_survivors_become_as_full_as_predicted(scenario: str, backend: str) -> None:
    """Within ten percentage points, utilization of provisioned ones and share of the token limit of the others."""
    world = make_world(scenario, minutes=12, traffic=True)
    async with desk_on(world) as desk:
        await desk.look()
        plan = desk.plan(backend)
        assert plan.prediction.survivors
        assert plan.prediction.unknown == ()
        await desk.drain(plan, DrainOrder("ana@contoso", "a drill", forced=bool(plan.refusals)))
        world.advance(9 * MINUTE)
        snapshot = await desk.look()
        for survivor in plan.prediction.survivors:
            status = snapshot.backend(survivor.backend_name)
            assert status is not None
            assert survivor.predicted_ratio is not None
            seen = seen_ratio(status, survivor)
            assert abs(seen - survivor.predicted_ratio) <= 0.10, (survivor, seen)


def seen_ratio(status: BackendStatus, survivor: SurvivorLoad) -> float:
    """How full the deployment is in the last five complete minutes."""
    assert status.load.metrics_until_at is not None
    window: Window = last_minutes(status.load.metrics_until_at)
    load = next((x for x in status.load.deployments if x.deployment_name == survivor.deployment_name), None)
    if load is None:
        return 0.0  # Azure lists no series for a deployment nobody asked in the hour
    if load.utilization is not None:
        return mean(load.utilization.within(window)) or 0.0
    assert status.account is not None
    limit = next(d.tokens_per_minute_limit for d in status.account.deployments if d.name == survivor.deployment_name)
    assert limit
    return (load.tokens.total(window) or 0.0) / window.minutes / limit
