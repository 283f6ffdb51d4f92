"""A consumer flooding: one caller asks so much more than before that it crowds out the others. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from console.domain.callers import CallersDetail, ConsumerLoad
from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, HealthState, percent
from console.triage.look import LOGS, Look
from console.triage.minutes import MINUTE, aligned, find_run, flags, index_at, usual
from console.triage.severity import severity_of

FLOOD_FACTOR = 4.0
"""Assumed: asking this many times as much as before is a flood, when it also has much of the whole."""
FLOOD_SHARE = 0.4
FLOOD_REQUESTS = 30.0
"""Requests a minute more than before; below this nobody is crowded out."""
GROWN_FACTOR = 1.5
"""A consumer that grew by half since a symptom began is worth naming beside it."""
RANK = 10


def find_flooding(look: Look) -> Iterator[Finding]:
    """One finding for a consumer that floods the gateway."""
    detail, everything = look.detail, look.caller_requests
    if detail is None or everything is None:
        return
    for consumer in detail.consumers:
        asked = consumer.requests.values
        if not asked or max(asked[-1] or 0.0, asked[-2] or 0.0 if len(asked) > 1 else 0.0) < FLOOD_REQUESTS:
            continue
        whole = aligned(everything, consumer.requests.start_at, len(asked))
        # Minutes before the gateway's first logged request are not known, and the first is rarely whole.
        known_from = next((i for i, v in enumerate(whole) if v), len(whole)) + 1
        finding = _flood(look, consumer, whole, known_from)
        if finding is not None:
            yield finding


def _flood(look: Look, consumer: ConsumerLoad, everything: list[float], known_from: int) -> Finding | None:
    asked = [v or 0.0 for v in consumer.requests.values]
    length = len(asked)
    before = _level_before(asked[known_from:])
    if before is None:
        return None
    least = max(before * FLOOD_FACTOR, before + FLOOD_REQUESTS)
    floods = flags(length, lambda i: i >= known_from and asked[i] >= max(least, everything[i] * FLOOD_SHARE))
    run = find_run(floods, consumer.requests.start_at)
    if run is None:
        return None
    # The minute in which it began to rise belongs to it: rates ramp.
    first = run.first
    if first > 0 and asked[first - 1] >= before * GROWN_FACTOR + 10:
        first -= 1
    since_at = consumer.requests.start_at + first * MINUTE
    name = consumer.name or "callers without a key"
    hit = look.harm_ratio(since_at)
    pressed = [s.name for s in look.backends if s.health.state in (HealthState.THROTTLED, HealthState.BUSY)]
    share = asked[run.last] / everything[run.last] if everything[run.last] else 0.0
    facts = [
        Fact(f"{name} asks {asked[run.last]:.0f} requests a minute, {before:.0f} before", LOGS, run.end_at),
        Fact(f"{percent(share, 0)} of all requests", LOGS, run.end_at),
    ]
    if consumer.tokens is not None:
        tokens = consumer.tokens.values[run.last]
        was = usual(consumer.tokens.values, run.first)
        if tokens and was is not None:
            facts.append(Fact(f"{tokens:,.0f} tokens a minute, {was:,.0f} before", LOGS, run.end_at))
    if pressed:
        facts.append(Fact(f"under pressure: {', '.join(pressed[:4])}", "metrics", look.now))
    harmless = Severity.WARNING if pressed or (hit or 0.0) > 0 else Severity.INFO
    return Finding(
        symptom="flooding",
        subject=name,
        title=f"{name} floods the gateway: {asked[run.last]:.0f} requests a minute instead of {before:.0f}",
        severity=severity_of(hit, harmless),
        since_at=since_at,
        confidence=Evidence.OBSERVED,
        actions=(
            Action(ActionKind.FRAGMENT, f"Limit {name} with a token limit", "limit-tokens"),
            Action(ActionKind.ADVICE, f"Tell the owner of {name}"),
        ),
        hit_ratio=hit,
        evidence=tuple(facts),
        charts=(ChartRef("requests", f"consumer:{consumer.name}"), ChartRef("caller-429", ""), ChartRef("errors", "")),
        rank=RANK,
    )


def _level_before(asked: list[float]) -> float | None:
    """What a consumer asks in its quiet minutes of the hour; None when too little is known.

    Taken low, so that a flood which has filled most of the hour is still one.
    """
    if len(asked) < 6:
        return None
    return sorted(asked)[max(2, len(asked) // 12)]


def growth_facts(look: Look, since_at: datetime) -> list[Fact]:
    """Consumers that ask noticeably more than before a symptom began, the greatest growth first; three at most."""
    if look.detail is None:
        return []
    known = look.growth.get(since_at)
    if known is None:
        known = look.growth[since_at] = _growth(look.detail, since_at)
    return known


def _growth(detail: CallersDetail, since_at: datetime) -> list[Fact]:
    grown: list[tuple[float, Fact]] = []
    for consumer in detail.consumers:
        values = consumer.requests.values
        first = index_at(consumer.requests, since_at)
        if first >= len(values):
            continue
        before = usual(values, first - 1)
        after = [v or 0.0 for v in values[max(0, first) :]][-5:]
        if before is None or not after:
            continue
        now = sum(after) / len(after)
        if now >= before * GROWN_FACTOR and now - before >= 10:
            name = consumer.name or "callers-without-a-key"
            text = f"{name} grew from {before:.0f} to {now:.0f} requests a minute"
            grown.append((now - before, Fact(text, LOGS, detail.window.end_at)))
    return [fact for _, fact in sorted(grown, key=lambda item: -item[0])[:3]]
