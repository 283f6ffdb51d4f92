"""Watching callers between the steps of a gradual restore: go on, or halt and say why. Reads only."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from console.domain.history import floor_minute
from console.domain.load import Window, ratio
from console.domain.snapshot import BackendStatus, GatewaySnapshot
from console.engine import Engine
from console.operations.drain.gateway_state import OnStep, Step
from console.operations.drain.prove import LOOK_SECONDS
from console.operations.writing import Pause

WATCHED_MINUTES = 2
"""Complete minutes that every step is watched for."""
STEP_DEADLINE_SECONDS = 900.0
WORSE_BY_RATIO = 0.02
"""Callers' 429s or errors growing by this share halt the restore."""
FAILING_ANSWERS_RATIO = 0.05
"""The restored backend answering this share with errors halts it."""


class GradualWatch:
    """Called after each step: waits until the step shows in complete minutes, then compares with how it was before."""

    def __init__(self, engine: Engine, backend_name: str, on_step: OnStep, pause: Pause = asyncio.sleep) -> None:
        self._engine = engine
        self._backend_name = backend_name
        self._on_step = on_step
        self._pause = pause
        self._before = _caller_ratios(engine.store.current, None)

    async def __call__(self, step: str) -> str | None:
        """Why to halt, None to go on."""
        since = floor_minute(self._engine.clock.now()) + timedelta(minutes=1)
        started = self._engine.clock.monotonic()
        while True:
            await asyncio.gather(self._engine.poll_now("metrics"), self._engine.poll_now("traffic"))
            snapshot = self._engine.store.current
            window = _complete(snapshot, self._backend_name, since)
            if window is not None:
                trouble = self._judge(snapshot, window)
                if trouble is None:
                    self._on_step(Step(f"at {step}: callers as before", self._engine.clock.now()))
                return trouble
            if self._engine.clock.monotonic() - started >= STEP_DEADLINE_SECONDS:
                return f"no complete figures after {STEP_DEADLINE_SECONDS:.0f} s, so nothing tells how callers fare"
            await self._pause(LOOK_SECONDS)

    def _judge(self, snapshot: GatewaySnapshot, window: Window) -> str | None:
        throttled, failed = _caller_ratios(snapshot, window)
        for word, now, before in (("429s", throttled, self._before[0]), ("errors", failed, self._before[1])):
            if now is not None and now - (before or 0.0) > WORSE_BY_RATIO:
                return f"callers' {word} rose from {before or 0.0:.1%} to {now:.1%}"
        status = snapshot.backend(self._backend_name)
        answers = _failing_answers(status, window) if status is not None else None
        if answers is not None and answers > FAILING_ANSWERS_RATIO:
            return f"{answers:.1%} of its own answers are errors"
        return None


def _complete(snapshot: GatewaySnapshot, backend_name: str, since: datetime) -> Window | None:
    """The watched minutes, once every source that answers for the backend is complete that far."""
    status = snapshot.backend(backend_name)
    if status is None:
        return None
    known = [at for at in (status.load.metrics_until_at, status.load.logs_until_at) if at is not None]
    if not known or min(known) < since + timedelta(minutes=WATCHED_MINUTES):
        return None
    return Window(since, min(known))


def _caller_ratios(snapshot: GatewaySnapshot, window: Window | None) -> tuple[float | None, float | None]:
    """Callers' share of 429s and of errors, over all backends in the window; of the last minutes without one."""
    if window is None:
        callers = snapshot.callers
        return (None, None) if callers is None else (callers.throttled_ratio.value, callers.error_ratio.value)
    requests = throttled = failed = 0.0
    for status in snapshot.backends:
        load = status.load
        requests += (load.caller_requests.total(window) or 0.0) if load.caller_requests else 0.0
        throttled += (load.caller_throttled.total(window) or 0.0) if load.caller_throttled else 0.0
        failed += (load.failed.total(window) or 0.0) if load.failed else 0.0
    return ratio(throttled, requests), ratio(failed, requests)


def _failing_answers(status: BackendStatus, window: Window) -> float | None:
    """Share of the backend's own answers that are errors (5xx, denied, missing model), by model metrics."""
    models = status.load.deployments
    requests = sum(m.requests.total(window) or 0.0 for m in models)
    wrong = sum((s.total(window) or 0.0) for m in models for s in (m.failed, m.denied, m.missing))
    return ratio(wrong, requests)
