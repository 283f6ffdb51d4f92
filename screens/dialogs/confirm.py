"""A question before something is done: what will happen, and two answers. Esc and Enter mean no unless one moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from screens.spans import Cell, Span, Tone, visible, wrap
from screens.widgets.span_view import SpanView


class Confirm(ModalScreen[bool]):
    """Answers True only when `y` was pressed."""

    TITLE_WORDS = "Question"
    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 70; max-width: 96%; height: auto; max-height: 92%;
            background: $surface; border: round $tone-faint; border-title-color: $accent; padding: 0 1;
        }
        #answers { margin: 1 0 0 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes", tooltip="Do it"),
        Binding("n,escape,enter", "answer(False)", "no", id="confirm.no", tooltip="Leave everything as it is"),
    ]

    def __init__(self, title: str, sentences: Sequence[str], yes: str) -> None:
        super().__init__()
        self._title = title
        self._sentences = tuple(sentences)
        self._yes = yes

    def compose(self) -> ComposeResult:
        """The sentences over the answers."""
        with Vertical() as box:
            box.border_title = visible(self._title).replace("[", r"\[")
            yield SpanView(self._draw, id="text")
            yield SpanView(self._draw_answers, id="answers")

    def _draw(self, width: int, height: int) -> list[Cell]:
        return [line for text in self._sentences for line in wrap((Span(visible(text)),), width)]

    def _draw_answers(self, width: int, height: int) -> list[Cell]:
        yes = (Span("y", Tone.KEY, "screen.answer(True)"), Span(f" {visible(self._yes)}", Tone.PLAIN))
        return [(*yes, Span("    "), Span("n", Tone.KEY, "screen.answer(False)"), Span(" no, leave it", Tone.QUIET))]

    def action_answer(self, is_yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(is_yes)
