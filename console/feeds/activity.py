"""The activity feed: what somebody changed. A day first, then what may still have arrived late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from console.azure.activity import fetch_changes
from console.domain.change import Change
from console.domain.observations import Observations
from console.errors import ConsoleError
from console.feeds.feed import FeedContext
from console.journal import journal_path, read_journal
from console.report.journalled import journal_changes

FIRST_HOURS = 24
REREAD_MINUTES = 30
"""Assumed: an event that has not shown after this long will not. Source: "3 to 20 minutes" in the documentation."""
KEPT_HOURS = 24


class ActivityFeed:
    """Changes, newest first: the activity log's, one read a minute, and this machine's journal."""

    name = "activity"
    interval_seconds = 60.0
    deadline_seconds = 45.0

    def __init__(self) -> None:
        self._read_at: datetime | None = None

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Read what is new, put it over what is known."""
        now = context.clock.now()
        since_at = now - timedelta(hours=FIRST_HOURS)
        if self._read_at is not None:
            since_at = max(since_at, self._read_at - timedelta(minutes=REREAD_MINUTES))
        journalled = await asyncio.to_thread(_read_journal, context.session.profile.service_id, since_at)
        context.apply(lambda o: _merge(o, journalled, now))
        changes = await fetch_changes(context.session, since_at)
        self._read_at = now
        context.apply(lambda o: _merge(o, changes, now))
        return ()


def _read_journal(gateway_id: str, since_at: datetime) -> tuple[Change, ...]:
    """What consoles of this machine wrote to this gateway since then."""
    return journal_changes(read_journal(journal_path(), since=since_at), gateway_id)


def _merge(observations: Observations, newer: tuple[Change, ...], now: datetime) -> Observations:
    """The newer reading of a change replaces the older one; an operation cut by the window keeps its first time."""
    oldest = now - timedelta(hours=KEPT_HOURS)
    known = {(c.correlation_id, c.resource_id.lower()): c for c in observations.changes or () if c.at >= oldest}
    for change in newer:
        key = (change.correlation_id, change.resource_id.lower())
        before = known.get(key)
        known[key] = replace(change, at=min(before.at, change.at)) if before is not None else change
    changes = sorted(known.values(), key=lambda c: (c.at, c.resource_id), reverse=True)
    return replace(observations, changes=tuple(changes))
