"""Proof that a drain took effect: observed traffic, never the absence of an error. Pure.

A backend is Drained when its observed requests are zero for two consecutive complete minutes after the drain was
applied, in every source that can see it: the models' own metrics, and the gateway's logs. A minute counts as complete
when its source is known to be complete so far. Probes send nothing that these count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.load import Series
from console.domain.snapshot import BackendStatus

QUIET_MINUTES = 2
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SourceProof:
    """What one source shows since the drain. `requests_last_minute`: of the newest complete minute, None: none yet."""

    source: str
    complete_until: datetime | None
    quiet_minutes: int
    requests_last_minute: float | None

    @property
    def is_quiet(self) -> bool:
        """Whether this source has shown enough silence."""
        return self.quiet_minutes >= QUIET_MINUTES


@dataclass(frozen=True, slots=True)
class Proof:
    """`is_drained` when every source that sees the backend is quiet; a backend that no source sees is never proven."""

    backend_name: str
    sources: tuple[SourceProof, ...]

    @property
    def is_drained(self) -> bool:
        """Whether it is proven."""
        return bool(self.sources) and all(s.is_quiet for s in self.sources)

    @property
    def loudest(self) -> SourceProof | None:
        """The source that shows most requests in its newest complete minute; None when none shows any."""
        speaking = [s for s in self.sources if s.requests_last_minute]
        return max(speaking, key=lambda s: s.requests_last_minute or 0.0) if speaking else None

    @property
    def text(self) -> str:
        """One sentence for the row and the command line."""
        if not self.sources:
            return "no source shows its traffic: nothing is proven"
        if self.is_drained:
            names = " and ".join(s.source for s in self.sources)
            return f"no request for {QUIET_MINUTES} complete minutes ({names})"
        loudest = self.loudest
        if loudest is not None:
            return f"{loudest.requests_last_minute:.0f} requests in the last complete minute ({loudest.source})"
        if all(s.requests_last_minute is None for s in self.sources):
            return "no minute since then is complete yet"
        waiting = " and ".join(
            f"{s.source} {s.quiet_minutes} of {QUIET_MINUTES}" for s in self.sources if not s.is_quiet
        )
        return f"no request seen since; waiting for complete quiet minutes ({waiting})"


def judge_drain(backends: Sequence[BackendStatus], backend_name: str, applied_at: datetime) -> Proof:
    """What is proven about a drain applied at `applied_at` (aware UTC), by the figures of all backends."""
    status = next((b for b in backends if b.name == backend_name), None)
    if status is None:
        return Proof(backend_name, ())
    load = status.load
    sharing = [b for b in backends if b.backend.host == status.backend.host and b.name != backend_name]
    sources = []
    if load.metrics_until_at is not None and not sharing:
        # Azure publishes metrics late: a minute is complete when some backend already shows a later one.
        newest = _latest(model.requests for b in backends for model in b.load.deployments)
        until = None if newest is None else min(load.metrics_until_at, newest - MINUTE)
        requests = [model.requests for model in load.deployments]
        sources.append(_judge("model metrics", requests, until, applied_at))
    callers = [] if load.caller_requests is None else [load.caller_requests]
    sources.append(_judge("gateway logs", callers, load.logs_until_at, applied_at))
    return Proof(backend_name, tuple(s for s in sources if s.complete_until is not None))


def _latest(series: Iterable[Series]) -> datetime | None:
    """The end of the newest minute in which anything is known."""
    return max((end for s in series if (end := s.latest_known_end_at()) is not None), default=None)


def _judge(source: str, series: Sequence[Series], complete_until: datetime | None, applied_at: datetime) -> SourceProof:
    """Count quiet minutes backwards from the newest complete one: as many as a proof needs, none before the drain."""
    if complete_until is None:
        return SourceProof(source, None, 0, None)
    first = applied_at.replace(second=0, microsecond=0) + MINUTE
    quiet, last = 0, None
    minute = complete_until - MINUTE
    while minute >= first and quiet < QUIET_MINUTES:
        count = sum(_at(s, minute) for s in series)
        last = count if last is None else last
        if count:
            break
        quiet += 1
        minute -= MINUTE
    return SourceProof(source, complete_until, quiet, last)


def _at(series: Series, minute: datetime) -> float:
    """Requests of a complete minute: a source that is complete and shows nothing of a backend has seen nothing."""
    index = round((minute - series.start_at).total_seconds() / 60)
    value = series.values[index] if 0 <= index < len(series.values) else None
    return value or 0.0
