"""A query's answer as grid rows and, where it has a time and a number, as a chart. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from console.commands.querying import QueryTable, plain
from console.domain.load import Series
from screens.figures import format_count
from screens.spans import NO_DATA, Span, Tone, shorten, visible
from screens.table import GUTTER, GridColumn, GridRow
from screens.widgets.chart import Chart

WIDEST = 40
SAMPLE = 200
CHART_MINUTES = 1500


def result_columns(table: QueryTable, width: int) -> tuple[GridColumn, ...]:
    """As many columns as fit, each as wide as its values want, up to 40."""
    columns: list[GridColumn] = []
    left = width - GUTTER
    for index, name in enumerate(table.columns):
        values = [plain(row[index]) for row in table.rows[:SAMPLE]]
        wanted = min(WIDEST, max([len(visible(name)) + 1, *(len(v) for v in values)]))
        wanted = min(wanted, left)
        if wanted < 4:
            break
        columns.append(GridColumn(str(index), visible(name), "", wanted, right=_is_number(table, index)))
        left -= wanted + 1
    return tuple(columns)


def result_rows(table: QueryTable, limit: int) -> list[GridRow]:
    """The rows, at most `limit`."""
    return [
        GridRow(
            str(number),
            {
                str(index): NO_DATA if value is None else (Span(shorten(plain(value), WIDEST)),)
                for index, value in enumerate(row)
            },
            is_markable=False,
        )
        for number, row in enumerate(table.rows[:limit])
    ]


def _is_number(table: QueryTable, index: int) -> bool:
    first = next((row[index] for row in table.rows if row[index] is not None), None)
    return isinstance(first, int | float) and not isinstance(first, bool)


def result_chart(table: QueryTable) -> Chart | None:
    """The first number over the first time, summed by minute; None where there is no such pair."""
    times = next((i for i in range(len(table.columns)) if _is_time(table, i)), None)
    number = next((i for i in range(len(table.columns)) if _is_number(table, i)), None)
    if times is None or number is None:
        return None
    sums: dict[datetime, float] = {}
    for row in table.rows:
        at: Any = row[times]
        value: Any = row[number]
        if isinstance(at, datetime) and isinstance(value, int | float) and value == value:
            minute = at.astimezone(UTC).replace(second=0, microsecond=0)
            sums[minute] = sums.get(minute, 0.0) + float(value)
    if len(sums) < 2:
        return None
    start = min(sums)
    length = min(CHART_MINUTES, round((max(sums) - start).total_seconds() / 60) + 1)
    values = tuple(sums.get(start + timedelta(minutes=i)) for i in range(length))
    title = f"{visible(table.columns[number])} by {visible(table.columns[times])}"
    return Chart(title, "summed", Series(start, values), format_count, tone=Tone.ACCENT)


def _is_time(table: QueryTable, index: int) -> bool:
    return isinstance(next((row[index] for row in table.rows if row[index] is not None), None), datetime)
