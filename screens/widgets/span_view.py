"""A widget that draws lines of spans: header, verdict, problem line, footer, charts and every section of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from screens.spans import Cell
from screens.widgets.tones import to_strip, tone_styles

Draw = Callable[[int, int], Sequence[Cell]]
"""From columns and rows at hand (rows 0: as many as it likes) to lines."""


def nothing(width: int, height: int) -> Sequence[Cell]:
    """Draws no line."""
    return ()


class SpanView(Widget):
    """Draws what its function returns for the width at hand; only lines that changed are drawn again."""

    DEFAULT_CSS = """
    SpanView { height: auto; width: 1fr; }
    """

    def __init__(
        self, draw: Draw = nothing, *, id: str | None = None, classes: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes, name=name)
        self._draw = draw
        self._lines: Sequence[Cell] = ()
        self._drawn_for: tuple[int, int] | None = None

    def show(self, draw: Draw) -> None:
        """Draw with this function from now on."""
        self._draw = draw
        self.redraw()

    def redraw(self) -> None:
        """Ask the function again; what differs is drawn, and the layout asked when the number of lines differs."""
        if self._drawn_for is None or not self.is_mounted:
            return
        before = self._lines
        width, height = self._drawn_for
        self._lines = self._draw(width, height)
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        changed = [index for index, (old, new) in enumerate(zip(before, self._lines, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, index, width, 1) for index in changed))

    def _lines_for(self, width: int, height: int) -> Sequence[Cell]:
        if self._drawn_for != (width, height):
            self._drawn_for = (width, height)
            self._lines = self._draw(width, height)
        return self._lines

    def _rows_at_hand(self) -> int:
        height = self.styles.height
        return 0 if height is None or height.is_auto else self.size.height

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are lines."""
        return len(self._lines_for(width, 0))

    def render_line(self, y: int) -> Strip:
        """One line, padded to the width."""
        width = self.size.width
        lines = self._lines_for(width, self._rows_at_hand())
        if y >= len(lines):
            return Strip.blank(width, self.rich_style)
        return to_strip(lines[y], tone_styles(self.app), self.rich_style, width)
