"""`restore BACKEND`: put a drained backend back exactly as it was, and forget the drain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from console.errors import ConsoleError, NotFound

if TYPE_CHECKING:
    from console.commands.drain import Telling
    from console.commands.setting import Setting
    from console.operations.drain.desk import DrainDesk
    from console.profile import Profile


@click.command()
@click.argument("backend")
@click.option("--gradual", "is_gradual", is_flag=True, help="In steps of its weight, halting when callers fare worse.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--force", "is_forced", is_flag=True, help="Even while the console that drains it may be writing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@click.pass_obj
def restore(setting: Setting, backend: str, is_gradual: bool, is_agreed: bool, is_forced: bool, as_json: bool) -> None:
    """Put BACKEND back into its pools exactly as recorded.

    Also undoes an interrupted drain and finishes an interrupted restore. What others changed meanwhile is shown, and
    kept.
    """
    run = run_restore(
        setting.profile(),
        backend,
        is_gradual=is_gradual,
        is_agreed=is_agreed,
        is_forced=is_forced,
        as_json=as_json,
    )
    raise SystemExit(asyncio.run(run))


async def run_restore(
    profile: Profile, backend: str, *, is_gradual: bool, is_agreed: bool, is_forced: bool, as_json: bool
) -> int:
    """Restore on a profile. Returns the exit code.

    Raises:
        ConsoleError: a guard, Azure or the network said no; with --json the document is printed before.
    """
    from console.commands.drain import Telling
    from console.engine import open_engine
    from console.operations.drain.desk import DrainDesk

    engine = open_engine(profile)
    telling = Telling(as_json, {"backend": backend})
    try:
        desk = DrainDesk(engine)
        return await _restore(desk, backend, telling, is_gradual, is_agreed, is_forced)
    except ConsoleError as error:
        telling.document["error"] = {"what": error.what, "where": error.where, "remedy": error.remedy}
        telling.finish("failed", error.exit_code)
        raise
    finally:
        await engine.stop()


async def _restore(
    desk: DrainDesk, backend: str, telling: Telling, is_gradual: bool, is_agreed: bool, is_forced: bool
) -> int:
    from console.commands.asking import require_consent
    from console.commands.drain import DECLINED_EXIT_CODE
    from console.operations.drain.report import restore_document, restore_lines

    desk.engine.profile.require_writes()
    if is_gradual:
        await desk.look()  # how callers fare before the first step is what the later ones are held against
    try:
        plan = await desk.fetch_restore_plan(backend)
    except NotFound:
        listed = (await desk.look_again()).gateway
        if listed is None or backend not in listed.drained_backends:
            raise
        telling.line(f"{backend} is listed in drained-backends without a record: it is taken off the list")
    else:
        telling.document["plan"] = restore_document(plan)
        for line in restore_lines(plan):
            telling.line(line)
    telling.line()
    if not require_consent(f"Restore {backend}?", is_agreed=is_agreed):
        telling.line("Nothing was changed.")
        return telling.finish("declined", DECLINED_EXIT_CODE)
    done = await desk.restore(backend, telling.step, is_gradual=is_gradual, is_forced=is_forced)
    if done is not None:
        telling.document["done"] = restore_document(done)
        for decision in done.decisions:
            telling.line(f"! {decision.pool_name}: {decision.text}")
    telling.line(f"{backend} is restored.")
    return telling.finish("restored", 0)
