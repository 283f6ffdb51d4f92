"""DateTime, DateTimeOffset and TimeSpan by ticks of 100 ns, with .NET's formats in the invariant culture.

Local time is UTC here: a gateway in Azure runs on UTC. No clock is read in this room; `now` comes with the context.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apimpolicy.expressions.errors import CsException, format_error, out_of_range
from apimpolicy.expressions.text import FORMATS, TEXT

TICKS_PER_SECOND: Final = 10_000_000
TICKS_PER_DAY: Final = 86_400 * TICKS_PER_SECOND
UNIX_TICKS: Final = 621_355_968_000_000_000
MAX_TICKS: Final = 3_155_378_975_999_999_999
_EPOCH: Final = datetime(1, 1, 1)  # noqa: DTZ001 - calendar arithmetic only
_MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS: Final = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
UNSPECIFIED, UTC_KIND, LOCAL = 0, 1, 2


class TimeSpan:
    """A duration in ticks."""

    __slots__ = ("ticks",)

    def __init__(self, ticks: int) -> None:
        if not -(2**63) <= ticks < 2**63:
            raise CsException("OverflowException", "TimeSpan overflowed because the duration is too long.")
        self.ticks = ticks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeSpan) and self.ticks == other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    def __lt__(self, other: TimeSpan) -> bool:
        return self.ticks < other.ticks

    def __le__(self, other: TimeSpan) -> bool:
        return self.ticks <= other.ticks

    def __gt__(self, other: TimeSpan) -> bool:
        return self.ticks > other.ticks

    def __ge__(self, other: TimeSpan) -> bool:
        return self.ticks >= other.ticks

    def __neg__(self) -> TimeSpan:
        return TimeSpan(-self.ticks)

    def part(self, unit: int, modulo: int) -> int:
        """The component of that unit, signed like the whole."""
        value = abs(self.ticks) // unit % modulo
        return -value if self.ticks < 0 else value

    def text(self, pattern: str | None = None) -> str:
        if pattern in (None, "", "c", "t", "T"):
            return self._constant()
        if pattern in ("g", "G"):
            return self._general(pattern == "G")
        assert pattern is not None
        return self._custom(pattern)

    def _constant(self) -> str:
        ticks = abs(self.ticks)
        days, rest = divmod(ticks, TICKS_PER_DAY)
        seconds, fraction = divmod(rest, TICKS_PER_SECOND)
        head = f"{'-' if self.ticks < 0 else ''}{f'{days}.' if days else ''}"
        tail = f".{fraction:07d}" if fraction else ""
        return f"{head}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"

    def _general(self, full: bool) -> str:
        ticks = abs(self.ticks)
        days, rest = divmod(ticks, TICKS_PER_DAY)
        seconds, fraction = divmod(rest, TICKS_PER_SECOND)
        sign = "-" if self.ticks < 0 else ""
        if full:
            return f"{sign}{days}:{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:07d}"
        tail = f".{f'{fraction:07d}'.rstrip('0')}" if fraction else ""
        head = f"{days}:" if days else ""
        return f"{sign}{head}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"

    def _custom(self, pattern: str) -> str:
        ticks = abs(self.ticks)
        parts = {
            "d": ticks // TICKS_PER_DAY,
            "h": ticks // 36_000_000_000 % 24,
            "m": ticks // 600_000_000 % 60,
            "s": ticks // TICKS_PER_SECOND % 60,
        }
        fraction = f"{ticks % TICKS_PER_SECOND:07d}"

        def one(token: str) -> str | None:
            if token[0] in parts:
                return str(parts[token[0]]).rjust(len(token), "0")
            if token[0] == "f" and len(token) <= 7:
                return fraction[: len(token)]
            if token[0] == "F" and len(token) <= 7:
                return fraction[: len(token)].rstrip("0")
            return None

        return _expand(pattern, one, strict=True)


class DateTime:
    """A point of the calendar: ticks since 0001-01-01, and a kind (0 unspecified, 1 UTC, 2 local)."""

    __slots__ = ("kind", "ticks")

    def __init__(self, ticks: int, kind: int = UNSPECIFIED) -> None:
        if not 0 <= ticks <= MAX_TICKS:
            raise out_of_range("value", "The added or subtracted value results in an un-representable DateTime.")
        self.ticks = ticks
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTime) and self.ticks == other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    def __lt__(self, other: DateTime) -> bool:
        return self.ticks < other.ticks

    def __le__(self, other: DateTime) -> bool:
        return self.ticks <= other.ticks

    def __gt__(self, other: DateTime) -> bool:
        return self.ticks > other.ticks

    def __ge__(self, other: DateTime) -> bool:
        return self.ticks >= other.ticks

    def calendar(self) -> datetime:
        return _EPOCH + timedelta(
            days=self.ticks // TICKS_PER_DAY, seconds=self.ticks % TICKS_PER_DAY // TICKS_PER_SECOND
        )

    def iso(self) -> str:
        """As JSON has it: yyyy-MM-ddTHH:mm:ss.FFFFFFFK."""
        return self.text("yyyy-MM-ddTHH:mm:ss.FFFFFFFK")

    def text(self, pattern: str | None = None) -> str:
        return format_date(self.ticks, pattern, self.kind, 0)


class DateTimeOffset:
    """A point in time with its offset from UTC, both in ticks; `ticks` is the local clock reading."""

    __slots__ = ("offset", "ticks")

    def __init__(self, ticks: int, offset: int = 0) -> None:
        self.ticks = ticks
        self.offset = offset
        if not 0 <= self.utc <= MAX_TICKS:
            raise out_of_range(
                "offset", "The UTC time represented when the offset is applied must be between year 0 and 10,000."
            )

    @property
    def utc(self) -> int:
        return self.ticks - self.offset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTimeOffset) and self.utc == other.utc

    def __hash__(self) -> int:
        return hash(self.utc)

    def __lt__(self, other: DateTimeOffset) -> bool:
        return self.utc < other.utc

    def __le__(self, other: DateTimeOffset) -> bool:
        return self.utc <= other.utc

    def __gt__(self, other: DateTimeOffset) -> bool:
        return self.utc > other.utc

    def __ge__(self, other: DateTimeOffset) -> bool:
        return self.utc >= other.utc

    def iso(self) -> str:
        return self.text("yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz")

    def text(self, pattern: str | None = None) -> str:
        if not pattern:
            return format_date(self.ticks, "MM/dd/yyyy HH:mm:ss zzz", None, self.offset)
        if pattern in ("u", "r", "R"):
            return format_date(self.utc, pattern, UTC_KIND, 0)
        return format_date(self.ticks, pattern, None, self.offset)


def from_datetime(value: datetime) -> DateTime:
    """A Python datetime (aware ones are taken to UTC) as a UTC DateTime."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    span = value - _EPOCH
    return DateTime((span.days * 86_400 + span.seconds) * TICKS_PER_SECOND + span.microseconds * 10, UTC_KIND)


