"""One backend: what it does now, the last hour, its rules, and every way requests come to it.

Drawn from the snapshot only; a backend that disappears from the gateway is said to have disappeared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widget import Widget

from console.domain.snapshot import BackendStatus, GatewaySnapshot
from screens.backend import sections
from screens.figures import Freshness
from screens.room import Room
from screens.saving import Sheet
from screens.spans import Cell, Span, Tone, text_of, visible
from screens.widgets.chart import draw_chart
from screens.widgets.span_view import Draw, SpanView

CHARTS = 6

Section = Callable[[BackendStatus, int], Sequence[Cell]]


class BackendScreen(Room):
    """The screen of one backend, by name."""

    TITLE_WORDS = "Backend"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#body"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (130, "-roomy")]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="backend.back", tooltip="Back to the fleet"),
        Binding("down,j", "scroll(2)", "down", id="backend.down", tooltip="Scroll down", show=False),
        Binding("up,k", "scroll(-2)", "up", id="backend.up", tooltip="Scroll up", show=False),
        Binding("d", "drain('drain')", "drain", id="backend.drain", tooltip="Take it out of traffic"),
        Binding("r", "drain('restore')", "restore", id="backend.restore", tooltip="Put it back into traffic"),
        Binding("n", "neighbour(1)", "next", id="backend.next", tooltip="The next backend of the fleet"),
        Binding("b", "neighbour(-1)", "before", id="backend.before", tooltip="The backend before it"),
        Binding("p", "app.pause", "pause", id="backend.pause", tooltip="Let the feeds rest, or go on"),
        Binding("ctrl+r", "app.refresh", "refresh", id="backend.refresh", tooltip="Fetch everything now"),
        Binding("y", "copy", "copy", id="backend.copy", tooltip="Copy the backend's resource id"),
        Binding("ctrl+s", "app.save", "save", id="backend.save", tooltip="Save its figures as text and CSV"),
    ]

    def __init__(self, backend_name: str) -> None:
        super().__init__()
        self.backend_name = backend_name

    def compose_body(self) -> Iterable[Widget]:
        """Sections in the order one asks: what is wrong, how it came, why, and how requests get here."""
        with VerticalScroll(id="body"):
            yield SpanView(self._section(sections.identity_lines), id="identity")
            yield SpanView(self._section(sections.health_lines), id="health")
            with Container(id="charts"):
                for index in range(CHARTS):
                    yield SpanView(self._chart(index), classes="chart")
            with Container(id="details"):
                with Container(id="left"):
                    yield SpanView(self._section(self._figures), id="figures")
                    yield SpanView(self._section(sections.breaker_section), id="breaker")
                with Container(id="right"):
                    yield SpanView(self._section(self._routes), id="routes")
                    yield SpanView(self._section(sections.deployments_section), id="deployments")
                    yield SpanView(self._section(self._errors), id="errors")

    @property
    def status(self) -> BackendStatus | None:
        """The backend as it stands, None when the gateway has it no more."""
        return self.console.snapshot.backend(self.backend_name)

    def _section(self, section: Section) -> Draw:
        def draw(width: int, height: int) -> Sequence[Cell]:
            status = self.status
            if status is not None:
                return section(status, width)
            if section is not sections.identity_lines:
                return ()
            return [(Span(f" {visible(self.backend_name)} is not on this gateway (any more)", Tone.WARN),)]

        return draw

    def _chart(self, index: int) -> Draw:
        def draw(width: int, height: int) -> Sequence[Cell]:
            status = self.status
            return draw_chart(sections.charts(status)[index], width, height) if status is not None else ()

        return draw

    def _figures(self, status: BackendStatus, width: int) -> Sequence[Cell]:
        freshness = Freshness.of(self.console.snapshot, self.console.clock.now())
        return sections.figures_section(status, freshness, width)

    def _routes(self, status: BackendStatus, width: int) -> Sequence[Cell]:
        return sections.routes_section(self.console.snapshot, status, width)

    def _errors(self, status: BackendStatus, width: int) -> Sequence[Cell]:
        return sections.errors_section(status, width, self.console.clock.now())

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Draw what changed of every section and chart."""
        for view in self.query("#body SpanView").results(SpanView):
            view.redraw()

    def saved_sheet(self) -> Sheet:
        """The figures with source and age, for a file."""
        status = self.status
        rows: list[tuple[str, ...]] = []
        if status is not None:
            freshness = Freshness.of(self.console.snapshot, self.console.clock.now())
            rows = [tuple(text_of(c).strip() for c in row) for row in sections.figure_rows(status, freshness)]
        name = "".join(char if char.isalnum() or char in "-_" else "-" for char in self.backend_name)[:60]
        return Sheet(f"backend-{name}", ("figure", "now", "source", "age"), tuple(rows))

    def action_back(self) -> None:
        """Back to the fleet."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Writes are absent in read-only mode, not merely refused."""
        return not (action == "drain" and self.console.snapshot.is_read_only)

    def action_drain(self, verb: str) -> None:
        """Open the dialog for it: "drain" or "restore"."""
        self.console.open_drain(self.backend_name, verb)

    def action_scroll(self, lines: int) -> None:
        """Scroll the body."""
        self.query_one("#body", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_neighbour(self, step: int) -> None:
        """Another backend, in the gateway's order."""
        names = [status.name for status in self.console.snapshot.backends]
        if not names:
            return
        index = names.index(self.backend_name) if self.backend_name in names else -step
        self.backend_name = names[(index + step) % len(names)]
        self.query_one("#body", VerticalScroll).scroll_home(animate=False)
        self.redraw()

    def action_copy(self) -> None:
        """Copy the backend's resource id."""
        if self.status is not None:
            self.console.copy_text(self.status.backend.resource_id, "its resource id")
