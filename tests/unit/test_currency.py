"""Old figures calm nobody: once Azure stops answering the first line says so, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from console.domain.compose import compose
from console.domain.snapshot import FeedStatus, Level
from tests.unit.gateways import NOW, spilling

AN_HOUR_AGO = NOW - timedelta(hours=1)


def feed(name: str, answered_at: datetime | None, *, late: bool = False, error: str | None = None) -> FeedStatus:
    return FeedStatus(name, 60.0, answered_at, error, late)


def verdict(*feeds: FeedStatus, is_paused: bool = False):  # type: ignore[no-untyped-def]
    return compose(replace(spilling(), feeds=feeds, is_paused=is_paused), NOW).verdict


OLD = compose(spilling(), NOW).verdict.text


def test_with_metrics_and_traffic_late_the_verdict_is_not_current() -> None:
    seen = verdict(
        feed("topology", NOW),
        feed("metrics", AN_HOUR_AGO, late=True, error="no answer"),
        feed("traffic", AN_HOUR_AGO + timedelta(minutes=2), late=True, error="no answer"),
    )
    assert seen.level is Level.UNKNOWN
    assert seen.text == f"NOT CURRENT: no answer from Azure since 09:02 · as of 09:00: {OLD}"


@pytest.mark.parametrize(("age_seconds", "current"), [(70, True), (125, False)])
def test_a_topology_that_fails_twice_makes_it_not_current_once_does_not(age_seconds: int, current: bool) -> None:
    at = NOW - timedelta(seconds=age_seconds)
    seen = verdict(feed("topology", at, error="no connection"), feed("metrics", NOW), feed("traffic", NOW))
    assert (seen.text == OLD) is current
    assert (seen.level is Level.UNKNOWN) is not current


def test_one_source_that_still_answers_keeps_it_current() -> None:
    seen = verdict(feed("topology", NOW), feed("metrics", AN_HOUR_AGO, late=True, error="x"), feed("traffic", NOW))
    assert (seen.level, seen.text) == (Level.WARNING, OLD)


def test_a_source_that_was_refused_from_the_start_counts_for_nothing() -> None:
    refused = feed("metrics", None, late=True, error="not allowed")
    assert verdict(refused, feed("traffic", NOW)).text == OLD
    assert verdict(refused, feed("traffic", AN_HOUR_AGO, late=True, error="x")).text.startswith("NOT CURRENT")


def test_while_paused_nobody_is_said_not_to_answer() -> None:
    seen = verdict(feed("metrics", AN_HOUR_AGO, late=True), feed("traffic", AN_HOUR_AGO, late=True), is_paused=True)
    assert seen.text == OLD
