"""Waiting for the proof of a drain: fresh figures again and again until silence is proven, or the deadline passes.

Nothing is written here. A drain whose traffic does not stop is *timed out*, with who still sends; what stands on the
gateway stays as it is, and an operator decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from console.azure.senders import Sender, fetch_senders
from console.domain.gateway import Route, RouteKind
from console.domain.history import floor_minute
from console.domain.load import Window
from console.domain.proof import Proof, judge_drain
from console.domain.snapshot import GatewaySnapshot
from console.engine import Engine
from console.errors import ConsoleError
from console.operations.writing import Pause

DEADLINE_SECONDS = 600.0
LOOK_SECONDS = 15.0
TOPOLOGY_SECONDS = 60.0
SENDER_MINUTES = 5


class Ending(StrEnum):
    """How waiting ended. `OVERWRITTEN`: somebody put the backend back while we looked."""

    DRAINED = "drained"
    TIMED_OUT = "timed out"
    OVERWRITTEN = "overwritten"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the traffic. `requests_per_minute` of the newest complete minute, None while none is complete."""

    at: datetime
    proof: Proof
    requests_per_minute: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What observed traffic says in the end. `senders` and `bypassing` are filled when it did not stop."""

    ending: Ending
    proof: Proof
    seconds: float
    senders: tuple[Sender, ...] = ()
    bypassing: tuple[Route, ...] = ()
    senders_unknown: str = ""

    @property
    def text(self) -> str:
        """One sentence."""
        if self.ending is Ending.DRAINED:
            return f"drained: {self.proof.text}"
        if self.ending is Ending.OVERWRITTEN:
            return "overwritten: somebody put it back while its traffic was watched"
        routes = ", ".join(describe_route(route) for route in self.bypassing)
        through = f", through {routes}" if routes else ""
        if self.proof.loudest is None:
            return f"timed out after {self.seconds:.0f} s, not proven: {self.proof.text}{through}"
        return f"timed out after {self.seconds:.0f} s: {self.proof.text}{through}"


def describe_route(route: Route) -> str:
    """`fragment old-route line 3, used by legacy-chat`."""
    line = f" line {route.line}" if route.line is not None else ""
    users = f" (used by {', '.join(route.used_by)})" if route.used_by and route.kind is RouteKind.FRAGMENT else ""
    return f"{route.document}{line}{users}"


async def await_proof(
    engine: Engine,
    backend_name: str,
    applied_at: datetime,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    on_look: Callable[[Look], None] = lambda look: None,
    pause: Pause = asyncio.sleep,
) -> Outcome:
    """Look at fresh figures until two complete minutes are quiet in every source, or the deadline passes.

    Raises:
        ConsoleError: the gateway cannot be read any more.
    """
    started = engine.clock.monotonic()
    topology_at = started
    while True:
        await asyncio.gather(engine.poll_now("metrics"), engine.poll_now("traffic"))
        snapshot = engine.store.current
        proof = judge_drain(snapshot.backends, backend_name, applied_at)
        on_look(Look(snapshot.observed_at, proof, _last_minute(proof)))
        seconds = engine.clock.monotonic() - started
        if proof.is_drained:
            return Outcome(Ending.DRAINED, proof, seconds)
        if seconds >= deadline_seconds:
            senders, unknown = await _senders(engine, snapshot, backend_name, applied_at)
            bypassing = bypassing_routes(snapshot, backend_name)
            return Outcome(Ending.TIMED_OUT, proof, seconds, senders, bypassing, unknown)
        if engine.clock.monotonic() - topology_at >= TOPOLOGY_SECONDS:
            topology_at = engine.clock.monotonic()
            await engine.poll_now("topology")
            drain = next((d for d in engine.store.current.drains if d.backend_name == backend_name), None)
            if drain is None or drain.condition == "overwritten":
                return Outcome(Ending.OVERWRITTEN, proof, seconds)
        await pause(min(LOOK_SECONDS, max(0.1, deadline_seconds - seconds)))


def _last_minute(proof: Proof) -> float | None:
    known = [s.requests_last_minute for s in proof.sources if s.requests_last_minute is not None]
    return max(known) if known else None


async def _senders(
    engine: Engine, snapshot: GatewaySnapshot, backend_name: str, applied_at: datetime
) -> tuple[tuple[Sender, ...], str]:
    """Who sent what ended at the backend lately; a query that fails is said, the outcome stands without it."""
    status = snapshot.backend(backend_name)
    until = status.load.logs_until_at if status is not None else None
    if status is None or not status.backend.host or until is None:
        return (), "the gateway's logs tell nothing about it"
    is_shared = any(b.backend.host == status.backend.host and b.name != backend_name for b in snapshot.backends)
    start_at = max(until - timedelta(minutes=SENDER_MINUTES), floor_minute(applied_at) + timedelta(minutes=1))
    if start_at >= until:
        return (), "the gateway's logs are not complete so far"
    window = Window(start_at, until)
    try:
        backend_id = backend_name if is_shared else ""
        return await fetch_senders(engine.session, status.backend.host, window, backend_id=backend_id), ""
    except ConsoleError as error:
        return (), error.line


def bypassing_routes(snapshot: GatewaySnapshot, backend_name: str) -> tuple[Route, ...]:
    """The routes that name the backend directly and do not heed `drained-backends`."""
    routes = snapshot.gateway.routes if snapshot.gateway is not None else ()
    return tuple(
        r for r in routes if r.kind is not RouteKind.POOL and r.target == backend_name and not r.is_drain_aware
    )
