"""How much memory the embedded Azure holds as simulated time goes by at the demonstration's traffic: 1, 6 and 24 hours.

Log rows, metrics and ground truth of all these hours stay readable; what a finished request leaves is a row. Growth
between two marks must be that of the rows.
"""

from __future__ import annotations

import gc
import time
from pathlib import Path

from simulator.embedded import build_world

NOW = 1_795_000_000.0
HOURS = (1, 6, 24)


def resident_mebibytes() -> float:
    """What the process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError("the system does not tell a process's memory")


def main() -> None:
    """Print the figures."""
    empty = resident_mebibytes()
    began = time.process_time()
    world = build_world("ptu-saturation", seed=7, history_seconds=3600, now=NOW)
    print(f"before: {empty:.0f} MiB")
    passed = 1
    for hours in HOURS:
        for _ in range(passed, hours):
            world.advance(3600)
        passed = hours
        world.rooms["logs"].writer.flush()
        gc.collect()
        sent = sum(caller.sent for caller in world.rooms["traffic"].callers)
        held = resident_mebibytes()
        grown = (held - empty) * 2**20 / sent
        print(
            f"after {hours:2d} h: {held:4.0f} MiB, {sent:,} requests, {grown:.0f} bytes a request,"
            f" {time.process_time() - began:.0f} s CPU",
            flush=True,
        )


if __name__ == "__main__":
    main()