def from_parts(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, ms: int = 0) -> int:
    """Ticks of a calendar date. Raises ArgumentOutOfRangeException."""
    try:
        span = datetime(year, month, day, hour, minute, second) - _EPOCH  # noqa: DTZ001
    except ValueError:
        raise CsException(
            "ArgumentOutOfRangeException", "Year, Month, and Day parameters describe an un-representable DateTime."
        ) from None
    return (span.days * 86_400 + span.seconds) * TICKS_PER_SECOND + ms * 10_000


_STANDARD: Final[dict[str, str]] = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}


def format_date(ticks: int, pattern: str | None, kind: int | None, offset: int) -> str:
    """`kind` None means an offset is known (DateTimeOffset). Raises FormatException."""
    pattern = pattern or "G"
    if len(pattern) == 1:
        if pattern not in _STANDARD:
            raise format_error()
        pattern = _STANDARD[pattern]
    elif pattern[0] == "%" and len(pattern) == 2:
        pattern = pattern[1:]
    when = _EPOCH + timedelta(days=ticks // TICKS_PER_DAY, seconds=ticks % TICKS_PER_DAY // TICKS_PER_SECOND)
    fraction = f"{ticks % TICKS_PER_SECOND:07d}"
    minutes = abs(offset) // 600_000_000
    sign = "-" if offset < 0 else "+"

    def one(token: str) -> str | None:
        return _date_token(token, when, fraction, sign, minutes, kind)

    return _expand(pattern, one)


def _date_token(token: str, when: datetime, fraction: str, sign: str, minutes: int, kind: int | None) -> str | None:
    letter, count = token[0], len(token)
    numbers = {"H": when.hour, "h": when.hour % 12 or 12, "m": when.minute, "s": when.second}
    if letter in numbers:
        return str(numbers[letter]).rjust(min(count, 2), "0")
    if letter == "y":
        return str(when.year % 100).rjust(count, "0") if count <= 2 else str(when.year).rjust(count, "0")
    if letter == "M":
        if count <= 2:
            return str(when.month).rjust(count, "0")
        return _MONTHS[when.month - 1][:3] if count == 3 else _MONTHS[when.month - 1]
    if letter == "d":
        if count <= 2:
            return str(when.day).rjust(count, "0")
        name = _DAYS[when.isoweekday() % 7]
        return name[:3] if count == 3 else name
    if letter == "t":
        return ("AM" if when.hour < 12 else "PM")[: min(count, 2)]
    if letter == "f" and count <= 7:
        return fraction[:count]
    if letter == "F" and count <= 7:
        return fraction[:count].rstrip("0")
    if letter == "z":
        hours = f"{minutes // 60}".rjust(min(count, 2), "0")
        return f"{sign}{hours}:{minutes % 60:02d}" if count >= 3 else f"{sign}{hours}"
    if letter == "K":
        if kind is None or kind == LOCAL:
            return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        return "Z" if kind == UTC_KIND else ""
    if letter == "g":
        return "A.D."
    return None


def _expand(pattern: str, one: Callable[[str], str | None], strict: bool = False) -> str:
    """Walk a custom format; `one` answers a run of one letter, None when it is no specifier."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char in "'\"":
            end = pattern.find(char, at + 1)
            if end < 0:
                raise format_error()
            out.append(pattern[at + 1 : end])
            at = end + 1
            continue
        if char == "\\":
            if at + 1 >= len(pattern):
                raise format_error()
            out.append(pattern[at + 1])
            at += 2
            continue
        if char == "%":
            at += 1
            continue
        end = at
        while end < len(pattern) and pattern[end] == char:
            end += 1
        found = one(pattern[at:end])
        if found is None:
            if strict and char.isalpha():
                raise format_error()
            out.append(pattern[at:end])
        elif found == "" and char == "F" and out and out[-1].endswith("."):
            out[-1] = out[-1][:-1]
        else:
            out.append(found)
        at = end
    return "".join(out)


_ISO: Final = re.compile(
    r"^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,16}))?(Z|[+-]\d{2}(?::?\d{2})?)?$", re.ASCII
)


def parse_iso(text: str) -> DateTime | None:
    """What Newtonsoft takes for a date when it reads JSON; None for any other string."""
    match = _ISO.match(text)
    if match is None:
        return None
    try:
        ticks = from_parts(*(int(match[i]) for i in range(1, 7)))
    except CsException:
        return None
    ticks += int((match[7] or "0").ljust(7, "0")[:7])
    zone = match[8]
    if zone is None:
        return DateTime(ticks)
    if zone == "Z":
        return DateTime(ticks, UTC_KIND)
    return DateTime(ticks - offset_ticks(zone), LOCAL)


def offset_ticks(zone: str) -> int:
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:4])
    return minutes * 600_000_000 * (-1 if zone[0] == "-" else 1)


TEXT[TimeSpan] = TimeSpan.text
TEXT[DateTime] = DateTime.text
TEXT[DateTimeOffset] = DateTimeOffset.text
FORMATS[TimeSpan] = TimeSpan.text
FORMATS[DateTime] = DateTime.text
FORMATS[DateTimeOffset] = DateTimeOffset.text
