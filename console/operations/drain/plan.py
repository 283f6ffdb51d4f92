"""What draining a backend would do, and whether it should be done. Pure: a snapshot in, a plan out.

A refused guard means exit code 3 unless forced with a typed reason; read-only and a stale plan cannot be forced.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.gateway import BackendKind, Gateway, Pool, PoolMember, Route, RouteKind
from console.domain.health import HealthState
from console.domain.load import Window
from console.domain.snapshot import BackendStatus, Drain, GatewaySnapshot
from console.errors import NotFound
from console.operations import guards
from console.operations.drain.predict import Prediction, predict_load
from console.operations.guards import Guard, GuardVerdict

CAPACITY_LIMIT_RATIO = 1.0
TIGHT_RATIO = 0.85
"""A survivor predicted above this is worth a warning: the next burst is refused."""
PREDICTION_MINUTES = 5

ABANDONED = "abandoned before it began"
"""A claim of this very backend whose console died before it changed anything: the next drain takes its place."""

_NOT_ROUTABLE = frozenset({HealthState.DRAINING, HealthState.DRAINED, HealthState.FAILING, HealthState.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class PoolChange:
    """What one pool becomes."""

    pool_name: str
    before: tuple[PoolMember, ...]
    after: tuple[PoolMember, ...]
    own: PoolMember


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """Everything a dialog shows and an execution needs. Times are aware UTC."""

    backend_name: str
    planned_at: datetime
    changes: tuple[PoolChange, ...]
    aware_routes: tuple[Route, ...]
    bypassing_routes: tuple[Route, ...]
    requests_per_minute: float | None
    prediction: Prediction
    others_draining: tuple[Drain, ...]
    guards: tuple[Guard, ...]

    @property
    def refusals(self) -> tuple[Guard, ...]:
        """The guards that say no."""
        return guards.refusals_of(self.guards)

    @property
    def can_be_forced(self) -> bool:
        """Whether a typed reason would be enough."""
        return guards.can_be_forced(self.guards)

    def require_permission(self, *, force_reason: str | None) -> None:
        """Go on only when no guard refuses, or all that do may be overruled and a reason is given.

        Raises:
            GuardRefusal: says which guards refuse and whether force would help.
        """
        refused = f"{self.backend_name} is not drained"
        guards.require_permission(self.guards, refused=refused, force_reason=force_reason)


def plan_drain(snapshot: GatewaySnapshot, backend_name: str, *, read_only_text: str = "") -> DrainPlan:
    """Plan the drain of one backend. `read_only_text` says why nothing is written, where that is known better.

    Raises:
        NotFound: no such backend.
    """
    status = snapshot.backend(backend_name)
    gateway = snapshot.gateway
    if status is None or gateway is None:
        known = ", ".join(b.name for b in snapshot.backends) or "none is known yet"
        raise NotFound(f"There is no backend {backend_name}", where=snapshot.service_name, remedy=f"Known: {known}.")
    changes = tuple(_change(pool, member) for pool, member in gateway.pools_of(backend_name))
    direct = [r for r in gateway.routes if r.kind is not RouteKind.POOL and r.target == backend_name]
    prediction = predict_load(snapshot, backend_name, window=_window(snapshot, status))
    others = tuple(d for d in snapshot.drains if d.backend_name != backend_name)
    aware = tuple(r for r in direct if r.is_drain_aware)
    bypassing = tuple(r for r in direct if not r.is_drain_aware)
    guards = (
        _guard_read_only(snapshot, read_only_text),
        _guard_not_draining(snapshot, backend_name),
        _guard_other_drains(others),
        _guard_somewhere_to_go(changes, aware, bypassing),
        *(_guard_last_member(snapshot, change) for change in changes),
        _guard_capacity(prediction, is_production=snapshot.is_production),
        *(_guard_bypass(route) for route in bypassing),
    )
    return DrainPlan(
        backend_name=backend_name,
        planned_at=snapshot.observed_at,
        changes=changes,
        aware_routes=aware,
        bypassing_routes=bypassing,
        requests_per_minute=status.load.requests_per_minute.value,
        prediction=prediction,
        others_draining=others,
        guards=tuple(g for g in guards if g is not None),
    )


def still_holds(plan: DrainPlan, gateway: Gateway) -> bool:
    """Whether the pools are as the plan saw them: same members, priorities and weights."""
    now = {change.pool_name: change.before for change in plan.changes}
    seen = {pool.name: pool.members for pool, _ in gateway.pools_of(plan.backend_name)}
    return now == seen


def _change(pool: Pool, member: PoolMember) -> PoolChange:
    after = tuple(m for m in pool.members if m.backend_name != member.backend_name)
    return PoolChange(pool.name, pool.members, after, member)


def _window(snapshot: GatewaySnapshot, status: BackendStatus) -> Window:
    known = status.load.tokens_per_minute.window or status.load.requests_per_minute.window
    if known is not None:
        return known
    end = snapshot.observed_at.replace(second=0, microsecond=0)
    return Window(end - timedelta(minutes=PREDICTION_MINUTES), end)


def _guard_read_only(snapshot: GatewaySnapshot, text: str) -> Guard | None:
    if not snapshot.is_read_only and not text:
        return None
    return Guard("read-only", GuardVerdict.REFUSED, text or "this profile is read-only", is_forceable=False)


def _guard_not_draining(snapshot: GatewaySnapshot, backend_name: str) -> Guard:
    mine = next((d for d in snapshot.drains if d.backend_name == backend_name), None)
    if mine is None or mine.condition == ABANDONED:
        return Guard("not draining yet", GuardVerdict.PASSED, "nobody is draining it")
    text = f"{mine.owner} is draining it since {mine.started_at:%H:%M}Z ({mine.reason})"
    return Guard("not draining yet", GuardVerdict.REFUSED, text, is_forceable=False)


def _guard_other_drains(others: tuple[Drain, ...]) -> Guard:
    if not others:
        return Guard("no other drain", GuardVerdict.PASSED, "no other drain is under way")
    names = ", ".join(f"{d.backend_name} (by {d.owner}{_how(d)})" for d in others)
    return Guard("no other drain", GuardVerdict.REFUSED, f"another drain is under way: {names}")


def _how(drain: Drain) -> str:
    return f", {drain.condition}" if drain.needs_attention else ""


def _guard_somewhere_to_go(
    changes: tuple[PoolChange, ...], aware: tuple[Route, ...], bypassing: tuple[Route, ...]
) -> Guard | None:
    if changes or aware:
        return None
    if bypassing:
        # Forced, it is listed all the same: once the route heeds drained-backends, the drain takes effect.
        names = ", ".join(dict.fromkeys(r.document for r in bypassing))
        text = f"it is in no pool and no drain-aware route leads to it, only {names}: listing it moves nothing yet"
        return Guard("can be drained", GuardVerdict.REFUSED, text)
    return Guard("can be drained", GuardVerdict.WARNING, "no route to it was found: draining it moves nothing")


def _guard_last_member(snapshot: GatewaySnapshot, change: PoolChange) -> Guard:
    name = f"{change.pool_name} keeps a routable member"
    drained = set(snapshot.gateway.drained_backends) if snapshot.gateway is not None else set()
    routable = []
    for member in change.after:
        status = snapshot.backend(member.backend_name)
        if status is not None and status.health.state not in _NOT_ROUTABLE and status.name not in drained:
            routable.append(member.backend_name)
    if routable:
        return Guard(name, GuardVerdict.PASSED, f"{change.pool_name} keeps {_count(routable)}")
    if not change.after:
        # API Management refuses a pool without members (minItems 1), so force cannot help.
        text = f"{change.pool_name} would have no member left"
        return Guard(name, GuardVerdict.REFUSED, text, is_forceable=False)
    left = ", ".join(m.backend_name for m in change.after)
    return Guard(name, GuardVerdict.REFUSED, f"{change.pool_name} would keep only {left}, which cannot serve now")


def _count(routable: list[str]) -> str:
    return "1 routable member" if len(routable) == 1 else f"{len(routable)} routable members"


def _guard_capacity(prediction: Prediction, *, is_production: bool) -> Guard:
    over = [
        s
        for s in prediction.survivors
        if s.kind is BackendKind.PAYG and s.predicted_ratio is not None and s.predicted_ratio > CAPACITY_LIMIT_RATIO
    ]
    if over or prediction.unplaced_tokens_per_minute > 1:
        names = (
            ", ".join(f"{s.backend_name} would reach {s.predicted_ratio:.0%}" for s in over) or "no survivor has room"
        )
        return Guard("capacity", GuardVerdict.REFUSED, f"survivors cannot carry it: {names}")
    if prediction.unknown:
        # Where it counts, not knowing is a no: whoever knows better says so with a reason.
        verdict = GuardVerdict.REFUSED if is_production else GuardVerdict.WARNING
        more = f" and {len(prediction.unknown) - 3} more" if len(prediction.unknown) > 3 else ""
        return Guard("capacity", verdict, f"capacity not verified: {', '.join(prediction.unknown[:3])}{more}")
    tight = [s for s in prediction.survivors if s.predicted_ratio is not None and s.predicted_ratio > TIGHT_RATIO]
    if tight:
        names = ", ".join(f"{s.backend_name} at {s.predicted_ratio:.0%}" for s in tight)
        return Guard("capacity", GuardVerdict.WARNING, f"survivors carry it, tightly: {names}")
    return Guard("capacity", GuardVerdict.PASSED, "survivors have room")


def _guard_bypass(route: Route) -> Guard:
    line = f" line {route.line}" if route.line is not None else ""
    users = f", used by {', '.join(route.used_by)}" if route.used_by else ""
    text = f"{route.document}{line} names it directly and does not heed drains{users}: that traffic stays"
    return Guard("every route heeds drains", GuardVerdict.WARNING, text)
