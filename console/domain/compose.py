"""From what the feeds saw to one snapshot: which figures belong to which backend, and what they mean. Pure.

A backend's URL leads to an account by its host. Backends that share a host share the account's metrics, and say so; the
gateway's logs tell them apart when they name the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from console.domain.currency import held_against_feeds
from console.domain.gateway import Account, Backend, BackendKind, Gateway, PoolMember, RouteKind
from console.domain.health import Evidence, HealthState, Signals, assess
from console.domain.history import last_minutes
from console.domain.load import (
    BackendLoad,
    CallerLoad,
    ErrorCount,
    Figure,
    ModelLoad,
    Series,
    Window,
    add_series,
    mean,
    ratio,
)
from console.domain.observations import Observations
from console.domain.peers import find_slowness
from console.domain.problems import lost_backends, ranked, why_not_found
from console.domain.proof import judge_drain
from console.domain.snapshot import (
    BackendStatus,
    CallersStatus,
    Drain,
    GatewaySnapshot,
    Membership,
    PoolStatus,
)
from console.domain.verdict import pass_verdict

METRICS = "metrics"
LOGS = "gateway logs"
QUOTA = "metrics against the token limit"
TRAFFIC_MAY_RETURN = ("overwritten", "interrupted while restoring", "abandoned before it began")
"""Conditions of a drain whose backend may be back in traffic: its health is judged as any other's."""


def compose(observations: Observations, now: datetime) -> GatewaySnapshot:
    """The snapshot of everything known. Backends and pools in order of name; the same input gives the same snapshot."""
    gateway = observations.gateway
    backends: tuple[BackendStatus, ...] = ()
    pools: tuple[PoolStatus, ...] = ()
    if gateway is not None:
        if observations.routes is not None:
            gateway = replace(gateway, routes=observations.routes)
        backends = tuple(_status(observations, gateway, backend) for backend in gateway.backends)
        backends = tuple(_proven(status, backends, observations.drains) for status in backends)
        backends = tuple(_compared(status, backends) for status in backends)
        pools = tuple(_pool_status(gateway, name.name, backends) for name in gateway.pools)
    callers = _callers(observations)
    problems = ranked(observations.problems)
    if gateway is not None:
        problems += lost_backends(observations, gateway, now)
    verdict = pass_verdict(
        backends,
        pools,
        callers,
        gateway_known=gateway is not None,
        problems=problems,
        drains=observations.drains,
        now=now,
    )
    return GatewaySnapshot(
        observed_at=now,
        profile_name=observations.profile_name,
        service_name=observations.service_name,
        subscription_id=observations.subscription_id,
        cloud_name=observations.cloud_name,
        verdict=held_against_feeds(verdict, observations.feeds, now, is_paused=observations.is_paused),
        gateway=gateway,
        simulated=observations.simulated,
        is_read_only=observations.is_read_only,
        is_production=observations.is_production,
        backends=backends,
        pools=pools,
        callers=callers,
        drains=observations.drains,
        budget=observations.budget,
        problems=problems,
        feeds=observations.feeds,
        is_paused=observations.is_paused,
        callers_detail=observations.callers,
        changes=observations.changes,
    )


# -- one backend -----------------------------------------------------------------------------------------------


def _status(observations: Observations, gateway: Gateway, backend: Backend) -> BackendStatus:
    account = observations.account_of(backend.host)
    override = observations.kind_overrides.get(backend.name)
    kind = override or (account.kind if account else BackendKind.UNKNOWN)
    sharing = [b.name for b in gateway.backends if b.host == backend.host and b.name != backend.name and b.host]
    models = _model_loads(observations, account)
    callers = _caller_load(observations, backend, shared=bool(sharing))
    load = _load(observations, account, kind, models, callers, sharing)
    if backend.host and observations.traffic_window is not None:
        load = replace(load, logs_until_at=observations.traffic_window.end_at)
    has_metrics = account is not None and account.resource_id.lower() in observations.metrics_accounts
    signals = Signals(
        kind=kind,
        load=load,
        breaker=backend.breaker,
        probe=observations.probes.get(backend.host),
        drain=_drain(observations, gateway, backend.name),
        drain_note=_drain_note(observations, backend.name),
        has_metrics=has_metrics,
        has_logs=observations.traffic_window is not None,
        why_unknown=_why_unknown(observations),
        why_not_found=why_not_found(backend, account, are_accounts_known=observations.accounts is not None),
    )
    memberships = tuple(Membership(p.name, m.priority, m.weight) for p, m in gateway.pools_of(backend.name))
    return BackendStatus(
        backend=backend,
        kind=kind,
        kind_source="profile" if override else ("model deployments" if kind is not BackendKind.UNKNOWN else ""),
        region=account.region if account else None,
        memberships=memberships,
        routes=gateway.routes_to(backend.name),
        health=assess(signals),
        load=load,
        account=account,
        probe=observations.probes.get(backend.host),
    )


