"""Reading what a screen shows, as an operator's eye would: lines of text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from textual.widgets import Input

from console.domain.snapshot import GatewaySnapshot
from screens.app import ConsoleApp
from tests.screens.made_up import StillClock, StoreEngine

SMALL = (80, 24)
LARGE = (160, 48)


def lines_of(app: ConsoleApp) -> list[str]:
    """Every line of the terminal."""
    strips = app.screen._compositor.render_strips(app.size)
    return [strip.text for strip in strips]


def text_on(app: ConsoleApp) -> str:
    """The whole terminal as one text."""
    return "\n".join(lines_of(app))


def line_with(app: ConsoleApp, *words: str) -> str:
    """The first line that has all the words."""
    found = [line for line in lines_of(app) if all(word in line for word in words)]
    assert found, f"no line with {words} in\n{text_on(app)}"
    return found[0]


@asynccontextmanager
async def console_on(
    snapshot: GatewaySnapshot, size: tuple[int, int] = SMALL
) -> AsyncIterator[tuple[ConsoleApp, StoreEngine, Pilot[int]]]:
    """A console on a made-up snapshot, its engine and the hands on its keys."""
    engine = StoreEngine(snapshot)
    app = ConsoleApp(engine, clock=StillClock())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, engine, pilot


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Keys one after the other, each seen through; `"=text"` puts text into the line that has the focus."""
    for key in keys:
        if key.startswith("=") and isinstance(pilot.app.focused, Input):
            pilot.app.focused.insert_text_at_cursor(key[1:])
            await pilot.pause()
        else:
            await pilot.press(key)
    await pilot.pause()
    await pilot.pause()
