"""Fragments: both sides in a table, and beside it what differs, what the linter says, a rehearsal or what was done.

Keeps what is looked at and nothing of the gateway: every draw starts from the work's last reading.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widget import Widget

from console.domain.snapshot import GatewaySnapshot
from console.errors import ConsoleError
from console.operations.fragments.desk import CatalogueRow
from console.operations.fragments.plan import DeployPlan
from screens.fragments import rows
from screens.fragments.dialog import Answer, DeployDialog
from screens.fragments.work import FragmentWork, handles_of, work_of
from screens.room import Room
from screens.saving import Sheet
from screens.spans import Cell, Span, Tone, plain, visible, wrap
from screens.widgets.grid import Grid
from screens.widgets.span_view import SpanView

WRITES = ("deploy", "rollback")


class FragmentsScreen(Room):
    """Local fragments and policies beside the gateway's."""

    TITLE_WORDS = "Fragments"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#documents"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (130, "-roomy")]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D", "deploy", "deploy", id="fragments.deploy", tooltip="Write the marked or chosen documents"),
        Binding("x", "rehearse", "rehearse", id="fragments.rehearse", tooltip="Try it on a private copy; only reads"),
        Binding("b", "rollback", "roll back", id="fragments.rollback", tooltip="Take back the last deployment"),
        Binding("v", "look('diff')", "diff", id="fragments.diff", tooltip="What differs; again: side by side"),
        Binding("l", "look('lint')", "lint", id="fragments.lint", tooltip="What the linter says, knowing the gateway"),
        Binding("e", "look('log')", "events", id="fragments.log", tooltip="What was done from here"),
        Binding("u", "pull", "pull", id="fragments.pull", tooltip="Bring the gateway into a folder of yours"),
        Binding("ctrl+r", "reload", "refresh", id="fragments.reload", tooltip="Read both sides anew"),
        Binding("left_square_bracket", "scroll(-6)", "up", id="fragments.up", tooltip="Scroll the pane up", show=False),
        Binding("right_square_bracket", "scroll(6)", "down", id="fragments.down", tooltip="Scroll it down", show=False),
        Binding("y", "copy", "copy", id="fragments.copy", tooltip="Copy the document's text", show=False),
        Binding("ctrl+s", "app.save", "save", id="fragments.save", tooltip="Save the table", show=False),
        Binding("escape", "back", "back", id="fragments.back", tooltip="Back to the fleet; what runs goes on"),
    ]

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._mode = "diff"
        self._is_side_by_side = False
        self._marked: set[str] = set()
        self._work: FragmentWork | None = None
        self._drawn: tuple[tuple[object, ...], Sequence[Cell]] = ((), ())
        self._rows_shown: tuple[object, ...] = ()

    def compose_body(self) -> Iterable[Widget]:
        """A line about both sides, what needs attention, the table and the pane."""
        yield SpanView(self._draw_status, id="status")
        yield SpanView(self._draw_alarm, id="alarm")
        with Container(id="sides"):
            yield Grid(id="documents")
            with VerticalScroll(id="pane", can_focus=False):
                yield SpanView(self._draw_pane, id="text")

    @property
    def grid(self) -> Grid:
        """The table."""
        return self.query_one("#documents", Grid)

    def on_mount(self) -> None:
        """Read both sides, unless they are known."""
        self._work = work_of(self.console)
        super().on_mount()
        work = self._work
        if work is None:
            return
        work.on_change = self._work_changed
        work.on_done = lambda text: self.console.notify(visible(text), markup=False, timeout=6)
        if self._folder is not None:
            work.desk.folder, work.overview = self._folder, None
        if work.overview is None and not work.is_busy:
            self._go(work.load())

    def on_unmount(self) -> None:
        """The work goes on by itself."""
        if self._work is not None:
            self._work.on_change = None

    def _go(self, work: Awaitable[None]) -> None:
        """Run work that outlasts this screen."""
        self.app.run_worker(work, group="fragments", exit_on_error=False)

    def _work_changed(self) -> None:
        if self.is_mounted:
            self.redraw()

    # Drawing ----------------------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Draw the table and what stands beside it."""
        work = self._work
        for name in ("#status", "#alarm"):
            self.query_one(name, SpanView).redraw()
        grid = self.grid
        if work is not None and work.overview is not None and grid.columns_width > 0:
            seen = (id(work.overview), grid.columns_width, frozenset(self._marked))
            if seen != self._rows_shown:
                self._rows_shown = seen
                longest = max((len(r.place.handle) for r in work.overview.rows), default=12)
                columns = rows.columns_for(grid.columns_width, longest)
                grid.show_columns(columns, 1, None)
                grid.show_rows(rows.grid_rows(work.overview, columns, self._marked))
        self.query_one("#text", SpanView).redraw()

    def _draw_status(self, width: int, height: int) -> Sequence[Cell]:
        work = self._work
        if work is None:
            return [plain(" no gateway is open", Tone.QUIET)]
        return [rows.status_line(work.overview, work.busy_words, work.error, width)]

    def _draw_alarm(self, width: int, height: int) -> Sequence[Cell]:
        work = self._work
        if work is None:
            return ()
        texts = [f"{work.breach} · b rolls back"] if work.breach else []
        if work.overview is not None:
            texts += [found.text for found in work.overview.unfinished if found.needs_attention]
            texts += list(work.overview.problems)
        tone = Tone.HARM if work.breach else Tone.WARN
        return [line for text in texts for line in wrap((Span(" ! ", tone), Span(visible(text))), width, indent=3)][:3]

    @property
    def chosen(self) -> CatalogueRow | None:
        """The document under the cursor."""
        work, key = self._work, self.grid.cursor_key
        if work is None or work.overview is None:
            return None
        return next((row for row in work.overview.rows if row.place.handle == key), None)

    def _draw_pane(self, width: int, height: int) -> Sequence[Cell]:
        """The pane; drawn anew only when something it shows is another thing: the clock ticks every second."""
        work = self._work
        if work is None:
            return ()
        key = self.grid.cursor_key
        shown = (self._mode, id(work.overview), key, width, self._is_side_by_side, tuple(work.log[-1:]))
        shown = (*shown, id(work.rehearsed.get(key or "")))
        if shown != self._drawn[0]:
            self._drawn = (shown, self._pane_lines(work, width))
        return self._drawn[1]

    def _pane_lines(self, work: FragmentWork, width: int) -> Sequence[Cell]:
        if self._mode == "log":
            return [(Span("events of this console", Tone.STRONG),), *rows.log_lines(work.log, width)]
        row = self.chosen
        if row is None:
            return [plain("choose a document", Tone.QUIET)] if work.overview is not None else ()
        return self._about(work, row, width)

    def _about(self, work: FragmentWork, row: CatalogueRow, width: int) -> list[Cell]:
        if self._mode == "lint":
            local = row.local
            if local is None:
                return [rows.heading(row, "lint", width), plain("there is no local text to lint", Tone.QUIET)]
            assert work.overview is not None
            found = work.desk.lint(work.overview, [row.place.handle])
            return [rows.heading(row, f"lint of {local.file}", width), *rows.finding_lines(found, width)]
        if self._mode == "rehearsal":
            result = work.rehearsed.get(row.place.handle)
            if result is not None:
                return [rows.heading(row, "rehearsed", width), *rows.rehearsal_lines(result, width)]
            return [rows.heading(row, "not rehearsed yet", width), plain("x rehearses it", Tone.QUIET)]
        what = "from the gateway to the local side"
        body = rows.difference(row, width, is_side_by_side=self._is_side_by_side and width >= 60)
        return [rows.heading(row, what, width), *rows.facts(row, width), (), *body]

    # Keys -------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Writes are absent where nothing may be written."""
        return not (action in WRITES and self.console.snapshot.is_read_only)

    @on(Grid.RowOpened)
    def _opened(self, event: Grid.RowOpened) -> None:
        event.stop()
        self.action_look("diff")

    @on(Grid.RowMarked)
    def _mark(self, event: Grid.RowMarked) -> None:
        event.stop()
        self._marked ^= {event.key}
        self.redraw()

    @on(Grid.WidthChanged)
    def _rearrange(self, event: Grid.WidthChanged) -> None:
        event.stop()
        self.redraw()

    @on(Grid.CursorMoved)
    def _follow(self, event: Grid.CursorMoved) -> None:
        event.stop()
        self._to_the_top()

    def _to_the_top(self) -> None:
        self.query_one("#pane", VerticalScroll).scroll_home(animate=False)
        self.query_one("#text", SpanView).redraw()

    def action_look(self, mode: str) -> None:
        """What the pane shows; the diff a second time side by side."""
        if mode == "diff" and self._mode == "diff":
            self._is_side_by_side = not self._is_side_by_side
        self._mode = mode
        self._to_the_top()

    def action_scroll(self, lines: int) -> None:
        """Scroll the pane."""
        self.query_one("#pane", VerticalScroll).scroll_relative(y=lines, animate=False)

    def _plan(self) -> DeployPlan | None:
        """A plan for the marked documents, or the one under the cursor; why there is none is told."""
        work, row = self._work, self.chosen
        if work is None or work.overview is None or work.is_busy:
            self._tell(f"still {work.busy}" if work is not None and work.busy else "nothing is read yet")
            return None
        marked = [r.place.handle for r in work.overview.rows if r.place.handle in self._marked]
        handles = handles_of(work.overview, marked or ([row.place.handle] if row is not None else []))
        if not handles:
            self._tell("no local text is chosen: pull first, then change the files")
            return None
        try:
            plan = work.desk.plan(work.overview, handles)
        except ConsoleError as error:
            self._tell(error.line)
            return None
        if not plan.writes:
            self._tell("both sides mean the same: nothing to write")
            return None
        return plan

    def _tell(self, text: str) -> None:
        self.console.notify(visible(text), severity="warning", markup=False, timeout=5)

    def action_rehearse(self) -> None:
        """Try the chosen documents on a private copy."""
        plan, work, row = self._plan(), self._work, self.chosen
        if plan is None or work is None or row is None:
            return
        if any(not guard.is_forceable for guard in plan.refusals):
            self._tell(plan.refusals[0].text)
            return
        self._mode = "rehearsal"
        self._go(work.rehearse(row.place.handle, plan))

    def action_deploy(self) -> None:
        """Ask, then write the chosen documents."""
        plan = self._plan()
        if plan is not None:
            self._ask(plan)

    def _ask(self, plan: DeployPlan) -> None:
        work = self._work
        assert work is not None

        def answered(answer: Answer | None) -> None:
            if answer is not None:
                self._mode = "log"
                self._go(work.deploy(plan, answer.reason, is_automatic=answer.is_automatic))

        self.app.push_screen(DeployDialog(plan, self.console.snapshot.service_name), answered)

    def action_rollback(self) -> None:
        """Plan the way back, then ask."""
        work = self._work
        if work is None or (work.is_busy and not work.breach and work.busy != "watching callers"):
            self._tell(f"still {work.busy}" if work is not None else "no gateway is open")
            return
        self.run_worker(self._plan_back(work), group="plan-back", exclusive=True, exit_on_error=False)

    async def _plan_back(self, work: FragmentWork) -> None:
        try:
            plan = await work.desk.plan_rollback()
        except ConsoleError as error:
            self._tell(error.line)
            return
        if work.busy == "watching callers":
            self.app.workers.cancel_group(self.app, "fragments")
        self._ask(plan)

    def action_pull(self) -> None:
        """Bring the gateway into a folder."""
        if self._work is not None:
            self._go(self._work.pull())

    def action_reload(self) -> None:
        """Read both sides anew."""
        if self._work is not None:
            self._go(self._work.load())

    def action_copy(self) -> None:
        """Copy the local text, or the gateway's."""
        row = self.chosen
        text = None if row is None else (row.local or row.deployed)
        if row is not None and text is not None and text.text is not None:
            self.console.copy_text(text.text, row.place.words)

    def action_back(self) -> None:
        """Back to the fleet."""
        self.dismiss()

    def saved_sheet(self) -> Sheet:
        """The table, for a file."""
        overview = None if self._work is None else self._work.overview
        found = [
            (r.place.handle, r.state.value, ", ".join(r.used_by), rows.needs_text(r), rows.last_text(r))
            for r in (overview.rows if overview is not None else ())
        ]
        return Sheet("fragments", ("document", "state", "used by", "needs", "last deployed"), tuple(found))
