"""How fast the embedded Azure answers monitoring: the fleet query over a million rows, a batch of fifty accounts.

Targets: 150 milliseconds each. Loading one hour of logs (19,000 rows) must stay below half a second.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from simulator import logs, monitor, topology
from simulator.names import SERVICE, SUBSCRIPTION_ID, WORKSPACE_CUSTOMER_ID, account_id
from simulator.network import HttpRequest
from simulator.telemetry import Attempt, GatewayCall, LlmFacts, ModelCall
from simulator.world import World

FLEET_QUERY = Path(__file__).parent.parent / "console" / "queries" / "traffic_by_backend.kql"
"""What the console asks every half minute; it puts the values of the four names before it."""
ROWS = 1_000_000
ACCOUNTS = 50


def best_ms(action: Callable[[], object], rounds: int = 9) -> str:
    """The fastest of some rounds in milliseconds: by the clock, and in CPU time of all threads."""
    wall = cpu = float("inf")
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        action()
        wall, cpu = min(wall, time.perf_counter() - began), min(cpu, time.process_time() - used)
    return f"{wall * 1000.0:.0f} ms (CPU {cpu * 1000.0:.0f} ms)"


def fleet_query(now: datetime, hours: int = 30) -> str:
    """The fleet query over the last hours, with its values."""
    start = now - timedelta(hours=hours)
    values = (
        f"let start_at = datetime({start.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z);\n"
        f"let end_at = datetime({now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z);\n"
        f"let service_id = '{SERVICE.lower()}';\nlet split_hosts = '';\n"
    )
    return values + FLEET_QUERY.read_text()


def _gateway_call(world: World, number: int) -> GatewayCall:
    account = ("swc-ptu", "eus2-ptu", "swc", "wus", "frc")[number % 5]
    status = 429 if number % 13 == 0 else 200
    path = "openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    backend_url = f"https://aoai-contoso-{account}.openai.azure.com/{path}"
    return GatewayCall(
        started_at=world.now - 1.0,
        completed_at=world.now,
        service_id=SERVICE,
        region="swedencentral",
        unit=number % 2,
        correlation_id=f"{number:032x}",
        method="POST",
        url=f"https://apim-contoso-prod.azure-api.net/{path}",
        api_id="azure-openai",
        api_revision="1",
        operation_id="ChatCompletions_Create",
        operation_name="ChatCompletions_Create",
        product_id="genai",
        user_id="1",
        subscription_name=f"app-{number % 7}",
        caller_ip="10.0.0.4",
        response_code=status,
        request_size=800,
        response_size=2_000,
        total_ms=float(number * 31 % 5_000),
        client_ms=0.2,
        backend_ms=float(number * 31 % 4_900),
        attempts=[Attempt(account, backend_url, status, world.now - 0.9, 800.0)],
        backend_id="chat-pool",
        backend_method="POST",
        llm=LlmFacts("gpt-4o", "gpt-4o", 700, 200) if status == 200 else None,
    )


def bench_logs() -> None:
    """The fleet query, and what loading costs."""
    world = World(seed=1, now=1_795_000_000.0)
    topology.write_demo(world)
    room = logs.attach(world)
    step = 24 * 3600 / ROWS
    began = time.perf_counter()
    for number in range(19_000):
        world.now += step
        world.telemetry.gateway_call(_gateway_call(world, number))
    room.writer.flush()
    print(f"one hour, 19,000 requests told and loaded: {(time.perf_counter() - began) * 1000:.0f} ms")
    for number in range(19_000, ROWS):
        world.now += step
        world.telemetry.gateway_call(_gateway_call(world, number))
    room.writer.flush()
    world.now += 60.0
    path = f"/v1/workspaces/{WORKSPACE_CUSTOMER_ID}/query"

    def ask() -> int:
        room.settings.requests_per_window = ROWS
        world.now += 0.001
        body = json.dumps({"query": fleet_query(world.now_at)}).encode()
        request = HttpRequest("POST", "api.loganalytics.io", path, "", {"content-type": "application/json"}, body)
        return len(world.run(world.network.send(request)).body)

    fleet = best_ms(ask)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"fleet query over {ROWS:,} rows (24 h, {ask():,} bytes): {fleet}; process {memory:.0f} MiB at most")


def bench_metrics() -> None:
    """`metrics:getBatch` for fifty accounts, one hour by the minute, three metrics split by status."""
    world = World(seed=1, now=1_795_000_000.0)
    names = [f"aoai-{number:02d}" for number in range(ACCOUNTS)]
    for name in names:
        world.store.put(account_id(name), "Microsoft.CognitiveServices/accounts", {"location": "swedencentral"})
    monitor.attach(world)
    for second in range(0, 3_600, 4):
        world.now += 4.0
        for name in names:
            world.telemetry.model_call(
                ModelCall(
                    arrived_at=world.now - 1.0,
                    completed_at=world.now,
                    account_id=account_id(name),
                    region="swedencentral",
                    deployment=("gpt-4o", "embedding")[second // 4 % 2],
                    model_name="gpt-4o",
                    model_version="2024-11-20",
                    sku_name="ProvisionedManaged",
                    api_name="Azure OpenAI API version 2024-10-21",
                    operation_name="ChatCompletions_Create",
                    status=429 if second % 3 == 0 else 200,
                    prompt_tokens=700,
                    completion_tokens=200,
                    time_to_first_byte_ms=300.0,
                    time_to_last_byte_ms=2_000.0,
                )
            )
    query = urlencode(
        {
            "api-version": "2024-02-01",
            "metricnamespace": "Microsoft.CognitiveServices/accounts",
            "metricnames": "AzureOpenAIRequests,ProcessedPromptTokens,GeneratedTokens",
            "interval": "PT1M",
            "aggregation": "Total",
            "filter": "ModelDeploymentName eq '*'",
            "top": "1000",
        }
    )
    body = json.dumps({"resourceids": [account_id(name) for name in names]}).encode()
    path = f"/subscriptions/{SUBSCRIPTION_ID}/metrics:getBatch"
    host = "swedencentral.metrics.monitor.azure.com"

    def ask() -> int:
        return len(world.run(world.network.send(HttpRequest("POST", host, path, query, {}, body))).body)

    print(f"metrics:getBatch, {ACCOUNTS} accounts, 60 minutes ({ask():,} bytes): {best_ms(ask)}")


def main() -> None:
    """Print the figures."""
    bench_metrics()
    bench_logs()


if __name__ == "__main__":
    main()
