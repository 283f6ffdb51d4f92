"""The gateway's logs, aggregated by the query service: what callers got, minute by minute.

Raw rows are never pulled. Source: Log Analytics query API v1, table ApiManagementGatewayLogs (one row a request, the
last attempt's backend in BackendUrl). Rows arrive late: how far the logs are complete is read from the newest row.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from console import queries
from console.azure.refusal import azure_code, one_line
from console.azure.session import AzureSession
from console.domain.history import WINDOW_MINUTES, floor_minute, last_minutes
from console.domain.load import CallerLoad, ErrorCount, Series, Window
from console.errors import ConsoleError, NotFound

QUERY_ROLE = "Ask for the role Log Analytics Reader on the workspace."
COUNTED = ("Requests", "Throttled", "Failed", "Refused")
"""Columns of the traffic query that are counts."""
LATENESS_SPREAD = 3.0
"""Assumed: the slowest rows come this many times as late as the quickest. Microsoft gives 3 to 10 minutes as usual."""
SLOW_ANSWER_SECONDS = 30.0
"""A row carries the time its request began and is written when it ended; this much is allowed for in between."""
LATEST_ARRIVAL_MINUTES = 15
"""Assumed: what has not arrived after this long will not."""


@dataclass(frozen=True, slots=True)
class Table:
    """A query's answer: rows by column name. `partial` says why it is incomplete, None when it is whole."""

    rows: tuple[Mapping[str, Any], ...]
    partial: str | None = None


@dataclass(frozen=True, slots=True)
class TrafficReading:
    """What callers got. `known_until_at`: up to where the logs are complete; None when there is no row at all.

    Keys of `loads` are (host, backend id) of the last attempt, lower-case. The host is "" when no backend was
    reached; the id is "" except on hosts that serve several backends.
    """

    window: Window
    known_until_at: datetime | None
    loads: Mapping[tuple[str, str], CallerLoad] = field(default_factory=dict)
    partial: str | None = None


async def run_query(
    session: AzureSession,
    workspace_id: str,
    query: str,
    window: Window | None = None,
    *,
    deadline_seconds: float = 30.0,
) -> Table:
    """Run KQL in a workspace. An empty workspace answers no rows.

    Raises:
        NotFound: the workspace does not exist.
        ConsoleError: it is refused, wrong or late.
    """
    where = f"workspace {workspace_id}"
    timespan = (window.start_at, window.end_at) if window else timedelta(hours=1)
    try:
        result = await session.call(
            session.logs.query_workspace(workspace_id, query, timespan=timespan, server_timeout=int(deadline_seconds)),
            what="The logs cannot be queried",
            where=where,
            remedy=QUERY_ROLE,
            deadline_seconds=deadline_seconds,
        )
    except ConsoleError as error:
        cause = error.__cause__
        if isinstance(cause, json.JSONDecodeError):
            return Table(())
        if cause is not None and _names_no_workspace(cause):
            raise NotFound(
                "The Log Analytics workspace does not exist",
                where=where,
                remedy="Check workspace_id in the profile: it is the workspace's customer id.",
            ) from cause
        raise
    partial = getattr(result, "partial_error", None)
    tables = getattr(result, "partial_data", None) if partial is not None else getattr(result, "tables", None)
    rows = [dict(zip(table.columns, row, strict=True)) for table in (tables or [])[:1] for row in table.rows]
    return Table(tuple(rows), None if partial is None else one_line(str(getattr(partial, "message", partial))))


def _names_no_workspace(cause: BaseException) -> bool:
    if azure_code(cause) in ("FailedToResolveResource", "PathNotFoundError", "WorkspaceNotFoundError"):
        return True
    return getattr(cause, "status_code", None) == 404


