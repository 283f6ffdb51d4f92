"""Guid, Uri, Random: small values of System. Randomness comes from the context, so that one seed repeats."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any, Final

from apimpolicy.expressions.defaults import DEFAULTS
from apimpolicy.expressions.errors import CsException, argument_null, format_error, out_of_range
from apimpolicy.expressions.json_values import KIND_BY_CLASS
from apimpolicy.expressions.library.numeric import attempt, byte_array
from apimpolicy.expressions.operators import VALUE_EQUALITY
from apimpolicy.expressions.runtime_types import CLASSES
from apimpolicy.expressions.text import FORMATS, TEXT
from apimpolicy.expressions.types import STRING, define, define_enum
from apimpolicy.expressions.values import CsArray, Runtime, wrap_int

# -- Guid --------------------------------------------------------------------------------------------------------


class Guid:
    """128 bits; `number` is the value of the hexadecimal digits as printed."""

    __slots__ = ("number",)

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guid) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __lt__(self, other: Guid) -> bool:
        return self.number < other.number

    def cs_hash(self) -> int:
        return wrap_int((self.number ^ self.number >> 32 ^ self.number >> 64 ^ self.number >> 96) & 0xFFFFFFFF)

    def text(self, pattern: str | None = None) -> str:
        digits = f"{self.number:032x}"
        dashed = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        kind = (pattern or "D").upper()
        if kind not in ("D", "N", "B", "P"):
            raise format_error('Format String can be only "D", "d", "N", "n", "P", "p", "B", "b", "X" or "x".')
        return {"D": dashed, "N": digits, "B": f"{{{dashed}}}", "P": f"({dashed})"}[kind]


_GUID: Final = re.compile(
    r"^\s*(?:([0-9a-f]{32})|([{(])?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})([})])?)\s*$", re.I
)


def parse_guid(text: str | None) -> Guid:
    if text is None:
        raise argument_null("input")
    match = _GUID.match(text)
    if match is None or (match[2] or "", match[4] or "") not in (("", ""), ("{", "}"), ("(", ")")):
        raise format_error("Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).")
    return Guid(int((match[1] or match[3]).replace("-", ""), 16))


def new_guid(runtime: Runtime) -> Guid:
    """A version 4 Guid from the context's random source."""
    bits = source_of_chance(runtime).getrandbits(128)
    return Guid(bits & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62)


def source_of_chance(runtime: Runtime) -> Any:
    source = runtime.context.random if runtime.context is not None else None
    if source is None:
        raise CsException("InvalidOperationException", "this context has no source of random numbers")
    return source


def _guid_bytes(value: Guid) -> CsArray:
    raw = value.number.to_bytes(16, "big")
    return byte_array(raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:])


CLASSES.update(Guid=Guid)
TEXT[Guid] = Guid.text
FORMATS[Guid] = Guid.text
KIND_BY_CLASS[Guid] = "Guid"
VALUE_EQUALITY.add("Guid")
DEFAULTS["Guid"] = lambda kind: Guid()
define(
    "Guid",
    kind="struct",
    bases=["IComparable"],
    members={
        "!static Guid NewGuid()": new_guid,
        "static Guid Empty": Guid(),
        "Guid new(string)": parse_guid,
        "static Guid Parse(string)": parse_guid,
        "static Guid ParseExact(string, string)": lambda s, p: parse_guid(s),
        "static bool TryParse(string, out Guid)": attempt(parse_guid, Guid()),
        "string ToString()": lambda v: v.text(),
        "string ToString(string)": lambda v, p: v.text(p),
        "byte[] ToByteArray()": _guid_bytes,
        "bool Equals(Guid)": lambda v, o: v == o,
        "int CompareTo(Guid)": lambda v, o: (v.number > o.number) - (v.number < o.number),
        "int GetHashCode()": lambda v: v.cs_hash(),
    },
)

# -- Random ------------------------------------------------------------------------------------------------------

_BIG: Final = 2**31 - 1


