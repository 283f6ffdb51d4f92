"""Snapshots made up for the screens' own tests, and an engine that only holds them: no Azure is pretended here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from console.domain.gateway import (
    Account,
    Backend,
    BackendKind,
    CircuitBreakerRule,
    Gateway,
    ModelDeployment,
    Pool,
    PoolMember,
    Route,
    RouteKind,
)
from console.domain.health import Evidence, Health, HealthState
from console.domain.load import BackendLoad, ErrorCount, Figure, Series
from console.domain.snapshot import (
    BackendStatus,
    Budget,
    FeedStatus,
    GatewaySnapshot,
    Level,
    Membership,
    PoolStatus,
    Verdict,
)
from console.store import SnapshotStore

NOW = datetime(2025, 3, 4, 9, 58, 12, tzinfo=UTC)
DATA_END = NOW.replace(second=0) - timedelta(minutes=1)
START = DATA_END - timedelta(minutes=60)


class StillClock:
    """A clock that stands until it is told otherwise."""

    def __init__(self, now: datetime = NOW) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class StoreEngine:
    """An engine without feeds: it holds a store and remembers what it was asked."""

    def __init__(self, snapshot: GatewaySnapshot) -> None:
        self.store = SnapshotStore(snapshot)
        self.is_paused = False
        self.asked: list[str] = []

    async def start(self) -> None:
        self.asked.append("start")

    async def stop(self) -> None:
        self.asked.append("stop")

    def refresh_now(self, feed: str | None = None) -> None:
        self.asked.append(f"refresh {feed or 'all'}")

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


def figure(value: float | None, source: str = "metrics", age_seconds: float = 72) -> Figure:
    return Figure(value, source, None if value is None else NOW - timedelta(seconds=age_seconds))


def ramp(first: float, last: float, *, turn: float = 0.6, wave: float = 0.06, gap: int | None = None) -> Series:
    """An hour that rises from `first` to `last` around `turn`, with a little life in it."""
    values: list[float | None] = []
    for minute in range(60):
        share = 1 / (1 + math.exp(-(minute / 60 - turn) * 14))
        level = first + (last - first) * share
        values.append(max(0.0, level * (1 + wave * math.sin(minute * 1.7))))
    if gap is not None:
        values[gap : gap + 4] = [None] * 4
    return Series(START, tuple(values))


def load(
    *,
    utilization: float | None = None,
    requests: float | None = 100.0,
    model: float | None = 0.0,
    caller: float | None = 0.0,
    errors: float | None = 0.0,
    latency: float | None = 1800.0,
    tokens: float | None = 20_000.0,
    first: float = 40.0,
    reasons: tuple[ErrorCount, ...] = (),
) -> BackendLoad:
    last = requests or 0.0
    return BackendLoad(
        utilization_ratio=figure(utilization),
        requests_per_minute=figure(requests),
        model_throttled_ratio=figure(model),
        caller_throttled_ratio=figure(caller, "gateway logs", 95),
        error_ratio=figure(errors, "gateway logs", 95),
        latency_p95_ms=figure(latency, "gateway logs", 95),
        tokens_per_minute=figure(tokens),
        requests=ramp(first, last) if requests is not None else None,
        model_throttled=ramp(0.0, last * (model or 0.0), turn=0.7) if requests is not None else None,
        caller_throttled=ramp(0.0, last * (caller or 0.0), turn=0.8) if requests is not None else None,
        failed=ramp(0.0, last * (errors or 0.0)) if requests is not None else None,
        utilization=ramp(0.4, utilization, wave=0.03) if utilization is not None else None,
        tokens=ramp(first * 200, tokens, gap=20) if tokens is not None else None,
        errors=reasons,
    )


def breaker(trip_seconds: float = 60) -> tuple[CircuitBreakerRule, ...]:
    return (
        CircuitBreakerRule("throttled", 60.0, trip_seconds, True, failure_count=1, status_code_ranges=((429, 429),)),
    )


def backend_status(
    name: str,
    kind: BackendKind,
    region: str,
    health: Health,
    figures: BackendLoad,
    pools: Sequence[tuple[str, int, int]] = (),
    routes: tuple[Route, ...] = (),
    deployments: tuple[ModelDeployment, ...] = (),
) -> BackendStatus:
    account = f"aoai-contoso-{region}"
    host = f"{account}.openai.azure.com"
    base = "/subscriptions/0a1b2c3d-0000-4000-8000-00000000c0de/resourceGroups/rg-genai-gateway/providers"
    return BackendStatus(
        Backend(
            name,
            f"{base}/Microsoft.ApiManagement/service/apim/backends/{name}",
            f"https://{host}/openai",
            breaker=breaker(),
        ),
        kind,
        "model deployments",
        region,
        tuple(Membership(*pool) for pool in pools),
        routes,
        health,
        figures,
        Account(f"{base}/Microsoft.CognitiveServices/accounts/{account}", account, region, (host,), deployments),
    )


CHAT_ROUTE = Route(RouteKind.POLICY, "api azure-openai", "chat-pool", 14, ("azure-openai",))
EMBEDDINGS_ROUTE = Route(RouteKind.POLICY, "api azure-openai", "embeddings-pool", 18, ("azure-openai",))
OLD_ROUTE = Route(RouteKind.FRAGMENT, "fragment old-route", "payg-legacy", 6, ("legacy-chat",))


def demo_backends() -> tuple[BackendStatus, ...]:
    gpt_ptu = ModelDeployment("gpt-4o", "gpt-4o", "2024-08-06", "ProvisionedManaged", 100, "Succeeded", "gpt-4o-spill")
    gpt = ModelDeployment("gpt-4o", "gpt-4o", "2024-08-06", "Standard", 150, "Succeeded", None, 150_000, 900)
    embed = ModelDeployment(
        "text-embedding-3-large", "text-embedding-3-large", "1", "Standard", 350, "Succeeded", None, 350_000, 2100
    )
    since = NOW.replace(hour=9, minute=41, second=0)
    reasons = (
        ErrorCount(429, "BackendThrottled", "Requests to the ChatCompletions_Create operation have exceeded", 61, NOW),
        ErrorCount(500, "BackendConnectionFailure", "at transfer-response", 2, NOW - timedelta(minutes=9)),
    )
    return (
        backend_status(
            "ptu-swedencentral",
            BackendKind.PTU,
            "swedencentral",
            Health(
                HealthState.BUSY,
                ("utilization 104 % for 17 minutes", "34.1 % of its requests were refused with 429"),
                Evidence.OBSERVED,
                "metrics",
                since,
            ),
            load(
                utilization=1.04, requests=255, model=0.341, caller=None, latency=1800, tokens=182_000, reasons=reasons
            ),
            [("chat-pool", 1, 50)],
            (CHAT_ROUTE,),
            (gpt_ptu,),
        ),
        backend_status(
            "ptu-eastus2",
            BackendKind.PTU,
            "eastus2",
            Health(HealthState.HEALTHY, ("answers, 64 % utilized",), Evidence.OBSERVED, "metrics"),
            load(utilization=0.64, requests=118, latency=1700, tokens=90_100, first=80),
            [("chat-pool", 1, 50)],
            (CHAT_ROUTE,),
            (gpt_ptu,),
        ),
        backend_status(
            "payg-swedencentral",
            BackendKind.PAYG,
            "swedencentral",
            Health(HealthState.HEALTHY),
            load(utilization=0.31, requests=39, caller=0.002, latency=2600, tokens=31_000, first=4),
            [("chat-pool", 2, 50), ("embeddings-pool", 1, 50)],
            (CHAT_ROUTE, EMBEDDINGS_ROUTE),
            (gpt, embed),
        ),
        backend_status(
            "payg-westus",
            BackendKind.PAYG,
            "westus",
            Health(HealthState.DRAINING),
            load(utilization=0.01, requests=2, caller=None, latency=None, tokens=1_400, first=40),
            [("chat-pool", 2, 50), ("embeddings-pool", 1, 50)],
            (CHAT_ROUTE, EMBEDDINGS_ROUTE),
            (gpt, embed),
        ),
        backend_status(
            "payg-legacy",
            BackendKind.PAYG,
            "francecentral",
            Health(HealthState.IDLE),
            load(utilization=0.04, requests=11, errors=0.013, latency=3000, tokens=9_000, first=11),
            (),
            (OLD_ROUTE,),
            (gpt,),
        ),
    )


def snapshot_of(backends: Sequence[BackendStatus], pools: Sequence[PoolStatus] = (), **changes: Any) -> GatewaySnapshot:
    gateway = Gateway(
        "apim-contoso-prod",
        "/subscriptions/x/apim",
        "swedencentral",
        "https://apim-contoso-prod.azure-api.net",
        "Premium",
        2,
        "Succeeded",
        tuple(b.backend for b in backends),
        tuple(p.pool for p in pools),
        (CHAT_ROUTE, EMBEDDINGS_ROUTE, OLD_ROUTE),
        ("azure-openai", "legacy-chat"),
    )
    base = GatewaySnapshot(
        NOW,
        "demo",
        "apim-contoso-prod",
        "0a1b2c3d-0000-4000-8000-00000000c0de",
        "AzureCloud",
        Verdict(
            Level.WARNING,
            "PTU swedencentral saturated since 09:41 · 38 % of chat spills to PAYG · callers OK (0.2 % 429)",
            NOW.replace(minute=41),
        ),
        gateway=gateway,
        simulated=True,
        backends=tuple(backends),
        pools=tuple(pools),
        budget=Budget(243, 198, NOW),
        feeds=(
            FeedStatus("metrics", 30, NOW),
            FeedStatus("traffic", 30, NOW),
            FeedStatus("topology", 60, NOW),
        ),
    )
    return replace(base, **changes)


def demo_snapshot(**changes: Any) -> GatewaySnapshot:
    chat = Pool(
        "chat-pool",
        "/pools/chat-pool",
        (
            PoolMember("ptu-swedencentral", 1, 50),
            PoolMember("ptu-eastus2", 1, 50),
            PoolMember("payg-swedencentral", 2, 50),
            PoolMember("payg-westus", 2, 50),
        ),
    )
    embeddings = Pool(
        "embeddings-pool",
        "/pools/embeddings-pool",
        (
            PoolMember("payg-swedencentral", 1, 50),
            PoolMember("payg-westus", 1, 50),
        ),
    )
    pools = (
        PoolStatus(chat, chat.members, "spilling", 414, 0.214, 0.002, 0.38, 2100, ramp(180, 414)),
        PoolStatus(embeddings, embeddings.members, "healthy", 120, 0.0, 0.0, None, 110, ramp(110, 120)),
    )
    return replace(snapshot_of(demo_backends(), pools), **changes)


def big_snapshot(count: int) -> GatewaySnapshot:
    """A fleet of `count` backends in pools of ten."""
    states = (HealthState.HEALTHY, HealthState.HEALTHY, HealthState.BUSY, HealthState.THROTTLED, HealthState.IDLE)
    backends = tuple(
        backend_status(
            f"backend-{index:04d}",
            BackendKind.PTU if index % 3 == 0 else BackendKind.PAYG,
            f"region{index % 7}",
            Health(states[index % 5]),
            load(utilization=(index % 110) / 100, requests=float(index % 300)),
            [(f"pool-{index // 10:03d}", 1 + index % 2, 50)],
        )
        for index in range(count)
    )
    pools = []
    for number in range((count + 9) // 10):
        members = tuple(
            PoolMember(b.name, b.memberships[0].priority, 50) for b in backends[number * 10 : number * 10 + 10]
        )
        pool = Pool(f"pool-{number:03d}", f"/pools/{number}", members)
        pools.append(PoolStatus(pool, members, "healthy", 100.0, 0.0, 0.0, None, 900.0, ramp(50, 100)))
    return snapshot_of(backends, pools)


def engine() -> StoreEngine:
    """The demo's snapshot in an engine, for looking at the screens."""
    return StoreEngine(demo_snapshot())
