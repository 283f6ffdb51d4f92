"""Query results as the Logs API puts them on the wire.

Source: "Azure Monitor Log Analytics API response format": tables of typed columns; datetimes ISO 8601 with Z, dynamic
cells as JSON text; `statistics` and `render` when the `Prefer` header asks for them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any

from simulator.logs.kql.engine import QueryResult

_NUMBERS = {
    "BOOLEAN": "bool",
    "TINYINT": "int",
    "SMALLINT": "int",
    "INTEGER": "int",
    "UTINYINT": "int",
    "USMALLINT": "int",
    "UINTEGER": "long",
    "BIGINT": "long",
    "UBIGINT": "long",
    "HUGEINT": "long",
    "FLOAT": "real",
    "DOUBLE": "real",
    "VARCHAR": "string",
    "UUID": "guid",
    "JSON": "dynamic",
    "INTERVAL": "timespan",
    "DATE": "datetime",
}


def kusto_type(sql_type: str) -> str:
    """The Kusto type of a SQL type; nested ones are dynamic."""
    if sql_type.startswith("TIMESTAMP"):
        return "datetime"
    if sql_type.startswith("DECIMAL"):
        return "real" if "(" not in sql_type or not sql_type.endswith(",0)") else "long"
    return _NUMBERS.get(sql_type, "dynamic")


def render_result(result: QueryResult) -> list[dict[str, Any]]:
    """The `tables` of an answer."""
    types = [kusto_type(name) for name in result.types]
    columns = [{"name": name, "type": kind} for name, kind in zip(result.names, types, strict=True)]
    cells = [
        _wire_texts if name == "JSON[]" else _CELLS.get(kind) for name, kind in zip(result.types, types, strict=True)
    ]
    rows: Any = result.rows
    if rows and any(cells):
        # Column by column, and each moment once: a bin of time stands in many rows.
        columnar = zip(zip(*rows, strict=True), cells, strict=True)
        rows = list(zip(*(values if cell is None else _render(values, cell) for values, cell in columnar), strict=True))
    return [{"name": "PrimaryResult", "columns": columns, "rows": rows}]


def _render(column: Iterable[Any], cell: Callable[[Any], Any]) -> list[Any]:
    if cell is not _wire_moment:
        return [None if value is None else cell(value) for value in column]
    known: dict[Any, Any] = {None: None}
    rendered = []
    for value in column:
        text = known.get(value)
        if text is None and value is not None:
            text = known[value] = _wire_moment(value)
        rendered.append(text)
    return rendered


def wire_datetime(value: datetime) -> str:
    """ISO 8601 with Z; a fraction only where there is one."""
    text = value.isoformat()
    return (text.rstrip("0") if value.microsecond else text) + "Z"


def wire_timespan(value: timedelta) -> str:
    """`[-][d.]hh:mm:ss[.fffffff]`."""
    sign, rest = ("-", -value) if value < timedelta(0) else ("", value)
    hours, seconds = divmod(rest.seconds, 3600)
    fraction = f".{rest.microseconds:06d}0" if rest.microseconds else ""
    days = f"{rest.days}." if rest.days else ""
    return f"{sign}{days}{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}{fraction}"


def _wire_dynamic(value: Any) -> str:
    if isinstance(value, str):
        if value.startswith('"'):
            parsed = json.loads(value)
            return parsed if isinstance(parsed, str) else value
        return value
    return json.dumps(value, default=_wire_nested, separators=(",", ":"))


def _wire_texts(value: Any) -> str:
    """A list whose elements are JSON text already."""
    return f"[{','.join('null' if text is None else str(text) for text in value)}]"


def _wire_nested(value: Any) -> str:
    if isinstance(value, datetime):
        return wire_datetime(value)
    return wire_timespan(value) if isinstance(value, timedelta) else str(value)


def _wire_real(value: Any) -> Any:
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


def _wire_moment(value: Any) -> str:
    return wire_datetime(value if isinstance(value, datetime) else datetime.combine(value, clock_time.min))


_CELLS: dict[str, Callable[[Any], Any]] = {
    "datetime": _wire_moment,
    "timespan": lambda value: wire_timespan(value) if isinstance(value, timedelta) else str(value),
    "dynamic": _wire_dynamic,
    "real": _wire_real,
    "guid": str,
}


def render_statistics(result: QueryResult, seconds: float, scanned_rows: int) -> dict[str, Any]:
    """The `statistics` of an answer."""
    size = sum(len(row) for row in result.rows) * 8
    cpu = timedelta(seconds=seconds)
    return {
        "query": {
            "executionTime": round(seconds, 7),
            "resourceUsage": {
                "cache": {"memory": {"hits": 0, "misses": 0, "total": 0}, "disk": {"hits": 0, "misses": 0, "total": 0}},
                "cpu": {"user": wire_timespan(cpu), "kernel": "00:00:00", "totalCpu": wire_timespan(cpu)},
                "memory": {"peakPerNode": 1_048_576},
            },
            "inputDatasetStatistics": {
                "extents": {"total": 1, "scanned": 1},
                "rows": {"total": scanned_rows, "scanned": scanned_rows},
            },
            "datasetStatistics": [{"tableRowCount": len(result.rows), "tableSize": size}],
        }
    }


def render_truncation(limit: int) -> dict[str, Any]:
    """The `error` of an answer whose rows were cut off. Source: the service's text for too large results."""
    return partial_error(
        f"The results of this query exceed the set limit of {limit} records, so not all records were returned "
        "(E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)."
    )


def partial_error(message: str) -> dict[str, Any]:
    """The `error` that stands beside tables in a 200."""
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [
            {
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server.",
                "innererror": {"code": "-2133196797", "message": message, "severity": 2, "severityName": "Error"},
            }
        ],
    }
