"""Whole minutes and how series of them grow: newer readings replace older ones minute by minute. Pure."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from console.domain.load import CallerLoad, ModelLoad, Series, Window

T = TypeVar("T")

HISTORY_MINUTES = 60
"""How far back the charts go."""

WINDOW_MINUTES = 5
"""What "now" means for a figure: the last complete minutes that are known."""


def floor_minute(at: datetime) -> datetime:
    """The start of the minute that `at` is in."""
    return at.replace(second=0, microsecond=0)


def last_minutes(end_at: datetime, minutes: int = WINDOW_MINUTES) -> Window:
    """The window of whole minutes that ends at `end_at`."""
    end = floor_minute(end_at)
    return Window(end - timedelta(minutes=minutes), end)


def overlay(older: Series | None, newer: Series, start_at: datetime) -> Series:
    """`older` with the minutes of `newer` put over it, cut to begin at `start_at`.

    A minute between the two that nobody read stays None.
    """
    if older is None or older.end_at < start_at:
        return trimmed(newer, start_at)
    first = max(start_at, min(older.start_at, newer.start_at))
    length = max(0, round((max(older.end_at, newer.end_at) - first).total_seconds() / 60))
    values: list[float | None] = [None] * length
    for series in (older, newer):
        offset = round((series.start_at - first).total_seconds() / 60)
        for index, value in enumerate(series.values):
            if 0 <= index + offset < length:
                values[index + offset] = value
    return Series(first, tuple(values))


def trimmed(series: Series, start_at: datetime) -> Series:
    """The series without the minutes before `start_at`."""
    skip = round((start_at - series.start_at).total_seconds() / 60)
    return series if skip <= 0 else Series(start_at, series.values[skip:])


def blank(window: Window) -> Series:
    """A series of unknown minutes."""
    return Series(window.start_at, (None,) * round(window.minutes))


def merge_model_load(older: ModelLoad | None, newer: ModelLoad, start_at: datetime) -> ModelLoad:
    """The newer reading of a model deployment over its history."""
    if older is None:
        return newer

    def both(name: str) -> Series | None:
        new: Series | None = getattr(newer, name)
        old: Series | None = getattr(older, name)
        if new is None:
            return old
        return overlay(old, new, start_at)

    names = ("requests", "throttled", "failed", "denied", "missing", "tokens", "utilization", "spilled_in")
    return replace(newer, **{name: both(name) for name in names})  # type: ignore[arg-type]


def merge_caller_load(older: CallerLoad | None, newer: CallerLoad, start_at: datetime) -> CallerLoad:
    """The newer reading of the callers' view over its history; percentiles and errors are the newer ones."""
    if older is None:
        return newer
    return replace(
        newer,
        requests=overlay(older.requests, newer.requests, start_at),
        throttled=overlay(older.throttled, newer.throttled, start_at),
        failed=overlay(older.failed, newer.failed, start_at),
        refused=newer.refused if newer.refused is None else overlay(older.refused, newer.refused, start_at),
    )


def cut_series(holder: T, until: datetime) -> T:
    """A dataclass with every `Series` in it cut to end at `until` at the latest."""
    cut: dict[str, Any] = {}
    for field in fields(holder):  # type: ignore[arg-type]
        value = getattr(holder, field.name)
        if isinstance(value, Series):
            length = max(0, round((until - value.start_at).total_seconds() / 60))
            cut[field.name] = Series(value.start_at, value.values[:length])
    return replace(holder, **cut)  # type: ignore[type-var]
