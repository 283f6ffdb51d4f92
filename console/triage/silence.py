"""A backend that fell silent: its answered requests stopped while its peers go on. Inferred, with the probe as witness.

When the gateway retries elsewhere, nobody's log names the backend that did not answer: only silence tells. A probe that
fails from here is no proof by itself: the network between here and the backend is not the gateway's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from console.domain.change import GATEWAY_KINDS
from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, HealthState, Probe
from console.domain.snapshot import BackendStatus
from console.triage.look import METRICS, Look, change_fact, is_drained, is_ptu
from console.triage.minutes import MINUTE, usual, values_until

BUSY_ENOUGH = 4.0
"""Requests a minute before; below this, silence says nothing."""
IMPROBABLE = 1e-4
"""Chance of so few requests in a minute, were they as many as before, below which they are held to have stopped."""
WITNESSED = 0.02
"""The same when a probe began to fail: two weak signs make one strong one."""
THINNED_FROM = 15.0
THINNED_RATIO = 0.7
TAKEN_OVER_RATIO = 1.2
"""Part of its requests is lost when it keeps at most 70 % of at least 15 a minute while a peer gets 20 % more."""
RANK = 16


def find_silent(look: Look) -> Iterator[Finding]:
    """Backends that stopped answering, with where and since when."""
    for status in look.backends:
        load = status.load
        if load.requests is None or not load.deployments:
            continue
        values = values_until(load.requests, load.metrics_until_at)
        if len(values) < 5:
            continue
        newest, before_it = values[-1] or 0.0, values[-2] or 0.0
        thinned = _thinned(look, status, values)
        if thinned is not None:
            yield _losing(look, status, *thinned)
            continue
        if newest > 0.75 * (before_it or newest) and newest > 0 and before_it > 0:
            continue
        found = _silence(look, status, values)
        if found is not None:
            yield _finding(look, status, *found)


def find_silent_early(look: Look) -> Iterator[Finding]:
    """Backends without an answer in a minute that is still filling, while their peers have had many.

    Only with a probe that began to fail: metrics of two regions may arrive unevenly.
    """
    for status in look.backends:
        probe, load = status.probe, status.load
        if not _failing(probe) or probe is None or probe.answered_at is None or is_drained(status):
            continue
        values = values_until(load.requests, load.metrics_until_at)
        last = max((i for i, v in enumerate(values) if v), default=-1)
        before = usual(values, last)
        if last < 0 or before is None:
            continue
        expected = 0.0
        for peer in look.rest_of_pools(status):
            taken = values_until(peer.load.requests, load.metrics_until_at)
            was = usual(taken, last)
            if was and last + 1 < len(taken):
                expected = max(expected, before * sum(v or 0.0 for v in taken[last + 1 :]) / was)
        if math.exp(-expected) <= IMPROBABLE:
            thin = (values[last] or 0.0) < 0.8 * before
            yield _finding(look, status, last if thin else last + 1, before)


def _silence(look: Look, status: BackendStatus, values: tuple[float | None, ...]) -> tuple[int, float] | None:
    """(index of the first quiet minute, requests a minute before), None when it is not silent."""
    if is_drained(status) or not (status.memberships or status.routes):
        return None
    first = len(values)
    while first > 0 and not values[first - 1]:
        first -= 1
    # The minute in which it stopped is quieter than the others, and not silent.
    before = usual(values, first - 1)
    if before is None or before < BUSY_ENOUGH:
        return None
    probe = status.probe
    stopped = _failing(probe)
    began = first - 1 if first > 0 and (values[first - 1] or 0.0) < 0.8 * before else first
    if began >= len(values):
        return None
    quiet_minutes = len(values) - first
    seen = values[began] or 0.0
    chance = _poisson_at_most(seen + sum(v or 0.0 for v in values[began + 1 :]), before * (len(values) - began))
    if stopped:
        witnessed = probe is not None and probe.answered_at is not None
        if chance > (WITNESSED if witnessed else IMPROBABLE) or (not witnessed and quiet_minutes < 2):
            return None
        if not _others_go_on(look, status, began) and look.peers(status):
            return None
    elif quiet_minutes < 2 or chance > IMPROBABLE or not look.peers(status) or not _others_go_on(look, status, began):
        return None
    return began, before


def _thinned(look: Look, status: BackendStatus, values: tuple[float | None, ...]) -> tuple[int, float, str] | None:
    """(first thin minute, requests before, the peer that took over), None when it gets what it got.

    Some of its calls are lost on the way: a retry takes them to its peers, and only the shares tell.
    """
    newest, before_it = values[-1] or 0.0, values[-2] or 0.0
    if not newest or not before_it:
        return None
    earlier = sum(v or 0.0 for v in values[-12:-3]) / 9
    if earlier < THINNED_FROM or max(newest, before_it) > earlier * THINNED_RATIO or is_drained(status):
        return None
    first = len(values)
    while first > 0 and (values[first - 1] or 0.0) <= earlier * 0.8:
        first -= 1
    before = usual(values, first)
    if before is None or before < THINNED_FROM or max(newest, before_it) > before * THINNED_RATIO:
        return None
    span = values[first:]
    if _poisson_at_most(sum(v or 0.0 for v in span), before * len(span)) > IMPROBABLE:
        return None
    since_at = (status.load.requests.start_at if status.load.requests else look.now) + first * MINUTE
    if look.changes_before(since_at, GATEWAY_KINDS):
        return None
    for peer in look.peers(status):
        taken = values_until(peer.load.requests, status.load.metrics_until_at)
        was = usual(taken, first)
        if was and sum(v or 0.0 for v in taken[-2:]) / 2 >= was * TAKEN_OVER_RATIO:
            return first, before, peer.name
    return None


def _losing(look: Look, status: BackendStatus, first: int, before: float, peer: str) -> Finding:
    load = status.load
    assert load.requests is not None
    since_at = load.requests.start_at + first * MINUTE
    values = values_until(load.requests, load.metrics_until_at)
    now = sum(v or 0.0 for v in values[-2:]) / 2
    facts = [
        Fact(f"answered requests fell from {before:.0f} a minute to {now:.0f}", METRICS, load.metrics_until_at),
        Fact(f"{peer} took over what it lost", METRICS, load.metrics_until_at),
    ]
    probe = status.probe
    if probe is not None and _failing(probe):
        facts.append(Fact(f"from here: {probe.error or f'HTTP {probe.status_code}'}", "probe", probe.at))
    return Finding(
        symptom="losing calls",
        subject=status.name,
        title=f"{status.name} loses part of its calls on the way; its callers are served by {peer}",
        severity=Severity.WARNING,
        since_at=since_at,
        confidence=Evidence.INFERRED,
        actions=(
            Action(ActionKind.DRAIN, f"Drain {status.name} until it answers everything again", status.name),
            Action(ActionKind.ADVICE, "Look at its breaker and at connections to its host"),
        ),
        hit_ratio=look.hit_ratio([e.counts for e in look.errors_of(status) if e.status_code >= 500], since_at),
        evidence=tuple(facts),
        charts=(ChartRef("requests", status.name), ChartRef("requests", peer)),
        rank=RANK + 2,
    )


def _failing(probe: Probe | None) -> bool:
    return probe is not None and (not probe.answered or (probe.status_code or 0) >= 500)


def _others_go_on(look: Look, status: BackendStatus, began: int) -> bool:
    """Whether any peer still gets at least half of what it got before: else the callers left, not the backend."""
    for peer in look.rest_of_pools(status):
        values = values_until(peer.load.requests, status.load.metrics_until_at)
        before = usual(values, began)
        if before and (values[-1] or 0.0) >= before * 0.5:
            return True
    return False


def _poisson_at_most(count: float, expected: float) -> float:
    """The chance of at most `count` requests where `expected` are usual."""
    if expected <= 0:
        return 1.0
    if expected > 500:
        z = (count + 0.5 - expected) / math.sqrt(expected)
        return 0.5 * math.erfc(-z / math.sqrt(2))
    term = total = math.exp(-expected)
    for k in range(1, int(count) + 1):
        term *= expected / k
        total += term
    return min(1.0, total)


def _finding(look: Look, status: BackendStatus, began: int, before: float) -> Finding:
    load, probe = status.load, status.probe
    assert load.requests is not None
    since_at = load.requests.start_at + began * MINUTE
    newest = values_until(load.requests, load.metrics_until_at)[-1]
    facts = [
        Fact(f"answered requests fell from {before:.0f} a minute to {newest or 0:.0f}", METRICS, load.metrics_until_at)
    ]
    if _failing(probe) and probe is not None:
        facts.append(Fact(f"from here: {probe.error or f'HTTP {probe.status_code}'}", "probe", probe.at))
    others = look.rest_of_pools(status)
    if others:
        facts.append(Fact(f"{others[0].name} goes on", METRICS, others[0].load.metrics_until_at))
    hit = look.hit_ratio([e.counts for e in look.errors_of(status) if e.status_code >= 500], since_at)
    neighbours = [
        s.name
        for s in look.backends
        if s.name != status.name and s.region == status.region and s.health.state is HealthState.UNREACHABLE
    ]
    if neighbours and status.region:
        facts.append(Fact(f"{', '.join(neighbours)} in {status.region} too: the region may be out", "probe", look.now))
    actions = [Action(ActionKind.DRAIN, f"Drain {status.name} until it answers again", status.name)] if others else []
    room = look.roomiest(others)
    watch = f"Watch the load of what is left{': ' + room.name + ' has room' if room else ''}"
    return Finding(
        symptom="unreachable",
        subject=status.name,
        title=f"{status.name} has stopped answering" + ("; its callers are served elsewhere" if others else ""),
        severity=Severity.WARNING if others else Severity.CRITICAL,
        since_at=since_at,
        confidence=Evidence.INFERRED,
        actions=(*actions, Action(ActionKind.ADVICE, watch)),
        hit_ratio=hit,
        evidence=(*facts, *(change_fact(c) for c in look.changes_of(status, since_at))),
        charts=(ChartRef("requests", status.name), ChartRef("errors", "")),
        rank=RANK if is_ptu(status) else RANK + 1,
    )
