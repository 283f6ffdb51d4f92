"""A table drawn line by line: rows by key, a cursor that stays on its row, marks, a two-line header.

It knows nothing of backends. `show_rows` compares with what stands and draws only the cells that changed; the cursor
stays on its key and its line of the screen, whatever the new order is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.spans import EMPTY, Cell, Span, Tone, fit, shorten
from screens.table import GUTTER, HEADER_LINES, GridColumn, GridRow
from screens.widgets.tones import to_strip, tone_styles


class Grid(ScrollView, can_focus=True):
    """Rows and columns; see the module."""

    DEFAULT_CSS = """
    Grid {
        height: 1fr;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        overflow-y: auto;
        & > .grid--cursor { background: $cursor-line; }
        & > .grid--group { background: $group-line; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--cursor", "grid--group"}

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", id="grid.up", tooltip="One row up", show=False),
        Binding("down,j", "move(1)", "Down", id="grid.down", tooltip="One row down", show=False),
        Binding("pageup", "page(-1)", "Page up", id="grid.page-up", tooltip="One screen up", show=False),
        Binding("pagedown", "page(1)", "Page down", id="grid.page-down", tooltip="One screen down", show=False),
        Binding("home", "edge(-1)", "First", id="grid.first", tooltip="To the first row", show=False),
        Binding("end", "edge(1)", "Last", id="grid.last", tooltip="To the last row", show=False),
        Binding("enter", "open", "open", id="grid.open", tooltip="Open the row: a backend, or fold a group"),
        Binding("space", "mark", "mark", id="grid.mark", tooltip="Mark the row and go one down; y copies all marked"),
    ]

    class RowOpened(Message):
        """Enter, or a click on the row under the cursor."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class RowMarked(Message):
        """Space on a row."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class CursorMoved(Message):
        """The cursor stands on another row."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class HeaderClicked(Message):
        """A click on a column's title."""

        def __init__(self, column_key: str) -> None:
            super().__init__()
            self.column_key = column_key

    class WidthChanged(Message):
        """The columns must be laid out anew."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

        def can_replace(self, message: Message) -> bool:
            """Only the last of a burst matters."""
            return isinstance(message, Grid.WidthChanged)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns: tuple[GridColumn, ...] = ()
        self._gap = 1
        self._rows: list[GridRow] = []
        self._index: dict[str, int] = {}
        self._cursor = 0
        self._sorted_by: tuple[str, bool] | None = None
        self._strips: dict[str, Strip] = {}
        self._cell_updates = 0

    # What the screen tells the grid -----------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[GridColumn, ...]:
        """The columns as laid out."""
        return self._columns

    @property
    def rows(self) -> Sequence[GridRow]:
        """The rows in order."""
        return self._rows

    @property
    def cell_updates(self) -> int:
        """How many single cells were drawn anew since the grid was made."""
        return self._cell_updates

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor, None without rows."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def columns_width(self) -> int:
        """Columns at hand for gutter, cells and gaps; the scrollbar has its own."""
        return self.scrollable_content_region.width

    def show_columns(self, columns: Sequence[GridColumn], gap: int, sorted_by: tuple[str, bool] | None) -> None:
        """Lay out these columns with `gap` between; `sorted_by` is a column key and whether it runs downwards."""
        if (tuple(columns), gap, sorted_by) != (self._columns, self._gap, self._sorted_by):
            self._columns, self._gap, self._sorted_by = tuple(columns), gap, sorted_by
            self._strips.clear()
            self.refresh()

    def show_rows(self, rows: Sequence[GridRow]) -> None:
        """Show these rows. Same keys in the same order: only changed cells are drawn, in one batch."""
        before, cursor_key = self._rows, self.cursor_key
        self._rows = list(rows)
        if len(before) == len(rows) and all(a.key == b.key for a, b in zip(before, rows, strict=True)):
            self._refresh_changed(before)
            return
        line_of_cursor = self._cursor - round(self.scroll_y)
        self._index = {row.key: index for index, row in enumerate(self._rows)}
        known = {row.key: row for row in before}
        for key, row in known.items():
            index = self._index.get(key)
            if index is None or self._rows[index] != row:
                self._strips.pop(key, None)
        self.virtual_size = Size(self.columns_width, len(self._rows) + HEADER_LINES)
        last = max(0, len(self._rows) - 1)
        if cursor_key is None:
            self._cursor = next((index for index, row in enumerate(self._rows) if not row.is_group), 0)
        elif (kept := self._index.get(cursor_key)) is not None:
            if kept != self._cursor:
                self._cursor = kept
                self.scroll_to(y=max(0, kept - line_of_cursor), animate=False)
        else:
            self._cursor = min(self._cursor, last)
        self.refresh()

    def move_cursor_to(self, key: str) -> bool:
        """Put the cursor on a row; False when there is no such row."""
        index = self._index.get(key)
        if index is None:
            return False
        self._move_to(index)
        return True

    def _refresh_changed(self, before: Sequence[GridRow]) -> None:
        regions: list[Region] = []
        offsets = self._offsets()
        visible = range(round(self.scroll_y), round(self.scroll_y) + self.size.height)
        for index, (old, new) in enumerate(zip(before, self._rows, strict=True)):
            if old == new:
                continue
            self._strips.pop(new.key, None)
            changed = [c for c in self._columns if old.cells.get(c.key) != new.cells.get(c.key)]
            self._cell_updates += len(changed)
            if index not in visible:
                continue
            y = HEADER_LINES + index - round(self.scroll_y)
            if old.is_marked != new.is_marked:
                regions.append(Region(0, y, self.size.width, 1))
            regions.extend(Region(offsets[c.key], y, c.width, 1) for c in changed)
        if regions:
            self.refresh(*regions)

    # Drawing ----------------------------------------------------------------------------------------------------

    def _offsets(self) -> dict[str, int]:
        offsets: dict[str, int] = {}
        x = GUTTER
        for column in self._columns:
            offsets[column.key] = x
            x += column.width + self._gap
        return offsets

    def render_line(self, y: int) -> Strip:
        """A line of the header, or the row that is scrolled there."""
        width = self.columns_width
        base = self.rich_style
        styles = tone_styles(self.app)
        if y < HEADER_LINES:
            return to_strip(self._header(y), styles, base, width)
        index = y - HEADER_LINES + round(self.scroll_y)
        if index >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[index]
        if index == self._cursor:
            cursor = base + self._background("grid--cursor")
            return to_strip(self._line(row, is_cursor=True), styles, cursor, width)
        strip = self._strips.get(row.key)
        if strip is None or strip.cell_length != width:
            if row.is_group:
                base += self._background("grid--group")
            strip = self._strips[row.key] = to_strip(self._line(row, is_cursor=False), styles, base, width)
        return strip

    def _background(self, component: str) -> Style:
        return Style(bgcolor=self.get_component_rich_style(component).bgcolor)

    def _line(self, row: GridRow, *, is_cursor: bool) -> Cell:
        if row.is_marked:
            gutter = Span("◆ ", Tone.ACCENT)
        else:
            gutter = Span("› " if is_cursor else "  ", Tone.ACCENT)
        spans: list[Span] = [gutter]
        for column in self._columns:
            spans.extend(fit(row.cells.get(column.key, EMPTY), column.width, right=column.right))
            spans.append(Span(" " * self._gap))
        return tuple(spans)

    def _header(self, line: int) -> Cell:
        spans: list[Span] = [Span(" " * GUTTER)]
        for column in self._columns:
            tone, text = Tone.FAINT, column.unit
            if line == 0:
                tone, text = Tone.HEAD, column.title
                if self._sorted_by is not None and self._sorted_by[0] == column.key:
                    arrow = "▼" if self._sorted_by[1] else "▲"
                    tone, text = Tone.STRONG, shorten(text, column.width - 1) + arrow
            cell = (Span(shorten(text, column.width), tone),)
            spans.extend(fit(cell, column.width, right=column.right))
            spans.append(Span(" " * self._gap))
        return tuple(spans)

    def notify_style_update(self) -> None:
        """Colours changed: draw everything anew."""
        self._strips.clear()
        super().notify_style_update()

    def on_resize(self, event: events.Resize) -> None:
        """Ask the screen for a new layout of the columns."""
        self._strips.clear()
        self.virtual_size = Size(self.columns_width, len(self._rows) + HEADER_LINES)
        self.post_message(self.WidthChanged(self.columns_width))
        self._keep_cursor_in_view()

    # Cursor and mouse -------------------------------------------------------------------------------------------

    @property
    def _page(self) -> int:
        return max(1, self.size.height - HEADER_LINES)

    def _refresh_row(self, index: int) -> None:
        self.refresh(Region(0, HEADER_LINES + index - round(self.scroll_y), self.size.width, 1))

    def _move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        if not self._rows or index == self._cursor:
            return
        self._refresh_row(self._cursor)
        self._cursor = index
        self._refresh_row(index)
        self._keep_cursor_in_view()
        self.post_message(self.CursorMoved(self._rows[index].key))

    def _keep_cursor_in_view(self) -> None:
        top = round(self.scroll_y)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + self._page:
            self.scroll_to(y=self._cursor - self._page + 1, animate=False)

    def action_move(self, rows: int) -> None:
        """Move the cursor by rows."""
        self._move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by screens."""
        self._move_to(self._cursor + pages * self._page)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self._move_to(0 if direction < 0 else len(self._rows) - 1)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.RowOpened(self.cursor_key))

    def action_mark(self) -> None:
        """Mark the row under the cursor and go on."""
        if self._rows and self._rows[self._cursor].is_markable:
            self.post_message(self.RowMarked(self._rows[self._cursor].key))
        self.action_move(1)

    def on_click(self, event: events.Click) -> None:
        """First click puts the cursor there, the next opens; the header sorts."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < HEADER_LINES:
            for column in self._columns:
                if 0 <= offset.x - self._offsets()[column.key] < column.width:
                    self.post_message(self.HeaderClicked(column.key))
            return
        index = offset.y - HEADER_LINES + round(self.scroll_y)
        if index >= len(self._rows):
            return
        if index == self._cursor:
            self.action_open()
        else:
            self._move_to(index)
