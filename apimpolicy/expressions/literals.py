"""Literals: numbers with their suffixes, characters and strings with their escapes."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from apimpolicy.expressions.nodes import BinderBase, Ex, constant
from apimpolicy.expressions.numbers import fit_decimal, to_single
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import BOOL, CHAR, DECIMAL, DOUBLE, FLOAT, INT, LONG, NULL, STRING, UINT, ULONG
from apimpolicy.expressions.values import Char

_SIMPLE: Final = {
    "'": "'",
    '"': '"',
    "\\": "\\",
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{1,4}|.)", re.S)


def unescape(text: str) -> str:
    """The value of a regular string's inside. Raises ValueError naming an unknown escape."""

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "uUx" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _SIMPLE:
            raise ValueError(f"unrecognized escape sequence '\\{code}'")
        return _SIMPLE[code]

    text = _ESCAPE.sub(one, text)
    if any("\ud800" <= char <= "\udfff" for char in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Literals(BinderBase):
    """Binds literal nodes to constants."""

    def bind_literal(self, node: Node) -> Ex | None:
        kind = node.type
        text = self.text(node)
        if kind == "boolean_literal":
            return constant(BOOL, text == "true")
        if kind == "null_literal":
            return constant(NULL, None)
        if kind == "integer_literal":
            return self._integer(node, text)
        if kind == "real_literal":
            return self._real(node, text)
        try:
            if kind == "string_literal":
                if text.endswith(("u8", "U8")):
                    raise self.error(node, "UTF-8 string literals need C# 11; policy expressions are C# 7")
                return constant(STRING, unescape(text[1:-1]))
            if kind == "character_literal":
                value = unescape(text[1:-1])
                if len(value) != 1:
                    raise self.error(node, "a character literal holds exactly one character")
                return constant(CHAR, Char(value))
        except ValueError as error:
            raise self.error(node, str(error)) from None
        if kind == "verbatim_string_literal":
            return constant(STRING, text[2:-1].replace('""', '"'))
        if kind == "raw_string_literal":
            raise self.error(node, "raw string literals need C# 11; policy expressions are C# 7")
        return None

    def _integer(self, node: Node, text: str) -> Ex:
        body = text.replace("_", "").lower()
        suffix = re.search(r"(?<![0-9a-fx])[ul]+$|(?<=[0-9a-f])(?:ul|lu|u|l)$", body)
        ending = suffix[0] if suffix else ""
        digits = body[: len(body) - len(ending)]
        value = int(digits, 16 if digits.startswith("0x") else 2 if digits.startswith("0b") else 10)
        fits = {"": (INT, UINT, LONG, ULONG), "u": (UINT, ULONG), "l": (LONG, ULONG), "ul": (ULONG,), "lu": (ULONG,)}
        limits = {INT: 2**31, UINT: 2**32, LONG: 2**63, ULONG: 2**64}
        for candidate in fits[ending]:
            if value < limits[candidate]:
                return constant(candidate, value)
        raise self.error(node, "integral constant is too large")

    def _real(self, node: Node, text: str) -> Ex:
        body = text.replace("_", "").lower()
        try:
            if body.endswith("m"):
                return constant(DECIMAL, fit_decimal(Decimal(body[:-1])))
            if body.endswith("f"):
                return constant(FLOAT, to_single(float(body[:-1])))
            return constant(DOUBLE, float(body.rstrip("d")))
        except (ValueError, InvalidOperation):
            raise self.error(node, f"'{text}' is not a number") from None
