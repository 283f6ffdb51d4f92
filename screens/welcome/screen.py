"""What a newcomer sees before there is a profile: two ways in, and what each needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.worker import get_current_worker

from screens.engine import OpenEngine
from screens.figures import bar
from screens.headline import Hint
from screens.room import Room
from screens.spans import Cell, Span, Tone, shorten_middle, visible, wrap
from screens.widgets.span_view import SpanView

PROFILE_EXAMPLE = """\
default = "prod"

[profiles.prod]
subscription_id = "00000000-0000-0000-0000-000000000000"
resource_group  = "rg-genai-gateway"
service_name    = "apim-contoso"
"""


class WelcomeScreen(Room):
    """Offers the demo and says how to add a profile."""

    TITLE_WORDS = "Welcome"
    CSS_PATH = "screen.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "demo", "demo", id="welcome.demo", tooltip="Start the demo: a gateway on an embedded Azure"),
        Binding("D", "app.deploy", "deploy", id="welcome.deploy", tooltip="Deploy a gateway, step by step"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._progress: float | None = None
        self._error = ""

    def compose_body(self) -> Iterable[Widget]:
        """One card in the middle."""
        yield SpanView(self._draw, id="card")

    def on_mount(self) -> None:
        """Start the demo at once where that was asked for."""
        super().on_mount()
        if self.console.starts_demo:
            self.call_after_refresh(self.action_demo)

    def _draw(self, width: int, height: int) -> list[Cell]:
        if self._progress is not None:
            return self._draw_progress(width, self._progress)
        lines: list[Cell] = [
            (Span("genaigw-console", Tone.STRONG),),
            *wrap(
                (Span("Watch and operate a GenAI gateway: API Management in front of Azure OpenAI.", Tone.QUIET),),
                width,
            ),
            (),
        ]
        if self._error:
            lines += [*wrap((Span("! ", Tone.WARN), Span(visible(self._error))), width, indent=2), ()]
        if self.console.open_demo is not None:
            lines += [
                (Span("Enter", Tone.KEY, "screen.demo"), Span("  look around in the demo", Tone.STRONG, "screen.demo")),
                *wrap(
                    (
                        Span(
                            "       A gateway on an embedded Azure on this machine. No account, nothing to pay.",
                            Tone.QUIET,
                        ),
                    ),
                    width,
                    indent=7,
                ),
                (),
            ]
        lines += [
            (Span("D", Tone.KEY, "app.deploy"), Span("      deploy a gateway", Tone.STRONG, "app.deploy")),
            *wrap(
                (Span("       Checks, parameters, what-if, deployment and proof, in one sitting.", Tone.QUIET),),
                width,
                indent=7,
            ),
            (),
        ]
        path = visible(self.console.profile_path) or "the profile file"
        lines += [
            (Span("Add your own gateway", Tone.STRONG),),
            *wrap(
                (
                    Span("genaigw-console profiles add", Tone.ACCENT),
                    Span(" asks for what it needs, or write ", Tone.QUIET),
                    Span(shorten_middle(path, width), Tone.PLAIN),
                    Span(":", Tone.QUIET),
                ),
                width,
            ),
            (),
            *((Span(f"    {line}", Tone.QUIET),) for line in PROFILE_EXAMPLE.splitlines()),
            (),
            *wrap(
                (
                    Span(
                        "Signing in is Azure's own: what `az login` left on this machine is used. "
                        "Reader on the gateway is enough to watch.",
                        Tone.QUIET,
                    ),
                ),
                width,
            ),
        ]
        return lines

    def _draw_progress(self, width: int, progress: float) -> list[Cell]:
        bar_width = max(10, min(50, width - 8))
        filled = bar(progress, bar_width)
        return [
            (Span("Starting an Azure on this machine", Tone.STRONG),),
            *wrap(
                (Span("The gateway lives through its last hour, so that the first screen has a history.", Tone.QUIET),),
                width,
            ),
            (),
            (
                Span(filled, Tone.ACCENT),
                Span("·" * (bar_width - len(filled)), Tone.FAINT),
                Span(f" {progress * 100:3.0f}%"),
            ),
        ]

    def hints(self) -> tuple[list[Hint], list[Hint]]:
        """No demo, no hint of it."""
        own, always = super().hints()
        return (own if self.console.open_demo is not None else []), always

    def _show_progress(self, progress: float | None) -> None:
        self._progress = progress
        self.query_one("#card", SpanView).redraw()

    def action_demo(self) -> None:
        """Start the demo; pressed again while it starts, nothing happens."""
        if self._progress is None and self.console.open_demo is not None:
            self._error = ""
            self._show_progress(0.0)
            self.run_worker(self._open(self.console.open_demo), group="demo", exclusive=True, exit_on_error=False)

    async def _open(self, open_demo: OpenEngine) -> None:
        worker = get_current_worker()
        try:
            engine = await open_demo(self._show_progress)
        except Exception as error:
            self._error = f"The demo did not start: {error}"
            self._show_progress(None)
            return
        if worker.is_cancelled:
            await engine.stop()
            return
        await self.console.attach(engine)
