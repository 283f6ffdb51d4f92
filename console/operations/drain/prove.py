"""Proof that a drain took effect: observed traffic, never the absence of an error. Pure.

A backend is Drained when its observed requests are zero for two consecutive complete minutes after the drain was
applied, in every source that can see it: the models' own metrics, and the gateway's logs. A minute counts as complete
when a source has already shown something later. Probes send nothing that these count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.load import Series
from console.domain.snapshot import BackendStatus, GatewaySnapshot

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
    def text(self) -> str:
        """One sentence for the row and the command line."""
        if not self.sources:
            return "no source shows its traffic: nothing is proven"
        if self.is_drained:
            names = " and ".join(s.source for s in self.sources)
            return f"no request for {QUIET_MINUTES} complete minutes ({names})"
        loudest = max(self.sources, key=lambda s: s.requests_last_minute or 0.0)
        if loudest.requests_last_minute:
            return f"{loudest.requests_last_minute:.0f} requests in the last complete minute ({loudest.source})"
        return "quiet so far, waiting for two complete minutes"


def judge_drain(snapshot: GatewaySnapshot, backend_name: str, applied_at: datetime) -> Proof:
    """What is proven at this snapshot about a drain applied at `applied_at` (aware UTC)."""
    status = snapshot.backend(backend_name)
    if status is None:
        return Proof(backend_name, ())
    sharing = [b for b in snapshot.backends if b.backend.host == status.backend.host and b.name != backend_name]
    sources = []
    if status.account is not None and not sharing:
        sources.append(_judge("model metrics", status.load.requests, _latest(snapshot, _model_requests), applied_at))
    sources.append(_judge("gateway logs", status.load.caller_requests, _latest(snapshot, _caller_requests), applied_at))
    return Proof(backend_name, tuple(s for s in sources if s.complete_until is not None))


def _model_requests(status: BackendStatus) -> Iterable[Series]:
    return (load.requests for load in status.load.deployments)


def _caller_requests(status: BackendStatus) -> Iterable[Series]:
    return (status.load.caller_requests,) if status.load.caller_requests is not None else ()


def _latest(snapshot: GatewaySnapshot, series_of: Callable[[BackendStatus], Iterable[Series]]) -> datetime | None:
    """Until when a source is complete: the start of the newest minute in which it shows anything of any backend."""
    ends = [s.latest_known_end_at() for status in snapshot.backends for s in series_of(status)]
    known = [end for end in ends if end is not None]
    return max(known) - MINUTE if known else None


def _judge(source: str, series: Series | None, complete_until: datetime | None, applied_at: datetime) -> SourceProof:
    """Count quiet minutes backwards from the newest complete one, down to the minute after the drain was applied."""
    if complete_until is None:
        return SourceProof(source, None, 0, None)
    first = applied_at.replace(second=0, microsecond=0) + MINUTE
    quiet, last = 0, None
    minute = complete_until - MINUTE
    counting = True
    while minute >= first:
        count = _at(series, minute)
        if last is None:
            last = count
        if counting and count == 0:
            quiet += 1
        else:
            counting = False
        minute -= MINUTE
    return SourceProof(source, complete_until, quiet, last)


def _at(series: Series | None, minute: datetime) -> float:
    """Requests of a complete minute: a source that is complete and shows nothing of a backend has seen nothing."""
    if series is None:
        return 0.0
    index = round((minute - series.start_at).total_seconds() / 60)
    value = series.values[index] if 0 <= index < len(series.values) else None
    return value or 0.0
