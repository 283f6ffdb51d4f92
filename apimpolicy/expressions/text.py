"""ToString() for every value, ToString(format), and composite formatting, in the invariant culture.

Library modules register how their classes print in `TEXT`, and with a format in `FORMATS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions.errors import CsException, format_error
from apimpolicy.expressions.numbers import decimal_text, double_text, format_number, plain_text, single_text
from apimpolicy.expressions.runtime_types import describe
from apimpolicy.expressions.types import CType, EnumValue, strip_nullable
from apimpolicy.expressions.values import (
    Anonymous,
    Boxed,
    Byte,
    Char,
    CsTuple,
    KeyValuePair,
    Long,
    SByte,
    Short,
    Single,
    UInt,
    ULong,
    UShort,
    ValueTuple,
    check_text,
)

_KINDS: Final[dict[type, str]] = {
    int: "int",
    float: "double",
    Decimal: "decimal",
    Long: "long",
    ULong: "ulong",
    UInt: "uint",
    Short: "short",
    UShort: "ushort",
    Byte: "byte",
    SByte: "sbyte",
    Single: "float",
}


def _anonymous_text(value: Anonymous) -> str:
    inside = ", ".join(f"{n} = {to_text(v)}" for n, v in zip(value.names, value.values, strict=True))
    return f"{{ {inside} }}"


TEXT: Final[dict[type, Callable[[Any], str]]] = {
    str: lambda v: v,
    bool: lambda v: "True" if v else "False",
    int: str,
    float: double_text,
    Single: single_text,
    Decimal: decimal_text,
    Char: str.__str__,
    EnumValue: lambda v: v.label,
    KeyValuePair: lambda v: f"[{to_text(v.key)}, {to_text(v.value)}]",
    CsTuple: lambda v: f"({', '.join(map(to_text, v))})",
    ValueTuple: lambda v: f"({', '.join(map(to_text, v))})",
    Anonymous: _anonymous_text,
    **dict.fromkeys((Boxed, Long, ULong, UInt, Short, UShort, Byte, SByte), int.__repr__),
}
FORMATS: Final[dict[type, Callable[[Any, str | None], str]]] = {}


def to_text(value: Any) -> str:
    """What concatenation, interpolation and Convert.ToString make of a value; null is empty."""
    if value is None:
        return ""
    found = TEXT.get(type(value))
    if found is not None:
        return found(value)
    for base in type(value).__mro__[1:]:
        found = TEXT.get(base)
        if found is not None and base is not object:
            return found(value)
    if isinstance(value, CsException):
        return f"{describe(value)}: {value.text}"
    return describe(value)


def typed_text(value: Any, kind: CType) -> str:
    """ToString() of a value whose static type is known (an unboxed long, float or byte has no tag of its own)."""
    if value is None:
        return ""
    if strip_nullable(kind).name == "float":
        return single_text(value)
    return to_text(value)


def format_value(value: Any, pattern: str | None) -> str:
    """value.ToString(pattern) as IFormattable does it; types without formats ignore the pattern."""
    if value is None:
        return ""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return format_number(value, pattern, kind) if pattern else plain_text(value, kind)
    formatter = FORMATS.get(type(value))
    if formatter is not None:
        return formatter(value, pattern)
    if isinstance(value, EnumValue) and pattern:
        return str(int(value)) if pattern in "dD" else value.label
    return to_text(value)


def align(text: str, width: int) -> str:
    check_text(abs(width))
    return text.rjust(width) if width >= 0 else text.ljust(-width)


_HOLE: Final = re.compile(r"\{\{|\}\}|\{\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?(?::((?:[^{}]|\{\{|\}\})*))?\}|[{}]")


def composite(pattern: str | None, arguments: list[Any]) -> str:
    """string.Format(pattern, arguments). Raises FormatException."""
    if pattern is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: format")

    def hole(match: re.Match[str]) -> str:
        token = match[0]
        if token in ("{{", "}}"):
            return token[0]
        if match[1] is None:
            raise format_error()
        index = int(match[1])
        if index >= len(arguments):
            raise format_error(
                "Index (zero based) must be greater than or equal to zero and less than the size of the argument list."
            )
        text = format_value(arguments[index], match[3])
        return align(text, int(match[2])) if match[2] else text

    result = _HOLE.sub(hole, pattern)
    check_text(len(result))
    return result
