"""Expressions mean here what a C# compiler makes of them: its answers are recorded beside the list."""

from __future__ import annotations

import pytest

from tests.policy.expressions.oracle import mono, ours
from tests.policy.expressions.oracle.explained import EXPLAINED

CASES = mono.read_cases()
EXPECTED = mono.read_expected()


def test_the_list_is_long_and_every_case_has_an_answer() -> None:
    assert len(CASES) >= 300
    assert {mono.case_line(*case) for case in CASES} == set(EXPECTED)


@pytest.mark.parametrize("start", range(0, len(CASES), 50))
def test_every_expression_gives_the_recorded_answer(start: int) -> None:
    differences = []
    for text, kind in CASES[start : start + 50]:
        line = mono.case_line(text, kind)
        found = ours.answer(text, kind)
        if found != EXPECTED[line] and line not in EXPLAINED:
            differences.append(f"{line}\n  C#:   {EXPECTED[line]}\n  ours: {found}")
    assert not differences, "\n".join(differences)


def test_explained_differences_still_differ() -> None:
    for line in EXPLAINED:
        block = line.startswith("{ ")
        found = ours.answer(line[1:-1] if block else line, "block" if block else "inline")
        assert found != EXPECTED[line], f"{line} agrees by now: take it out of the list"


@pytest.mark.opt_in
def test_mono_itself_still_answers_as_recorded() -> None:
    missing = mono.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    for case, answer in zip(CASES, mono.ask_mono(CASES), strict=True):
        assert answer == EXPECTED[mono.case_line(*case)]
