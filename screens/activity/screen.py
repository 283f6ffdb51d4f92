"""Activity: what was changed on Azure in the last day, one line an operation, whoever did it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from console.domain.change import Change
from console.domain.snapshot import GatewaySnapshot
from screens.room import Room
from screens.saving import Sheet
from screens.spans import Cell, Span, Tone, visible, wrap
from screens.table import GridColumn, GridRow
from screens.widgets.grid import Grid
from screens.widgets.span_view import SpanView


class ActivityScreen(Room):
    """Changes, newest first."""

    TITLE_WORDS = "Activity"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#grid"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="activity.back", tooltip="Back to where you came from"),
        Binding("ctrl+r", "app.refresh", "refresh", id="activity.refresh", tooltip="Fetch everything now"),
        Binding("y", "copy", "copy", id="activity.copy", tooltip="Copy the correlation id: support asks for it"),
        Binding("ctrl+s", "app.save", "save", id="activity.save", tooltip="Save the changes as text and CSV"),
    ]

    def compose_body(self) -> Iterable[Widget]:
        """The changes, and the chosen one in full."""
        yield Grid(id="grid")
        yield SpanView(self._detail, id="detail")

    @property
    def grid(self) -> Grid:
        """The list."""
        return self.query_one("#grid", Grid)

    @property
    def change(self) -> Change | None:
        """The change under the cursor."""
        key = self.grid.cursor_key
        return next((c for c in self.console.snapshot.changes or () if _key(c) == key), None)

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Draw the list."""
        grid = self.grid
        if grid.columns_width > 0:
            room = max(20, grid.columns_width - 9 - 10 - 12 - 24 - 7)
            columns = (
                GridColumn("at", "TIME", "UTC", 8),
                GridColumn("what", "WHAT", "", room),
                GridColumn("who", "WHO", "", 24),
                GridColumn("status", "STATUS", "", 10),
                GridColumn("source", "SOURCE", "", 12),
            )
            grid.show_columns(columns, 1, None)
            grid.show_rows([_row(c, now) for c in snapshot.changes or ()])
        self.query_one("#detail", SpanView).redraw()

    @on(Grid.CursorMoved)
    def _choose(self) -> None:
        self.query_one("#detail", SpanView).redraw()

    @on(Grid.WidthChanged)
    def _lay_out(self) -> None:
        self.redraw()

    def _detail(self, width: int, height: int) -> list[Cell]:
        changes = self.console.snapshot.changes
        if changes is None:
            return [(Span(" the activity log has not answered yet", Tone.FAINT),)]
        if not changes:
            return [(Span(" nothing was changed in the last day, as far as the activity log tells", Tone.FAINT),)]
        change = self.change
        if change is None:
            return []
        events = (
            f"{change.events} event{'s' if change.events != 1 else ''} · correlation {change.correlation_id or '–'}"
        )
        return [
            *wrap((Span(" "), Span(visible(change.resource_id), Tone.PLAIN)), width, indent=1, max_lines=2),
            (Span(f" {visible(events)}", Tone.QUIET),),
        ]

    def action_back(self) -> None:
        """Back to where it was opened from."""
        self.dismiss()

    def action_copy(self) -> None:
        """Copy the correlation id."""
        if self.change is not None:
            self.console.copy_text(self.change.correlation_id, "the correlation id")

    def saved_sheet(self) -> Sheet:
        """The changes for a file."""
        rows = tuple(
            (c.at.isoformat(), visible(c.text), visible(c.caller), c.status, c.source, c.correlation_id)
            for c in self.console.snapshot.changes or ()
        )
        return Sheet("activity", ("time", "what", "who", "status", "source", "correlation"), rows)


def _key(change: Change) -> str:
    return f"{change.correlation_id}/{change.resource_id}/{change.at.isoformat()}"


def _row(change: Change, now: datetime) -> GridRow:
    failed = change.status in ("Failed", "Failure")
    at = f"{change.at:%H:%M:%S}" if change.at.date() == now.date() else f"{change.at:%a %H:%M}"
    return GridRow(
        _key(change),
        {
            "at": (Span(at, Tone.QUIET),),
            "what": (Span(f"{visible(change.subject)} {visible(change.verb)}", Tone.PLAIN),),
            "who": (Span(visible(change.caller) or "–", Tone.QUIET),),
            "status": (Span(visible(change.status) or "–", Tone.WARN if failed else Tone.QUIET),),
            "source": (Span(change.source, Tone.FAINT),),
        },
        is_markable=False,
    )
