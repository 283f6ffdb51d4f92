"""The OData subset of API Management's `$filter`: comparisons and four text functions, joined by and/or.

Source: API Management REST reference, list operations ("Field | Usage | Supported operators | Supported functions"):
`ge le eq ne gt lt`; `substringof contains startswith endswith`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from simulator.resources.errors import ArmError

Predicate = Callable[[dict[str, Any]], bool]
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[\w/.\-]+)|(?P<mark>[(),]))")
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: part in whole,
    "startswith": lambda whole, part: whole.startswith(part),
    "endswith": lambda whole, part: whole.endswith(part),
}


def parse_filter(text: str, fields: tuple[str, ...]) -> Predicate:
    """Compile a filter over resource bodies. Text compares without regard to case.

    Args:
        fields: the fields the list may be filtered by; others are refused.

    Raises:
        ArmError: 400, when the text is no filter or names another field.
    """
    return _Parser(text, fields).parse()


class _Parser:
    def __init__(self, text: str, fields: tuple[str, ...]) -> None:
        self._text = text
        self._fields = {field.lower(): field for field in fields}
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(f"unexpected character at {position}")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind]))
            position = match.end()

    def _error(self, reason: str) -> ArmError:
        return ArmError(
            400, "ValidationError", f"Invalid filter clause specified: '{self._text}': {reason}.", "$filter"
        )

    def parse(self) -> Predicate:
        predicate = self._alternatives()
        if self._at != len(self._tokens):
            raise self._error(f"unexpected '{self._tokens[self._at][1]}'")
        return predicate

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._error("it ends too early")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1].lower() == word:
            self._at += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise self._error(f"'{mark}' expected")

    def _alternatives(self) -> Predicate:
        left = self._conjunction()
        while self._accept("or"):
            left = _either(left, self._conjunction())
        return left

    def _conjunction(self) -> Predicate:
        left = self._term()
        while self._accept("and"):
            left = _both(left, self._term())
        return left

    def _term(self) -> Predicate:
        if self._accept("("):
            inner = self._alternatives()
            self._expect(")")
            return inner
        kind, word = self._next()
        if kind != "word":
            raise self._error(f"a field or function was expected, not {word}")
        if word.lower() in (*_FUNCTIONS, "substringof"):
            return self._function(word.lower())
        read = self._field(word)
        operator = self._next()[1].lower()
        if operator not in _COMPARISONS:
            raise self._error(f"'{operator}' is not an operator")
        compare, literal = _COMPARISONS[operator], self._literal()
        return lambda body: (value := read(body)) is not None and compare(value, literal)

    def _function(self, name: str) -> Predicate:
        self._expect("(")
        if name == "substringof":
            literal = self._literal()
            self._expect(",")
            read = self._field(self._next()[1])
            name = "contains"
        else:
            read = self._field(self._next()[1])
            self._expect(",")
            literal = self._literal()
        self._expect(")")
        test = _FUNCTIONS[name]
        if self._accept("eq"):
            wanted = self._literal() == "true"
            return lambda body: ((value := read(body)) is not None and test(value, literal)) == wanted
        return lambda body: (value := read(body)) is not None and test(value, literal)

    def _literal(self) -> str:
        kind, value = self._next()
        if kind == "text":
            value = value[1:-1].replace("''", "'")
        elif kind != "word":
            raise self._error(f"a value was expected, not '{value}'")
        return value.lower()

    def _field(self, word: str) -> Callable[[dict[str, Any]], str | None]:
        name = word.removeprefix("properties/")
        known = self._fields.get(name.lower())
        if known is None:
            raise self._error(
                f"'{word}' is not a field one can filter by ({', '.join(self._fields.values()) or 'none'})"
            )

        def read(body: dict[str, Any]) -> str | None:
            value = body.get("name") if known == "name" else body.get("properties", {}).get(known)
            if value is None:
                return None
            return str(value).lower()

        return read


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda body: left(body) or right(body)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda body: left(body) and right(body)
