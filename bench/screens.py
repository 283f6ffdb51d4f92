"""How fast the screens are: imports, first paint in a pseudo-terminal, a refresh of 1,000 backends, an idle second."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_SECONDS = 20.0
PAINTED = b"BACKEND"
RUN = (
    "from tests.screens.made_up import engine; from screens.app import run_app; import sys; sys.exit(run_app(engine()))"
)


def import_milliseconds() -> float:
    """A bare interpreter against one that imports the app and its first screen."""

    def run(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=DEADLINE_SECONDS)
        return (time.perf_counter() - start) * 1000

    bare = statistics.median(run("pass") for _ in range(5))
    return statistics.median(run("import screens.app, screens.fleet.screen") for _ in range(5)) - bare


def first_paint_milliseconds(columns: int, rows: int) -> float:
    """From starting the interpreter to the table's header in a pseudo-terminal."""
    start = time.perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-c", RUN])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = b""
    try:
        while PAINTED not in seen:
            left = DEADLINE_SECONDS - (time.perf_counter() - start)
            if left <= 0 or not select.select([terminal], [], [], left)[0]:
                raise TimeoutError("no first paint")
            seen += os.read(terminal, 65536)
        return (time.perf_counter() - start) * 1000
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
        os.close(terminal)


async def refresh_milliseconds(count: int, changed: int, times: int = 20) -> tuple[float, float]:
    """(median, worst) from a new snapshot of `count` backends, `changed` of them different, to its drawn screen."""
    from screens.app import ConsoleApp
    from tests.screens.made_up import StillClock, StoreEngine, big_snapshot

    snapshot = big_snapshot(count)
    engine = StoreEngine(snapshot)
    app = ConsoleApp(engine, clock=StillClock())
    taken: list[float] = []
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        for turn in range(times):
            backends = list(snapshot.backends)
            for index in range(changed):
                status = backends[index * (count // changed)]
                figure = replace(status.load.requests_per_minute, value=float(turn * 7 + index))
                backends[index * (count // changed)] = replace(
                    status, load=replace(status.load, requests_per_minute=figure)
                )
            snapshot = replace(snapshot, backends=tuple(backends))
            drawn = asyncio.Event()
            start = time.perf_counter()
            engine.store.apply(snapshot)
            app.screen.call_later(lambda drawn=drawn: app.screen.call_after_refresh(drawn.set))
            await asyncio.wait_for(drawn.wait(), DEADLINE_SECONDS)
            taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken), max(taken)


async def idle_share(count: int, seconds: float = 5.0) -> float:
    """Share of a core that a fleet nobody touches costs: the clock and the ages go on."""
    from console.clock import SystemClock
    from screens.app import ConsoleApp
    from tests.screens.made_up import StoreEngine, big_snapshot

    app = ConsoleApp(StoreEngine(big_snapshot(count)), clock=SystemClock())
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        before = time.process_time()
        await asyncio.sleep(seconds)
        return (time.process_time() - before) / seconds


def main() -> None:
    """Print the figures."""
    print(f"import of the app and its first screen   {import_milliseconds():6.0f} ms")
    for columns, rows in ((80, 24), (160, 48)):
        paints = [first_paint_milliseconds(columns, rows) for _ in range(7)]
        print(
            f"first paint {columns}x{rows}, from process start   "
            f"{statistics.median(paints):6.0f} ms  (best {min(paints):.0f})"
        )
    for count, changed in ((50, 50), (1000, 10), (1000, 1000)):
        middle, worst = asyncio.run(refresh_milliseconds(count, changed))
        print(f"refresh of {count} backends, {changed} changed   {middle:6.1f} ms  (worst {worst:.1f})")
    for count in (10, 1000):
        print(f"idle, {count} backends   {asyncio.run(idle_share(count)) * 100:6.1f} % of a core")


if __name__ == "__main__":
    main()
