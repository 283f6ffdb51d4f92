"""Each capability keeps its promise when traffic flows through the deployed gateway, policies executed as deployed.

Every test deploys infra/main.json to an embedded Azure, sends requests as callers would, and reads what really went
where from the gateway's own facts (every attempt, also those a retry hides).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from simulator.embedded import build_world
from simulator.network import ConnectionFailure, HostFault, HttpRequest, HttpResponse
from simulator.telemetry import CustomMetric, EventHubRecord, GatewayCall
from simulator.world import World
from tests.accelerator.deployed_gateway import NOW, DeployedGateway, deploy, subscription_key

PTU_HOST = "aoai-contoso-swc-ptu.openai.azure.com"
PAYG_HOST = "aoai-contoso-swc.openai.azure.com"
BACKENDS = ("ptuEndpoint1", "paygEndpoint1", "paygEndpoint2")


class Callers:
    """Callers of one deployed gateway, and everything they and the gateway saw."""

    def __init__(self, fragment: str, **parameters: Any) -> None:
        self.world: World = build_world("calm", history_seconds=60, now=NOW, traffic=False)
        self.gateway: DeployedGateway = deploy(self.world, policyFragment=fragment, **parameters)
        self.key = subscription_key(self.world, self.gateway)
        self.answers: list[HttpResponse] = []
        self.calls: list[GatewayCall] = []
        self.metrics: list[CustomMetric] = []
        self.records: list[dict[str, Any]] = []
        telemetry = self.world.telemetry
        telemetry.on_gateway_call.append(self._keep_call)
        telemetry.on_custom_metric.append(self.metrics.append)
        telemetry.on_event_hub_record.append(self._keep_record)
        self.world.advance(30)  # the configuration reaches every unit

    def _keep_call(self, call: GatewayCall) -> None:
        if call.service_id.lower() == self.gateway.service_id.lower():
            self.calls.append(call)

    def _keep_record(self, record: EventHubRecord) -> None:
        self.records.append(json.loads(record.message))

    def send(
        self,
        count: int,
        *,
        per_second: float = 20.0,
        max_tokens: int = 10,
        tokens: int = 8,
        body: dict[str, Any] | None = None,
        settle_seconds: float = 120.0,
        **call: Any,
    ) -> list[HttpResponse]:
        """Send `count` chat requests evenly, wait, and return the answers of this batch."""
        before = len(self.answers)
        if body is None:
            body = {"messages": [{"role": "user", "content": "word " * tokens}], "max_tokens": max_tokens}
        for _ in range(count):
            self.world.spawn(self._course(body, **call))
            self.world.advance(1.0 / per_second)
        self.world.advance(settle_seconds)
        return self.answers[before:]

    def _course(
        self,
        body: dict[str, Any],
        *,
        method: str = "POST",
        path: str = "/openai/deployments/gpt-4o/chat/completions",
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Generator[float, None, None]:
        sent = {"api-key": key or self.key, "ocp-apim-subscription-key": key or self.key}
        sent |= {"content-type": "application/json"} | (headers or {})
        request = HttpRequest(
            method, self.gateway.host, path, "api-version=2024-10-21", sent, json.dumps(body).encode(), "outside"
        )
        try:
            response = yield from self.world.network.send(request)
        except ConnectionFailure as failure:
            response = HttpResponse(0, {}, failure.message.encode())
        self.answers.append(response)

    def drain(self, names: str) -> None:
        """What the console writes: the named value, through the ordinary path."""
        deploy(self.world, drainedBackends=names, policyFragment=self._fragment())
        self.world.advance(30)
        self.calls.clear()

    def _fragment(self) -> str:
        policy = self.world.store.get(f"{self.gateway.service_id}/apis/azure-openai/policies/policy")
        assert policy is not None
        text = str(policy.properties["value"])
        return next(n for n in DRAIN_AWARE if f'fragment-id="{n}"' in text)

    def attempts(self) -> Counter[str]:
        """Requests that really went out, by backend."""
        return Counter(attempt.backend_name for call in self.calls for attempt in call.attempts)

    def attempt_statuses(self, backend: str) -> Counter[int | None]:
        return Counter(a.status for call in self.calls for a in call.attempts if a.backend_name == backend)


DRAIN_AWARE = ("simple-round-robin", "weighted-round-robin", "retry-with-payg", "latency-routing")


def statuses(answers: list[HttpResponse]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


@pytest.mark.parametrize("fragment", ["weighted-round-robin", "weighted-round-robin-pool"])
def test_a_weighted_balance_keeps_its_shares_over_five_thousand_requests(fragment: str) -> None:
    callers = Callers(fragment)
    assert statuses(callers.send(5_000)) == {200: 5_000}
    sent = callers.attempts()
    for name, share in zip(BACKENDS, (0.6, 0.3, 0.1), strict=True):
        assert abs(sent[name] / 5_000 - share) < 0.03, sent


@pytest.mark.parametrize("fragment", ["simple-round-robin", "simple-round-robin-pool"])
def test_a_round_robin_is_even(fragment: str) -> None:
    callers = Callers(fragment)
    assert statuses(callers.send(900)) == {200: 900}
    assert all(abs(callers.attempts()[name] / 900 - 1 / 3) < 0.03 for name in BACKENDS)


@pytest.mark.parametrize("fragment", DRAIN_AWARE)
def test_a_drained_backend_gets_not_one_request(fragment: str) -> None:
    callers = Callers(fragment)
    callers.drain("paygEndpoint1")
    assert statuses(callers.send(300)) == {200: 300}
    assert callers.attempts()["paygEndpoint1"] == 0


@pytest.mark.parametrize("fragment", DRAIN_AWARE)
def test_when_everything_is_drained_callers_get_an_explaining_503_and_no_backend_a_request(fragment: str) -> None:
    callers = Callers(fragment)
    callers.drain(",".join(BACKENDS))
    answers = callers.send(20)
    assert statuses(answers) == {503: 20}
    assert json.loads(answers[0].body)["statusCode"] == 503
    assert "drained" in json.loads(answers[0].body)["message"]
    assert answers[0].headers["retry-after"] == "30"
    assert not callers.attempts()


@pytest.mark.parametrize("fragment", ["retry-with-payg", "retry-with-payg-pool", "resilient-pool"])
def test_what_provisioned_throughput_refuses_reaches_pay_as_you_go_and_no_caller_sees_it(fragment: str) -> None:
    callers = Callers(fragment)
    answers = callers.send(900, per_second=3, max_tokens=900, tokens=400)
    assert callers.attempt_statuses("ptuEndpoint1")[429] > 0
    assert callers.attempts()["paygEndpoint1"] > 0
    assert callers.attempts()["paygEndpoint2"] > 0
    assert statuses(answers) == {200: 900}


@pytest.mark.parametrize("fragment", ["retry-with-payg", "retry-with-payg-pool", "resilient-pool", "latency-routing"])
def test_an_outage_of_one_backend_is_not_seen_by_callers(fragment: str) -> None:
    callers = Callers(fragment)
    callers.world.network.faults[PTU_HOST] = HostFault(status=503)
    assert statuses(callers.send(200)) == {200: 200}


def test_when_every_member_refuses_the_caller_is_told_when_to_come_back() -> None:
    callers = Callers("resilient-pool")
    for host in (PTU_HOST, PAYG_HOST, "aoai-contoso-wus.openai.azure.com"):
        callers.world.network.faults[host] = HostFault(status=500)
    answers = callers.send(10)
    assert set(statuses(answers)) <= {500, 503}
    assert 503 in statuses(answers)
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)


def test_the_order_that_was_set_is_the_order_of_the_traffic() -> None:
    callers = Callers("latency-routing")
    operator = subscription_key(callers.world, callers.gateway, "latency-order-operator")
    order = {"order": ["paygEndpoint2", "ptuEndpoint1"], "seconds": 3600}
    (answer,) = callers.send(1, method="PUT", path="/latency-order/order", key=operator, body=order)
    assert answer.status == 200, answer.body
    (told,) = callers.send(1, method="GET", path="/latency-order/order", key=operator)
    assert json.loads(told.body) == {"measured": True, "order": ["paygEndpoint2", "ptuEndpoint1"]}
    (refused,) = callers.send(1, method="PUT", path="/latency-order/order", body=order)
    assert refused.status == 401
    callers.calls.clear()
    callers.send(50)
    assert callers.attempts() == {"paygEndpoint2": 50}


def told_to_yield(answers: list[HttpResponse]) -> int:
    return sum(1 for answer in answers if b"Low priority" in answer.body)


def test_callers_of_low_priority_yield_when_the_count_of_tokens_gets_low() -> None:
    callers = Callers("prioritization-calculating")
    low = {"x-priority": "low"}
    assert told_to_yield(callers.send(3, headers=low)) == 0
    callers.send(140, per_second=10, max_tokens=400, tokens=300, settle_seconds=15)
    yielding, served = callers.send(5, headers=low, settle_seconds=1), callers.send(5, settle_seconds=5)
    assert told_to_yield(yielding) == len(yielding) == 5
    assert statuses(yielding) == {429: 5}
    assert statuses(served) == {200: 5}
    callers.world.advance(120)
    assert told_to_yield(callers.send(3, headers=low)) == 0


def test_callers_of_low_priority_yield_when_the_models_report_little_left() -> None:
    callers = Callers("prioritization-tracking")
    low = {"x-priority": "low"}
    callers.world.network.faults[PTU_HOST] = HostFault(status=503)
    assert statuses(callers.send(5, headers=low)) == {200: 5}
    callers.send(150, per_second=10, max_tokens=2_000, tokens=2_500, settle_seconds=5)
    assert told_to_yield(callers.send(5, headers=low, settle_seconds=1)) > 0
    assert told_to_yield(callers.send(5)) == 0
    assert told_to_yield(callers.send(3, headers=low)) == 0  # a quiet while later all may call again


def test_embeddings_go_to_the_backends_that_have_such_models_whatever_the_api_does() -> None:
    callers = Callers("weighted-round-robin")
    path = "/openai/deployments/text-embedding-3-large/embeddings"
    assert statuses(callers.send(40, path=path, body={"input": "a few words"})) == {200: 40}
    assert set(callers.attempts()) == {"paygEndpoint1", "paygEndpoint2"}


def test_capability_apis_work_side_by_side_each_with_its_own_key() -> None:
    callers = Callers("retry-with-payg", capabilityApis=True)
    key = subscription_key(callers.world, callers.gateway, "capability-weighted-round-robin-subscription")
    path = "/weighted-round-robin/openai/deployments/gpt-4o/chat/completions"
    assert statuses(callers.send(40, path=path, key=key)) == {200: 40}
    assert len(callers.attempts()) > 1
    assert statuses(callers.send(1, path=path)) == {401: 1}


@pytest.mark.parametrize("fragment", ["retry-with-payg", "resilient-pool", "simple-round-robin"])
def test_a_stream_reaches_the_caller_in_pieces(fragment: str) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50, "stream": True}
    (answer,) = Callers(fragment).send(1, body=body)
    assert answer.status == 200
    assert answer.chunks is not None
    assert len(answer.chunks) > 2


def test_each_consumer_has_its_own_rate() -> None:
    callers = Callers("token-limits")
    answers = callers.send(60, per_second=10, max_tokens=300, tokens=200)
    assert 429 in statuses(answers)
    refused = next(answer for answer in answers if answer.status == 429)
    assert json.loads(refused.body)["statusCode"] == 429
    assert "retry-after" in refused.headers
    assert any("x-consumer-remaining-tokens" in answer.headers for answer in answers if answer.status == 200)


def test_one_record_per_call_reaches_the_event_hub_streams_included() -> None:
    callers = Callers("usage-tracking")
    callers.send(5)
    callers.send(1, body={"messages": [{"role": "user", "content": "hi"}], "max_tokens": 20, "stream": True})
    assert len(callers.records) == 6
    plain = [record for record in callers.records if not record["streamed"]]
    assert all(record["totalTokens"] > 0 for record in plain)
    (stream,) = [record for record in callers.records if record["streamed"]]
    assert stream["totalTokens"] is None
    assert any(metric.name == "Total Tokens" and metric.value > 0 for metric in callers.metrics)


def test_the_key_of_the_caller_never_reaches_a_model() -> None:
    callers = Callers("managed-identity")
    seen: list[dict[str, str]] = []
    handlers = callers.world.network.hosts
    for host in (PTU_HOST, PAYG_HOST):
        original = handlers[host]

        def spy(request: HttpRequest, original: Any = original) -> Generator[float, None, HttpResponse]:
            seen.append(dict(request.headers))
            return (yield from original(request))

        handlers[host] = spy
    assert statuses(callers.send(5)) == {200: 5}
    assert seen
    for headers in seen:
        assert headers["authorization"].startswith("Bearer ")
        assert callers.key not in " ".join(headers.values())
        assert "api-key" not in headers


def test_every_refusal_is_counted_also_those_callers_never_see() -> None:
    callers = Callers("throttling-events")
    callers.send(600, per_second=3, max_tokens=900, tokens=400)
    refusals = sum(1 for call in callers.calls for attempt in call.attempts if attempt.status == 429)
    counted = [metric for metric in callers.metrics if metric.name == "Throttled requests"]
    assert refusals > 0
    assert len(counted) == refusals
    assert {metric.dimensions["Refused by"] for metric in counted} == {"model"}
