"""The table in docs/triage.md: every scenario run, and what was found when. `python -m tests.drills.triage_table`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.drills.triage_drill import DRILLS, Sighting, run_drill

DOCUMENT = Path(__file__).parents[2] / "docs" / "triage.md"
BEGIN, END = "<!-- drills -->", "<!-- /drills -->"
HEAD = ("scenario", "first finding", "sure", "minutes to detect", "since, off by", "gone after")


def row(name: str, sighting: Sighting) -> str:
    """One line of the table."""
    finding = sighting.finding
    if finding is None or finding.since_at is None:
        return f"| {name} | – | – | – | – | – |"
    off = abs((finding.since_at - sighting.onset_at).total_seconds())
    gone = "–" if sighting.gone_after_seconds is None else f"{sighting.gone_after_seconds / 60:.1f} min"
    cells = (name, finding.label, finding.confidence.value, f"{sighting.minutes_to_detect:.1f}", f"{off:.0f} s", gone)
    return f"| {' | '.join(cells)} |"


async def make_table() -> str:
    """Run every drill, one after the other."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---:|---:|---:|"]
    for drill in DRILLS:
        sighting = await run_drill(drill, minutes=2.5, heal_minutes=6)
        lines.append(row(drill.scenario, sighting))
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def table_in(text: str) -> list[list[str]]:
    """The rows of the table in a document, cells stripped.

    Raises:
        ValueError: the document has no such table.
    """
    body = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    rows = [line.strip().strip("|").split("|") for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in rows]


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text("utf-8")
    table = asyncio.run(make_table())
    DOCUMENT.write_text(text[: text.index(BEGIN) + len(BEGIN)] + f"\n{table}" + text[text.index(END) :], "utf-8")


if __name__ == "__main__":
    main()
