"""`fragments`: list, show, diff, lint, rehearse, deploy, roll back and pull policy fragments and policies.

Looks and plans are here; what writes is in `fragments_writing`. Both only choose and tell: the rules are the desk's.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.errors import ConsoleError, NotFound

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.operations.fragments.desk import CatalogueRow, FragmentDesk, Overview
    from console.profile import Profile

DIFFERS_EXIT_CODE = 1
FINDINGS_EXIT_CODE = 1
DIFF_COLOURS = {"+": "green", "-": "yellow", "@": "cyan"}

policies_option = click.option(
    "--policies",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    envvar="GENAIGW_POLICIES",
    help="The local side: a pulled folder, or one laid out like the bundled policies.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def fragments() -> None:
    """Fragments and policies: from lint to rollback.

    A NAME is a fragment, or api/NAME, operation/API/NAME, product/NAME, global, named-value/NAME.
    """


def at_desk(
    profile: Profile, folder: Path | None, work: Callable[[FragmentDesk], Awaitable[int]], *, as_json: bool = False
) -> int:
    """Sit at the desk of a profile, work, and leave. With `as_json` an error is printed as a document too.

    Raises:
        ConsoleError: what the work raised.
    """
    from console.engine import open_engine
    from console.operations.fragments.desk import FragmentDesk

    async def run() -> int:
        engine = open_engine(profile)
        try:
            return await work(FragmentDesk(engine, folder))
        except ConsoleError as error:
            if as_json:
                problem = {"what": error.what, "where": error.where, "remedy": error.remedy}
                say_document({"error": problem, "exit_code": error.exit_code})
            raise
        finally:
            await engine.stop()

    return asyncio.run(run())


def say(text: str = "", *, colour: str | None = None) -> None:
    """Lines for a person; what a terminal would obey is shown instead. Colour only on a terminal that wants it."""
    from console.status_text import printable

    plain = colour is None or bool(os.environ.get("NO_COLOR"))
    for line in text.split("\n"):
        shown = printable(line)
        click.echo(shown if plain else click.style(shown, fg=colour))


def say_document(document: dict[str, Any]) -> None:
    """One JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def find_row(overview: Overview, handle: str) -> CatalogueRow:
    """The row that a command line names.

    Raises:
        NotFound: there is none; names the closest one.
    """
    from difflib import get_close_matches

    from console.operations.fragments.documents import place_of_handle

    place = place_of_handle(handle)
    for row in overview.rows:
        if row.place.kind is place.kind and row.place.name.lower() == place.name.lower():
            return row
    names = [row.place.handle for row in overview.rows]
    close = get_close_matches(handle, names, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names[:12]) or 'none'}."
    raise NotFound(f"There is no {place.words}, here or there", where=overview.service_name, remedy=hint)


@fragments.command("list")
@policies_option
@json_option
@click.pass_obj
def list_command(setting: Setting, folder: Path | None, as_json: bool) -> None:
    """Both sides: in sync, changed here, changed there, only here, only there."""

    async def work(desk: FragmentDesk) -> int:
        from console.operations.fragments.report import overview_document, overview_lines

        overview = await desk.overview()
        if as_json:
            say_document(overview_document(overview))
        else:
            say("\n".join(overview_lines(overview)))
        return 0

    raise SystemExit(at_desk(setting.profile(), folder, work, as_json=as_json))


@fragments.command()
@click.argument("name")
@click.option("--deployed", "is_deployed", is_flag=True, help="The gateway's text, not the local one.")
@click.option("--versions", is_flag=True, help="Every version this console's journal knows.")
@policies_option
@json_option
@click.pass_obj
def show(setting: Setting, name: str, is_deployed: bool, versions: bool, folder: Path | None, as_json: bool) -> None:
    """Print NAME: the local text, or the gateway's when there is no local one."""

    async def work(desk: FragmentDesk) -> int:
        overview = await desk.overview(with_activity=False)
        row = find_row(overview, name)
        if versions:
            return _show_versions(overview, row, as_json=as_json)
        here = None if row.local is None or is_deployed else row.local.text
        there = None if row.deployed is None else row.deployed.text
        text = here if here is not None else there
        if text is None:
            raise NotFound(f"{row.place.words} has no text to show", remedy="Secret values are not read.")
        if as_json:
            say_document({"handle": row.place.handle, "side": "gateway" if here is None else "local", "text": text})
        else:
            say(text.rstrip("\n"))
        return 0

    raise SystemExit(at_desk(setting.profile(), folder, work, as_json=as_json))


def _show_versions(overview: Overview, row: CatalogueRow, *, as_json: bool) -> int:
    from console.operations.fragments.history import SHORT_ID

    found = overview.history.versions(row.place)
    if as_json:
        document = [
            {
                "run": v.run_id,
                "at": v.at.isoformat().replace("+00:00", "Z"),
                "by": v.owner,
                "found_there": v.is_found,
                "text": v.text,
            }
            for v in found
        ]
        say_document({"handle": row.place.handle, "versions": document})
        return 0
    for version in found:
        how = "found there by" if version.is_found else "written by"
        size = "nothing" if version.text is None else f"{len(version.text)} characters"
        say(f"{version.at:%Y-%m-%d %H:%M:%S}Z  {version.run_id[:SHORT_ID]}  {how} {version.owner}  {size}")
    if not found:
        say(f"The journal knows no version of {row.place.words}.")
    return 0


