"""One drain or restore while it is done: its steps, looks and end. It lives in the app and outlasts its dialog.

Closing the dialog leaves it running and it tells its end by itself; opening it again shows the same run.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from console.errors import ConsoleError
from console.operations.drain.desk import DrainDesk
from console.operations.drain.execute import DrainOrder, StalePlan
from console.operations.drain.gateway_state import Step
from console.operations.drain.plan import DrainPlan
from console.operations.drain.prove import Ending, Look, Outcome
from screens.spans import visible

if TYPE_CHECKING:
    from screens.app import ConsoleApp

_log = logging.getLogger(__name__)


class Stage(StrEnum):
    """How far a run is."""

    WRITING = "writing"
    WATCHING = "watching"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, weakref_slot=True)
class DrainRun:
    """What a dialog draws. `before`: requests a minute when it was planned, None when unknown or no drain.

    `on_change` is called after every change; `error` and `stands` are set when it failed.
    """

    backend_name: str
    words: str
    desk: DrainDesk
    before: float | None = None
    stage: Stage = Stage.WRITING
    steps: list[Step] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    outcome: Outcome | None = None
    error: str = ""
    stands: str = ""
    is_stale: bool = False
    on_change: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.stage in (Stage.DONE, Stage.FAILED)

    @property
    def end_words(self) -> str:
        """The end in one sentence."""
        if self.outcome is not None:
            return f"{self.backend_name}: {self.outcome.text}"
        return f"{self.words} {self.backend_name}: {self.error or 'done'}"

    def step(self, step: Step) -> None:
        """Note a step."""
        self.steps.append(step)
        self._changed()

    def look(self, look: Look) -> None:
        """Note a look at the traffic."""
        self.looks.append(look)
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    async def drain(self, plan: DrainPlan, order: DrainOrder) -> None:
        """Drain as planned and watch its traffic to the end."""

        async def work() -> None:
            record = await self.desk.drain(plan, order, self.step)
            await self._watch(record.applied_at or self.desk.engine.clock.now())

        await self._guarded(work)

    async def resume(self, *, is_forced: bool) -> None:
        """Finish an interrupted or overwritten drain and watch its traffic to the end."""

        async def work() -> None:
            record = await self.desk.resume(self.backend_name, self.step, is_forced=is_forced)
            await self._watch(record.applied_at or self.desk.engine.clock.now())

        await self._guarded(work)

    async def restore(self, *, is_gradual: bool, is_forced: bool) -> None:
        """Put it back."""

        async def work() -> None:
            await self.desk.restore(self.backend_name, self.step, is_gradual=is_gradual, is_forced=is_forced)
            await self.desk.look_again()

        await self._guarded(work)

    async def _watch(self, applied_at: datetime) -> None:
        self.stage = Stage.WATCHING
        self._changed()
        await self.desk.look_again()
        self.outcome = await self.desk.prove(self.backend_name, applied_at, on_look=self.look)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            _log.warning("%s of %s failed", self.words, self.backend_name, exc_info=error)
            self.error = _in_words(error)
            self.is_stale = isinstance(error, StalePlan) and not self.steps
            self.stands = await self._what_stands()
            self.stage = Stage.FAILED
        else:
            self.stage = Stage.DONE
        self._changed()

    async def _what_stands(self) -> str:
        try:
            snapshot = await self.desk.look_again()
        except ConsoleError as error:
            return f"not known, the gateway cannot be read: {error.line}"
        drain = next((d for d in snapshot.drains if d.backend_name == self.backend_name), None)
        if drain is not None:
            return drain.text
        listed = snapshot.gateway is not None and self.backend_name in snapshot.gateway.drained_backends
        return "it is listed in drained-backends without a record" if listed else "no drain of it stands on the gateway"


def _in_words(error: Exception) -> str:
    if isinstance(error, ConsoleError):
        return error.line
    if isinstance(error, OSError):
        return f"The journal cannot be written, so nothing more is sent: {error}"
    return f"Something unexpected went wrong: {type(error).__name__}. Run again with --debug-log FILE and look there."


_runs: WeakKeyDictionary[ConsoleApp, dict[str, DrainRun]] = WeakKeyDictionary()


def run_of(app: ConsoleApp, backend_name: str) -> DrainRun | None:
    """The run that goes on for a backend, None when none does."""
    run = _runs.get(app, {}).get(backend_name)
    return None if run is None or run.is_over else run


def start(app: ConsoleApp, run: DrainRun, work: Awaitable[None]) -> None:
    """Do it in the app, beside every screen; when no dialog shows the run at its end, it is told."""
    _runs.setdefault(app, {})[run.backend_name] = run

    async def carry_out() -> None:
        await work
        if run.on_change is None:
            calm = run.error == "" and (run.outcome is None or run.outcome.ending is Ending.DRAINED)
            app.notify(visible(run.end_words), severity="information" if calm else "warning", markup=False, timeout=12)

    app.run_worker(carry_out(), group="drains", exit_on_error=False)
