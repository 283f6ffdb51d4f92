"""A series over time as an area with axes, in eighths of a line. Pure drawing; `SpanView` shows it.

A minute without data leaves a gap; a zero is a faint step on the ground. The title carries name, unit and newest value,
so nothing is told by the shape or the colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.load import Series
from screens.figures import format_time
from screens.spans import Cell, Span, Tone, fit, shorten, width_of

_STEPS = "▁▂▃▄▅▆▇█"

_AREAS = {Tone.ACCENT: Tone.AREA, Tone.WARN: Tone.AREA_WARN, Tone.HARM: Tone.AREA_HARM}


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw. `limit` is a line worth knowing (100 % of capacity); values from `warn_from` on are amber."""

    title: str
    unit: str
    series: Series | None
    render: Callable[[float], str]
    limit: float | None = None
    warn_from: float | None = None
    tone: Tone = Tone.ACCENT
    missing: str = "no data"


def draw_chart(chart: Chart, width: int, height: int) -> list[Cell]:
    """The chart in `width` columns and `height` rows: title, plot, time axis. At least 20 by 5 to make sense."""
    known = [value for value in chart.series.values if value is not None] if chart.series is not None else []
    if chart.series is None or not known:
        return [
            _title(chart, None, width),
            *(() for _ in range(max(0, height // 2 - 1))),
            _centred(chart.missing, width),
        ]
    top = nice_top(max(*known, chart.limit or 0.0) if chart.limit and max(known) > chart.limit / 2 else max(known))
    rows = max(2, height - 2)
    labels = [chart.render(top), chart.render(top / 2) if rows >= 5 else "", chart.render(0.0)]
    gutter = max(len(label) for label in labels)
    plot_width = max(4, width - gutter - 2)
    plot = _plot(chart, top, plot_width, rows)
    lines: list[Cell] = [_title(chart, known[-1], width)]
    for row in range(rows):
        is_labelled = row in (0, rows - 1) or (rows >= 5 and row == rows // 2)
        label = labels[0] if row == 0 else labels[2] if row == rows - 1 else labels[1] if is_labelled else ""
        axis = "┤" if label else "│"
        lines.append((Span(f"{label:>{gutter}}", Tone.QUIET), Span(axis, Tone.FAINT), *plot[row]))
    lines.append((Span(" " * gutter), Span("└", Tone.FAINT), *_time_axis(chart.series, plot_width)))
    return lines


def _title(chart: Chart, newest: float | None, width: int) -> Cell:
    value = (
        (Span("last ", Tone.FAINT), Span(chart.render(newest), Tone.STRONG))
        if newest is not None
        else (Span("–", Tone.FAINT),)
    )
    room = width - width_of(value) - 1
    left = (Span(shorten(chart.title, room), Tone.PLAIN), Span(f" {chart.unit}" if chart.unit else "", Tone.QUIET))
    return (*fit(left, max(1, room)), Span(" "), *value)


def _centred(text: str, width: int) -> Cell:
    short = shorten(text, width)
    return Span(" " * max(0, (width - len(short)) // 2)), Span(short, Tone.FAINT)


def nice_top(value: float) -> float:
    """The next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten that holds the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999)


def _plot(chart: Chart, top: float, width: int, rows: int) -> list[Cell]:
    assert chart.series is not None
    steps = rows * len(_STEPS)
    columns = spread(chart.series.values, width)
    limit_row = None
    if chart.limit is not None and chart.limit <= top:
        limit_row = rows - 1 - min(rows - 1, int((chart.limit / top * steps - 1e-9) // len(_STEPS)))
    lines: list[Cell] = []
    for row in range(rows):
        ground = (rows - row - 1) * len(_STEPS)
        spans: list[Span] = []
        for value in columns:
            char, tone = _cell_at(chart, value, top, steps, ground)
            if char == " " and row == limit_row:
                char, tone = "╌", Tone.WARN
            if spans and spans[-1].tone is tone:
                spans[-1] = Span(spans[-1].text + char, tone)
            else:
                spans.append(Span(char, tone))
        lines.append(tuple(spans))
    return lines


def _cell_at(chart: Chart, value: float | None, top: float, steps: int, ground: int) -> tuple[str, Tone]:
    """The character of one cell whose lowest edge is `ground` steps above zero, and its tone."""
    if value is None:
        return " ", Tone.FAINT
    if value <= 0:
        return ("▁", Tone.FAINT) if ground == 0 else (" ", Tone.FAINT)
    height = max(1, min(steps, round(value / top * steps)))
    tone = chart.tone
    if tone is Tone.ACCENT and chart.warn_from is not None and value >= chart.warn_from:
        tone = Tone.WARN
    above = height - ground
    if above <= 0:
        return " ", Tone.FAINT
    return _STEPS[min(above, len(_STEPS)) - 1], _AREAS.get(tone, tone)


def spread(values: Sequence[float | None], width: int) -> list[float | None]:
    """The values over `width` columns: the greatest where several share one, so that no peak is lost."""
    count = len(values)
    columns: list[float | None] = []
    for column in range(width):
        first = column * count // width
        last = max(first + 1, (column + 1) * count // width)
        known = [value for value in values[first:last] if value is not None]
        columns.append(max(known) if known else None)
    return columns


def _time_axis(series: Series, width: int) -> Cell:
    """Ground line with a time at every round step that has room."""
    minutes = len(series.values)
    step = next((s for s in (5, 10, 15, 20, 30, 60, 120, 360) if minutes / s * 8 <= width), 720)
    line = ["─"] * width
    at = _round_up(series.start_at, step)
    while at < series.end_at:
        column = int((at - series.start_at).total_seconds() / 60 / minutes * width)
        text = f"┴{format_time(at)}"
        if column + len(text) <= width and all(char == "─" for char in line[column : column + len(text)]):
            line[column : column + len(text)] = text
        at += timedelta(minutes=step)
    return (Span("".join(line), Tone.FAINT),)


def _round_up(at: datetime, minutes: int) -> datetime:
    past = (at.hour * 60 + at.minute) % minutes
    rounded = at.replace(second=0, microsecond=0)
    return rounded + timedelta(minutes=(minutes - past) % minutes)
