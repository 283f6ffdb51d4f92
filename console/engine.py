"""The engine: feeds write observations, every change becomes a snapshot in the store. What screens and commands run on.

Importing it loads neither Microsoft's clients nor the feeds nor the rules: the first paint waits for this module.
`start()` returns at once and loads them in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from console.clock import Clock, SystemClock
from console.domain.observations import Observations
from console.domain.snapshot import WAITING, FeedStatus, GatewaySnapshot, Problem
from console.errors import ConsoleError
from console.profile import Profile
from console.store import SnapshotStore

if TYPE_CHECKING:
    from console.azure.session import AzureSession
    from console.feeds.feed import Update
    from console.feeds.poller import Poller

_log = logging.getLogger(__name__)

TICK_SECONDS = 10.0
"""How often it is checked whether a feed has become late."""


class Engine:
    """One gateway, watched. Use it on one event loop: `await start()`, then `store`, then `await stop()`."""

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self.profile = profile
        self.clock = clock
        self._session: AzureSession | None = None
        self.is_paused = False
        self._observations = Observations(
            profile_name=profile.name,
            service_name=profile.service_name,
            subscription_id=profile.subscription_id,
            cloud_name=profile.cloud.name,
            is_read_only=profile.is_read_only,
            is_production=profile.is_production,
            kind_overrides=profile.backend_kinds,
        )
        self.store = SnapshotStore(_first_snapshot(self._observations, clock.now()))
        self._changed: asyncio.Event | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._pollers: dict[str, Poller] = {}

    @property
    def session(self) -> AzureSession:
        """The conversation with Azure, made on first use; feeds open it, operations share it."""
        if self._session is None:
            from console.azure.session import AzureSession

            self._session = AzureSession(self.profile, self.clock)
            self._session.on_note = self._note_session
        return self._session

    # -- life ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all feeds in the background and return at once. A second call does nothing."""
        if not self._tasks:
            task = asyncio.create_task(self._run(), name="engine")
            task.add_done_callback(self._note_end)
            self._tasks = [task]

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Feeds end only by `stop()`; anything else is told on the screen, which would otherwise just grow old."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        _log.error("the feeds ended", exc_info=error)
        told = error if isinstance(error, ConsoleError) else None
        problem = Problem(
            told.what if told else f"The feeds ended unexpectedly: {type(error).__name__}",
            told.where if told else "",
            told.remedy if told else "Start the console again, with --debug-log FILE to see why.",
            self.clock.now(),
        )
        current = self.store.current
        self.store.apply(replace(current, problems=(*current.problems, problem)))

    async def stop(self) -> None:
        """Stop the feeds and close every connection."""
        tasks, self._tasks = self._tasks, []
        running = set(tasks)
        while running:
            for task in running:
                task.cancel()
            # A cancellation that meets a request's own deadline may be taken for that and be lost: ask again.
            _, running = await asyncio.wait(running, timeout=1.0)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._session is not None:
            await self._session.close()

    async def _prepare(self) -> None:
        """Load and open what the feeds need."""
        await self.session.open()
        if not self._pollers:
            from console.feeds import make_pollers

            self._pollers = make_pollers(
                self.session, self.clock, lambda: self._observations, self._apply, self._known, self._report
            )

    async def _run(self) -> None:
        await self._prepare()
        async with asyncio.TaskGroup() as group:
            for poller in self._pollers.values():
                group.create_task(poller.run(lambda: self.is_paused), name=f"feed {poller.feed.name}")
            group.create_task(self._tick(), name="late feeds")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self.clock.now()
            for poller in self._pollers.values():
                late = poller.is_late(now)
                if late != poller.status.is_late:
                    poller.status = replace(poller.status, is_late=late)
                    self._apply(self._with_feeds)

    async def fetch_once(self, deadline_seconds: float = 60.0) -> GatewaySnapshot:
        """Ask every feed once, side by side, and return the snapshot of what answered in time."""
        polls: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._prepare()
                polls = [asyncio.create_task(p.poll(), name=f"feed {p.feed.name}") for p in self._pollers.values()]
                await asyncio.gather(*polls)
        except TimeoutError:
            for poll in polls:
                poll.cancel()
            late = [name for name, p in self._pollers.items() if p.polls and p.status.last_success_at is None]
            self._note_deadline(deadline_seconds, late)
        return self.store.current

    def _note_deadline(self, deadline_seconds: float, feeds: list[str]) -> None:
        problem = Problem(
            f"No answer in {deadline_seconds:.0f} s from: {', '.join(feeds) or 'Azure'}",
            self.profile.service_id,
            "Check the network, then try again.",
            self.clock.now(),
        )
        self._apply(lambda o: replace(o, problems={**o.problems, "engine": (problem,)}))

    # -- for screens and commands ----------------------------------------------------------------------------

    def refresh_now(self, feed: str | None = None) -> None:
        """Ask one feed, or all, as soon as possible. A feed that is being asked already is left alone."""
        names = [feed] if feed in self._pollers else list(self._pollers)
        for name in names:
            self._pollers[name].wake()

    def pause(self) -> None:
        """Stop asking; what is shown stays and grows old visibly."""
        self.is_paused = True
        self._apply(lambda o: replace(o, is_paused=True))

    def resume(self) -> None:
        """Ask again, now."""
        self.is_paused = False
        self._apply(lambda o: replace(o, is_paused=False))
        self.refresh_now()

    async def poll_now(self, feed: str) -> None:
        """Ask one feed and wait for it; what fails is in `failure(feed)`.

        Raises:
            KeyError: there is no such feed.
        """
        await self._prepare()
        await self._pollers[feed].poll()

    @property
    def observations(self) -> Observations:
        """What the feeds saw last."""
        return self._observations

    def failure(self, feed: str) -> ConsoleError | None:
        """Why a feed's last poll failed, None when it did not."""
        poller = self._pollers.get(feed)
        return poller.failure if poller else None

    # -- feeds write here ------------------------------------------------------------------------------------

    def _apply(self, update: Update) -> None:
        self._observations = update(self._observations)
        self.store.apply(self._composed())
        self._announce()

    def _composed(self) -> GatewaySnapshot:
        """The snapshot of now, with findings that remember the one before."""
        from console.domain.compose import compose
        from console.triage.early import find_with_early
        from console.triage.tracking import track

        snapshot = compose(self._observations, self.clock.now())
        findings = track(
            self.store.current.findings,
            find_with_early(self._observations, snapshot, snapshot.observed_at),
            snapshot.observed_at,
        )
        return replace(snapshot, findings=findings)

    def _announce(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()

    async def _known(self, condition: Callable[[Observations], bool], needs: str) -> Observations:
        """Wait until the condition holds; give up when a feed it needs (comma-separated names) has failed."""
        feeds = [name.strip() for name in needs.split(",")]
        while not condition(self._observations):
            for name in feeds:
                failure = self.failure(name)
                if failure is not None:
                    raise ConsoleError(
                        f"Waiting for {name}: {failure.what}", where=failure.where, remedy=failure.remedy
                    )
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()
        return self._observations

    def _report(self, feed: str, status: FeedStatus, problems: tuple[ConsoleError, ...]) -> None:
        now = self.clock.now()
        told = tuple(
            Problem(e.what, e.where, e.remedy, now, type(e).__name__, feed)
            for e in problems
            if not e.what.startswith("Waiting for ")
        )

        def update(o: Observations) -> Observations:
            return replace(self._with_feeds(o), problems={**o.problems, feed: told})

        self._apply(update)

    def _with_feeds(self, observations: Observations) -> Observations:
        return replace(observations, feeds=tuple(p.status for p in self._pollers.values()))

    def _note_session(self) -> None:
        """Budget and kind of server travel with the next change; only the first sight of the server is one itself."""
        session, before = self.session, self._observations
        self._observations = replace(before, budget=session.budget, simulated=session.simulated)
        if before.simulated is None:
            self.store.apply(self._composed())


def _first_snapshot(observations: Observations, now: datetime) -> GatewaySnapshot:
    """What is known before anything was asked; composing, which is loaded later, would give the same."""
    return GatewaySnapshot(
        observed_at=now,
        profile_name=observations.profile_name,
        service_name=observations.service_name,
        subscription_id=observations.subscription_id,
        cloud_name=observations.cloud_name,
        verdict=WAITING,
        is_read_only=observations.is_read_only,
        is_production=observations.is_production,
        budget=observations.budget,
    )


def open_engine(profile: Profile, clock: Clock | None = None) -> Engine:
    """An engine for a profile. Nothing is sent and no client is loaded before `start()` or `fetch_once()`."""
    return Engine(profile, clock or SystemClock())
