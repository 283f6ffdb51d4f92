"""Triage: findings ranked by harm, the chosen one's evidence on one time axis, what changed, who asks, where it goes.

An action opens the dialog that carries it out, prefilled; this screen writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widget import Widget

from console.domain.finding import Action, ActionKind, Finding
from console.domain.snapshot import GatewaySnapshot
from screens.room import Room
from screens.saving import Sheet
from screens.spans import Cell, visible
from screens.triage import lines
from screens.widgets.grid import Grid
from screens.widgets.span_view import SpanView


class TriageScreen(Room):
    """What is wrong, since when, for whom, and what to do."""

    TITLE_WORDS = "Triage"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "#findings"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (118, "-wide")]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="triage.back", tooltip="Back to the fleet"),
        *(
            Binding(
                str(number),
                f"act({number})",
                "do it" if number == 1 else f"do {number}",
                id=f"triage.act-{number}",
                tooltip=f"Open action {number} of the finding, prefilled",
                show=number == 1,
            )
            for number in (1, 2, 3)
        ),
        Binding("R", "report", "report", id="triage.report", tooltip="Write a post-mortem draft to a file"),
        Binding("a", "app.activity", "activity", id="triage.activity", tooltip="What somebody changed"),
        Binding("ctrl+r", "app.refresh", "refresh", id="triage.refresh", tooltip="Fetch everything now"),
        Binding("p", "app.pause", "pause", id="triage.pause", tooltip="Let the feeds rest, or go on"),
        Binding("y", "copy", "copy", id="triage.copy", tooltip="Copy the finding with its evidence"),
        Binding("ctrl+s", "app.save", "save", id="triage.save", tooltip="Save the findings as text and CSV"),
        Binding("pagedown", "scroll(1)", "more", id="triage.more", tooltip="Scroll the evidence", show=False),
        Binding("pageup", "scroll(-1)", "less", id="triage.less", tooltip="Scroll the evidence back", show=False),
    ]

    def compose_body(self) -> Iterable[Widget]:
        """Findings and changes beside evidence, charts, consumers and routes; below each other when it is narrow."""
        with Container(id="panes"):
            with Container(id="left"):
                yield Grid(id="findings")
                yield SpanView(self._changes, id="changes")
            with VerticalScroll(id="right"):
                yield SpanView(self._evidence, id="evidence")
                yield SpanView(self._charts, id="charts")
                yield SpanView(self._changes, id="below-changes")
                yield SpanView(self._consumers, id="consumers")
                yield SpanView(self._routes, id="routes")

    @property
    def grid(self) -> Grid:
        """The list of findings."""
        return self.query_one("#findings", Grid)

    @property
    def finding(self) -> Finding | None:
        """The finding under the cursor, the first one without a cursor."""
        findings = self.console.snapshot.findings
        key = self.grid.cursor_key
        return next((f for f in findings if "/".join(f.key) == key), next(iter(findings), None))

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Draw what changed."""
        grid = self.grid
        if grid.columns_width > 0:
            columns = lines.finding_columns(grid.columns_width)
            grid.show_columns(columns, 1, None)
            grid.show_rows(lines.finding_rows(snapshot.findings, columns[0].width))
        self._redraw_views()

    def _redraw_views(self) -> None:
        for view in self.query("#panes SpanView").results(SpanView):
            view.redraw()

    @on(Grid.WidthChanged)
    def _lay_out(self) -> None:
        self.redraw()

    @on(Grid.CursorMoved)
    def _choose(self) -> None:
        self._redraw_views()

    # Sections -------------------------------------------------------------------------------------------------------

    def _evidence(self, width: int, height: int) -> list[Cell]:
        return lines.evidence_lines(self.finding, width, self.console.clock.now())

    def _charts(self, width: int, height: int) -> list[Cell]:
        return lines.chart_lines(self.console.snapshot, self.finding, self.console.clock.now(), width, height)

    def _changes(self, width: int, height: int) -> list[Cell]:
        return lines.change_lines(self.console.snapshot, self.console.clock.now(), width, height or 6)

    def _consumers(self, width: int, height: int) -> list[Cell]:
        return lines.consumer_lines(self.console.snapshot, width)

    def _routes(self, width: int, height: int) -> list[Cell]:
        return lines.route_lines(self.console.snapshot, width)

    # Keys -----------------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Back to the fleet."""
        self.dismiss()

    def action_scroll(self, pages: int) -> None:
        """Scroll the evidence."""
        right = self.query_one("#right", VerticalScroll)
        right.scroll_relative(y=pages * max(1, right.size.height - 2), animate=False)

    @on(Grid.RowOpened)
    def _open_first(self) -> None:
        self.action_act(1)

    def action_act(self, number: int) -> None:
        """Carry out an action of the finding: open its dialog, or say that no key can."""
        finding = self.finding
        if finding is None or not 1 <= number <= len(finding.actions):
            return
        self._carry_out(finding.actions[number - 1])

    def _carry_out(self, action: Action) -> None:
        app = self.console
        if action.kind in (ActionKind.DRAIN, ActionKind.RESTORE) and action.target:
            app.open_drain(action.target, action.kind.value)
        elif action.kind is ActionKind.RESTORE:
            app.run_line("drains")
        elif action.kind in (ActionKind.ROLLBACK, ActionKind.FRAGMENT):
            app.open_fragments()
            if action.target:
                app.notify(f"{visible(action.text)}: choose {visible(action.target)}", markup=False, timeout=6)
        elif action.kind is ActionKind.BACKEND and app.snapshot.backend(action.target) is not None:
            app.open_backend(action.target)
        elif action.kind is ActionKind.QUERY:
            app.run_line(f"query {action.target}".strip())
        elif action.kind is ActionKind.DEPLOY:
            app.run_worker(app.action_deploy())
        else:
            app.notify(visible(action.text), title="no key does this", markup=False, timeout=8)

    def action_copy(self) -> None:
        """Copy the finding with its evidence."""
        finding = self.finding
        if finding is None:
            return
        facts = "".join(f"- {f.text} ({f.source})\n" for f in finding.evidence)
        since = f", since {finding.since_at:%Y-%m-%d %H:%MZ}" if finding.since_at is not None else ""
        self.console.copy_text(f"{finding.title}{since}\n{facts}", "the finding and its evidence")

    def action_report(self) -> None:
        """Write a post-mortem draft."""
        self.console.run_line("report")

    def saved_sheet(self) -> Sheet:
        """The findings for a file."""
        rows = tuple(
            (
                f.severity.value,
                visible(f.title),
                f.since_at.isoformat() if f.since_at is not None else "–",
                f.ended_at.isoformat() if f.ended_at is not None else "",
                "–" if f.hit_ratio is None else f"{f.hit_ratio:.4f}",
                f.confidence.value,
                visible(f.actions[0].text) if f.actions else "",
            )
            for f in self.console.snapshot.findings
        )
        return Sheet("triage", ("severity", "finding", "since", "ended", "hit ratio", "sure", "next"), rows)
