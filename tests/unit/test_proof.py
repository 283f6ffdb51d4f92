"""A drain counts as proven only by what each source has completely seen. No data is never silence."""

from __future__ import annotations

from datetime import timedelta

from console.domain.gateway import BackendKind
from console.domain.health import Health, HealthState
from console.domain.load import BackendLoad, Figure, ModelLoad, Series
from console.domain.proof import Proof, judge_drain
from console.domain.snapshot import BackendStatus
from tests.unit.gateways import END, START, account, backend, constant, model_load, series

APPLIED = END - timedelta(minutes=4, seconds=-10)
"""Ten seconds into the fourth minute from the end: three whole minutes have begun since."""
NOTHING = Figure(None, "metrics")


def status(
    name: str,
    models: tuple[ModelLoad, ...] = (),
    callers: Series | None = None,
    *,
    metrics: bool = True,
    logs: bool = True,
) -> BackendStatus:
    load = BackendLoad(
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        caller_requests=callers,
        deployments=models,
        metrics_until_at=END if metrics else None,
        logs_until_at=END if logs else None,
    )
    health = Health(HealthState.DRAINING)
    return BackendStatus(
        backend(name), BackendKind.PAYG, "", "westus", (), (), health, load, account(name, "westus", "Standard")
    )


OTHER = status("other", (model_load("other", constant(30.0)),), constant(30.0))


def judge(drained: BackendStatus) -> Proof:
    return judge_drain((drained, OTHER), drained.name, APPLIED)


def test_two_quiet_minutes_in_both_sources_prove_it_and_both_are_named() -> None:
    requests = series(9.0, 9.0, 2.0, 0.0, 0.0, 0.0, before=9.0)
    proof = judge(status("gone", (model_load("gone", requests),), requests))
    assert proof.is_drained
    assert "model metrics and gateway logs" in proof.text


def test_one_source_that_still_sees_requests_outweighs_the_other() -> None:
    quiet, loud = series(9.0, 0.0, 0.0, 0.0, before=9.0), series(9.0, 0.0, 3.0, 2.0, before=9.0)
    for models, callers in ((quiet, loud), (loud, quiet)):
        proof = judge(status("gone", (model_load("gone", models),), callers))
        assert not proof.is_drained
    assert "3 requests in the last complete minute (model metrics)" in proof.text


def test_quiet_before_the_drain_proves_nothing() -> None:
    silent = status("gone", (model_load("gone", constant(0.0)),), constant(0.0))
    just_now = judge_drain((silent, OTHER), "gone", END - timedelta(seconds=50))
    assert not just_now.is_drained
    assert "no minute since then is complete yet" in just_now.text


def test_a_source_that_did_not_answer_is_not_counted_as_silence() -> None:
    proof = judge(status("gone", (), constant(0.0), metrics=False))
    assert [s.source for s in proof.sources] == ["gateway logs"]
    blind = judge(status("gone", (), None, metrics=False, logs=False))
    assert not blind.is_drained
    assert blind.sources == ()
    assert "nothing is proven" in blind.text


def test_azure_lists_no_series_for_a_quiet_deployment_and_that_is_silence_once_others_show_later() -> None:
    proof = judge(status("gone", (), None))
    assert proof.is_drained
    late = status("other", (model_load("other", Series(START, (30.0,) * 57)),), constant(30.0))
    proof = judge_drain((status("gone", (), None), late), "gone", APPLIED)
    assert not proof.is_drained, "metrics that nobody shows yet are late, not quiet"


def test_backends_behind_one_host_are_proven_by_the_logs_alone() -> None:
    gone = status("gone", (model_load("gone", constant(30.0)),), constant(0.0))
    twin = BackendStatus(
        backend("gone").__class__("twin", "/backends/twin", gone.backend.url),
        *(gone.kind, "", "westus", (), (), gone.health, gone.load),
        gone.account,
    )
    proof = judge_drain((gone, twin), "gone", APPLIED)
    assert [s.source for s in proof.sources] == ["gateway logs"]
    assert proof.is_drained
