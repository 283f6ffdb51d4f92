"""A series as an SVG chart with the time axis, a limit and the marks of what changed. Pure text, no library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from console.triage.charts import Mark, Plot, on_axis

WIDTH, HEIGHT = 760, 190
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 30, 34
_INK, _QUIET, _LINE, _FILL, _LIMIT, _MARK = "#1f2933", "#7b8794", "#2463a6", "#cfe0f3", "#b7791f", "#a61b1b"


def draw_svg(
    plot: Plot, end_at: datetime, minutes: int, marks: Sequence[Mark] = (), since_at: datetime | None = None
) -> str:
    """One chart over the minutes before `end_at`. Minutes without data leave a gap; `since_at` shades what it began."""
    series = on_axis(plot.series, end_at, minutes)
    values = series.values if series is not None else (None,) * minutes
    known = [v for v in values if v is not None]
    top = max([*known, plot.limit or 0.0, 1e-9]) * 1.08
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(plot.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" fill="{_INK}" font-weight="600">{escape(plot.title)}</text>',
    ]
    start = end_at - timedelta(minutes=minutes)
    if since_at is not None and start < since_at < end_at:
        x = _x((since_at - start).total_seconds() / 60, minutes)
        parts.append(
            f'<rect x="{x:.1f}" y="{TOP}" width="{WIDTH - RIGHT - x:.1f}" height="{HEIGHT - TOP - BOTTOM}" '
            'fill="#fdf3e7"/>'
        )
    for share in (0.0, 0.5, 1.0):
        y = _y(top / 1.08 * share, top)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"/>')
        label = escape(_label(top / 1.08 * share, plot.unit))
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{_QUIET}">{label}</text>')
    parts += _areas(values, top, minutes)
    if plot.limit:
        y = _y(plot.limit, top)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LIMIT}" '
            'stroke-dasharray="5 4"/>'
        )
    parts += _times(start, minutes)
    for mark in marks:
        if start <= mark.at <= end_at:
            x = _x((mark.at - start).total_seconds() / 60, minutes)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="{_MARK}" '
                'stroke-dasharray="2 3"/>'
            )
            parts.append(f'<text x="{x:.1f}" y="{TOP - 2}" text-anchor="middle" fill="{_MARK}">{mark.letter}</text>')
    if not known:
        parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle" fill="{_QUIET}">no data</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(minute: float, minutes: int) -> float:
    return LEFT + minute / minutes * (WIDTH - LEFT - RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _areas(values: Sequence[float | None], top: float, minutes: int) -> list[str]:
    """One filled line for each stretch of known minutes; a value stands in the middle of its minute."""
    parts: list[str] = []
    stretch: list[str] = []
    first = last = 0.0

    def close() -> None:
        if stretch:
            ground = HEIGHT - BOTTOM
            parts.append(
                f'<polygon points="{first:.1f},{ground} {" ".join(stretch)} {last:.1f},{ground}" fill="{_FILL}"/>'
            )
            parts.append(f'<polyline points="{" ".join(stretch)}" fill="none" stroke="{_LINE}" stroke-width="1.6"/>')
            stretch.clear()

    for index, value in enumerate(values):
        if value is None:
            close()
            continue
        last = _x(index + 0.5, minutes)
        if not stretch:
            first = last
        stretch.append(f"{last:.1f},{_y(value, top):.1f}")
    close()
    return parts


def _times(start: datetime, minutes: int) -> list[str]:
    parts = []
    step = next((s for s in (5, 10, 15, 30, 60) if minutes / s <= 8), 120)
    for minute in range(minutes + 1):
        at = start + timedelta(minutes=minute)
        if (at.hour * 60 + at.minute) % step == 0:
            parts.append(
                f'<text x="{_x(minute, minutes):.1f}" y="{HEIGHT - 14}" text-anchor="middle" '
                f'fill="{_QUIET}">{at:%H:%M}</text>'
            )
    return parts


def _label(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{value * 100:.0f} %"
    if unit == "ms":
        return f"{value / 1000:.1f} s"
    return f"{value / 1000:.0f}k" if value >= 10_000 else f"{value:.0f}"
