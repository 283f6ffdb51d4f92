"""`report`: a post-mortem draft as Markdown, with its charts as SVG files beside it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.engine import Engine
    from console.profile import Profile
    from console.report.markdown import Report


@click.command()
@click.option("--since", default="1h", metavar="1h", help="How far back, up to 1h.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="F.md", help="Where to write it."
)
@click.pass_obj
def report(setting: Setting, since: str, output: Path | None) -> None:
    """A post-mortem draft: verdict, timeline, figures, who was hit, actions and outcomes.

    Without -o it goes to standard output, without charts.
    """
    from console.commands.triage import parse_span

    raise SystemExit(asyncio.run(write_report(setting.profile(), parse_span(since), output)))


async def write_report(profile: Profile, span: timedelta, output: Path | None) -> int:
    """Fetch once and write the draft. Returns 0.

    Raises:
        ConsoleError: the gateway could not be read, or the file cannot be written.
    """
    from console.commands.status import refuse_without_gateway
    from console.commands.triage import FETCH_DEADLINE_SECONDS
    from console.engine import open_engine

    engine = open_engine(profile)
    try:
        refuse_without_gateway(engine, await engine.fetch_once(FETCH_DEADLINE_SECONDS))
        draft = draft_report(engine, span, output.stem if output is not None else "report")
    finally:
        await engine.stop()
    if output is None:
        text = "\n".join(line for line in draft.text.splitlines() if not line.startswith("![")) + "\n"
        click.echo(text, nl=False)
        return 0
    for path in save_report(draft, output):
        click.echo(str(path))
    return 0


def draft_report(engine: Engine, span: timedelta, prefix: str) -> Report:
    """The draft of what an engine knows now."""
    from console.commands.triage import with_past
    from console.report.markdown import make_report

    snapshot, now = engine.store.current, engine.clock.now()
    findings = with_past(engine, snapshot.findings, now, span)
    return make_report(snapshot, findings, snapshot.changes or (), now, span, chart_prefix=prefix)


def save_report(draft: Report, output: Path) -> list[Path]:
    """Write text and charts; an existing draft is never overwritten silently.

    Raises:
        UsageError: it exists already, or cannot be written.
    """
    from console.errors import UsageError

    if output.exists():
        raise UsageError(
            f"{output} exists already", remedy="Name another file: a draft may hold somebody's corrections."
        )
    try:
        output.write_text(draft.text, encoding="utf-8")
        written = [output]
        for name, svg in draft.charts:
            path = output.parent / name
            path.write_text(svg, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise UsageError(f"The report cannot be written: {error}", where=str(output)) from error
    return written
