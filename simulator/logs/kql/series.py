"""`make-series`: evenly spaced arrays with gaps filled.

Source: KQL reference, make-series operator: columns are those of `by`, then the aggregates, then the axis; a missing
value is the given default, 0 when none is given.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.logs.kql.errors import semantic_error, unsupported
from simulator.logs.kql.tokens import Query, Token, matching_close, span_text, split_arguments

if TYPE_CHECKING:
    from simulator.logs.kql.engine import Run

_KEYWORDS = ("on", "in", "from", "to", "step", "by")
_MOST_POINTS = 100_000
_MIDNIGHT = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


def make_series(run: Run, query: Query, index: int) -> str:
    """The stage as a temporary table.

    Raises:
        KqlRefusal: a part is missing, or the series would be too long.
    """
    stage = query.stages[index]
    if index == 0:
        raise semantic_error("'make-series' operator: a tabular input is expected", stage.tokens[0])
    parts = _parts(stage.arguments)
    if "on" not in parts or not ("step" in parts or "in" in parts):
        raise unsupported("'make-series' operator: this form", stage.tokens[0])
    text = query.text
    axis = span_text(text, parts["on"])
    source = run.stage(f"{query.preamble} {query.text_of(0, index - 1)}")
    start_text, end_text, step_text = _bounds(text, parts)
    aggregates, defaults = _aggregates(run, query, parts["aggregates"])
    groups = [span_text(text, part) for part in split_arguments(parts.get("by", []))]
    step = run.execute(f"{query.preamble} print x = {step_text}").fetchall()[0][0]
    low, high = run.execute(f"{source} | summarize low = min({axis}), high = max({axis})").fetchall()[0]
    start = (
        run.execute(f"{query.preamble} print x = {start_text}").fetchall()[0][0] if start_text else _floor(low, step)
    )
    end = run.execute(f"{query.preamble} print x = {end_text}").fetchall()[0][0] if end_text else _after(high, step)
    marks = _marks(start, end, step)
    by = ", ".join(
        [
            *groups,
            "__axis = "
            + (
                _binned_time(axis, step, start)
                if isinstance(start, datetime)
                else f"({start} + bin({axis} - {start}, {step_text}))"
            ),
        ]
    )
    low_text = f"datetime({start:%Y-%m-%dT%H:%M:%S.%f}Z)" if isinstance(start, datetime) else str(start)
    summarized = f"{query.preamble} {source} | where {axis} >= {low_text} | summarize {', '.join(aggregates)} by {by}"
    columns = run.describe(summarized)
    rows = run.execute(summarized).fetchall()
    names = [name for name, _ in columns]
    at_axis = names.index("__axis")
    group_columns = columns[:at_axis]
    positions = {mark: at for at, mark in enumerate(marks)}
    series: dict[tuple[Any, ...], list[list[Any]]] = {}
    for row in rows:
        place = positions.get(row[at_axis])
        if place is None:
            continue
        arrays = series.setdefault(row[:at_axis], [[default] * len(marks) for default in defaults])
        for array, value in zip(arrays, row[at_axis + 1 :], strict=True):
            array[place] = value
    if not groups and not series:
        series[()] = [[default] * len(marks) for default in defaults]
    axis_json = json.dumps([_wire(mark) for mark in marks])
    made = [
        (*key, *(json.dumps(array, default=_wire) for array in arrays), axis_json) for key, arrays in series.items()
    ]
    typed = [*group_columns, *((name, "JSON") for name in names[at_axis + 1 :]), (axis, "JSON")]
    return run.stage_rows(typed, made)


def _binned_time(axis: str, step: timedelta, start: datetime) -> str:
    return (
        f"__bin_at_time({axis}, {int(step / timedelta(microseconds=1))} * 1microsecond, "
        f"datetime({start:%Y-%m-%dT%H:%M:%S.%f}Z))"
    )


def _parts(tokens: list[Token]) -> dict[str, list[Token]]:
    parts: dict[str, list[Token]] = {"aggregates": []}
    current, depth = "aggregates", 0
    for token in tokens:
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "mark" else 0
        if depth == 0 and token.kind == "word" and token.text in _KEYWORDS:
            current = token.text
            parts[current] = []
        else:
            parts[current].append(token)
    return parts


def _bounds(text: str, parts: dict[str, list[Token]]) -> tuple[str, str, str]:
    if "in" in parts:
        inside = parts["in"]
        close = matching_close(inside, 1) if len(inside) > 1 else None
        arguments = [span_text(text, part) for part in split_arguments(inside[2:close])]
        if len(arguments) != 3:
            raise unsupported("'make-series' operator: this form", inside[0] if inside else None)
        return arguments[0], arguments[1], arguments[2]
    return (
        span_text(text, parts.get("from", [])),
        span_text(text, parts.get("to", [])),
        span_text(text, parts["step"]),
    )


def _aggregates(run: Run, query: Query, tokens: list[Token]) -> tuple[list[str], list[Any]]:
    texts: list[str] = []
    defaults: list[Any] = []
    for part in split_arguments(tokens):
        words = [token.text for token in part]
        default: Any = 0
        if "default" in words:
            at = words.index("default")
            value = span_text(query.text, part[at + 2 :])
            default = run.execute(f"{query.preamble} print x = {value}").fetchall()[0][0]
            part = part[:at]
        texts.append(span_text(query.text, part))
        defaults.append(default)
    return texts, defaults


def _floor(low: Any, step: Any) -> Any:
    if low is None:
        return 0
    if isinstance(low, datetime):
        return low - (low - _MIDNIGHT) % step
    return low - low % step


def _after(high: Any, step: Any) -> Any:
    # Without `to` the last value is part of the series.
    return high + timedelta(microseconds=1) if isinstance(high, datetime) else (high or 0) + step / 1e9


def _marks(start: Any, end: Any, step: Any) -> list[Any]:
    zero: Any = timedelta(0) if isinstance(step, timedelta) else 0
    if step <= zero:
        raise semantic_error("'make-series' operator: step must be positive")
    marks = []
    while start < end:
        marks.append(start)
        start = start + step
        if len(marks) > _MOST_POINTS:
            raise semantic_error("'make-series' operator: the number of points exceeds the limit")
    return marks


def _wire(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%f}0Z" if isinstance(value, datetime) else value
