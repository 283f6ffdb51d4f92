"""choose, retry: statements that run other statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.gateway.compiler import element
from simulator.gateway.steps import Block, Step, Waiting

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element, Getter


def is_true(value: Any) -> bool:
    """A condition's value as a truth: a bool, or the text of one."""
    return value if isinstance(value, bool) else str(value).strip().lower() == "true"


@element("choose")
def compile_choose(compiler: Compiler, statement: Element) -> Step:
    """The first `when` that holds, else `otherwise`."""
    branches: list[tuple[Getter | None, Block]] = []
    for child, path in compiler._numbered(statement.elements):
        if child.name not in ("when", "otherwise"):
            continue
        compiler._path.append(path)
        condition = compiler.getter(child, "condition", False) if child.name == "when" else None
        branches.append((condition, compiler.block(child.elements)))
        compiler._path.pop()

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

    Source: Microsoft Learn "retry policy": fixed, linear (with delta) and exponential (with max-interval and delta) schedules.
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
        base = float(interval(exchange))
        step, most = delta(exchange), maximum(exchange)
        if step is None:
            return base
        if most is None:
            return base + (attempt - 1) * float(step)
        spread = exchange.world.random("gateway/retry").uniform(0.8, 1.2)
        return min(float(most), base + (2.0**attempt - 1.0) * float(step) * spread)

    def run(exchange: Exchange) -> Waiting:
        attempt = 0
        while True:
            if body.waits:
                yield from body.run(exchange)
            else:
                body.run(exchange)
            if not is_true(condition(exchange)):
                return
            attempt += 1
            if attempt > int(count(exchange)):
                return
            pause = wait_seconds(exchange, attempt)
            if pause > 0:
                yield pause

    return Step("retry", run, waits=True)
