"""Which member of a backend pool gets the next request, as one gateway unit decides it.

Source: Microsoft Learn "Backends in API Management", load-balanced pool: round robin, or shares by weight, within the
group of the lowest priority number; a lower group serves only when every member of the groups above is unavailable
because its breaker is open.
Assumed: members without a priority form the first group; a weight of 0 among others gets no share unless nobody else
is left (Azure documents no meaning for it); all weights missing or 0 means equal shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.gateway.breakers import Breaker


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a pool: a backend's name, its priority and weight as configured."""

    backend: str
    priority: int
    weight: int


class PoolBalancer:
    """Smooth weighted round robin over one pool's members; its state belongs to one unit."""

    __slots__ = ("_groups", "members")

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        by_priority: dict[int, list[Member]] = {}
        for member in members:
            by_priority.setdefault(member.priority, []).append(member)
        self._groups: list[tuple[list[str], list[float], list[float]]] = []
        for _, group in sorted(by_priority.items()):
            weights = [float(member.weight) for member in group]
            if not any(weights):
                weights = [1.0] * len(group)
            self._groups.append(([member.backend for member in group], weights, [0.0] * len(group)))

    def choose(self, breakers: dict[str, Breaker], now: float) -> str | None:
        """The backend for the next request, None when every breaker is open."""
        for names, weights, credit in self._groups:
            best = -1
            total = 0.0
            fallback = -1
            for index, name in enumerate(names):
                breaker = breakers.get(name)
                if breaker is not None and now < breaker.open_until:
                    continue
                weight = weights[index]
                if weight == 0.0:
                    fallback = index
                    continue
                credit[index] += weight
                total += weight
                if best < 0 or credit[index] > credit[best]:
                    best = index
            if best >= 0:
                credit[best] -= total
                return names[best]
            if fallback >= 0:
                return names[fallback]
        return None
