"""The text of a policy document as API Management gives it back: never quite what was written.

Source: the examples of API Management REST 2024-05-01 `GetPolicy` and `GetPolicyFormat`: lines end in CRLF, elements are
indented by tabs in `rawxml` and by two spaces in `xml`, empty elements close themselves with a space before the slash,
text inside an element is left as it was.
Assumed: attributes come back in double quotes, in the order they were written; comments stay.
"""

from __future__ import annotations

from functools import lru_cache
from html import unescape
from typing import Any

from simulator.apim.policy_language import PARSER


@lru_cache(maxsize=512)
def serialise(text: str, wanted: str) -> str:
    """A stored (`rawxml`) document in the form `wanted`: `xml` or `rawxml`."""
    if PARSER is None:
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    try:
        document = PARSER.parse(text)
    except PARSER.error:
        # Written past the checks (a scenario did); what cannot be read is given back as it stands.
        return text
    indent = "\t" if wanted == "rawxml" else "  "
    lines: list[str] = [piece.strip() for piece in [_prologue(document)] if piece.strip()]
    _print(document.root, 0, indent, wanted == "rawxml", lines)
    return "\r\n".join(lines)


def from_escaped(text: str) -> str:
    """A document written as `xml` (expressions escaped) in its `rawxml` form."""
    if PARSER is None:
        return text
    try:
        document = PARSER.parse(text)
    except PARSER.error:
        return text
    lines: list[str] = [piece.strip() for piece in [_prologue(document)] if piece.strip()]
    _print(document.root, 0, "    ", True, lines)
    return "\n".join(lines)


def _prologue(document: Any) -> str:
    prologue = document.prologue
    if isinstance(prologue, str):
        return prologue
    return "\r\n".join(_comment(entry) for entry in prologue if type(entry).__name__ == "Comment")


def _comment(entry: Any) -> str:
    text = str(entry.text)
    return text if text.startswith("<!--") else f"<!--{text}-->"


def _print(element: Any, depth: int, indent: str, raw: bool, lines: list[str]) -> None:
    margin = indent * depth
    head = f"{margin}<{element.name}" + "".join(f' {a.name}="{_value(a.value, raw)}"' for a in element.attributes)
    children = [child for child in element.children if not _is_blank(child)]
    if not children:
        lines.append(f"{head} />")
        return
    if any(_is_text(child) for child in children):
        inner = "".join(_inline(child, raw) for child in element.children)
        lines.append(f"{head}>{inner}</{element.name}>")
        return
    lines.append(f"{head}>")
    for child in children:
        if _is_element(child):
            _print(child, depth + 1, indent, raw, lines)
        else:
            lines.append(f"{indent * (depth + 1)}{_comment(child)}")
    lines.append(f"{margin}</{element.name}>")


def _is_element(child: Any) -> bool:
    return hasattr(child, "children")


def _is_text(child: Any) -> bool:
    return type(child).__name__ in ("Text", "CData")


def _is_blank(child: Any) -> bool:
    return type(child).__name__ == "Text" and not str(child.text).strip()


def _inline(child: Any, raw: bool) -> str:
    if _is_element(child):
        lines: list[str] = []
        _print(child, 0, "", raw, lines)
        return "".join(lines)
    if type(child).__name__ == "CData":
        return f"<![CDATA[{child.text}]]>"
    if type(child).__name__ == "Comment":
        return _comment(child)
    return _text(str(child.text), raw)


def _is_expression(value: str) -> bool:
    return value.strip().startswith(("@(", "@{"))


def _text(value: str, raw: bool) -> str:
    if raw and _is_expression(value):
        return value
    return _escape(value)


def _value(value: str, raw: bool) -> str:
    if raw and _is_expression(value):
        return value
    return _escape(value).replace('"', "&quot;")


def _escape(value: str) -> str:
    plain = unescape(value) if "&" in value else value
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
