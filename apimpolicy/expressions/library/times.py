"""DateTime, DateTimeOffset, TimeSpan: parsing, arithmetic and the member tables. `now` is the context's clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions import dates
from apimpolicy.expressions.conversions import IMPLICIT
from apimpolicy.expressions.dates import (
    LOCAL,
    MAX_TICKS,
    TICKS_PER_DAY,
    TICKS_PER_SECOND,
    UNIX_TICKS,
    UNSPECIFIED,
    UTC_KIND,
    DateTime,
    DateTimeOffset,
    TimeSpan,
    from_datetime,
    from_parts,
    offset_ticks,
)
from apimpolicy.expressions.defaults import DEFAULTS
from apimpolicy.expressions.errors import CsException, argument, argument_null, format_error, out_of_range, overflow
from apimpolicy.expressions.library.numeric import attempt
from apimpolicy.expressions.operators import USER_OPERATORS, VALUE_EQUALITY
from apimpolicy.expressions.runtime_types import CLASSES
from apimpolicy.expressions.types import DEFINITIONS, define, define_enum
from apimpolicy.expressions.values import Runtime

CLASSES.update(DateTime=DateTime, DateTimeOffset=DateTimeOffset, TimeSpan=TimeSpan)
VALUE_EQUALITY.update(("DateTime", "DateTimeOffset", "TimeSpan"))
_KINDS: Final = define_enum("DateTimeKind", {"Unspecified": 0, "Utc": 1, "Local": 2})
_DAYS: Final = define_enum(
    "DayOfWeek",
    {"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6},
)
define_enum(
    "DateTimeStyles",
    {
        "None": 0,
        "AllowLeadingWhite": 1,
        "AllowTrailingWhite": 2,
        "AllowInnerWhite": 4,
        "AllowWhiteSpaces": 7,
        "NoCurrentDateDefault": 8,
        "AdjustToUniversal": 16,
        "AssumeLocal": 32,
        "AssumeUniversal": 64,
        "RoundtripKind": 128,
    },
    "System.Globalization",
)
MS: Final = 10_000


def now(runtime: Runtime) -> DateTime:
    """The context's clock. Raises InvalidOperationException when the context has none."""
    clock = runtime.context.clock if runtime.context is not None else None
    if clock is None:
        raise CsException("InvalidOperationException", "this context has no clock")
    return from_datetime(clock())


# -- parsing ---------------------------------------------------------------------------------------------------

_MONTH_NAMES: Final = {name.lower()[:3]: i + 1 for i, name in enumerate(dates._MONTHS)}
_TIME: Final = (
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?"
    r"\s*(?P<half>[AaPp][Mm])?)?\s*(?P<zone>Z|GMT|UTC|[+-]\d{1,2}:?\d{2})?"
)
_PATTERNS: Final = tuple(
    re.compile(rf"^\s*{head}{_TIME}\s*$", re.ASCII | re.I)
    for head in (
        r"(?P<year>\d{4})-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
        r"(?P<month>\d{1,2})[/-](?P<day>\d{1,2})[/-](?P<year>\d{4})",
        r"(?:[A-Za-z]{3,9},?\s+)?(?P<day>\d{1,2})[ -](?P<name>[A-Za-z]{3,9})[ -](?P<year>\d{4})",
        r"(?:[A-Za-z]{3,9},?\s+)?(?P<name>[A-Za-z]{3,9})\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})",
    )
)


def _read(text: str) -> tuple[int, str | None]:
    """Ticks as written, and the zone as written. Raises FormatException."""
    for pattern in _PATTERNS:
        match = pattern.match(text)
        if match is None:
            continue
        parts = match.groupdict()
        month = _MONTH_NAMES.get(parts["name"].lower()[:3]) if parts.get("name") else int(parts["month"])
        hour = int(parts["hour"] or 0)
        if parts["half"]:
            hour = hour % 12 + (12 if parts["half"].lower() == "pm" else 0)
        try:
            ticks = from_parts(
                int(parts["year"]),
                month or 0,
                int(parts["day"] or 1),
                hour,
                int(parts["minute"] or 0),
                int(parts["second"] or 0),
            )
        except CsException:
            break
        return ticks + int((parts["fraction"] or "0")[:7].ljust(7, "0")), parts["zone"]
    raise format_error("String was not recognized as a valid DateTime.")


