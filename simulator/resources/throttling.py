"""Resource Manager's token buckets: reads, writes and deletes, per principal and subscription or tenant.

Source: "Understand how Azure Resource Manager throttles requests" (request-limits-and-throttling): bucket 250 and 25 a
second for reads, 200 and 10 for writes and for deletes; global limits are fifteen times those; POST counts as a write.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.resources.errors import ArmError
from simulator.resources.settings import arm_settings

if TYPE_CHECKING:
    from simulator.world import World

LIMITS: dict[str, tuple[float, float]] = {"reads": (250.0, 25.0), "writes": (200.0, 10.0), "deletes": (200.0, 10.0)}
"""Kind -> (bucket size, refill per second)."""
GLOBAL_FACTOR = 15


@dataclass(slots=True)
class Bucket:
    """A token bucket; `tokens` were there at `at` (epoch seconds)."""

    size: float
    refill_per_second: float
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        self.settle(now)
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True

    def settle(self, now: float) -> None:
        """Add what was refilled since."""
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.refill_per_second)
        self.at = now

    def seconds_until_token(self) -> float:
        """How long until one token is there."""
        return max(0.0, (1.0 - self.tokens) / self.refill_per_second)


class Throttle:
    """The buckets of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    def admit(self, principal_id: str, subscription_id: str, method: str) -> dict[str, str]:
        """Take a token; the headers that tell what is left.

        Raises:
            ArmError: 429 TooManyRequests with `Retry-After`, when the bucket is empty.
        """
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(method, "writes")
        scope = "subscription" if subscription_id else "tenant"
        bucket = self.bucket(principal_id, subscription_id, kind)
        admitted = bucket.take(self._world.now)
        left = int(bucket.tokens)
        headers = {
            f"x-ms-ratelimit-remaining-{scope}-{kind}": str(left),
            f"x-ms-ratelimit-remaining-{scope}-global-{kind}": str(
                int(bucket.size) * GLOBAL_FACTOR - (int(bucket.size) - left)
            ),
        }
        if not admitted and arm_settings(self._world).throttling:
            seconds = max(1, math.ceil(bucket.seconds_until_token()))
            raise ArmError(
                429,
                "TooManyRequests",
                f"The request is being throttled as the limit has been reached for operation type - {kind}. "
                f"Please retry after {seconds} seconds.",
                headers={**headers, "retry-after": str(seconds)},
            )
        return headers

    def bucket(self, principal_id: str, subscription_id: str, kind: str) -> Bucket:
        """The bucket of one principal, subscription ("" for the tenant) and kind."""
        key = (principal_id, subscription_id.lower(), kind)
        bucket = self._buckets.get(key)
        if bucket is None:
            size, refill = LIMITS[kind]
            bucket = self._buckets[key] = Bucket(size, refill, size, self._world.now)
        return bucket

    def drain(self, ratio: float = 1.0) -> None:
        """Take away `ratio` of what every bucket holds now (a neighbour with the same identity did)."""
        for bucket in self._buckets.values():
            bucket.settle(self._world.now)
            bucket.tokens *= 1.0 - ratio


def throttle(world: World) -> Throttle:
    """The world's buckets, kept as `world.rooms["arm-throttle"]`."""
    known = world.rooms.get("arm-throttle")
    if known is None:
        known = world.rooms["arm-throttle"] = Throttle(world)
    assert isinstance(known, Throttle)
    return known
