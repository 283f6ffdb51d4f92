"""From the text of a policy expression to a C# syntax tree.

This room only parses: it knows how `@( )` and `@{ }` are wrapped so that the grammar accepts them, and where a
node stands in the author's document. It may not judge types or members, and it evaluates nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import tree_sitter_c_sharp
from tree_sitter import Language, Node, Parser

from apimpolicy.expressions.expression_parser import ExpressionParser
from apimpolicy.expressions.syntax_nodes import ExpressionSyntaxError, SyntaxNode
from apimpolicy.position import Position

_WRAPPERS: Final[dict[str, tuple[bytes, bytes]]] = {
    "inline": (b"return (\n", b"\n);"),
    "block": (b"object policy() {\n", b"\n}"),
}
_LANGUAGE: Final = Language(tree_sitter_c_sharp.language())


class SyntaxTree:
    """One parsed expression: `.body` is the expression node (inline) or the block node (block), `.error` what is wrong
    with the text and at which byte.

    Positions of nodes are relative to the author's text: the wrapper occupies one line before it.
    """

    __slots__ = ("_anchors", "_parsed", "body", "error", "kind", "root", "source", "text")

    def __init__(self, text: str, kind: str) -> None:
        if kind not in _WRAPPERS:
            raise ValueError(f"kind is 'inline' or 'block', not {kind!r}")
        before, after = _WRAPPERS[kind]
        self.text = text
        self.kind = kind
        self.source = before + text.encode("utf-8", "replace") + after
        self._anchors: dict[tuple[int, str], Node] | None = None
        self._parsed: dict[int, SyntaxNode] = {}
        root = self.root = Parser(_LANGUAGE).parse(self.source).root_node
        self.body: SyntaxNode | None = _unwrap(root, kind)
        self.error: tuple[str, int] | None = None
        if self.body is None or root.has_error or _missing_operand(root) is not None:
            self._settle(root, kind, len(before), len(self.source) - len(after))

    def _settle(self, root: Node, kind: str, start: int, end: int) -> None:
        """Say what is wrong and where; an inline expression that reads well by C#'s own rules is kept."""
        found = _first_error(root) or _missing_operand(root) or root
        if kind == "inline":
            try:
                self.body = ExpressionParser(self.source, start, end, self._anchor).parse()
            except ExpressionSyntaxError as error:
                self.error = error.message, min(error.offset, end)
            return
        self.error = _describe(found, self.text_of(found)), min(max(found.start_byte, start), end)

    def expression(self, node: SyntaxNode) -> SyntaxNode:
        """The expression at a node of the grammar, with C#'s own precedence. Raises ExpressionSyntaxError."""
        found = self._parsed.get(node.id)
        if found is None:
            found = ExpressionParser(self.source, node.start_byte, node.end_byte, self._anchor).parse()
            self._parsed[node.id] = found
        return found

    def _anchor(self, offset: int, type: str) -> SyntaxNode | None:
        """The grammar's node of that type that begins at a byte offset."""
        if self._anchors is None:
            self._anchors = {}
            stack = [self.root]
            while stack:
                node = stack.pop()
                if node.type in ("block", "interpolated_string_expression"):
                    self._anchors[node.start_byte, node.type] = node
                stack.extend(node.children)
        return self._anchors.get((offset, type))

    def text_of(self, node: SyntaxNode) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8")

    def position_of(self, node: SyntaxNode, start: Position | None) -> Position:
        """Where `node` stands in the author's document, when the expression's text begins at `start`."""
        return self.position_at(node.start_byte, start)

    def position_at(self, offset: int, start: Position | None) -> Position:
        """The same for a byte offset of the wrapped source."""
        line_start = self.source.rfind(b"\n", 0, offset) + 1
        column = len(self.source[line_start:offset].decode("utf-8", "replace"))
        line = max(self.source.count(b"\n", 0, offset) - 1, 0)
        base = start or Position(1, 1)
        return Position(base.line + line, base.column + column if line == 0 else column + 1)


def _unwrap(root: Node, kind: str) -> Node | None:
    """The node of the author's own code, or None when the text closed our wrapper (`a); (b`)."""
    if len(root.named_children) != 1:
        comments = [child for child in root.named_children if child.type != "comment"]
        if len(comments) != 1:
            return None
    statement = next(child for child in root.named_children if child.type != "comment")
    if statement.type != "global_statement" or not statement.named_children:
        return None
    inner = statement.named_children[0]
    if kind == "inline":
        if inner.type != "return_statement":
            return None
        wrapped = [child for child in inner.named_children if child.type != "comment"]
        if len(wrapped) != 1 or wrapped[0].type != "parenthesized_expression":
            return None
        content = [child for child in wrapped[0].named_children if child.type != "comment"]
        return content[0] if len(content) == 1 else None
    if inner.type != "local_function_statement":
        return None
    return inner.child_by_field_name("body")


def _describe(node: Node, text: str) -> str:
    if node.is_missing:
        return f"'{node.type}' is missing"
    if node.type == "identifier":
        return "an operand is missing"
    lines = text.strip().splitlines()
    return (
        f"C# syntax error near '{lines[0][:40]}'" if lines and node.type == "ERROR" else "these are not C# statements"
    )


def _first_error(root: Node) -> Node | None:
    """The first ERROR or MISSING node in document order."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_missing or node.type == "ERROR":
            return node
        if node.has_error:
            stack.extend(reversed(node.children))
    return None


def _missing_operand(root: Node) -> Node | None:
    """The grammar repairs a missing operand by a zero-width identifier without calling it an error."""
    cursor = root.walk()
    while True:
        node = cursor.node
        if node is not None and node.type == "identifier" and node.start_byte == node.end_byte:
            return node
        if cursor.goto_first_child() or cursor.goto_next_sibling():
            continue
        while True:
            if not cursor.goto_parent():
                return None
            if cursor.goto_next_sibling():
                break


@lru_cache(maxsize=4096)
def has_syntax_error(text: str, kind: str) -> bool:
    """Whether `text` (without the `@( )` or `@{ }` around it) fails to parse as C#.

    `kind` is "inline" for `@( )` and "block" for `@{ }`; anything else raises ValueError. Answers are cached.
    """
    return SyntaxTree(text, kind).error is not None
