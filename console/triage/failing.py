"""A backend failing: server errors, timeouts, lost connections; and its breaker opening and closing over them. Pure.

Breaker state is nowhere readable: what is said of it is inferred from failures that its rules count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from console.domain.callers import CONNECTION_REASONS, ErrorSeries
from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, percent
from console.domain.load import Series
from console.domain.snapshot import BackendStatus
from console.triage.access import lost
from console.triage.errors import ERROR_RATIO, ErrorRun, find_errors
from console.triage.look import METRICS, Look, change_fact, is_drained
from console.triage.minutes import Run, aligned, find_run, flags, values_until

FLAPPING_TRIP_SECONDS = 60.0
"""A breaker that closes again within a minute of continuing failures flaps."""
FLAPPING_SUCCESS_RATIO = 0.3
"""Flapping means that it closes with reason: this share of answers is fine."""
RANK = 18


@dataclass(frozen=True, slots=True)
class ModelFailures:
    """5xx answers in the account's own metrics: they show even when a retry saves every caller."""

    run: Run
    share: float
    counts: Series


def find_failing(look: Look) -> Iterator[Finding]:
    """Backends whose answers are server errors, or that give none."""
    erring = {s.name for s in look.erring}
    for status in look.backends:
        by_model = _model_failures(status)
        if (by_model is None and status.name not in erring) or is_drained(status):
            continue
        errors = [e for e in look.errors_of(status) if _is_failure(e)]
        by_callers = find_errors(errors, status.load.caller_requests, look) if errors else None
        if by_callers is None and by_model is None:
            continue
        connection = by_callers is not None and all(e.reason in CONNECTION_REASONS for e in by_callers.series)
        yield _finding(look, status, by_callers, by_model, is_unreachable=connection and by_model is None)


def _is_failure(error: ErrorSeries) -> bool:
    """5xx that the backend, or the way to it, is to blame for. Not: 503 because the gateway had nobody left to ask."""
    if error.status_code < 500 or error.backend_status_code in (401, 403, 404, 429):
        return False
    if error.status_code == 503 and (error.backend_status_code or 0) < 500:
        return error.reason in CONNECTION_REASONS
    return error.reason != "ExpressionValueEvaluationFailure"


def _model_failures(status: BackendStatus) -> ModelFailures | None:
    end = status.load.metrics_until_at
    for deployment in status.load.deployments:
        if not any(deployment.failed.values[-3:]) or not any(
            v and v >= 2 for v in values_until(deployment.failed, end)[-2:]
        ):
            continue
        length = len(values_until(deployment.requests, end))
        failed = aligned(deployment.failed, deployment.requests.start_at, length)
        asked = aligned(deployment.requests, deployment.requests.start_at, length)
        bad = flags(length, lambda i, f=failed, a=asked: f[i] >= 2 and f[i] >= a[i] * ERROR_RATIO)  # type: ignore[misc]
        run = find_run(bad, deployment.requests.start_at)
        if run is not None:
            whole = sum(asked[max(run.first, run.last - 4) : run.last + 1])
            part = sum(failed[max(run.first, run.last - 4) : run.last + 1])
            return ModelFailures(run, part / whole if whole else 1.0, deployment.failed)
    return None


def _finding(
    look: Look, status: BackendStatus, callers: ErrorRun | None, model: ModelFailures | None, *, is_unreachable: bool
) -> Finding:
    since_at = min(r.since_at for r in (callers, model.run if model else None) if r is not None)
    counts = callers.counts if callers is not None else []
    hit = look.hit_ratio(counts, since_at)
    flaps = _flaps(status, model)
    share = max((callers.share or 0.0) if callers else 0.0, model.share if model else 0.0)
    if is_unreachable:
        symptom, words = "unreachable", "cannot be reached by the gateway"
    elif flaps:
        symptom, words = "flapping", f"fails {percent(share, 0)} of its calls, and its breaker opens and closes over it"
    else:
        symptom, words = "failing", f"fails {percent(share, 0)} of its calls"
    saved = callers is None and hit is not None
    severity = lost(callers, hit) if callers is not None else Severity.WARNING
    return Finding(
        symptom=symptom,
        subject=status.name,
        title=f"{status.name} {words}" + ("; a retry saves its callers" if saved else ""),
        severity=severity,
        since_at=since_at,
        confidence=Evidence.INFERRED if flaps else Evidence.OBSERVED,
        actions=_actions(look, status, since_at, flaps=flaps),
        hit_ratio=hit,
        evidence=_evidence(look, status, callers, model, since_at, flaps=flaps),
        charts=(ChartRef("errors", status.name), ChartRef("requests", status.name), ChartRef("latency", status.name)),
        rank=RANK,
    )


def _flaps(status: BackendStatus, model: ModelFailures | None) -> bool:
    """Whether its breaker trips on these failures for seconds only, while many answers are fine."""
    if model is None or model.share > 1.0 - FLAPPING_SUCCESS_RATIO:
        return False
    return any(
        rule.trip_duration_seconds < FLAPPING_TRIP_SECONDS and any(rule.counts(code) for code in (500, 502, 503, 504))
        for rule in status.backend.breaker
    )


def _evidence(
    look: Look,
    status: BackendStatus,
    callers: ErrorRun | None,
    model: ModelFailures | None,
    since_at: datetime,
    *,
    flaps: bool,
) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    if model is not None:
        text = f"{percent(model.share)} of its answers are 5xx"
        facts.append(Fact(text, METRICS, status.load.metrics_until_at))
    if callers is not None:
        facts += callers.facts()
    elif model is not None and look.logs_end_at is not None:
        facts.append(Fact("hardly a caller sees them: what fails is tried elsewhere", "gateway logs", look.logs_end_at))
    if flaps:
        rule = status.backend.breaker[0]
        count = f"{rule.failure_count} failure(s)" if rule.failure_count else f"{rule.failure_percentage} % failures"
        spans = f"in {rule.interval_seconds:.0f} s, for {rule.trip_duration_seconds:.0f} s"
        text = f"rule {rule.name}: trips on {count} {spans}"
        facts.append(Fact(text, "configuration"))
    return (*facts, *(change_fact(c) for c in look.changes_of(status, since_at)))


def _actions(look: Look, status: BackendStatus, since_at: datetime, *, flaps: bool) -> tuple[Action, ...]:
    actions: list[Action] = []
    change = next(
        (c for c in look.changes_of(status, since_at) if c.resource_id.lower() == status.backend.resource_id.lower()),
        None,
    )
    if change is not None and not flaps:
        actions.append(Action(ActionKind.BACKEND, f"Take back the change of backend {status.name}", status.name))
    if look.rest_of_pools(status):
        actions.append(Action(ActionKind.DRAIN, f"Drain {status.name} while it fails", status.name))
    elif not actions:
        text = f"Route its callers to a pool: nothing stands in for {status.name}"
        actions.append(Action(ActionKind.FRAGMENT, text))
    if flaps:
        text = f"Give the breaker of {status.name} a count above one and a longer trip"
        actions.append(Action(ActionKind.BACKEND, text, status.name))
    return tuple(actions)
