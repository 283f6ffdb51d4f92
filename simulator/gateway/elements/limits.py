"""rate-limit, rate-limit-by-key, quota, quota-by-key: how many calls a consumer may make.

Counters belong to the gateway and are shared by its units; a rate is a sliding window, a quota a fixed one.
Source: Microsoft Learn "rate-limit-by-key policy", "quota-by-key policy" and their siblings.
Assumed: counts are exact; Azure's are approximate across units.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.language import as_number, as_text, is_true
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element, Getter


class SlidingCounter:
    """Amounts with the moment they were counted, over a window that moves with time."""

    __slots__ = ("_entries", "total")

    def __init__(self) -> None:
        self._entries: deque[tuple[float, float]] = deque()
        self.total = 0.0

    def within(self, now: float, window_seconds: float) -> float:
        """The sum over the last `window_seconds`."""
        entries = self._entries
        since = now - window_seconds
        while entries and entries[0][0] <= since:
            self.total -= entries.popleft()[1]
        return self.total

    def add(self, now: float, amount: float) -> None:
        """Count `amount` at `now`."""
        self._entries.append((now, amount))
        self.total += amount

    def seconds_until(self, now: float, window_seconds: float, room: float, limit: float) -> float:
        """Seconds until `room` fits below `limit`; the whole window when it never does."""
        excess = self.total + room - limit
        for at, amount in self._entries:
            excess -= amount
            if excess <= 0:
                return max(at + window_seconds - now, 0.0)
        return window_seconds


class FixedCounter:
    """Amounts since the current period began."""

    __slots__ = ("amount", "period")

    def __init__(self) -> None:
        self.period = -1
        self.amount = 0.0

    def within(self, period: int) -> float:
        """The sum in `period` (a number that grows); a new period begins at 0."""
        if period != self.period:
            self.period, self.amount = period, 0.0
        return self.amount


def refuse_rate(wait_seconds: float, header: str | None, message: str = "Rate limit is exceeded.") -> PolicyFailure:
    """The failure of a rate: 429 with the seconds to wait."""
    seconds = max(math.ceil(wait_seconds), 1)
    text = f"{message} Try again in {seconds} seconds."
    return PolicyFailure(
        "RateLimitExceeded", text, status=429, headers={(header or "retry-after").lower(): str(seconds)}
    )


def clock_text(seconds: float) -> str:
    """hh:mm:ss, days folded into hours."""
    whole = max(math.ceil(seconds), 0)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def _subscription_key(exchange: Exchange) -> str:
    return exchange.subscription.name if exchange.subscription is not None else "anonymous"


def _counter_key(compiler: Compiler, statement: Element) -> Getter:
    if statement.name.endswith("-by-key"):
        return compiler.getter(statement, "counter-key", "")
    place = f"{compiler.scope_name}/"
    return lambda exchange: place + _subscription_key(exchange)


@element("rate-limit", "rate-limit-by-key")
def compile_rate_limit(compiler: Compiler, statement: Element) -> Step:
    """At most `calls` in `renewal-period` seconds of a key; 429 beyond."""
    key = _counter_key(compiler, statement)
    calls = compiler.getter(statement, "calls", 0)
    period = compiler.getter(statement, "renewal-period", 60)
    condition = compiler.getter(statement, "increment-condition", True)
    increment = compiler.getter(statement, "increment-count", 1)
    at_the_end = statement.get("increment-condition") is not None or statement.get("increment-count") is not None
    remaining_variable = statement.get("remaining-calls-variable-name")
    remaining_header = statement.get("remaining-calls-header-name")
    total_header = statement.get("total-calls-header-name")
    retry_header = statement.get("retry-after-header-name")
    retry_variable = statement.get("retry-after-variable-name")

    def run(exchange: Exchange) -> None:
        now = exchange.world.now
        limit, window = as_number(calls(exchange)), as_number(period(exchange))
        counter = exchange.service.sliding(f"rate/{as_text(key(exchange))}/{window}")
        used = counter.within(now, window)
        if used + 1 > limit:
            wait = counter.seconds_until(now, window, 1.0, limit)
            if retry_variable:
                exchange.variables[retry_variable] = max(math.ceil(wait), 1)
            raise refuse_rate(wait, retry_header)
        if remaining_variable:
            exchange.variables[remaining_variable] = int(limit - used - 1)
        if not at_the_end:
            counter.add(now, 1.0)

        def ended(done: Exchange) -> None:
            if at_the_end and is_true(condition(done)):
                counter.add(done.world.now, as_number(increment(done)))
            if done.response is not None:
                if remaining_header:
                    done.response.headers[remaining_header.lower()] = str(int(max(limit - counter.total, 0)))
                if total_header:
                    done.response.headers[total_header.lower()] = str(int(limit))

        if at_the_end or remaining_header or total_header:
            exchange.on_outcome.append(ended)

    return Step(statement.name, run)


@element("quota", "quota-by-key")
def compile_quota(compiler: Compiler, statement: Element) -> Step:
    """At most `calls` and `bandwidth` (kilobytes) of a key in `renewal-period` seconds; 403 beyond."""
    key = _counter_key(compiler, statement)
    calls = compiler.getter(statement, "calls")
    bandwidth = compiler.getter(statement, "bandwidth")
    period = compiler.getter(statement, "renewal-period", 0)
    condition = compiler.getter(statement, "increment-condition", True)

    def run(exchange: Exchange) -> None:
        now = exchange.world.now
        window = as_number(period(exchange)) or 1e12
        number = int(now // window)
        name = as_text(key(exchange))
        counted = exchange.service.fixed(f"quota-calls/{name}")
        carried = exchange.service.fixed(f"quota-bandwidth/{name}")
        most_calls, most_kilobytes = calls(exchange), bandwidth(exchange)
        left = clock_text((number + 1) * window - now)
        if most_calls is not None and counted.within(number) + 1 > as_number(most_calls):
            text = f"Out of call volume quota. Quota will be replenished in {left}."
            raise PolicyFailure("QuotaExceeded", text, status=403)
        if most_kilobytes is not None and carried.within(number) > as_number(most_kilobytes) * 1024:
            text = f"Out of bandwidth quota. Quota will be replenished in {left}."
            raise PolicyFailure("QuotaExceeded", text, status=403)

        def ended(done: Exchange) -> None:
            if is_true(condition(done)):
                counted.within(number)
                counted.amount += 1
                carried.within(number)
                carried.amount += len(done.incoming.body) + (len(done.response.body) if done.response else 0)

        exchange.on_outcome.append(ended)

    return Step(statement.name, run)
