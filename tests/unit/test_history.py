"""Series that grow: newer minutes replace older ones, unknown stays unknown, and no total is made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from console.domain.history import floor_minute, last_minutes, overlay
from console.domain.load import Series, Window, add_series

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
values = st.lists(st.none() | st.integers(0, 50).map(float), max_size=12).map(tuple)
offsets = st.integers(-8, 20)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def value_at(series: Series, minute: datetime) -> float | None:
    index = round((minute - series.start_at).total_seconds() / 60)
    return series.values[index] if 0 <= index < len(series.values) else None


@given(older=values, newer=values, first=offsets, second=offsets, cut=offsets)
def test_the_newer_reading_wins_where_there_is_one_and_the_older_stays_elsewhere(
    older: tuple[float | None, ...], newer: tuple[float | None, ...], first: int, second: int, cut: int
) -> None:
    old, new = Series(at(first), older), Series(at(second), newer)
    merged = overlay(old, new, at(cut))
    assert merged.start_at >= at(cut) or not merged.values
    for minute in range(-10, 40):
        moment = at(minute)
        if moment < at(cut):
            continue
        inside_new = new.start_at <= moment < new.end_at
        expected = value_at(new, moment) if inside_new else value_at(old, moment)
        assert value_at(merged, moment) == expected


def test_a_gap_that_nobody_read_is_unknown_and_not_zero() -> None:
    merged = overlay(Series(at(0), (1.0,)), Series(at(3), (4.0,)), at(0))
    assert merged.values == (1.0, None, None, 4.0)


def test_now_is_the_last_complete_minutes() -> None:
    window = last_minutes(START + timedelta(seconds=59), 5)
    assert window == Window(at(-5), at(0))
    assert floor_minute(START + timedelta(seconds=59)) == START


@given(first=values, second=values)
def test_a_sum_knows_what_any_of_its_parts_knows(
    first: tuple[float | None, ...], second: tuple[float | None, ...]
) -> None:
    summed = add_series([Series(at(0), first), Series(at(0), second)])
    assert summed is not None
    whole = Window(at(0), at(20))
    parts = [t for s in (first, second) if (t := Series(at(0), s).total(whole)) is not None]
    assert summed.total(whole) == (sum(parts) if parts else None)
