"""What goes on with fragments in this console: reading, rehearsing, deploying, watching. It outlasts its screen.

One thing at a time. Leaving the screen leaves it running; coming back shows the same work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from console.azure.policy_traffic import CallerFigures
from console.errors import ConsoleError
from console.operations.fragments.desk import FragmentDesk, Overview
from console.operations.fragments.execute import Outcome, Progress
from console.operations.fragments.local import pulled_folder
from console.operations.fragments.plan import DeployPlan
from console.operations.fragments.rehearse import Rehearsal
from console.operations.fragments.report import outcome_lines
from console.operations.fragments.watch import figures_text
from screens.spans import Tone

if TYPE_CHECKING:
    from console.engine import Engine
    from screens.app import ConsoleApp

WATCH_SECONDS = 300.0


@dataclass(slots=True, weakref_slot=True)
class FragmentWork:
    """`busy` says what is under way, "" for nothing. `breach` says what broke after the last deployment."""

    desk: FragmentDesk
    overview: Overview | None = None
    busy: str = ""
    share: float | None = None
    error: str = ""
    breach: str = ""
    rehearsed: dict[str, Rehearsal] = field(default_factory=dict)
    log: list[tuple[datetime, str, Tone]] = field(default_factory=list)
    on_change: Callable[[], None] | None = None
    on_done: Callable[[str], None] | None = None
    last_run: str = ""

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return bool(self.busy)

    @property
    def busy_words(self) -> str:
        """What is under way, with its share when known."""
        return self.busy if self.share is None else f"{self.busy} {self.share:.0%}"

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """A line of the log."""
        self.log.append((self.desk.engine.clock.now(), text, tone))
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    async def _guarded(self, words: str, work: Callable[[], Awaitable[None]]) -> None:
        if self.is_busy:
            return
        self.busy, self.error, self.share = words, "", None
        self._changed()
        try:
            await work()
        except (ConsoleError, OSError) as error:
            self.error = error.line if isinstance(error, ConsoleError) else str(error)
            self.say(self.error, Tone.WARN)
        finally:
            self.busy, self.share = "", None
            self._changed()

    async def load(self) -> None:
        """Read both sides anew."""

        async def work() -> None:
            self.overview = await self.desk.overview()

        await self._guarded("reading both sides", work)

    async def pull(self) -> None:
        """Bring the gateway into the user's own folder, and look at that from now on."""

        async def work() -> None:
            folder = self.desk.folder if _is_pulled(self.desk.folder) else None
            target = folder or pulled_folder(self.desk.engine.profile.service_name)
            pulled = await self.desk.pull(target)
            self.desk.folder = target
            changed = len(pulled.written) + len(pulled.removed)
            self.say(f"pulled into {target}: {changed} changed, {pulled.unchanged} as before", Tone.GOOD)
            self.overview = await self.desk.overview()

        await self._guarded("pulling", work)

    async def rehearse(self, key: str, plan: DeployPlan) -> None:
        """Rehearse a plan; the result is kept under the document's handle."""

        async def work() -> None:
            assert self.overview is not None
            self.rehearsed[key] = await self.desk.rehearse(plan, self.overview.deployed, self._progressed)

        await self._guarded("rehearsing on a private copy", work)

    def _progressed(self, share: float) -> None:
        self.share = share
        self._changed()

    async def deploy(self, plan: DeployPlan, reason: str, *, is_automatic: bool) -> None:
        """Write a plan, then watch callers; with `is_automatic` a broken limit takes it back."""

        async def work() -> None:
            self.breach = ""
            outcome = await self.desk.deploy(plan, reason, self._step)
            self._tell(outcome)
            self.overview = await self.desk.overview()
            self._changed()
            if outcome.error is None and outcome.live and not plan.is_rollback:
                await self._watch(plan, outcome, is_automatic=is_automatic)

        await self._guarded("going back" if plan.is_rollback else "deploying", work)

    def _step(self, progress: Progress) -> None:
        words = f"{progress.number}/{progress.total} {progress.write.place.words} {progress.state}"
        self.share = (progress.number - (progress.state == "writing")) / progress.total
        self.say(words, Tone.WARN if progress.state == "failed" else Tone.PLAIN)

    def _tell(self, outcome: Outcome) -> None:
        self.last_run = outcome.run_id
        failed = outcome.error is not None
        for line in outcome_lines(outcome):
            self.say(line, Tone.WARN if failed else Tone.GOOD)
        if outcome.is_partial:
            self.breach = f"half of it is live: {outcome.text}"
        if self.on_done is not None:
            self.on_done(outcome.text)

    async def _watch(self, plan: DeployPlan, outcome: Outcome, *, is_automatic: bool) -> None:
        self.busy, self.share = "watching callers", None
        seen: list[tuple[datetime, str, Tone]] = []

        def look(before: CallerFigures, since: CallerFigures) -> None:
            """One line of the log, moving on: a watch has many looks."""
            if seen:
                self.log.pop(self.log.index(seen.pop()))
            self.say(f"since: {figures_text(since)}", Tone.QUIET)
            seen.append(self.log[-1])

        now = self.desk.engine.clock.now()
        watched = await self.desk.watch(plan, now, WATCH_SECONDS, (), look)
        self.say(watched.text, Tone.HARM if watched.breach else Tone.GOOD)
        if watched.breach is None:
            return
        self.breach = watched.breach
        if is_automatic:
            undone = await self.desk.undo(outcome.run_id, watched.breach, self._step)
            self._tell(undone)
            self.breach = "" if undone.error is None else self.breach
            self.overview = await self.desk.overview()


def _is_pulled(folder: Path | None) -> bool:
    from console.operations.fragments.local import MANIFEST

    return folder is not None and (folder / MANIFEST).is_file()


_works: WeakKeyDictionary[ConsoleApp, FragmentWork] = WeakKeyDictionary()


def work_of(app: ConsoleApp) -> FragmentWork | None:
    """The app's work on its current engine; None without an engine."""
    engine = app.engine
    if engine is None:
        return None
    known = _works.get(app)
    if known is None or known.desk.engine is not engine:
        known = _works[app] = FragmentWork(FragmentDesk(cast("Engine", engine)))
    return known


def handles_of(overview: Overview, marked: Sequence[str]) -> list[str]:
    """The marked documents that have a local side."""
    known = {row.place.handle for row in overview.rows if row.local is not None}
    return [handle for handle in marked if handle in known]
