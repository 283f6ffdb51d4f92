"""A snapshot as the JSON that `status --json` prints. The documented keys stay; more may come. Pure.

Ratios are 0 to 1, times ISO 8601 in UTC, and what is not known is null, never 0.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from console.domain.health import HealthState
from console.domain.load import BackendLoad, Figure
from console.domain.snapshot import BackendStatus, CallersStatus, Drain, GatewaySnapshot, PoolStatus

FIGURES = tuple(f.name for f in fields(BackendLoad) if f.type == "Figure")
"""The figures of a backend, in the order of the table."""


def status_document(snapshot: GatewaySnapshot, now: datetime) -> dict[str, Any]:
    """The whole document. `now` is what ages are counted to."""
    gateway = snapshot.gateway
    return {
        "gateway": {
            "name": gateway.name if gateway else snapshot.service_name,
            "resource_id": gateway.resource_id if gateway else None,
            "region": gateway.region if gateway else None,
            "simulated": snapshot.simulated,
        },
        "observed_at": _time(snapshot.observed_at),
        "verdict": {
            "level": snapshot.verdict.level.value,
            "text": snapshot.verdict.text,
            "since_at": _time(snapshot.verdict.since_at),
        },
        "backends": [_backend(status, now) for status in snapshot.backends],
        "pools": [_pool(status) for status in snapshot.pools],
        "callers": _callers(snapshot.callers, now),
        "drains": [_drain(drain) for drain in snapshot.drains],
        "budget": {
            "arm_reads_remaining": snapshot.budget.arm_reads_remaining,
            "arm_writes_remaining": snapshot.budget.arm_writes_remaining,
        },
        "problems": [
            {"what": p.what, "where": p.where, "remedy": p.remedy, "at": _time(p.at)} for p in snapshot.problems
        ],
    }


def _backend(status: BackendStatus, now: datetime) -> dict[str, Any]:
    figures: dict[str, Figure] = {name: getattr(status.load, name) for name in FIGURES}
    return {
        "name": status.name,
        "kind": status.kind.value,
        "region": status.region,
        "url": status.backend.url,
        "pools": [{"name": m.pool_name, "priority": m.priority, "weight": m.weight} for m in status.memberships],
        "health": {
            "state": status.health.state.value,
            "reasons": list(status.health.reasons),
            "evidence": None if status.health.state is HealthState.UNKNOWN else status.health.evidence.value,
            "source": status.health.source or None,
            "since_at": _time(status.health.since_at),
        },
        **{name: _number(figure.value) for name, figure in figures.items()},
        "routes": [
            {"kind": r.kind.value, "document": r.document, "line": r.line, "used_by": list(r.used_by)}
            for r in status.routes
        ],
        "freshness": {name: _freshness(figure, now) for name, figure in figures.items()},
    }


def _freshness(figure: Figure, now: datetime) -> dict[str, Any]:
    age = figure.age_seconds(now)
    return {
        "source": figure.source,
        "observed_at": _time(figure.observed_at),
        "age_seconds": None if age is None else round(age, 1),
        "window": None
        if figure.window is None
        else {"start_at": _time(figure.window.start_at), "end_at": _time(figure.window.end_at)},
    }


def _pool(status: PoolStatus) -> dict[str, Any]:
    return {
        "name": status.pool.name,
        "state": status.state,
        "members": [m.backend_name for m in status.members],
        "requests_per_minute": _number(status.requests_per_minute),
        "is_upper_bound": status.is_upper_bound,
        "model_throttled_ratio": _number(status.model_throttled_ratio),
        "caller_throttled_ratio": _number(status.caller_throttled_ratio),
        "spilled_ratio": _number(status.spilled_ratio),
    }


def _callers(status: CallersStatus | None, now: datetime) -> dict[str, Any] | None:
    if status is None:
        return None
    return {
        "requests_per_minute": _number(status.requests_per_minute.value),
        "throttled_ratio": _number(status.throttled_ratio.value),
        "error_ratio": _number(status.error_ratio.value),
        "freshness": _freshness(status.throttled_ratio, now),
    }


def _drain(drain: Drain) -> dict[str, Any]:
    return {
        "backend": drain.backend_name,
        "owner": drain.owner,
        "reason": drain.reason,
        "started_at": _time(drain.started_at),
        "expires_at": _time(drain.expires_at),
        "state": drain.state,
        "condition": drain.condition,
        "text": drain.text,
        "applied_at": _time(drain.applied_at),
        "is_expired": drain.is_expired,
        "needs_attention": drain.needs_attention,
    }


def _number(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
