"""Running KQL for people: named queries and one's own, over a span of time, with errors at their position.

The query desk is shared by the command line and the screen. It only reads; what a query may see, the workspace decides.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console import queries
from console.azure.refusal import one_line
from console.errors import ConsoleError
from console.status_text import printable

if TYPE_CHECKING:
    from console.azure.session import AzureSession

DEADLINE_SECONDS = 60.0
HISTORY_KEPT = 200
ROWS_SHOWN = 10_000
_POSITION = re.compile(
    r"(?:line|Line)\D{0,3}(\d+)\D+(?:position|Position|pos)\D{0,3}(\d+)|\[line:position=(\d+):(\d+)\]"
)
_PARAMETER = re.compile(r"(?<![\w.$])[a-z]+(?:_[a-z]+)+\b(?!\s*\()")
OPEN_PARAMETERS: Mapping[str, str] = {"split_hosts": "", "apis": ""}
"""Parameters of named queries that mean "any" when they are empty."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class QueryTable:
    """An answer: columns in order, rows of plain values (str, float, int, bool, datetime, None)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    partial: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class QueryPosition:
    """Where a query is wrong, 1-based."""

    line: int
    column: int


def query_text(text: str, service_id: str, start_at: datetime, end_at: datetime) -> str:
    """A named query with its parameters in front; anything else as it is.

    What a named query can be narrowed by is left open.
    """
    name = text.strip()
    if name not in named_queries():
        return text
    parameters: dict[str, str | int | datetime] = {
        **OPEN_PARAMETERS,
        "service_id": service_id.lower(),
        "start_at": start_at,
        "end_at": end_at,
    }
    body = queries.text(name)
    return queries.load(name, {key: value for key, value in parameters.items() if key in body})


def named_queries() -> tuple[str, ...]:
    """The console's own queries that need no more than the gateway and a span of time."""
    known = {*OPEN_PARAMETERS, "service_id", "start_at", "end_at"}
    return tuple(n for n in queries.names() if set(_PARAMETER.findall(queries.text(n))) <= known)


async def run_text(session: AzureSession, text: str, span: timedelta, now: datetime) -> QueryTable:
    """Run a query over the span before `now`.

    Raises:
        ConsoleError: it is empty, wrong, refused or late.
    """
    from console.azure.logs import run_query
    from console.azure.workspace import discover_workspace
    from console.domain.load import Window
    from console.errors import UsageError

    if not text.strip():
        raise UsageError("There is no query", remedy=f"Write KQL, or one of: {', '.join(named_queries())}.")
    window = Window(now - span, now)
    await session.open()
    workspace_id = session.profile.workspace_id or await discover_workspace(session)
    began = session.clock.monotonic()
    query = query_text(text, session.profile.service_id, window.start_at, window.end_at)
    table = await run_query(session, workspace_id, query, window, deadline_seconds=DEADLINE_SECONDS)
    columns = tuple(dict.fromkeys(key for row in table.rows for key in row))
    rows = tuple(tuple(row.get(column) for column in columns) for row in table.rows)
    return QueryTable(columns, rows, table.partial or "", session.clock.monotonic() - began)


def explained(error: ConsoleError) -> str:
    """What is wrong with the query, in the service's innermost words; the error's own line when it says no more."""
    inner = getattr(error.__cause__, "error", None)
    details, message = getattr(inner, "innererror", None), ""
    while isinstance(details, Mapping):
        message = str(details.get("message") or message)
        details = details.get("innererror")
    return one_line(message) if message else error.line


def position_of(error: ConsoleError) -> QueryPosition | None:
    """Where the query service says the query is wrong; None when it does not say."""
    cause = error.__cause__
    inner = getattr(cause, "error", None)
    for text in (_innermost(inner), error.what, str(cause or "")):
        match = _POSITION.search(text)
        if match is not None:
            line, column = (match[1], match[2]) if match[1] else (match[3], match[4])
            return QueryPosition(int(line), int(column))
    return None


def _innermost(inner: Any) -> str:
    """The deepest message of Azure's nested error."""
    details = getattr(inner, "innererror", None)
    texts = []
    while isinstance(details, Mapping):
        texts.append(f"{details.get('message', '')} line {details.get('line', '')} pos {details.get('pos', '')}")
        details = details.get("innererror")
    return texts[-1] if texts else ""


def sorted_rows(table: QueryTable, column: int, *, descending: bool) -> QueryTable:
    """The table sorted by a column: numbers and times by value, the rest as text; what is missing comes last."""

    def key(row: tuple[Any, ...]) -> tuple[int, float, str]:
        value = row[column]
        if isinstance(value, bool) or value is None:
            return (0, float(bool(value)), "")
        if isinstance(value, int | float):
            return (1, float(value), "")
        if isinstance(value, datetime):
            return (2, value.timestamp(), "")
        return (3, 0.0, str(value).casefold())

    known = [row for row in table.rows if row[column] is not None]
    missing = [row for row in table.rows if row[column] is None]
    rows = (*sorted(known, key=key, reverse=descending), *missing)
    return QueryTable(table.columns, rows, table.partial, table.seconds)


def plain(value: Any) -> str:
    """A value as text: times in UTC, nothing as `–`."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return printable(str(value))


def as_json(table: QueryTable) -> str:
    """A list of objects; times ISO 8601 in UTC."""
    rows = [dict(zip(table.columns, (_json_value(v) for v in row), strict=True)) for row in table.rows]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def as_csv(table: QueryTable) -> str:
    """Comma-separated, with a `'` before what a spreadsheet would take for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        cells = ["" if v is None else plain(v) for v in row]
        guarded = [
            c if isinstance(v, int | float) or not c.startswith(_FORMULA_STARTS) else f"'{c}"
            for c, v in zip(cells, row, strict=True)
        ]
        writer.writerow(guarded)
    return buffer.getvalue()


def as_text(table: QueryTable, width: int = 48) -> str:
    """Padded columns for people; long values are cut."""
    rows = [[plain(v)[:width] for v in row] for row in table.rows]
    widths = [max([len(c), *(len(row[i]) for row in rows)]) for i, c in enumerate(table.columns)]
    lines: list[Sequence[str]] = [list(table.columns), *rows]
    return "".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def history_path(environment: Mapping[str, str] | None = None) -> Path:
    """Where queries are remembered: `$XDG_STATE_HOME/genaigw-console/queries.json`, else below `~/.local/state`."""
    env = os.environ if environment is None else environment
    base = Path(env["XDG_STATE_HOME"]) if env.get("XDG_STATE_HOME") else Path.home() / ".local" / "state"
    return base / "genaigw-console" / "queries.json"


def read_history(path: Path) -> list[str]:
    """Queries that were run, newest last. A file that cannot be read is none."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [text for text in known if isinstance(text, str)] if isinstance(known, list) else []


def remember(path: Path, text: str) -> None:
    """Add a query to the history; the same one is kept once.

    Raises:
        OSError: it cannot be written.
    """
    known = [q for q in read_history(path) if q != text]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps([*known, text][-HISTORY_KEPT:], ensure_ascii=False, indent=0), encoding="utf-8")
