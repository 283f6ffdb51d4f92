"""`status`: one snapshot as text or JSON, or a new one whenever data arrives."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.domain.snapshot import GatewaySnapshot
    from console.engine import Engine
    from console.profile import Profile

FETCH_DEADLINE_SECONDS = 60.0
WATCH_INTERVAL_SECONDS = 30.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch one line a snapshot.")
@click.option("--watch", is_flag=True, help="Print again every half minute until interrupted.")
@click.pass_obj
def status(setting: Setting, as_json: bool, watch: bool) -> None:
    """Every backend with its health and figures.

    Exits 0 when the gateway could be read, whatever its health; single sources that fail are named in the output.
    """
    profile = setting.profile()
    run = watch_snapshots(profile, as_json=as_json) if watch else print_snapshot(profile, as_json=as_json)
    raise SystemExit(asyncio.run(run))


async def print_snapshot(profile: Profile, *, as_json: bool) -> int:
    """Fetch once and print. Returns 0.

    Raises:
        ConsoleError: the gateway itself could not be read.
    """
    from console.engine import open_engine

    engine = open_engine(profile)
    try:
        snapshot = await engine.fetch_once(FETCH_DEADLINE_SECONDS)
        refuse_without_gateway(engine, snapshot)
        click.echo(rendered(engine, snapshot, as_json=as_json, indent=2))
    finally:
        await engine.stop()
    return 0


def refuse_without_gateway(engine: Engine, snapshot: GatewaySnapshot) -> None:
    """Raises ConsoleError when the gateway itself could not be read: the topology feed's own, or that time ran out."""
    from console.errors import DeadlineExceeded

    if snapshot.gateway is not None:
        return
    failure = engine.failure("topology")
    if failure is not None:
        raise failure
    raise DeadlineExceeded(
        f"The gateway did not answer in {FETCH_DEADLINE_SECONDS:.0f} s",
        where=engine.profile.service_id,
        remedy="Check the network, then try again.",
    )


async def watch_snapshots(profile: Profile, *, as_json: bool) -> int:
    """Print a snapshot now and every half minute, until interrupted.

    Raises:
        ConsoleError: the gateway could not be read at the start.
    """
    from console.engine import open_engine

    engine = open_engine(profile)
    try:
        refuse_without_gateway(engine, await engine.fetch_once(FETCH_DEADLINE_SECONDS))
        await engine.start()
        while True:
            click.echo(rendered(engine, engine.store.current, as_json=as_json, indent=None))
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
    finally:
        await engine.stop()


def rendered(engine: Engine, snapshot: GatewaySnapshot, *, as_json: bool, indent: int | None) -> str:
    """The snapshot as it is printed."""
    from console.status_json import status_document
    from console.status_text import status_text

    now = engine.clock.now()
    if as_json:
        return json.dumps(status_document(snapshot, now), indent=indent, ensure_ascii=False)
    return status_text(snapshot, now).rstrip("\n") + ("" if indent else "\n")
