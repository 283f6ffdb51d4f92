"""Where a drained backend's traffic goes, and how full that makes the others. Pure.

Served tokens move: first to members of the same priority by weight, what exceeds a provisioned member's capacity to the
next priority, as a pool does once breakers trip. Capacity of a provisioned deployment is read off its own load
(tokens per minute at its utilization); where that is too low to tell, off the other provisioned ones, by PTU.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from console.domain.compose import TRAFFIC_MAY_RETURN
from console.domain.gateway import BackendKind, ModelDeployment, Pool, PoolMember
from console.domain.health import HealthState
from console.domain.load import ModelLoad, Window, mean
from console.domain.snapshot import BackendStatus, GatewaySnapshot

MEASURABLE_UTILIZATION_RATIO = 0.05
"""Below this a deployment's own load says too little about its capacity."""


@dataclass(frozen=True, slots=True)
class SurvivorLoad:
    """How full one model deployment of a survivor is and would be, as ratios of its capacity. None: cannot be told."""

    backend_name: str
    deployment_name: str
    kind: BackendKind
    now_ratio: float | None
    predicted_ratio: float | None
    moved_tokens_per_minute: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Loads of the survivors, and what found no room: tokens per minute beyond every survivor's capacity.

    `unknown`: what would have to be known to say that they have room; with anything in it, nothing is proven.
    """

    survivors: tuple[SurvivorLoad, ...]
    unplaced_tokens_per_minute: float
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seat:
    backend: BackendStatus
    deployment: ModelDeployment
    weight: int
    tokens: float
    capacity: float | None
    moved: float = 0.0

    @property
    def room(self) -> float:
        return float("inf") if self.capacity is None else max(0.0, self.capacity - self.tokens - self.moved)


def predict_load(snapshot: GatewaySnapshot, backend_name: str, *, window: Window) -> Prediction:
    """Predict every survivor's load from the traffic of `window`."""
    leaving = snapshot.backend(backend_name)
    if leaving is None or snapshot.gateway is None:
        return Prediction((), 0.0, ("no figures of this backend",))
    tokens_per_ptu = _tokens_per_ptu(snapshot.backends, window)
    away = _on_the_way_out(snapshot) | {backend_name}
    seats: dict[tuple[str, str], _Seat] = {}
    unplaced, unknown = 0.0, _unseen(snapshot, leaving, away, window)
    for load in leaving.load.deployments:
        served = mean(load.tokens.within(window))
        if served is None:
            unknown.append(f"tokens of {load.deployment_name} are not known")
            continue
        pools = [
            pool
            for pool, _ in snapshot.gateway.pools_of(backend_name)
            if any(_serves(snapshot, m.backend_name, load.deployment_name) for m in _others(pool, away))
        ]
        if not pools and _is_somebody_missed(snapshot, backend_name, away):
            unplaced += served  # a backend in no pool is named directly: its traffic stays and asks nobody for room
        for pool in pools:
            share = served / len(pools)
            unplaced += _place(snapshot, pool, backend_name, away, load, share, seats, tokens_per_ptu, window)
    unknown += [
        f"capacity of {seat.deployment.name} on {seat.backend.name} is not known"
        for seat in seats.values()
        if seat.capacity is None
    ]
    return Prediction(tuple(_survivor(seat) for seat in seats.values()), unplaced, tuple(dict.fromkeys(unknown)))


def _on_the_way_out(snapshot: GatewaySnapshot) -> set[str]:
    """Backends that are drained or being drained: they take nothing over."""
    away = {d.backend_name for d in snapshot.drains if d.condition not in TRAFFIC_MAY_RETURN}
    away |= {b.name for b in snapshot.backends if b.health.state in (HealthState.DRAINING, HealthState.DRAINED)}
    return away | (set(snapshot.gateway.drained_backends) if snapshot.gateway is not None else set())


def _others(pool: Pool, away: set[str]) -> list[PoolMember]:
    return [m for m in pool.members if m.backend_name not in away]


def _survivors(snapshot: GatewaySnapshot, backend_name: str, away: set[str]) -> list[str]:
    """Names of those that share a pool with the backend and stay, each once."""
    pools = snapshot.gateway.pools_of(backend_name) if snapshot.gateway is not None else ()
    return list(dict.fromkeys(m.backend_name for pool, _ in pools for m in _others(pool, away)))


def _unseen(snapshot: GatewaySnapshot, leaving: BackendStatus, away: set[str], window: Window) -> list[str]:
    """What no source told: the traffic that leaves, and accounts and traffic of those that stay."""
    unknown = []
    if not leaving.load.deployments and not _is_quiet(leaving):
        unknown.append(f"traffic of {leaving.name} is not known")
    for name in _survivors(snapshot, leaving.name, away):
        status = snapshot.backend(name)
        if status is None or status.account is None or not status.account.deployments:
            unknown.append(f"capacity of {name} is not known")
        elif not _is_traffic_known(status, window):
            unknown.append(f"traffic of {name} is not known")
    return unknown


def _is_traffic_known(status: BackendStatus, window: Window) -> bool:
    if any(mean(load.tokens.within(window)) is not None for load in status.load.deployments):
        return True
    return status.load.tokens_per_minute.value is not None or _is_quiet(status)


def _is_quiet(status: BackendStatus) -> bool:
    """Whether nothing comes: somebody says so, or metrics answered and hold no deployment of the account."""
    if status.load.requests_per_minute.value is not None:
        return status.load.requests_per_minute.value == 0
    return status.load.metrics_until_at is not None and not status.load.deployments


