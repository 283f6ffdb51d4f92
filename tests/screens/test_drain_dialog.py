"""Draining from the fleet with keys: the plan, consent, steps, falling traffic, and what stands in the end."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from console.domain.health import HealthState
from console.domain.snapshot import Drain
from console.operations.drain.desk import DrainDesk
from console.operations.drain.execute import DrainOrder
from screens.app import ConsoleApp
from screens.drain.dialog import DrainDialog
from screens.drain.standing import drain_entries
from screens.fleet.screen import FleetScreen
from simulator.names import SERVICE
from tests.operations.desks import desk_on
from tests.screens.looking import LARGE, SMALL, console_on, press, text_on
from tests.screens.made_up import NOW, StoreEngine, demo_snapshot
from tests.simulated_gateway import make_world

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])


class RestingEngine(StoreEngine):
    """The store of a real engine whose feeds rest: the desk asks Azure, time passes when it waits."""

    def __init__(self, desk: DrainDesk) -> None:
        super().__init__(desk.engine.store.current)
        self.store = desk.engine.store


@asynccontextmanager
async def fleet_on(
    desk: DrainDesk, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ConsoleApp, Pilot[int]]]:
    """The fleet before a real gateway; every dialog sits at this desk."""
    monkeypatch.setattr("screens.drain.dialog.DrainDesk", lambda engine: desk)
    app = ConsoleApp(RestingEngine(desk), clock=desk.engine.clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.005)
    raise AssertionError("it never came to that")


async def open_dialog(app: ConsoleApp, pilot: Pilot[int], backend: str, key: str) -> DrainDialog:
    assert isinstance(app.screen, FleetScreen)
    assert app.screen.move_cursor_to_backend(backend)
    await press(pilot, key)
    dialog = app.screen
    assert isinstance(dialog, DrainDialog)
    await until(pilot, lambda: not dialog._is_reading)
    return dialog


def is_over(dialog: DrainDialog) -> Callable[[], bool]:
    return lambda: dialog.run is not None and dialog.run.is_over


@SIZES
async def test_the_plan_and_the_answers_are_in_sight(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk_on(make_world("calm")) as desk:
        await desk.look()
        async with fleet_on(desk, size, monkeypatch) as (app, pilot):
            await open_dialog(app, pilot, "payg-westus", "d")
            text = text_on(app)
            for words in ("ROUTES", "BEFORE", "AFTER", "embeddings-pool", "Reason:", "Drain", "Cancel", "dry run"):
                assert words in text
            await press(pilot, "ctrl+y")
            assert any("nothing was done" in note.message for note in app._notifications)
            assert "chat-pool priority 2" in app.clipboard


async def test_d_drains_the_failing_backend_and_r_brings_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    size = SMALL
    world = make_world("breaker-flapping", minutes=6, traffic=True)
    async with desk_on(world) as desk:
        await desk.look()
        async with fleet_on(desk, size, monkeypatch) as (app, pilot):
            dialog = await open_dialog(app, pilot, "ptu-swedencentral", "d")
            text = text_on(app)
            assert "chat-pool priority 1" in text
            assert "ptu-eastus2 50" in text
            assert "of its capacity" in text
            assert "✓ chat-pool keeps 3 routable members" in text
            assert "Drain " in text
            await press(pilot, *"INC-4411", "enter")
            assert world.store.get(f"{SERVICE}/namedValues/drain-ptu-swedencentral") is None, (
                "Enter alone drains nothing"
            )
            await press(pilot, "enter")
            await until(pilot, is_over(dialog))
            text = text_on(app)
            assert "removed from chat-pool" in text
            assert "→ 0 requests a minute" in text
            assert "○ Drained" in text
            await press(pilot, "escape")
            app._tick()
            await pilot.pause()
            assert "Drained" in text_on(app)
            row = app.snapshot.backend("ptu-swedencentral")
            assert row is not None
            assert row.health.state is HealthState.DRAINED
            assert app.snapshot.drains[0].reason == "INC-4411"
            dialog = await open_dialog(app, pilot, "ptu-swedencentral", "r")
            assert "back at priority 1, weight 50" in text_on(app)
            await press(pilot, "enter")
            await until(pilot, is_over(dialog))
            assert "● Restored" in text_on(app)
            assert app.snapshot.drains == ()


async def test_production_wants_a_typed_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk_on(make_world("calm")) as desk:
        await desk.look()
        desk.engine.store.apply(replace(desk.engine.store.current, is_production=True))
        monkeypatch.setattr(DrainDesk, "look_again", _stay)
        async with fleet_on(desk, SMALL, monkeypatch) as (app, pilot):
            dialog = await open_dialog(app, pilot, "payg-westus", "d")
            go = dialog.query_one("#go", Button)
            assert go.disabled
            await press(pilot, "enter")
            assert any("On a production gateway a reason is needed" in n.message for n in app._notifications)
            await press(pilot, *"INC-7")
            assert not go.disabled


async def _stay(desk: DrainDesk) -> None:
    """Nothing is read anew."""


async def test_force_wants_a_typed_reason_and_a_timeout_names_who_still_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world("calm", minutes=3, traffic=True)
    async with desk_on(world) as desk:
        desk.proof_deadline_seconds = 210
        await desk.look()
        async with fleet_on(desk, SMALL, monkeypatch) as (app, pilot):
            dialog = await open_dialog(app, pilot, "payg-legacy", "d")
            assert "REFUSED" in text_on(app)
            go = dialog.query_one("#go", Button)
            assert go.disabled
            await press(pilot, *"because", "enter", "enter")
            assert dialog.run is None
            await press(pilot, *" I say so", "enter", "enter")
            await until(pilot, is_over(dialog))
            text = text_on(app)
            assert "▲ Timed out" in text
            assert "fragment old-route line 3 (used by legacy-chat)" in text
            assert "through legacy-chat" in text
            assert "r undoes" in text
            assert app.snapshot.drains[0].reason == "because I say so"


async def test_a_run_outlasts_its_dialog_and_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world("calm", minutes=4, traffic=True)
    async with desk_on(world) as desk:
        await desk.look()
        may_pass, pass_time = asyncio.Event(), desk.pause

        async def wait(seconds: float) -> None:
            await may_pass.wait()
            await pass_time(seconds)

        desk.pause = wait
        async with fleet_on(desk, LARGE, monkeypatch) as (app, pilot):
            dialog = await open_dialog(app, pilot, "payg-westus", "d")
            await press(pilot, "enter", "enter")
            await until(pilot, lambda: dialog.run is not None and bool(dialog.run.looks))
            run = dialog.run
            await press(pilot, "escape")
            assert isinstance(app.screen, FleetScreen)
            app.screen.move_cursor_to_backend("payg-westus")
            await press(pilot, "d")
            again = app.screen
            assert isinstance(again, DrainDialog)
            assert run is not None
            assert again.run is run
            assert "removed from chat-pool" in text_on(app)
            await press(pilot, "escape")
            may_pass.set()
            await until(pilot, lambda: run.is_over)
            assert run.error == ""
            await until(pilot, lambda: any("payg-westus: drained" in note.message for note in app._notifications))


async def test_a_plan_the_gateway_left_behind_is_shown_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world("calm")
    async with desk_on(world) as desk:
        await desk.look()
        async with fleet_on(desk, LARGE, monkeypatch) as (app, pilot):
            dialog = await open_dialog(app, pilot, "payg-westus", "d")
            pool = world.store.get(f"{SERVICE}/backends/payg-pool")
            assert pool is not None
            pool.body["properties"]["pool"]["services"][0]["weight"] = 7
            world.store.put(pool.id, pool.type, pool.body)
            await press(pilot, "enter", "enter")
            await until(pilot, lambda: dialog.run is None and not dialog._is_reading)
            assert "payg-swedencentral 7" in text_on(app)
            assert world.store.get(f"{SERVICE}/namedValues/drain-payg-westus") is None


async def test_an_interrupted_drain_is_offered_to_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world("calm")
    pool = world.store.get(f"{SERVICE}/backends/chat-pool")
    assert pool is not None
    template = copy.deepcopy(pool.body)
    async with desk_on(world) as desk:
        await desk.look()
        await desk.drain(desk.plan("payg-westus"), DrainOrder("ben@contoso", "INC-1"))
        world.store.put(pool.id, pool.type, template)
        world.advance(90)
        await desk.look_again()
        async with fleet_on(desk, SMALL, monkeypatch) as (app, pilot):
            assert "was overwritten" in text_on(app)
            await open_dialog(app, pilot, "payg-westus", "d")
            assert "Resume" in text_on(app)
            await press(pilot, "enter")
            await until(pilot, lambda: "payg-westus" not in _members(world.store.get(pool.id)))


def _members(resource: Any) -> list[str]:
    return [s["id"].rsplit("/", 1)[1] for s in resource.properties["pool"]["services"]]


async def test_writes_are_absent_where_the_profile_is_read_only() -> None:
    async with console_on(demo_snapshot(is_read_only=True), LARGE) as (app, _, pilot):
        assert not {"d", "r"} & set(app.screen.active_bindings)
        await press(pilot, "d")
        assert isinstance(app.screen, FleetScreen)
        await press(pilot, "colon", *"drain payg-westus", "enter")
        assert "this console is read-only" in text_on(app)
        await press(pilot, "escape", "enter")
        assert not {"d", "r"} & set(app.screen.active_bindings)


async def test_what_is_not_drained_cannot_be_restored() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, _, pilot):
        assert isinstance(app.screen, FleetScreen)
        app.screen.move_cursor_to_backend("ptu-eastus2")
        await press(pilot, "r")
        assert isinstance(app.screen, FleetScreen)
        assert any("ptu-eastus2 is not drained" in note.message for note in app._notifications)


async def test_a_drained_backend_stays_under_its_pool_and_drains_lists_it() -> None:
    hostile = "[bold]ops[/bold]\x1b[31m"
    drain = Drain(
        "payg-legacy", hostile, "reason [red]", NOW, None, "applied", "overwritten", f"{hostile} did it", NOW,
        ("chat-pool",), False, True,
    )  # fmt: skip
    snapshot = replace(demo_snapshot(), drains=(drain,))
    async with console_on(snapshot, LARGE) as (app, _, pilot):
        lines = text_on(app).splitlines()
        chat = next(i for i, line in enumerate(lines) if "chat-pool" in line)
        legacy = next(i for i, line in enumerate(lines) if "payg-legacy" in line)
        embeddings = next(i for i, line in enumerate(lines) if "▾ embeddings-pool" in line)
        assert chat < legacy < embeddings
        await press(pilot, "colon", *"drains", "enter")
        text = text_on(app)
        assert "[bold]ops[/bold]␛[31m did it" in text
        assert "drain payg-legacy" in text
    assert drain_entries(demo_snapshot())[0].heading == "No backend is drained"
