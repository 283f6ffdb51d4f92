"""`journal`: what this machine's consoles wrote to Azure, who, why, and how it ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.journal import JournalEntry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, whole, oldest first.")
@click.option("--last", type=click.IntRange(min=1), default=200, show_default=True, metavar="N", help="Entries shown.")
@click.option("--file", "path", type=click.Path(path_type=Path), metavar="F", help="Another journal.")
def journal(as_json: bool, last: int, path: Path | None) -> None:
    """Every write of this machine's consoles, with its outcome. Needs no profile and asks Azure nothing."""
    from collections import deque

    from console.journal import journal_path, read_journal

    entries = deque(read_journal(path or journal_path()), maxlen=last)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(asdict(entry), ensure_ascii=False))
        return
    if not entries:
        click.echo("Nothing was written yet.")
    for line in journal_lines(tuple(entries)):
        click.echo(line)


def journal_lines(entries: tuple[JournalEntry, ...]) -> list[str]:
    """One line a write: intent and outcome together, runs apart. An intent whose outcome is missing says so."""
    from console.status_text import printable

    ended = {(e.run_id, e.target, e.sequence) for e in entries if e.phase != "intent"}
    lines: list[str] = []
    run = ""
    for entry in entries:
        if entry.run_id != run:
            run = entry.run_id
            reason = f": {entry.reason}" if entry.reason else ""
            gateway = entry.gateway_id.rstrip("/").rsplit("/", 1)[-1]
            lines.append(f"{entry.at[:19]}Z  {entry.operation} by {entry.owner} on {gateway}{reason}")
        if entry.phase == "intent":
            if (entry.run_id, entry.target, entry.sequence + 1) not in ended:
                lines.append(f"  {entry.at[11:19]}Z  ?       {entry.target}  its outcome was never written down")
            continue
        outcome = f"  {entry.outcome}" if entry.outcome else ""
        lines.append(f"  {entry.at[11:19]}Z  {entry.phase:<7} {entry.target}{outcome}")
    return [printable(line) for line in lines]
