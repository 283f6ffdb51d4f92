"""The lines every screen shares: header, verdict, problems, hints. Pure: from the snapshot to cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from console.domain.snapshot import GatewaySnapshot, Level, Problem
from screens.figures import format_count
from screens.spans import Cell, Span, Tone, fit, join, shorten, shorten_middle, tint, visible, width_of, wrap

LEVEL_GLYPHS: dict[Level, tuple[str, Tone]] = {
    Level.OK: ("●", Tone.GOOD),
    Level.WARNING: ("▲", Tone.WARN),
    Level.CRITICAL: ("✖", Tone.HARM),
    Level.UNKNOWN: ("?", Tone.QUIET),
}

BUDGET_STALE_SECONDS = 120.0
"""What is left refills by the minute: an older number says little."""
NAME_IN_VERDICT_WIDTH = 24
"""Names in the verdict are shortened to this, so that what befalls callers stays in sight."""

PUBLIC_CLOUD = "AzureCloud"


def badges(snapshot: GatewaySnapshot, is_paused: bool) -> list[Cell]:
    """What must never be overlooked, as words on colour: where we are and what may be done here."""
    listed: list[Cell] = []
    if snapshot.replayed_from:
        listed.append((Span(f" REPLAY {visible(snapshot.replayed_from)} ", Tone.BADGE),))
    if snapshot.is_production:
        listed.append((Span(" PRODUCTION ", Tone.BADGE_PRODUCTION),))
    if snapshot.simulated:
        listed.append((Span(" SIMULATED ", Tone.BADGE_SIMULATED),))
    elif snapshot.simulated is None:
        listed.append((Span("…", Tone.QUIET),))  # a cloud is claimed only by an answer
    elif snapshot.cloud_name:
        listed.append((Span(visible(snapshot.cloud_name), Tone.QUIET),))
    if snapshot.is_read_only:
        listed.append((Span(" READ-ONLY ", Tone.BADGE_READ_ONLY),))
    else:
        listed.append((Span("read-write", Tone.QUIET),))
    if is_paused or snapshot.is_paused:
        listed.append((Span(" PAUSED ", Tone.BADGE),))
    return listed


def budget_cell(snapshot: GatewaySnapshot, now: datetime) -> Cell:
    """Reads and writes Resource Manager says are left, `–` until it said so, dim when it said so long ago."""
    budget = snapshot.budget
    if budget.arm_reads_remaining is None and budget.arm_writes_remaining is None:
        return Span("ARM ", Tone.QUIET), Span("–", Tone.FAINT)
    parts: list[Cell] = []
    for left, letter in ((budget.arm_reads_remaining, "r"), (budget.arm_writes_remaining, "w")):
        if left is not None:
            tone = Tone.WARN if left < 20 else Tone.QUIET
            parts.append((Span(f"{format_count(left)}{letter}", tone),))
    cell = (Span("ARM ", Tone.QUIET), *join(parts, " "))
    age = (now - budget.observed_at).total_seconds() if budget.observed_at is not None else 0.0
    return tint(cell, Tone.STALE) if age > BUDGET_STALE_SECONDS else cell


def header_line(snapshot: GatewaySnapshot, now: datetime, width: int, is_paused: bool = False) -> Cell:
    """Gateway, region and subscription on the left; badges, budget and clock on the right. Never wider than `width`.

    What is left out first: the subscription, the budget, the region, the seconds. Badges never are.
    """
    clock = (Span(now.strftime("%H:%M:%SZ"), Tone.QUIET),)
    if not snapshot.profile_name:
        name = (Span(" genaigw-console", Tone.STRONG),)
        return (*fit(name, width - width_of(clock) - 1), *clock, Span(" "))
    marks = badges(snapshot, is_paused)
    name = visible(snapshot.gateway.name if snapshot.gateway else snapshot.service_name)
    region = visible(snapshot.gateway.region) if snapshot.gateway else ""
    subscription = _short_subscription(snapshot.subscription_id)
    budget = budget_cell(snapshot, now)
    for extras in ((region, subscription, budget), (region, "", budget), (region, "", ()), ("", "", ())):
        left = join([(Span(name, Tone.STRONG),), *((Span(text, Tone.QUIET),) for text in extras[:2] if text)], " · ")
        right = join([*marks, extras[2], clock], "  ")
        room = width - width_of(left) - width_of(right) - 4
        if room >= 0:
            return (Span(" "), *left, Span(" " * (room + 2)), *right, Span(" "))
    right = join(marks, " ")
    left = (Span(shorten(name, max(1, width - width_of(right) - 3)), Tone.STRONG),)
    gap = max(1, width - width_of(left) - width_of(right) - 2)
    return (Span(" "), *left, Span(" " * gap), *right)


def _short_subscription(subscription_id: str) -> str:
    """The first block of a subscription id, or a short name whole."""
    text = visible(subscription_id)
    return f"sub {text[:8]}…" if len(text) > 12 else (f"sub {text}" if text else "")


def verdict_lines(snapshot: GatewaySnapshot, width: int) -> list[Cell]:
    """The answer first, wrapped to at most three lines."""
    glyph, tone = LEVEL_GLYPHS[snapshot.verdict.level]
    text_tone = {Tone.HARM: Tone.HARM, Tone.WARN: Tone.STRONG}.get(tone, Tone.PLAIN)
    spans = (Span(f" {glyph} ", tone), Span(_with_short_names(snapshot), text_tone))
    return wrap(spans, width - 1, indent=3, max_lines=3)


def _with_short_names(snapshot: GatewaySnapshot) -> str:
    """The verdict's sentence made visible, long names of backends and pools with their middle left out."""
    text = visible(snapshot.verdict.text)
    names = [visible(status.name) for status in snapshot.backends]
    names += [visible(pool.pool.name) for pool in snapshot.pools]
    for name in sorted({name for name in names if len(name) > NAME_IN_VERDICT_WIDTH}, key=len, reverse=True):
        text = text.replace(name, shorten_middle(name, NAME_IN_VERDICT_WIDTH))
    return text


