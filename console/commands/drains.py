"""`drains`: every drain on the gateway and how it stands, with what to do about those that need somebody."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.domain.snapshot import GatewaySnapshot
    from console.profile import Profile


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def drains(setting: Setting, as_json: bool) -> None:
    """Every drain on the gateway: in place, interrupted, overwritten, expired, or listed without a record."""
    raise SystemExit(asyncio.run(print_drains(setting.profile(), as_json=as_json)))


async def print_drains(profile: Profile, *, as_json: bool) -> int:
    """Fetch once and print. Returns 0.

    Raises:
        ConsoleError: the gateway cannot be read.
    """
    from console.engine import open_engine
    from console.operations.drain.desk import DrainDesk
    from console.operations.drain.report import drain_document, unrecorded

    engine = open_engine(profile)
    try:
        snapshot = await DrainDesk(engine).look()
    finally:
        await engine.stop()
    if as_json:
        document = {
            "drains": [drain_document(d, snapshot) for d in snapshot.drains],
            "listed_without_record": list(unrecorded(snapshot)),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(drain_lines(snapshot)))
    return 0


def drain_lines(snapshot: GatewaySnapshot) -> list[str]:
    """The drains as lines."""
    from console.operations.drain.examine import REMEDIES
    from console.operations.drain.report import unrecorded
    from console.status_text import printable

    lines = []
    for drain in snapshot.drains:
        status = snapshot.backend(drain.backend_name)
        state = "gone from the gateway" if status is None else status.health.state.value
        mark = "!" if drain.needs_attention else "○"
        lines.append(f"{mark} {drain.backend_name}  {state}  {drain.text}")
        if status is not None and drain.condition == "in place":
            lines.append(f"    {'; '.join(status.health.reasons)}")
        if drain.needs_attention:
            lines.append(f"    {REMEDIES[drain.condition].format(name=drain.backend_name)}")
    for name in unrecorded(snapshot):
        lines.append(f"! {name}  is in drained-backends without a drain record")
        lines.append(f"    {REMEDIES['listed without a record'].format(name=name)}")
    return [printable(line) for line in lines] or ["No backend is drained."]
