"""string, char and StringComparison: what they can do.

A string counts its characters by code points where C# counts UTF-16 units: they differ beyond U+FFFF only (emoji).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.errors import argument, argument_null, null_reference, out_of_range
from apimpolicy.expressions.text import composite, to_text
from apimpolicy.expressions.types import CHAR, DEFINITIONS, STRING, define, define_enum
from apimpolicy.expressions.values import Char, Comparer, CsArray, Runtime, check_items, check_text

COMPARISON = define_enum(
    "StringComparison",
    {
        "CurrentCulture": 0,
        "CurrentCultureIgnoreCase": 1,
        "InvariantCulture": 2,
        "InvariantCultureIgnoreCase": 3,
        "Ordinal": 4,
        "OrdinalIgnoreCase": 5,
    },
)
define_enum("StringSplitOptions", {"None": 0, "RemoveEmptyEntries": 1})
_IGNORE: Final = frozenset({1, 3, 5})
_SPACE: Final = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def fold(text: str) -> str:
    """Ordinal ignore-case: simple upper-casing, one character for one."""
    return text.upper() if text.isascii() else "".join(c if len(u := c.upper()) > 1 else u for c in text)


def lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(c if len(u := c.lower()) > 1 else u for c in text)


def cultural_key(text: str) -> Any:
    """The invariant culture's order: letters regardless of case first, lower case before upper on a tie."""
    return [_weight(c) for c in text], [c.isupper() for c in text]


def _weight(char: str) -> tuple[int, str]:
    if char.isalpha():
        return 2, lower(char)
    return (1, char) if char.isdigit() else (0, char)


