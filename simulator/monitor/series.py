"""One metric of one resource as time series: which tuples fit the filter, and the points they add up to.

A point is `(sum, count, minimum, maximum)`; minimum and maximum are None where samples are not kept one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from simulator.monitor import minutes as positions
from simulator.monitor.catalog import MetricDefinition
from simulator.monitor.errors import unknown_dimensions
from simulator.monitor.filters import Condition
from simulator.monitor.minutes import Key, Minutes, Sums
from simulator.monitor.query import MetricsQuery

Measure: TypeAlias = Callable[[Sums], "tuple[float, float, float, float] | None"]

_FIELDS = {
    "model": {name: at for at, name in enumerate(positions.MODEL_FIELDS)},
    "utilization": {name: at for at, name in enumerate(positions.UTILIZATION_FIELDS)},
    "gateway": {name: at for at, name in enumerate(positions.GATEWAY_FIELDS)},
    "capacity": {name: at for at, name in enumerate(positions.CAPACITY_FIELDS)},
    "events": {name: at for at, name in enumerate(positions.EVENT_FIELDS)},
}
_STATUS_GROUPS: dict[str, Callable[[int], bool]] = {
    "successful": lambda code: 200 <= code < 400,
    "unauthorized": lambda code: code in (401, 403, 429),
    "failed": lambda code: code == 400 or code >= 500,
    "other": lambda code: not (200 <= code < 400 or code in (400, 401, 403, 429) or code >= 500),
}
"""What the deprecated request metrics of API Management count, by gateway response code."""
_CATEGORIES = {
    "backendresponsecodecategory": "backendresponsecode",
    "gatewayresponsecodecategory": "gatewayresponsecode",
}


@dataclass(slots=True)
class Series:
    """One time series. `labels` are (dimension name lower-case, value); `points` follow the query's buckets."""

    labels: tuple[tuple[str, str], ...]
    points: list[list[float] | None]

    def aggregate(self, aggregation: str) -> float:
        """The whole series as one figure, for `orderby`; 0 when it has no point."""
        values = [value for point in self.points if (value := aggregate(point, aggregation)) is not None]
        if not values:
            return 0.0
        if aggregation == "Minimum":
            return min(values)
        if aggregation == "Maximum":
            return max(values)
        return sum(values) / len(values) if aggregation == "Average" else sum(values)


def aggregate(point: Sequence[float] | None, aggregation: str) -> float | None:
    """One aggregation of a point, None when it has no data."""
    if point is None:
        return None
    if aggregation == "Total":
        return point[0]
    if aggregation == "Count":
        return point[1]
    if aggregation == "Average":
        return point[0] / point[1] if point[1] else None
    return point[2] if aggregation == "Minimum" else point[3]


def build_series(definition: MetricDefinition, minutes: Minutes, query: MetricsQuery) -> list[Series]:
    """The series of a metric, ordered and cut to `top` as the query says; one unlabelled series without a filter.

    Raises:
        MetricsError: 400, the filter names a dimension the metric does not have.
    """
    split = _split_names(definition, query)
    conditions = [
        (condition, _reader(definition, condition.name))
        for condition in query.conditions
        if _has(definition, condition.name)
    ]
    split_readers = [(name, _reader(definition, name)) for name in split]
    measure = MEASURES[definition.measure] if definition.family != "none" else None
    series: dict[tuple[tuple[str, str], ...], Series] = {}
    slots: dict[Key, Series | None] = {}
    width, start, count = query.bucket_seconds, query.start, len(query.buckets)
    if measure is not None:
        for minute in range(query.start, query.end, 60):
            tuples = minutes.get(minute)
            if tuples is None:
                continue
            bucket = (minute - start) // width
            for key, sums in tuples.items():
                if key in slots:
                    slot = slots[key]
                else:
                    slot = slots[key] = _slot(definition, key, conditions, split_readers, series, count)
                if slot is None:
                    continue
                sample = measure(sums)
                if sample is None:
                    continue
                point = slot.points[bucket]
                if point is None:
                    slot.points[bucket] = list(sample)
                    continue
                point[0] += sample[0]
                point[1] += sample[1]
                if sample[2] < point[2]:
                    point[2] = sample[2]
                if sample[3] > point[3]:
                    point[3] = sample[3]
    if not query.conditions:
        return list(series.values()) or [Series((), [None] * count)]
    found = [one for one in series.values() if any(point is not None for point in one.points)]
    return _cut(found, definition, query)


def _cut(found: list[Series], definition: MetricDefinition, query: MetricsQuery) -> list[Series]:
    # Assumed: without `orderby` the order is that of the dimension values.
    found.sort(key=lambda one: one.labels)
    if query.order is not None:
        aggregation, descending = query.order
        found.sort(key=lambda one: one.aggregate(aggregation), reverse=descending)
    return found[: query.top]


