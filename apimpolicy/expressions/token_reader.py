"""Tokens of a C# expression, and the types written among them: what the expression parser reads from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from apimpolicy.expressions.syntax_nodes import ExpressionSyntaxError, Syn, SyntaxNode


class Token:
    __slots__ = ("end", "kind", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end


_TOKEN: Final = re.compile(
    rb"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    rb'|(?P<interpolated>\$@?"|@\$")'
    rb'|(?P<verbatim>@"(?:[^"]|"")*")'
    rb'|(?P<string>"(?:[^"\\\n]|\\.)*"(?:u8|U8)?)'
    rb"|(?P<char>'(?:[^'\\\n]|\\[^\n][0-9a-fA-F]*)')"
    rb"|(?P<number>0[xX][0-9a-fA-F_]+[uUlL]*|0[bB][01_]+[uUlL]*"
    rb"|(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?[fFdDmM]?|[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?[fFdDmMuUlL]*)"
    rb"|(?P<id>@?[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)"
    rb"|(?P<op>\?\?=|\?\?|\?\s*\.(?![0-9])|=>|==|!=|<=|>=|&&|\|\||\+\+|--|\+=|-=|\*=|/=|%=|&=|\|=|\^=|<<=|<<|->|::|\.\."
    rb"|[-+*/%&|^!~=<>?:;,.(){}\[\]])",
    re.S,
)
PREDEFINED: Final = frozenset(
    [
        "bool",
        "byte",
        "char",
        "decimal",
        "double",
        "float",
        "int",
        "long",
        "object",
        "sbyte",
        "short",
        "string",
        "uint",
        "ulong",
        "ushort",
        "void",
    ]
)
_NEVER_NAMES: Final = frozenset(
    [
        "is",
        "as",
        "new",
        "null",
        "true",
        "false",
        "in",
        "out",
        "ref",
        "throw",
        "default",
        "typeof",
        "sizeof",
        "checked",
        "unchecked",
        "switch",
        "return",
        "if",
        "else",
        "for",
        "foreach",
        "while",
        "do",
        "break",
        "continue",
        "try",
        "catch",
        "finally",
        "using",
        "lock",
        "goto",
        "case",
        "const",
        "this",
        "base",
        "stackalloc",
    ]
)
Anchor = Callable[[int, str], "SyntaxNode | None"]


def _written(token: bytes) -> str:
    """A token's text; `?.` may be written over two lines."""
    return "?." if token[:1] == b"?" and token[-1:] == b"." else token.decode("utf-8", "replace")


