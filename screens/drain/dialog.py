"""The dialog of a drain or restore: the plan first, then what happens, then what observed traffic says.

Shows the plan on the snapshot at hand at once and reads the gateway anew behind it. Nothing is written before the
operator agrees; closing the dialog leaves what was begun running.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from console.domain.snapshot import Drain
from console.errors import ConsoleError
from console.operations.drain.desk import DrainDesk
from console.operations.drain.examine import REMEDIES
from console.operations.drain.execute import DrainOrder
from console.operations.drain.plan import DrainPlan
from console.operations.drain.report import plan_lines as plan_text
from console.operations.drain.restore import RestorePlan
from screens.drain import lines
from screens.drain.run import DrainRun, Stage, run_of, start
from screens.drain.span_of_time import EXPIRY_WORDS, expires_at
from screens.spans import Cell, Span, Tone, visible, wrap
from screens.widgets.span_view import SpanView

if TYPE_CHECKING:
    from console.engine import Engine
    from screens.app import ConsoleApp

FORCE_REASON_CHARACTERS = 8
"""A forced drain wants a reason that says something."""
PRODUCTION_WANTS_REASON = "On a production gateway a reason is needed"
FRAME_ROWS = 4
"""Border, a blank row and the answers."""
RESUMABLE = ("interrupted while draining", "overwritten", "under way")


class ReasonInput(Input):
    """Why; Enter goes on to the answer, it never drains by itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "to the answer", id="reason.next", tooltip="On to the answer", show=False),
    ]


