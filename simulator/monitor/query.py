"""A metrics query as plain data, read from the parameters of the single-resource or the batch operation.

Source: Metrics - List and Metrics - Batch (both 2024-02-01). Pure text; reads no store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from simulator.monitor.errors import bad_request, invalid_time_grain
from simulator.monitor.filters import Condition, parse_filter

AGGREGATIONS = ("Average", "Count", "Minimum", "Maximum", "Total")
GRAINS: Mapping[str, int] = {
    "PT1M": 60,
    "PT5M": 300,
    "PT15M": 900,
    "PT30M": 1800,
    "PT1H": 3600,
    "PT6H": 21_600,
    "PT12H": 43_200,
    "P1D": 86_400,
}
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE)
_ORDERS = {
    "total": "Total",
    "sum": "Total",
    "average": "Average",
    "avg": "Average",
    "minimum": "Minimum",
    "min": "Minimum",
    "maximum": "Maximum",
    "max": "Maximum",
    "count": "Count",
}


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """What is asked. Times are epoch seconds, start inclusive and at a whole minute, end exclusive.

    `grain_seconds` 0 is `FULL`: one point. `aggregations` is empty when none was asked for (each metric's primary one).
    `order` is (aggregation, descending) or None. `top` applies only when there are `conditions`.
    """

    names: tuple[str, ...]
    start: int
    end: int
    asked_start: float
    asked_end: float
    interval: str
    grain_seconds: int
    aggregations: tuple[str, ...]
    conditions: tuple[Condition, ...]
    top: int
    order: tuple[str, bool] | None
    rolled_up: frozenset[str]
    metadata_only: bool
    validate_dimensions: bool
    namespace: str | None

    @property
    def bucket_seconds(self) -> int:
        """The width of one point."""
        return self.grain_seconds or max(60, self.end - self.start)

    @property
    def buckets(self) -> range:
        """Where each point starts."""
        return range(self.start, self.end, self.bucket_seconds)


def parse_query(parameters: Mapping[str, str], *, now: float, default_top: int, names_limit: int) -> MetricsQuery:
    """Read the parameters (lower-case names); `$filter` or `filter`, `timespan` or `starttime`/`endtime`.

    Raises:
        MetricsError: 400 for whatever cannot be understood.
    """
    names = tuple(
        name.strip().replace("%2", ",") for name in parameters.get("metricnames", "").split(",") if name.strip()
    )
    if len(names) > names_limit:
        raise bad_request(f"Requested metrics count: {len(names)} bigger than allowed max: {names_limit}")
    asked_start, asked_end = _parse_span(parameters, now)
    start, end = int(asked_start // 60) * 60, int(-(-asked_end // 60)) * 60
    interval, grain = _parse_interval(parameters, end - start)
    return MetricsQuery(
        names=names,
        start=start,
        end=end,
        asked_start=asked_start,
        asked_end=asked_end,
        interval=interval,
        grain_seconds=grain,
        aggregations=_parse_aggregations(parameters.get("aggregation", "")),
        conditions=parse_filter(parameters.get("$filter") or parameters.get("filter") or ""),
        top=_parse_top(parameters.get("top"), default_top),
        order=_parse_order(parameters.get("orderby", "")),
        rolled_up=frozenset(part.strip().lower() for part in parameters.get("rollupby", "").split(",") if part.strip()),
        metadata_only=parameters.get("resulttype", "Data").lower() == "metadata",
        validate_dimensions=parameters.get("validatedimensions", "true").lower() != "false",
        namespace=parameters.get("metricnamespace") or None,
    )


def parse_duration(text: str) -> float | None:
    """Seconds of an ISO-8601 duration without months and years, None when it is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return weeks * 604_800 + days * 86_400 + hours * 3600 + minutes * 60 + seconds


def parse_moment(text: str) -> float:
    """Epoch seconds of an ISO-8601 time; without an offset it is UTC.

    Raises:
        MetricsError: 400, it is no time.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise bad_request(f"Invalid time: '{text}' is not a valid ISO 8601 date and time.") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _parse_span(parameters: Mapping[str, str], now: float) -> tuple[float, float]:
    text = unquote(parameters.get("timespan", ""))  # az encodes it twice, and Azure takes it
    first, slash, second = text.partition("/")
    if not text:
        end_text, start_text = parameters.get("endtime"), parameters.get("starttime")
        if end_text and not start_text:
            raise bad_request("starttime is required when endtime is specified.")
        end = parse_moment(end_text) if end_text else now
        start = parse_moment(start_text) if start_text else end - 3600
    elif not slash:
        seconds = parse_duration(first)
        if seconds is None:
            raise bad_request(f"Invalid timespan: '{text}'.")
        start, end = now - seconds, now
    else:
        before, after = parse_duration(first), parse_duration(second)
        if before is not None:
            end = parse_moment(second)
            start = end - before
        else:
            start = parse_moment(first)
            end = start + after if after is not None else parse_moment(second)
    if start >= end:
        raise bad_request("Start time must be earlier than end time in the requested timespan.")
    return start, end


def _parse_interval(parameters: Mapping[str, str], span_seconds: int) -> tuple[str, int]:
    text = parameters.get("interval", "").strip() or "PT1M"
    if text.upper() == "FULL":
        return "FULL", 0
    seconds = parse_duration(text)
    for name, grain in GRAINS.items():
        if seconds == grain:
            return name, grain
    if parameters.get("autoadjusttimegrain", "false").lower() != "true" or seconds is None:
        raise invalid_time_grain(text)
    return min(GRAINS.items(), key=lambda pair: abs(pair[1] - min(seconds, span_seconds)))


def _parse_aggregations(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for part in text.split(","):
        word = part.strip().lower()
        if not word or word == "none":
            continue
        known = next((name for name in AGGREGATIONS if name.lower() == word), None)
        if known is None:
            raise bad_request(
                f"Invalid aggregation type: '{part.strip()}', supported ones are: {','.join(AGGREGATIONS)}"
            )
        if known not in found:
            found.append(known)
    return tuple(found)


def _parse_top(text: str | None, default: int) -> int:
    if text is None or not text.strip():
        return default
    try:
        top = int(text)
    except ValueError:
        top = 0
    if top < 1:
        raise bad_request(f"Invalid value for top: '{text}'.")
    return top


def _parse_order(text: str) -> tuple[str, bool] | None:
    words = text.lower().split()
    if not words:
        return None
    if len(words) > 2 or words[0] not in _ORDERS or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise bad_request(f"Invalid orderby: '{text}'. Only one aggregation with a direction can be specified.")
    return _ORDERS[words[0]], words[-1] == "desc"
