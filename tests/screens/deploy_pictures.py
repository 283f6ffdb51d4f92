"""Draw the guided deployment, step by step, on the embedded Azure: `python -m tests.screens.deploy_pictures DIR`.

The walk is the real one: an empty subscription, the answers typed, the what-if agreed to, every resource written, the
proof sent through the new gateway. It takes about two minutes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from console.commands.setting import demo_profile
from console.engine import open_engine
from console.simulator_process import SimulatorOptions, SimulatorProcess
from screens.app import ConsoleApp
from screens.deploy.run import Step, run_of

SIZES = ((80, 24), (160, 48))
KEYS = {"-": "minus", ":": "colon", "/": "slash", ".": "full_stop", "@": "at"}
DEADLINE_SECONDS = 180


class Walk:
    """One pilot, and where its pictures go."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any], folder: Path) -> None:
        self.app, self.pilot, self.folder = app, pilot, folder
        self.state = os.environ["XDG_CONFIG_HOME"]

    async def picture(self, name: str) -> None:
        """The screen as it stands, at every size."""
        for width, height in SIZES:
            await self.pilot.resize_terminal(width, height)
            await self.pilot.pause(0.3)
            picture = self.app.export_screenshot(title="genaigw-console").replace(self.state, "~/.config")
            (self.folder / f"deploy-{name}-{width}x{height}.svg").write_text(picture, encoding="utf-8")

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                await self.pilot.pause(0.25)

    async def type(self, text: str) -> None:
        """Type as a person would."""
        for character in text:
            await self.pilot.press(KEYS.get(character, character))

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, letting each settle."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.2)


async def walk(app: ConsoleApp, pilot: Pilot[Any], folder: Path) -> None:
    """From the empty subscription to the Fleet of the new gateway."""
    on = Walk(app, pilot, folder)
    await on.until(lambda: app.snapshot.problems)
    await on.press("D")
    await on.until(lambda: (run := run_of(app)) and not run.busy and run.step is Step.PARAMETERS)
    run = run_of(app)
    assert run is not None
    await on.type("amira")
    await on.press(*["enter"] * 5)
    await on.type("retry")
    await on.press("right")
    await on.picture("parameters")
    await on.press("enter", "enter", "enter")
    await on.until(lambda: (run.step is Step.WHAT_IF and not run.busy) or run.failure)
    await on.picture("what-if")
    await on.press("left", "left", "left")
    await on.picture("checks")
    await on.press("right", "right", "right", "enter")
    await on.picture("agreed")
    await on.press("y")
    await on.until(lambda: run.progress and run.progress.done_count > 20)
    await on.picture("running")
    await on.until(lambda: run.step is Step.PROVE)
    await on.picture("proof")
    await on.until(lambda: run.step is Step.HAND_OVER)
    await on.picture("handed-over")


async def main(folder: Path) -> None:
    """Start the embedded Azure, walk, and leave nothing behind."""
    with (
        tempfile.TemporaryDirectory() as state,
        SimulatorProcess(SimulatorOptions(scenario="empty-subscription", seed=7)) as simulator,
    ):
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = state
        engine = open_engine(demo_profile(simulator.start()))
        app = ConsoleApp(engine)
        async with app.run_test(size=(120, 36)) as pilot:
            await walk(app, pilot, folder)
        await engine.stop()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
