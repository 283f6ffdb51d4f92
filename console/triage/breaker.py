"""A breaker that has probably tripped: requests fell to nothing after failures its rules count. Always inferred. Pure.

Source: backends reference: a tripped backend is skipped for the rule's duration, or as long as its Retry-After asked
for when the rule accepts that; no API tells the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, HealthState
from console.triage.look import Look

RANK = 32


def find_tripped(look: Look, explained: frozenset[str]) -> Iterator[Finding]:
    """Backends whose health says Tripped; not those whose failures are found already (`explained`)."""
    for status in look.backends:
        health = status.health
        if health.state is not HealthState.TRIPPED or status.name in explained:
            continue
        rule = status.backend.breaker[0]
        until_at = None
        if health.since_at is not None and not rule.accept_retry_after:
            until_at = health.since_at + timedelta(seconds=rule.trip_duration_seconds)
        until = f" until about {until_at:%H:%M:%S}" if until_at is not None else ""
        yield Finding(
            symptom="breaker open",
            subject=status.name,
            title=f"The breaker of {status.name} is probably open{until}",
            severity=Severity.WARNING,
            since_at=health.since_at,
            until_at=until_at,
            confidence=Evidence.INFERRED,
            actions=(Action(ActionKind.BACKEND, f"Look at what {status.name} failed with", status.name),),
            hit_ratio=None,
            evidence=tuple(Fact(reason, health.source, look.now) for reason in health.reasons[:2]),
            charts=(ChartRef("requests", status.name), ChartRef("errors", status.name)),
            rank=RANK,
        )
