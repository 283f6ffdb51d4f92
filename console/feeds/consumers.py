"""The consumers feed: who asks how much, which errors they get, how long they wait. An hour each time, so that late
rows find their minute.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from console.azure.callers import fetch_callers
from console.azure.workspace import discover_workspace
from console.domain.history import HISTORY_MINUTES, floor_minute, last_minutes
from console.errors import ConsoleError
from console.feeds.feed import FeedContext
from console.feeds.traffic import shared_hosts

ASK_TOKENS_AGAIN_SECONDS = 600.0
"""A workspace without the table of language-model logs is asked for it again this much later."""


class ConsumersFeed:
    """The callers' side in detail. Four queries a refresh, whatever the number of backends and consumers."""

    name = "consumers"
    interval_seconds = 30.0
    deadline_seconds = 60.0

    def __init__(self) -> None:
        self._workspace_id = ""
        self._without_tokens_until = 0.0

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Read the last hour by minute."""
        session = context.session
        if not self._workspace_id:
            self._workspace_id = session.profile.workspace_id or await discover_workspace(session)
        now = context.clock.now()
        window = last_minutes(floor_minute(now) + timedelta(minutes=1), HISTORY_MINUTES)
        split = shared_hosts(context.observations())
        detail, early, no_tokens = await fetch_callers(
            session,
            self._workspace_id,
            window,
            now,
            split_hosts="|".join(["", *sorted(split), ""]) if split else "",
            with_tokens=context.clock.monotonic() >= self._without_tokens_until,
        )
        if no_tokens is not None:
            self._without_tokens_until = context.clock.monotonic() + ASK_TOKENS_AGAIN_SECONDS
        if detail is None:
            return ()
        context.apply(lambda o: replace(o, callers=detail, early_callers=early))
        if detail.partial:
            return (
                ConsoleError(
                    f"The logs answered in part: {detail.partial}",
                    where=f"workspace {self._workspace_id}",
                    remedy="Consumers and errors may be missing from triage; the rest stands.",
                ),
            )
        return ()
