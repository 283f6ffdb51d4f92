"""What compile_infra.py needs to know of the Bicep grammar: declarations, and the parts of a syntax node by name.

What this room may not do: evaluate anything, or read a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node


@dataclass
class Declared:
    """A resource or a module as the Bicep declares it."""

    symbol: str
    kind: str  # "resource" or "module"
    header: str  # "type@api-version" of a resource, path of a module
    body: dict[str, Node]
    existing: bool = False
    condition: Node | None = None
    loop: Loop | None = None
    batch_size: int | None = None

    @property
    def type(self) -> str:
        return self.header.split("@")[0]

    @property
    def api_version(self) -> str:
        return self.header.split("@")[1]


@dataclass(frozen=True)
class Loop:
    """`[for (item, index) in over: ...]`."""

    item: str
    index: str | None
    over: Node


def part(node: Node, name: str) -> Node:
    """The child in that role. Raises ValueError when the grammar gave none."""
    found = node.child_by_field_name(name)
    if found is None:
        raise ValueError(f"a {node.type} without {name}")
    return found


def text_of(node: Node) -> str:
    return (node.text or b"").decode()


def decorator_calls(node: Node) -> list[Node]:
    return [mark.named_children[0] for mark in node.named_children if mark.type == "decorator"]


def has_interpolation(node: Node) -> bool:
    return any(child.type == "interpolation" for child in node.named_children)


def unescape(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: plain.get(match[1], match[1]), text)


def plain_text(node: Node) -> str:
    """The value of a string without interpolation."""
    return unescape("".join(text_of(child) for child in node.named_children))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def members(node: Node) -> dict[str, Node]:
    """The properties of an object literal, by name."""
    found = {}
    for member in node.named_children:
        if member.type == "object_property":
            key, value = (child for child in member.named_children if child.type != "comment")
            found[plain_text(key) if key.type == "string" else text_of(key)] = value
    return found
