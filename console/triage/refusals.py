"""The gateway itself refuses: by a policy's limit, for want of capacity, or with nobody left to ask. Pure.

Source: interpretation of ApiManagementGatewayLogs: a 429 without a backend's answer is the gateway's own; with a reason
or message (RateLimitExceeded, "Token limit is exceeded") a policy limits, without one the gateway lacks capacity. A 503
without a backend's answer means that breakers are open or a pool is exhausted; no reason of it is documented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.domain.callers import CONNECTION_REASONS, ErrorSeries
from console.domain.change import GATEWAY_KINDS
from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, percent
from console.domain.load import Series
from console.triage.errors import ErrorRun, find_errors
from console.triage.look import LOGS, Look, change_fact
from console.triage.minutes import index_at
from console.triage.severity import severity_of

POLICY_RANK = 22
CAPACITY_RANK = 20
EXHAUSTED_RANK = 30


def find_gateway_refusals(look: Look) -> Iterator[Finding]:
    """Findings about refusals that no backend made."""
    if look.detail is None:
        return
    own = [e for e in look.detail.errors if not e.backend_status_code and e.status_code in (403, 429, 503)]
    limited = [e for e in own if _is_policy_limit(e)]
    starved = [e for e in own if e.status_code == 429 and not e.reason and not e.message]
    run = find_errors(limited, look.caller_requests, look) or _one_consumer(look, limited)
    if run is not None:
        yield _limited(look, run)
    run = find_errors(starved, look.caller_requests, look)
    if run is not None:
        yield _starved(look, run)
    run = find_errors([e for e in look.detail.errors if _nobody_left(e)], look.caller_requests, look)
    if run is not None:
        yield _exhausted(look, run)


def _is_policy_limit(error: ErrorSeries) -> bool:
    if error.status_code == 429:
        return bool(error.reason or error.message)
    return error.status_code == 403 and ("quota" in error.reason.lower() or "quota" in error.message.lower())


def _nobody_left(error: ErrorSeries) -> bool:
    return (
        error.status_code == 503 and (error.backend_status_code or 0) < 500 and error.reason not in CONNECTION_REASONS
    )


def _one_consumer(look: Look, limited: Sequence[ErrorSeries]) -> ErrorRun | None:
    """Limits that hit one consumer hard, though few among all requests."""
    if not limited or look.detail is None:
        return None
    for consumer in look.detail.consumers:
        if sum(v or 0.0 for v in consumer.throttled.values[-2:]) >= 3:
            run = find_errors(limited, consumer.requests, look)
            if run is not None:
                return run
    return None


def _limited(look: Look, run: ErrorRun) -> Finding:
    hit = look.hit_ratio(run.counts, run.since_at)
    whom = _hit_consumers(look, run)
    worst = run.series[0]
    reason = worst.reason or worst.message[:60]
    changes = look.changes_before(run.since_at, GATEWAY_KINDS)
    facts = [*run.facts(), *(Fact(f"{name}: {text}", LOGS, look.logs_end_at) for name, text in whom)]
    first = whom[0][0] if whom else "the consumer"
    actions = [Action(ActionKind.QUERY, "Look at who is limited", "consumers_by_minute")]
    if changes:
        actions.insert(0, Action(ActionKind.ROLLBACK, f"Roll back {changes[0].subject}", changes[0].name))
    actions.append(Action(ActionKind.ADVICE, f"Raise the limit of {first}, or let it wait: the limit does its work"))
    return Finding(
        symptom="policy limit",
        subject=run.api_names or "the gateway",
        title=f"A policy limits callers of {run.api_names or 'the gateway'} ({reason})",
        severity=severity_of(hit, Severity.WARNING),
        since_at=run.since_at,
        confidence=Evidence.OBSERVED,
        actions=tuple(actions),
        hit_ratio=hit,
        evidence=(*facts, *(change_fact(c) for c in changes[:3])),
        charts=(ChartRef("caller-429", ""), *(ChartRef("requests", f"consumer:{name}") for name, _ in whom[:2])),
        rank=POLICY_RANK,
    )


def _hit_consumers(look: Look, run: ErrorRun) -> list[tuple[str, str]]:
    """Consumers with 429s in the run, worst first: (name, how much)."""
    hit: list[tuple[float, str, str]] = []
    for consumer in look.detail.consumers if look.detail is not None else ():
        first = index_at(consumer.throttled, run.since_at)
        count = _sum_from(consumer.throttled, first)
        asked = _sum_from(consumer.requests, first)
        if count and asked:
            text = f"{percent(count / asked, 0)} of its requests get a 429"
            hit.append((count, consumer.name or "callers without a key", text))
    return [(name, text) for _, name, text in sorted(hit, key=lambda item: (-item[0], item[1]))[:3]]


def _sum_from(series: Series, first: int) -> float:
    return sum(v or 0.0 for v in series.values[max(0, first) :])


def _starved(look: Look, run: ErrorRun) -> Finding:
    hit = look.hit_ratio(run.counts, run.since_at)
    return Finding(
        symptom="gateway capacity",
        subject=look.snapshot.service_name,
        title="The gateway answers 429 by itself, with no policy's reason: it lacks capacity",
        severity=severity_of(hit, Severity.WARNING),
        since_at=run.since_at,
        confidence=Evidence.INFERRED,
        actions=(Action(ActionKind.ADVICE, "Add scale units; look at Capacity and CpuPercent_Gateway in the portal"),),
        hit_ratio=hit,
        evidence=tuple(run.facts()),
        charts=(ChartRef("caller-429", ""), ChartRef("requests", "")),
        rank=CAPACITY_RANK,
    )


def _exhausted(look: Look, run: ErrorRun) -> Finding:
    hit = look.hit_ratio(run.counts, run.since_at)
    weary = [p.pool.name for p in look.snapshot.pools if p.state in ("exhausted", "throttled", "failing")]
    pools = ", ".join(weary) or run.api_names or "a pool"
    full = [
        b.name
        for b in look.backends
        if b.health.state.value in ("Busy", "Throttled", "Tripped", "Failing", "Unreachable")
    ]
    facts = [*run.facts()]
    if full:
        facts.append(Fact(f"under pressure: {', '.join(full[:5])}", "metrics", look.now))
    return Finding(
        symptom="exhausted",
        subject=next((e.api for e in run.series if e.api), "the gateway"),
        title=f"Nobody is left to ask in {pools}: callers get 503",
        severity=severity_of(hit, Severity.WARNING),
        since_at=run.since_at,
        confidence=Evidence.INFERRED,
        actions=(
            Action(ActionKind.RESTORE, "Restore what is drained")
            if look.snapshot.drains
            else Action(ActionKind.ADVICE, "Take load off: limit the consumer that grew, or add capacity to the pool"),
        ),
        hit_ratio=hit,
        evidence=tuple(facts),
        charts=(ChartRef("errors", ""), ChartRef("requests", "")),
        rank=EXHAUSTED_RANK,
    )
