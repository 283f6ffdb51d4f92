"""A box with text to read and a line to filter it: the keys of a screen, the problems of the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input

from screens.spans import Cell, Span, Tone, fit, visible, wrap
from screens.widgets.span_view import SpanView

KEY_COLUMNS = 13


@dataclass(frozen=True, slots=True)
class Entry:
    """A term and what it means, under a heading."""

    heading: str
    term: str
    words: str


class ReaderInput(Input):
    """The filter; up and down scroll the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.scroll_text(-1)", "up", id="reader.up", tooltip="Scroll up", show=False),
        Binding("down", "screen.scroll_text(1)", "down", id="reader.down", tooltip="Scroll down", show=False),
        Binding("pageup", "screen.scroll_text(-10)", "page up", id="reader.page-up", tooltip="Page up", show=False),
        Binding(
            "pagedown", "screen.scroll_text(10)", "page down", id="reader.page-down", tooltip="Page down", show=False
        ),
    ]


class Reader(ModalScreen[None]):
    """Shows entries; typing filters them, Esc closes."""

    TITLE_WORDS = "Help"
    DEFAULT_CSS = """
    Reader {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 84; max-width: 96%; height: auto; max-height: 92%;
            background: $surface; border: round $tone-faint;
            border-title-color: $accent; border-subtitle-color: $tone-quiet; padding: 0 1;
        }
        VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
        #needle { height: 1; border: none; padding: 0 1; background: $panel; margin: 0 0 1 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="reader.leave", tooltip="Close"),
    ]

    def __init__(self, title: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._title = title
        self._entries = tuple(entries)
        self._needle = ""

    def compose(self) -> ComposeResult:
        """The filter over the text."""
        with Vertical() as box:
            box.border_title = visible(self._title).replace("[", r"\[")
            box.border_subtitle = "type to filter · Esc closes"
            yield ReaderInput(id="needle", placeholder="filter", select_on_focus=False)
            with VerticalScroll(can_focus=False):
                yield SpanView(self._draw, id="text")

    def shown(self) -> list[Entry]:
        """The entries that have all typed words."""
        words = self._needle.casefold().split()
        return [e for e in self._entries if all(w in f"{e.heading} {e.term} {e.words}".casefold() for w in words)]

    def _draw(self, width: int, height: int) -> list[Cell]:
        lines: list[Cell] = []
        heading = None
        for entry in self.shown():
            if entry.heading != heading:
                if lines:
                    lines.append(())
                heading = entry.heading
                lines.append((Span(visible(heading), Tone.HEAD),))
            term = fit((Span(f" {visible(entry.term)}", Tone.KEY),), KEY_COLUMNS)
            if len(entry.term) >= KEY_COLUMNS:
                lines.extend(wrap((Span(f" {visible(entry.term)}", Tone.KEY),), width, indent=1))
                lines.extend(wrap((Span("   "), Span(visible(entry.words))), width, indent=3))
            else:
                lines.extend(wrap((*term, Span(visible(entry.words))), width, indent=KEY_COLUMNS))
        return lines or [(Span("nothing matches", Tone.QUIET),)]

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._needle = event.value
        self.query_one("#text", SpanView).redraw()

    def action_scroll_text(self, lines: int) -> None:
        """Scroll the text, the cursor stays in the filter."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)
