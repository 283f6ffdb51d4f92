"""Numbers the way .NET parses, converts, rounds and prints them, always in the invariant culture.

Doubles print with 15 significant digits, as the .NET Framework does (policy expressions are documented against
.NET Framework types); "R" and JSON give the shortest text that reads back.
"""

from __future__ import annotations

import decimal
import re
import struct
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions.errors import CsException, format_error, overflow
from apimpolicy.expressions.types import INTEGRAL_RANGES
from apimpolicy.expressions.values import Single

_CONTEXT: Final = decimal.Context(prec=29, rounding=decimal.ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
_EXACT: Final = decimal.Context(prec=1000, rounding=decimal.ROUND_HALF_UP, Emin=-999999, Emax=999999)
_DECIMAL_MAX: Final = Decimal(2**96 - 1)
_DOTNET: Final = {
    "int": "an Int32",
    "long": "an Int64",
    "short": "an Int16",
    "byte": "an unsigned byte",
    "sbyte": "a signed byte",
    "uint": "a UInt32",
    "ulong": "a UInt64",
    "ushort": "a UInt16",
    "decimal": "a Decimal",
    "char": "a character",
}


def to_single(value: float) -> float:
    """`value` rounded to 32 bits."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def fit_decimal(value: Decimal) -> Decimal:
    """A decimal inside C#'s 96 bits and 28 places."""
    if not value.is_finite() or abs(value) > _DECIMAL_MAX:
        raise overflow("a Decimal")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return value.quantize(Decimal(1), context=_EXACT)
    while isinstance(exponent, int) and (exponent < -28 or abs(int(value.scaleb(-exponent))) >= 2**96):
        exponent += 1
        value = value.quantize(Decimal(1).scaleb(exponent), rounding=decimal.ROUND_HALF_EVEN, context=_EXACT)
    return value


def divide_decimal(left: Decimal, right: Decimal) -> Decimal:
    if right == 0:
        raise CsException("DivideByZeroException", "Attempted to divide by zero.")
    quotient = _EXACT.divide(left, right) if False else decimal.Context(prec=60).divide(left, right)
    return fit_decimal(_shortest_scale(quotient, left, right))


def _shortest_scale(quotient: Decimal, left: Decimal, right: Decimal) -> Decimal:
    """C# keeps no trailing zeros beyond what the operands' scales ask for."""
    left_scale = -int(left.as_tuple().exponent)
    right_scale = -int(right.as_tuple().exponent)
    wanted = max(left_scale - right_scale, 0)
    normal = quotient.normalize(_EXACT)
    scale = -int(normal.as_tuple().exponent)
    return normal.quantize(Decimal(1).scaleb(-wanted), context=_EXACT) if scale < wanted else normal


_INTEGER: Final = re.compile(r"^[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r\0]*$")
_FLOAT: Final = re.compile(
    r"^[ \t\n\v\f\r]*([+-]?)(?:([0-9][0-9,]*)?(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?)[ \t\n\v\f\r\0]*$"
)


def parse_integer(text: str | None, kind: str) -> int:
    """int.Parse and its kin. Raises ArgumentNullException, FormatException, OverflowException."""
    if text is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: String")
    match = _INTEGER.match(text)
    if match is None:
        raise format_error()
    if len(match[1]) > 400:
        raise overflow(_DOTNET[kind])
    value = int(match[1])
    low, high = INTEGRAL_RANGES[kind]
    if not low <= value <= high:
        raise overflow(_DOTNET[kind])
    return value


def parse_double(text: str | None) -> float:
    if text is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: String")
    stripped = text.strip()
    if stripped in ("NaN", "Infinity", "-Infinity"):
        return float(stripped)
    match = _FLOAT.match(text)
    if match is None or not (match[2] or match[3]):
        raise format_error()
    value = float(stripped.rstrip("\0").replace(",", ""))
    if value in (float("inf"), float("-inf")):
        raise overflow("a Double")
    return value


def parse_decimal(text: str | None) -> Decimal:
    if text is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: String")
    match = _FLOAT.match(text)
    if match is None or not (match[2] or match[3]) or match[4] or len(text) > 400:
        raise format_error()
    return fit_decimal(Decimal(text.strip().replace(",", "")))


def round_to_int(value: float | Decimal, kind: str) -> int:
    """Convert.ToInt32(double): half to even, then the range check."""
    if value != value or value in (float("inf"), float("-inf")):
        raise overflow(_DOTNET[kind])
    return check_range(round(value), kind)


def check_range(value: int, kind: str) -> int:
    low, high = INTEGRAL_RANGES[kind]
    if not low <= value <= high:
        raise overflow(_DOTNET[kind])
    return value


def truncate_unchecked(value: float | Decimal, kind: str) -> int:
    """The cast `(int)d`: truncation; out of range gives what x64 hardware gives."""
    if isinstance(value, Decimal):
        return check_range(int(value), kind)
    low, high = INTEGRAL_RANGES[kind]
    if value == value and abs(value) != float("inf"):
        whole = int(value)
        if low <= whole <= high:
            return whole
        if kind not in ("int", "long") and -(2**63) <= whole < 2**63:
            return whole & (high - low) if low == 0 else ((whole - low) & (high - low)) + low
    return low if low else 0


def round_half(value: float, digits: int, away: bool) -> float:
    """Math.Round(double, digits[, mode])."""
    if value != value or abs(value) >= 1e16:
        return value
    scale = 10.0**digits
    scaled = value * scale
    if away:
        whole = float(int(abs(scaled) + 0.5)) * (1 if scaled >= 0 else -1)
        if abs(abs(scaled) - int(abs(scaled))) < 0.5:
            whole = float(int(scaled))
        return whole / scale
    return float(round(scaled)) / scale


def round_decimal(value: Decimal, digits: int, away: bool) -> Decimal:
    scale = -int(value.as_tuple().exponent)
    if digits >= scale:
        return value
    mode = decimal.ROUND_HALF_UP if away else decimal.ROUND_HALF_EVEN
    return value.quantize(Decimal(1).scaleb(-digits), rounding=mode, context=_EXACT)


def double_text(value: float) -> str:
    """double.ToString() of the .NET Framework: 15 digits, exponent from 1E+15 on."""
    return _general(value, 15)


def single_text(value: float) -> str:
    return _general(value, 7)


def round_trip_text(value: float) -> str:
    """ToString("R"): 15 digits when they read back, else 17, as the .NET Framework does."""
    short = _general(value, 15)
    if value != value or abs(value) == float("inf") or float(short) == value:
        return short
    return _general(value, 17)


def _general(value: float, digits: int) -> str:
    if value != value:
        return "NaN"
    if value == float("inf"):
        return "Infinity"
    if value == float("-inf"):
        return "-Infinity"
    if value == 0:
        return "0"
    mantissa, _, exponent_text = f"{value:.{digits - 1}e}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    figures = mantissa.lstrip("-").replace(".", "").rstrip("0")
    exponent = int(exponent_text)
    if exponent >= digits or exponent < -4:
        tail = f".{figures[1:]}" if len(figures) > 1 else ""
        return f"{sign}{figures[0]}{tail}E{'+' if exponent >= 0 else '-'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{figures}"
    whole = figures[: exponent + 1].ljust(exponent + 1, "0")
    fraction = figures[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def decimal_text(value: Decimal) -> str:
    text = format(value, "f")
    return text[1:] if text.startswith("-") and not value and set(text) <= set("-0.") else text


_STANDARD: Final = re.compile(r"^([A-Za-z])([0-9]{0,2})$")


def format_number(value: Any, pattern: str | None, kind: str) -> str:
    """value.ToString(pattern); `kind` is the C# keyword of its type. Raises FormatException."""
    if not pattern:
        return plain_text(value, kind)
    if kind in ("double", "float") and (value != value or abs(value) == float("inf")):
        return double_text(value)
    match = _STANDARD.match(pattern)
    if match is None:
        return _custom(value, pattern)
    letter, precision = match[1].upper(), int(match[2]) if match[2] else None
    return _standard(value, letter, precision, kind, match[1].islower())


def plain_text(value: Any, kind: str) -> str:
    if kind == "double":
        return double_text(value)
    if kind == "float":
        return single_text(value)
    if kind == "decimal":
        return decimal_text(value)
    return int.__repr__(value)


def _standard(value: Any, letter: str, precision: int | None, kind: str, lower: bool) -> str:
    integral = kind in INTEGRAL_RANGES
    if letter == "D" and integral:
        text = str(abs(int(value))).rjust(precision or 0, "0")
        return f"-{text}" if value < 0 else text
    if letter == "X" and integral:
        low, high = INTEGRAL_RANGES[kind]
        text = format(int(value) & (high - low), "x" if lower else "X")
        return text.rjust(precision or 0, "0")
    if letter == "R" and kind in ("double", "float"):
        return round_trip_text(value) if kind == "double" else single_text(value)
    if letter == "G":
        if kind in ("double", "float") and precision:
            text = _general(value, min(precision, 17))
        elif precision and kind not in ("double", "float"):
            text = _general_exact(value, precision)
        else:
            text = plain_text(value, kind)
        return text.replace("E", "e") if lower else text
    if letter == "E":
        mantissa, _, exponent = f"{exact_decimal(value):.{6 if precision is None else precision}e}".partition("e")
        sign = "-" if exponent.startswith("-") else "+"
        return f"{mantissa}{'e' if lower else 'E'}{sign}{exponent.lstrip('+-').rjust(3, '0')}"
    if letter in "FNPC":
        return _fixed(value, letter, precision)
    raise format_error("Format specifier was invalid.")


def _general_exact(value: Any, precision: int) -> str:
    exact = Decimal(int(value)) if isinstance(value, int) else value
    rounded = decimal.Context(prec=precision, rounding=decimal.ROUND_HALF_UP).plus(exact)
    return _general(float(rounded), min(precision, 17))


def exact_decimal(value: Any) -> Decimal:
    """The decimal that .NET's formatter sees: 15 significant digits of a double, the number itself otherwise."""
    if isinstance(value, float):
        return Decimal(f"{value:.{6 if isinstance(value, Single) else 14}e}")
    return Decimal(int(value)) if isinstance(value, int) else value


def _fixed(value: Any, letter: str, precision: int | None) -> str:
    places = 2 if precision is None else precision
    number = exact_decimal(value)
    if letter == "P":
        number = number * 100
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=decimal.ROUND_HALF_UP, context=_EXACT)
    negative = rounded < 0
    text = format(abs(rounded), "f")
    if letter != "F":
        whole, dot, fraction = text.partition(".")
        text = f"{int(whole):,}{dot}{fraction}"
    if letter == "P":
        return f"-{text} %" if negative else f"{text} %"
    if letter == "C":
        return f"(¤{text})" if negative else f"¤{text}"
    return f"-{text}" if negative else text


def _custom(value: Any, pattern: str) -> str:
    """Custom numeric format strings: 0 # . , % E literals and sections."""
    number = exact_decimal(value)
    sections = _sections(pattern)
    section = sections[0]
    if number < 0 and len(sections) > 1 and sections[1]:
        section, number = sections[1], -number
    elif number == 0 and len(sections) > 2:
        section = sections[2]
    negative = number < 0
    text = _apply_custom(abs(number), section)
    return f"-{text}" if negative and any(char in "123456789" for char in text) else text


def _sections(pattern: str) -> list[str]:
    parts, current, quote, at = [], "", "", 0
    while at < len(pattern):
        char = pattern[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "\\" and at + 1 < len(pattern):
            current += char
            at += 1
            char = pattern[at]
        elif char == ";":
            parts.append(current)
            current, char = "", ""
        current += char
        at += 1
    return [*parts, current]


def _custom_tokens(section: str) -> list[tuple[str, str]]:
    """(kind, text) pairs: kind is 'digit', 'point', 'comma', 'percent', 'exponent' or 'literal'."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(section):
        char = section[at]
        if char in "0#":
            tokens.append(("digit", char))
        elif char == ".":
            tokens.append(("point", char))
        elif char == ",":
            tokens.append(("comma", char))
        elif char in "%‰":
            tokens.append(("percent", char))
        elif char in "'\"":
            end = section.find(char, at + 1)
            end = len(section) if end < 0 else end
            tokens.append(("literal", section[at + 1 : end]))
            at = end
        elif char == "\\" and at + 1 < len(section):
            at += 1
            tokens.append(("literal", section[at]))
        else:
            match = re.match(r"[eE][+-]?0+", section[at:])
            if match:
                tokens.append(("exponent", match[0]))
                at += len(match[0]) - 1
            else:
                tokens.append(("literal", char))
        at += 1
    return tokens


def _apply_custom(number: Decimal, section: str) -> str:
    tokens = _custom_tokens(section)
    kinds = [kind for kind, _ in tokens]
    number = number * (100 ** sum(1 for kind, text in tokens if kind == "percent" and text == "%"))
    point = kinds.index("point") if "point" in kinds else len(kinds)
    before = [i for i in range(point) if kinds[i] == "digit"]
    after = [i for i in range(point, len(kinds)) if kinds[i] == "digit"]
    grouping = False
    for i, kind in enumerate(kinds[:point]):
        if kind == "comma" and before:
            if i > before[-1]:
                number = number / 1000
            elif i > before[0]:
                grouping = True
    exponent: int | None = None
    if "exponent" in kinds:
        exponent = number.adjusted() - max(len(before) - 1, 0) if number else 0
        number = number.scaleb(-exponent)
    rounded = number.quantize(Decimal(1).scaleb(-len(after)), rounding=decimal.ROUND_HALF_UP, context=_EXACT)
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0")
    zero_from = next((n for n, i in enumerate(before) if tokens[i][1] == "0"), len(before))
    whole = whole.rjust(len(before) - zero_from, "0")
    last_zero = max((n for n, i in enumerate(after) if tokens[i][1] == "0"), default=-1)
    while len(fraction) > last_zero + 1 and fraction.endswith("0"):
        fraction = fraction[:-1]
    return _lay_out(tokens, point, before, after, whole, fraction, grouping, exponent)


def _lay_out(
    tokens: list[tuple[str, str]],
    point: int,
    before: list[int],
    after: list[int],
    whole: str,
    fraction: str,
    grouping: bool,
    exponent: int | None,
) -> str:
    """Put the digits where their placeholders stand, literals between them."""
    out: list[str] = []
    spare = len(whole) - len(before)
    used = 0
    for i, (kind, text) in enumerate(tokens):
        if kind == "digit" and i < point:
            order = before.index(i)
            take = 0
            if order == 0 and spare > 0:
                take = spare + 1
            elif order + spare >= 0 and order >= -spare:
                take = 1
            for _ in range(take):
                out.append(whole[used])
                used += 1
                left = len(whole) - used
                if grouping and left and left % 3 == 0:
                    out.append(",")
        elif kind == "digit":
            order = after.index(i)
            out.append(fraction[order] if order < len(fraction) else "")
        elif kind == "point":
            out.append("." if fraction and i == point else "")
        elif kind == "percent" or kind == "literal":
            out.append(text)
        elif kind == "exponent" and exponent is not None:
            sign = "-" if exponent < 0 else ("+" if "+" in text else "")
            out.append(f"{text[0]}{sign}{str(abs(exponent)).rjust(text.count('0'), '0')}")
    return ("".join(out)) if before else whole + "".join(out)
