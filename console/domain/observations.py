"""What each feed saw last, side by side: the raw material of a snapshot. Frozen; feeds replace parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from console.domain.callers import CallersDetail
from console.domain.change import Change
from console.domain.gateway import Account, BackendKind, Gateway, Route
from console.domain.health import Probe
from console.domain.load import CallerLoad, ModelLoad, Window
from console.domain.snapshot import Budget, Drain, FeedStatus, Problem

CallerKey = tuple[str, str]
"""(host, backend id) of the last attempt, lower-case; the id is "" except on hosts that serve several backends."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything the feeds know. None and empty mean: not read yet.

    `metrics_window` spans the history that was read, its end is how far metrics are settled; `metrics_accounts` are the
    accounts (ids lower-case) whose region answered at `metrics_window.end_at`. `traffic_window` ends where the logs are
    complete. `early_loads` and `early_callers` reach into minutes that are still filling: what they hold has happened,
    what they lack may have happened too, so no figure is made of them.
    """

    profile_name: str
    service_name: str
    subscription_id: str
    cloud_name: str
    is_read_only: bool = False
    is_production: bool = False
    kind_overrides: Mapping[str, BackendKind] = field(default_factory=dict)
    simulated: bool | None = None
    gateway: Gateway | None = None
    routes: tuple[Route, ...] | None = None
    accounts: tuple[Account, ...] | None = None
    model_loads: tuple[ModelLoad, ...] = ()
    metrics_window: Window | None = None
    metrics_accounts: frozenset[str] = frozenset()
    caller_loads: Mapping[CallerKey, CallerLoad] = field(default_factory=dict)
    traffic_window: Window | None = None
    probes: Mapping[str, Probe] = field(default_factory=dict)
    drains: tuple[Drain, ...] = ()
    callers: CallersDetail | None = None
    changes: tuple[Change, ...] | None = None
    early_loads: tuple[ModelLoad, ...] = ()
    early_callers: CallersDetail | None = None
    budget: Budget = field(default_factory=Budget)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    feeds: tuple[FeedStatus, ...] = ()
    is_paused: bool = False

    def account_of(self, host: str) -> Account | None:
        """The account that answers on a host, None when none was found or none were read."""
        return next((a for a in self.accounts or () if host in a.hosts), None) if host else None
