"""How long until the console shows something: first paint and first live data, in a real pseudo-terminal.

The embedded Azure runs before the clock starts; every start is a fresh process. Targets: 300 ms and 1.5 s. Beside each
wall-clock time stands the CPU time the console itself had used by then: what a busy machine adds is waiting for a core.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from console.profile import write_profile
from console.simulator_process import SimulatorOptions, SimulatorProcess, profile_values

RUNS = 7
_CONTROLS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
DEADLINE_SECONDS = 20.0
PAINT_MARK = b"apim-contoso-prod"
"""The gateway's name from the profile: on the first frame, before anything was asked."""
DATA_MARK = b"ptu-swedencentral"
"""A backend's name: only Azure can have told it."""
LIVE_MARK = b"PTU saturated"
"""The verdict: metrics have answered too."""


def cpu_seconds(process_id: int) -> float:
    """What all threads of a process have used."""
    spent = 0
    for task in Path(f"/proc/{process_id}/task").iterdir():
        spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def start_once(profile_file: Path) -> dict[str, tuple[float, float]]:
    """Seconds from the start of the process to each mark on the terminal: (wall clock, CPU of the console)."""
    command = shutil.which("genaigw-console", path=str(Path(sys.executable).parent)) or "genaigw-console"
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command, [command, "--profile-file", str(profile_file)], environment)
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
        return _watch(child, terminal, started)
    finally:
        os.kill(child, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(child, 0)


def _watch(child: int, terminal: int, started: float) -> dict[str, tuple[float, float]]:
    marks = {"first paint": PAINT_MARK, "backends": DATA_MARK, "live data": LIVE_MARK}
    seen: dict[str, tuple[float, float]] = {}
    output = b""
    while len(seen) < len(marks):
        left = DEADLINE_SECONDS - (time.perf_counter() - started)
        readable, _, _ = select.select([terminal], [], [], max(0.0, left))
        if not readable:
            raise SystemExit(f"not seen in {DEADLINE_SECONDS:.0f} s: {sorted(set(marks) - set(seen))}")
        try:
            output += os.read(terminal, 65536)
        except OSError as error:
            raise SystemExit(f"the console ended: {output[-2000:]!r}") from error
        at = time.perf_counter() - started
        text = _CONTROLS.sub(b"", output)
        for name, mark in marks.items():
            if name not in seen and mark in text:
                seen[name] = at, cpu_seconds(child)
    return seen


def main() -> None:
    """Print the median and the worst of several starts."""
    with tempfile.TemporaryDirectory() as folder, SimulatorProcess(SimulatorOptions(seed=7)) as process:
        profile_file = Path(folder) / "profiles.toml"
        write_profile(profile_file, "simulated", profile_values(process.start()), make_default=True)
        runs = [start_once(profile_file) for _ in range(RUNS)]
    for name in runs[0]:
        wall = sorted(run[name][0] * 1000 for run in runs)
        cpu = sorted(run[name][1] * 1000 for run in runs)
        print(
            f"{name:12} median {statistics.median(wall):5.0f} ms   best {wall[0]:5.0f} ms   worst {wall[-1]:5.0f} ms   "
            f"CPU best {cpu[0]:4.0f} ms   ({RUNS} starts)"
        )


if __name__ == "__main__":
    main()