def parse_date(text: str | None, styles: int = 0) -> DateTime:
    """DateTime.Parse in the invariant culture; local time is UTC."""
    if text is None:
        raise argument_null("s")
    ticks, zone = _read(text)
    if zone is None:
        return DateTime(ticks, UTC_KIND if styles & 64 and styles & 16 else LOCAL if styles & 96 else UNSPECIFIED)
    shift = 0 if zone.upper() in ("Z", "GMT", "UTC") else offset_ticks(zone)
    if styles & 128 and zone.upper() == "Z":
        return DateTime(ticks, UTC_KIND)
    return DateTime(ticks - shift, UTC_KIND if styles & 16 else LOCAL)


def parse_offset(text: str | None) -> DateTimeOffset:
    if text is None:
        raise argument_null("input")
    ticks, zone = _read(text)
    if zone is None or zone.upper() in ("Z", "GMT", "UTC"):
        return DateTimeOffset(ticks)
    return DateTimeOffset(ticks, offset_ticks(zone))


def parse_exact(text: str | None, pattern: str, styles: int = 0) -> DateTime:
    """DateTime.ParseExact for custom patterns of the usual letters."""
    if text is None:
        raise argument_null("s")
    standard = dates._STANDARD.get(pattern, pattern) if len(pattern) == 1 else pattern
    match = re.match(_exact_regex(standard), text, re.ASCII)
    if match is None:
        raise format_error("String was not recognized as a valid DateTime.")
    parts = match.groupdict()
    number = {name: int(value) for name, value in parts.items() if value and name in ("y", "d", "H", "h", "m", "s")}
    month = _MONTH_NAMES[parts["N"].lower()[:3]] if parts.get("N") else int(parts.get("M") or 1)
    hour = number.get("H", number.get("h", 0))
    if parts.get("t"):
        hour = hour % 12 + (12 if parts["t"].lower().startswith("p") else 0)
    year = number.get("y", 1)
    if parts.get("y") and len(parts["y"]) == 2:
        year += 2000 if year < 30 else 1900
    ticks = from_parts(year, month, number.get("d", 1), hour, number.get("m", 0), number.get("s", 0))
    ticks += int((parts.get("f") or "0").ljust(7, "0")[:7])
    zone = parts.get("z")
    if zone:
        shift = 0 if zone == "Z" else offset_ticks(zone)
        return DateTime(ticks - shift, UTC_KIND if styles & 16 or (zone == "Z" and styles & 128) else LOCAL)
    if styles & 64:
        return DateTime(ticks, UTC_KIND if styles & 16 else LOCAL)
    return DateTime(ticks, UNSPECIFIED)


def _exact_regex(pattern: str) -> str:
    seen: set[str] = set()

    def group(name: str, body: str) -> str:
        if name in seen:
            return f"(?:{body})"
        seen.add(name)
        return f"(?P<{name}>{body})"

    def one(token: str) -> str:
        letter, count = token[0], len(token)
        if letter == "y":
            return group("y", rf"\d{{{count}}}")
        if (letter == "M" and count >= 3) or (letter == "d" and count >= 3):
            return group("N", "[A-Za-z]+") if letter == "M" else "[A-Za-z]+"
        if letter in "MdHhms":
            return group(letter, r"\d{1,2}" if count == 1 else r"\d{2}")
        if letter in "fF":
            return group("f", rf"\d{{{count}}}" if letter == "f" else rf"\d{{0,{count}}}")
        if letter in "Kz":
            return group("z", r"(?:Z|[+-]\d{2}:?\d{2})?" if letter == "K" else r"[+-]\d{2}(?::?\d{2})?")
        if letter == "t":
            return group("t", "[AaPp][Mm]?")
        return re.escape(token)

    out = []
    for match in re.finditer(r"'([^']*)'|\"([^\"]*)\"|\\(.)|(([A-Za-z])\5*)|(.)", pattern, re.S):
        literal = next((match[i] for i in (1, 2, 3, 6) if match[i] is not None), None)
        out.append(re.escape(literal) if literal is not None else one(match[4]))
    return f"^{''.join(out)}$"


_SPAN: Final = re.compile(
    r"^\s*(-)?(?:(\d+)|(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?)\s*$", re.ASCII
)


