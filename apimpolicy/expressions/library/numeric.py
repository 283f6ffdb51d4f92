"""The numeric types, bool, Math, Convert and BitConverter."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions.defaults import DEFAULTS, default_of
from apimpolicy.expressions.errors import (
    CsException,
    argument,
    argument_null,
    format_error,
    invalid_cast,
    out_of_range,
    overflow,
)
from apimpolicy.expressions.numbers import (
    check_range,
    fit_decimal,
    format_number,
    parse_decimal,
    parse_double,
    parse_integer,
    plain_text,
    round_decimal,
    round_half,
    round_to_int,
    to_single,
)
from apimpolicy.expressions.runtime_types import describe
from apimpolicy.expressions.text import to_text
from apimpolicy.expressions.types import DEFINITIONS, INTEGRAL_RANGES, define, define_enum, make
from apimpolicy.expressions.values import Char, CsArray, wrap_int

define("IFormatProvider", kind="interface")
define(
    "CultureInfo",
    bases=["IFormatProvider"],
    namespace="System.Globalization",
    members={"static CultureInfo InvariantCulture": None, "static CultureInfo CurrentCulture": None},
)
define_enum("MidpointRounding", {"ToEven": 0, "AwayFromZero": 1})
_STYLES = define_enum(
    "NumberStyles",
    {
        "None": 0,
        "AllowLeadingWhite": 1,
        "AllowTrailingWhite": 2,
        "AllowLeadingSign": 4,
        "Integer": 7,
        "AllowThousands": 64,
        "AllowDecimalPoint": 32,
        "AllowExponent": 128,
        "Number": 111,
        "Float": 167,
        "Any": 511,
        "AllowHexSpecifier": 512,
        "HexNumber": 515,
    },
    "System.Globalization",
)


def attempt(parse: Callable[[Any], Any], default: Any) -> Callable[..., tuple[bool, Any]]:
    """A TryParse out of a Parse."""

    def run(text: Any, *_: Any) -> tuple[bool, Any]:
        try:
            return True, parse(text)
        except CsException:
            return False, default

    return run


def parse_bool(text: str | None) -> bool:
    if text is None:
        raise argument_null("value")
    word = text.strip(" \t\n\r\v\f\0").lower()
    if word in ("true", "false"):
        return word == "true"
    raise format_error("String was not recognized as a valid Boolean.")


def parse_styled(kind: str) -> Callable[..., int]:
    def run(text: str | None, styles: int, *_: Any) -> int:
        if styles & 512:
            if text is None:
                raise argument_null("String")
            word = text.strip() if styles & 3 else text
            if not word or any(c not in "0123456789abcdefABCDEF" for c in word):
                raise format_error()
            low, high = INTEGRAL_RANGES[kind]
            value = int(word[:400], 16)
            if value > high - low:
                raise overflow(f"a {kind}")
            return value if value <= high else value - (high - low + 1)
        if styles & 64 and text is not None:
            text = text.replace(",", "")
        return parse_integer(text, kind)

    return run


def parse_char(text: str | None) -> Char:
    if text is None:
        raise argument_null("s")
    if len(text) != 1:
        raise format_error("String must be exactly one character long.")
    return Char(text)


def compare_values(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _integral_members(kind: str) -> dict[str, Any]:
    low, high = INTEGRAL_RANGES[kind]
    parse: Callable[[Any], int] = lambda text: parse_integer(text, kind)  # noqa: E731
    styled = parse_styled(kind)

    def try_styled(text: Any, styles: int, provider: Any) -> tuple[bool, Any]:
        return attempt(lambda t: styled(t, styles), 0)(text)

    return {
        f"static {kind} MaxValue": high,
        f"static {kind} MinValue": low,
        f"static {kind} Parse(string)": parse,
        f"static {kind} Parse(string, IFormatProvider)": lambda s, c: parse(s),
        f"static {kind} Parse(string, NumberStyles)": styled,
        f"static {kind} Parse(string, NumberStyles, IFormatProvider)": styled,
        f"static bool TryParse(string, out {kind})": attempt(parse, 0),
        f"static bool TryParse(string, NumberStyles, IFormatProvider, out {kind})": try_styled,
    }


def _shared_members(kind: str) -> dict[str, Any]:
    wrap = make(kind)
    return {
        "string ToString()": lambda v: plain_text(v, kind),
        "string ToString(string)": lambda v, p: format_number(v, p, kind),
        "string ToString(IFormatProvider)": lambda v, c: plain_text(v, kind),
        "string ToString(string, IFormatProvider)": lambda v, p, c: format_number(v, p, kind),
        f"bool Equals({kind})": lambda v, o: v == o,
        f"int CompareTo({kind})": compare_values,
        "int GetHashCode()": lambda v: _hash(v, wrap.name),
    }


def _hash(value: Any, kind: str) -> int:
    if kind == "double":
        bits = struct.unpack("<q", struct.pack("<d", value))[0]
        return wrap_int(bits ^ (bits >> 32))
    if kind in ("long", "ulong"):
        return wrap_int(value ^ (value >> 32))
    return wrap_int(hash(value)) if isinstance(value, (float, Decimal)) else wrap_int(int(value))


for _kind in INTEGRAL_RANGES:
    DEFINITIONS[_kind].add({**_integral_members(_kind), **_shared_members(_kind)})


def _float_members(kind: str, parse: Callable[[Any], float]) -> dict[str, Any]:
    limit = 1.7976931348623157e308 if kind == "double" else 3.4028234663852886e38
    return {
        f"static {kind} MaxValue": limit,
        f"static {kind} MinValue": -limit,
        f"static {kind} Epsilon": 5e-324 if kind == "double" else 1.401298464324817e-45,
        f"static {kind} NaN": math.nan,
        f"static {kind} PositiveInfinity": math.inf,
        f"static {kind} NegativeInfinity": -math.inf,
        f"static {kind} Parse(string)": parse,
        f"static {kind} Parse(string, IFormatProvider)": lambda s, c: parse(s),
        f"static {kind} Parse(string, NumberStyles, IFormatProvider)": lambda s, n, c: parse(s),
        f"static bool TryParse(string, out {kind})": attempt(parse, 0.0),
        f"static bool TryParse(string, NumberStyles, IFormatProvider, out {kind})": attempt(parse, 0.0),
        f"static bool IsNaN({kind})": lambda v: v != v,
        f"static bool IsInfinity({kind})": math.isinf,
    }


DEFINITIONS["double"].add({**_float_members("double", parse_double), **_shared_members("double")})
DEFINITIONS["float"].add({**_float_members("float", lambda s: to_single(parse_double(s))), **_shared_members("float")})
DEFAULTS["decimal"] = lambda kind: Decimal(0)
DEFINITIONS["decimal"].add(
    {
        "static decimal MaxValue": Decimal(2**96 - 1),
        "static decimal MinValue": Decimal(1 - 2**96),
        "static decimal Zero": Decimal(0),
        "static decimal One": Decimal(1),
        "static decimal Parse(string)": parse_decimal,
        "static decimal Parse(string, IFormatProvider)": lambda s, c: parse_decimal(s),
        "static decimal Parse(string, NumberStyles, IFormatProvider)": lambda s, n, c: parse_decimal(s),
        "static bool TryParse(string, out decimal)": attempt(parse_decimal, Decimal(0)),
        "static bool TryParse(string, NumberStyles, IFormatProvider, out decimal)": attempt(parse_decimal, Decimal(0)),
        "static decimal Round(decimal)": lambda v: round_decimal(v, 0, False),
        "static decimal Round(decimal, int)": lambda v, n: round_decimal(v, n, False),
        "static decimal Floor(decimal)": lambda v: Decimal(math.floor(v)),
        "static decimal Ceiling(decimal)": lambda v: Decimal(math.ceil(v)),
        "static decimal Truncate(decimal)": lambda v: Decimal(math.trunc(v)),
        "static int ToInt32(decimal)": lambda v: check_range(int(v), "int"),
        "static double ToDouble(decimal)": float,
        **_shared_members("decimal"),
    }
)
DEFINITIONS["bool"].add(
    {
        "static bool Parse(string)": parse_bool,
        "static bool TryParse(string, out bool)": attempt(parse_bool, False),
        "static string TrueString": "True",
        "static string FalseString": "False",
        "string ToString()": lambda v: "True" if v else "False",
        "string ToString(IFormatProvider)": lambda v, c: "True" if v else "False",
        "bool Equals(bool)": lambda v, o: v == o,
        "int CompareTo(bool)": compare_values,
        "int GetHashCode()": int,
    }
)
DEFINITIONS["char"].add(
    {"static char Parse(string)": parse_char, "static bool TryParse(string, out char)": attempt(parse_char, Char("\0"))}
)


def _value_or_throw(value: Any) -> Any:
    if value is None:
        raise CsException("InvalidOperationException", "Nullable object must have a value.")
    return value


DEFINITIONS["Nullable"].add(
    {
        "~bool HasValue": lambda v: v is not None,
        "~T Value": _value_or_throw,
        "^~T GetValueOrDefault()": lambda types, v: default_of(types[0]) if v is None else v,
        "~T GetValueOrDefault(T)": lambda v, d: d if v is None else v,
        "~string ToString()": to_text,
        "~int GetHashCode()": lambda v: 0 if v is None else wrap_int(hash(v)),
        "~bool Equals(object)": lambda v, o: v == o,
    }
)


# -- Math ----------------------------------------------------------------------------------------------------


def _guard(work: Callable[..., float]) -> Callable[..., float]:
    def run(*values: float) -> float:
        try:
            return work(*values)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return run


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def _log(value: float) -> float:
    return -math.inf if value == 0 else math.nan if value < 0 else math.log(value)


def _abs(kind: str) -> Callable[[Any], Any]:
    low, _ = INTEGRAL_RANGES[kind]

    def run(value: int) -> int:
        if value == low:
            raise CsException("OverflowException", "Negating the minimum value of a twos complement number is invalid.")
        return abs(value)

    return run


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceiling(value: float) -> float:
    if not math.isfinite(value):
        return value
    return float(math.ceil(value))


def _check_digits(digits: int) -> int:
    if not 0 <= digits <= 15:
        raise out_of_range("digits", "Rounding digits must be between 0 and 15, inclusive.")
    return digits


def _clamp(value: Any, low: Any, high: Any) -> Any:
    if low > high:
        raise argument(f"'{low}' cannot be greater than {high}.")
    return max(low, min(value, high))


def _extreme(pick: Callable[..., float]) -> Callable[[float, float], float]:
    return lambda a, b: a if a != a else b if b != b else pick(a, b)


_MATH: dict[str, Any] = {
    "static double PI": math.pi,
    "static double E": math.e,
    "static double Floor(double)": _floor,
    "static decimal Floor(decimal)": lambda v: Decimal(math.floor(v)),
    "static double Ceiling(double)": _ceiling,
    "static decimal Ceiling(decimal)": lambda v: Decimal(math.ceil(v)),
    "static double Truncate(double)": lambda v: float(math.trunc(v)) if math.isfinite(v) else v,
    "static decimal Truncate(decimal)": lambda v: Decimal(math.trunc(v)),
    "static double Round(double)": lambda v: float(round(v)) if math.isfinite(v) else v,
    "static double Round(double, int)": lambda v, n: round_half(v, _check_digits(n), False),
    "static double Round(double, MidpointRounding)": lambda v, m: round_half(v, 0, m == 1),
    "static double Round(double, int, MidpointRounding)": lambda v, n, m: round_half(v, _check_digits(n), m == 1),
    "static decimal Round(decimal)": lambda v: round_decimal(v, 0, False),
    "static decimal Round(decimal, int)": lambda v, n: round_decimal(v, n, False),
    "static decimal Round(decimal, MidpointRounding)": lambda v, m: round_decimal(v, 0, m == 1),
    "static decimal Round(decimal, int, MidpointRounding)": lambda v, n, m: round_decimal(v, n, m == 1),
    "static double Pow(double, double)": _power,
    "static double Sqrt(double)": _guard(math.sqrt),
    "static double Exp(double)": _guard(math.exp),
    "static double Log(double)": _log,
    "static double Log(double, double)": lambda v, b: _log(v) / _log(b) if b not in (1.0, 0.0) else math.nan,
    "static double Log10(double)": lambda v: -math.inf if v == 0 else math.nan if v < 0 else math.log10(v),
    "static double Sin(double)": _guard(math.sin),
    "static double Cos(double)": _guard(math.cos),
    "static double Tan(double)": _guard(math.tan),
    "static double Atan(double)": math.atan,
    "static double Atan2(double, double)": math.atan2,
    "static int DivRem(int, int, out int)": lambda a, b: (_divide(a, b), a - _divide(a, b) * b),
    "static long BigMul(int, int)": lambda a, b: a * b,
}


def _divide(a: int, b: int) -> int:
    from apimpolicy.expressions.operators import divide_int

    return divide_int(a, b)


for _kind in ("int", "uint", "long", "ulong", "float", "double", "decimal", "byte", "short"):
    _real = _kind in ("float", "double")
    _MATH[f"static {_kind} Max({_kind}, {_kind})"] = _extreme(max) if _real else max
    _MATH[f"static {_kind} Min({_kind}, {_kind})"] = _extreme(min) if _real else min
    _MATH[f"static {_kind} Clamp({_kind}, {_kind}, {_kind})"] = _clamp
for _kind in ("sbyte", "short", "int", "long"):
    _MATH[f"static {_kind} Abs({_kind})"] = _abs(_kind)
for _kind in ("int", "long", "float", "double", "decimal"):
    _MATH[f"static int Sign({_kind})"] = lambda v: (v > 0) - (v < 0)
for _kind in ("float", "double", "decimal"):
    _MATH[f"static {_kind} Abs({_kind})"] = abs
define("Math", kind="static", members=_MATH)


# -- Convert -------------------------------------------------------------------------------------------------


CONVERTIBLE: Final[dict[type, Callable[[Any], Any]]] = {}
"""Types that are IConvertible by what they hold (JValue): class -> the value inside."""


def change_to_integer(value: Any, kind: str) -> int:
    """Convert.ToInt32 and its kin, from any boxed value."""
    value = held(value)
    if value is None:
        return 0
    if isinstance(value, Char):
        return check_range(ord(value), kind)
    if isinstance(value, str):
        return parse_integer(value, kind)
    if isinstance(value, (bool, int)):
        return check_range(int(value), kind)
    if isinstance(value, (float, Decimal)):
        return round_to_int(value, kind)
    raise not_convertible(value)


def held(value: Any) -> Any:
    inside = CONVERTIBLE.get(type(value))
    return value if inside is None else inside(value)


def not_convertible(value: Any) -> CsException:
    return invalid_cast(describe(value), "System.IConvertible")


def change_to_double(value: Any) -> float:
    value = held(value)
    if value is None:
        return 0.0
    if isinstance(value, Char):
        raise invalid_cast("System.Char", "System.Double")
    if isinstance(value, str):
        return parse_double(value)
    if isinstance(value, (bool, int, float, Decimal)):
        return float(value)
    raise not_convertible(value)


def change_to_decimal(value: Any) -> Decimal:
    value = held(value)
    if value is None:
        return Decimal(0)
    if isinstance(value, Char):
        raise invalid_cast("System.Char", "System.Decimal")
    if isinstance(value, str):
        return parse_decimal(value)
    if isinstance(value, float):
        return fit_decimal(Decimal(f"{value:.14e}").normalize()) if value else Decimal(0)
    if isinstance(value, (bool, int, Decimal)):
        return Decimal(value)
    raise not_convertible(value)


def change_to_bool(value: Any) -> bool:
    value = held(value)
    if value is None:
        return False
    if isinstance(value, Char):
        raise invalid_cast("System.Char", "System.Boolean")
    if isinstance(value, str):
        return parse_bool(value)
    if isinstance(value, (bool, int, float, Decimal)):
        return bool(value)
    raise not_convertible(value)


def to_base64(data: CsArray | None) -> str:
    if data is None:
        raise argument_null("inArray")
    return base64.b64encode(bytes(data)).decode("ascii")


def from_base64(text: str | None) -> CsArray:
    if text is None:
        raise argument_null("s")
    compact = "".join(text.split())
    try:
        return byte_array(base64.b64decode(compact, validate=True))
    except (binascii.Error, ValueError):
        raise format_error("Invalid length for a Base-64 char array or string.") from None


def byte_array(data: bytes) -> CsArray:
    return CsArray(data, make("byte"))


def _from_text(text: str | None, base: int, kind: str) -> int:
    if base not in (2, 8, 10, 16):
        raise argument("Invalid Base.")
    if text is None:
        return 0
    body = text[2:] if base == 16 and text[:2].lower() == "0x" else text
    try:
        value = int(body, base)
    except ValueError:
        raise format_error("Could not find any recognizable digits.") from None
    low, high = INTEGRAL_RANGES[kind]
    if base != 10 and value > high and value <= high - low:
        value -= high - low + 1
    return check_range(value, kind)


def _to_base(value: int, base: int, kind: str) -> str:
    low, high = INTEGRAL_RANGES[kind]
    if base == 10:
        return str(value)
    if base not in (2, 8, 16):
        raise argument("Invalid Base.")
    return format(value & (high - low), {2: "b", 8: "o", 16: "x"}[base])


def _to_char(value: Any) -> Char:
    if isinstance(value, str):
        return parse_char(value)
    return Char(chr(change_to_integer(value, "ushort")))


_CONVERT: dict[str, Any] = {
    "static double ToDouble(object)": change_to_double,
    "static double ToDouble(object, IFormatProvider)": lambda v, c: change_to_double(v),
    "static float ToSingle(object)": lambda v: to_single(change_to_double(v)),
    "static decimal ToDecimal(object)": change_to_decimal,
    "static decimal ToDecimal(object, IFormatProvider)": lambda v, c: change_to_decimal(v),
    "static bool ToBoolean(object)": change_to_bool,
    "static char ToChar(object)": _to_char,
    "static string ToString(object)": to_text,
    "static string ToString(string)": lambda v: v,
    "static string ToString(object, IFormatProvider)": lambda v, c: to_text(v),
    "static string ToString(byte, int)": lambda v, b: _to_base(v, b, "byte"),
    "static string ToString(int, int)": lambda v, b: _to_base(v, b, "int"),
    "static string ToString(long, int)": lambda v, b: _to_base(v, b, "long"),
    "static string ToBase64String(byte[])": to_base64,
    "static byte[] FromBase64String(string)": from_base64,
}
for _name, _kind in {
    "ToInt32": "int",
    "ToInt64": "long",
    "ToInt16": "short",
    "ToByte": "byte",
    "ToSByte": "sbyte",
    "ToUInt16": "ushort",
    "ToUInt32": "uint",
    "ToUInt64": "ulong",
}.items():
    _CONVERT[f"static {_kind} {_name}(object)"] = (lambda k: lambda v: change_to_integer(v, k))(_kind)
    _CONVERT[f"static {_kind} {_name}(object, IFormatProvider)"] = (lambda k: lambda v, c: change_to_integer(v, k))(
        _kind
    )
    _CONVERT[f"static {_kind} {_name}(string, int)"] = (lambda k: lambda s, b: _from_text(s, b, k))(_kind)
define("Convert", kind="static", members=_CONVERT)


# -- BitConverter ----------------------------------------------------------------------------------------------


def _bits_text(data: CsArray | None, start: int = 0, length: int | None = None) -> str:
    if data is None:
        raise argument_null("value")
    piece = data[start:] if length is None else data[start : start + length]
    return "-".join(f"{one:02X}" for one in piece)


def _unpack(code: str, size: int) -> Callable[[CsArray, int], Any]:
    def run(data: CsArray, start: int) -> Any:
        if data is None:
            raise argument_null("value")
        if not 0 <= start < len(data):
            raise out_of_range(
                "startIndex", "Index was out of range. Must be non-negative and less than the size of the collection."
            )
        if start + size > len(data):
            raise argument("Destination array is not long enough to copy all the items in the collection.")
        return struct.unpack(f"<{code}", bytes(data[start : start + size]))[0]

    return run


_CODES: Final = {
    "short": "h",
    "ushort": "H",
    "int": "i",
    "uint": "I",
    "long": "q",
    "ulong": "Q",
    "float": "f",
    "double": "d",
}
_BITS: dict[str, Any] = {
    "static bool IsLittleEndian": True,
    "static string ToString(byte[])": _bits_text,
    "static string ToString(byte[], int)": _bits_text,
    "static string ToString(byte[], int, int)": _bits_text,
    "static byte[] GetBytes(bool)": lambda v: byte_array(bytes([v])),
    "static byte[] GetBytes(char)": lambda v: byte_array(v.encode("utf-16-le", "surrogatepass")),
    "static bool ToBoolean(byte[], int)": lambda d, i: d[i] != 0,
}
_NAMES: Final = {
    "short": "Int16",
    "ushort": "UInt16",
    "int": "Int32",
    "uint": "UInt32",
    "long": "Int64",
    "ulong": "UInt64",
    "float": "Single",
    "double": "Double",
}
for _kind, _code in _CODES.items():
    _BITS[f"static byte[] GetBytes({_kind})"] = (lambda c: lambda v: byte_array(struct.pack(f"<{c}", v)))(_code)
    _BITS[f"static {_kind} To{_NAMES[_kind]}(byte[], int)"] = _unpack(_code, struct.calcsize(_code))
define("BitConverter", kind="static", members=_BITS)
