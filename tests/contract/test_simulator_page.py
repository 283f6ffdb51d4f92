"""docs/simulator.md says what is so: its tables are what the code says and what the contract tests saw."""

from __future__ import annotations

import re

import pytest

from tests.contract.descriptions import needs_descriptions
from tests.contract.docstring_tables import ROOT, statements
from tests.contract.operations_table import PAGE, STATIC_PARTS, operations_table, part, with_part
from tests.contract.recording import Exchange
from tests.contract.sessions import ExampleRun

REMEDY = "run `make docs`"


@pytest.mark.parametrize("name", STATIC_PARTS)
def test_the_tables_made_from_the_code_are_current(name: str) -> None:
    assert part(PAGE.read_text(encoding="utf-8"), name) == STATIC_PARTS[name](), REMEDY


@needs_descriptions
@pytest.mark.xdist_group("contract")
def test_the_table_of_operations_is_current(
    console_exchanges: list[Exchange], plain_exchanges: list[Exchange], example_run: ExampleRun
) -> None:
    made = operations_table(console_exchanges, plain_exchanges, example_run)
    assert part(PAGE.read_text(encoding="utf-8"), "operations") == made, REMEDY


def test_no_assumption_escapes_the_table() -> None:
    listed = {statement.place.split(".")[0] for statement in statements("Assumed")}
    everything = statements("Assumed")
    for file in (ROOT / "simulator").rglob("*.py"):
        marks = len(re.findall(r"\bAssumed\b(?!:`)", file.read_text(encoding="utf-8")))
        module = ".".join(file.relative_to(ROOT / "simulator").with_suffix("").parts).removesuffix(".__init__")
        found = [s for s in everything if s.place == module or s.place.startswith(f"{module}.")]
        assert len(found) >= min(marks, 1), f"{module} assumes something that the page does not say"
    assert len(listed) > 6


def test_a_part_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- x: generated -->\nold\n<!-- end of x -->\nafter\n"
    assert with_part(page, "x", "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no generated part"):
        with_part(page, "y", "new")
