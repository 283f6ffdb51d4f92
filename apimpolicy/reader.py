"""Policy text -> tree. Reads raw policy text, which need not be XML: expressions are skipped as C#, not as markup.

Errors name the line, the column and what was expected there. This room judges form only: which elements and attributes
may stand where is for the catalog and the linter.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from apimpolicy.code_extent import ExtentError, end_of_expression
from apimpolicy.entities import decode_entities
from apimpolicy.position import PolicyError, Position
from apimpolicy.tree import Attribute, CData, Comment, Document, Element, Instruction, Node, Text, begins_expression

_NAME: Final = re.compile(r"[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_EQUALS: Final = re.compile(r"[ \t\r\n]*=[ \t\r\n]*")
_MARKUP: Final = re.compile(r"<[A-Za-z_/!?]")
_NEXT_IN_TEXT: Final = re.compile(r"<[A-Za-z_/!?]|@[({]")
_NEXT_IN_VALUE: Final = {quote: re.compile(rf"{quote}|@[({{]") for quote in ("'", '"')}
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_MAX_DEPTH: Final = 150
_MAX_ATTEMPTS: Final = 64
_SNIPPET: Final = 24


class PolicySyntaxError(PolicyError):
    """The text is not a policy document. `rule` is "line-comment" for a `//` that hides a bracket."""

    def __init__(
        self, message: str, position: Position | None = None, expected: str | None = None, rule: str | None = None
    ) -> None:
        super().__init__(message, position, expected)
        self.rule = rule


@dataclass
class _Open:
    """An element whose end tag has not been read."""

    name: str
    attributes: tuple[Attribute, ...]
    start: int
    tag_space: str
    children: list[Node] = field(default_factory=list)


def parse(text: str) -> Document:
    """Read a policy or fragment document. Raises PolicySyntaxError, and nothing else, on any text."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
        self.failed_attempts = 0

    # -- positions and errors ------------------------------------------------------------------------------

    def position(self, offset: int) -> Position:
        line = bisect_right(self.starts, offset)
        column = offset - self.starts[line - 1] + 1
        if line == 1 and self.text.startswith("\ufeff") and offset > 0:
            column -= 1
        return Position(line, column)

    def error(
        self, message: str, offset: int, expected: str | None = None, rule: str | None = None
    ) -> PolicySyntaxError:
        return PolicySyntaxError(message, self.position(offset), expected, rule)

    def found(self, offset: int) -> str:
        """What stands at an offset, in words short enough for a message."""
        if offset >= len(self.text):
            return "the end of the document"
        line = _LINE_END.split(self.text[offset : offset + 200], maxsplit=1)[0]
        if not line:
            return "the end of the line"
        return repr(line if len(line) <= _SNIPPET else line[:_SNIPPET] + "…")

    # -- the document --------------------------------------------------------------------------------------

    def document(self) -> Document:
        if self.text.startswith("\ufeff"):
            self.at = 1
        prologue = self.outside("the root element, <policies> or <fragment>")
        if self.at >= len(self.text):
            raise self.error("the document has no root element", self.at, "<policies> or <fragment>")
        root = self.tree()
        epilogue = self.outside("nothing but comments after the root element's end")
        if self.at < len(self.text):
            raise self.error(
                f"{self.found(self.at)} stands after the end of the root element '{root.name}'",
                self.at,
                "the end of the document",
            )
        return Document(root, prologue, self.text, epilogue)

    def outside(self, expected: str) -> tuple[Node, ...]:
        """Comments, white space and declarations outside the root, up to the next start tag or the end."""
        nodes: list[Node] = []
        while self.at < len(self.text):
            space = _SPACE.match(self.text, self.at)
            if space is not None and space.end() > self.at:
                nodes.append(Text(space.group(), self.position(self.at)))
                self.at = space.end()
                continue
            node = self.quiet_markup()
            if node is not None:
                if isinstance(node, CData):
                    raise self.error("CDATA cannot stand outside the root element", self.at, expected)
                nodes.append(node)
                continue
            if self.text.startswith("<", self.at) and _NAME.match(self.text, self.at + 1) is not None:
                break
            raise self.error(f"expected {expected}, found {self.found(self.at)}", self.at, expected)
        return tuple(nodes)

    def quiet_markup(self) -> Comment | CData | Instruction | None:
        """A comment, CDATA section or instruction at this place, if there is one."""
        text, at = self.text, self.at
        for opening, closing, kind, name in (
            ("<!--", "-->", Comment, "comment"),
            ("<![CDATA[", "]]>", CData, "CDATA section"),
            ("<?", "?>", Instruction, "processing instruction"),
        ):
            if not text.startswith(opening, at):
                continue
            end = text.find(closing, at + len(opening))
            if end < 0:
                raise self.error(f"this {name} is never closed", at, closing)
            self.at = end + len(closing)
            node: Comment | CData | Instruction = kind(text[at + len(opening) : end], self.position(at))
            return node
        return None

    def tree(self) -> Element:
        """The element that begins here, with everything in it; iterative, so that depth costs no stack."""
        opened: list[_Open] = []
        while True:
            done = self.step(opened)
            if done is None:
                continue
            if not opened:
                return done
            opened[-1].children.append(done)

    def step(self, opened: list[_Open]) -> Element | None:
        """Read one piece; returns an element when one is complete."""
        text = self.text
        if not opened:
            return self.start_tag(opened)
        if self.at >= len(text):
            element = opened[-1]
            raise self.error(
                f"the element '{element.name}' is never closed", element.start, f"</{element.name}> before the end"
            )
        if text.startswith("</", self.at):
            return self.end_tag(opened)
        if text.startswith("<", self.at):
            node = self.quiet_markup()
            if node is not None:
                opened[-1].children.append(node)
                return None
            if text.startswith("<!", self.at):
                raise self.error("a declaration cannot stand here", self.at, "an element or a comment '<!-- -->'")
            if _MARKUP.match(text, self.at) is not None:
                return self.start_tag(opened)
        self.text_run(opened[-1])
        return None

    # -- tags ----------------------------------------------------------------------------------------------

    def start_tag(self, opened: list[_Open]) -> Element | None:
        start = self.at
        if len(opened) >= _MAX_DEPTH:
            raise self.error(f"elements are nested more than {_MAX_DEPTH} deep", start)
        match = _NAME.match(self.text, start + 1)
        if match is None:
            raise self.error(f"expected an element name after '<', found {self.found(start + 1)}", start + 1, "a name")
        name = match.group()
        self.at = match.end()
        attributes, space = self.attributes(name)
        if self.text.startswith("/>", self.at):
            self.at += 2
            return Element(name, attributes, (), self.position(start), self.position(self.at), True, space)
        self.at += 1
        element = _Open(name, attributes, start, space)
        opened.append(element)
        if name == "set-body" and any(a.name == "template" and a.value == "liquid" for a in attributes):
            self.liquid(element)
        return None

    def attributes(self, element: str) -> tuple[tuple[Attribute, ...], str]:
        """The attributes up to `>` or `/>`, and the white space before it."""
        found: list[Attribute] = []
        names: set[str] = set()
        while True:
            space_match = _SPACE.match(self.text, self.at)
            space = space_match.group() if space_match is not None else ""
            here = self.at + len(space)
            if self.text.startswith((">", "/>"), here):
                self.at = here
                return tuple(found), space
            name = _NAME.match(self.text, here)
            if name is None or not space:
                raise self.attribute_expected(element, found, here, bool(space))
            if name.group() in names:
                raise self.error(
                    f"the attribute '{name.group()}' stands twice in '{element}'", here, "each attribute once"
                )
            names.add(name.group())
            found.append(self.attribute(element, name.group(), space, here))

    def attribute_expected(self, element: str, found: list[Attribute], here: int, spaced: bool) -> PolicySyntaxError:
        if here >= len(self.text):
            return self.error(f"the start tag of '{element}' is never closed", here, "'>' or '/>'")
        if not found:
            return self.error(
                f"expected an attribute or the end of the tag '{element}', found {self.found(here)}",
                here,
                "'>' or '/>'",
            )
        last = found[-1].name
        if not spaced:
            return self.error(
                f"expected a space, '>' or '/>' after the value of '{last}' in '{element}', found {self.found(here)}; "
                "is a quote doubled or missing?",
                here,
                "a space, '>' or '/>'",
            )
        return self.error(
            f"expected an attribute or the end of the tag '{element}' after '{last}', found {self.found(here)}; "
            "is a quote doubled or missing?",
            here,
            "an attribute name, '>' or '/>'",
        )

    def attribute(self, element: str, name: str, leading: str, start: int) -> Attribute:
        equals = _EQUALS.match(self.text, start + len(name))
        if equals is None:
            raise self.error(
                f"expected '=' after the attribute '{name}' of '{element}', found {self.found(start + len(name))}",
                start + len(name),
                "'='",
            )
        opening = equals.end()
        quote = self.text[opening : opening + 1]
        if quote not in ('"', "'"):
            raise self.error(
                f"expected a quoted value for the attribute '{name}' of '{element}', found {self.found(opening)}",
                opening,
                "a quote",
            )
        end = self.value_end(element, name, opening + 1, quote)
        self.at = end + 1
        raw = self.text[opening + 1 : end]
        return Attribute(name, raw, quote, self.position(start), self.position(opening + 1), leading, equals.group())

    def value_end(self, element: str, name: str, start: int, quote: str) -> int:
        """The offset of the quote that closes a value; quotes inside expressions are C#'s."""
        text = self.text
        space = _SPACE.match(text, start)
        at = space.end() if space is not None else start
        if text.startswith(("@(", "@{"), at):
            try:
                at = end_of_expression(text, at)
            except ExtentError as error:
                close = text.find(quote, at)
                if close < 0 or not _ends_exactly(decode_entities(text[at:close]).strip()):
                    raise self.unclosed(f"the expression in '{name}' of '{element}'", at, error) from None
                return close
        while (stop := _NEXT_IN_VALUE[quote].search(text, at)) is not None:
            if stop.group() == quote:
                return stop.start()
            at = self.embedded(stop.start())
        raise self.error(f"the value of '{name}' in '{element}' is never closed", start - 1, f"a closing {quote}")

    def embedded(self, at: int) -> int:
        """Past an expression in the middle of a literal; past its `@` when it is none."""
        if self.failed_attempts >= _MAX_ATTEMPTS:
            return at + 1
        try:
            return end_of_expression(self.text, at)
        except ExtentError:
            self.failed_attempts += 1  # a literal that merely looks like an expression: not an error
            return at + 1

    def unclosed(self, what: str, start: int, error: ExtentError) -> PolicySyntaxError:
        opened = self.position(error.offset)
        if error.comment_offset >= 0:
            return self.error(
                f"{what} is not closed: the '//' comment hides its closing bracket; use /* */ or end the line after it",
                error.comment_offset,
                f"'{error.expected}' outside the comment",
                "line-comment",
            )
        if error.expected == '"':
            return self.error(
                f"{what} holds a string that is not closed on its line; a ')' or a quote is missing before it",
                error.offset,
                "a closing quote, or the expression's closing bracket before this",
            )
        if error.found:
            return self.error(
                f"{what} has '{error.found}' where '{error.expected}' should close the "
                f"'{self.text[error.offset]}' of line {opened.line}, column {opened.column}",
                error.found_at,
                f"'{error.expected}'",
            )
        return self.error(f"{what} is not closed", error.offset, f"'{error.expected}'")

    def end_tag(self, opened: list[_Open]) -> Element:
        start = self.at
        match = _NAME.match(self.text, start + 2)
        element = opened[-1]
        if match is None or match.group() != element.name:
            begun = self.position(element.start)
            found = match.group() if match is not None else ""
            raise self.error(
                f"the end tag '</{found}>' does not match '<{element.name}>' "
                f"of line {begun.line}, column {begun.column}",
                start,
                f"</{element.name}>",
            )
        space = _SPACE.match(self.text, match.end())
        end = space.end() if space is not None else match.end()
        if not self.text.startswith(">", end):
            raise self.error(f"expected '>' to end '</{element.name}', found {self.found(end)}", end, "'>'")
        self.at = end + 1
        opened.pop()
        return Element(
            element.name,
            element.attributes,
            tuple(element.children),
            self.position(element.start),
            self.position(self.at),
            False,
            element.tag_space,
            self.text[match.end() : end],
        )

    # -- text ----------------------------------------------------------------------------------------------

    def text_run(self, element: _Open) -> None:
        """Text up to the next markup; a `<` inside an expression, or before a blank, is text."""
        text, start = self.text, self.at
        space = _SPACE.match(text, start)
        at = space.end() if space is not None else start
        if text.startswith(("@(", "@{"), at):
            at = self.expression_text_end(element, at)
        at = max(at, start + 1)  # the first character is text by now, be it a '<'
        while (stop := _NEXT_IN_TEXT.search(text, at)) is not None and stop.group()[0] == "@":
            at = self.embedded(stop.start())
        at = stop.start() if stop is not None else len(text)
        self.at = at
        element.children.append(Text(text[start:at], self.position(start)))

    def expression_text_end(self, element: _Open, at: int) -> int:
        try:
            return end_of_expression(self.text, at)
        except ExtentError as error:
            close = self.text.find("<", at)
            if close < 0 or not _ends_exactly(decode_entities(self.text[at:close]).strip()):
                raise self.unclosed(f"the expression in '{element.name}'", at, error) from None
            return close

    def liquid(self, element: _Open) -> None:
        """A liquid template: markup in it belongs to the template, up to the element's end tag."""
        closing = re.compile(rf"</{re.escape(element.name)}[ \t\r\n]*>|<!\[CDATA\[")
        while True:
            match = closing.search(self.text, self.at)
            if match is None:
                return
            if match.start() > self.at:
                element.children.append(Text(self.text[self.at : match.start()], self.position(self.at), True))
                self.at = match.start()
            if not match.group().startswith("<!"):
                return
            node = self.quiet_markup()
            if node is not None:
                element.children.append(node)


def _ends_exactly(value: str) -> bool:
    if not begins_expression(value):
        return False
    try:
        return end_of_expression(value, 0) == len(value)
    except ExtentError:
        return False
