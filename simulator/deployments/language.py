"""The ARM template language: `[...]` strings parsed into trees.

Grammar: a string that begins with `[` and ends with `]` is an expression, `[[` escapes a literal bracket. An expression
is a literal ('text' with '' for a quote, an integer, or the words true, false and null), a function call, or either
of them followed by `.name`, `.?name`, `[index]` or `[?index]`.
Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


class TemplateError(Exception):
    """The template cannot be evaluated. `code` is Azure's error code (InvalidTemplate unless said otherwise)."""

    def __init__(self, message: str, code: str = "InvalidTemplate") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, an integer, true, false or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments. Function names are compared lower-case."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """`subject.name` or `subject[index]`; `is_safe` for the `?` forms, which give null instead of failing."""

    subject: Node
    index: Node
    is_safe: bool = False


Node = Literal | Call | Access

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_][\w$]*)|(?P<mark>\.\?|[().,\[\]?]))"
)


def is_expression(text: str) -> bool:
    """Whether a template string is an expression rather than a literal."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def literal_of(text: str) -> str:
    """The value of a template string that is no expression: `[[` loses its first bracket."""
    return text[1:] if text.startswith("[[") else text


@lru_cache(maxsize=8192)
def parse_expression(text: str) -> Node:
    """Parse the whole `[...]` string.

    Raises:
        TemplateError: it is not an expression of the language.
    """
    parser = _Parser(text[1:-1])
    node = parser.expression()
    parser.end()
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and every node below it."""
    yield node
    if isinstance(node, Call):
        for argument in node.arguments:
            yield from walk(argument)
    elif isinstance(node, Access):
        yield from walk(node.subject)
        yield from walk(node.index)


def expressions_in(value: Any) -> Iterator[Node]:
    """Every expression standing anywhere in a JSON value, keys included."""
    if isinstance(value, str):
        if is_expression(value):
            yield parse_expression(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from expressions_in(key)
            yield from expressions_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from expressions_in(item)


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self._source, self._at)

    def _take(self, mark: str) -> bool:
        token = self._peek()
        if token is not None and token.group("mark") == mark:
            self._at = token.end()
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise self._error(f"expected '{mark}'")

    def _error(self, what: str) -> TemplateError:
        return TemplateError(
            f"Unable to parse language expression '{self._source}': {what} at position {self._at + 1}."
        )

    def end(self) -> None:
        if self._source[self._at :].strip():
            raise self._error("expected the end of the expression")

    def expression(self) -> Node:
        node = self._primary()
        while True:
            if self._take("."):
                node = Access(node, Literal(self._name()))
            elif self._take(".?"):
                node = Access(node, Literal(self._name()), is_safe=True)
            elif self._take("["):
                is_safe = self._take("?")
                node = Access(node, self.expression(), is_safe=is_safe)
                self._expect("]")
            else:
                return node

    def _name(self) -> str:
        token = self._peek()
        if token is None or token.group("name") is None:
            raise self._error("expected a name")
        self._at = token.end()
        return token.group("name")

    def _primary(self) -> Node:
        token = self._peek()
        if token is None:
            raise self._error("expected a literal or a function")
        self._at = token.end()
        if (string := token.group("string")) is not None:
            return Literal(string[1:-1].replace("''", "'"))
        if (number := token.group("number")) is not None:
            return Literal(int(number))
        name = token.group("name")
        if name is None:
            raise self._error("expected a literal or a function")
        if self._take("("):
            return Call(name.lower(), self._arguments())
        if self._take("."):
            # Namespaced functions of user-defined namespaces and `sys.`: the name after the dot is called.
            inner = self._name()
            self._expect("(")
            prefix = "" if name.lower() == "sys" else f"{name.lower()}."
            return Call(prefix + inner.lower(), self._arguments())
        words = {"true": True, "false": False, "null": None}
        if name.lower() in words:
            return Literal(words[name.lower()])
        raise self._error(f"'{name}' is not a function call")

    def _arguments(self) -> tuple[Node, ...]:
        if self._take(")"):
            return ()
        arguments = [self.expression()]
        while self._take(","):
            arguments.append(self.expression())
        self._expect(")")
        return tuple(arguments)
