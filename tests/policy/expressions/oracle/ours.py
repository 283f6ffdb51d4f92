"""Our evaluator's answers, written the way the Mono runner writes its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apimpolicy.expressions import EvaluationError, ExpressionError, compile_expression
from apimpolicy.expressions.json_values import JToken, serialize
from apimpolicy.expressions.library.regex import Group
from apimpolicy.expressions.numbers import round_trip_text
from apimpolicy.expressions.text import to_text
from apimpolicy.expressions.types import EnumValue
from apimpolicy.expressions.values import Boxed, Char, CsArray, CsList, CsSet, Sequence, Single, iterate

_BOXED = {
    "Long": "Int64",
    "ULong": "UInt64",
    "UInt": "UInt32",
    "Short": "Int16",
    "UShort": "UInt16",
    "Byte": "Byte",
    "SByte": "SByte",
}


def quoted(text: str) -> str:
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif not " " <= char <= "~":
            out.append("".join(f"\\u{unit:04x}" for unit in _units(char)))
        else:
            out.append(char)
    return f'"{"".join(out)}"'


def _units(char: str) -> list[int]:
    raw = char.encode("utf-16-le", "surrogatepass")
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


def show(value: Any) -> str:
    """The same text as `Show` in the Mono program."""
    if value is None:
        return "null"
    if isinstance(value, Char):
        return f"char {quoted(value)}"
    if isinstance(value, str):
        return f"string {quoted(value)}"
    if isinstance(value, EnumValue):
        return f"enum {value.label}"
    if isinstance(value, bool):
        return f"bool {value}"
    if isinstance(value, Boxed):
        return f"{_BOXED[type(value).__name__]} {int(value)}"
    if isinstance(value, int):
        return f"Int32 {value}"
    if isinstance(value, Single):
        return f"float {to_text(value)}"
    if isinstance(value, float):
        return f"double {round_trip_text(value)}"
    if isinstance(value, Decimal):
        return f"Decimal {to_text(value)}"
    if isinstance(value, JToken):
        return f"json {quoted(serialize(value, False))}"
    if isinstance(value, (CsArray, CsList, CsSet, Sequence)) and not isinstance(value, Group):
        return f"[{', '.join(show(one) for one in iterate(value))}]"
    if type(value).__name__ == "DateTime":
        return f"DateTime {to_text(value)}"
    return f"object {quoted(to_text(value))}"


def answer(text: str, kind: str) -> str:
    """What our evaluator makes of a case. A refusal reads "refused: ..."."""
    try:
        return show(compile_expression(text, kind=kind).evaluate(None))
    except ExpressionError as error:
        return f"refused: {error}"
    except EvaluationError as error:
        return f"throws {error.exception_type}"