def _drain(observations: Observations, gateway: Gateway, name: str) -> str:
    drain = next((d for d in observations.drains if d.backend_name == name), None)
    if drain is not None:
        return "" if drain.condition in TRAFFIC_MAY_RETURN else "recorded"
    return "listed" if name in gateway.drained_backends else ""


def _drain_note(observations: Observations, name: str) -> str:
    drain = next((d for d in observations.drains if d.backend_name == name), None)
    return drain.text if drain is not None and drain.needs_attention else ""


def _proven(status: BackendStatus, backends: Sequence[BackendStatus], drains: Sequence[Drain]) -> BackendStatus:
    """A backend on its way out, with what observed traffic proves of it."""
    drain = next((d for d in drains if d.backend_name == status.name), None)
    if drain is None or drain.applied_at is None or status.health.state is not HealthState.DRAINING:
        return status
    proof = judge_drain(backends, status.name, drain.applied_at)
    state = HealthState.DRAINED if proof.is_drained else HealthState.DRAINING
    sources = ", ".join(s.source for s in proof.sources)
    reasons = (status.health.reasons[0], proof.text, *status.health.reasons[1:])
    health = replace(
        status.health, state=state, reasons=reasons, source=sources or status.health.source, since_at=drain.applied_at
    )
    return replace(status, health=replace(health, evidence=Evidence.OBSERVED if sources else health.evidence))


def _compared(status: BackendStatus, backends: Sequence[BackendStatus]) -> BackendStatus:
    """A backend that is healthy by itself, beside its peers."""
    slowness = find_slowness(status, backends)
    if slowness is None:
        return status
    reasons = (f"slow: {slowness.text}", *status.health.reasons)
    health = replace(status.health, state=HealthState.BUSY, reasons=reasons, evidence=Evidence.INFERRED, source=LOGS)
    return replace(status, health=health)


def _why_unknown(observations: Observations) -> str:
    """Which sources refused this principal; "" when none did, and an answer may still come."""
    refusing = {
        feed for feed, problems in observations.problems.items() if any(p.kind == "NotAllowed" for p in problems)
    }
    names = [*(["metrics"] if refusing & {"metrics", "accounts"} else []), *(["logs"] if "traffic" in refusing else [])]
    return f"{' and '.join(names)} refused: see problems" if names else ""


def _model_loads(observations: Observations, account: Account | None) -> tuple[ModelLoad, ...]:
    if account is None:
        return ()
    wanted = account.resource_id.lower()
    return tuple(m for m in observations.model_loads if m.account_id.lower() == wanted)


def _caller_load(observations: Observations, backend: Backend, *, shared: bool) -> CallerLoad | None:
    """The callers' view of a backend; None when the logs hold nothing of it."""
    loads = observations.caller_loads
    if not backend.host:
        return None
    if shared:
        return loads.get((backend.host, backend.name.lower()))
    whole = loads.get((backend.host, ""))
    if whole is not None:
        return whole
    parts = [load for (host, _), load in sorted(loads.items()) if host == backend.host]
    return parts[0] if len(parts) == 1 else None


def _load(
    observations: Observations,
    account: Account | None,
    kind: BackendKind,
    models: Sequence[ModelLoad],
    callers: CallerLoad | None,
    sharing: Sequence[str],
) -> BackendLoad:
    answered = account is not None and account.resource_id.lower() in observations.metrics_accounts
    span = observations.metrics_window
    window = last_minutes(span.end_at) if span is not None and account is not None and (answered or models) else None
    note = f" (shared with {', '.join(sharing)})" if sharing else ""
    requests = add_series([m.requests for m in models])
    throttled = add_series([m.throttled for m in models])
    tokens = add_series([m.tokens for m in models])
    utilization = _highest([m.utilization for m in models if m.utilization is not None])
    by_callers = _caller_figures(observations, callers)
    asked = _total(requests, window)
    model_requests = _figure(_per_minute(asked, window), METRICS + note, window)
    return BackendLoad(
        utilization_ratio=_utilization(account, kind, models, utilization, window, note),
        requests_per_minute=model_requests
        if model_requests.value is not None
        else _or(by_callers["requests"], model_requests),
        model_throttled_ratio=_figure(ratio(_total(throttled, window), asked), METRICS + note, window),
        caller_throttled_ratio=by_callers["throttled"],
        error_ratio=by_callers["errors"],
        latency_p95_ms=by_callers["latency"],
        tokens_per_minute=_figure(_per_minute(_total(tokens, window), window), METRICS + note, window),
        requests=requests if requests is not None else (callers.requests if callers else None),
        model_throttled=throttled,
        caller_requests=callers.requests if callers else None,
        caller_throttled=callers.throttled if callers else None,
        failed=callers.failed if callers else None,
        gateway_refused=callers.refused if callers else None,
        utilization=utilization,
        tokens=tokens,
        deployments=tuple(models),
        errors=callers.errors if callers else (),
        metrics_until_at=span.end_at if span is not None and answered else None,
    )


