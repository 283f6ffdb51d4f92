"""Named values in policy text: `{{name}}` stands for text that is put in its place before anything else is read.

Source: "Use named values in Azure API Management policies" (Microsoft Learn); names as in the NamedValue contract of
Microsoft.ApiManagement 2024-05-01. Liquid templates use the same braces for their own variables and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from apimpolicy.position import Position
from apimpolicy.tree import advance

_NAMED_VALUE: Final = re.compile(r"\{\{([A-Za-z0-9\-._]{1,256})\}\}")
_QUIET: Final = re.compile(
    r"<!--.*?-->|<set-body\b[^<>]*?\btemplate\s*=\s*[\"']liquid[\"'][^<>]*>.*?</set-body\s*>", re.DOTALL
)


def _matches(text: str) -> Iterator[re.Match[str]]:
    quiet = [match.span() for match in _QUIET.finditer(text)] if "{{" in text else []
    index = 0
    for match in _NAMED_VALUE.finditer(text):
        while index < len(quiet) and quiet[index][1] <= match.start():
            index += 1
        if index < len(quiet) and quiet[index][0] <= match.start():
            continue
        yield match


def substitute_named_values(text: str, values: Mapping[str, str]) -> str:
    """Put each known named value's text in its place; unknown names stay as they are written."""
    pieces: list[str] = []
    at = 0
    for match in _matches(text):
        if match[1] in values:
            pieces += [text[at : match.start()], values[match[1]]]
            at = match.end()
    return "".join([*pieces, text[at:]])


def named_values_in(text: str) -> list[tuple[str, Position]]:
    """The named values a text uses, in order, with the place of each; comments and liquid templates do not count."""
    found: list[tuple[str, Position]] = []
    at, position = 0, Position(1, 1)
    for match in _matches(text):
        position = advance(position, text[at : match.start()])
        at = match.start()
        found.append((match[1], position))
    return found