class SeededRandom:
    """Knuth's subtractive generator, as System.Random has it for a given seed."""

    __slots__ = ("first", "second", "state")

    def __init__(self, seed: int) -> None:
        state = [0] * 56
        low = _BIG if seed == -(2**31) else abs(seed)
        previous = 161_803_398 - low
        state[55] = previous
        current = 1
        for index in range(1, 55):
            place = 21 * index % 55
            state[place] = current
            current = previous - current
            if current < 0:
                current += _BIG
            previous = state[place]
        for _ in range(4):
            for index in range(1, 56):
                state[index] = wrap_int(state[index] - state[1 + (index + 30) % 55])
                if state[index] < 0:
                    state[index] += _BIG
        self.state = state
        self.first = 0
        self.second = 21

    def sample(self) -> int:
        self.first = self.first % 55 + 1
        self.second = self.second % 55 + 1
        value = self.state[self.first] - self.state[self.second]
        if value == _BIG:
            value -= 1
        if value < 0:
            value += _BIG
        self.state[self.first] = value
        return value

    def fraction(self) -> float:
        return self.sample() * (1.0 / _BIG)


class ContextRandom:
    """new Random() without a seed: draws from the context's source."""

    __slots__ = ("source",)

    def __init__(self, source: Any) -> None:
        self.source = source

    def sample(self) -> int:
        return int(self.source.randrange(_BIG))

    def fraction(self) -> float:
        return float(self.source.random())


def _next_below(one: Any, limit: int) -> int:
    if limit < 0:
        raise out_of_range("maxValue", "'maxValue' must be greater than zero.")
    return int(one.fraction() * limit)


def _next_between(one: Any, low: int, high: int) -> int:
    if low > high:
        raise out_of_range("minValue", "'minValue' cannot be greater than maxValue.")
    return int(one.fraction() * (high - low)) + low


def _fill(one: Any, buffer: CsArray) -> None:
    for index in range(len(buffer)):
        buffer[index] = one.sample() % 256


CLASSES.update(Random=SeededRandom)
define(
    "Random",
    members={
        "!Random new()": lambda r: ContextRandom(source_of_chance(r)),
        "Random new(int)": SeededRandom,
        "int Next()": lambda v: v.sample(),
        "int Next(int)": _next_below,
        "int Next(int, int)": _next_between,
        "double NextDouble()": lambda v: v.fraction(),
        "void NextBytes(byte[])": _fill,
    },
)

# -- Uri ---------------------------------------------------------------------------------------------------------

_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}


class Uri:
    """An absolute (or relative) URI; only what policies read of it."""

    __slots__ = ("absolute", "original", "parts")

    def __init__(self, original: str, absolute: bool, parts: urllib.parse.SplitResult) -> None:
        self.original = original
        self.absolute = absolute
        self.parts = parts

    def need(self) -> urllib.parse.SplitResult:
        if not self.absolute:
            raise CsException("InvalidOperationException", "This operation is not supported for a relative URI.")
        return self.parts

    @property
    def host(self) -> str:
        return self.need().hostname or ""

    @property
    def port(self) -> int:
        explicit = self.need().port
        return explicit if explicit is not None else _PORTS.get(self.parts.scheme, -1)

    @property
    def authority(self) -> str:
        explicit = self.need().port
        return self.host if explicit is None or explicit == _PORTS.get(self.parts.scheme) else f"{self.host}:{explicit}"

    @property
    def path(self) -> str:
        return quote_path(self.need().path) or "/"

    @property
    def query(self) -> str:
        query = self.need().query
        return f"?{urllib.parse.quote(query, safe=_KEPT)}" if query else ""

    @property
    def fragment(self) -> str:
        return f"#{self.need().fragment}" if self.need().fragment else ""

    def text(self) -> str:
        if not self.absolute:
            return self.original
        return f"{self.parts.scheme}://{self.authority}{self.path}{self.query}{self.fragment}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uri) and self.text() == other.text()

    def __hash__(self) -> int:
        return hash(self.text())


_KEPT: Final = "-._~:/?#[]@!$&'()*+,;=%"


def quote_path(path: str) -> str:
    """Escaped, and with . and .. segments folded."""
    quoted = urllib.parse.quote(path, safe=_KEPT)
    if "/." not in quoted:
        return quoted
    parts: list[str] = []
    for segment in quoted.split("/"):
        if segment == "..":
            if len(parts) > 1:
                parts.pop()
        elif segment != ".":
            parts.append(segment)
    return "/".join(parts) + ("/" if quoted.endswith(("/.", "/..")) else "")


