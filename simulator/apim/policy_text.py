"""The text of a policy document as API Management gives it back: never quite what was written.

Source: the examples of API Management REST 2024-05-01 `GetPolicy` and `GetPolicyFormat`: lines end in CRLF, elements
are
indented by tabs in `rawxml` and by two spaces in `xml`, empty elements close themselves with a space before the slash,
text inside an element is left as it was.
Assumed: attributes come back in double quotes, in the order they were written; comments stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from apimpolicy.document import (
    CData,
    Comment,
    Element,
    Instruction,
    Node,
    PolicySyntaxError,
    Text,
    encode_attribute,
    encode_text,
    is_expression,
    parse,
)


@lru_cache(maxsize=512)
def serialise(text: str, wanted: str) -> str:
    """A stored (`rawxml`) document in the form `wanted`: `xml` or `rawxml`. What cannot be read comes back as it is."""
    try:
        document = parse(text)
    except PolicySyntaxError:
        return text
    writer = _Writer(raw=wanted == "rawxml", indent="\t" if wanted == "rawxml" else "  ")
    for node in (*document.prologue, document.root, *document.epilogue):
        writer.write(node, 0)
    return "\r\n".join(writer.lines)


def from_escaped(text: str) -> str:
    """A document written as `xml` (expressions escaped) in its `rawxml` form, laid out as it was.

    Raises:
        PolicySyntaxError: it cannot be read.
    """
    document = parse(text)
    return "".join(_unescaped(node) for node in (*document.prologue, document.root, *document.epilogue))


def _unescaped(node: Node) -> str:
    if isinstance(node, Text):
        return node.value if is_expression(node.value) else node.raw
    if not isinstance(node, Element):
        return _other(node)
    attributes = "".join(
        f"{a.leading}{a.name}{a.equals}{a.quote}{a.value if is_expression(a.value) else a.raw}{a.quote}"
        for a in node.attributes
    )
    if node.self_closing and not node.children:
        return f"<{node.name}{attributes}{node.tag_space}/>"
    inner = "".join(_unescaped(child) for child in node.children)
    return f"<{node.name}{attributes}{node.tag_space}>{inner}</{node.name}{node.end_space}>"


def _other(node: Comment | CData | Instruction) -> str:
    if isinstance(node, Comment):
        return f"<!--{node.value}-->"
    if isinstance(node, CData):
        return f"<![CDATA[{node.value}]]>"
    return f"<?{node.value}?>"


class _Writer:
    """Writes a tree the service's way, line by line."""

    def __init__(self, *, raw: bool, indent: str) -> None:
        self._raw = raw
        self._indent = indent
        self.lines: list[str] = []

    def write(self, node: Node, depth: int) -> None:
        """Add a node as lines of its own; blank text is layout and goes."""
        margin = self._indent * depth
        if isinstance(node, Element):
            self._write_element(node, depth)
        elif not isinstance(node, Text):
            self.lines.append(f"{margin}{_other(node)}")
        elif node.value.strip():
            self.lines.append(f"{margin}{self._text(node)}")

    def _write_element(self, element: Element, depth: int) -> None:
        margin = self._indent * depth
        head = margin + self._head(element)
        if not _has_content(element.children):
            self.lines.append(f"{head} />")
        elif _has_text(element.children):
            self.lines.append(f"{head}>{self._inline(element.children)}</{element.name}>")
        else:
            self.lines.append(f"{head}>")
            for child in element.children:
                self.write(child, depth + 1)
            self.lines.append(f"{margin}</{element.name}>")

    def _head(self, element: Element) -> str:
        return f"<{element.name}" + "".join(f' {a.name}="{self._value(a.value)}"' for a in element.attributes)

    def _inline(self, children: Sequence[Node]) -> str:
        pieces = []
        for child in children:
            if isinstance(child, Element):
                body = self._inline(child.children)
                pieces.append(f"{self._head(child)}>{body}</{child.name}>" if body else f"{self._head(child)} />")
            elif isinstance(child, Text):
                pieces.append(self._text(child))
            else:
                pieces.append(_other(child))
        return "".join(pieces)

    def _text(self, text: Text) -> str:
        if text.verbatim:
            return text.raw
        return text.value if self._raw and is_expression(text.value) else encode_text(text.value)

    def _value(self, value: str) -> str:
        return value if self._raw and is_expression(value) else encode_attribute(value)


def _has_text(children: Sequence[Node]) -> bool:
    return any(isinstance(child, Text | CData) and child.value.strip() for child in children)


def _has_content(children: Sequence[Node]) -> bool:
    return any(not isinstance(child, Text) or child.value.strip() for child in children)
