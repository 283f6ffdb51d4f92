"""Uneven balance: members of equal priority that get far more or less than their weights say. Pure.

Source: API Management backends: units balance by themselves and do not synchronise, so shares are approximate; only a
lasting and large difference is told, and never while a member is full, failing or drained: then it is a consequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.gateway import Pool, RouteKind
from console.domain.health import Evidence, HealthState, percent
from console.domain.snapshot import BackendStatus
from console.triage.look import METRICS, Look
from console.triage.minutes import values_until

BALANCE_MINUTES = 15
DIFFERENCE = 0.2
"""Twenty points of share between what the weights say and what is."""
REQUESTS_AT_LEAST = 300.0
RANK = 40


def find_uneven(look: Look, troubled: frozenset[str]) -> Iterator[Finding]:
    """Pools whose first priority is not shared as its weights say. `troubled`: backends with a finding of their own."""
    for pool in look.snapshot.gateway.pools if look.snapshot.gateway is not None else ():
        first = min((m.priority or 0 for m in pool.members), default=0)
        members = [m for m in pool.members if (m.priority or 0) == first]
        statuses = [s for m in members if (s := look.status(m.backend_name)) is not None]
        if len(statuses) < 2 or len(statuses) != len(members) or any(s.name in troubled for s in statuses):
            continue
        if any(s.health.state is not HealthState.HEALTHY for s in statuses) or not _same_places(look, statuses):
            continue
        finding = _uneven(pool, [m.weight if m.weight is not None else 1 for m in members], statuses)
        if finding is not None:
            yield finding


def _same_places(look: Look, statuses: Sequence[BackendStatus]) -> bool:
    """Whether all members stand in the same pools: else other pools explain the difference."""
    places = [sorted((m.pool_name, m.priority or 0, m.weight or 0) for m in s.memberships) for s in statuses]
    names = [[p[:2] for p in place] for place in places]
    return all(n == names[0] for n in names) and not any(
        r.target == s.name and r.kind is not RouteKind.POOL for s in statuses for r in s.routes
    )


def _uneven(pool: Pool, weights: Sequence[int], statuses: Sequence[BackendStatus]) -> Finding | None:
    asked = []
    for status in statuses:
        values = values_until(status.load.requests, status.load.metrics_until_at)[-BALANCE_MINUTES:]
        if len(values) < BALANCE_MINUTES:
            return None
        asked.append(sum(filter(None, values)))
    whole, weight = sum(asked), sum(weights)
    if whole < REQUESTS_AT_LEAST or not weight:
        return None
    differences = [a / whole - w / weight for a, w in zip(asked, weights, strict=True)]
    worst = max(range(len(statuses)), key=lambda i: abs(differences[i]))
    if abs(differences[worst]) < DIFFERENCE:
        return None
    status = statuses[worst]
    until = status.load.metrics_until_at
    share, due = asked[worst] / whole, weights[worst] / weight
    return Finding(
        symptom="uneven",
        subject=pool.name,
        title=f"{pool.name} is shared unevenly: {status.name} gets {percent(share, 0)} instead of {percent(due, 0)}",
        severity=Severity.INFO,
        since_at=until - timedelta(minutes=BALANCE_MINUTES) if until is not None else None,
        confidence=Evidence.INFERRED,
        actions=(Action(ActionKind.BACKEND, f"Look at who sends to {status.name}, and at the weights", status.name),),
        evidence=tuple(
            Fact(f"{s.name}: {percent(a / whole, 0)} of requests, weight {w}", METRICS, until)
            for s, a, w in zip(statuses, asked, weights, strict=True)
        ),
        charts=tuple(ChartRef("requests", s.name) for s in statuses[:3]),
        rank=RANK,
    )