async def fetch_traffic(
    session: AzureSession, workspace_id: str, window: Window, now: datetime, split_hosts: Iterable[str] = ()
) -> TrafficReading:
    """What callers got in the window; latency and errors over the last complete minutes.

    `split_hosts` serve several backends: there the log's backend id tells them apart.

    Raises:
        ConsoleError: as `run_query`.
    """
    service_id = session.profile.service_id.lower()
    split = "|".join(["", *sorted(split_hosts), ""]) if split_hosts else ""
    common: dict[str, str | int | datetime] = {"service_id": service_id, "split_hosts": split}
    span = {**common, "start_at": window.start_at, "end_at": window.end_at}
    traffic = await run_query(session, workspace_id, queries.load("traffic_by_backend", span), window)
    latest = max((parse_moment(row["LatestAt"]) for row in traffic.rows), default=None)
    known_until = known_until_at(latest, now)
    if known_until is None:
        return TrafficReading(window, None, {}, traffic.partial)
    recent = last_minutes(known_until, WINDOW_MINUTES)
    parameters = {**common, "start_at": recent.start_at, "end_at": recent.end_at}
    latency, errors = await asyncio.gather(
        run_query(session, workspace_id, queries.load("latency_by_backend", parameters), recent),
        run_query(session, workspace_id, queries.load("errors_by_backend", parameters), recent),
    )
    loads = parse_traffic(traffic.rows, latency.rows, errors.rows, Window(window.start_at, known_until), recent)
    return TrafficReading(window, known_until, loads, traffic.partial or latency.partial or errors.partial)


def known_until_at(latest: datetime | None, now: datetime) -> datetime | None:
    """Up to which minute the logs are complete. None when nothing ever arrived: that is "not yet", not "nothing".

    The newest row tells how late the quickest rows are; from that it is judged how late the slowest can be.
    """
    if latest is None:
        return None
    quickest_seconds = max(0.0, (now - latest).total_seconds())
    slowest_seconds = quickest_seconds * LATENESS_SPREAD + SLOW_ANSWER_SECONDS
    return floor_minute(now - timedelta(seconds=min(slowest_seconds, LATEST_ARRIVAL_MINUTES * 60)))


def parse_traffic(
    rows: Sequence[Mapping[str, Any]],
    latency: Sequence[Mapping[str, Any]],
    errors: Sequence[Mapping[str, Any]],
    window: Window,
    recent: Window,
) -> dict[tuple[str, str], CallerLoad]:
    """Rows to loads. Inside the known window a minute without a row had no request: logs name every one."""
    length = round(window.minutes)
    counts: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        index = round((parse_moment(row["Minute"]) - window.start_at).total_seconds() / 60)
        columns = counts.setdefault(_key(row), {name: [0.0] * length for name in COUNTED})
        if 0 <= index < length:
            for name, values in columns.items():
                values[index] += float(row.get(name) or 0)
    percentiles = {_key(row): row for row in latency}
    return {
        key: CallerLoad(
            backend_host=key[0],
            requests=Series(window.start_at, tuple(columns["Requests"])),
            throttled=Series(window.start_at, tuple(columns["Throttled"])),
            failed=Series(window.start_at, tuple(columns["Failed"])),
            refused=Series(window.start_at, tuple(columns["Refused"])),
            window=recent,
            latency_p95_ms=_number(percentiles.get(key, {}).get("P95")),
            latency_p50_ms=_number(percentiles.get(key, {}).get("P50")),
            errors=tuple(_error(row) for row in errors if _key(row) == key),
        )
        for key, columns in sorted(counts.items())
    }


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return (str(row.get("Host") or "").lower(), str(row.get("Backend") or "").lower())


def _error(row: Mapping[str, Any]) -> ErrorCount:
    last_at = row.get("LastAt")
    return ErrorCount(
        status_code=int(row["ResponseCode"]),
        reason=str(row.get("Reason") or ""),
        message=one_line(str(row["Message"])) if row.get("Message") else "",
        count=int(row["Count"]),
        last_at=None if last_at is None else parse_moment(last_at),
        backend_status_code=int(row["BackendResponseCode"]) if row.get("BackendResponseCode") else None,
    )


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def parse_moment(value: Any) -> datetime:
    """A time in an answer of the query service, aware UTC."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
