"""`triage`: what is wrong, since when, for whom, how we know, and what to do next; as text or JSON."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.domain.finding import Finding
    from console.engine import Engine
    from console.profile import Profile

FETCH_DEADLINE_SECONDS = 60.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--since", default="1h", metavar="1h", help="Show what was found and is over since then, up to 1h.")
@click.pass_obj
def triage(setting: Setting, as_json: bool, since: str) -> None:
    """What is wrong, since when, for whom, and what to do next.

    Exits 0 when the gateway could be read, whatever was found.
    """
    span = parse_span(since)
    raise SystemExit(asyncio.run(print_findings(setting.profile(), span, as_json=as_json)))


def parse_span(text: str) -> timedelta:
    """`90s`, `20m`, `1h` as a span.

    Raises:
        UsageError: it is none.
    """
    from console.errors import UsageError

    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]] if match else 0.0
    if seconds <= 0:
        raise UsageError(f"{text!r} is no span of time", remedy="Write it like 90s, 20m or 1h.")
    return timedelta(seconds=seconds)


async def print_findings(profile: Profile, span: timedelta, *, as_json: bool) -> int:
    """Fetch once and print the findings of now and those of the span that are over. Returns 0.

    Raises:
        ConsoleError: the gateway could not be read, for another reason than that there is none.
    """
    from console.engine import open_engine
    from console.errors import NotFound
    from console.triage.text import findings_document, findings_text

    engine = open_engine(profile)
    try:
        snapshot = await engine.fetch_once(FETCH_DEADLINE_SECONDS)
        failure = engine.failure("topology")
        if snapshot.gateway is None and failure is not None and not isinstance(failure, NotFound):
            raise failure
        now = engine.clock.now()
        findings = with_past(engine, snapshot.findings, now, span)
        changes = [c for c in snapshot.changes or () if c.at >= now - span]
        if as_json:
            document = findings_document(snapshot, findings, changes, now)
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            click.echo(findings_text(snapshot, findings, changes, now), nl=False)
    finally:
        await engine.stop()
    return 0


def with_past(engine: Engine, current: tuple[Finding, ...], now: datetime, span: timedelta) -> tuple[Finding, ...]:
    """The findings of now, then those that the span's history shows and that are over."""
    from console.triage.review import review
    from console.triage.severity import ranked

    active = {f.key: f for f in current if f.is_active}
    past = [f for f in review(engine.observations, now, span) if f.key not in active]
    return ranked([*active.values(), *past])
