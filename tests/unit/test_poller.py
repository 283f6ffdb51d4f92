"""When feeds are asked: never twice at once, later after failures, and what they fail at is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from console.domain.snapshot import FeedStatus
from console.errors import ConsoleError, Throttled
from console.feeds.feed import FeedContext
from console.feeds.poller import LONGEST_BACKOFF_SECONDS, Poller


class HandClock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 10, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class ScriptedFeed:
    """Does what it is told, once a poll."""

    name = "scripted"
    interval_seconds = 30.0
    deadline_seconds = 0.05

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.running = 0
        self.most = 0

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            outcome = self.outcomes.pop(0)
            if isinstance(outcome, BaseException):
                raise outcome
            if isinstance(outcome, asyncio.Event):
                await outcome.wait()
                return ()
            return cast(tuple[ConsoleError, ...], outcome)
        finally:
            self.running -= 1


def made(feed: ScriptedFeed) -> tuple[Poller, list[tuple[FeedStatus, tuple[ConsoleError, ...]]], HandClock]:
    told: list[tuple[FeedStatus, tuple[ConsoleError, ...]]] = []
    clock = HandClock()
    poller = Poller(feed, cast(FeedContext, None), clock, lambda _, status, problems: told.append((status, problems)))
    return poller, told, clock


async def test_a_success_is_stamped_and_its_partial_problems_are_told() -> None:
    partial = ConsoleError("One region is missing")
    poller, told, clock = made(ScriptedFeed((partial,)))
    await poller.poll()
    assert told[0][0].last_success_at == clock.at
    assert told[0][0].last_error is None
    assert told[0][1] == (partial,)


async def test_failures_back_off_and_a_success_forgets_them() -> None:
    failure = ConsoleError("No")
    poller, told, _ = made(ScriptedFeed(*([failure] * 8), ()))
    delays = []
    for _ in range(8):
        await poller.poll()
        delays.append(poller.delay_seconds())
    assert 30.0 <= delays[0] <= 33.0
    assert 60.0 <= delays[1] <= 66.0
    assert LONGEST_BACKOFF_SECONDS <= delays[-1] <= LONGEST_BACKOFF_SECONDS * 1.1
    assert told[-1][0].is_late
    await poller.poll()
    assert poller.delay_seconds() <= 33.0
    assert poller.failure is None


async def test_azure_is_not_asked_before_it_wants_to_be() -> None:
    poller, _, _ = made(ScriptedFeed(Throttled("Later", retry_after_seconds=120.0)))
    await poller.poll()
    assert poller.delay_seconds() >= 120.0


async def test_a_feed_that_is_busy_is_not_asked_again() -> None:
    gate = asyncio.Event()
    feed = ScriptedFeed(gate)
    feed.deadline_seconds = 5.0
    poller, told, _ = made(feed)
    first = asyncio.create_task(poller.poll())
    await asyncio.sleep(0)
    await poller.poll()
    gate.set()
    await first
    assert feed.most == 1
    assert len(told) == 1


async def test_a_feed_that_never_answers_is_given_up_at_its_deadline() -> None:
    poller, told, _ = made(ScriptedFeed(asyncio.Event()))
    await poller.poll()
    assert poller.failure is not None
    assert poller.failure.exit_code == 5
    assert "scripted" in told[0][1][0].what


async def test_an_unexpected_error_is_told_without_its_details_and_does_not_end_the_poller() -> None:
    poller, told, _ = made(ScriptedFeed(ValueError("a token eyJhbGciOi"), ()))
    await poller.poll()
    assert "eyJ" not in told[0][1][0].line
    await poller.poll()
    assert poller.failure is None


async def test_data_that_is_too_old_makes_a_feed_late() -> None:
    poller, _, clock = made(ScriptedFeed(()))
    await poller.poll()
    assert not poller.is_late(clock.at + timedelta(seconds=60))
    assert poller.is_late(clock.at + timedelta(seconds=90))
