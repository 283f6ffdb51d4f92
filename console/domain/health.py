"""Health as a state with reasons, and how sure we are.

The state says what to expect of a backend now. Breaker state is nowhere readable in Azure, so Tripped is always
inferred.
A probe that fails from here never outranks logs that show answers: the network between console and backend is not
the one between gateway and backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HealthState(StrEnum):
    """Worst first is not their order; `SEVERITY` ranks them."""

    HEALTHY = "Healthy"
    BUSY = "Busy"
    THROTTLED = "Throttled"
    FAILING = "Failing"
    TRIPPED = "Tripped"
    UNREACHABLE = "Unreachable"
    DRAINING = "Draining"
    DRAINED = "Drained"
    IDLE = "Idle"
    UNKNOWN = "Unknown"


class Evidence(StrEnum):
    """How a state is known."""

    OBSERVED = "observed"
    EVENT = "event"
    INFERRED = "inferred"


SEVERITY: dict[HealthState, int] = {
    HealthState.FAILING: 6,
    HealthState.UNREACHABLE: 5,
    HealthState.TRIPPED: 4,
    HealthState.THROTTLED: 3,
    HealthState.BUSY: 2,
    HealthState.UNKNOWN: 1,
    HealthState.DRAINING: 1,
    HealthState.DRAINED: 0,
    HealthState.IDLE: 0,
    HealthState.HEALTHY: 0,
}
"""How much a state asks for attention, 0 to 6."""

BUSY_UTILIZATION_RATIO = 0.9
"""A provisioned deployment at or above this is Busy: the next burst is refused."""

THROTTLED_RATIO = 0.02
"""A pay-as-you-go backend that refuses this share of its requests is Throttled."""

FAILING_RATIO = 0.05
"""A backend whose answers fail (5xx, no answer, denied, missing model) by this share is Failing."""


@dataclass(frozen=True, slots=True)
class Health:
    """`reasons` are short sentences with figures, most telling first; `source` names what was read."""

    state: HealthState
    reasons: tuple[str, ...] = ()
    evidence: Evidence = Evidence.OBSERVED
    source: str = ""
    since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at a host from where the console runs. `status_code` None: no HTTP answer, `error` says why."""

    at: datetime
    status_code: int | None
    error: str | None = None
    milliseconds: float | None = None

    @property
    def answered(self) -> bool:
        """Any HTTP answer proves the network path; 401 and 403 are answers too."""
        return self.status_code is not None