@fragments.command()
@click.argument("names", nargs=-1)
@click.option("--side-by-side", is_flag=True, help="Both texts next to each other.")
@click.option("--exit-code", is_flag=True, help="End with 1 when anything differs.")
@policies_option
@json_option
@click.pass_obj
def diff(
    setting: Setting,
    names: tuple[str, ...],
    side_by_side: bool,
    exit_code: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """From the gateway to the local side; without NAMES everything that stands on both."""

    async def work(desk: FragmentDesk) -> int:
        from console.operations.fragments.compare import SyncState, unified_text
        from console.operations.fragments.report import difference_document

        overview = await desk.overview(with_activity=False)
        both = [r for r in overview.rows if r.local is not None and r.deployed is not None]
        if overview.local.is_pulled:
            both = list(overview.rows)
        rows = [find_row(overview, name) for name in names] if names else both
        differing = [row for row in rows if row.state is not SyncState.IN_SYNC]
        documents = []
        for row in differing:
            old, new = _texts(row)
            text = unified_text(old, new, f"gateway/{row.place.handle}", f"local/{row.place.handle}")
            documents.append(difference_document(row, text))
            if not as_json:
                _say_difference(row, documents[-1], side_by_side=side_by_side)
        if as_json:
            say_document({"compared": len(rows), "differences": documents})
        elif not differing:
            say(f"No difference: {len(rows)} documents mean the same on both sides.")
        return DIFFERS_EXIT_CODE if differing and exit_code else 0

    raise SystemExit(at_desk(setting.profile(), folder, work, as_json=as_json))


def _texts(row: CatalogueRow) -> tuple[str | None, str | None]:
    return (None if row.deployed is None else row.deployed.text, None if row.local is None else row.local.text)


def _say_difference(row: CatalogueRow, document: dict[str, Any], *, side_by_side: bool) -> None:
    from console.operations.fragments.compare import diff_rows

    say(f"{row.place.words}: {row.state.value}" + (f" (used by {', '.join(row.used_by)})" if row.used_by else ""))
    for sentence in document["summary"]:
        say(f"  {sentence}")
    if not side_by_side:
        for line in document["diff"].rstrip("\n").split("\n"):
            say(line, colour=DIFF_COLOURS.get(line[:1]))
        return
    width = max(30, _columns() // 2 - 3)
    for one in diff_rows(*_texts(row)):
        left = "" if one.before is None else one.before.text
        right = "" if one.after is None else one.after.text
        say(f"{left[:width]:<{width}} {'|' if one.mark == '~' else one.mark} {right[:width]}")


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


@fragments.command()
@click.argument("names", nargs=-1)
@click.option("--offline", is_flag=True, help="Do not ask the gateway what exists there.")
@policies_option
@json_option
@click.pass_obj
def lint(setting: Setting, names: tuple[str, ...], offline: bool, folder: Path | None, as_json: bool) -> None:
    """What API Management would refuse, and what works until it is needed. Ends with 1 on errors."""

    def tell(findings: list[Any], checked: str) -> int:
        from console.operations.fragments.inspect import counted
        from console.operations.fragments.report import finding_document, finding_lines

        counts = counted(findings)
        if as_json:
            say_document({"findings": [finding_document(f) for f in findings], **counts})
        else:
            say("\n".join(finding_lines(findings)))
            say(f"{checked}: {counts['error']} errors, {counts['warning']} warnings, {counts['info']} notes")
        return FINDINGS_EXIT_CODE if counts["error"] else 0

    if offline:
        from console.operations.fragments.desk import lint_local
        from console.operations.fragments.local import bundled_folder, read_folder

        local = read_folder(folder or bundled_folder())
        raise SystemExit(tell(lint_local(local, None, names), str(local.folder)))

    async def work(desk: FragmentDesk) -> int:
        overview = await desk.overview(with_activity=False)
        return tell(desk.lint(overview, names), f"{overview.folder} against {overview.service_name}")

    raise SystemExit(at_desk(setting.profile(), folder, work, as_json=as_json))


@fragments.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def pull(setting: Setting, directory: Path | None, as_json: bool) -> None:
    """Bring the gateway's fragments and policies into DIRECTORY, ready for git.

    Without DIRECTORY they go to the user's data folder, where every other command then finds them.
    """
    profile = setting.profile()

    async def work(desk: FragmentDesk) -> int:
        from console.operations.fragments.local import pulled_folder
        from console.operations.fragments.report import pulled_lines

        pulled = await desk.pull(directory or pulled_folder(profile.service_name))
        if as_json:
            say_document(
                {
                    "folder": str(pulled.folder),
                    "written": list(pulled.written),
                    "removed": list(pulled.removed),
                    "unchanged": pulled.unchanged,
                    "left_out": list(pulled.left_out),
                }
            )
        else:
            say("\n".join(pulled_lines(pulled)))
        return 0

    raise SystemExit(at_desk(profile, None, work, as_json=as_json))


def _join_writing() -> None:
    from console.commands import fragments_writing

    fragments_writing.join(fragments)


_join_writing()
