"""Runs of bad minutes: when a symptom began, and whether it still lasts. Pure.

A run lasts while one of its newest two known minutes is bad, and single quiet minutes do not end it: what comes and
goes every other minute is one finding, not ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.load import Series

MINUTE = timedelta(minutes=1)
NEWEST_MINUTES = 2
"""A run is over when this many known minutes in a row are good."""
QUIET_MINUTES_INSIDE = 3
"""Good minutes in a row that a run may hold."""


@dataclass(frozen=True, slots=True)
class Run:
    """Bad minutes that belong together. `first` and `last` are indices into the series they were found in."""

    first: int
    last: int
    bad: int
    since_at: datetime
    end_at: datetime

    @property
    def minutes(self) -> int:
        """How many minutes it spans."""
        return self.last - self.first + 1


def find_run(bad: Sequence[bool], start_at: datetime, *, newest: int = NEWEST_MINUTES) -> Run | None:
    """The run that reaches into the newest minutes, None when they are good. `bad[0]` is the minute at `start_at`."""
    length = len(bad)
    last = next((i for i in range(length - 1, max(-1, length - 1 - newest), -1) if bad[i]), None)
    if last is None:
        return None
    first, count, quiet = last, 1, 0
    for index in range(last - 1, -1, -1):
        if bad[index]:
            first, count, quiet = index, count + 1, 0
        else:
            quiet += 1
            if quiet > QUIET_MINUTES_INSIDE:
                break
    return Run(first, last, count, start_at + first * MINUTE, start_at + (last + 1) * MINUTE)


def index_at(series: Series, at: datetime) -> int:
    """The index of the minute that starts at `at`; may lie outside."""
    return round((at - series.start_at).total_seconds() / 60)


def values_until(series: Series | None, end_at: datetime | None) -> tuple[float | None, ...]:
    """The values up to `end_at`, the newest last; unknown minutes at the end stay None."""
    if series is None or end_at is None:
        return ()
    length = index_at(series, end_at)
    values = series.values
    if length == len(values):
        return values
    return values[:length] if length < len(values) else values + (None,) * (length - len(values))


def aligned(series: Series | None, start_at: datetime, length: int) -> list[float]:
    """Counts of `length` minutes from `start_at`; what is not known counts as none."""
    if series is None:
        return [0.0] * length
    values = series.values
    if series.start_at == start_at and len(values) == length:
        return [v or 0.0 for v in values]
    offset = index_at(series, start_at)
    return [(values[i + offset] or 0.0) if 0 <= i + offset < len(values) else 0.0 for i in range(length)]


def usual(values: Sequence[float | None], until: int, minutes: int = 15) -> float | None:
    """The median of the known values in the minutes before index `until`; None with fewer than three."""
    known = sorted(v for v in values[max(0, until - minutes) : max(0, until)] if v is not None)
    return known[len(known) // 2] if len(known) >= 3 else None


def flags(length: int, is_bad: Callable[[int], bool]) -> list[bool]:
    """One flag for each minute."""
    return [is_bad(index) for index in range(length)]
