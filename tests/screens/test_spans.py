"""Text reaches the terminal as characters: nothing in it is obeyed, and its width is what it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from screens.spans import Span, Tone, fit, shorten, shorten_middle, text_of, visible, width_of, wrap

ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\nb\tc\x00", "a␊b␉c␀"),
        ("\x7f", "␡"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("[red]x[/]", "[red]x[/]"),
        ("größe 日本", "größe 日本"),
        ("e" + "\u0301" * 40, "e\u0301\u0301"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(ANY_TEXT)
def test_visible_text_has_no_control_characters_left(text: str) -> None:
    assert all(char.isprintable() for char in visible(text))
    assert visible(visible(text)) == visible(text)


@given(st.lists(ANY_TEXT, max_size=4), st.integers(0, 40), st.booleans())
def test_a_fitted_cell_takes_exactly_its_columns(texts: list[str], width: int, right: bool) -> None:
    cell = [Span(visible(text)) for text in texts]
    assert width_of(fit(cell, width, right=right)) == width


@given(ANY_TEXT, st.integers(1, 40))
def test_shortened_text_never_takes_more_columns(text: str, width: int) -> None:
    shown = visible(text)
    assert cell_len(shorten(shown, width)) <= width
    assert cell_len(shorten_middle(shown, width)) <= width


@given(st.lists(ANY_TEXT, min_size=1, max_size=3), st.integers(6, 40), st.integers(0, 3))
def test_wrapped_lines_fit_and_lose_only_spaces(texts: list[str], width: int, indent: int) -> None:
    cell = [Span(visible(text)) for text in texts]
    lines = wrap(cell, width, indent=indent)
    assert all(cell_len(text_of(line).rstrip()) <= width for line in lines)
    joined = "".join(text_of(line) for line in lines)
    assert joined.replace(" ", "") == text_of(cell).replace(" ", "")


def test_a_letter_wider_than_the_line_is_drawn_once_and_ends() -> None:
    lines = wrap((Span("日本語文"),), 4, indent=3)
    assert "".join(text_of(line).strip() for line in lines) == "日本語文"


def test_a_name_too_long_keeps_its_start_and_its_end() -> None:
    assert shorten_middle("payg-swedencentral-batch-02", 16) == "payg-swede…ch-02"


def test_wrapping_stops_at_the_last_line_allowed() -> None:
    lines = wrap((Span("one two three four five six", Tone.PLAIN),), 9, max_lines=2)
    assert [text_of(line).rstrip() for line in lines] == ["one two", "three fo…"]
