"""Numbers read right: no data is no number, stale looks stale, and small is never nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.domain.load import Figure, Series
from console.domain.snapshot import FeedStatus
from screens.figures import (
    Freshness,
    age_cell,
    bar,
    figure_cell,
    format_age,
    format_count,
    format_milliseconds,
    format_percent,
    format_seconds,
    format_share,
    resample,
    sparkline,
    tone_of_caller_throttled,
    tone_of_model_throttled,
    utilization_cell,
)
from screens.spans import Tone, text_of, width_of
from tests.screens.made_up import NOW, START, figure

ON_TIME = Freshness(NOW, {"metrics": FeedStatus("metrics", 30, NOW), "traffic": FeedStatus("traffic", 30, NOW)})


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.2, "0.2"), (4, "4"), (9.96, "10"), (255.4, "255"), (1204, "1,204"), (12_340, "12.3k"),
     (123_400, "123k"), (1_240_000, "1.2M")],
)  # fmt: skip
def test_counts(value: float, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0%"), (0.0001, "<0.1%"), (0.341, "34.1%"), (0.9999, "100%"), (1.0, "100%")]
)
def test_shares(value: float, text: str) -> None:
    assert format_share(value) == text


def test_other_units() -> None:
    assert [format_percent(v) for v in (0.0, 0.001, 1.04)] == ["0%", "<1%", "104%"]
    assert [format_milliseconds(v) for v in (85, 1800, 12_000, 180_000)] == ["85ms", "1.8s", "12s", "3m"]
    assert [format_age(v) for v in (22, 59.7, 180, 7300, 200_000)] == ["22s", "1m", "3m", "2h", "2d"]
    assert [format_seconds(v) for v in (10, 60, 90, 7200, 0)] == ["10 s", "1 min", "1 min 30 s", "2 h", "0 s"]


def test_no_data_is_a_dash_and_never_zero() -> None:
    assert text_of(figure_cell(figure(None), format_share, ON_TIME)) == "–"
    assert text_of(figure_cell(figure(0.0), format_share, ON_TIME)) == "0.0%"


def test_a_lost_source_puts_a_word_where_the_number_was() -> None:
    lost = Freshness(NOW, {"traffic": FeedStatus("traffic", 30, None, "403 from the workspace")})
    assert text_of(figure_cell(figure(None, "gateway logs"), format_share, lost)) == "lost"
    assert text_of(figure_cell(figure(None, "metrics"), format_share, lost)) == "–"


def test_a_stale_figure_is_dim_with_its_age_beside_it() -> None:
    old = figure(0.341, age_seconds=1260)
    cell = figure_cell(old, format_share, ON_TIME)
    assert text_of(cell) == "34.1% 21m"
    assert cell[0].tone is Tone.STALE
    assert text_of(figure_cell(old, format_share, ON_TIME, room=6)) == "34.1%"


def test_figures_of_a_late_feed_are_stale_at_any_age() -> None:
    late = Freshness(NOW, {"metrics": replace(FeedStatus("metrics", 30, NOW), is_late=True)})
    assert figure_cell(figure(12.0), format_count, late)[0].tone is Tone.STALE


def test_red_is_for_callers_and_amber_for_models() -> None:
    assert tone_of_model_throttled(0.34) is Tone.WARN
    assert tone_of_caller_throttled(0.34) is Tone.HARM
    assert tone_of_caller_throttled(0.0) is Tone.QUIET


def test_bars_show_the_smallest_share_and_never_pass_their_width() -> None:
    assert bar(0.0, 10) == ""
    assert bar(0.001, 10) == "╸"
    assert bar(0.5, 10) == "━" * 5
    assert bar(1.7, 10) == "━" * 10


@pytest.mark.parametrize("width", range(3, 24))
@pytest.mark.parametrize("value", [None, 0.0, 0.004, 0.64, 1.0, 1.042, 12.0])
def test_utilization_fits_every_width(value: float | None, width: int) -> None:
    cell = utilization_cell(figure(value), ON_TIME, width)
    assert width_of(cell) <= max(width, len(format_percent(value or 0.0)))


def test_trends_keep_gaps_and_tell_zero_from_nothing() -> None:
    series = Series(START, (None, 0.0, 5.0, 10.0))
    assert text_of(sparkline(series, 4)) == " ▁▄▇"
    assert text_of(sparkline(Series(START, (None, None)), 4)) == "–"
    assert text_of(sparkline(None, 4)) == "–"


def test_throttled_minutes_are_marked_in_the_trend() -> None:
    requests = Series(START, (10.0, 10.0))
    cell = sparkline(requests, 2, Series(START, (0.0, 3.0)))
    assert [span.tone for span in cell] == [Tone.TREND, Tone.WARN]


def test_resampling_means_what_is_known() -> None:
    assert resample([1.0, 3.0, None, None, 5.0, None], 3) == [2.0, None, 5.0]
    assert resample([1.0, 2.0], 4) == [1.0, 1.0, 2.0, 2.0]


def test_the_age_of_a_row_is_that_of_its_oldest_figure() -> None:
    figures = (figure(1.0, age_seconds=30), figure(2.0, age_seconds=200), figure(None))
    assert text_of(age_cell(figures, ON_TIME)) == "3m"
    old = Figure(1.0, "metrics", NOW - timedelta(hours=2))
    assert age_cell((old,), ON_TIME)[0].tone is Tone.WARN
    assert text_of(age_cell((figure(None),), ON_TIME)) == "–"
