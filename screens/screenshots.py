"""Screenshots as SVG: `python -m screens.screenshots FOLDER [--engine MODULE:FUNCTION] [--wait SECONDS]`.

Draws every screen at 80x24, 120x36 and 160x48 against the demo's embedded Azure, or against the engine that a function
makes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from textual.pilot import Pilot

from screens.app import ConsoleApp
from screens.engine import EngineLike

SIZES = ((80, 24), (120, 36), (160, 48))
STEP_SECONDS = 0.25

SHOTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fleet", ()),
    ("backend", ("home", "down", "down", "enter")),
    ("help", ("question_mark",)),
    ("prompt", ("colon",)),
)
"""A name for the file and the keys that lead there from the fleet."""


def _has_data(app: ConsoleApp) -> bool:
    """Whether topology, metrics and logs have all answered."""
    snapshot = app.snapshot
    loads = [status.load for status in snapshot.backends]
    return (
        snapshot.gateway is not None
        and any(load.requests_per_minute.value is not None for load in loads)
        and any(load.latency_p95_ms.value is not None for load in loads)
        and any(status.account is not None for status in snapshot.backends)
    )


async def _settle(pilot: Pilot[int], app: ConsoleApp, wait_seconds: float) -> None:
    """Until the feeds have answered and toasts are gone; raises TimeoutError when they do not."""
    async with asyncio.timeout(wait_seconds):
        while not _has_data(app):
            await pilot.pause(STEP_SECONDS)
    await pilot.pause(STEP_SECONDS)


async def take_screenshots(engine: EngineLike, folder: Path, wait_seconds: float = 30.0) -> list[Path]:
    """Write every shot at every size into a folder that exists. Returns the files.

    Raises TimeoutError when no data arrives.
    """
    written: list[Path] = []
    app = ConsoleApp(engine)
    async with app.run_test(size=SIZES[-1]) as pilot:
        await _settle(pilot, app, wait_seconds)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for name, keys in SHOTS:
                await pilot.pause(STEP_SECONDS)
                for key in keys:
                    await pilot.press(key)
                await pilot.pause(STEP_SECONDS)
                written.append(_write(app, folder, name, size))
                if keys:
                    await pilot.press("escape")
    welcome = ConsoleApp(None, profile_path="~/.config/genaigw-console/profiles.toml", open_demo=_no_demo)
    async with welcome.run_test(size=SIZES[0]) as pilot:
        await pilot.pause(STEP_SECONDS)
        written.append(_write(welcome, folder, "welcome", SIZES[0]))
    return written


async def _no_demo(report: object) -> EngineLike:
    raise RuntimeError("screenshots start no second demo")


def _write(app: ConsoleApp, folder: Path, name: str, size: tuple[int, int]) -> Path:
    path = folder / f"{name}-{size[0]}x{size[1]}.svg"
    path.write_text(app.export_screenshot(title="genaigw-console"), encoding="utf-8")
    return path


@contextlib.contextmanager
def _demo_engine() -> Iterator[EngineLike]:
    """An engine on an embedded Azure of its own, ended afterwards."""
    from console.commands.setting import demo_profile
    from console.engine import open_engine
    from console.simulator_process import SimulatorOptions, SimulatorProcess

    process = SimulatorProcess(SimulatorOptions(seed=7))
    try:
        yield open_engine(demo_profile(process.start(lambda share: None)))
    finally:
        process.stop()


def main(arguments: Sequence[str]) -> int:
    """Take the screenshots. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m screens.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--engine", metavar="MODULE:FUNCTION", help="a function that makes the engine; default: the demo"
    )
    parser.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="for the first data (30)")
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if chosen.engine:
            module, _, function = chosen.engine.partition(":")
            engine = getattr(importlib.import_module(module), function)()
        else:
            engine = stack.enter_context(_demo_engine())
        for path in asyncio.run(take_screenshots(engine, chosen.folder, chosen.wait)):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
