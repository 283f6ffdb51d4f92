"""What the rules look at: a snapshot, with errors sorted by backend and callers counted once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from console.domain.callers import CallersDetail, ErrorSeries
from console.domain.change import Change, ChangeKind
from console.domain.finding import Fact
from console.domain.gateway import BackendKind, Pool
from console.domain.health import HealthState
from console.domain.load import Series, add_series
from console.domain.snapshot import BackendStatus, GatewaySnapshot
from console.triage.minutes import aligned

LOGS = "gateway logs"
METRICS = "metrics"
HIT_MINUTES = 5
"""Hits are counted over the newest minutes of a finding, this many at most."""
CHANGE_BEFORE = timedelta(minutes=4)
CHANGE_AFTER = timedelta(seconds=60)
"""A change counts as followed by a symptom when it began this long before its first minute, or inside that minute."""


class Look:
    """One snapshot, prepared for all rules. Nothing here is kept between snapshots."""

    def __init__(self, snapshot: GatewaySnapshot) -> None:
        self.snapshot = snapshot
        self.now = snapshot.observed_at
        self.backends = snapshot.backends
        self.detail: CallersDetail | None = snapshot.callers_detail
        self._hosts: dict[str, int] = {}
        for status in self.backends:
            host = status.backend.host
            self._hosts[host] = self._hosts.get(host, 0) + 1
        self._errors: dict[str, list[ErrorSeries]] = {}
        for error in self.detail.errors if self.detail is not None else ():
            self._errors.setdefault(error.host, []).append(error)
        self._pools: dict[str, list[Pool]] = {}
        for pool in snapshot.gateway.pools if snapshot.gateway is not None else ():
            for member in pool.members:
                self._pools.setdefault(member.backend_name, []).append(pool)
        self._by_name = {status.name: status for status in self.backends}
        self._requests: Series | None = None
        self.troubled: frozenset[str] = frozenset()
        """Backends with a finding that makes them no place to send more to."""
        self.growth: dict[datetime, list[Fact]] = {}

    # -- callers -------------------------------------------------------------------------------------------------

    @property
    def logs_end_at(self) -> datetime | None:
        """Up to where the callers' side is known in detail."""
        return self.detail.window.end_at if self.detail is not None else None

    @property
    def caller_requests(self) -> Series | None:
        """All callers' requests by minute."""
        if self._requests is None and self.detail is not None:
            self._requests = add_series([c.requests for c in self.detail.consumers])
        return self._requests

    def errors_of(self, status: BackendStatus) -> Sequence[ErrorSeries]:
        """Errors whose last attempt was this backend."""
        errors = self._errors.get(status.backend.host, ()) if status.backend.host else ()
        if errors and self._hosts[status.backend.host] > 1:
            return [e for e in errors if e.backend == status.name.lower()]
        return errors

    @property
    def erring(self) -> Sequence[BackendStatus]:
        """Backends whose callers got any error in the hour."""
        return [s for s in self.backends if s.backend.host in self._errors] if self._errors else ()

    @property
    def errors_of_strangers(self) -> Sequence[ErrorSeries]:
        """Errors of hosts that no known backend leads to: a backend or policy was changed since it was read."""
        if self.snapshot.gateway is None:
            return ()
        return [e for host, errors in self._errors.items() if host and host not in self._hosts for e in errors]

    @property
    def errors_without_backend(self) -> Sequence[ErrorSeries]:
        """Errors of requests that reached no backend."""
        return self._errors.get("", ())

    def hit_ratio(self, hits: Iterable[Series], since_at: datetime) -> float | None:
        """Share of all callers' requests that `hits` counts, since `since_at` but over five minutes at most.

        None when the logs do not reach that far.
        """
        end, requests = self.logs_end_at, self.caller_requests
        if end is None or requests is None or end <= since_at:
            return None
        start = max(since_at, end - timedelta(minutes=HIT_MINUTES))
        length = round((end - start).total_seconds() / 60)
        asked = sum(aligned(requests, start, length))
        if not asked:
            return None
        return min(1.0, sum(sum(aligned(series, start, length)) for series in hits) / asked)

    def harm_ratio(self, since_at: datetime) -> float | None:
        """Share of all callers' requests that were refused or failed, for any reason, in the worst recent window."""
        if self.detail is None:
            return None
        hurt = [e.counts for e in self.detail.errors if e.status_code == 429 or e.status_code >= 500]
        end = self.detail.window.end_at
        starts = [max(since_at, end - timedelta(minutes=m)) for m in (1, 2, HIT_MINUTES)]
        return max((r for start in starts if (r := self.hit_ratio(hurt, start)) is not None), default=None)

    # -- what is configured --------------------------------------------------------------------------------------

    def status(self, name: str) -> BackendStatus | None:
        """A backend by name."""
        return self._by_name.get(name)

    def pools_of(self, name: str) -> Sequence[Pool]:
        """The pools a backend is a member of."""
        return self._pools.get(name, ())

    def peers(self, status: BackendStatus) -> list[BackendStatus]:
        """Backends that share a pool and priority with this one and could take its requests."""
        names: dict[str, None] = {}
        for pool in self.pools_of(status.name):
            own = pool.member(status.name)
            for member in pool.members:
                if own is not None and member.backend_name != status.name and member.priority == own.priority:
                    names[member.backend_name] = None
        return [s for n in names if (s := self._by_name.get(n)) is not None and not is_drained(s)]

    def rest_of_pools(self, status: BackendStatus) -> list[BackendStatus]:
        """Every other member of the backend's pools that is not drained."""
        names = {m.backend_name: None for pool in self.pools_of(status.name) for m in pool.members}
        return [s for n in names if n != status.name and (s := self._by_name.get(n)) and not is_drained(s)]

    def roomiest(self, statuses: Iterable[BackendStatus]) -> BackendStatus | None:
        """The healthy backend with the lowest known utilization, None when none has room."""
        with_room = [
            (s.load.utilization_ratio.value if s.load.utilization_ratio.value is not None else 0.5, s.name, s)
            for s in statuses
            if s.name not in self.troubled
            and s.health.state in (HealthState.HEALTHY, HealthState.IDLE, HealthState.BUSY)
            and (s.load.utilization_ratio.value or 0.0) < 0.85
        ]
        return min(with_room, key=lambda item: item[:2])[2] if with_room else None

    # -- what changed --------------------------------------------------------------------------------------------

    def changes_before(self, since_at: datetime, fits: Iterable[ChangeKind] | None = None) -> list[Change]:
        """Changes shortly before a symptom's first minute, the nearest first."""
        kinds = set(fits) if fits is not None else None
        found = [
            change
            for change in self.snapshot.changes or ()
            if since_at - CHANGE_BEFORE <= change.at <= since_at + CHANGE_AFTER
            and change.status not in ("Failed", "Failure")
            and (kinds is None or change.kind in kinds)
        ]
        return sorted(found, key=lambda c: abs((c.at - since_at).total_seconds()))

    def changes_of(self, status: BackendStatus, since_at: datetime) -> list[Change]:
        """Changes shortly before that concern this backend: itself, its account, or its account's roles."""
        account = status.account.resource_id.lower() if status.account is not None else "\0"
        own = status.backend.resource_id.lower()
        return [
            c
            for c in self.changes_before(since_at)
            if c.resource_id.lower() == own or c.resource_id.lower().startswith(account)
        ]


def is_drained(status: BackendStatus) -> bool:
    """Whether a backend is out of traffic on purpose."""
    return status.health.state in (HealthState.DRAINING, HealthState.DRAINED)


def is_ptu(status: BackendStatus) -> bool:
    """Whether a backend is provisioned."""
    return status.kind is BackendKind.PTU


def change_fact(change: Change) -> Fact:
    """A change as evidence."""
    return Fact(f"{change.at:%H:%M:%S} {change.text}", change.source, change.at)