def new_uri(text: str | None, kind: int = 1) -> Uri:
    """new Uri(text[, UriKind]). Raises UriFormatException."""
    if text is None:
        raise argument_null("uriString")
    try:
        parts = urllib.parse.urlsplit(text.strip())
        absolute = bool(parts.scheme and (parts.hostname or parts.scheme not in _PORTS) and ":" in text)
        _ = parts.port
    except ValueError:
        raise _bad_uri("Invalid URI: The format of the URI could not be determined.") from None
    if absolute and " " in (parts.hostname or ""):
        raise _bad_uri("Invalid URI: The hostname could not be parsed.")
    if kind == 1 and not absolute:
        raise _bad_uri("Invalid URI: The format of the URI could not be determined.")
    if kind == 2 and absolute:
        raise _bad_uri("A relative URI cannot be created because the 'uriString' parameter represents an absolute URI.")
    return Uri(text, absolute, parts)


def _bad_uri(message: str) -> CsException:
    return CsException("UriFormatException", message)


def _combine(base: Uri, relative: Any) -> Uri:
    text = relative.original if isinstance(relative, Uri) else relative
    return new_uri(urllib.parse.urljoin(base.text(), text))


def _try_create(text: str | None, kind: int) -> tuple[bool, Uri | None]:
    try:
        return True, new_uri(text, kind)
    except CsException:
        return False, None


def escape_data(text: str | None) -> str:
    if text is None:
        raise argument_null("stringToEscape")
    return urllib.parse.quote(text, safe="-._~")


def unescape_data(text: str | None) -> str:
    if text is None:
        raise argument_null("stringToUnescape")
    return urllib.parse.unquote(text)


def _left_part(uri: Uri, part: int) -> str:
    head = f"{uri.need().scheme}://"
    return (head, f"{head}{uri.authority}", f"{head}{uri.authority}{uri.path}", uri.text())[part]


def _segments(uri: Uri) -> CsArray:
    return CsArray(re.findall(r"[^/]*/|[^/]+$", uri.path), STRING)


CLASSES.update(Uri=Uri)
TEXT[Uri] = lambda v: urllib.parse.unquote(v.text()) if "%" in v.text() and "%2" not in v.text() else v.text()
KIND_BY_CLASS[Uri] = "Uri"
VALUE_EQUALITY.add("Uri")
define_enum("UriKind", {"RelativeOrAbsolute": 0, "Absolute": 1, "Relative": 2})
define_enum("UriPartial", {"Scheme": 0, "Authority": 1, "Path": 2, "Query": 3})
define(
    "Uri",
    members={
        "Uri new(string)": new_uri,
        "Uri new(string, UriKind)": new_uri,
        "Uri new(Uri, string)": _combine,
        "Uri new(Uri, Uri)": _combine,
        "static string EscapeDataString(string)": escape_data,
        "static string UnescapeDataString(string)": unescape_data,
        "static string EscapeUriString(string)": lambda s: urllib.parse.quote(s, safe=_KEPT.replace("%", "")),
        "static bool IsWellFormedUriString(string, UriKind)": lambda s, k: _try_create(s, k)[0] and " " not in s,
        "static bool TryCreate(string, UriKind, out Uri)": _try_create,
        "static string UriSchemeHttp": "http",
        "static string UriSchemeHttps": "https",
        "string AbsoluteUri": lambda v: v.need() and v.text(),
        "string AbsolutePath": lambda v: v.path,
        "string LocalPath": lambda v: urllib.parse.unquote(v.path),
        "string Authority": lambda v: v.authority,
        "string Host": lambda v: v.host,
        "string DnsSafeHost": lambda v: v.host,
        "int Port": lambda v: v.port,
        "bool IsDefaultPort": lambda v: v.port == _PORTS.get(v.need().scheme, -1),
        "bool IsAbsoluteUri": lambda v: v.absolute,
        "string Scheme": lambda v: v.need().scheme,
        "string Query": lambda v: v.query,
        "string Fragment": lambda v: v.fragment,
        "string PathAndQuery": lambda v: v.path + v.query,
        "string OriginalString": lambda v: v.original,
        "string UserInfo": lambda v: v.need().netloc.rpartition("@")[0],
        "string[] Segments": _segments,
        "string GetLeftPart(UriPartial)": _left_part,
        "string ToString()": lambda v: TEXT[Uri](v),
    },
)
