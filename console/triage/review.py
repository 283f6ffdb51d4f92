"""What triage would have said before: observations cut back minute by minute, so that a fresh console knows the past.

Only what has a history can be cut back (metrics, callers, errors, changes); configuration, probes and drains are taken
as they stand. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from console.domain.callers import CallersDetail
from console.domain.compose import compose
from console.domain.finding import Finding
from console.domain.history import cut_series, floor_minute
from console.domain.load import Window
from console.domain.observations import Observations
from console.triage.find import find_all
from console.triage.tracking import track

LIVE_ONLY = frozenset({"control plane throttled", "telemetry late", "metrics missing", "logs missing", "no gateway"})
"""Findings about the console's own sources: the past tells nothing of them."""


def review(observations: Observations, now: datetime, span: timedelta, step_minutes: int = 1) -> tuple[Finding, ...]:
    """Findings of the span that are over, each with its end, as a console that watched all the time would know them."""
    ends = [w.end_at for w in (observations.metrics_window, observations.traffic_window) if w is not None]
    if not ends:
        return ()
    end_at = max(ends)
    delay = now - end_at
    minutes = max(0, int(min(span, timedelta(minutes=58)).total_seconds() // 60))
    findings: tuple[Finding, ...] = ()
    for back in range(minutes, -1, -step_minutes):
        at = now - timedelta(minutes=back)
        snapshot = compose(cut_back(observations, floor_minute(at - delay)), at)
        found = [f for f in find_all(snapshot) if f.symptom not in LIVE_ONLY]
        findings = track(findings, found, at)
    return tuple(f for f in findings if not f.is_active and f.symptom not in LIVE_ONLY)


def cut_back(observations: Observations, until: datetime) -> Observations:
    """The observations as they stood when history ended at `until`."""
    detail = observations.callers
    return replace(
        observations,
        model_loads=tuple(cut_series(load, until) for load in observations.model_loads),
        metrics_window=_cut_window(observations.metrics_window, until),
        caller_loads={
            key: replace(cut_series(load, until), errors=()) for key, load in observations.caller_loads.items()
        },
        traffic_window=_cut_window(observations.traffic_window, until),
        callers=None if detail is None else _cut_detail(detail, until),
        problems={},
        probes={},
        early_loads=(),
        early_callers=None,
    )


def _cut_window(window: Window | None, until: datetime) -> Window | None:
    return None if window is None or window.start_at >= until else Window(window.start_at, min(window.end_at, until))


def _cut_detail(detail: CallersDetail, until: datetime) -> CallersDetail | None:
    window = _cut_window(detail.window, until)
    if window is None:
        return None
    return replace(
        detail,
        window=window,
        errors=tuple(cut_series(e, until) for e in detail.errors),
        latencies=tuple(cut_series(latency, until) for latency in detail.latencies),
        consumers=tuple(cut_series(c, until) for c in detail.consumers),
    )
