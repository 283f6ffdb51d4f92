"""What every screen of the console has in common: header, body, problems, hints; and when it is drawn anew.

A screen is drawn from the snapshot it is handed; while another screen covers it, it rests and catches up on return.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.screen import Screen
from textual.widget import Widget

from console.domain.snapshot import GatewaySnapshot
from screens.headline import Hint, header_line, hints_line, problem_lines, verdict_lines
from screens.spans import Cell
from screens.widgets.span_view import SpanView

if TYPE_CHECKING:
    from screens.app import ConsoleApp


class Room(Screen[None]):
    """A screen of the console. Subclasses give `compose_body` and `show_snapshot`."""

    TITLE_WORDS = ""
    """What help and docs/keys.md call this screen."""

    def compose(self) -> ComposeResult:
        """Header, verdict, body, problems, hints."""
        yield SpanView(self._draw_header, id="header")
        yield SpanView(self._draw_verdict, id="verdict")
        yield from self.compose_body()
        yield SpanView(self._draw_problems, id="problems")
        yield SpanView(self._draw_hints, id="hints")

    def compose_body(self) -> Iterable[Widget]:
        """The widgets between verdict and problems."""
        return ()

    def show_snapshot(self, snapshot: GatewaySnapshot, now: datetime) -> None:
        """Draw the body from the snapshot looked at `now`."""

    @property
    def console(self) -> ConsoleApp:
        """The app, with the engine behind it."""
        return cast("ConsoleApp", self.app)

    def on_mount(self) -> None:
        """Listen to snapshots and to the clock."""
        self.console.snapshot_changed.subscribe(self, self._on_change)
        self.console.ticked.subscribe(self, self._on_change)
        self.redraw()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen covered this one."""
        self.redraw()

    def _on_change(self, _: object) -> None:
        if self.is_current:
            self.redraw()

    def redraw(self) -> None:
        """Draw everything from the current snapshot; what did not change stays untouched."""
        if not self.is_mounted:
            return
        with self.app.batch_update():
            for view in ("#header", "#verdict", "#problems", "#hints"):
                self.query_one(view, SpanView).redraw()
            self.set_class(self.console.snapshot.is_production, "-production")
            self.show_snapshot(self.console.snapshot, self.console.clock.now())

    def _draw_header(self, width: int, height: int) -> list[Cell]:
        app = self.console
        return [header_line(app.snapshot, app.clock.now(), width, app.is_paused)]

    def _draw_verdict(self, width: int, height: int) -> list[Cell]:
        return [*verdict_lines(self.console.snapshot, width)]

    def _draw_problems(self, width: int, height: int) -> list[Cell]:
        return [*problem_lines(self.console.problems, width)]

    def _draw_hints(self, width: int, height: int) -> list[Cell]:
        return [hints_line(*self.hints(), width)]

    def hints(self) -> tuple[list[Hint], list[Hint]]:
        """The bindings that are shown, in the order they were written: the screen's, and the app's, which stay."""
        seen: dict[str, Hint] = {}
        always: dict[str, Hint] = {}
        for active in self._active():
            binding = active.binding
            if not binding.show or not active.enabled or binding.id is None:
                continue
            namespace = _namespace(active)
            action = binding.action if "." in binding.action.partition("(")[0] else f"{namespace}{binding.action}"
            hint = Hint(self.app.get_key_display(binding), binding.description, action)
            (always if namespace == "app." else seen).setdefault(binding.id, hint)
        return list(seen.values()), list(always.values())

    def _active(self) -> list[ActiveBinding]:
        return list(self.active_bindings.values())


def _namespace(active: ActiveBinding) -> str:
    """Where a clicked action runs: the app, the screen, or the focused widget."""
    from textual.app import App

    if isinstance(active.node, App):
        return "app."
    return "screen." if isinstance(active.node, Screen) else "focused."
