"""The traffic feed: what callers got, from the gateway's logs. An hour first, then what may still have arrived late."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from console.azure.logs import LATEST_ARRIVAL_MINUTES, TrafficReading, fetch_traffic
from console.azure.workspace import discover_workspace
from console.domain.history import HISTORY_MINUTES, floor_minute, last_minutes, merge_caller_load
from console.domain.load import CallerLoad, Series, Window
from console.domain.observations import Observations
from console.errors import ConsoleError
from console.feeds.feed import FeedContext


class TrafficFeed:
    """The callers' side. Three queries a refresh, whatever the number of backends."""

    name = "traffic"
    interval_seconds = 30.0
    deadline_seconds = 60.0

    def __init__(self) -> None:
        self._workspace_id = ""
        self._read_until: datetime | None = None
        self._split: frozenset[str] = frozenset()

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Query the logs up to now, and keep the minutes in which they are complete."""
        if not self._workspace_id:
            self._workspace_id = context.session.profile.workspace_id or await discover_workspace(context.session)
        now = context.clock.now()
        split = shared_hosts(context.observations())
        start_over = self._read_until is None or split != self._split
        minutes = HISTORY_MINUTES if start_over else LATEST_ARRIVAL_MINUTES + 5
        window = last_minutes(floor_minute(now) + timedelta(minutes=1), minutes)
        reading = await fetch_traffic(context.session, self._workspace_id, window, now, split)
        context.apply(lambda o: _merge(replace(o, caller_loads={}) if start_over else o, reading))
        self._read_until, self._split = reading.known_until_at, split
        if reading.known_until_at is None:
            return (
                ConsoleError(
                    "The gateway's logs hold no request of the last hour",
                    where=f"workspace {self._workspace_id}",
                    remedy="Check the diagnostic setting of the gateway; after it is made, rows take up to 15 minutes.",
                ),
            )
        if reading.partial:
            where = f"workspace {self._workspace_id}"
            return (ConsoleError(f"The logs answered in part: {reading.partial}", where=where),)
        return ()


def shared_hosts(observations: Observations) -> frozenset[str]:
    """Hosts that more than one backend leads to."""
    backends = observations.gateway.backends if observations.gateway else ()
    counts = Counter(b.host for b in backends if b.host)
    return frozenset(host for host, count in counts.items() if count > 1)


def _merge(observations: Observations, reading: TrafficReading) -> Observations:
    """Put the newer minutes over the older; a backend without a row in them had no request.

    What was complete stays so: a quiet moment makes the newest row old, not the minutes before it unknown.
    """
    before = observations.traffic_window
    if reading.known_until_at is None or (before is not None and reading.known_until_at < before.end_at):
        return observations
    start_at = reading.known_until_at - timedelta(minutes=HISTORY_MINUTES)
    known = Window(max(reading.window.start_at, start_at), reading.known_until_at)
    merged: dict[tuple[str, str], CallerLoad] = {}
    for key in sorted(observations.caller_loads.keys() | reading.loads.keys()):
        older = observations.caller_loads.get(key)
        newer = reading.loads.get(key) or _silence(key, known)
        merged[key] = merge_caller_load(older, newer, start_at)
    return replace(observations, caller_loads=merged, traffic_window=Window(start_at, reading.known_until_at))


def _silence(key: tuple[str, str], window: Window) -> CallerLoad:
    none = Series(window.start_at, (0.0,) * round(window.minutes))
    return CallerLoad(key[0], none, none, none, last_minutes(window.end_at), refused=none)
