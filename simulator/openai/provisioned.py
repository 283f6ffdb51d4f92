"""Provisioned throughput: a leaky bucket counted in input-token equivalents.

Source: Microsoft Learn "What is provisioned throughput", section on utilization enforcement: a call is admitted while
utilization is below 100 %; it is then charged an estimate (prompt less cached tokens, plus max_tokens), corrected
when it completes; the bucket drains at the rate of the PTUs; a refused call learns in how many milliseconds
utilization is below 100 % again.
Assumed: how much work fits into the bucket (`burst_seconds`).
"""

from __future__ import annotations

BURST_SECONDS = 30.0
"""Work the bucket holds before it refuses, in seconds of full capacity. Assumed."""

_WINDOW_SECONDS = 10


class ProvisionedBucket:
    """The utilization of one provisioned deployment.

    Args:
        tokens_per_minute: capacity in input-token equivalents a minute (PTUs x tokens per PTU).
        burst_seconds: work that fits before calls are refused, in seconds of that capacity.
    """

    __slots__ = ("_level", "_level_at", "_windows", "burst_seconds", "tokens_per_minute")

    def __init__(self, tokens_per_minute: float, *, burst_seconds: float = BURST_SECONDS) -> None:
        self.tokens_per_minute = tokens_per_minute
        self.burst_seconds = burst_seconds
        self._level = 0.0
        self._level_at = 0.0
        self._windows: dict[int, float] = {}

    def level_ratio(self, now: float) -> float:
        """How full the bucket is; 1.0 and above refuses."""
        return self._drained(now) / (self.tokens_per_minute * self.burst_seconds / 60.0)

    def admit(self, now: float, estimate: float) -> float | None:
        """Charge `estimate` and return None, or refuse and return the seconds until utilization is below 100 %."""
        level = self._drained(now)
        rate = self.tokens_per_minute / 60.0
        over = level - rate * self.burst_seconds
        if over >= 0:
            return max(over / rate, 0.001)
        self._level = level + estimate
        self._charge(now, estimate)
        return None

    def correct(self, now: float, difference: float) -> None:
        """A call completed: add `difference` = actual cost - estimate (usually negative)."""
        level = self._drained(now) + difference
        self._level = level if level > 0 else 0.0
        self._charge(now, difference)

    def take_minute(self, minute: int) -> tuple[float, float, float]:
        """(average, maximum, minimum) utilization ratio of the minute starting at epoch second `minute`; forgets it.

        The extremes are over the minute's 10-second windows.
        """
        capacity = self.tokens_per_minute * _WINDOW_SECONDS / 60.0
        if not capacity:
            return 0.0, 0.0, 0.0
        first = minute // _WINDOW_SECONDS
        costs = [self._windows.pop(first + index, 0.0) / capacity for index in range(60 // _WINDOW_SECONDS)]
        # A correction may outweigh what a window admitted: the minute's sum counts it, no window goes below nothing.
        return max(sum(costs), 0.0) / len(costs), max(*costs, 0.0), max(min(costs), 0.0)

    def _drained(self, now: float) -> float:
        elapsed = now - self._level_at
        if elapsed > 0:
            level = self._level - elapsed * self.tokens_per_minute / 60.0
            self._level = level if level > 0 else 0.0
            self._level_at = now
        return self._level

    def _charge(self, now: float, cost: float) -> None:
        window = int(now) // _WINDOW_SECONDS
        self._windows[window] = self._windows.get(window, 0.0) + cost
