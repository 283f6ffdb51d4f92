"""choose, retry, wait, limit-concurrency: statements that run other statements.

Source: Microsoft Learn, the reference pages of these policies.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.elements.backend import UNAVAILABLE_REASON
from simulator.gateway.errors import PolicyFailure, error_body, reason_phrase
from simulator.gateway.language import as_number, as_text, is_true
from simulator.gateway.steps import Block, Step, Waiting

if TYPE_CHECKING:
    from collections.abc import Generator

    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element, Getter


NO_ANSWER_REASONS = frozenset({UNAVAILABLE_REASON, "BackendConnectionFailure", "Timeout"})
"""Failures of a forward that a retry around it may still put right."""


@element("choose")
def compile_choose(compiler: Compiler, statement: Element) -> Step:
    """The first `when` that holds, else `otherwise`."""
    branches: list[tuple[Getter | None, Block]] = []
    for child, path in compiler.numbered(statement.elements):
        if child.name not in ("when", "otherwise"):
            continue
        with compiler.inside(path):
            condition = compiler.getter(child, "condition", False) if child.name == "when" else None
            branches.append((condition, compiler.block(child.elements)))

    def pick(exchange: Exchange) -> Block | None:
        for condition, chosen in branches:
            if condition is None or is_true(condition(exchange)):
                return chosen
        return None

    def run(exchange: Exchange) -> None:
        chosen = pick(exchange)
        if chosen is not None:
            chosen.run(exchange)

    def run_waiting(exchange: Exchange) -> Waiting:
        chosen = pick(exchange)
        if chosen is not None:
            if chosen.waits:
                yield from chosen.run(exchange)
            else:
                chosen.run(exchange)

    waits = any(chosen.waits for _, chosen in branches)
    return Step("choose", run_waiting if waits else run, waits)


@element("retry")
def compile_retry(compiler: Compiler, statement: Element) -> Step:
    """Run the children once, and again while the condition holds, at most `count` times.

    Three schedules: fixed; linear (with `delta`); exponential (with `max-interval` and `delta`).
    A forward that got no answer (breaker open, no connection, timeout) counts as the 503 or 500 it would become: the
    condition sees that response, and the failure goes on to on-error only when the retry gives up.
    Source: Azure-Samples/AI-Gateway issue #262 (a retry condition of Microsoft's sample that had to exclude the 503 of
    a pool without members, which on-error then gets); its conditions on 500 for BackendConnectionFailure likewise.
    """
    condition = compiler.getter(statement, "condition", False)
    count = compiler.getter(statement, "count", 1)
    interval = compiler.getter(statement, "interval", 0)
    maximum = compiler.getter(statement, "max-interval")
    delta = compiler.getter(statement, "delta")
    fast = compiler.getter(statement, "first-fast-retry", False)
    body = compiler.block(statement.elements)

    def wait_seconds(exchange: Exchange, attempt: int) -> float:
        if attempt == 1 and is_true(fast(exchange)):
            return 0.0
        base = as_number(interval(exchange))
        step, most = delta(exchange), maximum(exchange)
        if step is None:
            return base
        if most is None:
            return base + (attempt - 1) * as_number(step)
        spread = exchange.world.random("gateway/retry").uniform(0.8, 1.2)
        return min(as_number(most), base + (2.0**attempt - 1.0) * as_number(step) * spread)

    def run(exchange: Exchange) -> Waiting:
        attempt = 0
        while True:
            failure: PolicyFailure | None = None
            try:
                if body.waits:
                    yield from body.run(exchange)
                else:
                    body.run(exchange)
            except PolicyFailure as caught:
                if caught.reason not in NO_ANSWER_REASONS:
                    raise
                failure = caught
                headers = {"content-type": "application/json", **caught.headers}
                answer = error_body(caught.status, caught.body_message)
                exchange.answer(caught.status, headers, answer, reason_phrase(caught.status))
            attempt += 1
            if not is_true(condition(exchange)) or attempt > as_number(count(exchange)):
                if failure is not None:
                    raise failure
                return
            pause = wait_seconds(exchange, attempt)
            if pause > 0:
                yield pause

    return Step("retry", run, waits=True)


@element("wait")
def compile_wait(compiler: Compiler, statement: Element) -> Step:
    """Run the children side by side, until all (default) or any of them are done."""
    any_suffices = (statement.get("for") or "all").lower() == "any"
    children = compiler.steps(statement.elements)

    def run(exchange: Exchange) -> Waiting:
        pending: list[tuple[float, int, Generator[float, None, None]]] = []
        for number, child in enumerate(children):
            if child.waits:
                heapq.heappush(pending, (0.0, number, child.run(exchange)))
            else:
                child.run(exchange)
        if any_suffices and len(pending) < len(children):
            return
        elapsed = 0.0
        while pending:
            due, number, process = heapq.heappop(pending)
            if due > elapsed:
                yield due - elapsed
                elapsed = due
            try:
                delay = next(process)
            except StopIteration:
                if any_suffices:
                    return
                continue
            heapq.heappush(pending, (elapsed + delay, number, process))

    return Step("wait", run, waits=True)


@element("limit-concurrency")
def compile_limit_concurrency(compiler: Compiler, statement: Element) -> Step:
    """At most `max-count` requests of a key inside at once (per gateway unit); 429 for the next."""
    key = compiler.getter(statement, "key", "")
    most = compiler.getter(statement, "max-count", 1)
    body = compiler.block(statement.elements)

    def run(exchange: Exchange) -> Waiting:
        inside = exchange.unit.concurrency
        name = as_text(key(exchange))
        if inside.get(name, 0) >= as_number(most(exchange)):
            raise PolicyFailure(
                "ConcurrencyLimitExceeded", "Concurrency limit is exceeded. Please try again later.", status=429
            )
        inside[name] = inside.get(name, 0) + 1
        try:
            if body.waits:
                yield from body.run(exchange)
            else:
                body.run(exchange)
        finally:
            inside[name] -= 1

    return Step("limit-concurrency", run, waits=True)
