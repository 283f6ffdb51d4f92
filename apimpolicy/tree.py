"""The nouns of a policy document: elements, attributes, text, comments. Frozen, with positions, nothing inferred.

A tree keeps every character it was read from (raw values, white space inside tags), so that printing it gives the
author's text back. What the characters mean is in `value`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from apimpolicy.code_extent import ExtentError, end_of_expression
from apimpolicy.entities import decode_value
from apimpolicy.position import Position


@dataclass(frozen=True, slots=True)
class ExpressionSource:
    """The C# of one policy expression: `kind` is "inline" for `@( )`, "block" for `@{ }`.

    `position` is where the C# begins, just after the bracket.
    """

    text: str
    kind: str
    position: Position


@dataclass(frozen=True)
class Attribute:
    """`name="raw"`. `leading` is the white space before the name, `equals` what stands between name and quote."""

    name: str
    raw: str
    quote: str
    position: Position
    value_position: Position
    leading: str = " "
    equals: str = "="

    @cached_property
    def value(self) -> str:
        """The decoded value; an expression keeps its `@( )` or `@{ }` around it."""
        return decode_value(self.raw)

    @property
    def expression(self) -> ExpressionSource | None:
        return expression_of(self.value, self.value_position)


@dataclass(frozen=True)
class Text:
    """Characters between tags. `verbatim` text (a liquid template's) is kept as it is, markup and all."""

    raw: str
    position: Position
    verbatim: bool = False

    @cached_property
    def value(self) -> str:
        return self.raw if self.verbatim else decode_value(self.raw)


@dataclass(frozen=True, slots=True)
class Comment:
    """`<!--value-->`."""

    value: str
    position: Position


@dataclass(frozen=True, slots=True)
class CData:
    """`<![CDATA[value]]>`."""

    value: str
    position: Position


@dataclass(frozen=True, slots=True)
class Instruction:
    """`<?value?>`: an XML declaration, or a processing instruction inside a literal."""

    value: str
    position: Position


@dataclass(frozen=True)
class Element:
    """One element. `tag_space` and `end_space` are the white space before the `>` of its start and its end tag."""

    name: str
    attributes: tuple[Attribute, ...]
    children: tuple[Node, ...]
    position: Position
    end_position: Position
    self_closing: bool = False
    tag_space: str = ""
    end_space: str = ""

    def attribute(self, name: str) -> Attribute | None:
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The decoded value of an attribute, or `default`."""
        found = self.attribute(name)
        return default if found is None else found.value

    @cached_property
    def elements(self) -> list[Element]:
        """The children that are elements, in order."""
        return [child for child in self.children if isinstance(child, Element)]

    @cached_property
    def text_content(self) -> str:
        """The element's own text and CDATA, decoded and joined; child elements contribute nothing."""
        return "".join(child.value for child in self.children if isinstance(child, Text | CData))

    @property
    def text_position(self) -> Position:
        """Where the element's own text begins; the element itself when it has none."""
        for child in self.children:
            if isinstance(child, Text | CData) and child.value.strip():
                return child.position
        return self.position

    @property
    def expression(self) -> ExpressionSource | None:
        """The expression that is the element's whole text, if it is one."""
        texts = [child for child in self.children if isinstance(child, Text | CData) and child.value.strip()]
        if len(texts) != 1 or self.elements:
            return None
        return expression_of(texts[0].value, texts[0].position)


Node = Element | Text | Comment | CData | Instruction


@dataclass(frozen=True)
class Document:
    """A whole policy document; `prologue` and `epilogue` hold comments and white space around the root."""

    root: Element
    prologue: tuple[Node, ...]
    text: str
    epilogue: tuple[Node, ...] = ()


def is_expression(value: str) -> bool:
    """Whether a decoded value is one whole `@(...)` or `@{...}`; white space around it is allowed."""
    stripped = value.strip()
    if not stripped.startswith(("@(", "@{")):
        return False
    try:
        return end_of_expression(stripped, 0) == len(stripped)
    except ExtentError:
        return False


def begins_expression(value: str) -> bool:
    """Whether a decoded value begins like an expression, ended or not."""
    return value.lstrip().startswith(("@(", "@{"))


def expression_of(value: str, position: Position) -> ExpressionSource | None:
    """The expression that `value` is, or None for a literal. `position` is where the value begins."""
    if not is_expression(value):
        return None
    start = len(value) - len(value.lstrip()) + 2
    kind = "inline" if value[start - 1] == "(" else "block"
    return ExpressionSource(value.strip()[2:-1], kind, advance(position, value[:start]))


def advance(position: Position, text: str) -> Position:
    """The position after reading `text` from `position`; CR, LF and CRLF each end a line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) == 1:
        return Position(position.line, position.column + len(text))
    return Position(position.line + len(lines) - 1, len(lines[-1]) + 1)
