"""What an hour of 50 backends takes on disk, and how long a seek takes: `python -m bench.recorder`.

Aim: 20 MB, 200 ms.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from console.domain.compose import compose
from console.recorder import Recorder, Recording
from tests.unit.observed_fleet import BEGIN, Fleet

BACKENDS = 50
FRAMES_PER_MINUTE = 6


def record_hour(path: Path, backends: int = BACKENDS, minutes: int = 60) -> int:
    """Record made-up minutes as a running console would; returns the bytes on disk."""
    fleet = Fleet(backends)
    recorder = Recorder(path)
    for minute in range(minutes):
        observed = fleet.at(60 + minute)
        for part in range(FRAMES_PER_MINUTE):
            at = BEGIN + timedelta(minutes=61 + minute, seconds=10 * part)
            recorder.write(replace(observed, is_paused=bool(part % 2)), (), at)
    recorder.close()
    return path.stat().st_size


def seek_milliseconds(path: Path, seeks: int = 40) -> float:
    """The slowest of some seeks to anywhere, with the snapshot composed, each on a file just opened."""
    chance = random.Random(3)
    slowest = 0.0
    for _ in range(seeks):
        recording = Recording(path)
        began = time.perf_counter()
        frame = recording.frame(chance.randrange(len(recording.moments)))
        compose(frame.observations, frame.at)
        slowest = max(slowest, (time.perf_counter() - began) * 1000)
        recording.close()
    return slowest


def main() -> None:
    """Print size and seek."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.rec"
        size = record_hour(path)
        print(f"an hour of {BACKENDS} backends: {size / 1e6:.1f} MB; slowest seek {seek_milliseconds(path):.0f} ms")


if __name__ == "__main__":
    main()
