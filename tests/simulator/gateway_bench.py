"""A small gateway for tests: its world, and ways to call it and to write to it."""

from __future__ import annotations

import json
from typing import Any

from simulator import gateway, openai, topology
from simulator.gateway.service import GatewayService
from simulator.names import GATEWAY_HOST, SERVICE
from simulator.network import HttpRequest, HttpResponse
from simulator.telemetry import BreakerEvent, CustomMetric, EventHubRecord, GatewayCall, ModelCall
from simulator.world import World

NOW = 1_795_000_000.0
CHAT = "/openai/deployments/gpt-4o/chat/completions"


class Bench:
    """A world with the demonstration gateway and no callers. Facts told by telemetry are kept in lists."""

    def __init__(self, seed: int = 7) -> None:
        self.world = World(seed=seed, now=NOW)
        topology.write_demo(self.world)
        openai.attach(self.world)
        self.room = gateway.attach(self.world)
        self.calls: list[GatewayCall] = []
        self.model_calls: list[ModelCall] = []
        self.breaker_events: list[BreakerEvent] = []
        self.metrics: list[CustomMetric] = []
        self.events: list[EventHubRecord] = []
        told = self.world.telemetry
        told.on_gateway_call.append(self.calls.append)
        told.on_model_call.append(self.model_calls.append)
        told.on_breaker_event.append(self.breaker_events.append)
        told.on_custom_metric.append(self.metrics.append)
        told.on_event_hub_record.append(self.events.append)

    @property
    def service(self) -> GatewayService:
        return self.room.services[SERVICE.lower()]

    def key(self, subscription: str = "app-support-bot") -> str:
        resource = self.world.store.get(f"{SERVICE}/subscriptions/{subscription}")
        assert resource is not None
        return str(resource.hidden["primaryKey"])

    def request(
        self,
        path: str = CHAT,
        body: dict[str, Any] | None = None,
        *,
        method: str = "POST",
        query: str = "api-version=2024-10-21",
        headers: dict[str, str] | None = None,
        key: str | None = "",
    ) -> HttpRequest:
        """A request to the gateway; `key` "" sends the support bot's, None sends none."""
        call = chat() if body is None else body
        sent = {"content-type": "application/json", "x-forwarded-for": "10.1.2.3", **(headers or {})}
        if key is not None:
            sent["api-key"] = key or self.key()
        payload = json.dumps(call).encode() if method == "POST" else b""
        return HttpRequest(method, GATEWAY_HOST, path, query, sent, payload, "outside")

    def call(self, path: str = CHAT, body: dict[str, Any] | None = None, **options: Any) -> HttpResponse:
        """Send and wait for the answer."""
        return self.world.run(self.world.network.send(self.request(path, body, **options)))

    def start(self, request: HttpRequest) -> list[Any]:
        """Send without waiting: the list is empty until there is an answer or an error in it."""
        outcome: list[Any] = []
        self.world.spawn(self.world.network.send(request), lambda result, error: outcome.append(error or result))
        return outcome

    def set_policy(
        self, inbound: str = "", backend: str = "<base />", outbound: str = "<base />", on_error: str = "<base />"
    ) -> None:
        """Deploy an API policy and let it reach both units."""
        text = (
            f"<policies><inbound><base />{inbound}</inbound><backend>{backend}</backend>"
            f"<outbound>{outbound}</outbound><on-error>{on_error}</on-error></policies>"
        )
        self.deploy(text)

    def deploy(self, text: str, scope: str = f"{SERVICE}/apis/azure-openai") -> None:
        """Deploy a policy document at a scope and let it reach both units."""
        topology.put_policy(self.world, scope, "Microsoft.ApiManagement/service/apis/policies", text)
        self.world.advance(10)

    def put_backend(self, name: str, **properties: Any) -> None:
        """Write a backend (merging properties) and let it reach both units."""
        resource_id = f"{SERVICE}/backends/{name}"
        existing = self.world.store.get(resource_id)
        before = dict(existing.properties) if existing is not None else {}
        body = {"properties": {**before, **properties}}
        self.world.store.put(resource_id, "Microsoft.ApiManagement/service/backends", body)
        self.world.advance(10)

    def one_unit(self) -> None:
        """Keep only the first unit, where a test wants no lots drawn."""
        del self.service.units[1:]


def chat(text: str = "Name the causes of yesterday's tickets.", max_tokens: int = 60, **more: Any) -> dict[str, Any]:
    """A chat completion request."""
    return {"messages": [{"role": "user", "content": text}], "max_tokens": max_tokens, **more}


def text_of(response: HttpResponse) -> str:
    """The body as text."""
    return response.body.decode()


def json_of(response: HttpResponse) -> Any:
    """The body as JSON."""
    return json.loads(response.body)


API_ROUTE = '<set-backend-service backend-id="chat-pool" />'
IDENTITY = '<authentication-managed-identity resource="https://cognitiveservices.azure.com" />'
