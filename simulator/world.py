"""The world: all state of the embedded Azure, one seed, one clock.

Time is simulated UTC, in epoch seconds, and moves only through `advance()`. Everything that takes time (a model
answering, a retry waiting, a deployment creating a service) is a *process*: a generator that yields the seconds it
waits. Fast-forwarding an hour and answering a live HTTP request run the same processes; only who calls
`advance()` differs.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, TypeVar

from simulator.network import Network
from simulator.resources.store import ResourceStore
from simulator.telemetry import Telemetry
from simulator.truth import GroundTruth

T = TypeVar("T")

Process = Generator[float, None, T]
"""A course of events in simulated time: yields seconds to wait (0 or more), returns its result."""

OnDone = Callable[[Any, BaseException | None], None]
"""Called once with (result, None) or (None, error) when a process ends."""


class _Course:
    """A process on its way. Nothing points back at it but the queue: what ended is freed without the collector."""

    __slots__ = ("_on_done", "_process", "_world")

    def __init__(self, world: World, process: Process[Any], on_done: OnDone | None) -> None:
        self._world = world
        self._process = process
        self._on_done = on_done

    def step(self) -> None:
        """Run until the process waits or ends."""
        process = self._process
        while True:
            try:
                delay = process.send(None)
            except StopIteration as stop:
                if self._on_done is not None:
                    self._on_done(stop.value, None)
                return
            except Exception as error:
                if self._on_done is None:
                    raise
                self._on_done(None, error)
                return
            if delay > 0:
                world = self._world
                world.call_at(world.now + delay, self.step)
                return


class World:
    """All state of one embedded Azure.

    Args:
        seed: every random choice follows from it; equal seeds and equal calls give equal worlds.
        now: simulated time at the start, epoch seconds (UTC).
    """

    def __init__(self, *, seed: int, now: float) -> None:
        self.seed = seed
        self.now = now
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._streams: dict[str, random.Random] = {}
        self.store = ResourceStore(clock=lambda: self.now, random=self.random("etags"))
        self.network = Network(self)
        self.telemetry = Telemetry()
        self.truth = GroundTruth(self.telemetry)
        self.rooms: dict[str, Any] = {}
        self.log: list[tuple[float, str]] = []

    # -- time ------------------------------------------------------------------------------------------------

    @property
    def now_at(self) -> datetime:
        """Simulated time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.now, UTC)

    @property
    def next_event_at(self) -> float | None:
        """When the next waiting process goes on (epoch seconds), None when nothing waits."""
        return self._queue[0][0] if self._queue else None

    def advance(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass."""
        self.advance_to(self.now + seconds)

    def advance_to(self, at: float) -> None:
        """Let time pass until `at` (epoch seconds), running everything due on the way, in order of time."""
        queue = self._queue
        while queue and queue[0][0] <= at:
            due_at, _, step = heapq.heappop(queue)
            if due_at > self.now:
                self.now = due_at
            step()
        if at > self.now:
            self.now = at

    def call_at(self, at: float, callback: Callable[[], None]) -> None:
        """Run `callback` when the clock reaches `at` (epoch seconds); at the next advance when that is past."""
        self._sequence += 1
        heapq.heappush(self._queue, (at, self._sequence, callback))

    def spawn(self, process: Process[Any], on_done: OnDone | None = None) -> None:
        """Start a process now. Its first step runs at once, so one that never waits is done on return.

        An error of a process without `on_done` is raised out of `spawn` or `advance`: nothing is swallowed.
        """
        _Course(self, process, on_done).step()

    def run(self, process: Process[T]) -> T:
        """Run a process to its end, advancing time as it waits (for tests and for a clock that nobody drives)."""
        outcome: list[tuple[Any, BaseException | None]] = []
        self.spawn(process, lambda result, error: outcome.append((result, error)))
        while not outcome:
            due_at = self.next_event_at
            if due_at is None:
                raise RuntimeError("the process waits for something that will never happen")
            self.advance_to(due_at)
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    # -- chance and notes ------------------------------------------------------------------------------------

    def random(self, purpose: str) -> random.Random:
        """The stream of chance for one purpose. Separate streams keep one room's draws from shifting another's."""
        stream = self._streams.get(purpose)
        if stream is None:
            stream = self._streams[purpose] = random.Random(f"{self.seed}/{purpose}")
        return stream

    def note(self, text: str) -> None:
        """Write a line to the simulator's own log (what it does not model, what a scenario did)."""
        self.log.append((self.now, text))
