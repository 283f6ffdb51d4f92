"""One gateway unit: the configuration version it serves, its own balancers and its own breakers.

Units share nothing. A breaker that one opened is closed in the next, and each counts its own round robin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.gateway.breakers import Breaker
from simulator.gateway.pools import PoolBalancer
from simulator.telemetry import BreakerEvent

if TYPE_CHECKING:
    from simulator.gateway.configuration import Configuration
    from simulator.world import World


class Unit:
    """One unit. `configuration` is what it serves new requests from."""

    def __init__(self, world: World, number: int, configuration: Configuration) -> None:
        self.world = world
        self.number = number
        self.breakers: dict[str, Breaker] = {}
        self.balancers: dict[str, PoolBalancer] = {}
        self.concurrency: dict[str, int] = {}
        self.apply(configuration)

    def apply(self, configuration: Configuration) -> None:
        """Serve new requests from this version. Breakers and balancers whose rules did not change keep their state."""
        self.configuration = configuration
        breakers: dict[str, Breaker] = {}
        for name, backend in configuration.backends.items():
            if backend.rule is None:
                continue
            known = self.breakers.get(name)
            breakers[name] = known if known is not None and known.rule == backend.rule else Breaker(backend.rule)
        self.breakers = breakers
        balancers: dict[str, PoolBalancer] = {}
        for name, members in configuration.pools.items():
            balancer = self.balancers.get(name)
            balancers[name] = (
                balancer if balancer is not None and balancer.members == members else PoolBalancer(members)
            )
        self.balancers = balancers

    def record(self, backend: str, status: int | None, reason: str | None, retry_after: str | None) -> None:
        """Tell the backend's breaker how a forward ended (`reason` when no answer came)."""
        breaker = self.breakers.get(backend)
        if breaker is None:
            return
        now = self.world.now
        if not breaker.record(now, status, reason, retry_after):
            return
        why = reason or f"status {status}"
        name = self.configuration.backends[backend].name if backend in self.configuration.backends else backend
        service_id = self.configuration.service_id
        until = breaker.open_until
        tell = self.world.telemetry.breaker_event
        tell(BreakerEvent(now, service_id, self.number, name, True, until, why))

        def closed() -> None:
            tell(BreakerEvent(until, service_id, self.number, name, False, None, "trip duration over"))

        self.world.call_at(until, closed)
