"""Compiled policy statements and how a list of them runs.

A step that cannot wait is a plain function; one that can (forwarding, retrying) is a generator function and says so. A
list without waiting steps runs as a plain loop: that is the fast path.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.gateway.errors import PolicyFailure

if TYPE_CHECKING:
    from simulator.gateway.exchange import Exchange

Waiting = Generator[float, None, None]
Plain = Callable[["Exchange"], None]


@dataclass(slots=True, eq=False)
class Step:
    """One compiled statement. `run(exchange)` returns None, or a generator when `waits`.

    `name` is the element's, `path` its place inside the section (`choose[1]/when[1]`), `scope` global, product, api
    or operation.
    """

    name: str
    run: Callable[[Exchange], Any]
    waits: bool = False
    path: str = ""
    scope: str = "global"
    section: str = "inbound"
    policy_id: str = ""


@dataclass(slots=True, eq=False)
class Block:
    """Steps in order. `run` and `waits` as in `Step`."""

    steps: tuple[Step, ...] = ()
    waits: bool = False
    run: Callable[[Exchange], Any] = field(default=lambda exchange: None)


def _plain(steps: tuple[Step, ...]) -> Plain:
    if not steps:
        return lambda exchange: None

    def run(exchange: Exchange) -> None:
        step = steps[0]
        try:
            for step in steps:
                step.run(exchange)
        except PolicyFailure as failure:
            if failure.step is None:
                failure.step = step
            raise

    return run


def _waiting(steps: tuple[Step, ...]) -> Callable[[Exchange], Waiting]:
    def run(exchange: Exchange) -> Waiting:
        step = steps[0]
        try:
            for step in steps:
                if step.waits:
                    yield from step.run(exchange)
                else:
                    step.run(exchange)
        except PolicyFailure as failure:
            if failure.step is None:
                failure.step = step
            raise

    return run


def block(steps: Sequence[Step]) -> Block:
    """Compile a list of steps."""
    listed = tuple(steps)
    waits = any(step.waits for step in listed)
    return Block(listed, waits, _waiting(listed) if waits else _plain(listed))
