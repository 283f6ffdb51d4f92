"""One request as the gateway would present it, for the tests of this folder."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from apimpolicy.expressions import compile_expression
from apimpolicy.expressions.context import (
    Api,
    Body,
    Deployment,
    Headers,
    LastError,
    PolicyContext,
    Product,
    Request,
    Response,
    Subscription,
    Url,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}],"stream":true,"max_tokens":50}'


def make_context(**changes: Any) -> PolicyContext:
    """A chat completion that met a 429; `changes` replace attributes of the context."""
    context = PolicyContext(
        Request(
            "POST",
            Url.parse(
                "https://gateway.contoso.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21&x=a&x=b"
            ),
            Headers([("Authorization", "Bearer abc"), ("X-Caller", "billing"), ("x-caller", "second")]),
            Body(CHAT),
            ip_address="10.0.0.9",
            matched_parameters={"deployment-id": "gpt-4o"},
        ),
        response=Response(429, "Too Many Requests", Headers([("Retry-After", "7")]), Body(b'{"error":{"code":"429"}}')),
        variables={"retries": 2, "backend": "ptu", "nothing": None},
        api=Api(id="openai", name="OpenAI", path="openai"),
        product=Product(id="gold", name="Gold"),
        subscription=Subscription(id="team-a", name="Team A"),
        deployment=Deployment(region="Sweden Central", service_name="contoso-apim"),
        last_error=LastError(source="rate-limit", reason="RateLimitExceeded", message="Rate limit is exceeded."),
        request_id="6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        timestamp=NOW,
        elapsed=timedelta(milliseconds=12),
        clock=lambda: NOW,
        random=random.Random(7),
    )
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def run(text: str, **changes: Any) -> Any:
    """The value of `text`; in braces it is a block."""
    block = text.startswith("{")
    compiled = compile_expression(text[1:-1] if block else text, kind="block" if block else "inline")
    return compiled.evaluate(make_context(**changes))
