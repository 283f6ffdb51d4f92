"""Findings on made-up fleets: bad input is harmless, what lasts keeps its beginning, what is well is silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.domain.callers import ErrorSeries
from console.domain.compose import compose
from console.domain.finding import Finding, Severity
from console.domain.health import Evidence
from console.domain.load import Series
from console.domain.observations import Observations
from console.domain.snapshot import Budget, Drain, GatewaySnapshot, Problem
from console.triage.find import find_all
from console.triage.minutes import find_run
from console.triage.review import cut_back, review
from console.triage.route import explain_model, explain_routes
from console.triage.severity import ranked
from console.triage.tracking import track
from tests.unit.observed_fleet import BEGIN, Fleet

NOW = BEGIN + timedelta(minutes=91, seconds=30)


def look_at(observations: Observations) -> GatewaySnapshot:
    return compose(observations, NOW)


def labels(snapshot: GatewaySnapshot) -> list[str]:
    return [f.label for f in find_all(snapshot)]


def finding(symptom: str = "slow", subject: str = "b", **changes: object) -> Finding:
    made = Finding(symptom, subject, "t", Severity.WARNING, BEGIN, Evidence.OBSERVED, ())
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_healthy_fleet_is_silent() -> None:
    assert labels(look_at(Fleet(30).at(90))) == []


def test_only_the_sick_are_named() -> None:
    found = find_all(look_at(Fleet(20, sick=4).at(90)))
    assert {(f.subject, f.symptom) for f in found} == {
        ("backend-0", "saturated"),
        ("backend-1", "quota"),
        ("backend-2", "saturated"),
        ("backend-3", "quota"),
    }
    assert all(f.evidence and f.actions for f in found)


def test_nothing_known_yet_is_no_finding_and_no_error() -> None:
    empty = Observations("prod", "apim", "0a1b", "AzureCloud")
    assert labels(look_at(empty)) == []
    assert labels(look_at(replace(Fleet(3).at(90), callers=None, caller_loads={}, traffic_window=None))) == []
    assert find_all(compose(Fleet(3).at(1), BEGIN + timedelta(minutes=2))) == ()


def test_a_gateway_that_does_not_exist_is_said_with_what_to_do() -> None:
    problem = Problem("There is no such service", "id", "Check it.", NOW, "NotFound", "topology")
    observed = Observations("prod", "apim", "0a1b", "AzureCloud", problems={"topology": (problem,)})
    (only,) = find_all(look_at(observed))
    assert only.symptom == "no gateway"
    assert only.actions[0].kind.value == "deploy"


def test_logs_that_go_nowhere_are_not_called_calm() -> None:
    problem = Problem("No diagnostic setting sends the gateway's logs", "id", "Create one.", NOW, "NotFound", "traffic")
    observed = replace(
        Fleet(3).at(90), callers=None, caller_loads={}, traffic_window=None, problems={"traffic": (problem,)}
    )
    assert labels(look_at(observed)) == ["apim-contoso-prod: diagnostics not wired"]


@pytest.mark.parametrize(("left", "found"), [(240, False), (12, True), (None, False)])
def test_a_nearly_empty_read_budget_is_information(left: int | None, found: bool) -> None:
    observed = replace(Fleet(3).at(90), budget=Budget(arm_reads_remaining=left, observed_at=NOW))
    findings = find_all(look_at(observed))
    assert bool(findings) is found
    assert all(f.severity is Severity.INFO for f in findings)


def test_a_drain_past_its_expiry_is_announced_with_its_owner() -> None:
    drain = Drain(
        "backend-1",
        "ops@contoso.example",
        "INC-4411",
        NOW - timedelta(hours=30),
        NOW - timedelta(hours=6),
        "drained",
        condition="in place",
        is_expired=True,
        needs_attention=True,
    )
    (only,) = [
        f for f in find_all(look_at(replace(Fleet(4).at(90), drains=(drain,)))) if f.symptom == "drain forgotten"
    ]
    assert only.actions[0].target == "backend-1"
    assert "ops@contoso.example" in only.evidence[0].text
    assert only.since_at == drain.expires_at


def error(
    counts: list[float], status: int, backend_status: int | None, reason: str = "", host: str = ""
) -> ErrorSeries:
    values = (0.0,) * (60 - len(counts)) + tuple(counts)
    series = Series(BEGIN + timedelta(minutes=30), values)
    return ErrorSeries(host, "", "chat", status, backend_status, reason, "backend", "", series)


@pytest.mark.parametrize(
    ("made", "label"),
    [
        (error([90, 90], 429, None, "RateLimitExceeded"), "chat: policy limit"),
        (error([90, 90], 429, None), "apim-contoso-prod: gateway capacity"),
        (error([90, 90], 503, None), "chat: exhausted"),
        (error([90, 90], 500, None, "ExpressionValueEvaluationFailure"), "chat: failing"),
        (error([20, 20], 401, 401, host="aoai-1.openai.azure.com"), "backend-1: unauthorized"),
        (error([20, 20], 404, 404, host="aoai-1.openai.azure.com"), "backend-1: deployment missing"),
        (error([20, 20], 500, None, "Timeout", "aoai-1.openai.azure.com"), "backend-1: failing"),
        (error([20, 20], 500, None, "BackendConnectionFailure", "aoai-1.openai.azure.com"), "backend-1: unreachable"),
    ],
)
def test_errors_mean_what_the_tables_of_azure_say(made: ErrorSeries, label: str) -> None:
    observed = Fleet(4).at(90)
    assert observed.callers is not None
    observed = replace(observed, callers=replace(observed.callers, errors=(made,)))
    assert labels(look_at(observed)) == [label]


def test_a_caller_that_went_away_and_a_stray_error_are_no_finding() -> None:
    observed = Fleet(4).at(90)
    assert observed.callers is not None
    gone = error([30, 30], 499, None, "ClientConnectionFailure")
    stray = error([1], 500, 500, host="aoai-1.openai.azure.com")
    observed = replace(observed, callers=replace(observed.callers, errors=(gone, stray)))
    assert labels(look_at(observed)) == []


def test_a_run_survives_single_quiet_minutes_and_ends_after_two() -> None:
    run = find_run([False, True, True, False, True, False], BEGIN)
    assert run is not None
    assert run.since_at == BEGIN + timedelta(minutes=1)
    assert find_run([True, True, False, False], BEGIN) is None
    assert find_run([], BEGIN) is None


def test_findings_keep_their_beginning_and_stay_with_their_end() -> None:
    first = track((), [finding()], BEGIN + timedelta(minutes=2))
    later = track(first, [finding(since_at=BEGIN + timedelta(minutes=9))], BEGIN + timedelta(minutes=62))
    assert later[0].since_at == BEGIN
    over = track(later, [], BEGIN + timedelta(minutes=63))
    assert over[0].ended_at is not None
    again = track(over, [finding(since_at=BEGIN + timedelta(minutes=64))], BEGIN + timedelta(minutes=65))
    assert again[0].is_active
    assert again[0].since_at == BEGIN, "it came back within minutes: it is the same"
    assert track(over, [], BEGIN + timedelta(minutes=130)) == ()


def test_one_snapshot_without_it_does_not_end_a_finding() -> None:
    first = track((), [finding()], BEGIN)
    assert track(first, [], BEGIN + timedelta(seconds=20))[0].is_active


def test_harm_to_callers_ranks_first_and_causes_before_consequences() -> None:
    order = ranked(
        [
            finding("info", severity=Severity.INFO),
            finding("consequence", severity=Severity.CRITICAL, hit_ratio=0.42, rank=30),
            finding("cause", severity=Severity.CRITICAL, hit_ratio=0.41, rank=10),
            finding("small", severity=Severity.CRITICAL, hit_ratio=0.03, rank=1),
            finding("over", severity=Severity.CRITICAL, ended_at=BEGIN),
        ]
    )
    assert [f.symptom for f in order] == ["cause", "consequence", "small", "info", "over"]


def test_the_past_is_found_again_from_history() -> None:
    observed = Fleet(4, sick=1).at(90)
    loads = list(observed.model_loads)
    healed = loads[0].throttled.values[:-20] + (0.0,) * 20
    assert loads[0].utilization is not None
    used = loads[0].utilization.values[:-20] + (0.6,) * 20
    loads[0] = replace(
        loads[0],
        throttled=Series(loads[0].throttled.start_at, healed),
        utilization=Series(loads[0].utilization.start_at, used),
    )
    observed = replace(observed, model_loads=tuple(loads))
    assert labels(look_at(observed)) == []
    (past,) = review(observed, NOW, timedelta(hours=1))
    assert past.label == "backend-0: saturated"
    assert past.ended_at is not None
    assert abs((past.ended_at - (NOW - timedelta(minutes=20))).total_seconds()) <= 240


def test_history_is_cut_back_everywhere() -> None:
    until = BEGIN + timedelta(minutes=70)
    cut = cut_back(Fleet(2).at(90), until)
    assert cut.metrics_window is not None
    assert cut.metrics_window.end_at == until
    assert all(m.requests.end_at == until for m in cut.model_loads)
    assert cut.callers is not None
    assert all(c.requests.end_at == until for c in cut.callers.consumers)


def test_routes_say_who_serves_and_why_the_others_do_not() -> None:
    snapshot = look_at(Fleet(4).at(90))
    (route,) = explain_routes(snapshot)
    assert route.serves == "backend-0, backend-2"
    assert dict(route.others)["backend-1"] == "priority 2 waits for all of priority 1"
    assert explain_model(snapshot, "gpt-4o")[0].serves == "backend-0, backend-2"
    assert explain_model(snapshot, "o3") == []
