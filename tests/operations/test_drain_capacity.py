"""Whether survivors have room is said only when traffic and capacity of everyone concerned are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.domain.compose import compose
from console.domain.gateway import Gateway, Pool, PoolMember
from console.domain.health import HealthState
from console.domain.observations import Observations
from console.domain.snapshot import Drain
from console.errors import GuardRefusal
from console.operations.drain.plan import DrainPlan, plan_drain
from console.operations.guards import Guard, GuardVerdict
from tests.unit.gateways import NOW, account, backend, constant, model_load, spilling


def capacity(plan: DrainPlan) -> Guard:
    return next(g for g in plan.guards if g.name == "capacity")


def calm(**changes: Any) -> Observations:
    """Two backends with little to do; the pay-as-you-go one can take all of it."""
    loads = (
        model_load("ptu", constant(100.0), utilization=constant(0.5)),
        model_load("payg", constant(10.0), tokens=constant(1000.0)),
    )
    return replace(spilling(refused=0.0), model_loads=loads, **changes)


def test_known_room_is_said() -> None:
    guard = capacity(plan_drain(compose(calm(is_production=True), NOW), "ptu"))
    assert (guard.verdict, guard.text) == (GuardVerdict.PASSED, "survivors have room")


@pytest.mark.parametrize("accounts", [None, (), calm().accounts])
def test_a_reader_without_roles_is_never_told_that_there_is_room(accounts: Any) -> None:
    blind = spilling(with_metrics=False, with_logs=False)
    guard = capacity(plan_drain(compose(replace(blind, accounts=accounts), NOW), "ptu"))
    assert guard.verdict is GuardVerdict.WARNING
    assert guard.text.startswith("capacity not verified: traffic of ptu is not known")
    assert "payg" in guard.text


def test_on_production_unknown_capacity_needs_a_reason() -> None:
    blind = replace(spilling(with_metrics=False, with_logs=False), is_production=True)
    plan = plan_drain(compose(blind, NOW), "ptu")
    assert capacity(plan).verdict is GuardVerdict.REFUSED
    assert plan.can_be_forced
    with pytest.raises(GuardRefusal, match="capacity not verified"):
        plan.require_permission(force_reason=None)
    plan.require_permission(force_reason="the account is on fire")


def test_a_survivor_without_an_account_or_without_figures_is_named() -> None:
    whole = calm()
    assert whole.accounts is not None
    lost = compose(replace(whole, accounts=whole.accounts[:1]), NOW)
    assert capacity(plan_drain(lost, "ptu")).text == "capacity not verified: capacity of payg is not known"
    silent = replace(
        whole, model_loads=whole.model_loads[:1], metrics_accounts=frozenset({"/accounts/ptu"}), traffic_window=None
    )
    guard = capacity(plan_drain(compose(silent, NOW), "ptu"))
    assert (guard.verdict, guard.text) == (GuardVerdict.WARNING, "capacity not verified: traffic of payg is not known")


def three() -> Observations:
    """`spare` stands beside `payg` and could take as much."""
    whole = calm()
    assert whole.accounts is not None
    gateway = whole.gateway
    assert isinstance(gateway, Gateway)
    members = (PoolMember("ptu", 1, 50), PoolMember("payg", 2, 50), PoolMember("spare", 2, 50))
    return replace(
        whole,
        gateway=replace(
            gateway, backends=(*gateway.backends, backend("spare")), pools=(Pool("chat-pool", "/pool", members),)
        ),
        accounts=(*whole.accounts, account("spare", "westus", "Standard", tokens_limit=10_000)),
        model_loads=(*whole.model_loads, model_load("spare", constant(10.0), tokens=constant(1000.0))),
        metrics_accounts=whole.metrics_accounts | {"/accounts/spare"},
    )


def test_a_backend_on_its_way_out_takes_nothing_over() -> None:
    everyone = {s.backend_name for s in plan_drain(compose(three(), NOW), "ptu").prediction.survivors}
    assert everyone == {"payg", "spare"}
    drain = Drain("spare", "ada", "upgrade", NOW, None, "drained", "in place")
    listed = three()
    assert listed.gateway is not None
    for leaving in (
        replace(listed, drains=(drain,)),
        replace(listed, gateway=replace(listed.gateway, drained_backends=("spare",))),
    ):
        prediction = plan_drain(compose(leaving, NOW), "ptu").prediction
        assert {s.backend_name for s in prediction.survivors} == {"payg"}
        assert prediction.survivors[0].moved_tokens_per_minute == pytest.approx(1000.0)
    snapshot = compose(three(), NOW)
    states = tuple(
        replace(b, health=replace(b.health, state=HealthState.DRAINING)) if b.name == "spare" else b
        for b in snapshot.backends
    )
    moved = plan_drain(replace(snapshot, backends=states), "ptu").prediction.survivors
    assert {s.backend_name for s in moved} == {"payg"}


def test_a_pool_whose_others_are_all_leaving_has_no_room() -> None:
    whole = calm()
    assert whole.gateway is not None
    alone = replace(whole, gateway=replace(whole.gateway, drained_backends=("payg",)))
    guard = capacity(plan_drain(compose(alone, NOW), "ptu"))
    assert guard.verdict is GuardVerdict.REFUSED
    assert "no survivor has room" in guard.text
