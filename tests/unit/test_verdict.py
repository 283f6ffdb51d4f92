"""The first line: what is wrong, for whom, since when, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

from console.domain.compose import compose
from console.domain.health import HealthState
from console.domain.snapshot import Level, Problem
from tests.unit.gateways import NOW, constant, model_load, spilling


def test_a_saturated_ptu_that_spills_is_a_warning_with_the_share_and_the_callers() -> None:
    verdict = compose(spilling(), NOW).verdict
    assert verdict.level is Level.WARNING
    assert verdict.text == (
        "PTU saturated since 09:40 in swedencentral (ptu) · 30 % of chat-pool spills to PAYG · callers OK (0.0 % 429)"
    )
    assert verdict.since_at is not None


def test_callers_that_get_429s_make_it_critical() -> None:
    verdict = compose(spilling(callers_refused=6.0), NOW).verdict
    assert verdict.level is Level.CRITICAL
    assert "callers HURT (6.0 % 429)" in verdict.text


def test_without_logs_nothing_is_said_about_callers() -> None:
    verdict = compose(spilling(with_logs=False), NOW).verdict
    assert verdict.level is Level.WARNING
    assert verdict.text.endswith("callers unknown")


def test_without_metrics_the_callers_are_known_and_no_backend_is_called_healthy_by_metrics() -> None:
    snapshot = compose(spilling(with_metrics=False), NOW)
    assert snapshot.verdict.level is Level.OK
    for status in snapshot.backends:
        assert status.load.model_throttled_ratio.value is None
        assert status.load.requests_per_minute.source == "gateway logs"
        assert status.load.requests_per_minute.value


def test_with_neither_source_the_verdict_is_unknown_and_no_figure_is_zero() -> None:
    snapshot = compose(spilling(with_metrics=False, with_logs=False), NOW)
    assert snapshot.verdict.level is Level.UNKNOWN
    for status in snapshot.backends:
        assert status.health.state is HealthState.UNKNOWN
        assert status.load.requests_per_minute.value is None
        assert status.load.caller_throttled_ratio.value is None


def test_a_calm_gateway_says_so() -> None:
    verdict = compose(_calm(), NOW).verdict
    assert verdict.level is Level.OK
    assert verdict.text == "All 2 backends healthy · callers OK (0.0 % 429)"


def _calm():  # type: ignore[no-untyped-def]
    calm = spilling(refused=0.0)
    loads = (
        model_load("ptu", constant(100.0), utilization=constant(0.5)),
        model_load("payg", constant(10.0)),
    )
    return replace(calm, model_loads=loads)


def test_a_gateway_that_is_not_known_says_why() -> None:
    problem = Problem("The gateway cannot be read", "apim", "Ask.", NOW)
    empty = replace(spilling(), gateway=None, problems={"topology": (problem,)})
    verdict = compose(empty, NOW).verdict
    assert verdict.level is Level.UNKNOWN
    assert "The gateway cannot be read" in verdict.text


def test_an_empty_gateway_is_not_called_healthy() -> None:
    observations = spilling()
    assert observations.gateway is not None
    empty = replace(observations, gateway=replace(observations.gateway, backends=(), pools=()))
    verdict = compose(empty, NOW).verdict
    assert verdict.level is Level.UNKNOWN
    assert "no backends" in verdict.text


def test_the_same_observations_give_the_same_snapshot() -> None:
    assert compose(spilling(), NOW) == compose(spilling(), NOW)


def test_a_failing_backend_is_named_before_anything_else_is_said_to_be_fine() -> None:
    observations = _calm()
    sick = model_load("payg", constant(10.0), failed=constant(4.0))
    snapshot = compose(replace(observations, model_loads=(observations.model_loads[0], sick)), NOW)
    assert snapshot.verdict.level is Level.WARNING
    assert snapshot.verdict.text.startswith("payg failing (40.0 % of its answers are errors)")
