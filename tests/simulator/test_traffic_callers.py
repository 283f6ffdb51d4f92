"""What an operator relies on: callers send at their rate, in their rhythm, and change it when told."""

from __future__ import annotations

import pytest

from simulator import topology, traffic
from simulator.embedded import build_world
from simulator.names import GATEWAY_HOST, SERVICE
from simulator.traffic import Caller, CallerState
from tests.simulator.gateway_bench import Bench


def start(bench: Bench, **settings: object) -> CallerState:
    caller = Caller("app-search", **{"requests_per_minute": 60.0, "daily_swing": 0.0, **settings})  # type: ignore[arg-type]
    return traffic.attach(bench.world, GATEWAY_HOST, [caller]).callers[0]


def test_a_caller_keeps_its_rate() -> None:
    bench = Bench()
    caller = start(bench)
    bench.world.advance(600)
    assert caller.sent == pytest.approx(600, rel=0.12)
    bench.world.advance(60)
    assert set(caller.answered) == {200}


def test_a_rate_may_ramp() -> None:
    bench = Bench()
    caller = start(bench)
    caller.set_rate(180.0, over_seconds=120.0)
    bench.world.advance(60)
    assert caller.base_rate(bench.world.now) == pytest.approx(120.0)
    bench.world.advance(60)
    assert caller.base_rate(bench.world.now) == 180.0


def test_a_rate_of_nothing_falls_silent_and_can_come_back() -> None:
    bench = Bench()
    caller = start(bench)
    caller.set_rate(0.0)
    bench.world.advance(300)
    assert caller.sent == 0
    caller.set_rate(60.0)
    bench.world.advance(60)
    assert caller.sent > 0


def test_the_day_has_a_rhythm() -> None:
    bench = Bench()
    caller = start(bench, daily_swing=0.9, requests_per_minute=0.0)
    day = (bench.world.now // 86400 + 1) * 86400
    sent = {}
    for hour in (2, 14):
        bench.world.advance_to(day + hour * 3600 - 300)
        caller.set_rate(30.0)
        before = caller.sent
        bench.world.advance(600)
        sent[hour] = caller.sent - before
        caller.set_rate(0.0)
    assert sent[14] > 4 * sent[2]


def test_a_wrong_key_is_the_callers_own_trouble() -> None:
    bench = Bench()
    caller = start(bench, key="nonsense")
    bench.world.advance(60)
    assert set(caller.answered) == {401}
    caller.set_key(bench.key())
    bench.world.advance(120)
    assert 200 in caller.answered


def test_a_new_gateway_finds_callers_as_soon_as_it_serves_chat() -> None:
    world = build_world("empty-subscription", seed=7, history_seconds=60, now=1_795_000_000.0)
    topology.write_gateway(world)
    world.advance(300)
    assert {call for state in world.rooms["traffic"].callers for call in state.answered} == {200}
    assert {state.caller.operation for state in world.rooms["traffic"].callers} == {"chat", "embeddings"}
    assert {state.caller.name for state in world.rooms["traffic"].callers} == set(topology.CALLERS)


def test_a_gateway_that_has_callers_gets_no_others() -> None:
    world = build_world("calm", seed=7, history_seconds=60, now=1_795_000_000.0)
    before = len(world.rooms["traffic"].callers)
    existing = world.store.get(f"{SERVICE}/subscriptions/app-search")
    assert existing is not None
    world.store.put(f"{SERVICE}/subscriptions/app-new", existing.type, existing.body, hidden={"primaryKey": "k" * 32})
    world.advance(120)
    assert len(world.rooms["traffic"].callers) == before
