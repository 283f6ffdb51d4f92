"""What one can tune about logs: how late rows come, how many queries one may send, and faults of the query service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lag = Literal["brisk", "real"]

LAG_SECONDS: dict[Lag, tuple[float, float]] = {"brisk": (5.0, 15.0), "real": (60.0, 180.0)}
"""Least and most seconds from the end of a request to its row being found.

Source: "Log data ingestion time in Azure Monitor": resource logs usually take 3 to 10 minutes end to end, depending on
the service; people who measured API Management report 1 to 3. `brisk` compresses that for a demonstration.
"""


@dataclass(slots=True)
class LogsSettings:
    """Seconds are simulated ones. Limits are per signed-in principal.

    Source: "Azure Monitor service limits", log queries: 200 requests per 30 seconds, 500,000 rows, 100 workspaces a
    query; "Timeouts": 180 s by default, 600 s at most.
    """

    lag_seconds: tuple[float, float] = LAG_SECONDS["brisk"]
    requests_per_window: int = 200
    window_seconds: float = 30.0
    row_limit: int = 500_000
    default_wait_seconds: float = 180.0
    retention_seconds: float = 7 * 86_400.0
    """Rows older than this are dropped. A real workspace keeps 30 days or more."""
    partial_errors: int = 0
    """How many of the next queries answer with a PartialError."""
    throttled_queries: int = 0
    """How many of the next queries are refused with 429."""
    timed_out_queries: int = 0
    """How many of the next queries end in 504."""
