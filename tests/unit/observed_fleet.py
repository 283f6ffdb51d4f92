"""Observations of a made-up fleet of any size, minute by minute: for benchmarks and for tests of recordings."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from console.domain.callers import CallersDetail, ConsumerLoad, LatencySeries
from console.domain.gateway import (
    Account,
    Backend,
    CircuitBreakerRule,
    Gateway,
    ModelDeployment,
    Pool,
    PoolMember,
)
from console.domain.history import HISTORY_MINUTES
from console.domain.load import CallerLoad, ModelLoad, Series, Window
from console.domain.observations import Observations

BEGIN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SERVICE = "/subscriptions/0a1b/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim-contoso-prod"
ACCOUNTS = "/subscriptions/0a1b/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts"


class Fleet:
    """`count` backends, every second one provisioned, in pools of ten. `sick` of them refuse and fail."""

    def __init__(self, count: int, *, minutes: int = 180, sick: int = 0, seed: int = 7) -> None:
        chance = random.Random(seed)
        self.count, self.sick = count, sick
        self.asked = [[float(int(chance.gauss(80, 9))) for _ in range(minutes)] for _ in range(count)]
        self.latency = [[float(int(chance.gauss(2300, 150))) for _ in range(minutes)] for _ in range(count)]
        self.gateway = self._gateway()
        self.accounts = tuple(self._account(i) for i in range(count))

    def _host(self, index: int) -> str:
        return f"aoai-{index}.openai.azure.com"

    def _gateway(self) -> Gateway:
        rule = CircuitBreakerRule("refused", 60, 30, True, failure_count=3, status_code_ranges=((429, 429), (500, 503)))
        backends = tuple(
            Backend(
                f"backend-{i}", f"{SERVICE}/backends/backend-{i}", f"https://{self._host(i)}/openai", breaker=(rule,)
            )
            for i in range(self.count)
        )
        pools = tuple(
            Pool(
                f"pool-{start // 10}",
                f"{SERVICE}/backends/pool-{start // 10}",
                tuple(PoolMember(f"backend-{i}", 1 + i % 2, 50) for i in range(start, min(start + 10, self.count))),
            )
            for start in range(0, self.count, 10)
        )
        return Gateway(
            "apim-contoso-prod",
            SERVICE,
            "swedencentral",
            "https://apim-contoso-prod.azure-api.net",
            "Premium",
            2,
            "Succeeded",
            backends,
            pools,
        )

    def _account(self, index: int) -> Account:
        sku, capacity = ("ProvisionedManaged", 100) if index % 2 == 0 else ("Standard", 300)
        deployment = ModelDeployment(
            "gpt-4o", "gpt-4o", "2024-11-20", sku, capacity, "Succeeded", tokens_per_minute_limit=capacity * 1000
        )
        return Account(
            f"{ACCOUNTS}/aoai-{index}", f"aoai-{index}", "swedencentral", (self._host(index),), (deployment,)
        )

    def at(self, minute: int) -> Observations:
        """What the feeds know when `minute` minutes are complete since the beginning; at most an hour of history."""
        first = max(0, minute - HISTORY_MINUTES)
        start, end = BEGIN + timedelta(minutes=first), BEGIN + timedelta(minutes=minute)
        span = slice(first, minute)
        zero = Series(start, (0.0,) * (minute - first))
        recent = Window(end - timedelta(minutes=5), end)
        loads, callers, latencies = [], {}, []
        for index, account in enumerate(self.accounts):
            asked = Series(start, tuple(self.asked[index][span]))
            is_sick = index < self.sick
            bad = Series(start, tuple(v // 4 if is_sick else 0.0 for v in asked.values))
            used = (
                Series(start, tuple(1.0 if is_sick else round(v / 130, 4) for v in asked.values))
                if index % 2 == 0
                else None
            )
            tokens = Series(start, tuple(v * 1100 for v in asked.values))
            loads.append(ModelLoad(account.resource_id, "gpt-4o", asked, bad, zero, zero, zero, tokens, used))
            callers[(self._host(index), "")] = CallerLoad(
                self._host(index), asked, zero, zero, recent, 3100.0, 2200.0, refused=zero
            )
            waits = Series(start, tuple(self.latency[index][span]))
            latencies.append(LatencySeries(self._host(index), "", "ChatCompletions_Create", waits, asked))
        consumers = tuple(
            ConsumerLoad(f"app-{i}", Series(start, tuple(self.asked[i % self.count][span])), zero, zero, zero)
            for i in range(min(50, self.count))
        )
        return Observations(
            "prod",
            "apim-contoso-prod",
            "0a1b",
            "AzureCloud",
            gateway=self.gateway,
            routes=(),
            accounts=self.accounts,
            model_loads=tuple(loads),
            metrics_window=Window(start, end),
            metrics_accounts=frozenset(a.resource_id.lower() for a in self.accounts),
            caller_loads=callers,
            traffic_window=Window(start, end),
            callers=CallersDetail(Window(start, end), (), tuple(latencies), consumers),
            changes=(),
        )
