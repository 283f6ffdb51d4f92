"""The metrics feed: what every model deployment behind a backend did, minute by minute. An hour first, then the
newest.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from console.azure.metrics import MetricsReader, MetricsReading, settled_end
from console.domain.gateway import Account
from console.domain.history import HISTORY_MINUTES, cut_series, floor_minute, last_minutes, merge_model_load
from console.domain.load import Window
from console.domain.observations import Observations
from console.errors import ConsoleError
from console.feeds.feed import FeedContext

REREAD_MINUTES = 10
"""Every refresh reads this many minutes again: Azure corrects the newest ones."""


class MetricsFeed:
    """Azure OpenAI's metrics of the accounts behind the backends. Calls grow with regions, not with backends."""

    name = "metrics"
    interval_seconds = 30.0
    deadline_seconds = 40.0

    def __init__(self, reader: MetricsReader) -> None:
        self._reader = reader
        self._read_until: datetime | None = None
        self._accounts: frozenset[str] = frozenset()

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Read the accounts' metrics up to the newest settled minute."""
        known = await context.known(lambda o: o.gateway is not None and o.accounts is not None, "topology, accounts")
        accounts = accounts_behind(known)
        if not accounts:
            return ()
        now = context.clock.now()
        end_at = settled_end(now)
        settled = self._window(end_at, accounts)
        window = Window(settled.start_at, floor_minute(now) + timedelta(minutes=1))
        reading = await self._reader.fetch(accounts, window)
        if reading.errors and not reading.answered_accounts:
            raise next(iter(reading.errors.values()))
        context.apply(lambda o: _merge(o, reading, end_at))
        if not reading.errors:
            self._read_until, self._accounts = end_at, frozenset(a.resource_id for a in accounts)
        return (*reading.notes, *reading.errors.values())

    def _window(self, end_at: datetime, accounts: list[Account]) -> Window:
        whole = last_minutes(end_at, HISTORY_MINUTES)
        if self._read_until is None or frozenset(a.resource_id for a in accounts) - self._accounts:
            return whole
        gap = (end_at - self._read_until).total_seconds() / 60
        return last_minutes(end_at, min(HISTORY_MINUTES, REREAD_MINUTES + round(gap)))


def accounts_behind(observations: Observations) -> list[Account]:
    """The accounts that some backend leads to, in order of name."""
    hosts = {b.host for b in observations.gateway.backends} if observations.gateway else set()
    return [a for a in observations.accounts or () if hosts & set(a.hosts)]


def _merge(observations: Observations, reading: MetricsReading, end_at: datetime) -> Observations:
    start_at = end_at - timedelta(minutes=HISTORY_MINUTES)
    older = {(m.account_id.lower(), m.deployment_name): m for m in observations.model_loads}
    newer = {(m.account_id.lower(), m.deployment_name): cut_series(m, end_at) for m in reading.loads}
    kept = {key: load for key, load in older.items() if key not in newer and load.requests.end_at > start_at}
    merged = {key: merge_model_load(older.get(key), load, start_at) for key, load in newer.items()}
    return replace(
        observations,
        model_loads=tuple(load for _, load in sorted({**kept, **merged}.items())),
        metrics_window=Window(start_at, end_at),
        metrics_accounts=reading.answered_accounts,
        early_loads=tuple(
            merge_model_load(merged.get((m.account_id.lower(), m.deployment_name)), m, start_at) for m in reading.loads
        ),
    )