def _is_somebody_missed(snapshot: GatewaySnapshot, backend_name: str, away: set[str]) -> bool:
    """Whether the backend's pools lose a model: they have it, and all that stay are known not to serve it."""
    if snapshot.gateway is None or not snapshot.gateway.pools_of(backend_name):
        return False
    staying = [snapshot.backend(name) for name in _survivors(snapshot, backend_name, away)]
    return all(status is not None and status.account is not None for status in staying)


def _serves(snapshot: GatewaySnapshot, backend_name: str, deployment_name: str) -> bool:
    status = snapshot.backend(backend_name)
    return status is not None and _deployment(status, deployment_name) is not None


def _deployment(status: BackendStatus, deployment_name: str) -> ModelDeployment | None:
    deployments = status.account.deployments if status.account is not None else ()
    return next((d for d in deployments if d.name == deployment_name), None)


def _load(status: BackendStatus, deployment_name: str) -> ModelLoad | None:
    return next((x for x in status.load.deployments if x.deployment_name == deployment_name), None)


def _tokens_per_ptu(backends: Iterable[BackendStatus], window: Window) -> dict[str, float]:
    """Tokens per minute one PTU carries, by model, measured over all provisioned deployments that are busy enough."""
    carried: dict[str, float] = {}
    units: dict[str, float] = {}
    for status in backends:
        for load in status.load.deployments:
            deployment = _deployment(status, load.deployment_name)
            tokens = mean(load.tokens.within(window))
            ratio = mean(load.utilization.within(window)) if load.utilization is not None else None
            if deployment is None or not deployment.capacity or not deployment.is_provisioned or tokens is None:
                continue
            if ratio is None or ratio < MEASURABLE_UTILIZATION_RATIO:
                continue
            carried[deployment.model_name] = carried.get(deployment.model_name, 0.0) + tokens
            units[deployment.model_name] = units.get(deployment.model_name, 0.0) + ratio * deployment.capacity
    return {model: carried[model] / units[model] for model in carried if units[model] > 0}


def _capacity(
    status: BackendStatus, deployment: ModelDeployment, tokens: float, tokens_per_ptu: dict[str, float], window: Window
) -> float | None:
    """Tokens per minute the deployment can serve, None when nothing tells."""
    if not deployment.is_provisioned:
        limit = deployment.tokens_per_minute_limit
        return float(limit) if limit else (deployment.capacity * 1000.0 if deployment.capacity else None)
    load = _load(status, deployment.name)
    ratio = mean(load.utilization.within(window)) if load is not None and load.utilization is not None else None
    if ratio is not None and ratio >= MEASURABLE_UTILIZATION_RATIO and tokens > 0:
        return tokens / ratio
    per_unit = tokens_per_ptu.get(deployment.model_name)
    return per_unit * deployment.capacity if per_unit and deployment.capacity else None


def _place(
    snapshot: GatewaySnapshot,
    pool: Pool,
    leaving: str,
    away: set[str],
    load: ModelLoad,
    tokens: float,
    seats: dict[tuple[str, str], _Seat],
    tokens_per_ptu: dict[str, float],
    window: Window,
) -> float:
    """Give `tokens` to the pool's other members in spill order. Returns what found no room."""
    own = pool.member(leaving)
    own_priority = own.priority if own is not None else None
    groups: dict[int, list[_Seat]] = {}
    for member in _others(pool, away):
        status = snapshot.backend(member.backend_name)
        if status is None:
            continue
        deployment = _deployment(status, load.deployment_name)
        if deployment is None:
            continue
        key = (status.name, deployment.name)
        if key not in seats:
            its_load = _load(status, deployment.name)
            now = (mean(its_load.tokens.within(window)) if its_load is not None else None) or 0.0
            capacity = _capacity(status, deployment, now, tokens_per_ptu, window)
            seats[key] = _Seat(status, deployment, member.weight or 1, now, capacity)
        groups.setdefault(member.priority or 0, []).append(seats[key])
    left = tokens
    for priority in sorted(groups):
        if own_priority is not None and priority < own_priority:
            continue  # traffic that reaches this backend had already passed the groups before it
        left = _fill(groups[priority], left)
        if left <= 0:
            return 0.0
    last = groups[max(groups)] if groups else []
    for seat in last:  # nobody has room: the last group is asked anyway and refuses what it cannot take
        seat.moved += left * seat.weight / sum(s.weight for s in last)
    return left


def _fill(group: list[_Seat], tokens: float) -> float:
    """Share by weight, hand what a full member cannot take to the others. Returns what is left."""
    open_seats = [seat for seat in group if seat.room > 0]
    left = tokens
    while left > 1e-6 and open_seats:
        weights = sum(seat.weight for seat in open_seats)
        shares = [(seat, left * seat.weight / weights) for seat in open_seats]
        left = 0.0
        for seat, share in shares:
            taken = min(share, seat.room)
            seat.moved += taken
            left += share - taken
        open_seats = [seat for seat in open_seats if seat.room > 1e-6]
    return left if left > 1e-6 else 0.0


def _survivor(seat: _Seat) -> SurvivorLoad:
    def ratio(tokens: float) -> float | None:
        return None if not seat.capacity else tokens / seat.capacity

    return SurvivorLoad(
        backend_name=seat.backend.name,
        deployment_name=seat.deployment.name,
        kind=BackendKind.PTU if seat.deployment.is_provisioned else BackendKind.PAYG,
        now_ratio=ratio(seat.tokens),
        predicted_ratio=ratio(seat.tokens + seat.moved),
        moved_tokens_per_minute=seat.moved,
    )
