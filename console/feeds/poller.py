"""When a feed is asked: at its interval, never twice at once, later after failures, and at once when somebody asks.

Intervals are stretched by up to a tenth by chance, so that many consoles do not ask in step.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from console.clock import Clock
from console.domain.snapshot import FeedStatus
from console.errors import ConsoleError, DeadlineExceeded, Throttled
from console.feeds.feed import Feed, FeedContext

LONGEST_BACKOFF_SECONDS = 300.0
LATE_AFTER_INTERVALS = 2.5

_log = logging.getLogger(__name__)

Report = Callable[[str, FeedStatus, tuple[ConsoleError, ...]], None]
"""Told after every poll: the feed's name, how it fares, and what it could not do."""


class Poller:
    """Runs one feed. `failure` is why its last poll failed, None after a success; `polls` counts attempts."""

    def __init__(self, feed: Feed, context: FeedContext, clock: Clock, report: Report) -> None:
        self.feed = feed
        self.failure: ConsoleError | None = None
        self.polls = 0
        self.status = FeedStatus(feed.name, feed.interval_seconds)
        self._context = context
        self._clock = clock
        self._report = report
        self._failures = 0
        self._wake = asyncio.Event()
        self._busy = False

    async def run(self, is_paused: Callable[[], bool]) -> None:
        """Poll until cancelled."""
        while True:
            if not is_paused() or self._wake.is_set():
                self._wake.clear()
                await self.poll()
            try:
                async with asyncio.timeout(self.delay_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Ask at once; nothing happens when it is being asked already."""
        if not self._busy:
            self._wake.set()

    def delay_seconds(self) -> float:
        """How long until the next poll."""
        base = self.feed.interval_seconds
        if self._failures:
            base = min(base * 2 ** (self._failures - 1), LONGEST_BACKOFF_SECONDS)
            if isinstance(self.failure, Throttled) and self.failure.retry_after_seconds:
                base = max(base, self.failure.retry_after_seconds)
        return base * random.uniform(1.0, 1.1)

    async def poll(self) -> None:
        """Ask once, under the feed's deadline. Never raises but on cancellation: what fails is reported."""
        if self._busy:
            return
        self._busy = True
        self.polls += 1
        problems: tuple[ConsoleError, ...] = ()
        try:
            async with asyncio.timeout(self.feed.deadline_seconds):
                problems = await self.feed.fetch(self._context)
            self.failure, self._failures = None, 0
        except ConsoleError as error:
            _log.info("feed %s failed", self.feed.name, exc_info=error)
            self.failure = error
        except TimeoutError:
            self.failure = DeadlineExceeded(
                f"The feed {self.feed.name} got no answer in {self.feed.deadline_seconds:.0f} s",
                remedy="It is asked again.",
            )
        except Exception as error:
            _log.exception("feed %s failed unexpectedly", self.feed.name)
            self.failure = ConsoleError(
                f"The feed {self.feed.name} failed: {type(error).__name__}",
                remedy="Run again with --debug-log FILE and look there.",
            )
        finally:
            self._busy = False
        if self.failure is not None:
            self._failures += 1
            problems = (self.failure,)
        now = self._clock.now()
        self.status = replace(
            self.status,
            last_success_at=now if self.failure is None else self.status.last_success_at,
            last_error=None if self.failure is None else self.failure.what,
            is_late=self.is_late(now) if self.failure is not None else False,
        )
        self._report(self.feed.name, self.status, problems)

    def is_late(self, now: datetime) -> bool:
        """Whether the last success is longer ago than it should be."""
        last = self.status.last_success_at
        if last is None:
            return self.failure is not None
        return (now - last).total_seconds() > self.feed.interval_seconds * LATE_AFTER_INTERVALS
