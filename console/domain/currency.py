"""Whether what is shown still holds: a verdict on old figures says so and calms nobody. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from console.domain.snapshot import FeedStatus, Level, Verdict

TOPOLOGY = "topology"
SOURCES = ("metrics", "traffic")
"""Feeds a verdict rests on. One of them that never answered is no loss; all that did answer being late is."""
FAILED_TWICE_INTERVALS = 2.0
"""A feed that fails and last answered this many intervals ago has failed at least twice in a row."""


def not_current_since(feeds: Sequence[FeedStatus], now: datetime) -> datetime | None:
    """Since when Azure has not answered, None while it does or has not been heard at all."""
    topology = next((f for f in feeds if f.name == TOPOLOGY), None)
    sources = [f for f in feeds if f.name in SOURCES and f.last_success_at is not None]
    lost: list[FeedStatus] = []
    if topology is not None and _has_failed_twice(topology, now):
        lost.append(topology)
    if sources and all(f.is_late for f in sources):
        lost += sources
    return max((f.last_success_at for f in lost if f.last_success_at is not None), default=None)


def _has_failed_twice(feed: FeedStatus, now: datetime) -> bool:
    if feed.last_success_at is None or feed.last_error is None:
        return False
    age_seconds = (now - feed.last_success_at).total_seconds()
    return feed.is_late or age_seconds >= FAILED_TWICE_INTERVALS * feed.interval_seconds


def held_against_feeds(verdict: Verdict, feeds: Sequence[FeedStatus], now: datetime, *, is_paused: bool) -> Verdict:
    """The verdict, or that it is not current. While paused nobody asks, so nobody fails to answer."""
    since = None if is_paused else not_current_since(feeds, now)
    if since is None:
        return verdict
    sources = [f.last_success_at for f in feeds if f.name in SOURCES and f.last_success_at is not None]
    as_of = min([since, *sources])
    text = f"NOT CURRENT: no answer from Azure since {since:%H:%M} · as of {as_of:%H:%M}: {verdict.text}"
    return replace(verdict, level=Level.UNKNOWN, text=text)
