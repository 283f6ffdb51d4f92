"""The guided deployment: what the keys do. The run holds what happens; this screen shows it and may be left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from console.domain.snapshot import GatewaySnapshot
from console.errors import ConsoleError
from console.operations.deploy.estimate import estimate
from console.operations.deploy.flow import DeployFlow
from console.operations.deploy.parameters import problems_of
from screens.deploy import rows
from screens.deploy.form import AnswerForm, AnswerInput
from screens.deploy.run import DeployRun, Step, StepState, carry_on, hand_over, keep, run_of
from screens.dialogs.confirm import Confirm
from screens.room import Room
from screens.spans import Cell, Span, Tone, text_of, visible, wrap
from screens.widgets.span_view import SpanView

if TYPE_CHECKING:
    from screens.app import ConsoleApp
    from screens.saving import Sheet

STEPS = tuple(Step)
TALL_ROWS = 36


class DeployScreen(Room):
    """Walks one deployment."""

    TITLE_WORDS = "Deployment"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "go on", id="deploy.go-on", tooltip="Do what the step offers"),
        Binding("ctrl+g", "go_on", "go on", id="deploy.go-on-now", tooltip="Go on with these answers", show=False),
        Binding("e", "edit", "answers", id="deploy.edit", tooltip="Back to the answers"),
        Binding("c", "check", "check again", id="deploy.check", tooltip="Check everything again"),
        Binding("x", "cancel", "cancel it", id="deploy.cancel", tooltip="Ask Azure to cancel the running deployment"),
        Binding("z", "fold", "unfold", id="deploy.fold", tooltip="Show what is folded away, or fold it"),
        Binding(
            "left", "look_beside(-1)", "step before", id="deploy.before", tooltip="Look at the step before", show=False
        ),
        Binding(
            "right", "look_beside(1)", "step after", id="deploy.after", tooltip="Look at the step after", show=False
        ),
        Binding("up", "scroll_detail(-1)", "up", id="deploy.up", tooltip="Scroll up", show=False),
        Binding("down", "scroll_detail(1)", "down", id="deploy.down", tooltip="Scroll down", show=False),
        Binding("pageup", "scroll_detail(-10)", "page up", id="deploy.page-up", tooltip="Page up", show=False),
        Binding("pagedown", "scroll_detail(10)", "page down", id="deploy.page-down", tooltip="Page down", show=False),
        Binding(
            "ctrl+s", "app.save", "save", id="deploy.save", tooltip="Save what is seen as text and CSV", show=False
        ),
        Binding("escape", "leave", "leave", id="deploy.leave", tooltip="Leave; what was begun goes on, D comes back"),
    ]

    def __init__(self, run: DeployRun) -> None:
        super().__init__()
        self.run = run
        self.looked_at = run.step
        self.is_folded = True
        self._form_for: object = None

    def compose_body(self) -> Iterable[Widget]:
        """Steps, detail or form, log."""
        with Horizontal(id="way"):
            yield SpanView(lambda width, height: rows.step_lines(self.run, self.looked_at, width), id="steps")
            with VerticalScroll(id="detail", can_focus=False):
                yield SpanView(self._draw_detail, id="text")
        yield SpanView(lambda width, height: rows.log_lines(self.run.log, width, max(1, height or 4)), id="log")

    def on_mount(self) -> None:
        """Show the run, and begin it when nothing has."""
        self.run.on_change = self._run_changed
        super().on_mount()
        if self.run.states[Step.CHECKS] is StepState.AHEAD:
            carry_on(self.console, self.run, self.run.begin)
        self._run_changed()

    def on_unmount(self) -> None:
        """The run goes on without its screen."""
        if self.run.on_change == self._run_changed:
            self.run.on_change = None

    def on_resize(self) -> None:
        """A tall terminal has room for more of the log."""
        self.set_class(self.size.height >= TALL_ROWS, "-tall")

    # Drawing ----------------------------------------------------------------------------------------------------

    def _run_changed(self) -> None:
        if not self.is_attached:
            return
        if self.run.step is not self.looked_at:
            self.looked_at = self.run.step
            self.query_one("#detail", VerticalScroll).scroll_home(animate=False)
        self.call_later(self._arrange)

    async def _arrange(self) -> None:
        """The form stands for the answers, text for everything else."""
        if not self.is_attached:
            return
        is_open = self.run.states[Step.PARAMETERS] is StepState.OPEN
        wants_form = self.looked_at is Step.PARAMETERS and is_open and not self.run.busy
        forms = self.query(AnswerForm)
        if wants_form and not forms:
            form = AnswerForm(self.run.choices, self.run.flow.offer, self.run.flow.surroundings, id="form")
            await self.query_one("#way", Horizontal).mount(form)
            self.set_class(True, "-form")
            answers = list(form.query(AnswerInput))
            empty = next((answer for answer in answers if not answer.value), answers[0])
            empty.focus()
        elif not wants_form and forms:
            await forms.remove()
            self.set_class(False, "-form")
        self.redraw()

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Draw the run; the snapshot of a gateway says nothing here."""
        for view in ("#steps", "#text", "#log"):
            self.query_one(view, SpanView).redraw()

    def _draw_detail(self, width: int, height: int) -> list[Cell]:
        run, lines = self.run, list[Cell]()
        if run.busy:
            lines += [(Span("▸ ", Tone.ACCENT), Span(visible(run.busy), Tone.STRONG)), ()]
        if run.failure is not None and run.states[self.looked_at] is StepState.FAILED:
            lines += rows.failure_lines(run.failure, width)
        lines += self._detail_of(self.looked_at, width)
        offer = self._offer()
        if offer and not run.busy:
            lines += [(), (Span("Enter", Tone.KEY, "screen.go_on"), Span(f"  {offer}", Tone.PLAIN))]
        return lines

    def _detail_of(self, step: Step, width: int) -> list[Cell]:
        run = self.run
        match step:
            case Step.CHECKS:
                return rows.check_lines(run.checks, width)
            case Step.PARAMETERS:
                return rows.answer_lines(run.choices, width)
            case Step.TEMPLATE:
                return self._template_lines(width)
            case Step.WHAT_IF if run.reading is not None:
                return rows.what_if_lines(run.reading, width, is_folded=self.is_folded)
            case Step.DEPLOY if run.progress is not None:
                expected = estimate(run.choices.tier, is_new=run.is_new_gateway)
                is_simulated = bool(run.flow.session.simulated)
                return rows.progress_lines(
                    run.progress, expected, width, is_simulated=is_simulated, is_folded=self.is_folded
                )
            case Step.PROVE:
                return rows.proof_lines(tuple(run.proof.values()), width)
            case Step.HAND_OVER:
                return rows.hand_over_lines(run, width)
        return [(Span("Not yet.", Tone.QUIET),)] if not run.busy else []

    def _template_lines(self, width: int) -> list[Cell]:
        template = self.run.flow.template
        if template is None:
            return [(Span("Not yet.", Tone.QUIET),)]
        lines = wrap((Span(visible(template.origin), Tone.STRONG),), width)
        if template.note:
            lines += wrap((Span(visible(template.note), Tone.QUIET),), width)
        if self.run.parameters_file is not None:
            words = f"answers are kept in {self.run.parameters_file}; scripts/deploy-bicep.sh --parameters takes it"
            lines += [(), *wrap((Span(visible(words), Tone.QUIET),), width)]
        return lines

    def _offer(self) -> str:
        """What Enter does now, "" when nothing."""
        run = self.run
        if run.busy:
            return ""
        match self.looked_at:
            case Step.CHECKS:
                return "the answers" if run.states[Step.CHECKS] is not StepState.AHEAD else ""
            case Step.PARAMETERS:
                return "change them"
            case Step.WHAT_IF if run.reading is not None:
                return "deploy this"
            case Step.WHAT_IF:
                return "ask again" if run.failure is not None else ""
            case Step.DEPLOY if run.states[Step.DEPLOY] is StepState.FAILED:
                return "deploy again: what is done stays, what failed is done"
            case Step.PROVE if run.deployment is not None:
                return "prove it again"
        return ""

    def saved_sheet(self) -> Sheet:
        """What is seen, for a file."""
        from screens.saving import Sheet

        lines = self._detail_of(self.looked_at, 120)
        return Sheet("deployment", (self.looked_at.value,), tuple((text_of(line).rstrip(),) for line in lines))

    # What keys do -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offered is what can be done now."""
        run = self.run
        if action == "go_on":
            return bool(self._offer()) or self.looked_at in (Step.PARAMETERS, Step.HAND_OVER)
        if action == "cancel":
            return run.is_watching
        if action == "check":
            return not run.busy and self.looked_at in (Step.CHECKS, Step.WHAT_IF)
        if action == "edit":
            return not run.busy and self.looked_at is not Step.PARAMETERS
        if action == "fold":
            return self.looked_at in (Step.WHAT_IF, Step.DEPLOY)
        return True

    def action_go_on(self) -> None:
        """Do what the step looked at offers."""
        run = self.run
        if run.busy:
            return
        match self.looked_at:
            case Step.CHECKS:
                self.action_edit()
            case Step.PARAMETERS if run.states[Step.PARAMETERS] is StepState.OPEN:
                self._prepare()
            case Step.PARAMETERS:
                self.action_edit()
            case Step.WHAT_IF if run.reading is not None:
                self._ask_to_deploy()
            case Step.WHAT_IF if run.failure is not None:
                self._prepare()
            case Step.DEPLOY if run.states[Step.DEPLOY] is StepState.FAILED:
                self._ask_to_deploy()
            case Step.PROVE if run.deployment is not None:
                carry_on(self.console, run, run.prove)
            case Step.HAND_OVER if run.deployment is not None:
                self.run_worker(self._hand_over(), exit_on_error=False)

    def _prepare(self) -> None:
        problems = problems_of(self.run.choices, self.run.flow.offer)
        if problems:
            field_name, problem = next(iter(problems.items()))
            self.console.notify(visible(f"{field_name.replace('_', ' ')} {problem}"), severity="warning", markup=False)
            found = self.query(f"#answer-{field_name}")
            if found:
                found.first().focus()
            return
        carry_on(self.console, self.run, self.run.prepare)

    def _ask_to_deploy(self) -> None:
        run = self.run
        if run.flow.profile.is_read_only:
            self.console.notify("this profile is read-only", severity="warning", markup=False)
            return
        where = run.flow.surroundings.subscription_name or run.flow.profile.subscription_id
        reading = run.reading
        sentences = [f"To subscription {where}:", *([reading.summary] if reading is not None else [])]
        sentences += [f"! {warning}" for warning in (reading.warnings if reading is not None else ())]
        sentences.append("It can be left and cancelled while it runs; what is done stays.")

        def answered(is_yes: bool | None) -> None:
            if is_yes:
                carry_on(self.console, run, run.deploy)

        self.app.push_screen(Confirm("Deploy the gateway", sentences, "deploy it"), answered)

    async def _hand_over(self) -> None:
        try:
            await hand_over(self.console, self.run)
        except ConsoleError as error:
            self.console.notify(visible(error.line), severity="error", markup=False)

    def action_edit(self) -> None:
        """Back to the answers."""
        self.run.move(Step.PARAMETERS, StepState.OPEN)

    def action_check(self) -> None:
        """Check everything again, and what would change."""
        self._prepare()

    def action_cancel(self) -> None:
        """Ask Azure to cancel, after a question."""

        def answered(is_yes: bool | None) -> None:
            if is_yes:
                self.run_worker(self.run.cancel(), exit_on_error=False)

        sentences = ["Azure stops beginning resources; what is done stays and what is being written may still end."]
        self.app.push_screen(Confirm("Cancel the deployment", sentences, "cancel it"), answered)

    def action_fold(self) -> None:
        """Show what is folded away, or fold it."""
        self.is_folded = not self.is_folded
        self.redraw()

    def action_look(self, number: int) -> None:
        """Look at a step by its number."""
        self.looked_at = STEPS[number - 1]
        self.call_later(self._arrange)

    def action_look_beside(self, by: int) -> None:
        """Look at the step before or after."""
        index = min(len(STEPS) - 1, max(0, STEPS.index(self.looked_at) + by))
        self.action_look(index + 1)

    def action_scroll_detail(self, lines: int) -> None:
        """Scroll the detail."""
        self.query_one("#detail", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        """Back to where one came from; the run goes on."""
        self.dismiss(None)

    @on(AnswerForm.Changed)
    def _answered(self, event: AnswerForm.Changed) -> None:
        self.run.choices = event.choices

    @on(AnswerForm.Done)
    def _done(self) -> None:
        self._prepare()


async def open_deploy(app: ConsoleApp) -> None:
    """Open the deployment, the one that was left or a new one; why it cannot is told."""
    from console.operations.deploy.newcomer import find_profile

    if isinstance(app.screen, DeployScreen):
        return
    run = run_of(app)
    if run is None:
        profile = getattr(app.engine, "profile", None)
        try:
            run = DeployRun(DeployFlow(profile or await find_profile(), clock=app.clock))
        except ConsoleError as error:
            app.notify(visible(error.line), severity="warning", markup=False, timeout=12)
            return
        keep(app, run)
    app.push_screen(DeployScreen(run))
