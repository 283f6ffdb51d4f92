"""The triage screen's parts as lines: findings, evidence, charts with marks, consumers, routes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from console.domain.finding import Finding, Severity
from console.domain.history import floor_minute
from console.domain.snapshot import GatewaySnapshot
from console.triage.busiest import busiest_consumers
from console.triage.charts import Mark, Plot, make_marks, on_axis, plot_of
from console.triage.route import explain_routes
from screens.figures import format_count, format_milliseconds, format_percent, format_time
from screens.spans import Cell, Span, Tone, fit, shorten, visible, wrap
from screens.table import GridColumn, GridRow
from screens.widgets.chart import Chart, draw_chart

MARKS = {Severity.CRITICAL: ("▲", Tone.HARM), Severity.WARNING: ("◆", Tone.WARN), Severity.INFO: ("·", Tone.QUIET)}
MINUTES_SHOWN = 60
LABEL_WIDTH = 6


def finding_columns(width: int) -> tuple[GridColumn, ...]:
    """Title first; since, share of callers and certainty on the right, as far as there is room."""
    fixed = 5 + 1 + 7 + 1
    sure = width >= 64
    title = max(16, width - 2 - fixed - (9 if sure else 0))
    columns = [
        GridColumn("title", "FINDINGS", "", title),
        GridColumn("since", "SINCE", "", 5),
        GridColumn("hit", "HIT", "callers", 7, right=True),
    ]
    if sure:
        columns.append(GridColumn("sure", "SURE", "", 8))
    return tuple(columns)


def finding_rows(findings: Sequence[Finding], title_width: int) -> list[GridRow]:
    """One row a finding, its short name where the title has no room; those that are over carry their end."""
    rows = []
    for number, finding in enumerate(findings, 1):
        glyph, tone = MARKS[finding.severity]
        text = Tone.STRONG if finding.severity is Severity.CRITICAL else Tone.PLAIN
        if finding.ended_at is not None:
            glyph, tone, text = "✓", Tone.FAINT, Tone.FAINT
        words = visible(finding.title)
        if len(words) + 5 > title_width:
            words = visible(finding.label)
        title: Cell = (Span(f"{glyph} ", tone), Span(f"{number} ", Tone.FAINT), Span(words, text))
        since = format_time(finding.since_at) if finding.since_at is not None else "–"
        end = f"→{format_time(finding.ended_at)}" if finding.ended_at is not None else ""
        hit = "–" if finding.hit_ratio is None else format_percent(finding.hit_ratio)
        harm = Tone.HARM if finding.severity is Severity.CRITICAL and not end else Tone.QUIET
        rows.append(
            GridRow(
                "/".join(finding.key),
                {
                    "title": title,
                    "since": (Span(since, text),),
                    "hit": (Span(end or hit, harm),),
                    "sure": (Span(finding.confidence.value, Tone.QUIET),),
                },
                is_markable=False,
            )
        )
    return rows


def evidence_lines(finding: Finding | None, width: int, now: datetime) -> list[Cell]:
    """The chosen finding in words: title, what to press, what shows it."""
    if finding is None:
        return [(Span(" Nothing is found wrong.", Tone.QUIET),)]
    glyph, tone = MARKS[finding.severity]
    lines = wrap((Span(f" {glyph} ", tone), Span(visible(finding.title), Tone.STRONG)), width, indent=3)
    for number, action in enumerate(finding.actions, 1):
        key = Span(f" [{number}] ", Tone.KEY, f"screen.act({number})")
        lines += wrap((key, Span(f"→ {visible(action.text)}", Tone.ACCENT, f"screen.act({number})")), width, indent=7)
    for fact in finding.evidence:
        at = f" {format_time(fact.observed_at)}" if fact.observed_at is not None else ""
        source = Span(f"  {visible(fact.source)}{at}", Tone.FAINT)
        lines += wrap((Span(" · ", Tone.FAINT), Span(visible(fact.text), Tone.PLAIN), source), width, indent=3)
    if finding.until_at is not None:
        lines.append((Span(f" · should end by itself about {finding.until_at:%H:%M:%S}", Tone.QUIET),))
    return lines


def axis_of(snapshot: GatewaySnapshot, now: datetime) -> datetime:
    """The end of the time axis: the newest minute that any source knows completely."""
    ends = [b.load.metrics_until_at for b in snapshot.backends if b.load.metrics_until_at is not None]
    return max(ends, default=floor_minute(now))


def marks_of(snapshot: GatewaySnapshot, now: datetime) -> tuple[Mark, ...]:
    """What changed in the hour that the charts show."""
    from datetime import timedelta

    start = axis_of(snapshot, now) - timedelta(minutes=MINUTES_SHOWN)
    return make_marks(snapshot.changes or (), snapshot.findings, start, now)


def chart_lines(
    snapshot: GatewaySnapshot, finding: Finding | None, now: datetime, width: int, height: int
) -> list[Cell]:
    """The finding's series above each other on one time axis, with the marks of what changed below."""
    if finding is None or width < 24:
        return []
    end_at = axis_of(snapshot, now)
    marks = marks_of(snapshot, now)
    plots = [plot_of(snapshot, ref) for ref in finding.charts]
    plots = [p for p in plots if p.series is not None] or plots
    room = height - (1 if marks else 0) if height else 21
    count = max(1, min(len(plots), room // 5))
    each = max(5, room // count) if plots else 0
    lines: list[Cell] = []
    for plot in plots[:count]:
        lines += draw_chart(_chart(plot, end_at), width, each)
    if marks and lines:
        lines.append(_mark_line(marks, end_at, width))
    return lines


def _chart(plot: Plot, end_at: datetime) -> Chart:
    render = _RENDER[plot.unit]
    title, _, unit = visible(plot.title), None, {"requests": "/min", "tokens": "/min"}.get(plot.unit, "")
    return Chart(
        title,
        unit,
        on_axis(plot.series, end_at, MINUTES_SHOWN),
        lambda value: f"{render(value):>{LABEL_WIDTH}}",
        limit=plot.limit,
        warn_from=0.95 if plot.unit == "ratio" else None,
    )


_RENDER: dict[str, Callable[[float], str]] = {
    "ratio": lambda value: f"{value * 100:.0f}%",
    "requests": format_count,
    "tokens": format_count,
    "ms": format_milliseconds,
}


def _mark_line(marks: Sequence[Mark], end_at: datetime, width: int) -> Cell:
    """A letter below the minute in which something changed; the list of changes says what."""
    room = max(4, width - LABEL_WIDTH - 2)
    line = [" "] * room
    for mark in marks:
        minutes = MINUTES_SHOWN - (end_at - mark.at).total_seconds() / 60
        column = min(room - 1, max(0, int(minutes / MINUTES_SHOWN * room)))
        line[column] = mark.letter if line[column] == " " else "+"
    return (Span(f"{'change':>{LABEL_WIDTH}} ", Tone.FAINT), Span("".join(line), Tone.ACCENT))


def change_lines(snapshot: GatewaySnapshot, now: datetime, width: int, height: int) -> list[Cell]:
    """What changed, newest first, with the letters that the charts carry."""
    head: Cell = (Span(" WHAT CHANGED", Tone.HEAD),)
    if snapshot.changes is None:
        return [head, (Span(" the activity log has not answered yet", Tone.FAINT),)]
    marks = marks_of(snapshot, now)
    if not marks:
        return [head, (Span(" nothing in the last hour", Tone.FAINT),)]
    lines = [head]
    for mark in reversed(marks):
        if height and len(lines) >= height:
            break
        left = (Span(f" {mark.letter} ", Tone.ACCENT), Span(f"{mark.at:%H:%M:%S} ", Tone.QUIET))
        source = f" · {mark.source}"
        room = max(8, width - 12 - len(source))
        lines.append((*left, Span(shorten(visible(mark.text), room)), Span(source, Tone.FAINT)))
    return lines


def consumer_lines(snapshot: GatewaySnapshot, width: int, limit: int = 6) -> list[Cell]:
    """Who asks most, now and before."""
    rows = busiest_consumers(snapshot, limit)
    name_width = max(12, min(28, width - 36))
    head = f" {'TOP CONSUMERS':<{name_width}} {'REQ/MIN':>8} {'BEFORE':>7} {'429':>6} {'TOKENS/MIN':>11}"
    lines: list[Cell] = [(Span(head, Tone.HEAD),)]
    if not rows:
        return [*lines, (Span(" the logs have not answered yet", Tone.FAINT),)]
    for row in rows:
        before = "–" if row.before is None else format_count(row.before)
        refused = "–" if row.throttled_ratio is None else format_percent(row.throttled_ratio)
        tokens = "–" if row.tokens_per_minute is None else format_count(row.tokens_per_minute)
        grown = row.before is not None and row.requests_per_minute > 1.5 * row.before + 10
        name = fit((Span(shorten(visible(row.name), name_width)),), name_width)
        lines.append(
            (
                Span(" "),
                *name,
                Span(f" {format_count(row.requests_per_minute):>8}", Tone.WARN if grown else Tone.PLAIN),
                Span(f" {before:>7}", Tone.QUIET),
                Span(f" {refused:>6}", Tone.HARM if (row.throttled_ratio or 0.0) >= 0.02 else Tone.QUIET),
                Span(f" {tokens:>11}", Tone.QUIET),
            )
        )
    return lines


def route_lines(snapshot: GatewaySnapshot, width: int) -> list[Cell]:
    """Which backend serves which way in, and why the others do not."""
    lines: list[Cell] = [(Span(" ROUTES NOW", Tone.HEAD),)]
    for route in explain_routes(snapshot):
        who: Cell = (
            Span(f" {visible(route.what)} ", Tone.QUIET),
            Span("→ ", Tone.FAINT),
            Span(visible(route.serves) or "nobody", Tone.STRONG if route.serves else Tone.HARM),
        )
        lines += wrap((*who, Span(f"  {visible(route.because)}", Tone.FAINT)), width, indent=4)
        for name, why in route.others:
            lines += wrap((Span(f"     not {visible(name)}: {visible(why)}", Tone.FAINT),), width, indent=9)
    return lines
