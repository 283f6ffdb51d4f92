"""Who asks most, and how that compares with before. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from console.domain.load import Series, ratio
from console.domain.snapshot import GatewaySnapshot

RECENT_MINUTES = 5
BEFORE_MINUTES = 30


@dataclass(frozen=True, slots=True)
class BusyConsumer:
    """A consumer's rates over the newest five known minutes, and its requests a minute in the half hour before."""

    name: str
    requests_per_minute: float
    before: float | None
    throttled_ratio: float | None
    failed_ratio: float | None
    tokens_per_minute: float | None


def busiest_consumers(snapshot: GatewaySnapshot, limit: int = 10) -> list[BusyConsumer]:
    """The busiest by tokens where they are known, else by requests."""
    detail = snapshot.callers_detail
    if detail is None or detail.window.minutes < 1:
        return []
    rows = []
    for consumer in detail.consumers:
        asked = _recent(consumer.requests)
        earlier = consumer.requests.values[-RECENT_MINUTES - BEFORE_MINUTES : -RECENT_MINUTES]
        rows.append(
            BusyConsumer(
                consumer.name or "(no key)",
                asked,
                sum(v or 0.0 for v in earlier) / len(earlier) if earlier else None,
                ratio(_recent(consumer.throttled), asked),
                ratio(_recent(consumer.failed), asked),
                None if consumer.tokens is None else _recent(consumer.tokens),
            )
        )
    rows.sort(key=lambda r: (-(r.tokens_per_minute or 0.0), -r.requests_per_minute, r.name))
    return rows[:limit]


def _recent(series: Series) -> float:
    values = series.values[-RECENT_MINUTES:]
    return sum(v or 0.0 for v in values) / max(1, len(values))