def problem_lines(problems: Sequence[Problem], width: int) -> list[Cell]:
    """The first problem in at most two lines and how many more there are; nothing when all is well."""
    if not problems:
        return []
    first = problems[0]
    more = f" (+{len(problems) - 1} more, :problems)" if len(problems) > 1 else ""
    spans = (
        Span(" ! ", Tone.WARN),
        Span(visible(first.what), Tone.PLAIN),
        Span(f" · {visible(first.where)}" if first.where else "", Tone.QUIET),
        Span(f" → {visible(first.remedy)}" if first.remedy else "", Tone.ACCENT),
    )
    lines = wrap(spans, width - 1 - (len(more) if more else 0), indent=3, max_lines=2)
    lines[-1] = (*lines[-1], Span(more, Tone.QUIET))
    return lines


@dataclass(frozen=True, slots=True)
class Hint:
    """A key and what it does, clickable by `action`."""

    key: str
    words: str
    action: str


def hints_line(hints: Sequence[Hint], always: Sequence[Hint], width: int) -> Cell:
    """As many `hints` as fit whole, then the ones that always stand (the prompt, quit, help)."""

    def cell(hint: Hint) -> Cell:
        return Span(hint.key, Tone.KEY, hint.action), Span(f" {hint.words}", Tone.QUIET, hint.action)

    tail = [cell(hint) for hint in always]
    room = width - 2 - sum(width_of(drawn) + 2 for drawn in tail)
    shown: list[Cell] = []
    for hint in hints:
        drawn = cell(hint)
        if width_of(drawn) + 2 > room:
            break
        shown.append(drawn)
        room -= width_of(drawn) + 2
    return (Span(" "), *join([*shown, *tail], "  "))
