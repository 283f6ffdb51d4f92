"""The fleet: one row per backend, grouped by pool.

Keeps how the operator looks at it (filter, sort, folds, marks) and nothing of the gateway itself: every draw starts
from the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from console.domain.snapshot import BackendStatus, GatewaySnapshot
from screens.figures import Freshness
from screens.fleet.arrange import SORT_BY_COLUMN, SORT_KEYS, group_backends, matches, sort_backends
from screens.fleet.columns import Layout, fit_columns
from screens.fleet.rows import RowCache, fleet_rows, longest_name, row_figures
from screens.room import Room
from screens.saving import Sheet, sheet_of_rows
from screens.spans import Cell, Span, Tone, visible
from screens.table import GridRow
from screens.widgets.grid import Grid
from screens.widgets.span_view import SpanView


class FilterInput(Input):
    """The filter's line: Enter keeps it, Esc clears it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.clear_filter", "clear", id="filter.clear", tooltip="Show every backend again"),
        Binding("down", "screen.keep_filter", "to the rows", id="filter.keep", tooltip="Keep the filter", show=False),
    ]


class FleetScreen(Room):
    """Every backend of the gateway, live."""

    TITLE_WORDS = "Fleet"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#grid"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="fleet.filter", tooltip="Show rows with all words; !word hides them"),
        Binding("d", "drain('drain')", "drain", id="fleet.drain", tooltip="Take the backend out of traffic"),
        Binding("r", "drain('restore')", "restore", id="fleet.restore", tooltip="Put a drained backend back"),
        Binding("t", "app.triage", "triage", id="fleet.triage", tooltip="What is wrong, since when, and what to do"),
        Binding("a", "app.activity", "activity", id="fleet.activity", tooltip="What somebody changed"),
        Binding("f", "app.fragments", "fragments", id="fleet.fragments", tooltip="Fragments and policies, both sides"),
        Binding("D", "app.deploy", "deploy", id="fleet.deploy", tooltip="Deploy a gateway, step by step"),
        Binding("g", "group", "group", id="fleet.group", tooltip="Group by pool and route, or one flat list"),
        Binding("p", "app.pause", "pause", id="fleet.pause", tooltip="Let the feeds rest, or go on"),
        Binding("ctrl+r", "app.refresh", "refresh", id="fleet.refresh", tooltip="Fetch everything now"),
        Binding("y", "copy", "copy", id="fleet.copy", tooltip="Copy the names marked, or the one under the cursor"),
        Binding("ctrl+s", "app.save", "save", id="fleet.save", tooltip="Save what is seen as text and CSV"),
        Binding("escape", "back", "back", id="fleet.back", tooltip="Drop the filter, then the marks", show=False),
        *(
            Binding(
                key.letter,
                f"sort('{key.column}')",
                f"sort by {key.words}",
                id=f"fleet.sort-{key.column.replace('_', '-')}",
                tooltip=f"Sort by {key.words}; again turns the order round, a third time ends it",
                show=False,
            )
            for key in SORT_KEYS
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        self.sort_column: str | None = None
        self.is_reversed = False
        self.is_grouped = True
        self._folded: set[str] = set()
        self._marked: set[str] = set()
        self._cache = RowCache()
        self._seen: tuple[object, ...] = ()
        self._observed: set[datetime] = set()

    def compose_body(self) -> Iterable[Widget]:
        """The table, a note when it has nothing to show, and the filter's line."""
        yield Grid(id="grid")
        yield SpanView(self._draw_note, id="note")
        yield FilterInput(
            id="filter", classes="prompt", placeholder="filter: words, !word hides", select_on_focus=False
        )

    @property
    def grid(self) -> Grid:
        """The table."""
        return self.query_one("#grid", Grid)

    # Drawing ----------------------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Lay out the columns and hand the rows to the grid."""
        grid = self.grid
        if grid.columns_width <= 0 or self._is_as_seen(snapshot, now, grid.columns_width):
            return
        layout = fit_columns(
            grid.columns_width,
            longest_name=longest_name(snapshot, self.is_grouped),
            is_grouped=self.is_grouped,
        )
        grid.show_columns(layout.columns, layout.gap, self._sorted_by())
        grid.show_rows(self._rows(snapshot, layout, Freshness.of(snapshot, now)))
        note = self.query_one("#note", SpanView)
        note.redraw()
        note.set_class(bool(self._note()), "-shown")

    def _is_as_seen(self, snapshot: GatewaySnapshot, now: datetime, width: int) -> bool:
        """Whether the same snapshot stands, looked at the same way, and no age reads differently by now."""
        if not self._seen or self._seen[0] is not snapshot:
            figures = (f for status in snapshot.backends for f in row_figures(status))
            self._observed = {f.observed_at for f in figures if f.observed_at is not None}
        freshness = Freshness(now, {})
        look = (self.filter_text, self.sort_column, self.is_reversed, self.is_grouped)
        chosen = (frozenset(self._folded), frozenset(self._marked))
        seen = (snapshot, width, look, chosen, sorted(freshness.age_words(at) for at in self._observed))
        is_same = bool(self._seen) and self._seen[0] is snapshot and self._seen[1:] == seen[1:]
        self._seen = seen
        return is_same

    def _sorted_by(self) -> tuple[str, bool] | None:
        if self.sort_column is None:
            return None
        return self.sort_column, SORT_BY_COLUMN[self.sort_column].is_descending != self.is_reversed

    def shown_backends(self, snapshot: GatewaySnapshot) -> list[BackendStatus]:
        """The backends the filter lets through."""
        return [status for status in snapshot.backends if matches(status, self.filter_text)]

    def _rows(self, snapshot: GatewaySnapshot, layout: Layout, freshness: Freshness) -> list[GridRow]:
        shown = self.shown_backends(snapshot)
        groups = None
        flat: list[BackendStatus] = []
        if self.is_grouped:
            groups = group_backends(snapshot, shown, self.sort_column, self.is_reversed)
        else:
            flat = sort_backends(shown, self.sort_column, self.is_reversed)
        return fleet_rows(groups, flat, layout, freshness, self._folded, self._marked, self._cache)

    def _note(self) -> str:
        snapshot = self.console.snapshot
        if snapshot.gateway is None and any(p.feed == "topology" and p.kind == "NotFound" for p in snapshot.problems):
            return "There is no gateway of this name. D deploys one, step by step."
        if snapshot.gateway is None:
            return "Waiting for the first answer from Azure …"
        if not snapshot.backends:
            return f"{snapshot.gateway.name} has no backends yet."
        shown = len(self.shown_backends(snapshot))
        parts = []
        if self.filter_text:
            clear = "Esc clears" if shown else "no backend matches, Esc clears"
            parts.append(f"filter “{self.filter_text}”: {shown} of {len(snapshot.backends)} · {clear}")
        if self._marked:
            parts.append(f"{len(self._marked)} marked")
        return " · ".join(parts)

    def _draw_note(self, width: int, height: int) -> list[Cell]:
        note = self._note()
        return [(Span(f" {visible(note)}", Tone.QUIET),)] if note else []

    def saved_sheet(self) -> Sheet:
        """What is seen, for a file: the columns laid out and every row, also those scrolled away."""
        return sheet_of_rows("fleet", self.grid.columns, self.grid.rows)

    # What keys do -----------------------------------------------------------------------------------------------

    def selected_backend(self) -> str | None:
        """The name of the backend under the cursor, None on a heading."""
        key = self.grid.cursor_key
        return None if key is None else backend_of_key(key)

    def action_filter(self) -> None:
        """Open the filter's line."""
        line = self.query_one("#filter", FilterInput)
        line.add_class("-shown")
        line.value = self.filter_text
        line.focus()

    def set_filter(self, text: str) -> None:
        """Show only what matches."""
        self.filter_text = text.strip()
        self.redraw()

    def action_keep_filter(self) -> None:
        """Back to the rows, the filter stays."""
        self.query_one("#filter", FilterInput).remove_class("-shown")
        self.grid.focus()
        self.redraw()

    def action_clear_filter(self) -> None:
        """Every backend again."""
        self.query_one("#filter", FilterInput).value = ""
        self.set_filter("")
        self.action_keep_filter()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        event.stop()
        self.set_filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep_filter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Writes are absent in read-only mode, not merely refused."""
        return not (action == "drain" and self.console.snapshot.is_read_only)

    def action_drain(self, verb: str) -> None:
        """Open the dialog for the backend under the cursor: "drain" or "restore"."""
        name = self.selected_backend()
        if name is not None:
            self.console.open_drain(name, verb)

    def action_group(self) -> None:
        """Grouped or flat; the cursor stays on its backend."""
        name = self.selected_backend()
        self.is_grouped = not self.is_grouped
        self.redraw()
        if name is not None:
            self.move_cursor_to_backend(name)

    def move_cursor_to_backend(self, name: str) -> bool:
        """Put the cursor on a backend's first row; False when it is not shown."""
        key = next((row.key for row in self.grid.rows if backend_of_key(row.key) == name), None)
        return key is not None and self.grid.move_cursor_to(key)

    def action_sort(self, column: str) -> None:
        """First press sorts, the second turns round, the third ends sorting."""
        if self.sort_column != column:
            self.sort_column, self.is_reversed = column, False
        elif not self.is_reversed:
            self.is_reversed = True
        else:
            self.sort_column, self.is_reversed = None, False
        self.redraw()

    def action_copy(self) -> None:
        """Copy names to the clipboard of the terminal."""
        name = self.selected_backend()
        names = sorted(self._marked) or ([name] if name is not None else [])
        if names:
            self.console.copy_text("\n".join(names), f"{len(names)} names" if len(names) > 1 else names[0])

    def action_back(self) -> None:
        """Drop the filter, then the marks."""
        if self.filter_text:
            self.action_clear_filter()
        elif self._marked:
            self._marked.clear()
            self.redraw()

    @on(Grid.WidthChanged)
    def _width_changed(self, event: Grid.WidthChanged) -> None:
        self.redraw()

    @on(Grid.HeaderClicked)
    def _header_clicked(self, event: Grid.HeaderClicked) -> None:
        if event.column_key in SORT_BY_COLUMN:
            self.action_sort(event.column_key)

    @on(Grid.RowMarked)
    def _row_marked(self, event: Grid.RowMarked) -> None:
        name = backend_of_key(event.key)
        if name is not None:
            self._marked ^= {name}
            self.redraw()

    @on(Grid.RowOpened)
    def _row_opened(self, event: Grid.RowOpened) -> None:
        name = backend_of_key(event.key)
        if name is not None:
            self.console.open_backend(name)
        else:
            self._folded ^= {event.key}
            self.redraw()


def backend_of_key(key: str) -> str | None:
    """The backend's name in a row's key, None for headings."""
    return key.rpartition("\n")[2] if "\n" in key else None
