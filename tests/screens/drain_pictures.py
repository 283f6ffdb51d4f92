"""Pictures of a drain from plan to proof, on the embedded Azure: `python -m tests.screens.drain_pictures FOLDER`.

A backend that fails is drained and restored, a backend that a fragment names directly times out.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from textual.pilot import Pilot

from screens.app import ConsoleApp
from screens.drain.dialog import DrainDialog
from tests.operations.desks import desk_on
from tests.screens.looking import press
from tests.screens.test_drain_dialog import RestingEngine, is_over, until
from tests.simulated_gateway import make_world

SIZE = (104, 30)


async def take_pictures(folder: Path) -> list[Path]:
    """Write every picture into a folder that exists. Returns the files."""
    written: list[Path] = []
    async with desk_on(make_world("breaker-flapping", minutes=30, traffic=True)) as desk:
        await desk.look()
        app = ConsoleApp(RestingEngine(desk), clock=desk.engine.clock)

        def draw(name: str) -> None:
            path = folder / f"drain-{name}.svg"
            path.write_text(app.export_screenshot(title="genaigw-console"), encoding="utf-8")
            written.append(path)

        async def open_dialog(pilot: Pilot[int], backend: str, verb: str) -> DrainDialog:
            dialog = DrainDialog(desk, backend, verb)
            await app.push_screen(dialog)
            await until(pilot, lambda: not dialog._is_reading)
            return dialog

        async with app.run_test(size=SIZE) as pilot:
            dialog = await open_dialog(pilot, "ptu-swedencentral", "drain")
            await press(pilot, *"503s since 09:20, ticket INC-4411")
            draw("plan")
            looked_on, pass_time = asyncio.Event(), desk.pause

            async def hold(seconds: float) -> None:
                if dialog.run is not None and any(look.requests_per_minute == 0 for look in dialog.run.looks):
                    await looked_on.wait()
                await pass_time(seconds)

            desk.pause = hold
            await press(pilot, "enter", "enter")
            await until(pilot, lambda: _is_half_quiet(dialog))
            draw("progress")
            looked_on.set()
            await until(pilot, is_over(dialog))
            draw("result")
            await press(pilot, "escape")
            app._tick()
            await press(pilot)
            draw("fleet")
            await open_dialog(pilot, "payg-westus", "drain")
            draw("refused")
            await press(pilot, "escape")
            dialog = await open_dialog(pilot, "ptu-swedencentral", "restore")
            draw("restore")
            await press(pilot, "enter")
            await until(pilot, is_over(dialog))
            await press(pilot, "escape")
            dialog = await open_dialog(pilot, "payg-legacy", "drain")
            await press(pilot, *"the route is made aware next", "enter", "enter")
            await until(pilot, is_over(dialog))
            draw("timed-out")
    return written


def _is_half_quiet(dialog: DrainDialog) -> bool:
    """Whether a complete minute without requests has been seen, and nothing is proven yet."""
    looks = dialog.run.looks if dialog.run is not None else []
    return bool(looks) and looks[-1].requests_per_minute == 0 and not looks[-1].proof.is_drained


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for picture in asyncio.run(take_pictures(target)):
        print(picture)
