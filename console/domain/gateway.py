"""What is configured: gateway, backends, pools, breakers, accounts, model deployments and the routes between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import urlsplit


@lru_cache(maxsize=65_536)
def _host_of(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


class BackendKind(StrEnum):
    """How a backend's capacity is paid for."""

    PTU = "ptu"
    PAYG = "payg"
    UNKNOWN = "unknown"


class RouteKind(StrEnum):
    """What leads requests to a backend."""

    POOL = "pool"
    POLICY = "policy"
    FRAGMENT = "fragment"


@dataclass(frozen=True, slots=True)
class CircuitBreakerRule:
    """One rule of a backend's circuit breaker. Durations in seconds; `failure_count` or `failure_percentage` is set."""

    name: str
    interval_seconds: float
    trip_duration_seconds: float
    accept_retry_after: bool
    failure_count: int | None = None
    failure_percentage: int | None = None
    status_code_ranges: tuple[tuple[int, int], ...] = ()
    error_reasons: tuple[str, ...] = ()

    def counts(self, status_code: int) -> bool:
        """Whether an answer with this status counts as a failure."""
        return any(low <= status_code <= high for low, high in self.status_code_ranges)


@dataclass(frozen=True, slots=True)
class PoolMember:
    """A backend's place in a pool. None means Azure's default: no priority group of its own, equal weight."""

    backend_name: str
    priority: int | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A backend of type Pool.

    The lowest priority number is tried first; the next group only when all members before it are tripped.
    """

    name: str
    resource_id: str
    members: tuple[PoolMember, ...]
    description: str | None = None

    def member(self, backend_name: str) -> PoolMember | None:
        """The membership of a backend, None when it is not in this pool."""
        return next((m for m in self.members if m.backend_name == backend_name), None)


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of type Single. `url` as configured; `breaker` empty means it can never be skipped by a pool."""

    name: str
    resource_id: str
    url: str
    title: str | None = None
    description: str | None = None
    breaker: tuple[CircuitBreakerRule, ...] = ()

    @property
    def host(self) -> str:
        """The host the gateway sends to, lower-case; empty when the URL has none."""
        return _host_of(self.url)


@dataclass(frozen=True, slots=True)
class ModelDeployment:
    """A model deployment of an Azure OpenAI account (never an ArmDeployment).

    `capacity` is in PTUs for provisioned SKUs and in thousands of tokens per minute for the standard family.
    """

    name: str
    model_name: str
    model_version: str
    sku_name: str
    capacity: int | None
    provisioning_state: str
    spillover_deployment_name: str | None = None
    tokens_per_minute_limit: int | None = None
    requests_per_minute_limit: int | None = None

    @property
    def is_provisioned(self) -> bool:
        """True for every SKU of the provisioned family."""
        return "provisioned" in self.sku_name.lower()


@dataclass(frozen=True, slots=True)
class Account:
    """An Azure OpenAI account: where a backend's URL leads. `hosts` are all names it answers to, lower-case."""

    resource_id: str
    name: str
    region: str
    hosts: tuple[str, ...]
    deployments: tuple[ModelDeployment, ...] = ()

    @property
    def kind(self) -> BackendKind:
        """PTU when any deployment is provisioned: its spillover partner may sit beside it. Unknown without any."""
        if not self.deployments:
            return BackendKind.UNKNOWN
        return BackendKind.PTU if any(d.is_provisioned for d in self.deployments) else BackendKind.PAYG


@dataclass(frozen=True, slots=True)
class Route:
    """One way requests come to a backend or pool.

    `document` names where it is written (`chat-pool`, `fragment old-route`, `api azure-openai`); `line` is 1-based,
    None for pools. `used_by` lists the APIs (or `product X`, `global`) whose policies include it. `target` is the
    backend or pool named there.
    `is_expression` means the target is computed at run time and `target` is what can be read from the text.
    """

    kind: RouteKind
    document: str
    target: str
    line: int | None = None
    used_by: tuple[str, ...] = ()
    is_expression: bool = False
    is_drain_aware: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """One API Management service and everything of it that routes GenAI traffic."""

    name: str
    resource_id: str
    region: str
    gateway_url: str
    sku_name: str
    capacity: int | None
    provisioning_state: str
    backends: tuple[Backend, ...] = ()
    pools: tuple[Pool, ...] = ()
    routes: tuple[Route, ...] = ()
    api_names: tuple[str, ...] = ()
    drained_backends: tuple[str, ...] = ()

    def pools_of(self, backend_name: str) -> tuple[tuple[Pool, PoolMember], ...]:
        """Every pool a backend is in, with its membership."""
        return tuple((p, m) for p in self.pools for m in p.members if m.backend_name == backend_name)

    def routes_to(self, backend_name: str) -> tuple[Route, ...]:
        """Routes that name the backend itself or a pool it is in."""
        names = {backend_name, *(p.name for p, _ in self.pools_of(backend_name))}
        return tuple(r for r in self.routes if r.target in names)
