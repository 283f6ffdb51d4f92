"""Names that try to take over the terminal are shown as characters and break no line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from console.domain.snapshot import Level, Problem, Verdict
from screens.app import ConsoleApp
from tests.screens.looking import LARGE, SMALL, console_on, lines_of, press, text_on
from tests.screens.made_up import NOW, demo_backends, demo_snapshot, snapshot_of

HOSTILE = [
    "[red]x[/]",
    "[@click=app.quit]press[/]",
    "\x1b[31mred\x1b[0m",
    "\x1b]52;c;ZXZpbA==\x07",
    "abc\u202etxt.exe",
    "line\nbreak\ttab",
    "n" * 200,
    "日本語のバックエンド" * 12,
    "[true, false]",
    "e" + "\u0301" * 100,
    "\\[bold",
]


def hostile_snapshot(name: str):  # type: ignore[no-untyped-def]
    status = demo_backends()[0]
    bad = replace(
        status,
        backend=replace(status.backend, name=name, url=f"https://{'h' * 80}.example/{name}", title=name),
        routes=tuple(replace(route, document=name, used_by=(name,)) for route in status.routes),
        region=name,
        health=replace(status.health, reasons=(name,), source=name),
        load=replace(status.load, errors=tuple(replace(e, reason=name, message=name) for e in status.load.errors)),
    )
    problem = Problem(name, name, name, NOW)
    base = demo_snapshot()
    assert base.gateway is not None
    pool = replace(base.pools[0], pool=replace(base.pools[0].pool, name="chat-pool"), state=name)
    snapshot = snapshot_of(
        (bad, demo_backends()[1]), (pool,), problems=(problem,), verdict=Verdict(Level.WARNING, name)
    )
    return replace(snapshot, gateway=replace(base.gateway, name=name, region=name), subscription_id=name)


def assert_whole(app: ConsoleApp, height: int) -> None:
    """Nothing but printable characters, and as many lines as the terminal has."""
    assert all(char.isprintable() for char in text_on(app).replace("\n", ""))
    assert len(lines_of(app)) == height


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_break_no_screen(name: str) -> None:
    async with console_on(hostile_snapshot(name), SMALL) as (app, _, pilot):
        assert_whole(app, SMALL[1])
        await press(pilot, "g", "end", "enter")
        assert_whole(app, SMALL[1])
        await press(pilot, "escape", "y")
        assert app.is_running


async def test_a_fleet_of_hostile_names_stays_in_its_columns() -> None:
    backends = tuple(hostile_snapshot(name).backends[0] for name in HOSTILE)
    async with console_on(replace(hostile_snapshot("x"), backends=backends), LARGE) as (app, _, pilot):
        assert_whole(app, LARGE[1])
        health = {cell_len(line.partition("◐ Busy")[0]) for line in lines_of(app) if "◐ Busy" in line}
        assert len(health) == 1
        await press(pilot, "colon", "=backend ")
        assert_whole(app, LARGE[1])


async def test_the_palette_takes_hostile_names_for_text() -> None:
    for name in ("[red]x[/]", "[@click=app.quit]x[/]", "\\[bold"):
        async with console_on(hostile_snapshot(name), LARGE) as (app, _, pilot):
            await press(pilot, "ctrl+p", "=backend")
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert name in text_on(app)


async def test_markup_is_shown_as_it_is_written() -> None:
    async with console_on(hostile_snapshot("[red]x[/]"), LARGE) as (app, _, pilot):
        assert "[red]x[/]" in text_on(app)
        await press(pilot, "y")
        assert "copied [red]x[/]" in "\n".join(n.message for n in app._notifications)
