"""The question before a deployment or a rollback: the plan with its diff, guards and reason. Writes nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from console.operations.fragments.plan import DeployPlan
from screens.fragments.rows import plan_lines, write_changes
from screens.spans import Cell, Span, Tone, visible
from screens.widgets.span_view import SpanView

FORCE_REASON_CHARACTERS = 8
FRAME_ROWS = 7
"""Border, reason and answers with the blank rows over them: always in sight, however long the plan is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the operator agreed to."""

    reason: str
    is_automatic: bool


class DeployReason(Input):
    """Why; Enter goes on to the answer, it never deploys by itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "to the answer", id="deploy-reason.next", tooltip="To the answer", show=False)
    ]


class DeployDialog(ModalScreen[Answer | None]):
    """Answers with the reason when agreed, None when left."""

    TITLE_WORDS = "Deploy"
    CSS_PATH = "dialog.tcss"
    AUTO_FOCUS = "#reason"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="deploy.leave", tooltip="Close; nothing is written"),
        Binding("ctrl+w", "automatic", "auto rollback", id="deploy.automatic", tooltip="Go back when limits break"),
        Binding("pageup", "scroll_text(-8)", "up", id="deploy.up", tooltip="Scroll up", show=False),
        Binding("pagedown", "scroll_text(8)", "down", id="deploy.down", tooltip="Scroll down", show=False),
    ]

    def __init__(self, plan: DeployPlan, gateway: str) -> None:
        super().__init__()
        self.plan = plan
        self.gateway = gateway
        self.is_automatic = False

    def compose(self) -> ComposeResult:
        """The plan over the reason over the answers."""
        verb = "Roll back" if self.plan.is_rollback else "Deploy"
        with Vertical(id="box") as box:
            box.border_title = visible(f"{verb} on {self.gateway}").replace("[", r"\[")
            with VerticalScroll(id="scroll", can_focus=False):
                yield SpanView(self._draw, id="text")
            with Horizontal(id="why"):
                yield SpanView(lambda width, height: [(Span("Reason: ", Tone.HEAD),)], id="why-label")
                yield DeployReason(id="reason", max_length=300, select_on_focus=False)
            with Horizontal(id="answers"):
                yield Button(verb, id="go", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield SpanView(self._draw_keys, id="keys")

    def on_mount(self) -> None:
        """What cannot be forced cannot be agreed to."""
        self._arrange()

    def on_resize(self) -> None:
        """However much there is to read, reason and answers stay in sight."""
        self._arrange()

    def _arrange(self) -> None:
        self.query_one("#scroll", VerticalScroll).styles.max_height = max(3, int(self.size.height * 0.94) - FRAME_ROWS)
        reason = self.query_one("#reason", Input).value.strip()
        refused = bool(self.plan.refusals)
        enough = not refused or (self.plan.can_be_forced and len(reason) >= FORCE_REASON_CHARACTERS)
        self.query_one("#go", Button).disabled = not enough
        self.query_one("#keys", SpanView).redraw()

    def _draw(self, width: int, height: int) -> list[Cell]:
        lines = plan_lines(self.plan, width)
        for write in self.plan.writes:
            changes = write_changes(write, width)
            if changes:
                lines += [(), (Span(visible(write.place.words), Tone.HEAD),), *changes]
        return lines

    def _draw_keys(self, width: int, height: int) -> list[Cell]:
        if self.plan.refusals and not self.plan.can_be_forced:
            return [(Span("refused: a reason does not help", Tone.WARN),)]
        if self.plan.refusals:
            words = f"refused: a reason of {FORCE_REASON_CHARACTERS} characters overrules it"
            return [(Span(words, Tone.WARN),)]
        if self.plan.is_rollback:
            return [()]
        state = "on" if self.is_automatic else "off"
        return [(Span("ctrl-w", Tone.KEY, "screen.automatic"), Span(f" go back when limits break: {state}"))]

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._arrange()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed, "#go")
    def _go(self, event: Button.Pressed) -> None:
        event.stop()
        reason = self.query_one("#reason", Input).value.strip()
        self.dismiss(Answer(reason or "no reason given", self.is_automatic))

    @on(Button.Pressed, "#cancel")
    def _cancel(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(None)

    def action_automatic(self) -> None:
        """Whether a broken limit takes the deployment back by itself."""
        if not self.plan.is_rollback:
            self.is_automatic = not self.is_automatic
            self._arrange()

    def action_scroll_text(self, lines: int) -> None:
        """Scroll the plan; the cursor stays in the reason."""
        self.query_one("#scroll", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        """Close without writing."""
        self.dismiss(None)
