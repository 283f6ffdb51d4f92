"""Text with tones: the form every screen is drawn in before it meets the terminal.

Pure: no textual, no I/O. A tone says what a piece of text means; `widgets.tones` knows the colours. Text never becomes
markup on this road, and characters that would command a terminal are shown instead of obeyed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size


class Tone(StrEnum):
    """What a piece of text means. Red (HARM) is for harm to callers, amber (WARN) for harm to come.

    TREND is the accent, calmer; the AREA tones fill charts in ACCENT, WARN and HARM.
    """

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    FAINT = "faint"
    STALE = "stale"
    ACCENT = "accent"
    TREND = "trend"
    AREA = "area"
    AREA_WARN = "area-warn"
    AREA_HARM = "area-harm"
    GOOD = "good"
    WARN = "warn"
    HARM = "harm"
    HEAD = "head"
    BADGE = "badge"
    BADGE_PRODUCTION = "badge-production"
    BADGE_SIMULATED = "badge-simulated"
    BADGE_READ_ONLY = "badge-read-only"
    KEY = "key"


class Span(NamedTuple):
    """A run of text in one tone; `action` (a textual action) makes it clickable."""

    text: str
    tone: Tone = Tone.PLAIN
    action: str | None = None


Cell = tuple[Span, ...]
"""A piece of one line: spans side by side."""

EMPTY: Cell = ()
NO_DATA: Cell = (Span("–", Tone.FAINT),)
"""What stands where a number would, when there is none."""

_CONTROL_PICTURES = 0x2400
_MAX_COMBINING = 2


def visible(text: str) -> str:
    """The text with everything a terminal might obey made visible.

    C0 controls become their pictures (ESC is `␛`), other controls, direction overrides, zero-width and unassigned
    characters become `⟨U+202E⟩`, and at most two combining marks stay on one letter.
    """
    if text.isascii() and text.isprintable():
        return text
    parts: list[str] = []
    combining = 0
    for char in text:
        code = ord(char)
        if code < 0x20:
            parts.append(chr(_CONTROL_PICTURES + code))
        elif code == 0x7F:
            parts.append("␡")
        elif not char.isprintable() or 0xFE00 <= code <= 0xFE0F:
            parts.append(f"⟨U+{code:04X}⟩")
        elif unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
            combining += 1
            if combining <= _MAX_COMBINING:
                parts.append(char)
            continue
        else:
            parts.append(char)
        combining = 0
    return "".join(parts)


def plain(text: str, tone: Tone = Tone.PLAIN) -> Cell:
    """One run of our own or of Azure's text, made visible."""
    return (Span(visible(text), tone),)


def or_dash(text: str | None, tone: Tone = Tone.PLAIN) -> Cell:
    """Azure's text made visible, `–` when there is none."""
    return (Span(visible(text), tone),) if text else NO_DATA


def text_of(cell: Iterable[Span]) -> str:
    """The characters without their tones."""
    return "".join(span.text for span in cell)


def width_of(cell: Iterable[Span]) -> int:
    """Columns the cell takes on a terminal."""
    return sum(cell_len(span.text) for span in cell)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` columns; `…` says that something was left out."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[: max(0, width)]
    return set_cell_size(text, width - 1).rstrip() + "…"


def shorten_middle(text: str, width: int) -> str:
    """The text in at most `width` columns, its start and its end kept: resource names differ at the end."""
    if cell_len(text) <= width or width < 8:
        return shorten(text, width)
    tail = max(2, (width - 1) // 3)
    head = width - 1 - tail
    end = text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, head).rstrip() + "…" + end


def fit(cell: Sequence[Span], width: int, *, right: bool = False) -> Cell:
    """The cell in exactly `width` columns: padded (on the left when `right`), or cut with `…`."""
    taken = width_of(cell)
    if taken == width:
        return tuple(cell)
    if taken < width:
        gap = Span(" " * (width - taken))
        return (gap, *cell) if right else (*cell, gap)
    kept: list[Span] = []
    room = width
    for span in cell:
        size = cell_len(span.text)
        if size < room:
            kept.append(span)
            room -= size
            continue
        kept.append(span._replace(text=shorten(span.text + "…", room) if room > 0 else ""))
        break
    short = width - width_of(kept)
    return (*kept, Span(" " * short)) if short > 0 else tuple(kept)


def tint(cell: Iterable[Span], tone: Tone) -> Cell:
    """The same characters, all in one tone."""
    return tuple(span._replace(tone=tone) for span in cell)


def join(cells: Iterable[Cell], gap: str = " ", tone: Tone = Tone.FAINT) -> Cell:
    """The non-empty cells one after the other with a gap between."""
    spans: list[Span] = []
    for cell in cells:
        if not cell:
            continue
        if spans:
            spans.append(Span(gap, tone))
        spans.extend(cell)
    return tuple(spans)


def wrap(cell: Sequence[Span], width: int, *, indent: int = 0, max_lines: int | None = None) -> list[Cell]:
    """The cell broken between words into lines of at most `width` columns; later lines start `indent` columns in.

    A word longer than a line is cut across lines. With `max_lines`, the last line ends in `…` when text is left.
    """
    lines: list[list[Span]] = [[]]
    taken = 0
    for span in cell:
        for word in _words(span.text):
            size = cell_len(word)
            if taken + cell_len(word.rstrip()) > width and taken > indent:
                lines.append([Span(" " * indent)] if indent else [])
                taken = indent
                word = word.lstrip()
                size = cell_len(word)
            while cell_len(word.rstrip()) > width - taken and width > indent:
                piece = _start(word, width - taken) or ("" if taken > indent else word[0])
                lines[-1].append(span._replace(text=piece))
                word = word[len(piece) :]
                lines.append([Span(" " * indent)] if indent else [])
                taken = indent
                size = cell_len(word)
            lines[-1].append(span._replace(text=word))
            taken += size
    if max_lines is not None and len(lines) > max_lines:
        rest = lines[max_lines - 1]
        for line in lines[max_lines:]:
            rest.extend(line[1:] if indent else line)
        lines = [*lines[: max_lines - 1], list(fit(rest, width))]
    return [tuple(line) for line in lines]


def _start(word: str, width: int) -> str:
    """As many characters as fit in `width` columns; none when the first is too wide."""
    for count in range(1, len(word) + 1):
        if cell_len(word[:count]) > width:
            return word[: count - 1]
    return word


def _words(text: str) -> list[str]:
    """Words with the spaces that follow them."""
    words: list[str] = []
    start = 0
    for index in range(1, len(text)):
        if text[index - 1] == " " and text[index] != " ":
            words.append(text[start:index])
            start = index
    words.append(text[start:])
    return words
