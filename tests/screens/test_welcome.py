"""Without a profile there is a way in, and a demo that starts in front of one's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from screens.app import ConsoleApp
from screens.fleet.screen import FleetScreen
from screens.welcome.screen import PROFILE_EXAMPLE
from tests.screens.looking import press, text_on
from tests.screens.made_up import StillClock, StoreEngine, demo_snapshot


async def test_it_offers_the_demo_and_says_how_to_add_a_profile() -> None:
    async def open_demo(report: Callable[[float], None]) -> StoreEngine:
        raise AssertionError("nobody asked for it")

    app = ConsoleApp(None, clock=StillClock(), open_demo=open_demo, profile_path="~/.config/genaigw-console/p.toml")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        text = text_on(app)
        assert "look around in the demo" in text
        assert "profiles add" in text
        assert "p.toml" in text
        assert all(line.strip() in text for line in PROFILE_EXAMPLE.splitlines())
        assert "q quit" in text


async def test_without_a_demo_none_is_offered() -> None:
    app = ConsoleApp(None, clock=StillClock())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await press(pilot, "enter")
        assert "demo" not in text_on(app)


async def test_the_demo_shows_its_progress_and_then_the_fleet() -> None:
    go_on = asyncio.Event()
    engine = StoreEngine(demo_snapshot())

    async def open_demo(report: Callable[[float], None]) -> StoreEngine:
        report(0.4)
        await go_on.wait()
        return engine

    app = ConsoleApp(None, clock=StillClock(), open_demo=open_demo)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        assert "40%" in text_on(app)
        go_on.set()
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, FleetScreen)
        assert "ptu-swedencentral" in text_on(app)
        assert engine.asked == ["start"]
    assert engine.asked == ["start", "stop"]


async def test_a_demo_that_fails_says_why_and_can_be_tried_again() -> None:
    tries = []

    async def open_demo(report: Callable[[float], None]) -> StoreEngine:
        tries.append(1)
        raise OSError("no free port [b]")

    app = ConsoleApp(None, clock=StillClock(), open_demo=open_demo, starts_demo=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert "The demo did not start: no free port [b]" in text_on(app)
        await press(pilot, "enter")
        assert len(tries) == 2