class DrainDialog(ModalScreen[None]):
    """Drain, resume or restore one backend. `verb` is what the operator asked for: "drain" or "restore"."""

    TITLE_WORDS = "Drain"
    CSS_PATH = "dialog.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="drain.leave", tooltip="Close; what was begun goes on and tells its end"),
        Binding("ctrl+y", "copy_plan", "dry run", id="drain.dry-run", tooltip="Copy the plan as text; nothing is done"),
        Binding("ctrl+g", "gradual", "gradual", id="drain.gradual", tooltip="Restore in steps, halting on harm"),
        Binding("pageup", "scroll_text(-8)", "up", id="drain.up", tooltip="Scroll up", show=False),
        Binding("pagedown", "scroll_text(8)", "down", id="drain.down", tooltip="Scroll down", show=False),
    ]

    def __init__(self, desk: DrainDesk, backend_name: str, verb: str, run: DrainRun | None = None) -> None:
        super().__init__()
        self.desk = desk
        self.backend_name = backend_name
        self.verb = verb
        self.run = run
        self.plan: DrainPlan | None = None
        self.restore_plan: RestorePlan | None = None
        self.is_gradual = False
        self._error = ""
        self._is_reading = run is None

    def compose(self) -> ComposeResult:
        """The text over the reason over the answers."""
        with Vertical(id="box") as box:
            box.border_title = visible(f"{self.verb.capitalize()} {self.backend_name}").replace("[", r"\[")
            with VerticalScroll(id="scroll", can_focus=False):
                yield SpanView(self._draw, id="text")
            with Horizontal(id="why"):
                yield SpanView(lambda width, height: [(Span("Reason: ", Tone.HEAD),)], id="why-label")
                yield ReasonInput(id="reason", max_length=300, select_on_focus=False)
                yield SpanView(lambda width, height: [(Span(EXPIRY_WORDS, Tone.QUIET),)], id="expiry")
            with Horizontal(id="answers"):
                yield Button("Drain", id="go", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield SpanView(self._draw_keys, id="keys")

    def on_mount(self) -> None:
        """Show what is known, and read the gateway anew."""
        if self.run is not None:
            self._follow(self.run)
        elif self.verb == "drain":
            self._make_plan()
        self._arrange()
        if self.run is None:
            self.run_worker(self._read(), group="plan", exclusive=True, exit_on_error=False)

    def on_resize(self) -> None:
        """However much there is to read, reason and answers stay in sight."""
        self._arrange()

    def _follow(self, run: DrainRun) -> None:
        """Draw the run's changes, later and by ourselves: what fails in drawing never reaches the run."""

        def later() -> None:
            self.call_later(self._run_changed)

        run.on_change = later

    def on_unmount(self) -> None:
        """A run goes on without its dialog."""
        self._let_go()

    def _let_go(self) -> None:
        if self.run is not None:
            self.run.on_change = None

    # Reading ----------------------------------------------------------------------------------------------------

    def _make_plan(self) -> None:
        try:
            self.plan = self.desk.plan(self.backend_name)
            self._error = ""
        except ConsoleError as error:
            self.plan, self._error = None, error.line

    async def _read(self) -> None:
        """The gateway as it is now, for the plan that will be carried out."""
        try:
            await self.desk.look_again()
            if self.verb == "restore" and self._drain is not None:
                self.restore_plan = await self.desk.fetch_restore_plan(self.backend_name)
        except ConsoleError as error:
            self._error = error.line
        else:
            self._error = ""
            if self.verb == "drain":
                self._make_plan()
        self._is_reading = False
        self._arrange()

    @property
    def _drain(self) -> Drain | None:
        """The drain that stands on the gateway for this backend."""
        drains = self.desk.engine.store.current.drains
        return next((d for d in drains if d.backend_name == self.backend_name), None)

    @property
    def _resumes(self) -> bool:
        drain = self._drain
        return self.verb == "drain" and drain is not None and drain.condition in RESUMABLE

    # Drawing ----------------------------------------------------------------------------------------------------

    def _draw(self, width: int, height: int) -> Sequence[Cell]:
        if self.run is not None:
            return self._draw_run(self.run, width)
        if self._error:
            return lines.error_lines(self._error, "", width)[1:]
        if self._resumes and self._drain is not None:
            return self._draw_standing(self._drain, width)
        if self.verb == "restore":
            return self._draw_restore(width)
        if self.plan is None:
            return [(Span("Reading the gateway …", Tone.QUIET),)]
        drawn = lines.plan_lines(self.plan, width)
        if self._is_reading:
            drawn += [(), (Span("Reading the gateway anew before anything is done …", Tone.QUIET),)]
        return drawn

    def _draw_standing(self, drain: Drain, width: int) -> list[Cell]:
        told = wrap((Span("! ", Tone.WARN), Span(visible(drain.text))), width, indent=2)
        todo = REMEDIES[drain.condition].format(name=drain.backend_name).replace("`", "")
        return [*told, (), *wrap((Span(visible(todo), Tone.QUIET),), width)]

    def _draw_restore(self, width: int) -> list[Cell]:
        drawn: list[Cell]
        if self.restore_plan is not None:
            drawn = lines.restore_lines(self.restore_plan, width)
        elif self._is_reading:
            drawn = [(Span("Reading its drain record and its pools …", Tone.QUIET),)]
        else:
            drawn = [(Span("It is listed in drained-backends without a record: it is taken off the list.", Tone.WARN),)]
        if self.is_gradual:
            words = "Gradually: 10 % of its weight, then half, then all; halts when callers' 429s or errors rise."
            drawn += [(), *wrap((Span(words, Tone.ACCENT),), width)]
        return drawn

    def _draw_run(self, run: DrainRun, width: int) -> list[Cell]:
        is_watching = run.stage is Stage.WATCHING or bool(run.looks)
        drawn = lines.progress_lines(
            run.steps, run.looks, width, before=run.before, is_watching=is_watching, is_over=run.is_over
        )
        if run.outcome is not None:
            drawn += lines.outcome_lines(run.outcome, run.backend_name, width)
        elif run.stage is Stage.FAILED:
            drawn += lines.error_lines(run.error, run.stands, width)
        elif run.stage is Stage.DONE:
            drawn += [(), (Span("● Restored", Tone.GOOD), Span("  exactly as recorded, the record is deleted"))]
        elif run.stage is Stage.WRITING:
            drawn += [(Span("… ", Tone.ACCENT), Span("writing", Tone.QUIET))]
        return drawn

    def _draw_keys(self, width: int, height: int) -> list[Cell]:
        if self.run is not None:
            words = "Esc closes" if self.run.is_over else "Esc closes, it goes on"
            return [(Span(words, Tone.QUIET),)]
        key = (
            ("ctrl-g", "gradual", "screen.gradual")
            if self.verb == "restore"
            else ("ctrl-y", "dry run: copy", "screen.copy_plan")
        )
        return [(Span(key[0], Tone.KEY, key[2]), Span(f" {key[1]}", Tone.QUIET, key[2]))]

    def _arrange(self) -> None:
        """Which parts stand, what the answers read, where the cursor is."""
        if not self.is_attached or not self.query("#go"):
            return
        go, cancel = self.query_one("#go", Button), self.query_one("#cancel", Button)
        reason = self.query_one("#reason", ReasonInput)
        wants_reason = self.run is None and self.verb == "drain" and not self._resumes and self.plan is not None
        self.query_one("#why", Horizontal).display = wants_reason and not self._is_refused_for_good
        around = FRAME_ROWS + (2 if self.query_one("#why", Horizontal).display else 0)
        self.query_one("#scroll", VerticalScroll).styles.max_height = max(3, self.size.height * 94 // 100 - around)
        go.display = self.run is None and not self._error and not self._is_refused_for_good
        go.label = self._go_words()
        go.disabled = self._is_reading or len(reason.value.strip()) < self._reason_characters
        cancel.label = "Cancel" if self.run is None and go.display else "Close"
        reason.placeholder = self._reason_words
        for view in self.query(SpanView):
            view.redraw()
        self._focus_first(reason, go, cancel)

    def _focus_first(self, reason: ReasonInput, go: Button, cancel: Button) -> None:
        """Put the cursor where one goes on, unless it stands somewhere that is still there."""
        focused = self.focused
        if focused is not None and focused.display and focused.focusable:
            return
        if self.query_one("#why", Horizontal).display:
            reason.focus()
        elif go.display and not go.disabled:
            go.focus()
        elif not self._is_reading:
            cancel.focus()

    @property
    def _needs_force(self) -> bool:
        return self.plan is not None and self.verb == "drain" and not self._resumes and bool(self.plan.refusals)

    @property
    def _wants_reason(self) -> bool:
        """Whether production asks for a typed reason: for a new drain, not for going on with one."""
        is_production = self.desk.engine.store.current.is_production
        return is_production and self.verb == "drain" and not self._resumes

    @property
    def _reason_characters(self) -> int:
        """How long the reason must be, 0 when it may be left out."""
        return FORCE_REASON_CHARACTERS if self._needs_force else int(self._wants_reason)

    @property
    def _reason_words(self) -> str:
        if self._needs_force:
            return "why the guards are overruled"
        return "needed on a production gateway" if self._wants_reason else "why, for everybody who looks"

    @property
    def _is_refused_for_good(self) -> bool:
        return self._needs_force and self.plan is not None and not self.plan.can_be_forced

    def _go_words(self) -> str:
        if self.verb == "restore":
            return "Restore gradually" if self.is_gradual else "Restore"
        if self._resumes:
            return "Resume"
        return "Force drain" if self._needs_force else "Drain"

    # What keys do -----------------------------------------------------------------------------------------------

    @on(Input.Changed, "#reason")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._arrange()

    @on(Input.Submitted, "#reason")
    def _reason_given(self, event: Input.Submitted) -> None:
        event.stop()
        go = self.query_one("#go", Button)
        if not go.disabled:
            go.focus()
        elif self._wants_reason and not event.value.strip():
            self.app.notify(PRODUCTION_WANTS_REASON, severity="warning", markup=False)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_leave()

    @on(Button.Pressed, "#go")
    def _agreed(self, event: Button.Pressed) -> None:
        event.stop()
        if self.run is not None or self._is_reading:
            return
        run = DrainRun(self.backend_name, self.verb, self.desk)
        if self.verb == "restore":
            work = run.restore(is_gradual=self.is_gradual, is_forced=False)
        elif self._resumes:
            work = run.resume(is_forced=False)
        elif self.plan is not None:
            run.before = self.plan.requests_per_minute
            work = run.drain(self.plan, self._order(self.plan))
        else:
            return
        self.run = run
        self._follow(run)
        start(cast("ConsoleApp", self.app), run, work)
        self._arrange()

    def _order(self, plan: DrainPlan) -> DrainOrder:
        reason = self.query_one("#reason", ReasonInput).value.strip()
        now = self.desk.engine.clock.now()
        return DrainOrder(self.desk.owner, reason or "no reason given", expires_at(now), bool(plan.refusals))

    def _run_changed(self) -> None:
        run = self.run
        if run is not None and run.stage is Stage.FAILED and run.is_stale:
            # The gateway is no longer what the plan saw: show the plan of now and ask again.
            self.run, self._is_reading = None, True
            self.app.notify(visible(run.error), severity="warning", markup=False, timeout=8)
            self.run_worker(self._read(), group="plan", exclusive=True, exit_on_error=False)
        self._arrange()

    def action_copy_plan(self) -> None:
        """The plan as text on the clipboard; nothing is done."""
        if self.plan is not None and self.run is None:
            cast("ConsoleApp", self.app).copy_text("\n".join(plan_text(self.plan)), "the plan; nothing was done")

    def action_gradual(self) -> None:
        """Restore in steps, or at once."""
        if self.verb == "restore" and self.run is None:
            self.is_gradual = not self.is_gradual
            self._arrange()

    def action_scroll_text(self, count: int) -> None:
        """Scroll the text."""
        self.query_one("#scroll", VerticalScroll).scroll_relative(y=count, animate=False)

    def action_leave(self) -> None:
        """Close; what was begun goes on."""
        self._let_go()
        self.dismiss(None)


def open_drain(app: ConsoleApp, backend_name: str, verb: str) -> str | None:
    """Open the dialog for a backend. Returns why not, None when it stands."""
    engine = app.engine
    if engine is None or app.snapshot.backend(backend_name) is None:
        return f"no backend is called “{backend_name}”"
    if app.snapshot.is_read_only:
        return "this profile is read-only"
    run = run_of(app, backend_name)
    if run is None and verb == "restore" and not _is_drained(app, backend_name):
        return f"{backend_name} is not drained: there is nothing to restore"
    desk = run.desk if run is not None else DrainDesk(cast("Engine", engine))
    app.push_screen(DrainDialog(desk, backend_name, run.words if run is not None else verb, run))
    return None


def _is_drained(app: ConsoleApp, backend_name: str) -> bool:
    gateway = app.snapshot.gateway
    listed = gateway is not None and backend_name in gateway.drained_backends
    return listed or any(d.backend_name == backend_name for d in app.snapshot.drains)
