"""`query`: KQL over the gateway's workspace, from a file, a name or the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.profile import Profile


@click.command()
@click.argument("text", metavar="FILE|NAME|KQL", required=False)
@click.option("--since", default="1h", metavar="1h", help="How far back.")
@click.option("--json", "form", flag_value="json", help="Print JSON: a list of objects.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.pass_obj
def query(setting: Setting, text: str | None, since: str, form: str | None) -> None:
    """Run KQL in the gateway's workspace.

    TEXT is a file with KQL, the name of one of the console's own queries, or KQL itself. Without it the names are
    listed. Exits 2 for a query that is wrong, with the place.
    """
    from console.commands.querying import named_queries
    from console.commands.triage import parse_span

    if text is None:
        for name in named_queries():
            click.echo(name)
        return
    path = Path(text)
    if len(text) < 400 and "\n" not in text and path.suffix in (".kql", ".csl", ".txt") and path.is_file():
        text = path.read_text(encoding="utf-8")
    raise SystemExit(
        asyncio.run(print_query(setting.profile(), text, since=parse_span(since).total_seconds(), form=form))
    )


async def print_query(profile: Profile, text: str, *, since: float, form: str | None) -> int:
    """Run and print. Returns 0.

    Raises:
        ConsoleError: it is wrong, refused or late.
    """
    from datetime import timedelta

    from console.commands.querying import as_csv, as_json, as_text, explained, position_of, run_text
    from console.engine import open_engine
    from console.errors import ConsoleError, UsageError

    engine = open_engine(profile)
    try:
        table = await run_text(engine.session, text, timedelta(seconds=since), engine.clock.now())
    except ConsoleError as error:
        place = position_of(error)
        if place is None:
            raise
        line = text.splitlines()[place.line - 1 : place.line] if text else []
        shown = f": {line[0].strip()}" if line else ""
        raise UsageError(
            f"{explained(error)}, at line {place.line} column {place.column}{shown}",
            where=error.where,
            remedy="Correct it.",
        ) from error
    finally:
        await engine.stop()
    click.echo({"json": as_json, "csv": as_csv}.get(form or "", as_text)(table), nl=False)
    if table.partial:
        click.echo(f"The answer is partial: {table.partial}", err=True)
    elif not table.rows and form is None:
        click.echo("No rows.", err=True)
    return 0
