"""Plans, steps and outcomes of drains as lines of cells. Pure: no widget, no clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from console.azure.senders import Sender
from console.operations.drain.gateway_state import Step
from console.operations.drain.plan import DrainPlan
from console.operations.drain.predict import SurvivorLoad
from console.operations.drain.prove import Ending, Look, Outcome, describe_route
from console.operations.drain.report import guard_word, route_rows, sender_text
from console.operations.drain.restore import RestorePlan
from console.operations.guards import Guard, GuardVerdict
from screens.figures import format_count, format_percent
from screens.spans import Cell, Span, Tone, fit, visible, wrap

LABEL_COLUMNS = 11
GUARD_GLYPHS: dict[GuardVerdict, tuple[str, Tone]] = {
    GuardVerdict.PASSED: ("✓", Tone.GOOD),
    GuardVerdict.WARNING: ("!", Tone.WARN),
    GuardVerdict.REFUSED: ("✗", Tone.HARM),
}
ENDING_GLYPHS: dict[Ending, tuple[str, str, Tone]] = {
    Ending.DRAINED: ("○", "Drained", Tone.GOOD),
    Ending.TIMED_OUT: ("▲", "Timed out", Tone.WARN),
    Ending.OVERWRITTEN: ("▲", "Overwritten", Tone.WARN),
}
TIGHT_RATIO = 0.85
LOOKS_SHOWN = 12


def plan_lines(plan: DrainPlan, width: int) -> list[Cell]:
    """Routes before and after, survivors now and predicted, guards with glyph and word."""
    arriving = plan.requests_per_minute
    count = "Its traffic is not known" if arriving is None else f"{format_count(arriving)} requests a minute arrive now"
    intro = f"No new requests; it stays configured and watched. Undo any time with r. {count}."
    lines = [*wrap((Span(visible(intro), Tone.QUIET),), width), ()]
    if plan.refusals:
        lines += [*_labelled("REFUSED", [_guard(g) for g in plan.refusals], width), ()]
    lines += [*_routes(plan, width), ()]
    lines += _labelled("SURVIVORS", [_survivor(s) for s in plan.prediction.survivors] or [_nobody(plan)], width)
    lines += _labelled("", [(Span(f"? {visible(t)}", Tone.WARN),) for t in plan.prediction.unknown], width)
    lines += [(), *_labelled("GUARDS", [_guard(g) for g in _others(plan)], width)]
    return lines


def _routes(plan: DrainPlan, width: int) -> list[Cell]:
    rows = route_rows(plan)
    if not rows:
        return [(Span("No route to it was found: draining it moves nothing.", Tone.WARN),)]
    first = min(max(len(name) for name, _, _ in rows), max(14, width * 32 // 100))
    second = (width - first - 4) // 2
    third = width - first - second - 4
    head = (("ROUTES", first), ("BEFORE", second), ("AFTER", third))
    lines: list[Cell] = [_side_by_side([(Span(word, Tone.HEAD),) for word, _ in head], [w for _, w in head])]
    for name, before, after in rows:
        stays = "stays" in after
        after_cell = (Span(f"{'✗ ' if stays else ''}{_together(after)}", Tone.WARN if stays else Tone.STRONG),)
        columns = [
            wrap((Span(visible(name)),), first, indent=2),
            wrap((Span(_together(before), Tone.QUIET),), second),
            wrap(after_cell, third),
        ]
        lines += [
            _side_by_side([cell or () for cell in cells], [first, second, third]) for cells in zip_longest(*columns)
        ]
    return lines


def _together(members: str) -> str:
    """Members made visible, a weight never on another line than its name."""
    return re.sub(r" (\d+)(?=,|$)", "\u00a0\\1", visible(members))


def _side_by_side(cells: Sequence[Cell], widths: Sequence[int]) -> Cell:
    spans: list[Span] = []
    for cell, width in zip(cells, widths, strict=True):
        trimmed = (*cell[:-1], cell[-1]._replace(text=cell[-1].text.rstrip())) if cell else cell
        fitted = fit(trimmed, width)
        spans += [*(span._replace(text=span.text.replace("\u00a0", " ")) for span in fitted), Span("  ")]
    return tuple(spans)


def _labelled(label: str, cells: Sequence[Cell], width: int) -> list[Cell]:
    lines: list[Cell] = []
    for index, cell in enumerate(cells):
        head = fit((Span(label if index == 0 else "", Tone.HEAD),), LABEL_COLUMNS)
        lines += wrap((*head, *cell), width, indent=LABEL_COLUMNS + 2)
    return lines


def _survivor(load: SurvivorLoad) -> Cell:
    limit = "of its capacity" if load.kind.value == "ptu" else "of its limit"
    predicted = load.predicted_ratio
    if predicted is None:
        tone, mark = Tone.QUIET, "?"
    elif predicted > 1.0:
        tone, mark = (Tone.WARN, "!") if load.kind.value == "ptu" else (Tone.HARM, "✗")
    else:
        tone, mark = (Tone.WARN, "!") if predicted > TIGHT_RATIO else (Tone.GOOD, "✓")
    return (
        Span(f"{visible(load.backend_name)} "),
        Span(f"{visible(load.deployment_name)}  ", Tone.QUIET),
        Span(f"{_share(load.now_ratio)} → ", Tone.PLAIN),
        Span(_share(predicted), Tone.STRONG),
        Span(f" {limit} ", Tone.QUIET),
        Span(mark, tone),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else format_percent(value)


def _nobody(plan: DrainPlan) -> Cell:
    words = "nothing moves: no pool holds it" if not plan.changes else "nobody takes its traffic over"
    return (Span(words, Tone.WARN),)


def _others(plan: DrainPlan) -> list[Guard]:
    """The guards that do not refuse, warnings first."""
    others = [guard for guard in plan.guards if guard.verdict is not GuardVerdict.REFUSED]
    return sorted(others, key=lambda guard: guard.verdict is GuardVerdict.PASSED)


def _guard(guard: Guard) -> Cell:
    glyph, tone = GUARD_GLYPHS[guard.verdict]
    text_tone = Tone.PLAIN if guard.verdict is GuardVerdict.PASSED else Tone.STRONG
    word = guard_word(guard) if guard.verdict is GuardVerdict.WARNING else ""
    return Span(f"{glyph} ", tone), Span(word, tone), Span(visible(guard.text), text_tone)


def restore_lines(plan: RestorePlan, width: int) -> list[Cell]:
    """What a restore would do, pool by pool; what somebody else changed meanwhile stands out."""
    record = plan.record
    who = f"Drained by {record.owner} since {record.started_at:%Y-%m-%d %H:%M}Z: {record.reason}"
    lines = [*wrap((Span(visible(who), Tone.QUIET),), width), ()]
    cells: list[Cell] = []
    for place in plan.places:
        glyph, tone = ("!", Tone.WARN) if place.needs_decision else ("✓", Tone.GOOD)
        cells.append((Span(f"{glyph} ", tone), Span(f"{visible(place.pool_name)}  "), Span(visible(place.text))))
    cells = cells or [(Span("no pool held it: it is taken off drained-backends", Tone.QUIET),)]
    lines += _labelled("POOLS", cells, width)
    if plan.decisions:
        lines += wrap((Span("Somebody changed what is marked: theirs stays as it is.", Tone.WARN),), width)
    return lines


def progress_lines(
    steps: Sequence[Step], looks: Sequence[Look], width: int, *, before: float | None, is_watching: bool, is_over: bool
) -> list[Cell]:
    """Steps with their times, then the traffic as it falls from what it was `before` (requests a minute)."""
    lines: list[Cell] = []
    for step in steps:
        head = (Span("✓ ", Tone.GOOD), Span(f"{step.at:%H:%M:%S}Z  ", Tone.QUIET))
        lines += wrap((*head, Span(visible(step.what))), width, indent=13)
    if is_watching:
        falling = " → ".join([*([] if before is None else [format_count(before)]), *traffic_words(looks)]) or "–"
        head = (Span("● ", Tone.ACCENT), Span("traffic   ", Tone.QUIET), Span(falling, Tone.STRONG))
        lines += wrap((*head, Span(" requests a minute", Tone.QUIET)), width, indent=12)
        if looks and not is_over:
            lines += wrap((Span(f"            {visible(looks[-1].proof.text)}", Tone.QUIET),), width, indent=12)
    return lines


def traffic_words(looks: Sequence[Look]) -> list[str]:
    """The counts that differ from the one before, oldest first; a minute not complete yet has none."""
    words: list[str] = []
    for look in looks:
        if look.requests_per_minute is None:
            continue
        word = format_count(look.requests_per_minute)
        if not words or words[-1] != word:
            words.append(word)
    return words[-LOOKS_SHOWN:]


def outcome_lines(outcome: Outcome, backend_name: str, width: int) -> list[Cell]:
    """Drained, timed out with who still sends, or overwritten; and what stands."""
    glyph, word, tone = ENDING_GLYPHS[outcome.ending]
    text = outcome.text.partition(": ")[2]
    if outcome.ending is Ending.TIMED_OUT:
        unproven = ", not proven" if outcome.proof.loudest is None else ""
        text = f"after {outcome.seconds:.0f} s{unproven}: {outcome.proof.text}"
    lines = [(), *wrap((Span(f"{glyph} {word}", tone), Span(f"  {visible(text)}")), width, indent=2)]
    cells = [_sender(sender) for sender in outcome.senders]
    if outcome.senders_unknown:
        cells.append((Span(f"not known: {visible(outcome.senders_unknown)}", Tone.QUIET),))
    lines += _labelled("SENDERS", cells, width)
    through = [(Span(visible(describe_route(r))), Span("  not drain-aware", Tone.WARN)) for r in outcome.bypassing]
    lines += _labelled("THROUGH", through, width)
    if outcome.ending is Ending.TIMED_OUT:
        stands = f"What stands: {backend_name} is recorded, listed and in no pool. r undoes it."
        lines += wrap((Span(visible(stands), Tone.QUIET),), width)
    return lines


def _sender(sender: Sender) -> Cell:
    return (Span(visible(sender_text(sender))),)


def error_lines(error: str, stands: str, width: int) -> list[Cell]:
    """What failed and what now stands."""
    lines = [(), *wrap((Span("✖ ", Tone.HARM), Span(visible(error), Tone.STRONG)), width, indent=2)]
    if stands:
        lines += wrap((Span("What stands: ", Tone.HEAD), Span(visible(stands))), width, indent=2)
    return lines
