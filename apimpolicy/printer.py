"""Tree -> text, and when two documents mean the same.

`print_document` gives back what was read, to the character. `canonical` drops what Azure may change when it
re-serialises a document: white space between elements, the order and quoting of attributes, escapes, line ends.
"""

from __future__ import annotations

import re
from typing import Final

from apimpolicy.code_extent import code_spans
from apimpolicy.entities import encode_attribute, encode_text
from apimpolicy.tree import CData, Comment, Document, Element, Instruction, Node, Text, begins_expression, is_expression

_RUN: Final = re.compile(r"\s+")
_KEEPS_SPACE: Final = frozenset({"set-body"})


def print_document(document: Document) -> str:
    """The document as text. For a tree fresh from `parse` this is the text that was parsed."""
    pieces: list[str] = ["\ufeff"] if document.text.startswith("\ufeff") else []
    for node in (*document.prologue, document.root, *document.epilogue):
        _print(node, pieces)
    return "".join(pieces)


def print_node(node: Node) -> str:
    """One node as text."""
    pieces: list[str] = []
    _print(node, pieces)
    return "".join(pieces)


def inner_markup(element: Element) -> str:
    """Everything between an element's tags: decoded text when it holds no elements, else the markup as written."""
    if not element.elements:
        return element.text_content
    return "".join(print_node(child) for child in element.children if not isinstance(child, Comment))


def _print(node: Node, pieces: list[str]) -> None:
    if isinstance(node, Text):
        pieces.append(node.raw)
    elif isinstance(node, Comment):
        pieces.append(f"<!--{node.value}-->")
    elif isinstance(node, CData):
        pieces.append(f"<![CDATA[{node.value}]]>")
    elif isinstance(node, Instruction):
        pieces.append(f"<?{node.value}?>")
    else:
        pieces.append(f"<{node.name}")
        for attribute in node.attributes:
            pieces.append(
                f"{attribute.leading}{attribute.name}{attribute.equals}{attribute.quote}{attribute.raw}{attribute.quote}"
            )
        if node.self_closing and not node.children:
            pieces.append(f"{node.tag_space}/>")
            return
        pieces.append(f"{node.tag_space}>")
        for child in node.children:
            _print(child, pieces)
        pieces.append(f"</{node.name}{node.end_space}>")


def same_meaning(one: Document, other: Document) -> bool:
    """Whether two documents differ only in what carries no meaning (comments included)."""
    return canonical(one) == canonical(other)


def canonical(document: Document, *, comments: bool = False) -> str:
    """A normal form, one element or text a line, for comparing and for diffs; `comments` keeps comments."""
    lines: list[str] = []
    if comments:
        lines += [f"<!--{_collapse(node.value)}-->" for node in document.prologue if isinstance(node, Comment)]
    _canonical(document.root, 0, lines, comments)
    if comments:
        lines += [f"<!--{_collapse(node.value)}-->" for node in document.epilogue if isinstance(node, Comment)]
    return "\n".join(lines) + "\n"


def _canonical(element: Element, depth: int, lines: list[str], comments: bool) -> None:
    indent = "  " * depth
    attributes = "".join(
        f' {a.name}="{_canonical_value(a.value)}"' for a in sorted(element.attributes, key=lambda a: a.name)
    )
    body: list[str] = []
    text = ""
    verbatim = any(isinstance(child, Text) and child.verbatim for child in element.children)
    for child in element.children:
        if isinstance(child, Text | CData):
            text += child.value
            continue
        if isinstance(child, Comment) and not comments:
            continue
        _canonical_text(text, element.name, depth + 1, body, verbatim)
        text = ""
        if isinstance(child, Element):
            _canonical(child, depth + 1, body, comments)
        elif isinstance(child, Comment):
            body.append(f"{indent}  <!--{_collapse(child.value)}-->")
        else:
            body.append(f"{indent}  <?{_collapse(child.value)}?>")
    _canonical_text(text, element.name, depth + 1, body, verbatim)
    if not body:
        lines.append(f"{indent}<{element.name}{attributes} />")
    else:
        lines += [f"{indent}<{element.name}{attributes}>", *body, f"{indent}</{element.name}>"]


def _canonical_text(text: str, element: str, depth: int, lines: list[str], verbatim: bool) -> None:
    if not text.strip():
        return
    if is_expression(text):
        lines.append("  " * depth + canonical_code(text))
        return
    literal = text.replace("\r\n", "\n").replace("\r", "\n")
    if verbatim:
        lines.append("  " * depth + literal.strip())
        return
    lines.append("  " * depth + encode_text(literal.strip() if element in _KEEPS_SPACE else _collapse(literal)))


def _canonical_value(value: str) -> str:
    return canonical_code(value) if begins_expression(value) else encode_attribute(_collapse(value))


def canonical_code(value: str) -> str:
    """An expression without its comments and with each run of white space outside strings as one blank."""
    pieces = []
    for start, end, kind in code_spans(value):
        if kind == "comment":
            pieces.append(" ")
        elif kind == "string":
            pieces.append(value[start:end].replace("\r\n", "\n").replace("\r", "\n"))
        else:
            pieces.append(_RUN.sub(" ", value[start:end]))
    joined = "".join(pieces)
    # comments between blanks leave several: collapse again, outside strings only
    return "".join(
        joined[start:end] if kind == "string" else _RUN.sub(" ", joined[start:end])
        for start, end, kind in code_spans(joined)
    ).strip()


def _collapse(text: str) -> str:
    return _RUN.sub(" ", text).strip()
