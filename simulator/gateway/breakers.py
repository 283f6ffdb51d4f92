"""Circuit breakers as one gateway unit keeps them: counted alone, never told to the other units.

Source: Microsoft Learn "Backends in API Management", circuit breaker: failures within an interval open the circuit
for the trip duration, or for the Retry-After of the failing response when accepted; it then resets. No half-open
state is documented, so there is none.
Assumed: a `percentage` condition needs ten responses in the interval before it is judged.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

_MINIMUM_FOR_PERCENTAGE = 10
_DURATION = re.compile(r"^P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$")
_TIMESPAN = re.compile(r"^(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)$")


def parse_duration(text: str) -> float:
    """Seconds of an ISO 8601 duration (PT1M) or a .NET time span (00:01:00).

    Raises:
        ValueError: it is neither.
    """
    match = _DURATION.match(text.strip()) or _TIMESPAN.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """One rule of a backend's `circuitBreaker`. Status ranges are inclusive."""

    name: str
    count: int | None
    percentage: int | None
    interval_seconds: float
    status_ranges: tuple[tuple[int, int], ...]
    error_reasons: frozenset[str]
    trip_seconds: float
    accept_retry_after: bool

    def is_failure(self, status: int | None, reason: str | None) -> bool:
        """Whether an answer (or `reason`, when none came) counts as a failure."""
        if status is None:
            return bool(reason and (reason in self.error_reasons or "Server errors" in self.error_reasons))
        return any(low <= status <= high for low, high in self.status_ranges)


def parse_rule(body: dict[str, Any]) -> BreakerRule:
    """A rule from its ARM body."""
    condition = body.get("failureCondition") or {}
    return BreakerRule(
        name=str(body.get("name", "")),
        count=condition.get("count"),
        percentage=condition.get("percentage"),
        interval_seconds=parse_duration(str(condition.get("interval", "PT1H"))),
        status_ranges=tuple((int(r["min"]), int(r["max"])) for r in condition.get("statusCodeRanges") or ()),
        error_reasons=frozenset(condition.get("errorReasons") or ()),
        trip_seconds=parse_duration(str(body.get("tripDuration", "PT1H"))),
        accept_retry_after=bool(body.get("acceptRetryAfter")),
    )


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or an HTTP date); None when it says nothing usable."""
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (TypeError, ValueError):
        return None


class Breaker:
    """The breaker of one backend in one unit."""

    __slots__ = ("_failures", "_successes", "open_until", "rule")

    def __init__(self, rule: BreakerRule) -> None:
        self.rule = rule
        self.open_until = 0.0
        self._failures: deque[float] = deque()
        self._successes: deque[float] = deque()

    def is_open(self, now: float) -> bool:
        """Whether requests must keep away at `now`."""
        return now < self.open_until

    def record(self, now: float, status: int | None, reason: str | None, retry_after: str | None) -> bool:
        """Count one outcome. True when it opened the circuit (see `open_until`)."""
        rule = self.rule
        if not rule.is_failure(status, reason):
            if rule.percentage is not None:
                self._successes.append(now)
            return False
        if self.is_open(now):
            return False
        failures = self._failures
        failures.append(now)
        since = now - rule.interval_seconds
        while failures and failures[0] < since:
            failures.popleft()
        if not self._trips(since):
            return False
        trip = rule.trip_seconds
        if rule.accept_retry_after:
            asked = retry_after_seconds(retry_after, now)
            if asked is not None:
                trip = asked
        failures.clear()
        self._successes.clear()
        self.open_until = now + trip
        return trip > 0

    def _trips(self, since: float) -> bool:
        rule = self.rule
        if rule.count is not None and len(self._failures) >= rule.count:
            return True
        if rule.percentage is None:
            return False
        while self._successes and self._successes[0] < since:
            self._successes.popleft()
        total = len(self._failures) + len(self._successes)
        return total >= _MINIMUM_FOR_PERCENTAGE and 100 * len(self._failures) >= rule.percentage * total
