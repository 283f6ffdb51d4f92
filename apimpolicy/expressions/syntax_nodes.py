"""The shape of a syntax node, whether the grammar or our own expression parser made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class SyntaxNode(Protocol):
    """What the binder needs of a node, whether the grammar made it or this parser."""

    @property
    def type(self) -> str: ...
    @property
    def start_byte(self) -> int: ...
    @property
    def end_byte(self) -> int: ...
    @property
    def id(self) -> int: ...
    @property
    def is_named(self) -> bool: ...
    @property
    def children(self) -> Sequence[SyntaxNode]: ...
    @property
    def named_children(self) -> Sequence[SyntaxNode]: ...
    def child_by_field_name(self, name: str, /) -> SyntaxNode | None: ...
    def children_by_field_name(self, name: str, /) -> Sequence[SyntaxNode]: ...


class Syn:
    """A node of this parser; named like the grammar's."""

    __slots__ = ("children", "end_byte", "fields", "is_named", "start_byte", "type")

    def __init__(
        self,
        type: str,
        start: int,
        end: int,
        children: Sequence[SyntaxNode] | None = None,
        fields: dict[str, SyntaxNode] | None = None,
        is_named: bool = True,
    ) -> None:
        self.type = type
        self.start_byte = start
        self.end_byte = end
        self.children: Sequence[SyntaxNode] = children or []
        self.fields = fields or {}
        self.is_named = is_named

    @property
    def id(self) -> int:
        return id(self)

    @property
    def named_children(self) -> list[SyntaxNode]:
        return [child for child in self.children if child.is_named]

    def child_by_field_name(self, name: str, /) -> SyntaxNode | None:
        return self.fields.get(name)

    def children_by_field_name(self, name: str, /) -> list[SyntaxNode]:
        found = self.fields.get(name)
        return [] if found is None else [found]


class ExpressionSyntaxError(Exception):
    """The tokens form no expression; `offset` is where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