def compare(left: str | None, right: str | None, comparison: int) -> int:
    """string.Compare: -1, 0 or 1; null comes first."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if comparison == 4:
        return ordinal_difference(left, right)
    if comparison == 5:
        return ordinal_difference(fold(left), fold(right))
    if comparison in (1, 3):
        a, b = cultural_key(left)[0], cultural_key(right)[0]
    else:
        a, b = cultural_key(left), cultural_key(right)
    return int(a > b) - int(a < b)


def ordinal_difference(left: str, right: str) -> int:
    """What string.CompareOrdinal returns: the difference of the first characters that differ, or of the lengths."""
    for a, b in zip(left, right, strict=False):
        if a != b:
            return ord(a) - ord(b)
    return len(left) - len(right)


def equals(left: str | None, right: str | None, comparison: int = 4) -> bool:
    if left is None or right is None or comparison not in _IGNORE:
        return left == right
    return fold(left) == fold(right)


def _need(value: Any, name: str) -> Any:
    if value is None:
        raise argument_null(name)
    return value


def substring(text: str, start: int, length: int | None = None) -> str:
    if start < 0:
        raise out_of_range("startIndex", "StartIndex cannot be less than zero.")
    if start > len(text):
        raise out_of_range("startIndex", "startIndex cannot be larger than length of string.")
    if length is None:
        return text[start:]
    if length < 0:
        raise out_of_range("length", "Length cannot be less than zero.")
    if start + length > len(text):
        raise out_of_range("length", "Index and length must refer to a location within the string.")
    return text[start : start + length]


def index_of(text: str, wanted: str, comparison: int = 4) -> int:
    _need(wanted, "value")
    return fold(text).find(fold(wanted)) if comparison in _IGNORE else text.find(wanted)


def index_from(text: str, wanted: str, start: int, comparison: int = 4) -> int:
    _need(wanted, "value")
    if not 0 <= start <= len(text):
        raise out_of_range(
            "startIndex", "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    return fold(text).find(fold(wanted), start) if comparison in _IGNORE else text.find(wanted, start)


def index_range(text: str, wanted: str, start: int, count: int) -> int:
    if not 0 <= start <= len(text) or not 0 <= count <= len(text) - start:
        raise out_of_range(
            "startIndex", "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    return text.find(_need(wanted, "value"), start, start + count)


def last_index_of(text: str, wanted: str, comparison: int = 4) -> int:
    _need(wanted, "value")
    if not wanted:
        return max(len(text) - 1, 0)
    return fold(text).rfind(fold(wanted)) if comparison in _IGNORE else text.rfind(wanted)


def last_index_from(text: str, wanted: str, start: int) -> int:
    if not text:
        return -1
    if not 0 <= start < len(text):
        raise out_of_range(
            "startIndex", "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    return text.rfind(wanted, 0, start + 1)


def index_of_any(text: str, wanted: list[Any]) -> int:
    return next((i for i, c in enumerate(text) if c in _need(wanted, "anyOf")), -1)


def replace(text: str, old: str | None, new: str | None) -> str:
    _need(old, "oldValue")
    if not old:
        raise argument("String cannot be of zero length.\nParameter name: oldValue")
    fresh = new or ""
    if len(fresh) > len(old):
        check_text(len(text) + text.count(old) * (len(fresh) - len(old)))
    return text.replace(old, fresh)


def insert(text: str, at: int, piece: str) -> str:
    _need(piece, "value")
    if not 0 <= at <= len(text):
        raise out_of_range(
            "startIndex", "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    check_text(len(text) + len(piece))
    return text[:at] + piece + text[at:]


def remove(text: str, start: int, count: int | None = None) -> str:
    if start < 0:
        raise out_of_range("startIndex", "StartIndex cannot be less than zero.")
    if count is None:
        if start >= len(text):
            raise out_of_range("startIndex", "startIndex must be less than length of string.")
        return text[:start]
    if count < 0 or start + count > len(text):
        raise out_of_range("count", "Index and count must refer to a location within the string.")
    return text[:start] + text[start + count :]


def pad(text: str, width: int, char: str, left: bool) -> str:
    if width < 0:
        raise out_of_range("totalWidth", "Non-negative number required.")
    check_text(width)
    return text.rjust(width, char) if left else text.ljust(width, char)


def trim(text: str, chars: list[Any] | None, side: str) -> str:
    what = "".join(chars) if chars else _SPACE
    if side == "both":
        return text.strip(what)
    return text.lstrip(what) if side == "left" else text.rstrip(what)


def split(text: str, separators: list[str], count: int = 2**31 - 1, options: int = 0) -> CsArray:
    """string.Split. Separators that are null or empty are passed over; none at all means white space."""
    if count < 0:
        raise out_of_range("count", "Count cannot be less than zero.")
    marks = [one for one in separators if one]
    if count == 0:
        return CsArray((), STRING)
    if options & 1 and not text:
        return CsArray((), STRING)
    if len(marks) == 1 and count > 2**30:
        parts = text.split(marks[0])
        if options & 1:
            parts = [one for one in parts if one]
        check_items(len(parts))
        return CsArray(parts, STRING)
    return CsArray(_split_any(text, marks or list(_SPACE), count, bool(options & 1)), STRING)


def _split_any(text: str, marks: list[str], count: int, drop: bool) -> list[str]:
    import re

    pattern = re.compile("|".join(re.escape(one) for one in marks))
    parts: list[str] = []
    start = 0
    for match in pattern.finditer(text):
        if len(parts) == count - 1:
            break
        piece = text[start : match.start()]
        if piece or not drop:
            parts.append(piece)
        start = match.end()
    if drop and len(parts) == count - 1:
        while (skipped := pattern.match(text, start)) is not None:
            start = skipped.end()
    last = text[start:]
    if last or not drop:
        parts.append(last)
    check_items(len(parts))
    return parts


def join(separator: str | None, items: Any) -> str:
    parts = [to_text(one) for one in items]
    check_text(sum(map(len, parts)) + len(separator or "") * len(parts))
    return (separator or "").join(parts)


def join_range(separator: str | None, items: Any, start: int, count: int) -> str:
    if start < 0 or count < 0 or start + count > len(items):
        raise out_of_range("startIndex", "Index and count must refer to a location within the buffer.")
    return join(separator, items[start : start + count])


def repeat(char: str, count: int) -> str:
    if count < 0:
        raise out_of_range("count", "'count' must be non-negative.")
    check_text(count)
    return str(char) * count


def char_at(text: str, index: int) -> Char:
    if not 0 <= index < len(text):
        from apimpolicy.expressions.errors import CsException

        raise CsException("IndexOutOfRangeException", "Index was outside the bounds of the array.")
    return Char(text[index])


def starts_with(text: str, piece: str, comparison: int = 4) -> bool:
    _need(piece, "value")
    return fold(text).startswith(fold(piece)) if comparison in _IGNORE else text.startswith(piece)


def ends_with(text: str, piece: str, comparison: int = 4) -> bool:
    _need(piece, "value")
    return fold(text).endswith(fold(piece)) if comparison in _IGNORE else text.endswith(piece)


def string_hash(text: str) -> int:
    """string.GetHashCode as the 64-bit .NET Framework and Mono compute it; .NET Core's differs per process."""
    value = 0
    for unit in text.encode("utf-16-le")[::2] if text.isascii() else _units(text):
        value = (value * 31 + unit) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


