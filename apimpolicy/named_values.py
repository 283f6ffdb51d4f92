"""Named values in policy text: `{{name}}` stands for text that is put in its place before anything else is read.

Source: "Use named values in Azure API Management policies" (Microsoft Learn); names as in the NamedValue contract of
Microsoft.ApiManagement 2024-05-01. Liquid templates use the same braces for their own variables and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from apimpolicy.entities import encode_attribute, encode_text
from apimpolicy.position import Position
from apimpolicy.tree import Attribute, CData, Element, Node, Text, advance, begins_expression

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


def fill_named_values(root: Element, values: Mapping[str, str]) -> Element:
    """The tree with every known named value in its place, read as the value it is and never as markup.

    A JSON text with quotes may thus stand in an attribute, and a whole `@( )` may be a named value. Inside an
    expression the value becomes C# as it stands. Positions stay those of the document. Unknown names stay.
    """
    if root.name == "set-body" and (root.get("template") or "").lower() == "liquid":
        return root
    attributes = tuple(_filled_attribute(attribute, values) for attribute in root.attributes)
    children = tuple(_filled_node(child, values) for child in root.children)
    if all(map(_same, attributes, root.attributes)) and all(map(_same, children, root.children)):
        return root
    return replace(root, attributes=attributes, children=children)


def _same(one: object, other: object) -> bool:
    return one is other


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _NAMED_VALUE.sub(lambda match: values.get(match[1], match[0]), text)


def _filled_attribute(attribute: Attribute, values: Mapping[str, str]) -> Attribute:
    if "{{" not in attribute.raw:
        return attribute
    filled = _filled(attribute.value, values)
    if filled == attribute.value:
        return attribute
    return replace(attribute, raw=filled if begins_expression(filled) else encode_attribute(filled, attribute.quote))


def _filled_node(node: Node, values: Mapping[str, str]) -> Node:
    if isinstance(node, Element):
        return fill_named_values(node, values)
    if not isinstance(node, Text | CData) or "{{" not in node.value:
        return node
    filled = _filled(node.value, values)
    if filled == node.value:
        return node
    if isinstance(node, CData):
        return replace(node, value=filled)
    return replace(node, raw=filled if node.verbatim or begins_expression(filled) else encode_text(filled))


def named_values_in(text: str) -> list[tuple[str, Position]]:
    """The named values a text uses, in order, with the place of each; comments and liquid templates do not count."""
    found: list[tuple[str, Position]] = []
    at, position = 0, Position(1, 1)
    for match in _matches(text):
        position = advance(position, text[at : match.start()])
        at = match.start()
        found.append((match[1], position))
    return found
