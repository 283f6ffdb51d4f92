"""A small world with monitoring attached, and facts to tell it by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from simulator import apim, logs, monitor, topology
from simulator.logs import LogsRoom
from simulator.monitor import MonitorRoom
from simulator.names import SERVICE, SUBSCRIPTION_ID, WORKSPACE_CUSTOMER_ID, account_id
from simulator.network import HttpRequest
from simulator.telemetry import Attempt, GatewayCall, LastErrorFacts, LlmFacts, ModelCall, UtilizationSample
from simulator.world import World

NOW = 1_795_000_040.0
"""Twenty seconds into a minute, so that "the current minute" has a past."""
MINUTE = 1_794_999_960
"""The last complete minute before NOW's."""
PTU = account_id("aoai-contoso-swc-ptu")
ACCOUNTS = "Microsoft.CognitiveServices/accounts"
REGION_HOST = "swedencentral.metrics.monitor.azure.com"


def make_world(now: float = NOW) -> World:
    """The demonstration resources with Resource Manager, metrics and logs; nobody calls."""
    world = World(seed=7, now=now)
    topology.write_demo(world)
    apim.attach(world)
    monitor.attach(world)
    logs.attach(world)
    return world


def monitor_room(world: World) -> MonitorRoom:
    """The metrics of a world."""
    room = world.rooms["monitor"]
    assert isinstance(room, MonitorRoom)
    return room


def logs_room(world: World) -> LogsRoom:
    """The logs of a world."""
    room = world.rooms["logs"]
    assert isinstance(room, LogsRoom)
    return room


def model_call(at: float, status: int = 200, **changes: Any) -> ModelCall:
    """One answered (or refused) chat completion of the provisioned deployment, answered at `at`."""
    call = ModelCall(
        arrived_at=at - 1.0,
        completed_at=at,
        account_id=PTU,
        region="swedencentral",
        deployment="gpt-4o",
        model_name="gpt-4o",
        model_version="2024-11-20",
        sku_name="ProvisionedManaged",
        api_name="Azure OpenAI API version 2024-10-21",
        operation_name="ChatCompletions_Create",
        status=status,
        prompt_tokens=100 if status == 200 else 0,
        completion_tokens=40 if status == 200 else 0,
        time_to_first_byte_ms=200.0,
        time_to_last_byte_ms=1_000.0,
    )
    return replace(call, **changes)


def utilization(minute: int, average: float, maximum: float, minimum: float) -> UtilizationSample:
    """A minute of the provisioned deployment, ratios."""
    return UtilizationSample(minute, PTU, "swedencentral", "gpt-4o", "gpt-4o", "2024-11-20", average, maximum, minimum)


def gateway_call(
    at: float, status: int = 200, *, number: int = 1, account: str = "swc-ptu", **changes: Any
) -> GatewayCall:
    """One chat completion through the gateway that began a second before `at`."""
    path = "openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    backend_url = f"https://aoai-contoso-{account}.openai.azure.com/{path}"
    call = GatewayCall(
        started_at=at - 1.0,
        completed_at=at,
        service_id=SERVICE,
        region="swedencentral",
        unit=0,
        correlation_id=f"00000000-0000-4000-8000-{number:012d}",
        method="POST",
        url=f"https://apim-contoso-prod.azure-api.net/{path}",
        api_id="azure-openai",
        api_revision="1",
        operation_id="ChatCompletions_Create",
        operation_name="ChatCompletions_Create",
        product_id="genai",
        user_id="1",
        subscription_name="app-search",
        caller_ip="10.0.0.4",
        response_code=status,
        request_size=800,
        response_size=2_000,
        total_ms=1_000.0 + number,
        client_ms=0.2,
        backend_ms=900.0,
        attempts=[Attempt("ptu-swedencentral", backend_url, status, at - 0.9, 900.0)],
        backend_id="chat-pool",
        backend_method="POST",
        llm=LlmFacts("gpt-4o-2024-11-20", "gpt-4o", 100, 40) if status == 200 else None,
        last_error=None
        if status < 400
        else LastErrorFacts("BackendError", "it's full", "forward-request", "api", "backend", 950.0),
    )
    return replace(call, **changes)


def batch(world: World, ids: list[str] | None = None, *, host: str = REGION_HOST, **parameters: str) -> tuple[int, Any]:
    """One metrics:getBatch call: (status, body)."""
    query = {
        "api-version": "2024-02-01",
        "metricnamespace": ACCOUNTS,
        "metricnames": "AzureOpenAIRequests",
        "aggregation": "Total",
        "interval": "PT1M",
        **parameters,
    }
    path = f"/subscriptions/{SUBSCRIPTION_ID}/metrics:getBatch"
    body = json.dumps({"resourceids": ids if ids is not None else [PTU]}).encode()
    response = world.run(world.network.send(HttpRequest("POST", host, path, urlencode(query), {}, body)))
    return response.status, json.loads(response.body)


def points(metric: dict[str, Any], name: str = "total", series: int = 0) -> dict[str, float | None]:
    """The figures of one series by timestamp; None where a point carries none."""
    return {point["timeStamp"]: point.get(name) for point in metric["timeseries"][series]["data"]}


def ask(world: World, text: str, workspace: str = WORKSPACE_CUSTOMER_ID, **body: Any) -> tuple[int, Any]:
    """One log query: (status, body), body None when there is none."""
    request = HttpRequest(
        "POST",
        "api.loganalytics.io",
        f"/v1/workspaces/{workspace}/query",
        "",
        {"content-type": "application/json"},
        json.dumps({"query": text, **body}).encode(),
    )
    response = world.run(world.network.send(request))
    return response.status, json.loads(response.body) if response.body else None


def rows(world: World, text: str, **body: Any) -> list[list[Any]]:
    """The rows of a query that must succeed."""
    status, answer = ask(world, text, **body)
    assert status == 200, answer
    found: list[list[Any]] = answer["tables"][0]["rows"]
    return found
