"""Load as figures: counts per minute, ratios, and where each figure comes from.

No data is None, never 0. A ratio without requests is None. A minute Azure has not published yet is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


def ratio(part: float | None, whole: float | None) -> float | None:
    """`part / whole`, 0 to 1; None when either is unknown or nothing happened."""
    if part is None or not whole:
        return None
    return part / whole


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open span of time [start_at, end_at), aware UTC, on whole minutes."""

    start_at: datetime
    end_at: datetime

    @property
    def minutes(self) -> float:
        """Length in minutes."""
        return (self.end_at - self.start_at).total_seconds() / 60


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its source and its age.

    `value` None: no data. `source`: where it was read ("metrics", "gateway logs", "probe"). `observed_at`: the end of
    the data it rests on, not when it was fetched; None when there never was any. `window`: the minutes it covers.
    """

    value: float | None
    source: str
    observed_at: datetime | None = None
    window: Window | None = None

    def age_seconds(self, now: datetime) -> float | None:
        """Seconds since the data's own time, None when there is none."""
        return None if self.observed_at is None else max(0.0, (now - self.observed_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Series:
    """One value a minute from `start_at` on (aware UTC, whole minute). None where nothing is known."""

    start_at: datetime
    values: tuple[float | None, ...]

    @property
    def end_at(self) -> datetime:
        """End of the last minute."""
        return self.start_at + timedelta(minutes=len(self.values))

    def within(self, window: Window) -> tuple[float | None, ...]:
        """The values of the minutes inside the window; minutes the series does not have are left out."""
        first = max(0, round((window.start_at - self.start_at).total_seconds() / 60))
        last = max(first, round((window.end_at - self.start_at).total_seconds() / 60))
        return self.values[first:last]

    def total(self, window: Window) -> float | None:
        """Sum over the window, None when no minute of it is known."""
        return total(self.within(window))

    def latest_known_end_at(self) -> datetime | None:
        """End of the newest minute with a value, None when there is none."""
        for index in range(len(self.values) - 1, -1, -1):
            if self.values[index] is not None:
                return self.start_at + timedelta(minutes=index + 1)
        return None


def total(values: Iterable[float | None]) -> float | None:
    """Sum of the known values, None when none is known."""
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the known values, None when none is known."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def add_series(series: Sequence[Series]) -> Series | None:
    """Minute by minute sum of several series; a minute unknown in all of them stays None. None for no series."""
    if not series:
        return None
    start_at = min(s.start_at for s in series)
    length = max(round((s.end_at - start_at).total_seconds() / 60) for s in series)
    sums: list[float | None] = [None] * length
    for one in series:
        offset = round((one.start_at - start_at).total_seconds() / 60)
        for index, value in enumerate(one.values):
            if value is not None:
                sums[offset + index] = (sums[offset + index] or 0.0) + value
    return Series(start_at, tuple(sums))


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """What one model deployment did, from Azure OpenAI's metrics (all Series of counts per minute).

    `throttled` are its own 429s; `failed` 5xx; `denied` 401 and 403; `missing` 404. `utilization` is a ratio
    (1.0 = 100 %), None for pay-as-you-go. `spilled_in` counts requests it served for another deployment (native
    spillover).
    """

    account_id: str
    deployment_name: str
    requests: Series
    throttled: Series
    failed: Series
    denied: Series
    missing: Series
    tokens: Series
    utilization: Series | None = None
    spilled_in: Series | None = None


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often callers got one kind of error in the window.

    `backend_status_code`: what the backend of the last attempt had answered, None when none had.
    """

    status_code: int
    reason: str
    message: str
    count: int
    last_at: datetime | None = None
    backend_status_code: int | None = None

    @property
    def is_refusal_of_the_gateway(self) -> bool:
        """Whether the gateway had nobody left to ask: breakers open, a pool exhausted."""
        return self.status_code == 503 and (self.backend_status_code or 0) < 500


@dataclass(frozen=True, slots=True)
class CallerLoad:
    """What callers got, from the gateway's logs, by the backend of the last attempt.

    `backend_host` "" means no backend was reached (a policy refused, a pool was exhausted, a key was wrong).
    `latency_p95_ms` covers `window`, it is not a mean of minutes. `refused` are those of `failed` that the gateway
    answered itself because nobody was left to ask.
    """

    backend_host: str
    requests: Series
    throttled: Series
    failed: Series
    window: Window
    latency_p95_ms: float | None = None
    latency_p50_ms: float | None = None
    errors: tuple[ErrorCount, ...] = ()
    refused: Series | None = None


@dataclass(frozen=True, slots=True)
class BackendLoad:
    """Every figure of one backend, and its history for charts (None where it was never read).

    `metrics_until_at`, `logs_until_at`: up to where each source has answered for this backend, also with nothing in it;
    None when it has not.
    """

    utilization_ratio: Figure
    requests_per_minute: Figure
    model_throttled_ratio: Figure
    caller_throttled_ratio: Figure
    error_ratio: Figure
    latency_p95_ms: Figure
    tokens_per_minute: Figure
    requests: Series | None = None
    caller_requests: Series | None = None
    model_throttled: Series | None = None
    caller_throttled: Series | None = None
    failed: Series | None = None
    utilization: Series | None = None
    tokens: Series | None = None
    deployments: tuple[ModelLoad, ...] = ()
    errors: tuple[ErrorCount, ...] = ()
    gateway_refused: Series | None = None
    metrics_until_at: datetime | None = None
    logs_until_at: datetime | None = None
