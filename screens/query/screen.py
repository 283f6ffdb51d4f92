"""The query screen: an editor, the span of time, the answer as a table and a chart. It only reads.

A query runs beside the event loop's other work under a deadline; a newer one makes an older answer void.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import TextArea

from console import queries
from console.commands.querying import (
    ROWS_SHOWN,
    QueryTable,
    as_csv,
    as_json,
    explained,
    history_path,
    named_queries,
    plain,
    position_of,
    read_history,
    remember,
    run_text,
    sorted_rows,
)
from console.domain.snapshot import GatewaySnapshot
from console.errors import ConsoleError
from screens.query.results import result_chart, result_columns, result_rows
from screens.room import Room
from screens.saving import saved_directory
from screens.spans import Cell, Span, Tone, visible, wrap
from screens.widgets.chart import draw_chart
from screens.widgets.grid import Grid
from screens.widgets.span_view import SpanView

SPANS = (("15m", 15), ("1h", 60), ("6h", 360), ("24h", 1440), ("7d", 10_080))


class KqlEditor(TextArea):
    """The query. Escape goes to the rows, so that every other key stays the editor's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.to_rows", "to the rows", id="kql.leave", tooltip="To the rows", show=False),
    ]


class QueryScreen(Room):
    """KQL over the gateway's workspace."""

    TITLE_WORDS = "Query"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#editor"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "run", "run", id="query.run", tooltip="Run the query", priority=True),
        Binding(
            "f2", "named(1)", "named", id="query.named", tooltip="The next of the console's own queries", priority=True
        ),
        Binding("f3", "older", "older", id="query.older", tooltip="The query before, from the history", priority=True),
        Binding("f4", "span", "span", id="query.span", tooltip="Another span of time", priority=True),
        Binding("ctrl+s", "export", "export", id="query.export", tooltip="Write CSV and JSON", priority=True),
        Binding("i", "edit", "edit", id="query.edit", tooltip="Back to the editor"),
        Binding("escape", "back", "back", id="query.back", tooltip="Back to where you came from"),
    ]

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = queries.text(text) if text in named_queries() else text
        self._name = text if text in named_queries() else ""
        self._span = 1
        self._told: tuple[str, Tone] = ("F5 runs, F2 brings the console's own queries, F4 changes the span", Tone.QUIET)
        self._table: QueryTable | None = None
        self._sorted: tuple[int, bool] | None = None
        self._run = 0
        self._back = 0

    def compose_body(self) -> Iterable[Widget]:
        """Editor, what is told, the chart and the rows."""
        yield KqlEditor(self._text, id="editor", show_line_numbers=True, soft_wrap=False)
        yield SpanView(self._draw_told, id="told")
        yield SpanView(self._draw_chart, id="chart")
        yield Grid(id="rows")

    @property
    def editor(self) -> KqlEditor:
        """The query's text."""
        return self.query_one("#editor", KqlEditor)

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """The answer does not follow snapshots; only the heading does."""

    def _draw_told(self, width: int, height: int) -> list[Cell]:
        text, tone = self._told
        span = Span(f" last {SPANS[self._span][0]} ", Tone.ACCENT)
        return wrap((span, Span(f" {visible(text)}", tone)), width, indent=2, max_lines=3)

    def _draw_chart(self, width: int, height: int) -> list[Cell]:
        chart = result_chart(self._table) if self._table is not None else None
        return draw_chart(chart, width, height) if chart is not None and height else []

    def _tell(self, text: str, tone: Tone = Tone.QUIET) -> None:
        self._told = (text, tone)
        self.query_one("#told", SpanView).redraw()

    # Running --------------------------------------------------------------------------------------------------------

    def action_run(self) -> None:
        """Run what the editor holds."""
        session: Any = getattr(self.console.engine, "session", None)
        if session is None:
            self._tell("there is no workspace to ask here", Tone.WARN)
            return
        self._run += 1
        self._tell("running …")
        self.run_worker(self._ask(session, self._run), group="query", exclusive=True, exit_on_error=False)

    async def _ask(self, session: Any, run: int) -> None:
        text = self.editor.text
        asked = self._name if self._name and text == queries.text(self._name) else text
        try:
            table = await run_text(session, asked, timedelta(minutes=SPANS[self._span][1]), self.console.clock.now())
        except ConsoleError as error:
            if run == self._run:
                self._fail(error)
            return
        if run != self._run:
            return
        self._table, self._sorted = table, None
        try:
            remember(history_path(), text)
        except OSError as error:
            self.console.notify(f"the history is not kept: {error}", markup=False)
        self._show()

    def _fail(self, error: ConsoleError) -> None:
        place = position_of(error)
        where = f"line {place.line}, column {place.column}: " if place is not None else ""
        self._tell(f"{where}{explained(error)}", Tone.WARN)
        if place is not None:
            line = min(max(0, place.line - 1), self.editor.document.line_count - 1)
            self.editor.move_cursor((line, max(0, place.column - 1)))
            self.editor.focus()

    def _show(self) -> None:
        table = self._table
        if table is None:
            return
        more = f", the first {ROWS_SHOWN} shown" if len(table.rows) > ROWS_SHOWN else ""
        partial = f" · partial: {table.partial}" if table.partial else ""
        words = f"{len(table.rows)} rows{more} in {table.seconds:.1f} s{partial}"
        self._tell(words if table.rows else f"no rows in this span{partial}", Tone.WARN if partial else Tone.QUIET)
        chart = self.query_one("#chart", SpanView)
        chart.set_class(result_chart(table) is not None, "-shown")
        chart.redraw()
        grid = self.query_one("#rows", Grid)
        sorted_by = (str(self._sorted[0]), self._sorted[1]) if self._sorted is not None else None
        grid.show_columns(result_columns(table, max(20, grid.columns_width)), 1, sorted_by)
        grid.show_rows([])
        grid.show_rows(result_rows(table, ROWS_SHOWN))

    # Keys -----------------------------------------------------------------------------------------------------------

    def action_named(self, step: int) -> None:
        """The next of the console's own queries."""
        names = named_queries()
        index = names.index(self._name) + step if self._name in names else 0
        self._name = names[index % len(names)]
        self.editor.load_text(queries.text(self._name))
        self._tell(f"{self._name}: its parameters (gateway, span) are filled in when it runs unchanged")

    def action_older(self) -> None:
        """The query before."""
        history = read_history(history_path())
        if not history:
            self._tell("no query was run yet")
            return
        self._back = self._back % len(history) + 1
        self.editor.load_text(history[-self._back])
        self._tell(f"{self._back} of {len(history)} in the history")

    def action_span(self) -> None:
        """The next span of time."""
        self._span = (self._span + 1) % len(SPANS)
        self.query_one("#told", SpanView).redraw()

    def action_to_rows(self) -> None:
        """From the editor to the rows."""
        self.query_one("#rows", Grid).focus()

    def action_edit(self) -> None:
        """From the rows to the editor."""
        self.editor.focus()

    def action_back(self) -> None:
        """Back to where it was opened from."""
        self.dismiss()

    @on(Grid.HeaderClicked)
    def _sort(self, event: Grid.HeaderClicked) -> None:
        if self._table is None:
            return
        column = int(event.column_key)
        descending = self._sorted is None or self._sorted[0] != column or not self._sorted[1]
        self._sorted = (column, descending)
        self._table = sorted_rows(self._table, column, descending=descending)
        self._show()

    @on(Grid.RowOpened)
    def _open_row(self, event: Grid.RowOpened) -> None:
        from screens.dialogs.reader import Entry, Reader

        if self._table is None:
            return
        row = self._table.rows[int(event.key)]
        entries = [Entry(visible(name), "", plain(v)) for name, v in zip(self._table.columns, row, strict=True)]
        self.console.push_screen(Reader("Row", entries))

    @on(Grid.WidthChanged)
    def _lay_out(self) -> None:
        self._show()

    def action_export(self) -> None:
        """Write the answer as CSV and JSON."""
        if self._table is None:
            self._tell("there is nothing to export yet")
            return
        folder = saved_directory(os.environ)
        stem = f"query-{self.console.clock.now():%Y%m%d-%H%M%S}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{stem}.csv").write_text(as_csv(self._table), encoding="utf-8")
            (folder / f"{stem}.json").write_text(as_json(self._table), encoding="utf-8")
        except OSError as error:
            self._tell(f"not exported: {error}", Tone.WARN)
            return
        self.console.notify(f"written {folder / stem}.csv and .json", markup=False, timeout=6)
