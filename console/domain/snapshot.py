"""One moment of a gateway, whole and immutable: what screens show and what commands plan on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from console.domain.callers import CallersDetail
from console.domain.change import Change
from console.domain.finding import Finding
from console.domain.gateway import Account, Backend, BackendKind, Gateway, Pool, PoolMember, Route
from console.domain.health import Health, Probe
from console.domain.load import BackendLoad, ErrorCount, Figure, Series


class Level(StrEnum):
    """How the gateway's callers fare."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first line of the first screen: what is wrong, for whom, since when."""

    level: Level
    text: str
    since_at: datetime | None = None


WAITING = Verdict(Level.UNKNOWN, "Waiting for the first answer")
"""Before anything is known."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the console itself could not do: what, where, and what to do next. The rest of the screen goes on.

    `kind` is the error's class name ("Throttled", "NotFound", ...), `feed` the feed that met it; "" when none did.
    """

    what: str
    where: str
    remedy: str
    at: datetime
    kind: str = ""
    feed: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What Resource Manager said is left for this principal. None until it said so.

    `arm_throttled_at`: when it last answered 429, also where a retry went through; None when it never did.
    """

    arm_reads_remaining: int | None = None
    arm_writes_remaining: int | None = None
    observed_at: datetime | None = None
    arm_throttled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How a feed fares: `late` means its data is older than it should be by now."""

    name: str
    interval_seconds: float
    last_success_at: datetime | None = None
    last_error: str | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Drain:
    """A drain somebody recorded on the gateway (named value `drain-<backend>`).

    `state` is how far the record had come; `condition` how it stands, held against the pools ("in place",
    "overwritten", "interrupted while draining", ...), and `text` says that in one sentence. `applied_at`: when its last
    pool was changed, None while that is not done. `pool_names`: the pools it comes back to.
    """

    backend_name: str
    owner: str
    reason: str
    started_at: datetime
    expires_at: datetime | None
    state: str
    condition: str = ""
    text: str = ""
    applied_at: datetime | None = None
    pool_names: tuple[str, ...] = ()
    is_expired: bool = False
    needs_attention: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """A backend's place in one pool, as rows show it."""

    pool_name: str
    priority: int | None
    weight: int | None


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """One backend with everything known about it now.

    `kind_source`: "profile", "model deployments" or "" when unknown. `account` None: its URL leads to no
    Azure OpenAI account that was found.
    """

    backend: Backend
    kind: BackendKind
    kind_source: str
    region: str | None
    memberships: tuple[Membership, ...]
    routes: tuple[Route, ...]
    health: Health
    load: BackendLoad
    account: Account | None = None
    probe: Probe | None = None

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.backend.name


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool with the sums of its members.

    `state` is a word: healthy, spilling, throttled, failing, exhausted, idle, unknown.
    """

    pool: Pool
    members: tuple[PoolMember, ...]
    state: str
    requests_per_minute: float | None
    model_throttled_ratio: float | None
    caller_throttled_ratio: float | None
    spilled_ratio: float | None
    latency_p95_ms: float | None = None
    requests: Series | None = None
    is_upper_bound: bool = False
    """A member serves other pools or routes too: requests count those as well, no source tells them apart."""


@dataclass(frozen=True, slots=True)
class CallersStatus:
    """All callers together, whatever backend served them."""

    requests_per_minute: Figure
    throttled_ratio: Figure
    error_ratio: Figure
    errors_without_backend: tuple[ErrorCount, ...] = ()
    errors: tuple[ErrorCount, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewaySnapshot:
    """Everything known at `observed_at`.

    `gateway` is None until the first answer; `simulated` is None until a server said so. `replayed_from` names the
    recording it comes from, "" when it is live.
    """

    observed_at: datetime
    profile_name: str
    service_name: str
    subscription_id: str
    cloud_name: str
    verdict: Verdict
    gateway: Gateway | None = None
    simulated: bool | None = None
    is_read_only: bool = False
    is_production: bool = False
    backends: tuple[BackendStatus, ...] = ()
    pools: tuple[PoolStatus, ...] = ()
    callers: CallersStatus | None = None
    drains: tuple[Drain, ...] = ()
    budget: Budget = field(default_factory=Budget)
    problems: tuple[Problem, ...] = ()
    feeds: tuple[FeedStatus, ...] = ()
    is_paused: bool = False
    callers_detail: CallersDetail | None = None
    changes: tuple[Change, ...] | None = None
    findings: tuple[Finding, ...] = ()
    replayed_from: str = ""

    def backend(self, name: str) -> BackendStatus | None:
        """The status of a backend by name, None when it does not exist."""
        return next((b for b in self.backends if b.backend.name == name), None)
