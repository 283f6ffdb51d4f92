"""`record`: keep what the feeds see in a file, without a screen, until interrupted or for a given time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.engine import Engine
    from console.profile import Profile
    from console.recorder import Recorder

EVERY_SECONDS = 5.0
FETCH_DEADLINE_SECONDS = 60.0


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), metavar="F")
@click.option("--for", "span", default="", metavar="1h", help="Stop after this long; else at Ctrl-C.")
@click.option(
    "--largest",
    type=click.FloatRange(min=1.0),
    default=200.0,
    show_default=True,
    metavar="MB",
    help="Forget the oldest beyond.",
)
@click.pass_obj
def record(setting: Setting, path: Path, span: str, largest: float) -> None:
    """Record the gateway into a file that replay shows again. An existing recording is continued."""
    from console.commands.triage import parse_span

    seconds = parse_span(span).total_seconds() if span else None
    raise SystemExit(asyncio.run(record_gateway(setting.profile(), path, seconds, largest)))


async def record_gateway(profile: Profile, path: Path, seconds: float | None, largest: float) -> int:
    """Record until the time is over. Returns 0.

    Raises:
        ConsoleError: the gateway could not be read at the start, or the file cannot be written.
    """
    from console.commands.status import refuse_without_gateway
    from console.engine import open_engine
    from console.recorder import Recorder

    engine = open_engine(profile)
    recorder = Recorder(path, largest_megabytes=largest)
    try:
        refuse_without_gateway(engine, await engine.fetch_once(FETCH_DEADLINE_SECONDS))
        recorder.write(engine.observations, engine.store.current.findings, engine.clock.now())
        await engine.start()
        click.echo(f"Recording {profile.service_name} into {path}. Stop with Ctrl-C.", err=True)
        try:
            async with asyncio.timeout(seconds):
                await keep_recording(engine, recorder)
        except TimeoutError:
            return 0
    finally:
        await engine.stop()
        recorder.close()
        click.echo(f"{recorder.frames} frames in {path}", err=True)
    return 0


async def keep_recording(engine: Engine, recorder: Recorder) -> None:
    """Write a frame whenever something changed, every five seconds at most."""
    changed = asyncio.Event()
    unsubscribe = engine.store.subscribe(lambda _previous, _current: changed.set())
    try:
        while True:
            await changed.wait()
            changed.clear()
            recorder.write(engine.observations, engine.store.current.findings, engine.clock.now())
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        unsubscribe()
