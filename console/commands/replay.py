"""`replay`: the screens on a recording, or one moment of it as text."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.replay import ReplayEngine


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), metavar="F")
@click.option(
    "--speed", type=click.FloatRange(min=0.1, max=600.0), default=1.0, show_default=True, help="Times as fast."
)
@click.option("--at", "moment", default="", metavar="HH:MM", help="Begin there, or +10m after the beginning.")
@click.option("--json", "as_json", is_flag=True, help="Print that moment's status as JSON instead.")
def replay(path: Path, speed: float, moment: str, as_json: bool) -> None:
    """Show a recording on the screens, clearly not live. p pauses, :seek and :speed move.

    Without a terminal it prints one moment. Needs no profile and asks Azure nothing.
    """
    import json

    from console.recorder import Recording
    from console.replay import ReplayEngine
    from console.status_json import status_document
    from console.status_text import status_text

    engine = ReplayEngine(Recording(path), speed=speed)
    if moment:
        engine.seek(parse_moment(moment, engine))
    elif as_json or not sys.stdout.isatty():
        engine.seek(engine.end_at)
    now = engine.clock.now()
    if as_json:
        click.echo(json.dumps(status_document(engine.store.current, now), indent=2, ensure_ascii=False))
    elif not (sys.stdout.isatty() and sys.stdin.isatty()):
        click.echo(f"REPLAY of {path.name} at {now:%Y-%m-%d %H:%M:%S}Z")
        click.echo(status_text(engine.store.current, now), nl=False)
    else:
        from console.cli import run_replay

        raise SystemExit(run_replay(engine))


def parse_moment(text: str, engine: ReplayEngine) -> datetime:
    """`HH:MM[:SS]` (UTC) of the recording's days, `+10m` from the beginning, `-5m` before what is shown.

    Raises:
        UsageError: it is none of these.
    """
    from console.commands.triage import parse_span
    from console.errors import UsageError

    words = text.strip()
    if words.startswith("+"):
        return engine.start_at + parse_span(words[1:])
    if words.startswith("-"):
        return engine.clock.now() - parse_span(words[1:])
    parts = words.split(":")
    if len(parts) not in (2, 3) or not all(p.isdigit() for p in parts):
        raise UsageError(f"{text!r} is no moment", remedy="Write it like 14:05, +10m or -5m.")
    hour, minute, second = (*(int(p) for p in parts), 0)[:3]
    if hour > 23 or minute > 59 or second > 59:
        raise UsageError(f"{text!r} is no time of day", remedy="Write it like 14:05.")
    at = engine.start_at.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return at + timedelta(days=1) if at < engine.start_at - timedelta(minutes=1) else at
