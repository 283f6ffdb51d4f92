"""How long all findings of 1,000 backends take: `python -m bench.triage`. Aim: 20 ms."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

from console.domain.compose import compose
from console.triage.find import find_all
from tests.unit.observed_fleet import BEGIN, Fleet

BACKENDS = 1000
ROUNDS = 15


def measure(sick: int) -> tuple[float, int]:
    """(median milliseconds of processor time, findings) of a fleet with `sick` backends."""
    snapshot = compose(Fleet(BACKENDS, sick=sick).at(90), BEGIN + timedelta(minutes=91, seconds=30))
    spent = []
    findings = 0
    for _ in range(ROUNDS):
        began = time.process_time()
        findings = len(find_all(snapshot))
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent), findings


def main() -> None:
    """Print one line for a healthy fleet and one for a sick one."""
    for sick in (0, 50):
        milliseconds, findings = measure(sick)
        print(f"{BACKENDS} backends, {sick} of them sick: {milliseconds:.1f} ms, {findings} findings")


if __name__ == "__main__":
    main()