def _split_names(definition: MetricDefinition, query: MetricsQuery) -> list[str]:
    unknown = [condition.name for condition in query.conditions if not _has(definition, condition.name)]
    if unknown and query.validate_dimensions:
        raise unknown_dimensions(definition.name, unknown, definition.dimensions)
    return [
        condition.name
        for condition in query.conditions
        if condition.name not in query.rolled_up and condition.name not in unknown
    ]


def _has(definition: MetricDefinition, name: str) -> bool:
    return any(dimension.lower() == name for dimension in definition.dimensions)


def _reader(definition: MetricDefinition, name: str) -> Callable[[Key], str]:
    fields = _FIELDS.get(definition.family, {})
    source = _CATEGORIES.get(name)
    if source is not None:
        at = fields[source]
        return lambda key: f"{key[at][0]}xx" if len(key[at]) == 3 else "0"
    if name not in fields:
        # Assumed: a dimension nothing is known of has an empty value.
        return lambda key: ""
    at = fields[name]
    return lambda key: key[at]


def includes(definition: MetricDefinition, key: Key) -> bool:
    """Whether a metric counts a tuple at all."""
    if definition.provisioned_only and not key[-1]:
        return False
    status_group = _STATUS_GROUPS.get(definition.measure)
    return status_group is None or status_group(int(key[4]))


def _slot(
    definition: MetricDefinition,
    key: Key,
    conditions: Sequence[tuple[Condition, Callable[[Key], str]]],
    split: Sequence[tuple[str, Callable[[Key], str]]],
    series: dict[tuple[tuple[str, str], ...], Series],
    count: int,
) -> Series | None:
    if not includes(definition, key):
        return None
    for condition, read in conditions:
        if not condition.accepts(read(key)):
            return None
    labels = tuple((name, read(key)) for name, read in split)
    known = series.get(labels)
    if known is None:
        known = series[labels] = Series(labels, [None] * count)
    return known


# -- what is read from a minute's sums -----------------------------------------------------------------------


def _statistic(at: int) -> Measure:
    def read(sums: Sums) -> tuple[float, float, float, float] | None:
        return (sums[at], sums[at + 1], sums[at + 2], sums[at + 3]) if sums[at + 1] else None

    return read


def _total(at: int) -> Measure:
    def read(sums: Sums) -> tuple[float, float, float, float] | None:
        answered = sums[positions.ANSWERED]
        return (sums[at], answered, 0.0, sums[at]) if answered else None

    return read


def _requests(sums: Sums) -> tuple[float, float, float, float]:
    return (sums[0], sums[0], 1.0, 1.0)


def _availability(sums: Sums) -> tuple[float, float, float, float]:
    requests, errors = sums[positions.REQUESTS], sums[positions.SERVER_ERRORS]
    return (100.0 * (requests - errors), requests, 0.0 if errors else 100.0, 100.0 if errors < requests else 0.0)


def _all_tokens(sums: Sums) -> tuple[float, float, float, float] | None:
    answered = sums[positions.ANSWERED]
    tokens = sums[positions.PROMPT] + sums[positions.COMPLETION]
    return (tokens, answered, 0.0, tokens) if answered else None


def _answered(sums: Sums) -> tuple[float, float, float, float] | None:
    answered = sums[positions.ANSWERED]
    return (answered, answered, 1.0, 1.0) if answered else None


def _whole(at: int) -> Measure:
    def read(sums: Sums) -> tuple[float, float, float, float] | None:
        return (sums[at], sums[0], 0.0, sums[at]) if sums[0] else None

    return read


CAPACITY_PERCENT_PER_REQUEST = 0.001
"""Assumed: how much of a unit one request in a minute costs, above an idle gateway's few per cent."""
CAPACITY_IDLE_PERCENT = 4.0


def _capacity(sums: Sums) -> tuple[float, float, float, float]:
    percent = min(100.0, CAPACITY_IDLE_PERCENT + CAPACITY_PERCENT_PER_REQUEST * sums[0])
    return (percent, 1.0, percent, percent)


MEASURES: dict[str, Measure] = {
    "requests": _requests,
    **dict.fromkeys(_STATUS_GROUPS, _requests),
    "answered": _answered,
    "availability": _availability,
    "prompt_tokens": _total(positions.PROMPT),
    "completion_tokens": _total(positions.COMPLETION),
    "all_tokens": _all_tokens,
    "first_byte": _statistic(positions.FIRST_BYTE),
    "last_byte": _statistic(positions.LAST_BYTE),
    "normalized_first_byte": _statistic(positions.NORMALIZED_FIRST_BYTE),
    "between_tokens": _statistic(positions.BETWEEN_TOKENS),
    "tokens_per_second": _statistic(positions.TOKENS_PER_SECOND),
    "cache_match": _statistic(positions.CACHE_MATCH),
    "active_tokens": _statistic(positions.ACTIVE),
    "utilization": _statistic(0),
    "duration": _statistic(positions.DURATION),
    "backend_duration": _statistic(positions.BACKEND_DURATION),
    "capacity": _capacity,
    "events": _whole(0),
    "bytes": _whole(1),
}
