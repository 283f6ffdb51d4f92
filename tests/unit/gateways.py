"""Small gateways made by hand, for tests of pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from console.domain.gateway import (
    Account,
    Backend,
    CircuitBreakerRule,
    Gateway,
    ModelDeployment,
    Pool,
    PoolMember,
)
from console.domain.history import last_minutes
from console.domain.load import CallerLoad, ErrorCount, ModelLoad, Series, Window
from console.domain.observations import CallerKey, Observations

NOW = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)
END = NOW.replace(second=0)
START = END - timedelta(minutes=60)
RULE = CircuitBreakerRule("refused", 60.0, 10.0, True, failure_count=1, status_code_ranges=((429, 429),))


def backend(name: str, breaker: tuple[CircuitBreakerRule, ...] = (RULE,)) -> Backend:
    return Backend(name, f"/backends/{name}", f"https://{name}.openai.azure.com/openai", breaker=breaker)


def account(name: str, region: str, sku: str, tokens_limit: int | None = None) -> Account:
    deployment = ModelDeployment("gpt-4o", "gpt-4o", "1", sku, 100, "Succeeded", None, tokens_limit)
    return Account(f"/accounts/{name}", name, region, (f"{name}.openai.azure.com",), (deployment,))


def series(*newest: float | None, before: float | None = 0.0) -> Series:
    """An hour that ends with the given minutes; `before` fills the rest."""
    return Series(START, (before,) * (60 - len(newest)) + newest)


def constant(value: float | None) -> Series:
    return Series(START, (value,) * 60)


def model_load(
    name: str,
    requests: Series,
    throttled: Series | None = None,
    *,
    utilization: Series | None = None,
    failed: Series | None = None,
    denied: Series | None = None,
    tokens: Series | None = None,
) -> ModelLoad:
    zero = constant(0.0)
    return ModelLoad(
        f"/accounts/{name}",
        "gpt-4o",
        requests,
        throttled or zero,
        failed or zero,
        denied or zero,
        zero,
        tokens or constant(1000.0),
        utilization,
    )


def caller_load(
    host: str, requests: float, throttled: float = 0.0, failed: float = 0.0, errors: tuple[ErrorCount, ...] = ()
) -> CallerLoad:
    window = last_minutes(END)
    return CallerLoad(host, constant(requests), constant(throttled), constant(failed), window, 1500.0, 700.0, errors)


def spilling(
    *, refused: float = 30.0, callers_refused: float = 0.0, with_logs: bool = True, with_metrics: bool = True
) -> Observations:
    """A pool of one saturated PTU and one PAYG backend: 100 requests a minute, `refused` of them on the PTU."""
    minutes = 20
    busy = series(*(1.0,) * minutes, before=0.6)
    full = Series(START, (0.0,) * (60 - minutes) + (refused,) * minutes)
    loads = (
        model_load("ptu", constant(100.0), full, utilization=busy),
        model_load("payg", constant(refused), tokens=constant(3000.0)),
    )
    hosts = {"ptu": 100.0 - refused, "payg": refused}
    callers: dict[CallerKey, CallerLoad] = {
        (f"{name}.openai.azure.com", ""): caller_load(
            f"{name}.openai.azure.com", count, callers_refused if name == "payg" else 0.0
        )
        for name, count in hosts.items()
    }
    return Observations(
        "prod",
        "apim",
        "sub",
        "AzureCloud",
        gateway=Gateway(
            "apim",
            "/service/apim",
            "swedencentral",
            "https://apim.azure-api.net",
            "Premium",
            2,
            "Succeeded",
            backends=(backend("payg"), backend("ptu")),
            pools=(Pool("chat-pool", "/pool", (PoolMember("ptu", 1, 50), PoolMember("payg", 2, 50))),),
        ),
        accounts=(
            account("ptu", "swedencentral", "ProvisionedManaged"),
            account("payg", "westus", "Standard", tokens_limit=10_000),
        ),
        model_loads=loads if with_metrics else (),
        metrics_window=Window(START, END) if with_metrics else None,
        metrics_accounts=frozenset({"/accounts/ptu", "/accounts/payg"}) if with_metrics else frozenset(),
        caller_loads=callers if with_logs else {},
        traffic_window=Window(START, END) if with_logs else None,
    )
