"""API Management's refusals, brought back to the lines of the file that was sent.

Source: API Management error responses: code `ValidationError`, the useful text in `details[]`, framed "Error in element
'x' on line L, column C: ..." or ending in "Line L, position C.". Text is sent as the file holds it, so lines agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.errors import ConsoleError

_FRAMED = re.compile(
    r"Error in element '(?P<element>[^']*)' on line (?P<line>\d+), column (?P<column>\d+):\s*(?P<rest>.*)", re.DOTALL
)
_AT_END = re.compile(r"^(?P<rest>.*?)\.?\s*Line (?P<line>\d+), position (?P<column>\d+)\.?\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason. `line` and `column` are 1-based, None when Azure gave none; `source` is the file's line there."""

    file: str
    message: str
    line: int | None = None
    column: int | None = None
    source: str = ""

    @property
    def text(self) -> str:
        """As compilers write it."""
        at = "" if self.line is None else f":{self.line}:{self.column}"
        return f"{self.file}{at}: error: {self.message}"


def refusals_of(error: ConsoleError, file: str, text: str) -> tuple[Refusal, ...]:
    """The reasons of a refused write, with the lines they point at; empty when it was no validation error."""
    messages = _messages(error)
    return tuple(_refusal(message, file, text.split("\n")) for message in messages)


def _messages(error: ConsoleError) -> list[str]:
    details = _details(error)
    if details:
        return details
    return [error.what] if _FRAMED.search(error.what) or "ValidationError" in error.what else []


def _details(error: BaseException) -> list[str]:
    """`details[].message` of the answer behind an error, as the client or the answer's body has them."""
    cause = error.__cause__
    found: list[str] = []
    for holder in (getattr(cause, "error", None), cause):
        for detail in getattr(holder, "details", None) or ():
            message = detail.get("message") if isinstance(detail, Mapping) else getattr(detail, "message", None)
            if message:
                found.append(str(message))
        if found:
            return found
    return found


def _refusal(message: str, file: str, lines: list[str]) -> Refusal:
    match = _FRAMED.search(message) or _AT_END.search(message)
    if match is None:
        return Refusal(file, message.strip())
    parts: dict[str, Any] = match.groupdict()
    line, column = int(parts["line"]), int(parts["column"])
    element = f"in <{parts['element']}>: " if parts.get("element") else ""
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return Refusal(file, element + parts["rest"].strip(), line, column, source)
