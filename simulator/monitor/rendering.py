"""Metrics as JSON on the wire. Data arrays are written by hand: a batch carries a hundred thousand points.

Source: Metrics - List (2024-02-01), example GetMetric.json; dimension names come back in lower case; a point without
data carries only its `timeStamp`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from simulator.monitor.catalog import MetricDefinition
from simulator.monitor.query import MetricsQuery
from simulator.monitor.series import Series, aggregate

_ENCODER = msgspec.json.Encoder()


def encode(body: Any) -> bytes:
    """A response body; values may be `msgspec.Raw`."""
    return _ENCODER.encode(body)


def wire_seconds(at: float) -> str:
    """Epoch seconds as `2026-11-22T12:00:00Z`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def render_metric(
    resource_id: str, definition: MetricDefinition, series: list[Series], query: MetricsQuery, stamps: list[str]
) -> dict[str, Any]:
    """One metric of one resource. `stamps` are the buckets' `{"timeStamp":"..."` beginnings, made once a query."""
    shared: dict[str, Any] = {
        "id": f"{resource_id}/providers/Microsoft.Insights/metrics/{definition.name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": definition.name, "localizedValue": definition.title},
        "displayDescription": definition.description,
        "unit": definition.unit,
    }
    wanted = chosen_aggregations(definition, query)
    if not wanted and not query.metadata_only:
        # Source: Metrics - List, example GetMetricError.json: the error of one metric stands inside a 200.
        asked = query.aggregations[0]
        return {
            **shared,
            "timeseries": [],
            "errorCode": "InvalidSamplingType",
            "errorMessage": f"Sampling type is not found. Metric:{definition.name}, SamplingType:{asked}.",
        }
    shared["timeseries"] = [_render_series(one, query, wanted, stamps) for one in series]
    shared["errorCode"] = "Success"
    return shared


def chosen_aggregations(definition: MetricDefinition, query: MetricsQuery) -> tuple[str, ...]:
    """What each point carries: the asked aggregations that the metric has, its primary one when none was asked for.

    `Count` is always at hand: it is the number of samples.
    """
    if not query.aggregations:
        return definition.aggregations[:1]
    return tuple(name for name in query.aggregations if name in definition.aggregations or name == "Count")


def point_stamps(query: MetricsQuery) -> list[str]:
    """The beginning of each point, ready to be closed with `}`."""
    return [f'{{"timeStamp":"{wire_seconds(at)}"' for at in query.buckets]


def _render_series(series: Series, query: MetricsQuery, wanted: tuple[str, ...], stamps: list[str]) -> dict[str, Any]:
    labels = [{"name": {"value": name, "localizedValue": name}, "value": value} for name, value in series.labels]
    if query.metadata_only:
        return {"metadatavalues": labels}
    names = [(name, f',"{name.lower()}":') for name in wanted]
    parts: list[str] = []
    for stamp, point in zip(stamps, series.points, strict=True):
        if point is None:
            parts.append(stamp + "}")
            continue
        figures = "".join(f"{text}{value!r}" for name, text in names if (value := aggregate(point, name)) is not None)
        parts.append(f"{stamp}{figures}}}")
    return {"metadatavalues": labels, "data": msgspec.Raw(f"[{','.join(parts)}]".encode())}


def render_definition(
    resource_id: str, namespace: str, definition: MetricDefinition, grains: list[str]
) -> dict[str, Any]:
    """One entry of metricDefinitions. Source: Metric Definitions - List (2024-02-01)."""
    return {
        "id": f"{resource_id}/providers/microsoft.insights/metricdefinitions/{definition.name}",
        "resourceId": resource_id,
        "namespace": namespace,
        "category": definition.category,
        "name": {"value": definition.name, "localizedValue": definition.title},
        "displayDescription": definition.description,
        "isDimensionRequired": False,
        "unit": definition.unit,
        "primaryAggregationType": definition.aggregations[0],
        "supportedAggregationTypes": list(definition.aggregations),
        "metricAvailabilities": [{"timeGrain": grain, "retention": "P93D"} for grain in grains],
        "dimensions": [{"value": name, "localizedValue": name} for name in definition.dimensions],
    }
