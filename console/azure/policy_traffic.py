"""Traffic as fragments see it: its shape for a rehearsal, and what callers got in a window. Aggregates only.

Source: Azure Monitor Logs reference, ApiManagementGatewayLogs and ApiManagementGatewayLlmLog.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from console import queries
from console.azure.logs import run_query
from console.azure.session import AzureSession
from console.azure.workspace import discover_workspace
from console.domain.load import Window, ratio
from console.errors import ConsoleError

CHARACTERS_PER_TOKEN = 4
"""Assumed, for callers whose tokens no log holds: their request's size over this is its prompt."""


@dataclass(frozen=True, slots=True)
class CallerStream:
    """Requests of one caller to one operation and model deployment. `minutes`: how many arrived in each minute.

    Tokens are means of an answered call; `tokens_source` says whether they are logged or guessed from sizes.
    """

    api: str
    operation: str
    caller: str
    deployment: str
    method: str
    path: str
    query: str
    minutes: tuple[int, ...]
    prompt_tokens: float
    completion_tokens: float
    stream_ratio: float
    tokens_source: str

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.minutes)


@dataclass(frozen=True, slots=True)
class TrafficShape:
    """What arrived at a gateway in a window, and which backend answered what share of it (logged)."""

    window: Window
    streams: tuple[CallerStream, ...]
    shares: Mapping[str, float]

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(stream.requests for stream in self.streams)


@dataclass(frozen=True, slots=True)
class CallerFigures:
    """What callers got in a window. Ratios 0 to 1, latencies in milliseconds; None without a request."""

    window: Window
    requests: int
    throttled_ratio: float | None
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    latest_at: datetime | None = None


class PolicyTraffic:
    """The logs of one gateway. The workspace is looked up once."""

    def __init__(self, session: AzureSession) -> None:
        self._session = session
        self._workspace_id = session.profile.workspace_id or ""

    async def _run(self, name: str, window: Window, **more: str) -> tuple[Mapping[str, Any], ...]:
        if not self._workspace_id:
            self._workspace_id = await discover_workspace(self._session)
        parameters: dict[str, str | int | datetime] = {
            "service_id": self._session.profile.service_id.lower(),
            "start_at": window.start_at,
            "end_at": window.end_at,
            **more,
        }
        table = await run_query(self._session, self._workspace_id, queries.load(name, parameters), window)
        return table.rows

    async def fetch_callers(self, window: Window, apis: Sequence[str] | None = None) -> CallerFigures:
        """What callers got in a window, all or those of some APIs.

        Raises:
            ConsoleError: the logs cannot be queried.
        """
        named = "" if apis is None else "|" + "|".join(sorted(api.lower() for api in apis)) + "|"
        rows = await self._run("callers_in_window", window, apis=named)
        return parse_callers(rows, window)

    async def fetch_shape(self, window: Window, counted: Window) -> TrafficShape:
        """The shape of the traffic in `window`, and the shares of backends in `counted`.

        Raises:
            ConsoleError: the logs cannot be queried, or hold no request.
        """
        rows, tokens, shares = await asyncio.gather(
            self._run("traffic_shape", window),
            self._tokens(window),
            self._run("shares_in_window", counted),
        )
        if not rows:
            raise ConsoleError(
                "The logs hold no request of that time: there is nothing to replay",
                where=self._session.profile.service_id,
                remedy="Rehearse when there was traffic, or check the diagnostic setting with `doctor`.",
            )
        return parse_shape(rows, tokens, shares, window)

    async def _tokens(self, window: Window) -> tuple[Mapping[str, Any], ...]:
        try:
            return await self._run("tokens_by_caller", window)
        except ConsoleError:
            # A workspace without the language-model log has no such table: sizes of requests stand in for tokens,
            # and every stream says so.
            return ()


def parse_callers(rows: Sequence[Mapping[str, Any]], window: Window) -> CallerFigures:
    """One row to figures."""
    row = rows[0] if rows else {}
    requests = int(row.get("Requests") or 0)
    latest = row.get("LatestAt")
    return CallerFigures(
        window,
        requests,
        ratio(float(row.get("Throttled") or 0), requests),
        ratio(float(row.get("Errors") or 0), requests),
        _number(row.get("P50")) if requests else None,
        _number(row.get("P95")) if requests else None,
        None if latest is None or not requests else _datetime(latest),
    )


def parse_shape(
    rows: Sequence[Mapping[str, Any]],
    tokens: Sequence[Mapping[str, Any]],
    shares: Sequence[Mapping[str, Any]],
    window: Window,
) -> TrafficShape:
    """Rows to streams: one a caller, operation and model deployment."""
    length = max(1, round(window.minutes))
    counts: dict[tuple[str, ...], list[int]] = {}
    examples: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for row in rows:
        key = _key(row)
        minutes = counts.setdefault(key, [0] * length)
        at = round((_datetime(row["Minute"]) - window.start_at).total_seconds() // 60)
        if 0 <= at < length:
            minutes[at] += int(row["Requests"])
            examples[key] = row
    sizes = {_key(row): row for row in tokens}
    streams = [_stream(key, counts[key], examples[key], sizes.get(key)) for key in sorted(examples)]
    total = sum(float(row["Requests"] or 0) for row in shares)
    by_backend: dict[str, float] = {}
    for row in shares:
        name = str(row.get("Backend") or "")
        by_backend[name] = by_backend.get(name, 0.0) + float(row["Requests"] or 0)
    return TrafficShape(
        window, tuple(streams), {name: count / total for name, count in sorted(by_backend.items())} if total else {}
    )


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(name) or "") for name in ("ApiId", "OperationId", "Caller", "Deployment"))


def _stream(
    key: tuple[str, ...], minutes: list[int], example: Mapping[str, Any], tokens: Mapping[str, Any] | None
) -> CallerStream:
    parts = urlsplit(str(example.get("Example") or ""))
    guess = (_number(example.get("Size")) or 0.0) / CHARACTERS_PER_TOKEN
    prompt = None if tokens is None else _number(tokens.get("Prompt"))
    completion = None if tokens is None else _number(tokens.get("Completion"))
    streamed = None if tokens is None else _number(tokens.get("Streamed"))
    return CallerStream(
        api=key[0],
        operation=key[1],
        caller=key[2],
        deployment=key[3],
        method=str(example.get("Method") or "POST").upper(),
        path=parts.path or "/",
        query=urlencode([(n, v) for n, v in parse_qsl(parts.query) if n.lower() == "api-version"]),
        minutes=tuple(minutes),
        prompt_tokens=guess if prompt is None else prompt,
        completion_tokens=guess if completion is None else completion,
        stream_ratio=streamed or 0.0,
        tokens_source="logged" if prompt is not None else "guessed from request sizes",
    )


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _datetime(value: Any) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