class TokenReader:
    """Holds the tokens and the place; `anchor(offset, type)` finds the grammar's node of a string or block."""

    def __init__(self, source: bytes, start: int, end: int, anchor: Anchor) -> None:
        self.source = source
        self.anchor = anchor
        self.tokens = self._tokenize(start, end)
        self.at = 0
        self.end = end

    # -- tokens ----------------------------------------------------------------------------------------------

    def _tokenize(self, start: int, end: int) -> list[Token]:
        tokens: list[Token] = []
        at = start
        while at < end:
            match = _TOKEN.match(self.source, at, end)
            if match is None:
                raise ExpressionSyntaxError(f"unexpected character '{chr(self.source[at])}'", at)
            kind = match.lastgroup or ""
            stop = match.end()
            if kind == "interpolated":
                node = self.anchor(at, "interpolated_string_expression")
                if node is None:
                    raise ExpressionSyntaxError("this string is not closed", at)
                stop = node.end_byte
            elif kind == "op" and match[0] == b"{":
                block = self._lambda_block(tokens, at)
                if block is not None:
                    tokens.append(Token("block", "{", at, block.end_byte))
                    at = block.end_byte
                    continue
            if kind != "space":
                tokens.append(Token(kind, _written(self.source[at:stop]), at, stop))
            at = stop
        return tokens

    def _lambda_block(self, tokens: list[Token], at: int) -> SyntaxNode | None:
        if not tokens or tokens[-1].text not in ("=>", ")"):
            return None
        return self.anchor(at, "block")

    def _peek(self, ahead: int = 0) -> str:
        index = self.at + ahead
        if index >= len(self.tokens):
            return ""
        token = self.tokens[index]
        return token.text if token.kind in ("op", "id", "block") else f"\0{token.kind}"

    def _next(self) -> Token:
        if self.at >= len(self.tokens):
            raise self._error("the expression ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _expect(self, text: str) -> Token:
        if self._peek() != text:
            raise self._error(f"'{text}' is expected")
        return self._next()

    def _accept(self, text: str) -> bool:
        if self._peek() == text:
            self.at += 1
            return True
        return False

    def _error(self, message: str) -> ExpressionSyntaxError:
        offset = self.tokens[self.at].start if self.at < len(self.tokens) else self.end
        return ExpressionSyntaxError(message, offset)

    def _start(self) -> int:
        return self.tokens[self.at].start if self.at < len(self.tokens) else self.end

    def _last(self) -> int:
        return self.tokens[self.at - 1].end

    def _name_token(self) -> bool:
        if self.at >= len(self.tokens):
            return False
        token = self.tokens[self.at]
        return token.kind == "id" and token.text not in _NEVER_NAMES and token.text not in PREDEFINED

    def _identifier(self) -> Syn:
        if not self._name_token():
            raise self._error("a name is expected")
        token = self._next()
        return Syn("identifier", token.start, token.end)

    def _symbol(self, token: Token) -> Syn:
        return Syn(token.text, token.start, token.end, is_named=False)

    # -- types -----------------------------------------------------------------------------------------------

    def _type(self, brackets: bool = True) -> SyntaxNode:
        found = self._try_type(brackets)
        if found is None:
            raise self._error("a type is expected")
        return found

    def _try_type(self, brackets: bool = True) -> SyntaxNode | None:
        """A type at this place, without a trailing `?`; None (and nothing consumed) when there is none."""
        mark = self.at
        kind = self._type_core()
        if kind is None:
            self.at = mark
            return None
        while brackets:
            if self._peek() == "?" and self._peek(1) == "[" and self._peek(2) == "]":
                kind = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
            if self._peek() != "[" or self._peek(1) != "]":
                break
            opening, closing = self._next(), self._next()
            rank = Syn("array_rank_specifier", opening.start, closing.end)
            kind = Syn("array_type", kind.start_byte, closing.end, [kind, rank], {"type": kind, "rank": rank})
        return kind

    def _type_core(self) -> SyntaxNode | None:
        start = self._start()
        if self._peek() in PREDEFINED:
            token = self._next()
            return Syn("predefined_type", token.start, token.end)
        if self._peek() == "(":
            return self._tuple_type(start)
        if self._peek() == "global" and self._peek(1) == "::":
            self._next(), self._next()
        node: SyntaxNode | None = None
        while True:
            if not self._name_token():
                return None
            name: SyntaxNode = self._identifier()
            if self._peek() == "<":
                listed = self._type_arguments()
                if listed is None:
                    return None
                name = Syn("generic_name", name.start_byte, listed.end_byte, [name, listed])
            if node is None:
                node = name
            else:
                node = Syn("qualified_name", start, name.end_byte, [node, name], {"qualifier": node, "name": name})
            if self._peek() != ".":
                return node
            self._next()

    def _type_arguments(self) -> Syn | None:
        mark = self.at
        start = self._next().start
        listed: list[SyntaxNode] = []
        while True:
            kind = self._try_type()
            if kind is None:
                self.at = mark
                return None
            if self._peek() == "?":
                kind = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
            listed.append(kind)
            if self._accept(","):
                continue
            if self._peek() != ">":
                self.at = mark
                return None
            return Syn("type_argument_list", start, self._next().end, listed)

    def _tuple_type(self, start: int) -> SyntaxNode | None:
        self._next()
        elements: list[SyntaxNode] = []
        while True:
            begin = self._start()
            kind = self._try_type()
            if kind is None:
                return None
            if self._peek() == "?":
                kind = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
            fields: dict[str, SyntaxNode] = {"type": kind}
            if self._name_token():
                fields["name"] = self._identifier()
            elements.append(Syn("tuple_element", begin, self._last(), list(fields.values()), fields))
            if self._accept(","):
                continue
            if self._peek() != ")" or len(elements) < 2:
                return None
            return Syn("tuple_type", start, self._next().end, elements)
