"""Language-model tokens at the gateway: limiting them per consumer, and counting them as metrics.

Source: Microsoft Learn "llm-token-limit policy" (04/2026), "llm-emit-token-metric policy" (05/2026): 429 for a rate,
403 for a quota; with estimation a call whose prompt does not fit is refused before it is sent; counters belong to the
gateway.
Assumed: the rate is a sliding minute; prompts are estimated at four characters a token.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.elements.limits import refuse_rate
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.language import as_number, as_text, is_true
from simulator.gateway.steps import Step
from simulator.telemetry import CustomMetric

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

_WINDOW_SECONDS = 60.0
_NAMES = ("remaining-tokens", "remaining-quota-tokens", "tokens-consumed")


def estimate_prompt(body: bytes) -> int:
    """Tokens of a request body as the gateway guesses them, without looking for messages in it."""
    return len(body) // 4


def quota_period(now: float, name: str) -> tuple[int, float]:
    """(a number for the current UTC period, seconds until the next) of Hourly, Daily, Weekly, Monthly or Yearly."""
    at = datetime.fromtimestamp(now, UTC)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    kind = name.strip().lower()
    if kind == "hourly":
        begin = at.replace(minute=0, second=0, microsecond=0)
        end = begin + timedelta(hours=1)
    elif kind == "weekly":
        begin = midnight - timedelta(days=(at.weekday() + 1) % 7)
        end = begin + timedelta(days=7)
    elif kind == "monthly":
        begin = midnight.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    elif kind == "yearly":
        begin = midnight.replace(month=1, day=1)
        end = begin.replace(year=begin.year + 1)
    else:
        begin, end = midnight, midnight + timedelta(days=1)
    return int(begin.timestamp()), end.timestamp() - now


@element("llm-token-limit", "azure-openai-token-limit")
def compile_token_limit(compiler: Compiler, statement: Element) -> Step:
    """Tokens a minute and tokens a period for each value of `counter-key`."""
    key = compiler.getter(statement, "counter-key", "")
    per_minute = compiler.getter(statement, "tokens-per-minute")
    quota = compiler.getter(statement, "token-quota")
    period = compiler.getter(statement, "token-quota-period", "Daily")
    estimate = compiler.getter(statement, "estimate-prompt-tokens", False)
    retry_header = statement.get("retry-after-header-name")
    retry_variable = statement.get("retry-after-variable-name")
    headers = {name: statement.get(f"{name}-header-name") for name in _NAMES}
    variables = {name: statement.get(f"{name}-variable-name") for name in _NAMES}

    def run(exchange: Exchange) -> None:
        now, name = exchange.world.now, as_text(key(exchange))
        guess = estimate_prompt(exchange.body) if is_true(estimate(exchange)) else 0
        rate, allowance = per_minute(exchange), quota(exchange)
        counter = exchange.service.sliding(f"tokens/{name}")
        spent = exchange.service.fixed(f"token-quota/{name}")
        number, left = quota_period(now, as_text(period(exchange)))
        used, used_quota = counter.within(now, _WINDOW_SECONDS), spent.within(number)
        if allowance is not None and used_quota + guess >= as_number(allowance):
            text = f"Token quota is exceeded. Try again in {max(math.ceil(left), 1)} seconds."
            raise PolicyFailure(
                "QuotaExceeded", text, status=403, headers={"retry-after": str(max(math.ceil(left), 1))}
            )
        if rate is not None and (used >= as_number(rate) or used + guess > as_number(rate)):
            wait = counter.seconds_until(now, _WINDOW_SECONDS, max(guess, 1.0), as_number(rate))
            if retry_variable:
                exchange.variables[retry_variable] = max(math.ceil(wait), 1)
            raise refuse_rate(wait, retry_header, "Token limit is exceeded.")
        if variables["remaining-tokens"] and rate is not None:
            exchange.variables[variables["remaining-tokens"]] = int(max(as_number(rate) - used - guess, 0))
        if variables["remaining-quota-tokens"] and allowance is not None:
            exchange.variables[variables["remaining-quota-tokens"]] = int(max(as_number(allowance) - used_quota, 0))
        if guess:
            counter.add(now, guess)

        def ended(done: Exchange) -> None:
            total = done.llm.prompt_tokens + done.llm.completion_tokens if done.llm is not None else 0
            if total - guess:
                counter.add(done.world.now, total - guess)
            spent.within(quota_period(done.world.now, as_text(period(done)))[0])
            spent.amount += total
            figures: dict[str, float | None] = {
                "remaining-tokens": None if rate is None else max(as_number(rate) - counter.total, 0),
                "remaining-quota-tokens": None if allowance is None else max(as_number(allowance) - spent.amount, 0),
                "tokens-consumed": total,
            }
            for what, figure in figures.items():
                header, variable = headers[what], variables[what]
                if figure is None:
                    continue
                if header and done.response is not None:
                    done.response.headers[header.lower()] = str(int(figure))
                if variable:
                    done.variables[variable] = int(figure)

        exchange.on_response.append(ended)

    return Step(statement.name, run)


_DEFAULTS = {
    "api id": lambda x: x.api.name if x.api is not None else "",
    "operation id": lambda x: x.operation.name if x.operation is not None else "",
    "product id": lambda x: x.product.name if x.product is not None else "",
    "user id": lambda x: x.subscription.user_id if x.subscription is not None else "",
    "subscription id": lambda x: x.subscription.name if x.subscription is not None else "",
    "location": lambda x: x.configuration.region,
    "gateway id": lambda x: "managed",
    "backend id": lambda x: x.target[1] if x.target is not None and x.target[0] == "id" else "",
}


def compile_dimensions(compiler: Compiler, statement: Element) -> list[tuple[str, object]]:
    """(name, getter) of the `dimension` children; known names need no value."""
    dimensions: list[tuple[str, object]] = []
    for child in statement.elements:
        if child.name != "dimension":
            continue
        name = child.get("name") or ""
        if child.get("value") is not None:
            dimensions.append((name, compiler.getter(child, "value")))
        else:
            dimensions.append((name, _DEFAULTS.get(name.lower(), lambda exchange: "")))
    return dimensions


@element("llm-emit-token-metric", "azure-openai-emit-token-metric")
def compile_token_metric(compiler: Compiler, statement: Element) -> Step:
    """Total, prompt and completion tokens of the call as custom metrics, once it is answered."""
    namespace = statement.get("namespace") or "API Management"
    dimensions = compile_dimensions(compiler, statement)

    def run(exchange: Exchange) -> None:
        values = {name: as_text(value(exchange)) for name, value in dimensions}  # type: ignore[operator]

        def ended(done: Exchange) -> None:
            llm = done.llm
            if llm is None:
                return
            now, tell = done.world.now, done.world.telemetry.custom_metric
            for name, amount in (
                ("Total Tokens", llm.prompt_tokens + llm.completion_tokens),
                ("Prompt Tokens", llm.prompt_tokens),
                ("Completion Tokens", llm.completion_tokens),
            ):
                tell(CustomMetric(now, done.service.id, namespace, name, float(amount), values))

        exchange.on_outcome.append(ended)

    return Step(statement.name, run)


@element("emit-metric")
def compile_emit_metric(compiler: Compiler, statement: Element) -> Step:
    """One value of a custom metric."""
    namespace = statement.get("namespace") or "API Management"
    name = compiler.getter(statement, "name", "")
    value = compiler.getter(statement, "value", 1)
    dimensions = compile_dimensions(compiler, statement)

    def run(exchange: Exchange) -> None:
        values = {label: as_text(getter(exchange)) for label, getter in dimensions}  # type: ignore[operator]
        exchange.world.telemetry.custom_metric(
            CustomMetric(
                exchange.world.now,
                exchange.service.id,
                namespace,
                as_text(name(exchange)),
                as_number(value(exchange)),
                values,
            )
        )

    return Step("emit-metric", run)