def _equals_object(text: str, other: Any) -> bool:
    return type(other) is str and text == other


def _instance_equals(text: str, other: str | None, comparison: int) -> bool:
    if text is None:
        raise null_reference()
    return equals(text, other, comparison)


def _concat(*parts: Any) -> str:
    text = "".join([to_text(one) for one in parts])
    check_text(len(text))
    return text


def _concat_all(runtime: Runtime, items: Any) -> str:
    return _concat(*runtime.each(items))


def _format(pattern: str | None, items: list[Any] | None) -> str:
    return composite(pattern, items if items is not None else [None])


def _join_any(runtime: Runtime, separator: str | None, items: Any) -> str:
    return join(separator, runtime.each(_need(items, "values")))


COMPARERS: Final[dict[str, Comparer]] = {
    "Ordinal": Comparer("Ordinal", lambda v: v, lambda v: v),
    "OrdinalIgnoreCase": Comparer("OrdinalIgnoreCase", lambda v: fold(v), lambda v: fold(v)),
    "CurrentCulture": Comparer("CurrentCulture", lambda v: v, cultural_key),
    "InvariantCulture": Comparer("InvariantCulture", lambda v: v, cultural_key),
    "CurrentCultureIgnoreCase": Comparer("CurrentCultureIgnoreCase", lambda v: fold(v), lambda v: cultural_key(v)[0]),
    "InvariantCultureIgnoreCase": Comparer(
        "InvariantCultureIgnoreCase", lambda v: fold(v), lambda v: cultural_key(v)[0]
    ),
}
define("IEqualityComparer<T>", kind="interface", namespace="System.Collections.Generic")
define("IComparer<T>", kind="interface", namespace="System.Collections.Generic")
define(
    "StringComparer",
    bases=["IEqualityComparer<string>", "IComparer<string>"],
    members={
        **{f"static StringComparer {name}": one for name, one in COMPARERS.items()},
        "bool Equals(string, string)": lambda c, a, b: a == b if a is None or b is None else c.fold(a) == c.fold(b),
        "int Compare(string, string)": lambda c, a, b: compare(a, b, int(COMPARISON.values[c.label])),
    },
)

_TESTS: Final[dict[str, Callable[[str], bool]]] = {
    "IsDigit": lambda c: c.isdecimal(),
    "IsNumber": lambda c: c.isnumeric(),
    "IsLetter": lambda c: c.isalpha(),
    "IsLetterOrDigit": lambda c: c.isalpha() or c.isdecimal(),
    "IsUpper": lambda c: c.isupper(),
    "IsLower": lambda c: c.islower(),
    "IsWhiteSpace": lambda c: c in _SPACE,
    "IsPunctuation": lambda c: _category(c).startswith("P"),
    "IsSymbol": lambda c: _category(c).startswith("S"),
    "IsSeparator": lambda c: _category(c).startswith("Z"),
    "IsControl": lambda c: _category(c) == "Cc",
}


