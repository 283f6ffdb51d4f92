"""What one can tune about metrics: how late they come, how long they are kept, which region's metrics are down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Lag = Literal["brisk", "real"]


@dataclass(slots=True)
class MonitorSettings:
    """Seconds are simulated ones.

    `lag_seconds` is how long after a fact its sample shows: until a minute's end plus this, the minute is incomplete.
    Source: "Log data ingestion time in Azure Monitor": platform metrics are in the metrics store within 1 minute, and
    the last 1 to 3 minutes of a query are often incomplete. `brisk` compresses that for a demonstration.
    """

    lag_seconds: float = 60.0
    retention_seconds: float = 30 * 3600.0
    """Azure keeps 93 days; a simulated world keeps what its screens look back to."""
    default_top: int = 10
    """Source: Metrics - List (2024-02-01): `top` "Defaults to 10", valid only with a filter."""
    batch_limit: int = 50
    """Source: "Migrate to the metrics:getBatch API": at most 50 resource ids a call."""
    names_limit: int = 20
    """Assumed: metric names in one call."""
    outages: set[str] = field(default_factory=set)
    """Regions (lower-case) whose metrics cannot be read now: regional host and Resource Manager answer 503."""


LAG_SECONDS: dict[Lag, float] = {"brisk": 10.0, "real": 60.0}
