"""The fragments screen: both sides at a glance, one key each, and nothing written unasked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from console.engine import open_engine
from screens.app import ConsoleApp
from screens.fragments.dialog import DeployDialog
from screens.fragments.highlight import Highlighter
from screens.fragments.screen import FragmentsScreen
from screens.fragments.work import FragmentWork
from screens.spans import Tone, text_of
from simulator.server import Server
from tests.screens.looking import LARGE, SMALL, press, text_on
from tests.simulated_gateway import WorldClock, make_world, profile_of


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAIGW_JOURNAL", str(tmp_path / "journal.jsonl"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("GENAIGW_POLICIES", raising=False)


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come to that")


@asynccontextmanager
async def fragments_on(
    size: tuple[int, int] = LARGE, *, read_only: bool = False
) -> AsyncIterator[tuple[ConsoleApp, FragmentWork, Pilot[int]]]:
    """The screen on the embedded Azure, both sides read."""
    async with Server(make_world(), driven=False) as server:
        engine = open_engine(profile_of(server, is_read_only=read_only), WorldClock(server))
        app = ConsoleApp(engine, clock=engine.clock)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.snapshot.gateway is not None)
            await press(pilot, "f")
            screen = app.screen
            assert isinstance(screen, FragmentsScreen)
            work = screen._work
            assert work is not None

            async def pause(seconds: float) -> None:
                server.world.advance(seconds)

            work.desk.pause = pause
            await until(pilot, lambda: work.overview is not None and not work.is_busy)
            yield app, work, pilot


async def pull_and_edit(work: FragmentWork, pilot: Pilot[int], old: str, new: str) -> None:
    await press(pilot, "u")
    await until(pilot, lambda: not work.is_busy and work.desk.folder is not None)
    assert work.desk.folder is not None
    file = work.desk.folder / "fragments" / "spill-to-payg.fragment.xml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    await press(pilot, "ctrl+r")
    await until(pilot, lambda: not work.is_busy)
    screen = pilot.app.screen
    assert isinstance(screen, FragmentsScreen)
    screen.grid.move_cursor_to("spill-to-payg")
    await pilot.pause()


async def test_both_sides_stand_in_one_table_at_first() -> None:
    async with fragments_on() as (app, _, _):
        text = text_on(app)
        for words in ("only there", "only here", "spill-to-payg", "retry-with-payg", "operation/azure-openai"):
            assert words in text, words


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_an_edit_is_seen_deployed_and_taken_back_by_keys_alone(size: tuple[int, int]) -> None:
    async with fragments_on(size) as (app, work, pilot):
        await pull_and_edit(work, pilot, 'count="2"', 'count="4"')
        text = text_on(app)
        assert "changed here" in text
        assert "retry count 2 -> 4" in text
        await press(pilot, "D")
        assert isinstance(app.screen, DeployDialog)
        shown = text_on(app)
        assert "Reason:" in shown
        assert "Cancel" in shown
        assert "concerns api azure-openai" in shown
        await press(pilot, "t", "r", "y", "enter", "enter")
        await until(pilot, lambda: not work.is_busy and bool(work.log))
        assert [line for _, line, _ in work.log if "Live: fragment spill-to-payg" in line]
        assert work.error == ""
        await press(pilot, "b")
        await until(pilot, lambda: isinstance(app.screen, DeployDialog))
        assert "retry count 4 -> 2" in text_on(app)
        await press(pilot, "enter", "enter")
        await until(pilot, lambda: not work.is_busy and sum("Live:" in line for _, line, _ in work.log) == 2)
        assert work.overview is not None
        row = next(r for r in work.overview.rows if r.place.handle == "spill-to-payg")
        assert row.deployed is not None
        assert 'count="2"' in (row.deployed.text or "")


async def test_a_text_that_would_be_refused_cannot_be_agreed_to() -> None:
    async with fragments_on() as (app, work, pilot):
        await pull_and_edit(work, pilot, "<forward-request", "<forward-request <")
        await press(pilot, "l")
        assert "APIM001" in text_on(app)
        await press(pilot, "D")
        assert isinstance(app.screen, DeployDialog)
        assert app.screen.query_one("#go", Button).disabled
        assert "a reason does not help" in text_on(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, FragmentsScreen)


async def test_an_unknown_backend_needs_a_reason_that_says_something() -> None:
    async with fragments_on() as (app, work, pilot):
        await pull_and_edit(work, pilot, "payg-pool", "payg-pol")
        await press(pilot, "D")
        assert "there is 'payg-pool'" in text_on(app).replace("\n", " ")
        go = app.screen.query_one("#go", Button)
        assert go.disabled
        await press(pilot, *"because")
        assert go.disabled
        await press(pilot, *"iwant")
        assert not go.disabled


async def test_read_only_has_no_keys_that_write() -> None:
    async with fragments_on(read_only=True) as (app, _, _):
        keys = set(app.screen.active_bindings)
        assert not {"D", "b"} & keys
        assert {"v", "l", "x", "u"} <= keys


async def test_leaving_does_not_end_what_runs_and_coming_back_shows_it() -> None:
    async with fragments_on() as (app, work, pilot):
        work.say("something was done")
        await press(pilot, "escape")
        await press(pilot, "f", "e")
        assert "something was done" in text_on(app)


def test_colours_never_change_the_text() -> None:
    painter = Highlighter()
    lines = [
        '<when condition="@(context.Response != null && x < 3)">',
        "<!-- begins",
        "ends -->",
        '  <a b="c" />\x1b[0m',
    ]
    shown = [text_of(painter.line(line)) for line in lines]
    assert shown[:3] == lines[:3]
    assert "\x1b" not in shown[3]
    assert all(span.tone is Tone.FAINT for span in Highlighter().line("<!-- begins"))
