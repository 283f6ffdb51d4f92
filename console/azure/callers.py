"""The callers' side in detail, from the gateway's logs: errors, waiting and consumers by minute. Aggregated rows only.

Source: Log Analytics query API v1, tables ApiManagementGatewayLogs (ApimSubscriptionId, LastErrorReason,
LastErrorSection, OperationId) and ApiManagementGatewayLlmLog (TotalTokens by CorrelationId).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from console import queries
from console.azure.logs import Table, known_until_at, parse_moment, run_query
from console.azure.refusal import one_line
from console.azure.session import AzureSession
from console.domain.callers import CallersDetail, ConsumerLoad, ErrorSeries, LatencySeries
from console.domain.history import floor_minute
from console.domain.load import Series, Window
from console.errors import ConsoleError

CONSUMERS_READ = 50

Rows = Sequence[Mapping[str, Any]]


async def fetch_callers(
    session: AzureSession,
    workspace_id: str,
    window: Window,
    now: datetime,
    *,
    split_hosts: str = "",
    with_tokens: bool = True,
) -> tuple[CallersDetail | None, CallersDetail | None, ConsoleError | None]:
    """(what is complete, what has arrived up to the newest row, why tokens are missing); None: nothing ever arrived.

    Raises:
        ConsoleError: the logs cannot be queried.
    """
    parameters: dict[str, str | int | datetime] = {
        "service_id": session.profile.service_id.lower(),
        "split_hosts": split_hosts,
        "start_at": window.start_at,
        "end_at": window.end_at,
    }

    async def ask(name: str) -> Table:
        return await run_query(session, workspace_id, queries.load(name, parameters), window)

    async def ask_tokens() -> tuple[Table, ConsoleError | None]:
        if not with_tokens:
            return Table(()), None
        try:
            return await ask("tokens_by_consumer"), None
        except ConsoleError as error:
            return Table(()), error

    consumers, errors, latency, (tokens, no_tokens) = await asyncio.gather(
        ask("consumers_by_minute"), ask("errors_by_minute"), ask("latency_by_minute"), ask_tokens()
    )
    latest = max((parse_moment(row["LatestAt"]) for row in consumers.rows), default=None)
    known_until = known_until_at(latest, now)
    if known_until is None:
        return None, None, no_tokens
    known = Window(window.start_at, max(window.start_at, known_until))
    partial = next((t.partial for t in (consumers, errors, latency, tokens) if t.partial), None)
    counted = tokens.rows if with_tokens and no_tokens is None else None

    def detail(span: Window) -> CallersDetail:
        return CallersDetail(
            span,
            parse_errors(errors.rows, span),
            parse_latencies(latency.rows, span),
            parse_consumers(consumers.rows, counted, span),
            partial or "",
            len({row["Consumer"] for row in consumers.rows}) >= CONSUMERS_READ,
        )

    assert latest is not None
    arrived = Window(window.start_at, max(known.end_at, floor_minute(latest) + timedelta(minutes=1)))
    return detail(known), detail(arrived), no_tokens


def _index(row: Mapping[str, Any], window: Window) -> int:
    return round((parse_moment(row["Minute"]) - window.start_at).total_seconds() / 60)


def _counted(rows: Rows, keys: Sequence[str], column: str, window: Window) -> dict[tuple[Any, ...], list[float]]:
    length = round(window.minutes)
    counts: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        values = counts.setdefault(tuple(row.get(key) for key in keys), [0.0] * length)
        index = _index(row, window)
        if 0 <= index < length:
            values[index] += float(row.get(column) or 0)
    return counts


def parse_errors(rows: Rows, window: Window) -> tuple[ErrorSeries, ...]:
    """Rows of `errors_by_minute` to series, most frequent first."""
    keys = ("Host", "Backend", "Api", "ResponseCode", "BackendResponseCode", "Reason", "Section")
    messages = {tuple(row.get(key) for key in keys): row.get("Message") for row in rows}
    series = [
        ErrorSeries(
            host=str(key[0] or "").lower(),
            backend=str(key[1] or "").lower(),
            api=str(key[2] or ""),
            status_code=int(key[3]),
            backend_status_code=int(key[4]) if key[4] else None,
            reason=str(key[5] or ""),
            section=str(key[6] or ""),
            message=one_line(str(messages[key])) if messages[key] else "",
            counts=Series(window.start_at, tuple(values)),
        )
        for key, values in _counted(rows, keys, "Count", window).items()
    ]
    return tuple(sorted(series, key=lambda e: (-sum(v or 0.0 for v in e.counts.values), e.host, e.api, e.status_code)))


def parse_latencies(rows: Rows, window: Window) -> tuple[LatencySeries, ...]:
    """Rows of `latency_by_minute` to series."""
    keys = ("Host", "Backend", "Operation")
    length = round(window.minutes)
    waits: dict[tuple[Any, ...], list[float | None]] = {}
    for row in rows:
        values = waits.setdefault(tuple(row.get(key) for key in keys), [None] * length)
        index, wait = _index(row, window), row.get("P75")
        if 0 <= index < length and wait is not None and wait == wait:
            values[index] = float(wait)
    counts = _counted(rows, keys, "Requests", window)
    return tuple(
        LatencySeries(
            str(key[0] or "").lower(),
            str(key[1] or "").lower(),
            str(key[2] or ""),
            Series(window.start_at, tuple(values)),
            Series(window.start_at, tuple(counts[key])),
        )
        for key, values in sorted(waits.items(), key=lambda item: tuple(str(part or "") for part in item[0]))
    )


def parse_consumers(rows: Rows, tokens: Rows | None, window: Window) -> tuple[ConsumerLoad, ...]:
    """Rows of `consumers_by_minute` and `tokens_by_consumer` to loads, busiest first. `tokens` None: not logged."""
    by_column = {name: _counted(rows, ("Consumer",), name, window) for name in ("Requests", "Throttled", "Failed")}
    counted = _counted(tokens, ("Consumer",), "Tokens", window) if tokens is not None else {}
    silence = [0.0] * round(window.minutes)
    loads = [
        ConsumerLoad(
            str(key[0] or ""),
            Series(window.start_at, tuple(requests)),
            Series(window.start_at, tuple(by_column["Throttled"][key])),
            Series(window.start_at, tuple(by_column["Failed"][key])),
            None if not counted else Series(window.start_at, tuple(counted.get(key, silence))),
        )
        for key, requests in by_column["Requests"].items()
    ]
    return tuple(sorted(loads, key=lambda c: (-sum(v or 0.0 for v in c.requests.values), c.name)))