def parse_span(text: str | None) -> TimeSpan:
    if text is None:
        raise argument_null("s")
    match = _SPAN.match(text)
    if match is None:
        raise format_error()
    if match[2]:
        ticks = int(match[2]) * TICKS_PER_DAY
    else:
        hours, minutes, seconds = int(match[4]), int(match[5]), int(match[6] or 0)
        if hours > 23 or minutes > 59 or seconds > 59:
            raise overflow("a TimeSpan")
        ticks = int(match[3] or 0) * TICKS_PER_DAY + (hours * 3600 + minutes * 60 + seconds) * TICKS_PER_SECOND
        ticks += int((match[7] or "0").ljust(7, "0"))
    return TimeSpan(-ticks if match[1] else ticks)


# -- arithmetic --------------------------------------------------------------------------------------------------


def scaled(value: float, unit: int) -> int:
    """The .NET Framework rounds AddSeconds and FromSeconds to whole milliseconds."""
    if value != value:
        raise argument("TimeSpan does not accept floating point Not-a-Number values.")
    milliseconds = value * (unit // MS)
    whole = int(milliseconds + (0.5 if value >= 0 else -0.5))
    if abs(whole) > 922_337_203_685_477:
        raise overflow("a TimeSpan")
    return whole * MS


def add_months(value: DateTime, months: int) -> DateTime:
    when = value.calendar()
    total = when.year * 12 + when.month - 1 + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        raise CsException(
            "ArgumentOutOfRangeException", "The added or subtracted value results in an un-representable DateTime."
        )
    day = min(when.day, days_in_month(year, month + 1))
    return DateTime(from_parts(year, month + 1, day) + value.ticks % TICKS_PER_DAY, value.kind)


def days_in_month(year: int, month: int) -> int:
    import calendar

    if not (1 <= month <= 12 and 1 <= year <= 9999):
        raise out_of_range("month", "Month must be between one and twelve.")

    return calendar.monthrange(year, month)[1]


_UNITS: Final = {
    "Days": TICKS_PER_DAY,
    "Hours": 36_000_000_000,
    "Minutes": 600_000_000,
    "Seconds": TICKS_PER_SECOND,
    "Milliseconds": MS,
}


def _part(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get(value: Any) -> Any:
        return read(value.calendar() if isinstance(value, DateTime) else DateTime(value.ticks).calendar())

    return get


_CALENDAR: dict[str, Any] = {
    "int Year": _part(lambda c: c.year),
    "int Month": _part(lambda c: c.month),
    "int Day": _part(lambda c: c.day),
    "int Hour": _part(lambda c: c.hour),
    "int Minute": _part(lambda c: c.minute),
    "int Second": _part(lambda c: c.second),
    "int Millisecond": lambda v: v.ticks // MS % 1000,
    "int DayOfYear": _part(lambda c: c.timetuple().tm_yday),
    "DayOfWeek DayOfWeek": lambda v: list(_DAYS.values.values())[(v.ticks // TICKS_PER_DAY + 1) % 7],
    "long Ticks": lambda v: v.ticks,
    "TimeSpan TimeOfDay": lambda v: TimeSpan(v.ticks % TICKS_PER_DAY),
    "string ToString()": lambda v: v.text(),
    "string ToString(string)": lambda v, p: v.text(p),
    "string ToString(IFormatProvider)": lambda v, c: v.text(),
    "string ToString(string, IFormatProvider)": lambda v, p, c: v.text(p),
}


def _compare(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _new_date(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, *rest: Any) -> DateTime:
    kind = next((int(one) for one in rest if type(one) is not int), UNSPECIFIED)
    milliseconds = next((one for one in rest if type(one) is int), 0)
    return DateTime(from_parts(year, month, day, hour, minute, second, milliseconds), kind)


def _exact_styles(text: str, pattern: str, culture: Any, styles: int = 0) -> DateTime:
    return parse_exact(text, pattern, styles)


def _try_exact(text: str, pattern: str, culture: Any, styles: int) -> tuple[bool, DateTime]:
    return attempt(lambda t: parse_exact(t, pattern, styles), DateTime(0))(text)


define(
    "DateTime",
    kind="struct",
    bases=["IComparable"],
    members={
        **_CALENDAR,
        "!static DateTime UtcNow": now,
        "!static DateTime Now": lambda r: DateTime(now(r).ticks, LOCAL),
        "!static DateTime Today": lambda r: DateTime(now(r).ticks // TICKS_PER_DAY * TICKS_PER_DAY, LOCAL),
        "static DateTime MinValue": DateTime(0),
        "static DateTime MaxValue": DateTime(MAX_TICKS),
        "DateTime new(long)": DateTime,
        "DateTime new(long, DateTimeKind)": lambda t, k: DateTime(t, int(k)),
        "DateTime new(int, int, int)": _new_date,
        "DateTime new(int, int, int, int, int, int)": _new_date,
        "DateTime new(int, int, int, int, int, int, DateTimeKind)": _new_date,
        "DateTime new(int, int, int, int, int, int, int)": _new_date,
        "DateTime new(int, int, int, int, int, int, int, DateTimeKind)": _new_date,
        "static DateTime Parse(string)": parse_date,
        "static DateTime Parse(string, IFormatProvider)": lambda s, c: parse_date(s),
        "static DateTime Parse(string, IFormatProvider, DateTimeStyles)": lambda s, c, k: parse_date(s, k),
        "static DateTime ParseExact(string, string, IFormatProvider)": _exact_styles,
        "static DateTime ParseExact(string, string, IFormatProvider, DateTimeStyles)": _exact_styles,
        "static bool TryParse(string, out DateTime)": attempt(parse_date, DateTime(0)),
        "static bool TryParse(string, IFormatProvider, DateTimeStyles, out DateTime)": lambda s, c, k: attempt(
            lambda t: parse_date(t, k), DateTime(0)
        )(s),
        "static bool TryParseExact(string, string, IFormatProvider, DateTimeStyles, out DateTime)": _try_exact,
        "static DateTime SpecifyKind(DateTime, DateTimeKind)": lambda v, k: DateTime(v.ticks, int(k)),
        "static int DaysInMonth(int, int)": days_in_month,
        "static int Compare(DateTime, DateTime)": _compare,
        "static bool IsLeapYear(int)": lambda y: y % 4 == 0 and (y % 100 != 0 or y % 400 == 0),
        "static DateTime FromFileTimeUtc(long)": lambda t: DateTime(t + 504_911_232_000_000_000, UTC_KIND),
        "long ToFileTimeUtc()": lambda v: v.ticks - 504_911_232_000_000_000,
        "double ToOADate()": lambda v: (v.ticks - 599_264_352_000_000_000) / TICKS_PER_DAY,
        "DateTimeKind Kind": lambda v: list(_KINDS.values.values())[v.kind],
        "DateTime Date": lambda v: DateTime(v.ticks // TICKS_PER_DAY * TICKS_PER_DAY, v.kind),
        "DateTime ToUniversalTime()": lambda v: DateTime(v.ticks, UTC_KIND),
        "DateTime ToLocalTime()": lambda v: DateTime(v.ticks, LOCAL),
        "DateTime Add(TimeSpan)": lambda v, s: DateTime(v.ticks + s.ticks, v.kind),
        "DateTime Subtract(TimeSpan)": lambda v, s: DateTime(v.ticks - s.ticks, v.kind),
        "TimeSpan Subtract(DateTime)": lambda v, o: TimeSpan(v.ticks - o.ticks),
        **{
            f"DateTime Add{name}(double)": (lambda u: lambda v, n: DateTime(v.ticks + scaled(n, u), v.kind))(unit)
            for name, unit in _UNITS.items()
        },
        "DateTime AddTicks(long)": lambda v, n: DateTime(v.ticks + n, v.kind),
        "DateTime AddMonths(int)": add_months,
        "DateTime AddYears(int)": lambda v, n: add_months(v, n * 12),
        "string ToShortDateString()": lambda v: v.text("d"),
        "string ToLongDateString()": lambda v: v.text("D"),
        "string ToShortTimeString()": lambda v: v.text("t"),
        "string ToLongTimeString()": lambda v: v.text("T"),
        "int CompareTo(DateTime)": _compare,
        "bool Equals(DateTime)": lambda v, o: v == o,
        "int GetHashCode()": lambda v: (v.ticks ^ v.ticks >> 32) & 0x7FFFFFFF,
    },
)


def _new_offset(value: DateTime, offset: TimeSpan | None = None) -> DateTimeOffset:
    return DateTimeOffset(value.ticks, 0 if offset is None else offset.ticks)


define(
    "DateTimeOffset",
    kind="struct",
    bases=["IComparable"],
    members={
        **_CALENDAR,
        "!static DateTimeOffset UtcNow": lambda r: DateTimeOffset(now(r).ticks),
        "!static DateTimeOffset Now": lambda r: DateTimeOffset(now(r).ticks),
        "static DateTimeOffset MinValue": DateTimeOffset(0),
        "static DateTimeOffset MaxValue": DateTimeOffset(MAX_TICKS),
        "DateTimeOffset new(DateTime)": _new_offset,
        "DateTimeOffset new(DateTime, TimeSpan)": _new_offset,
        "DateTimeOffset new(long, TimeSpan)": lambda t, s: DateTimeOffset(t, s.ticks),
        "DateTimeOffset new(int, int, int, int, int, int, TimeSpan)": lambda *p: DateTimeOffset(
            from_parts(*p[:6]), p[6].ticks
        ),
        "static DateTimeOffset Parse(string)": parse_offset,
        "static DateTimeOffset Parse(string, IFormatProvider)": lambda s, c: parse_offset(s),
        "static DateTimeOffset Parse(string, IFormatProvider, DateTimeStyles)": lambda s, c, k: parse_offset(s),
        "static bool TryParse(string, out DateTimeOffset)": attempt(parse_offset, DateTimeOffset(0)),
        "static DateTimeOffset FromUnixTimeSeconds(long)": lambda s: DateTimeOffset(UNIX_TICKS + s * TICKS_PER_SECOND),
        "static DateTimeOffset FromUnixTimeMilliseconds(long)": lambda s: DateTimeOffset(UNIX_TICKS + s * MS),
        "long ToUnixTimeSeconds()": lambda v: (v.utc - UNIX_TICKS) // TICKS_PER_SECOND,
        "long ToUnixTimeMilliseconds()": lambda v: (v.utc - UNIX_TICKS) // MS,
        "DateTime DateTime": lambda v: DateTime(v.ticks),
        "DateTime UtcDateTime": lambda v: DateTime(v.utc, UTC_KIND),
        "DateTime LocalDateTime": lambda v: DateTime(v.utc, LOCAL),
        "DateTime Date": lambda v: DateTime(v.ticks // TICKS_PER_DAY * TICKS_PER_DAY),
        "TimeSpan Offset": lambda v: TimeSpan(v.offset),
        "long UtcTicks": lambda v: v.utc,
        "DateTimeOffset ToUniversalTime()": lambda v: DateTimeOffset(v.utc),
        "DateTimeOffset ToLocalTime()": lambda v: DateTimeOffset(v.utc),
        "DateTimeOffset ToOffset(TimeSpan)": lambda v, s: DateTimeOffset(v.utc + s.ticks, s.ticks),
        "DateTimeOffset Add(TimeSpan)": lambda v, s: DateTimeOffset(v.ticks + s.ticks, v.offset),
        "DateTimeOffset Subtract(TimeSpan)": lambda v, s: DateTimeOffset(v.ticks - s.ticks, v.offset),
        "TimeSpan Subtract(DateTimeOffset)": lambda v, o: TimeSpan(v.utc - o.utc),
        **{
            f"DateTimeOffset Add{name}(double)": (
                lambda u: lambda v, n: DateTimeOffset(v.ticks + scaled(n, u), v.offset)
            )(unit)
            for name, unit in _UNITS.items()
        },
        "DateTimeOffset AddTicks(long)": lambda v, n: DateTimeOffset(v.ticks + n, v.offset),
        "DateTimeOffset AddMonths(int)": lambda v, n: DateTimeOffset(add_months(DateTime(v.ticks), n).ticks, v.offset),
        "DateTimeOffset AddYears(int)": lambda v, n: DateTimeOffset(
            add_months(DateTime(v.ticks), n * 12).ticks, v.offset
        ),
        "int CompareTo(DateTimeOffset)": _compare,
        "bool Equals(DateTimeOffset)": lambda v, o: v == o,
    },
)
define(
    "TimeSpan",
    kind="struct",
    bases=["IComparable"],
    members={
        "TimeSpan new(long)": TimeSpan,
        "TimeSpan new(int, int, int)": lambda h, m, s: TimeSpan((h * 3600 + m * 60 + s) * TICKS_PER_SECOND),
        "TimeSpan new(int, int, int, int)": lambda d, h, m, s: TimeSpan(
            (d * 86400 + h * 3600 + m * 60 + s) * TICKS_PER_SECOND
        ),
        "TimeSpan new(int, int, int, int, int)": lambda d, h, m, s, ms: TimeSpan(
            (d * 86400 + h * 3600 + m * 60 + s) * TICKS_PER_SECOND + ms * MS
        ),
        "static TimeSpan Zero": TimeSpan(0),
        "static TimeSpan MinValue": TimeSpan(-(2**63)),
        "static TimeSpan MaxValue": TimeSpan(2**63 - 1),
        "static long TicksPerSecond": TICKS_PER_SECOND,
        "static long TicksPerMillisecond": MS,
        "static long TicksPerMinute": 600_000_000,
        "static long TicksPerHour": 36_000_000_000,
        "static long TicksPerDay": TICKS_PER_DAY,
        **{
            f"static TimeSpan From{name}(double)": (lambda u: lambda v: TimeSpan(scaled(v, u)))(unit)
            for name, unit in _UNITS.items()
        },
        "static TimeSpan FromTicks(long)": TimeSpan,
        "static TimeSpan Parse(string)": parse_span,
        "static bool TryParse(string, out TimeSpan)": attempt(parse_span, TimeSpan(0)),
        "static int Compare(TimeSpan, TimeSpan)": _compare,
        "long Ticks": lambda v: v.ticks,
        "int Days": lambda v: v.part(TICKS_PER_DAY, 2**31),
        "int Hours": lambda v: v.part(36_000_000_000, 24),
        "int Minutes": lambda v: v.part(600_000_000, 60),
        "int Seconds": lambda v: v.part(TICKS_PER_SECOND, 60),
        "int Milliseconds": lambda v: v.part(MS, 1000),
        **{f"double Total{name}": (lambda u: lambda v: v.ticks * (1.0 / u))(unit) for name, unit in _UNITS.items()},
        "TimeSpan Add(TimeSpan)": lambda v, o: TimeSpan(v.ticks + o.ticks),
        "TimeSpan Subtract(TimeSpan)": lambda v, o: TimeSpan(v.ticks - o.ticks),
        "TimeSpan Negate()": lambda v: TimeSpan(-v.ticks),
        "TimeSpan Duration()": lambda v: TimeSpan(abs(v.ticks)),
        "string ToString()": lambda v: v.text(),
        "string ToString(string)": lambda v, p: v.text(p),
        "string ToString(string, IFormatProvider)": lambda v, p, c: v.text(p),
        "int CompareTo(TimeSpan)": _compare,
        "bool Equals(TimeSpan)": lambda v, o: v == o,
    },
)
DEFINITIONS["Convert"].add(
    {
        "static DateTime ToDateTime(string)": lambda s: DateTime(0) if s is None else parse_date(s),
        "static DateTime ToDateTime(string, IFormatProvider)": lambda s, c: DateTime(0) if s is None else parse_date(s),
        "static DateTime ToDateTime(DateTime)": lambda v: v,
    }
)
for _symbol in ("<", "<=", ">", ">="):
    for _kind in ("DateTime", "DateTimeOffset", "TimeSpan"):
        from apimpolicy.expressions.operators import _COMPARISONS

        USER_OPERATORS[(_symbol, _kind, _kind)] = ("bool", _COMPARISONS[_symbol])
USER_OPERATORS.update(
    {
        ("-", "DateTime", "DateTime"): ("TimeSpan", lambda a, b: TimeSpan(a.ticks - b.ticks)),
        ("-", "DateTime", "TimeSpan"): ("DateTime", lambda a, b: DateTime(a.ticks - b.ticks, a.kind)),
        ("+", "DateTime", "TimeSpan"): ("DateTime", lambda a, b: DateTime(a.ticks + b.ticks, a.kind)),
        ("-", "DateTimeOffset", "DateTimeOffset"): ("TimeSpan", lambda a, b: TimeSpan(a.utc - b.utc)),
        ("-", "DateTimeOffset", "TimeSpan"): (
            "DateTimeOffset",
            lambda a, b: DateTimeOffset(a.ticks - b.ticks, a.offset),
        ),
        ("+", "DateTimeOffset", "TimeSpan"): (
            "DateTimeOffset",
            lambda a, b: DateTimeOffset(a.ticks + b.ticks, a.offset),
        ),
        ("-", "TimeSpan", "TimeSpan"): ("TimeSpan", lambda a, b: TimeSpan(a.ticks - b.ticks)),
        ("+", "TimeSpan", "TimeSpan"): ("TimeSpan", lambda a, b: TimeSpan(a.ticks + b.ticks)),
    }
)
IMPLICIT[("DateTime", "DateTimeOffset")] = lambda v: DateTimeOffset(v.ticks)
DEFAULTS["DateTime"] = lambda kind: DateTime(0)
DEFAULTS["DateTimeOffset"] = lambda kind: DateTimeOffset(0)
DEFAULTS["TimeSpan"] = lambda kind: TimeSpan(0)
