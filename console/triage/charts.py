"""The series that show a finding, by name, on one time axis; and what changed as marks on it. Pure.

Screens and reports draw the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.change import Change
from console.domain.finding import ChartRef, Finding
from console.domain.history import HISTORY_MINUTES, floor_minute
from console.domain.load import Series, add_series
from console.domain.snapshot import BackendStatus, GatewaySnapshot
from console.triage.minutes import aligned, index_at

CONSUMER = "consumer:"


@dataclass(frozen=True, slots=True)
class Plot:
    """A series to draw. `unit`: "ratio", "requests", "ms" or "tokens"; `limit`: a line worth knowing, in that unit."""

    title: str
    unit: str
    series: Series | None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment; `letter` ties it to its line in the list of changes."""

    at: datetime
    letter: str
    text: str
    source: str


def plot_of(snapshot: GatewaySnapshot, ref: ChartRef) -> Plot:
    """What a reference means in this snapshot. The series is None when nothing is known of it."""
    detail = snapshot.callers_detail
    if ref.subject.startswith(CONSUMER):
        name = ref.subject.removeprefix(CONSUMER)
        consumer = next((c for c in detail.consumers if c.name == name), None) if detail is not None else None
        return Plot(
            f"requests of {name or 'callers without a key'}", "requests", consumer.requests if consumer else None
        )
    if not ref.subject:
        return _all_callers(snapshot, ref.figure)
    status = snapshot.backend(ref.subject)
    if status is None:
        return Plot(f"{ref.figure} of {ref.subject}", "requests", None)
    return _backend_plot(snapshot, status, ref.figure)


def _all_callers(snapshot: GatewaySnapshot, figure: str) -> Plot:
    detail = snapshot.callers_detail
    if detail is None:
        return Plot(f"{figure} of all callers", "requests", None)
    if figure == "caller-429":
        return Plot("callers' 429s", "requests", add_series([c.throttled for c in detail.consumers]))
    if figure == "errors":
        errors = [e.counts for e in detail.errors if e.status_code >= 500 or e.backend_status_code in (401, 403, 404)]
        none = Series(detail.window.start_at, (0.0,) * round(detail.window.minutes))
        return Plot("callers' errors", "requests", add_series([none, *errors]))
    return Plot("requests of all callers", "requests", add_series([c.requests for c in detail.consumers]))


def _backend_plot(snapshot: GatewaySnapshot, status: BackendStatus, figure: str) -> Plot:
    load, name = status.load, status.name
    if figure == "utilization":
        return Plot(f"{name} utilization", "ratio", load.utilization, 1.0)
    if figure == "model-429":
        return Plot(f"{name} refused (429)", "requests", load.model_throttled)
    if figure == "caller-429":
        return Plot(f"{name} callers' 429s", "requests", load.caller_throttled)
    if figure == "errors":
        return Plot(f"{name} failed", "requests", _failed(status))
    if figure == "tokens":
        limits = [d.tokens_per_minute_limit for d in status.account.deployments] if status.account is not None else []
        return Plot(f"{name} tokens", "tokens", load.tokens, max((float(v) for v in limits if v), default=None))
    if figure == "spilled":
        spilled = [d.spilled_in for d in load.deployments if d.spilled_in is not None]
        return Plot(f"{name} native spillover", "requests", add_series(spilled))
    if figure == "latency":
        return Plot(f"{name} 75th percentile", "ms", _latency(snapshot, status))
    return Plot(f"{name} requests", "requests", load.requests)


def _failed(status: BackendStatus) -> Series | None:
    """What callers or models show of it, whichever is more in a minute."""
    series = [s for s in (status.load.failed, *(d.failed for d in status.load.deployments)) if s is not None]
    if not series:
        return None
    start = min(s.start_at for s in series)
    length = max(index_at(s, start) * -1 + len(s.values) for s in series)
    rows = [aligned(s, start, length) for s in series]
    return Series(start, tuple(max(values) for values in zip(*rows, strict=True)))


def _latency(snapshot: GatewaySnapshot, status: BackendStatus) -> Series | None:
    detail = snapshot.callers_detail
    own = [x for x in detail.latencies if x.host == status.backend.host] if detail is not None else []
    busiest = max(own, key=lambda x: sum(v or 0.0 for v in x.requests.values), default=None)
    return busiest.p75_ms if busiest is not None else None


def on_axis(series: Series | None, end_at: datetime, minutes: int = HISTORY_MINUTES) -> Series | None:
    """The series over exactly the minutes before `end_at`; unknown ones are None."""
    if series is None:
        return None
    end = floor_minute(end_at)
    start = end - timedelta(minutes=minutes)
    offset = index_at(series, start)
    values = series.values
    return Series(start, tuple(values[i + offset] if 0 <= i + offset < len(values) else None for i in range(minutes)))


def make_marks(
    changes: Iterable[Change], findings: Sequence[Finding], start_at: datetime, end_at: datetime
) -> tuple[Mark, ...]:
    """What happened in the span, oldest first: changes, and breakers held to have opened. Lettered a, b, c."""
    moments = [(c.at, c.text, c.source) for c in changes if start_at <= c.at <= end_at]
    moments += [
        (f.since_at, f"breaker of {f.subject} probably opened", "inferred")
        for f in findings
        if f.symptom in ("breaker open", "flapping") and f.since_at is not None and start_at <= f.since_at <= end_at
    ]
    letters = "abcdefghijklmnopqrstuvwxyz"
    return tuple(
        Mark(at, letters[index] if index < len(letters) else "+", text, source)
        for index, (at, text, source) in enumerate(sorted(moments))
    )
