"""Where a policy expression ends: brackets, strings, characters and comments of C#, nothing more.

This room reads characters. It knows that a bracket in a string closes nothing and that `&quot;` may stand for a quote;
whether the text is correct C# is for the expressions package to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_CLOSER: Final = {"(": ")", "{": "}", "[": "]"}
_QUOTE_ENTITY: Final = re.compile(r"&(?:quot|#0*34|#[xX]0*22);")
_STRING_START: Final = re.compile(r"([$@]{0,2})(\"|&(?:quot|#0*34|#[xX]0*22);)")
_CHARACTER: Final = re.compile(
    r"(?:'|&apos;|&#0*39;)(?:\\(?:&[a-z]+;|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{1,4}|.)|&(?:[a-z]+|#x?[0-9a-fA-F]+);|[^\\'\r\n])(?:'|&apos;|&#0*39;)"
)
_PLAIN: Final = re.compile(r"[^()\[\]{}\"'&/$@]+")
_STRING_PLAIN: Final = re.compile(r"[^\"\\&{}\r\n]+")
_MAX_NESTING: Final = 400


class ExtentError(Exception):
    """An expression has no end. `offset` is the bracket or string left open, or the bracket that fits nothing.

    `expected` is the closing character looked for; `found` the one met instead ("" at the end of the text);
    `comment_offset` is a `//` comment that hides the closing bracket on its own line, or -1.
    """

    def __init__(self, offset: int, expected: str, found: str, found_at: int, comment_offset: int = -1) -> None:
        self.offset = offset
        self.expected = expected
        self.found = found
        self.found_at = found_at
        self.comment_offset = comment_offset
        super().__init__(f"expected {expected!r}, found {found!r}")


def end_of_expression(text: str, start: int) -> int:
    """The offset just past the `@(...)` or `@{...}` that begins at `start`. Raises ExtentError when it does not end."""
    return _Scanner(text).expression(start)


def code_spans(text: str) -> list[tuple[int, int, str]]:
    """Cut text into (start, end, kind) with kind "code", "string" or "comment"; together they cover the whole text.

    Text that does not scan to its end (an unclosed string) is "code" from there on.
    """
    scanner = _Scanner(text, record=True)
    at = len(text) - len(text.lstrip())
    if text.startswith(("@(", "@{"), at):
        at += 1
    with suppress(ExtentError):  # the rest counts as code: the caller asks about spans, not about correctness
        scanner.free(at)
    return list(_cover(scanner.spans, len(text)))


def _cover(spans: list[tuple[int, int, str]], length: int) -> Iterator[tuple[int, int, str]]:
    at = 0
    for start, end, kind in sorted(spans):
        if start < at:
            continue
        if start > at:
            yield at, start, "code"
        yield start, end, kind
        at = end
    if at < length:
        yield at, length, "code"


class _Scanner:
    """One pass over one expression; holes of interpolated strings are scanned by recursion, bounded in depth."""

    def __init__(self, text: str, record: bool = False) -> None:
        self.text = text
        self.record = record
        self.spans: list[tuple[int, int, str]] = []
        self.depth = 0
        self.comments: list[tuple[int, int]] = []

    def expression(self, start: int) -> int:
        opener = self.text[start + 1]
        try:
            return self._balanced(start + 1, opener)
        except ExtentError as error:
            error.comment_offset = self._hiding_comment(_CLOSER[opener])
            raise

    def free(self, at: int) -> None:
        """Scan code without asking that brackets match."""
        while at < len(self.text):
            at = self._token(at)

    def _hiding_comment(self, closer: str) -> int:
        for start, end in self.comments:
            if closer in self.text[start:end]:
                return start
        return -1

    def _balanced(self, at: int, opener: str) -> int:
        """From the bracket at `at` to just past the one that closes it."""
        text = self.text
        self.depth += 1
        stack: list[tuple[int, str]] = [(at, _CLOSER[opener])]
        at += 1
        while at < len(text):
            character = text[at]
            if character in "([{":
                stack.append((at, _CLOSER[character]))
                if len(stack) + self.depth > _MAX_NESTING:
                    raise ExtentError(at, stack[-1][1], "", at)
                at += 1
            elif character in ")]}":
                opened_at, expected = stack.pop()
                if character != expected:
                    raise ExtentError(opened_at, expected, character, at)
                at += 1
                if not stack:
                    self.depth -= 1
                    return at
            else:
                at = self._token(at)
        opened_at, expected = stack[-1]
        raise ExtentError(opened_at, expected, "", at)

    def _token(self, at: int) -> int:
        """Step over one string, character, comment or run of plain code."""
        text = self.text
        plain = _PLAIN.match(text, at)
        if plain is not None:
            return plain.end()
        character = text[at]
        if character == "/" and text.startswith("//", at):
            return self._line_comment(at)
        if character == "/" and text.startswith("/*", at):
            end = text.find("*/", at + 2)
            if end < 0:
                raise ExtentError(at, "*/", "", len(text))
            return self._span(at, end + 2, "comment")
        if character in '"$@&':
            opening = _STRING_START.match(text, at)
            if opening is not None:
                return self._string(at, opening)
        if character in "'&":
            literal = _CHARACTER.match(text, at)
            if literal is not None:
                return self._span(at, literal.end(), "string")
        return at + 1

    def _line_comment(self, at: int) -> int:
        ends = [end for end in (self.text.find("\n", at), self.text.find("\r", at)) if end >= 0]
        end = min(ends, default=len(self.text))
        self.comments.append((at, end))
        return self._span(at, end, "comment")

    def _span(self, start: int, end: int, kind: str) -> int:
        if self.record:
            self.spans.append((start, end, kind))
        return end

    def _string(self, start: int, opening: re.Match[str]) -> int:
        """From a string's prefix or quote to just past its closing quote."""
        text = self.text
        verbatim, interpolated = "@" in opening[1], "$" in opening[1]
        entity = opening[2] != '"'
        at = opening.end()
        while at < len(text):
            plain = _STRING_PLAIN.match(text, at)
            if plain is not None:
                at = plain.end()
                continue
            character = text[at]
            quote_end = self._quote_end(at, entity)
            if quote_end > 0:
                doubled = self._quote_end(quote_end, entity) if verbatim else -1
                if doubled < 0:
                    return self._span(start, quote_end, "string")
                at = doubled
            elif character == "\\" and not verbatim:
                escaped = _QUOTE_ENTITY.match(text, at + 1)
                at = escaped.end() if escaped is not None else at + 2
            elif character in "\r\n" and not verbatim:
                raise ExtentError(start, '"', character, at)
            elif character == "{" and interpolated:
                at = at + 2 if text.startswith("{{", at) else self._hole(at)
            else:
                at += 1
        raise ExtentError(start, '"', "", len(text))

    def _quote_end(self, at: int, entity: bool) -> int:
        if not entity:
            return at + 1 if self.text.startswith('"', at) else -1
        match = _QUOTE_ENTITY.match(self.text, at)
        return match.end() if match is not None else -1

    def _hole(self, at: int) -> int:
        if self.depth > 40:
            raise ExtentError(at, "}", "", at)
        recording, self.record = self.record, False
        end = self._balanced(at, "{")
        self.record = recording
        return end
