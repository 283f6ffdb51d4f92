"""Replay: a recording behind the store that feeds fill live. Read-only, on a clock of its own, clearly not live."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from console.clock import SystemClock
from console.domain.compose import compose
from console.domain.snapshot import GatewaySnapshot, Problem
from console.errors import ConsoleError
from console.recorder import Recording
from console.store import SnapshotStore

TICK_SECONDS = 0.25
SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class ReplayClock:
    """The recording's time: it runs at the replay's speed and stands while it is paused."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """The moment that is shown."""
        return self._at

    def monotonic(self) -> float:
        """The machine's own count, for deadlines."""
        return SystemClock().monotonic()

    def move_to(self, at: datetime) -> None:
        """Show another moment."""
        self._at = at


class ReplayEngine:
    """Drives the screens from a recording. It asks Azure nothing and can write nothing."""

    def __init__(self, recording: Recording, *, speed: float = 1.0) -> None:
        self.recording = recording
        self.speed = speed
        self.is_paused = False
        self.clock = ReplayClock(recording.moments[0])
        self._index = -1
        self._task: asyncio.Task[None] | None = None
        self.store = SnapshotStore(self._snapshot(0))
        self._index = 0

    @property
    def start_at(self) -> datetime:
        """The first frame's moment."""
        return self.recording.moments[0]

    @property
    def end_at(self) -> datetime:
        """The last frame's moment."""
        return self.recording.moments[-1]

    def _snapshot(self, index: int) -> GatewaySnapshot:
        frame = self.recording.frame(index)
        snapshot = compose(frame.observations, frame.at)
        return replace(snapshot, findings=frame.findings, is_read_only=True, replayed_from=self.recording.path.name)

    async def start(self) -> None:
        """Begin to play."""
        if self._task is None:
            self._task = asyncio.create_task(self._play(), name="replay")

    async def stop(self) -> None:
        """End playing and close the file."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.recording.close()

    async def _play(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self.is_paused:
                self.advance(TICK_SECONDS)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at the replay's speed; it stops at the end."""
        at = min(self.clock.now() + timedelta(seconds=seconds * self.speed), self.end_at)
        self._show(at)
        if at >= self.end_at and not self.is_paused:
            self.pause()

    def seek(self, at: datetime) -> None:
        """Show the moment nearest to `at` inside the recording."""
        self._show(max(self.start_at, min(at, self.end_at)))

    def _show(self, at: datetime) -> None:
        self.clock.move_to(at)
        index = self.recording.index_at(at)
        if index == self._index:
            return
        self._index = index
        try:
            snapshot = self._snapshot(index)
        except ConsoleError as error:
            problem = Problem(error.what, error.where, error.remedy, at)
            snapshot = replace(self.store.current, problems=(problem,))
        self.store.apply(replace(snapshot, is_paused=self.is_paused))

    def refresh_now(self, feed: str | None = None) -> None:
        """Nothing is fetched in a replay; the frame is shown again."""
        self.store.apply(self.store.current)

    def pause(self) -> None:
        """Stand still."""
        self.is_paused = True
        self.store.apply(replace(self.store.current, is_paused=True))

    def resume(self) -> None:
        """Go on; from the beginning when it had come to the end."""
        self.is_paused = False
        if self.clock.now() >= self.end_at:
            self.seek(self.start_at)
        self.store.apply(replace(self.store.current, is_paused=False))
