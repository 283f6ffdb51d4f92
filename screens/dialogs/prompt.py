"""The command prompt: `:` at the bottom, suggestions above it, Tab completes, errors stay in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from screens.spans import Cell, Span, Tone, fit, visible
from screens.widgets.span_view import SpanView

SUGGESTIONS = 8

Complete = Callable[[str], list[tuple[str, str]]]
Execute = Callable[[str], str | None]


class PromptInput(Input):
    """The line one types in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "screen.complete", "complete", id="prompt.complete", tooltip="Take the suggestion"),
        Binding("down", "screen.choose(1)", "next", id="prompt.next", tooltip="Next suggestion", show=False),
        Binding("up", "screen.choose(-1)", "previous", id="prompt.previous", tooltip="Suggestion before", show=False),
    ]


class Prompt(ModalScreen[str | None]):
    """Answers with the line to run, None when left."""

    TITLE_WORDS = "Command prompt"
    DEFAULT_CSS = """
    Prompt {
        align: left bottom;
        background: $background 30%;
        & > Vertical { height: auto; background: $panel; border-top: solid $accent; }
        Horizontal { height: 1; }
        #colon { width: 2; }
        #line { height: 1; border: none; padding: 0; background: $panel; width: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="prompt.leave", tooltip="Back without doing anything"),
    ]

    def __init__(self, complete: Complete, check: Execute) -> None:
        super().__init__()
        self._complete = complete
        self._check = check
        self._choice = 0
        self._error = ""

    def compose(self) -> ComposeResult:
        """Suggestions over the line."""
        with Vertical():
            yield SpanView(self._draw, id="suggestions")
            with Horizontal():
                yield SpanView(lambda width, height: [(Span(" :", Tone.ACCENT),)], id="colon")
                yield PromptInput(id="line", select_on_focus=False)

    @property
    def _line(self) -> str:
        found = self.query("#line")
        return found.first(PromptInput).value if found else ""

    def _draw(self, width: int, height: int) -> list[Cell]:
        if self._error:
            return [(Span(" ! ", Tone.WARN), Span(visible(self._error)))]
        lines: list[Cell] = []
        suggestions = self._complete(self._line)
        first = max(0, self._choice - SUGGESTIONS + 1)
        for index, (line, words) in enumerate(suggestions[first : first + SUGGESTIONS], start=first):
            is_chosen = index == self._choice
            name = (Span(" › " if is_chosen else "   ", Tone.ACCENT), Span(visible(line), Tone.STRONG))
            left = fit(name, min(30, width)) if words else name
            lines.append((*left, Span(" "), Span(words, Tone.QUIET if not is_chosen else Tone.PLAIN)))
        return [fit(line, width) for line in lines]

    def _redraw(self) -> None:
        self.query_one("#suggestions", SpanView).redraw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._choice, self._error = 0, ""
        self._redraw()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value
        suggestions = self._complete(line)
        if self._choice and self._choice < len(suggestions):
            line = suggestions[self._choice][0]
        error = self._check(line)
        if error is None:
            self.dismiss(line)
            return
        self._error = error
        self._redraw()

    def action_complete(self) -> None:
        """Take the chosen suggestion into the line."""
        suggestions = self._complete(self._line)
        if suggestions:
            line = self.query_one("#line", PromptInput)
            line.value = suggestions[min(self._choice, len(suggestions) - 1)][0]
            line.cursor_position = len(line.value)

    def action_choose(self, step: int) -> None:
        """Another suggestion."""
        count = len(self._complete(self._line))
        if count:
            self._choice = (self._choice + step) % count
            self._redraw()

    def action_leave(self) -> None:
        """Back without doing anything."""
        self.dismiss(None)
