"""Health as operators need it: spilling is not failing, silence is not health, and a guess says it is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain.compose import compose
from console.domain.health import Evidence, HealthState, Probe
from console.domain.load import ErrorCount
from console.domain.observations import Observations
from console.domain.snapshot import BackendStatus
from tests.unit.gateways import NOW, caller_load, constant, model_load, series, spilling


def status(observations: Observations, name: str) -> BackendStatus:
    found = compose(observations, NOW).backend(name)
    assert found is not None
    return found


def with_model(observations: Observations, **loads: object) -> Observations:
    kept = {m.account_id.rsplit("/", 1)[-1]: m for m in observations.model_loads} | loads
    return replace(observations, model_loads=tuple(kept[name] for name in sorted(kept)))


def test_a_ptu_that_refuses_while_others_serve_is_busy_not_throttled() -> None:
    health = status(spilling(), "ptu").health
    assert health.state is HealthState.BUSY
    assert health.reasons[:2] == ("utilization 100 %", "30.0 % refused (429)")
    assert health.evidence is Evidence.OBSERVED
    assert health.since_at is not None
    assert health.since_at.strftime("%H:%M") == "09:40"


def test_a_ptu_whose_callers_get_the_429_is_throttled() -> None:
    observations = spilling()
    host = "ptu.openai.azure.com"
    callers = {**observations.caller_loads, (host, ""): caller_load(host, 70.0, throttled=7.0)}
    health = status(replace(observations, caller_loads=callers), "ptu").health
    assert health.state is HealthState.THROTTLED
    assert any("of its callers" in reason for reason in health.reasons)


@pytest.mark.parametrize(("refused", "state"), [(1.0, HealthState.HEALTHY), (3.0, HealthState.THROTTLED)])
def test_a_payg_backend_is_throttled_from_two_percent(refused: float, state: HealthState) -> None:
    observations = with_model(spilling(), payg=model_load("payg", constant(100.0), constant(refused)))
    assert status(observations, "payg").health.state is state


def test_a_payg_backend_near_its_token_limit_is_busy_and_that_is_inferred() -> None:
    observations = with_model(spilling(), payg=model_load("payg", constant(30.0), tokens=constant(9_500.0)))
    health = status(observations, "payg").health
    assert (health.state, health.evidence) == (HealthState.BUSY, Evidence.INFERRED)


def test_a_missing_role_shows_as_failing_with_its_status() -> None:
    observations = with_model(spilling(), payg=model_load("payg", constant(30.0), denied=constant(15.0)))
    health = status(observations, "payg").health
    assert health.state is HealthState.FAILING
    assert "75 x 401/403" in health.reasons


def test_failures_in_the_logs_name_their_reason() -> None:
    observations = spilling()
    host = "payg.openai.azure.com"
    errors = (ErrorCount(500, "BackendConnectionFailure", "no such host", 60),)
    callers = {**observations.caller_loads, (host, ""): caller_load(host, 30.0, failed=12.0, errors=errors)}
    health = status(replace(observations, caller_loads=callers), "payg").health
    assert health.state is HealthState.FAILING
    assert "60 x 500 BackendConnectionFailure" in health.reasons


def test_requests_that_stop_after_failures_the_breaker_counts_are_inferred_to_be_tripped() -> None:
    requests = series(*(40.0,) * 10, 0.0, 0.0, before=40.0)
    refused = series(*(0.0,) * 9, 5.0, 0.0, 0.0)
    load = model_load("ptu", requests, refused, utilization=constant(0.5))
    health = status(with_model(spilling(), ptu=load), "ptu").health
    assert (health.state, health.evidence) == (HealthState.TRIPPED, Evidence.INFERRED)


def test_requests_that_stop_without_failures_are_not_called_tripped() -> None:
    load = model_load("ptu", series(*(40.0,) * 10, 0.0, 0.0, before=40.0), utilization=constant(0.5))
    assert status(with_model(spilling(), ptu=load), "ptu").health.state is not HealthState.TRIPPED


def test_a_backend_nobody_asks_is_idle() -> None:
    observations = with_model(spilling(refused=0.0), payg=model_load("payg", constant(None)))
    assert status(observations, "payg").health.state is HealthState.IDLE


def test_unreachable_from_here_never_outranks_answers_in_the_logs() -> None:
    probe = Probe(NOW, None, "no route to host")
    seen = replace(spilling(), probes={"payg.openai.azure.com": probe})
    health = status(seen, "payg").health
    assert health.state is HealthState.HEALTHY
    assert "unreachable from here (no route to host)" in health.reasons[-1]
    blind = replace(spilling(with_logs=False, with_metrics=False), probes={"payg.openai.azure.com": probe})
    assert status(blind, "payg").health.state is HealthState.UNREACHABLE


def test_a_forbidden_answer_is_an_answer() -> None:
    blind = replace(
        spilling(with_logs=False, with_metrics=False), probes={"payg.openai.azure.com": Probe(NOW, 403, None, 12.0)}
    )
    assert status(blind, "payg").health.state is HealthState.UNKNOWN


def test_a_listed_backend_is_draining_until_no_request_arrives() -> None:
    observations = spilling()
    assert observations.gateway is not None
    drained = replace(observations, gateway=replace(observations.gateway, drained_backends=("payg",)))
    assert status(drained, "payg").health.state is HealthState.DRAINING
    quiet = with_model(drained, payg=model_load("payg", constant(0.0)))
    assert status(quiet, "payg").health.state is HealthState.DRAINED
    assert status(quiet, "payg").health.evidence is Evidence.EVENT


def test_backends_on_one_host_share_metrics_and_say_so() -> None:
    observations = spilling()
    gateway = observations.gateway
    assert gateway is not None
    twin = replace(gateway.backends[0], name="payg-twin")
    shared = replace(observations, gateway=replace(gateway, backends=(*gateway.backends, twin)))
    one, other = status(shared, "payg"), status(shared, "payg-twin")
    assert one.load.requests_per_minute.value == other.load.requests_per_minute.value
    assert "shared with payg-twin" in one.load.requests_per_minute.source
    assert one.load.caller_throttled_ratio.value is None
