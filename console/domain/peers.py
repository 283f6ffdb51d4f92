"""A backend beside its peers: slow is relative to those who do the same work. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.domain.health import HealthState
from console.domain.snapshot import BackendStatus

SLOW_FACTOR = 2.5
"""Assumed: a p95 this many times that of the best peer is worth a word; models and prompts of peers are alike."""
SLOW_FROM_MS = 1000.0
"""Below this nobody calls it slow."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """A backend's p95 against its best peer's, milliseconds."""

    p95_ms: float
    peer_name: str
    peer_p95_ms: float

    @property
    def text(self) -> str:
        """In words: `p95 13.4 s against 3.1 s of ptu-swedencentral`."""
        return f"p95 {self.p95_ms / 1000:.1f} s against {self.peer_p95_ms / 1000:.1f} s of {self.peer_name}"


def find_slowness(status: BackendStatus, backends: Sequence[BackendStatus]) -> Slowness | None:
    """How much slower a backend is than its peers: same kind, same pool and priority. None when it is not, or unknown.

    A full backend is not called slow: that it queues is known already.
    """
    own = status.load.latency_p95_ms.value
    if own is None or own < SLOW_FROM_MS or status.health.state is not HealthState.HEALTHY:
        return None
    places = {(m.pool_name, m.priority) for m in status.memberships}
    peers = [
        (value, other.name)
        for other in backends
        if other.name != status.name
        and other.kind is status.kind
        and places & {(m.pool_name, m.priority) for m in other.memberships}
        and (value := other.load.latency_p95_ms.value) is not None
    ]
    if not peers:
        return None
    best, name = min(peers)
    return Slowness(own, name, best) if own >= best * SLOW_FACTOR else None
