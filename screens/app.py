"""The app: engine behind, screens in front, one signal between.

Paints first; the engine starts after the first frame. What an engine replaced since then still sends is dropped by its
generation. No rule about gateways lives here.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.signal import Signal

from console.clock import Clock, SystemClock
from console.domain.snapshot import GatewaySnapshot, Level, Problem, Verdict
from screens.engine import EngineLike, OpenEngine
from screens.spans import visible
from screens.terminal import leave_on_signals, leave_with_terminal
from screens.widgets.tones import DARK, LIGHT

if TYPE_CHECKING:
    from pathlib import Path

    from console.replay import ReplayEngine
    from screens.fleet.screen import FleetScreen

STOP_DEADLINE_SECONDS = 5.0
TICK_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """What the store held and what it holds now. Bursts arrive as one change."""

    previous: GatewaySnapshot
    current: GatewaySnapshot


def _fleet() -> Screen[None]:
    from screens.fleet.screen import FleetScreen

    return FleetScreen()


def _welcome() -> Screen[None]:
    from screens.welcome.screen import WelcomeScreen

    return WelcomeScreen()


class ConsoleApp(App[int]):
    """The console on one engine, or the welcome screen without one."""

    TITLE = "genaigw"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {"fleet": _fleet, "welcome": _welcome}

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("colon", "prompt", "command", id="app.prompt", tooltip="Type a command; Tab completes"),
        Binding("q", "quit", "quit", id="app.quit", tooltip="Leave the console; nothing on Azure changes"),
        Binding(
            "ctrl+q",
            "quit",
            "quit",
            id="app.quit-typing",
            tooltip="Leave from anywhere, typing too",
            show=False,
            priority=True,
        ),
        Binding("ctrl+p", "command_palette", "palette", id="app.palette", tooltip="Find a command", show=False),
        Binding("question_mark", "help", "help", id="app.help", tooltip="Every key of this screen"),
    ]

    def __init__(
        self,
        engine: EngineLike | None = None,
        *,
        clock: Clock | None = None,
        open_demo: OpenEngine | None = None,
        profile_path: str = "",
        starts_demo: bool = False,
    ) -> None:
        # Set before textual looks: no default screen is made in vain, and the style sheets are parsed once.
        self.DEFAULT_MODE = "welcome" if engine is None else "fleet"  # type: ignore[misc]
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.set_reactive(App.theme, DARK.name)
        self.clock: Clock = clock or SystemClock()
        self.open_demo = open_demo
        self.profile_path = profile_path
        self.starts_demo = starts_demo
        self._engine = engine
        self._generation = 0
        self._unsubscribe: Callable[[], None] | None = None
        self._is_publishing = False
        self._published: GatewaySnapshot | None = None
        self._own_problems: tuple[Problem, ...] = ()
        self.snapshot_changed: Signal[SnapshotChange] = Signal(self, "snapshot-changed")
        self.ticked: Signal[datetime] = Signal(self, "ticked")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colours under themes that do not have them."""
        return dict(DARK.variables)

    async def on_mount(self) -> None:
        """Listen to the engine; everything slow waits for the first paint."""
        self.set_interval(TICK_SECONDS, self._tick)
        if not self.is_headless:
            leave_on_signals(self)
        if self._engine is not None:
            self._listen(self._engine)
            self.call_after_refresh(self._start)

    async def on_unmount(self) -> None:
        """Stop the engine, within its deadline."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._engine is not None:
            try:
                await asyncio.wait_for(self._engine.stop(), STOP_DEADLINE_SECONDS)
            except TimeoutError:
                _log.warning("the engine did not stop within %s s", STOP_DEADLINE_SECONDS)

    # The engine and its snapshots -------------------------------------------------------------------------------

    @property
    def engine(self) -> EngineLike | None:
        """The engine behind the screens, None on the welcome screen."""
        return self._engine

    @property
    def snapshot(self) -> GatewaySnapshot:
        """The current snapshot; an empty one without an engine."""
        if self._engine is not None:
            return self._engine.store.current
        return GatewaySnapshot(
            self.clock.now(), "", "genaigw-console", "", "", Verdict(Level.UNKNOWN, "No profile yet")
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the console could not do: first the screens' own, then the engine's."""
        return self._own_problems + self.snapshot.problems

    @property
    def is_paused(self) -> bool:
        """Whether the feeds rest."""
        return self._engine is not None and self._engine.is_paused

    async def attach(self, engine: EngineLike) -> None:
        """Show this engine from now on; one that stood before is stopped."""
        before = self._engine
        self._engine = engine
        self._own_problems = ()
        self._listen(engine)
        await self.switch_mode("fleet")
        self.show_fleet()
        self.snapshot_changed.publish(SnapshotChange(self.snapshot, self.snapshot))
        self.call_after_refresh(self._start)
        if before is not None:
            await asyncio.wait_for(before.stop(), STOP_DEADLINE_SECONDS)

    def _listen(self, engine: EngineLike) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._generation += 1
        generation = self._generation
        self._published = engine.store.current
        self._is_publishing = False
        self._unsubscribe = engine.store.subscribe(lambda _previous, _current: self._changed(generation))

    def _changed(self, generation: int) -> None:
        if generation == self._generation and not self._is_publishing:
            self._is_publishing = True
            self.call_later(self._publish, generation)

    def _publish(self, generation: int) -> None:
        if generation != self._generation or self._published is None:
            return
        self._is_publishing = False
        previous, self._published = self._published, self.snapshot
        self.snapshot_changed.publish(SnapshotChange(previous, self._published))

    def _start(self) -> None:
        self.run_worker(self._start_engine(self._generation), group="engine", exit_on_error=False)

    async def _start_engine(self, generation: int) -> None:
        if self._engine is None or generation != self._generation:
            return
        try:
            await self._engine.start()
        except Exception as error:
            _log.exception("the engine did not start")
            if generation == self._generation:
                self.report(f"The console could not start its feeds: {error}", "", "see --debug-log")

    def report(self, what: str, where: str, remedy: str) -> None:
        """Show a problem of the screens' own."""
        self._own_problems = (*self._own_problems, Problem(what, where, remedy, self.clock.now()))
        self.ticked.publish(self.clock.now())

    def _tick(self) -> None:
        self.ticked.publish(self.clock.now())

    # What keys and commands do ----------------------------------------------------------------------------------

    def show_fleet(self) -> FleetScreen:
        """Back to the fleet, whatever lies on it."""
        from screens.fleet.screen import FleetScreen

        while len(self.screen_stack) > 1:
            self.pop_screen()
        screen = self.screen
        assert isinstance(screen, FleetScreen)
        return screen

    def open_backend(self, name: str) -> None:
        """Open one backend over the fleet."""
        from screens.backend.screen import BackendScreen

        self.show_fleet().move_cursor_to_backend(name)
        self.push_screen(BackendScreen(name))

    def copy_text(self, text: str, words: str) -> None:
        """Put text on the terminal's clipboard and say so."""
        self.copy_to_clipboard(text)
        self.notify(f"copied {visible(words)}", markup=False, timeout=3)

    def open_drain(self, name: str, verb: str) -> None:
        """Open the dialog that drains or restores a backend; why it cannot is told."""
        from screens.drain.dialog import open_drain

        error = open_drain(self, name, verb)
        if error is not None:
            self.notify(visible(error), severity="warning", markup=False)

    def action_triage(self) -> None:
        """Open triage: what is wrong and what to do."""
        from screens.triage.screen import TriageScreen

        self.show_fleet()
        self.push_screen(TriageScreen())

    def action_activity(self) -> None:
        """Open what somebody changed."""
        from screens.activity.screen import ActivityScreen

        if not isinstance(self.screen, ActivityScreen):
            self.push_screen(ActivityScreen())

    def open_query(self, text: str = "") -> None:
        """Open the query editor, with this query when there is one."""
        from screens.query.screen import QueryScreen

        self.push_screen(QueryScreen(text))

    def open_fragments(self, folder: Path | None = None) -> None:
        """Open the fragments over the fleet; `folder` is the local side."""
        from screens.fragments.screen import FragmentsScreen

        self.show_fleet()
        self.push_screen(FragmentsScreen(folder))

    def action_fragments(self) -> None:
        """Open the fragments."""
        self.open_fragments()

    async def action_deploy(self) -> None:
        """Open the deployment of a gateway, the one that was left or a new one."""
        from screens.deploy.screen import open_deploy

        await open_deploy(self)

    def action_pause(self) -> None:
        """Let the feeds rest, or go on."""
        if self._engine is None:
            return
        if self._engine.is_paused:
            self._engine.resume()
        else:
            self._engine.pause()
        self._tick()

    def action_refresh(self) -> None:
        """Fetch everything now."""
        if self._engine is not None:
            self._engine.refresh_now()
            self.notify("fetching everything now", markup=False, timeout=2)

    def action_save(self) -> None:
        """Save what is seen; the paths are told."""
        from screens.saving import Sheet, save_sheet, saved_directory

        make = getattr(self.screen, "saved_sheet", None)
        if make is None:
            self.notify("nothing to save on this screen", markup=False)
            return
        sheet: Sheet = make()
        try:
            text, table = save_sheet(sheet, saved_directory(os.environ), self.clock.now())
        except OSError as error:
            self.notify(f"not saved: {error}", severity="error", markup=False)
            return
        self.notify(f"saved {text}\nand {table.name}", markup=False, timeout=8)

    def action_help_quit(self) -> None:
        """Ctrl-C leaves nothing half done: it only tells the key that leaves."""
        self.notify("q leaves", markup=False, timeout=3)

    def action_prompt(self) -> None:
        """Type a command."""
        from screens import commands
        from screens.dialogs.prompt import Prompt

        if not isinstance(self.screen, Prompt):
            self.push_screen(Prompt(lambda line: commands.complete(self, line), self._run_from_prompt))

    def _run_from_prompt(self, line: str) -> str | None:
        """Check and run a line while the prompt still stands: what fails is said in it."""
        from screens import commands

        error = commands.check(self, line)
        if error is None:
            self.call_later(self.run_line, line)
        return error

    def run_line(self, line: str) -> None:
        """Run a command line; what it refuses is told."""
        from screens import commands

        error = commands.execute(self, line)
        if error is not None:
            self.notify(visible(error), severity="warning", markup=False)

    def action_help(self) -> None:
        """Every key of this screen."""
        from screens.dialogs.reader import Reader
        from screens.keys import entries_of

        if not isinstance(self.screen, Reader):
            title = getattr(self.screen, "TITLE_WORDS", "")
            self.push_screen(Reader(f"Keys · {title}", entries_of(self.screen)))

    def show_problems(self) -> None:
        """What the console itself could not do."""
        from screens.dialogs.reader import Entry, Reader

        entries = [
            Entry(f"{problem.what}", problem.where or "–", f"{problem.remedy} (since {problem.at:%H:%M:%S}Z)")
            for problem in self.problems
        ]
        self.push_screen(Reader("Problems", entries or [Entry("All feeds answer", "", "")]))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the prompt does."""
        from screens import commands

        for command in commands.offered(self):
            if not command.needs_argument:
                yield SystemCommand(command.name, command.summary, lambda name=command.name: self.run_line(name))
                continue
            for choice in command.choices(self):
                line = f"{command.name} {choice}"
                yield SystemCommand(visible(line), command.summary, lambda line=line: self.run_line(line))


def run_replay(engine: ReplayEngine) -> int:
    """Show a recording in this terminal until it is left. Returns the exit code."""
    leave_with_terminal()
    app = ConsoleApp(engine, clock=engine.clock)
    result = app.run()
    return result if result is not None else (app.return_code or 0)


def run_app(
    engine: EngineLike | None = None,
    *,
    open_demo: OpenEngine | None = None,
    profile_path: str = "",
    starts_demo: bool = False,
) -> int:
    """Run the console in this terminal until it is left. Returns the exit code.

    Without an engine the welcome screen stands; `open_demo` is what its offer does, at once with `starts_demo`.
    """
    leave_with_terminal()
    app = ConsoleApp(engine, open_demo=open_demo, profile_path=profile_path, starts_demo=starts_demo)
    result = app.run()
    return result if result is not None else (app.return_code or 0)
