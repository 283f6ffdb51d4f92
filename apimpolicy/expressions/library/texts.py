"""StringBuilder, Encoding and WebUtility."""

from __future__ import annotations

import html
import urllib.parse
from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.errors import CsException, argument_null, out_of_range
from apimpolicy.expressions.library.numeric import byte_array
from apimpolicy.expressions.library.strings import insert, remove, replace, substring
from apimpolicy.expressions.runtime_types import CLASSES
from apimpolicy.expressions.text import TEXT, composite, to_text
from apimpolicy.expressions.types import define
from apimpolicy.expressions.values import Builder, Char, CsArray, Runtime

CLASSES.update(StringBuilder=Builder)
TEXT[Builder] = Builder.text


def _append(one: Builder, value: Any) -> Builder:
    one.append(to_text(value))
    return one


def _append_line(one: Builder, value: str | None = None) -> Builder:
    one.append((value or "") + "\n")
    return one


def _append_repeat(one: Builder, char: str, count: int) -> Builder:
    if count < 0:
        raise out_of_range("repeatCount", "Count cannot be less than zero.")
    from apimpolicy.expressions.values import check_text

    check_text(count)
    one.append(str(char) * count)
    return one


def _edited(edit: Callable[..., str]) -> Callable[..., Builder]:
    def run(one: Builder, *rest: Any) -> Builder:
        one.replace_all(edit(one.text(), *rest))
        return one

    return run


def _join(runtime: Runtime, one: Builder, separator: str, items: Any) -> Builder:
    one.append((separator or "").join(to_text(item) for item in runtime.each(items)))
    return one


def _get(one: Builder, index: int) -> Char:
    text = one.text()
    if not 0 <= index < len(text):
        raise CsException("IndexOutOfRangeException", "Index was outside the bounds of the array.")
    return Char(text[index])