def _or(preferred: Figure, other: Figure) -> Figure:
    return preferred if preferred.value is not None else other


def _figure(value: float | None, source: str, window: Window | None) -> Figure:
    return Figure(value, source, window.end_at if window else None, window)


def _total(series: Series | None, window: Window | None) -> float | None:
    return None if series is None or window is None else series.total(window)


def _per_minute(total: float | None, window: Window | None) -> float | None:
    return None if total is None or window is None else total / window.minutes


def _highest(series: Sequence[Series]) -> Series | None:
    """Minute by minute the highest of several series: an account is as full as its fullest deployment."""
    if len(series) < 2:
        return series[0] if series else None
    start_at = min(s.start_at for s in series)
    length = max(round((s.end_at - start_at).total_seconds() / 60) for s in series)
    best: list[float | None] = [None] * length
    for one in series:
        offset = round((one.start_at - start_at).total_seconds() / 60)
        for index, value in enumerate(one.values):
            if value is not None:
                best[offset + index] = max(best[offset + index] or 0.0, value)
    return Series(start_at, tuple(best))


def _utilization(
    account: Account | None,
    kind: BackendKind,
    models: Sequence[ModelLoad],
    series: Series | None,
    window: Window | None,
    note: str,
) -> Figure:
    """A provisioned backend's own utilization; for pay-as-you-go, its tokens against its fullest deployment's limit."""
    if series is not None and window is not None:
        return _figure(mean(series.within(window)), METRICS + note, window)
    if kind is not BackendKind.PAYG or account is None or window is None:
        return _figure(None, METRICS + note, window)
    limits = {d.name: d.tokens_per_minute_limit for d in account.deployments if d.tokens_per_minute_limit}
    shares = [
        share
        for m in models
        if (share := ratio(_per_minute(m.tokens.total(window), window), limits.get(m.deployment_name))) is not None
    ]
    return _figure(max(shares, default=None), QUOTA + note, window)


def _caller_figures(observations: Observations, callers: CallerLoad | None) -> dict[str, Figure]:
    span = observations.traffic_window
    window = last_minutes(span.end_at) if span is not None else None
    if window is None:
        return {name: Figure(None, LOGS) for name in ("requests", "throttled", "errors", "latency")}
    requests = callers.requests.total(window) if callers else 0.0
    return {
        "requests": _figure(_per_minute(requests, window), LOGS, window),
        "throttled": _figure(ratio(callers.throttled.total(window), requests) if callers else None, LOGS, window),
        "errors": _figure(ratio(callers.failed.total(window), requests) if callers else None, LOGS, window),
        "latency": _figure(callers.latency_p95_ms if callers and callers.window == window else None, LOGS, window),
    }


# -- pools and callers -----------------------------------------------------------------------------------------


