"""Why requests go where they go: for each way in, which backends serve now and why the others do not. Pure.

Source: backends reference: the lowest priority number is tried first, the next only when every member before it is
unavailable; among equals the weights share; units do not synchronise, so this is what to expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.domain.gateway import Pool, PoolMember, Route, RouteKind
from console.domain.health import HealthState, percent
from console.domain.snapshot import BackendStatus, GatewaySnapshot

_OUT = {
    HealthState.DRAINED: "drained",
    HealthState.DRAINING: "being drained",
    HealthState.TRIPPED: "its breaker is probably open",
    HealthState.UNREACHABLE: "unreachable",
}


@dataclass(frozen=True, slots=True)
class RouteExplanation:
    """One way in. `what`: the API and document; `serves`: who serves now; `others`: (backend, why not)."""

    what: str
    serves: str
    because: str
    others: tuple[tuple[str, str], ...] = ()


def explain_routes(snapshot: GatewaySnapshot) -> list[RouteExplanation]:
    """Every route that APIs use, in order of document; pools that no known route names come last."""
    gateway = snapshot.gateway
    if gateway is None:
        return []
    explained = []
    named = set()
    for route in sorted(gateway.routes, key=lambda r: (r.document, r.line or 0, r.target)):
        if route.kind is RouteKind.POOL:
            continue
        named.add(route.target)
        pool = next((p for p in gateway.pools if p.name == route.target), None)
        what = _where(route)
        if pool is not None:
            explained.append(_pool(snapshot, pool, what))
        else:
            explained.append(_direct(snapshot, route, what))
    explained += [_pool(snapshot, p, f"pool {p.name}") for p in gateway.pools if p.name not in named]
    return explained


def explain_model(snapshot: GatewaySnapshot, model: str) -> list[RouteExplanation]:
    """The routes whose backends can serve a model, with those that cannot named as such."""
    explained = []
    for route in explain_routes(snapshot):
        able = [n for n in _names(route) if _serves_model(snapshot.backend(n), model)]
        if able:
            unable = tuple((n, f"has no deployment of {model}") for n in _names(route) if n not in able)
            serves = ", ".join(n for n in route.serves.split(", ") if n in able)
            others = tuple((n, why) for n, why in route.others if n in able) + unable
            explained.append(RouteExplanation(route.what, serves, route.because, others))
    return explained


def _names(route: RouteExplanation) -> list[str]:
    return [*(n for n in route.serves.split(", ") if n), *(n for n, _ in route.others)]


def _serves_model(status: BackendStatus | None, model: str) -> bool:
    if status is None or status.account is None:
        return False
    wanted = model.lower()
    return any(wanted in (d.model_name.lower(), d.name.lower()) for d in status.account.deployments)


def _where(route: Route) -> str:
    line = f" line {route.line}" if route.line else ""
    users = [u for u in route.used_by if u not in route.document]
    used = f" ({', '.join(users[:3])})" if users else ""
    return f"{route.document}{line}{used}"


def _direct(snapshot: GatewaySnapshot, route: Route, what: str) -> RouteExplanation:
    status = snapshot.backend(route.target)
    if status is None:
        return RouteExplanation(what, "", f"it names {route.target}, which does not exist")
    reason = "the policy names it directly: no pool stands behind it"
    state = status.health.state
    if state not in (HealthState.HEALTHY, HealthState.IDLE, HealthState.BUSY):
        reason += f"; it is {state.value.lower()}"
    return RouteExplanation(what, route.target, reason)


def _pool(snapshot: GatewaySnapshot, pool: Pool, what: str) -> RouteExplanation:
    members = [(m, snapshot.backend(m.backend_name)) for m in pool.members]
    able = [(m, s) for m, s in members if s is not None and s.health.state not in _OUT]
    others = [(m.backend_name, _why_out(s)) for m, s in members if s is None or s.health.state in _OUT]
    if not able:
        return RouteExplanation(
            f"{what} → {pool.name}" if pool.name not in what else what, "", "no member is able to serve", tuple(others)
        )
    first = min(m.priority or 0 for m, _ in able)
    serving = [(m, s) for m, s in able if (m.priority or 0) == first]
    waiting = [
        (m.backend_name, f"priority {m.priority} waits for all of priority {first}")
        for m, _ in able
        if (m.priority or 0) != first
    ]
    names = ", ".join(m.backend_name for m, _ in serving)
    refusing = [
        f"{s.name} refuses {percent(s.load.model_throttled_ratio.value or 0.0)}"
        for _, s in serving
        if (s.load.model_throttled_ratio.value or 0.0) >= 0.005
    ]
    note = f"; {', '.join(refusing)}, which then go on" if refusing else ""
    title = what if pool.name in what else f"{what} → {pool.name}"
    return RouteExplanation(title, names, f"priority {first}, {_weights(serving)}{note}", (*waiting, *others))


def _weights(serving: Sequence[tuple[PoolMember, BackendStatus]]) -> str:
    if len(serving) == 1:
        return "the only member able to"
    return "shared by weight " + ":".join(str(m.weight if m.weight is not None else 1) for m, _ in serving)


def _why_out(status: BackendStatus | None) -> str:
    if status is None:
        return "does not exist"
    return (
        f"{_OUT[status.health.state]} ({status.health.reasons[0]})"
        if status.health.reasons
        else _OUT[status.health.state]
    )