def _category(char: str) -> str:
    return unicodedata.category(char)


DEFINITIONS["char"].add(
    {
        **{f"static bool {name}(char)": test for name, test in _TESTS.items()},
        **{
            f"static bool {name}(string, int)": (lambda t: lambda s, i: t(char_at(s, i)))(test)
            for name, test in _TESTS.items()
        },
        "static char ToUpper(char)": lambda c: Char(fold(c)),
        "static char ToLower(char)": lambda c: Char(lower(c)),
        "static char ToUpperInvariant(char)": lambda c: Char(fold(c)),
        "static char ToLowerInvariant(char)": lambda c: Char(lower(c)),
        "static double GetNumericValue(char)": lambda c: float(unicodedata.numeric(c, -1.0)),
        "static string ToString(char)": lambda c: str(c),
        "string ToString()": lambda c: str.__str__(c),
        "bool Equals(char)": lambda c, o: c == o,
        "int CompareTo(char)": lambda c, o: ord(c) - ord(o),
        "static char MinValue": Char("\0"),
        "static char MaxValue": Char("\uffff"),
    }
)
DEFINITIONS["string"].add(
    {
        "static string Empty": "",
        "int Length": len,
        "char this[int]": char_at,
        "static string new(char, int)": repeat,
        "static string new(char[])": lambda chars: "".join(chars or ()),
        "static string new(char[], int, int)": lambda chars, start, count: substring("".join(chars), start, count),
        "static bool IsNullOrEmpty(string)": lambda s: not s,
        "static bool IsNullOrWhiteSpace(string)": lambda s: s is None or not s.strip(_SPACE),
        "static bool Equals(string, string)": lambda a, b: a == b,
        "static bool Equals(string, string, StringComparison)": equals,
        "static int Compare(string, string)": lambda a, b: compare(a, b, 2),
        "static int Compare(string, string, bool)": lambda a, b, ignore: compare(a, b, 3 if ignore else 2),
        "static int Compare(string, string, StringComparison)": compare,
        "static int CompareOrdinal(string, string)": lambda a, b: compare(a, b, 4),
        "static string Concat(string, string)": _concat,
        "static string Concat(string, string, string)": _concat,
        "static string Concat(string, string, string, string)": _concat,
        "static string Concat(params string[])": lambda items: _concat(*items),
        "static string Concat(object)": _concat,
        "static string Concat(object, object)": _concat,
        "static string Concat(object, object, object)": _concat,
        "static string Concat(params object[])": lambda items: _concat(*items),
        "!static string Concat<T>(IEnumerable<T>)": _concat_all,
        "static string Format(string, params object[])": _format,
        "static string Format(string, object)": lambda p, a: composite(p, [a]),
        "static string Format(IFormatProvider, string, params object[])": lambda c, p, items: _format(p, items),
        "static string Join(string, params string[])": join,
        "static string Join(string, params object[])": join,
        "static string Join(string, string[], int, int)": join_range,
        "!static string Join(string, IEnumerable<string>)": _join_any,
        "!static string Join<T>(string, IEnumerable<T>)": _join_any,
        "static string Copy(string)": lambda s: _need(s, "str"),
        "bool Contains(string)": lambda s, p: _need(p, "value") in s,
        "bool Contains(string, StringComparison)": lambda s, p, c: index_of(s, p, c) >= 0,
        "bool Contains(char)": lambda s, c: c in s,
        "bool StartsWith(string)": starts_with,
        "bool StartsWith(string, StringComparison)": starts_with,
        "bool StartsWith(string, bool, CultureInfo)": lambda s, p, i, c: starts_with(s, p, 3 if i else 2),
        "bool StartsWith(char)": lambda s, c: s.startswith(c),
        "bool EndsWith(string)": ends_with,
        "bool EndsWith(string, StringComparison)": ends_with,
        "bool EndsWith(char)": lambda s, c: s.endswith(c),
        "bool Equals(string)": lambda s, o: s == o,
        "bool Equals(object)": _equals_object,
        "bool Equals(string, StringComparison)": _instance_equals,
        "int CompareTo(string)": lambda s, o: compare(s, o, 2),
        "int IndexOf(string)": index_of,
        "int IndexOf(char)": lambda s, c: s.find(c),
        "int IndexOf(string, StringComparison)": index_of,
        "int IndexOf(string, int)": index_from,
        "int IndexOf(char, int)": index_from,
        "int IndexOf(string, int, StringComparison)": index_from,
        "int IndexOf(string, int, int)": index_range,
        "int IndexOf(char, int, int)": index_range,
        "int IndexOfAny(char[])": index_of_any,
        "int LastIndexOf(string)": last_index_of,
        "int LastIndexOf(char)": lambda s, c: s.rfind(c),
        "int LastIndexOf(string, StringComparison)": last_index_of,
        "int LastIndexOf(char, int)": last_index_from,
        "int LastIndexOf(string, int)": last_index_from,
        "string Substring(int)": substring,
        "string Substring(int, int)": substring,
        "string Replace(string, string)": replace,
        "string Replace(char, char)": lambda s, a, b: s.replace(a, b),
        "string Insert(int, string)": insert,
        "string Remove(int)": remove,
        "string Remove(int, int)": remove,
        "string ToLower()": lower,
        "string ToLowerInvariant()": lower,
        "string ToLower(CultureInfo)": lambda s, c: lower(s),
        "string ToUpper()": fold,
        "string ToUpperInvariant()": fold,
        "string ToUpper(CultureInfo)": lambda s, c: fold(s),
        "string Trim()": lambda s: s.strip(_SPACE),
        "string Trim(params char[])": lambda s, chars: trim(s, chars, "both"),
        "string TrimStart(params char[])": lambda s, chars: trim(s, chars, "left"),
        "string TrimEnd(params char[])": lambda s, chars: trim(s, chars, "right"),
        "string PadLeft(int)": lambda s, n: pad(s, n, " ", True),
        "string PadLeft(int, char)": lambda s, n, c: pad(s, n, c, True),
        "string PadRight(int)": lambda s, n: pad(s, n, " ", False),
        "string PadRight(int, char)": lambda s, n, c: pad(s, n, c, False),
        "string[] Split(params char[])": lambda s, marks: split(s, marks or []),
        "string[] Split(char[], StringSplitOptions)": lambda s, marks, o: split(s, marks or [], options=o),
        "string[] Split(char[], int)": lambda s, marks, n: split(s, marks or [], n),
        "string[] Split(char[], int, StringSplitOptions)": lambda s, marks, n, o: split(s, marks or [], n, o),
        "string[] Split(string[], StringSplitOptions)": lambda s, marks, o: split(s, marks or [], options=o),
        "string[] Split(string[], int, StringSplitOptions)": lambda s, marks, n, o: split(s, marks or [], n, o),
        "string[] Split(char, StringSplitOptions)": lambda s, mark, o: split(s, [mark], options=o),
        "string[] Split(char, int)": lambda s, mark, n: split(s, [mark], n),
        "string[] Split(string, StringSplitOptions=0)": lambda s, mark, o: split(s, [mark], options=o or 0),
        "char[] ToCharArray()": lambda s: CsArray(map(Char, s), CHAR),
        "string ToString()": lambda s: s,
        "string ToString(IFormatProvider)": lambda s, c: s,
        "string Clone()": lambda s: s,
        "int GetHashCode()": string_hash,
        "string Normalize()": lambda s: unicodedata.normalize("NFC", s),
    }
)