def _pool_status(gateway: Gateway, name: str, backends: Sequence[BackendStatus]) -> PoolStatus:
    pool = next(p for p in gateway.pools if p.name == name)
    by_name = {b.name: b for b in backends}
    statuses = [by_name[m.backend_name] for m in pool.members if m.backend_name in by_name]
    spilled = _spilled(pool.members, by_name)
    elsewhere = {m.backend_name for other in gateway.pools if other.name != name for m in other.members}
    elsewhere |= {r.target for r in gateway.routes if r.kind is not RouteKind.POOL}
    return PoolStatus(
        pool=pool,
        members=pool.members,
        state=_pool_state(statuses, spilled),
        requests_per_minute=_sum(s.load.requests_per_minute.value for s in statuses),
        model_throttled_ratio=_weighted(statuses, lambda s: s.load.model_throttled_ratio.value),
        caller_throttled_ratio=_weighted(statuses, lambda s: s.load.caller_throttled_ratio.value),
        spilled_ratio=spilled,
        latency_p95_ms=max((v for s in statuses if (v := s.load.latency_p95_ms.value) is not None), default=None),
        requests=add_series([s.load.requests for s in statuses if s.load.requests is not None]),
        is_upper_bound=any(m.backend_name in elsewhere for m in pool.members),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _weighted(statuses: Sequence[BackendStatus], read: Callable[[BackendStatus], float | None]) -> float | None:
    """The members' ratio, each weighted by its requests."""
    pairs = [
        (value, weight)
        for s in statuses
        if (value := read(s)) is not None and (weight := s.load.requests_per_minute.value)
    ]
    return ratio(sum(v * w for v, w in pairs), sum(w for _, w in pairs)) if pairs else None


def _spilled(members: Sequence[PoolMember], by_name: dict[str, BackendStatus]) -> float | None:
    """Share of what the pool served that members behind the first priority served; None with one priority only.

    Only models that the first priority serves count: a pay-as-you-go account may serve others for other pools.
    """
    priorities = {m.priority for m in members if m.priority is not None}
    if len(priorities) < 2:
        return None
    first = min(priorities)
    ahead = [by_name[m.backend_name] for m in members if m.priority == first and m.backend_name in by_name]
    behind = [by_name[m.backend_name] for m in members if m.priority != first and m.backend_name in by_name]
    models = {d.model_name for s in ahead if s.account for d in s.account.deployments}
    here, there = _served(ahead, models), _served(behind, models)
    if here is None or there is None:
        return None
    return ratio(there, here + there)


def _served(statuses: Sequence[BackendStatus], models: set[str]) -> float | None:
    served: float | None = None
    for status in statuses:
        window = status.load.tokens_per_minute.window
        if window is None:
            continue
        names = {d.name for d in status.account.deployments if d.model_name in models} if status.account else set()
        for load in status.load.deployments:
            if not models or load.deployment_name in names:
                answered = (load.requests.total(window) or 0.0) - (load.throttled.total(window) or 0.0)
                served = (served or 0.0) + answered
    return served


def _pool_state(statuses: Sequence[BackendStatus], spilled: float | None) -> str:
    states = [s.health.state for s in statuses]
    unusable = {HealthState.FAILING, HealthState.UNREACHABLE, HealthState.TRIPPED, HealthState.DRAINED}
    if not states or all(s is HealthState.UNKNOWN for s in states):
        return "unknown"
    if all(s in unusable for s in states):
        return "exhausted"
    if any(s in (HealthState.FAILING, HealthState.UNREACHABLE) for s in states):
        return "failing"
    if all(s in (HealthState.THROTTLED, HealthState.TRIPPED) for s in states):
        return "throttled"
    if spilled is not None and spilled >= 0.005:
        return "spilling"
    if any(s is HealthState.THROTTLED for s in states):
        return "throttled"
    if all(s in (HealthState.IDLE, HealthState.DRAINED) for s in states):
        return "idle"
    return "healthy"


def _callers(observations: Observations) -> CallersStatus | None:
    span = observations.traffic_window
    if span is None:
        return None
    window = last_minutes(span.end_at)
    loads = list(observations.caller_loads.values())
    requests = sum(load.requests.total(window) or 0.0 for load in loads)
    throttled = sum(load.throttled.total(window) or 0.0 for load in loads)
    failed = sum(load.failed.total(window) or 0.0 for load in loads)
    without: list[ErrorCount] = [
        e for (host, _), load in observations.caller_loads.items() if not host for e in load.errors
    ]
    return CallersStatus(
        requests_per_minute=_figure(requests / window.minutes, LOGS, window),
        throttled_ratio=_figure(ratio(throttled, requests), LOGS, window),
        error_ratio=_figure(ratio(failed, requests), LOGS, window),
        errors_without_backend=tuple(sorted(without, key=lambda e: (-e.count, e.status_code, e.reason))),
        errors=_sum_errors([e for load in loads for e in load.errors]),
    )


def _sum_errors(errors: Sequence[ErrorCount]) -> tuple[ErrorCount, ...]:
    """The same kind of error of several backends as one, the most frequent first."""
    sums: dict[tuple[int, str], ErrorCount] = {}
    for error in errors:
        key = (error.status_code, error.reason)
        sums[key] = replace(error, count=error.count + (sums[key].count if key in sums else 0))
    return tuple(sorted(sums.values(), key=lambda e: (-e.count, e.status_code, e.reason)))
