"""Writes the generated parts of docs/simulator.md: `python -m tests.contract.operations_table`.

The table of operations comes from sending requests and judging them, not from a list of good intentions. Where the
published descriptions are absent that table is left as it stands; the rest is generated anyway.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import tomllib
from pathlib import Path

from tests.contract.description_slips import SLIPS
from tests.contract.descriptions import SPECIFICATION, Operation
from tests.contract.docstring_tables import ROOT, first_lines, statements
from tests.contract.recording import Exchange
from tests.contract.sessions import ExampleRun, console_session, examples_session, plain_session

PAGE = ROOT / "docs" / "simulator.md"


def operations_table(console: list[Exchange], plain: list[Exchange], examples: ExampleRun) -> str:
    """The table of operations, by description file."""
    everything = [*console, *plain, *examples.exchanges]
    operations = {e.operation for e in everything if e.operation is not None}
    by_console = {e.operation for e in console if e.operation is not None}
    requests = {e.operation for e in everything if e.operation is not None and e.response.status < 400}
    answers: dict[Operation, set[int]] = {}
    for exchange in everything:
        if exchange.operation is not None:
            answers.setdefault(exchange.operation, set()).add(exchange.response.status)
    lines = [
        f"{len(operations)} operations are shown to obey their descriptions; "
        f"the console uses {len(by_console)} of them.",
        "",
    ]
    for file, version in sorted({(o.short_file, o.version) for o in operations}):
        lines += [
            f"### {file}, {version}",
            "",
            "| operation | method | console | request | answers | examples |",
            "|---|---|---|---|---|---|",
        ]
        for operation in sorted((o for o in operations if o.short_file == file), key=lambda o: o.id):
            statuses = ", ".join(str(status) for status in sorted(answers[operation]))
            asked = "yes" if operation in by_console else ""
            valid = "valid" if operation in requests else "refused"
            lines.append(
                f"| {operation.id} | {operation.method.upper()} | {asked} | {valid} | {statuses} "
                f"| {_examples(operation, examples)} |"
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def _examples(operation: Operation, run: ExampleRun) -> str:
    accepted, refused = len(run.accepted.get(operation.id, ())), len(run.refused.get(operation.id, ()))
    return f"{accepted} of {accepted + refused}" if accepted + refused else ""


def slips_table() -> str:
    """Where the descriptions are not believed."""
    rows = [f"| `{slip.operation}` | {slip.reason} |" for slip in SLIPS]
    return "\n".join(["| operations | why the description is not believed |", "|---|---|", *rows])


def assumptions_table() -> str:
    """Every `Assumed:` of the simulator's docstrings."""
    rows = [f"| `{found.place}` | {_cell(found.text)} |" for found in statements("Assumed")]
    return "\n".join(["| where | what is assumed |", "|---|---|", *rows])


def sources_table() -> str:
    """Every `Source:` of the simulator's docstrings, by room."""
    rows = [f"| `{found.place}` | {_cell(found.text)} |" for found in statements("Source")]
    return "\n".join(["| where | source |", "|---|---|", *rows])


def rooms_table() -> str:
    """The rooms and what each is."""
    rows = [f"| `{name}` | {_cell(text)} |" for name, text in first_lines().items()]
    return "\n".join(["| room | what it is |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def with_part(page: str, name: str, content: str) -> str:
    """The page with one generated part replaced.

    Raises:
        ValueError: the page has no such part.
    """
    pattern = re.compile(rf"(<!-- {name}: generated -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no generated part {name!r}")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", page)


def part(page: str, name: str) -> str:
    """One generated part of the page.

    Raises:
        ValueError: the page has no such part.
    """
    found = re.search(rf"<!-- {name}: generated -->\n(.*?)\n<!-- end of {name} -->", page, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no generated part {name!r}")
    return found[1]


def scenarios_table() -> str:
    """The scenarios that come with it."""
    rows = []
    for file in sorted((ROOT / "simulator" / "scenarios").glob("*.toml")):
        scenario = tomllib.loads(file.read_text(encoding="utf-8"))
        expected = scenario.get("expect", {}).get("verdict", "")
        rows.append(f"| `{file.stem}` | {_cell(scenario['scenario']['title'])} | {expected} |")
    return "\n".join(["| scenario | what happens | verdict |", "|---|---|---|", *rows])


STATIC_PARTS = {
    "scenarios": scenarios_table,
    "rooms": rooms_table,
    "slips": slips_table,
    "assumptions": assumptions_table,
    "sources": sources_table,
}


async def _sessions() -> tuple[list[Exchange], list[Exchange], ExampleRun]:
    with tempfile.TemporaryDirectory() as folder:
        console = await console_session(Path(folder))
    return console, await plain_session(), await examples_session()


def main() -> None:
    """Bring the page up to date."""
    page = PAGE.read_text(encoding="utf-8")
    for name, make in STATIC_PARTS.items():
        page = with_part(page, name, make())
    if SPECIFICATION.is_dir():
        page = with_part(page, "operations", operations_table(*asyncio.run(_sessions())))
    else:
        print("The published descriptions are absent: the table of operations stays as it is.", file=sys.stderr)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