def _set(one: Builder, index: int, char: str) -> None:
    text = one.text()
    if not 0 <= index < len(text):
        raise out_of_range(
            "index", "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    one.replace_all(text[:index] + char + text[index + 1 :])


def _set_length(one: Builder, length: int) -> None:
    if length < 0:
        raise out_of_range("value", "Length cannot be less than zero.")
    one.replace_all(one.text()[:length].ljust(length, "\0"))


define(
    "StringBuilder",
    namespace="System.Text",
    members={
        "StringBuilder new()": Builder,
        "StringBuilder new(int)": lambda n: Builder(),
        "StringBuilder new(string)": lambda s: Builder(s or ""),
        "StringBuilder new(string, int)": lambda s, n: Builder(s or ""),
        "StringBuilder Append(string)": _append,
        "StringBuilder Append(object)": _append,
        "StringBuilder Append(char[])": lambda b, v: _append(b, "".join(v or ())),
        "StringBuilder Append(char, int)": _append_repeat,
        "StringBuilder Append(string, int, int)": lambda b, s, i, n: _append(b, substring(s, i, n)),
        "StringBuilder AppendLine()": _append_line,
        "StringBuilder AppendLine(string)": _append_line,
        "StringBuilder AppendFormat(string, params object[])": lambda b, p, items: _append(b, composite(p, items)),
        "!StringBuilder AppendJoin<T>(string, IEnumerable<T>)": _join,
        "StringBuilder Insert(int, object)": _edited(lambda s, i, v: insert(s, i, to_text(v))),
        "StringBuilder Remove(int, int)": _edited(remove),
        "StringBuilder Replace(string, string)": _edited(replace),
        "StringBuilder Replace(char, char)": _edited(lambda s, a, b: s.replace(a, b)),
        "StringBuilder Clear()": _edited(lambda s: ""),
        "int Length": (lambda b: b.length, _set_length),
        "int Capacity": lambda b: max(16, b.length),
        "char this[int]": (_get, _set),
        "string ToString()": lambda b: b.text(),
        "string ToString(int, int)": lambda b, i, n: substring(b.text(), i, n),
    },
)


class Encoding:
    """One of .NET's encodings, by the Python codec that does the same."""

    __slots__ = ("codec", "label")

    def __init__(self, label: str, codec: str) -> None:
        self.label = label
        self.codec = codec

    def encode(self, text: str | None) -> CsArray:
        if text is None:
            raise argument_null("s")
        return byte_array(text.encode(self.codec, "replace"))

    def decode(self, data: CsArray | None, start: int = 0, count: int | None = None) -> str:
        if data is None:
            raise argument_null("bytes")
        end = len(data) if count is None else start + count
        if not 0 <= start <= end <= len(data):
            raise out_of_range("bytes", "Index and count must refer to a location within the buffer.")
        text = bytes(data[start:end]).decode(self.codec, "replace")
        return text.replace("\ufffd", "?") if self.codec == "ascii" else text


CLASSES.update(Encoding=Encoding)
_ENCODINGS: Final = {
    "utf-8": Encoding("Unicode (UTF-8)", "utf-8"),
    "us-ascii": Encoding("US-ASCII", "ascii"),
    "utf-16": Encoding("Unicode", "utf-16-le"),
    "utf-32": Encoding("Unicode (UTF-32)", "utf-32-le"),
    "iso-8859-1": Encoding("Western European (ISO)", "latin-1"),
}


def _named(name: str | None) -> Encoding:
    if name is None:
        raise argument_null("name")
    found = _ENCODINGS.get(
        {"ascii": "us-ascii", "latin1": "iso-8859-1", "unicode": "utf-16"}.get(name.lower(), name.lower())
    )
    if found is None:
        raise CsException("ArgumentException", f"'{name}' is not a supported encoding name.\nParameter name: name")
    return found


define(
    "Encoding",
    namespace="System.Text",
    members={
        "static Encoding UTF8": _ENCODINGS["utf-8"],
        "static Encoding Default": _ENCODINGS["utf-8"],
        "static Encoding ASCII": _ENCODINGS["us-ascii"],
        "static Encoding Unicode": _ENCODINGS["utf-16"],
        "static Encoding UTF32": _ENCODINGS["utf-32"],
        "static Encoding GetEncoding(string)": _named,
        "byte[] GetBytes(string)": lambda e, s: e.encode(s),
        "byte[] GetBytes(char[])": lambda e, chars: e.encode("".join(chars)),
        "string GetString(byte[])": lambda e, d: e.decode(d),
        "string GetString(byte[], int, int)": lambda e, d, i, n: e.decode(d, i, n),
        "char[] GetChars(byte[])": lambda e, d: CsArray(map(Char, e.decode(d))),
        "int GetByteCount(string)": lambda e, s: len(e.encode(s)),
        "string EncodingName": lambda e: e.label,
    },
)
define(
    "UTF8Encoding",
    bases=["Encoding"],
    namespace="System.Text",
    members={
        "UTF8Encoding new()": lambda: _ENCODINGS["utf-8"],
        "UTF8Encoding new(bool)": lambda b: _ENCODINGS["utf-8"],
    },
)
define(
    "ASCIIEncoding",
    bases=["Encoding"],
    namespace="System.Text",
    members={"ASCIIEncoding new()": lambda: _ENCODINGS["us-ascii"]},
)


def _null_safe(work: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else work(text)


def _url_encode(text: str) -> str:
    return urllib.parse.quote_plus(text, safe="-_.!*()", encoding="utf-8")


def _html_encode(text: str) -> str:
    escaped = html.escape(text, quote=False).replace('"', "&quot;").replace("'", "&#39;")
    return "".join(f"&#{ord(c)};" if "\xa0" <= c <= "\xff" or c > "\uffff" else c for c in escaped)


define(
    "WebUtility",
    kind="static",
    namespace="System.Net",
    members={
        "static string UrlEncode(string)": _null_safe(_url_encode),
        "static string UrlDecode(string)": _null_safe(urllib.parse.unquote_plus),
        "static string HtmlEncode(string)": _null_safe(_html_encode),
        "static string HtmlDecode(string)": _null_safe(html.unescape),
    },
)
