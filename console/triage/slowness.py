"""A slow backend: it answers everything and takes several times as long as before, and as its peers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from console.domain.callers import LatencySeries
from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence
from console.domain.peers import SLOW_FACTOR, SLOW_FROM_MS
from console.domain.snapshot import BackendStatus
from console.triage.look import LOGS, Look, change_fact, is_drained
from console.triage.minutes import Run, aligned, find_run, flags, usual

ANSWERS_AT_LEAST = 5.0
ANSWERS_ENOUGH = 15.0
"""So many answers make a single minute telling."""
PEER_FACTOR = 2.0
RANK = 34


def find_slow(look: Look, full: frozenset[str]) -> Iterator[Finding]:
    """Backends that became slow. `full`: names of saturated ones; that those queue is known already."""
    if look.detail is None:
        return
    by_host: dict[str, list[LatencySeries]] = {}
    quickest: dict[str, float] = {}
    for latency in look.detail.latencies:
        by_host.setdefault(latency.host, []).append(latency)
        recent = [v for v in latency.p75_ms.values[-3:] if v is not None]
        if recent:
            operation = latency.operation
            quickest[operation] = min(quickest.get(operation, math.inf), *recent)
    for status in look.backends:
        for latency in by_host.get(status.backend.host, ()):
            newest = max((v for v in latency.p75_ms.values[-2:] if v is not None), default=0.0)
            if newest < SLOW_FROM_MS or not _stands_out(latency, newest, quickest):
                continue
            if status.name in full or is_drained(status) or latency.backend not in ("", status.name.lower()):
                continue
            found = _slow(look, status, latency, by_host)
            if found is not None:
                yield found
                break


def _stands_out(latency: LatencySeries, newest: float, quickest: dict[str, float]) -> bool:
    """A quick look: slower than anybody who serves the operation, or than it was itself."""
    if newest >= quickest.get(latency.operation, 0.0) * PEER_FACTOR:
        return True
    least = min([v for v in latency.p75_ms.values[::6] if v is not None], default=newest)
    return newest >= least * SLOW_FACTOR


def _slow(
    look: Look, status: BackendStatus, latency: LatencySeries, by_host: dict[str, list[LatencySeries]]
) -> Finding | None:
    waits = latency.p75_ms.values
    counts = aligned(latency.requests, latency.p75_ms.start_at, len(waits))
    peer = _best_peer(look, status, latency, by_host)
    own_level = _own_level(waits)
    levels = [
        level
        for level in (own_level * SLOW_FACTOR if own_level else None, peer[1] * PEER_FACTOR if peer else None)
        if level
    ]
    if not levels or (own_level is None and peer is None):
        return None
    # Slow against itself and its peers; without a history of its own, against the peers alone, by the full factor.
    limit = max(levels) if own_level is not None else levels[0] * SLOW_FACTOR / PEER_FACTOR
    if peer is not None and own_level is not None and own_level >= peer[1] * SLOW_FACTOR:
        limit = peer[1] * SLOW_FACTOR
    slow = flags(len(waits), lambda i: (waits[i] or 0.0) >= max(limit, SLOW_FROM_MS) and counts[i] >= ANSWERS_AT_LEAST)
    # A few long answers in one minute are chance; in two minutes side by side they are not.
    bad = flags(
        len(slow),
        lambda i: slow[i] and (counts[i] >= ANSWERS_ENOUGH or any(slow[max(0, i - 1) : i]) or any(slow[i + 1 : i + 2])),
    )
    run = find_run(bad, latency.p75_ms.start_at)
    if run is None:
        return None
    return _finding(look, status, latency, run, own_level, peer)


def _own_level(waits: Sequence[float | None]) -> float | None:
    """What callers wait at its quick times: the lower quartile of the hour."""
    known = sorted(v for v in waits if v is not None)
    return known[len(known) // 6] if len(known) >= 6 else None


def _best_peer(
    look: Look, status: BackendStatus, latency: LatencySeries, by_host: dict[str, list[LatencySeries]]
) -> tuple[str, float] | None:
    """The quickest peer that serves the same operation now: its name and 75th percentile, milliseconds."""
    best: tuple[str, float] | None = None
    for peer in look.peers(status):
        if peer.kind is not status.kind:
            continue
        for other in by_host.get(peer.backend.host, ()):
            if other.operation != latency.operation:
                continue
            value = usual(other.p75_ms.values, len(other.p75_ms.values), 5)
            if value is not None and (best is None or value < best[1]):
                best = peer.name, value
    return best


def _finding(
    look: Look,
    status: BackendStatus,
    latency: LatencySeries,
    run: Run,
    own_level: float | None,
    peer: tuple[str, float] | None,
) -> Finding:
    now = latency.p75_ms.values[run.last] or 0.0
    text = f"three of four callers of {latency.operation or 'it'} wait up to {now / 1000:.1f} s"
    facts = [Fact(text, LOGS, run.end_at)]
    if own_level is not None and now >= own_level * SLOW_FACTOR:
        facts.append(Fact(f"{own_level / 1000:.1f} s before", LOGS, run.since_at))
    if peer is not None:
        facts.append(Fact(f"{peer[1] / 1000:.1f} s at {peer[0]}", LOGS, run.end_at))
    failed = look.hit_ratio([e.counts for e in look.errors_of(status) if e.status_code >= 500], run.since_at)
    actions = []
    room = look.roomiest(look.peers(status))
    if room is not None:
        text = f"Move weight to {room.name} as far as its utilization allows"
        actions.append(Action(ActionKind.BACKEND, text, room.name))
    if look.rest_of_pools(status):
        actions.append(Action(ActionKind.DRAIN, f"Drain {status.name} while it is slow", status.name))
    if not actions:
        actions.append(Action(ActionKind.ADVICE, f"Route callers of {status.name} to a pool"))
    against = f", {peer[0]} {peer[1] / 1000:.1f} s" if peer is not None else ""
    return Finding(
        symptom="slow",
        subject=status.name,
        title=f"{status.name} is slow: {now / 1000:.1f} s{against}",
        severity=Severity.WARNING,
        since_at=run.since_at,
        confidence=Evidence.INFERRED,
        actions=tuple(actions),
        hit_ratio=failed,
        evidence=(*facts, *(change_fact(c) for c in look.changes_of(status, run.since_at))),
        charts=(ChartRef("latency", status.name), ChartRef("requests", status.name)),
        rank=RANK,
    )
