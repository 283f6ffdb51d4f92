"""How fast the simulated gateway is: an hour of history, a request, and what policies add to it.

Run by hand: `python bench/gateway.py [--json]`. Times are of this machine, best of several rounds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator

from simulator import gateway, openai, topology
from simulator.embedded import build_world
from simulator.gateway.service import GatewayService
from simulator.names import GATEWAY_HOST, SERVICE
from simulator.network import HttpRequest, HttpResponse
from simulator.world import World

NOW = 1_795_000_000.0
ROUNDS, REQUESTS = 5, 4000
HOST = "model.contoso.example"
BODY = json.dumps({"messages": [{"role": "user", "content": "x" * 400}], "max_tokens": 100}).encode()

NOTHING = f'<set-backend-service base-url="https://{HOST}" />'
POOL = '<set-backend-service backend-id="bench-pool" />'
RETRY = """<retry condition="@(context.Response.StatusCode == 429 || context.Response.StatusCode &gt;= 500)"
    count="2" interval="0" first-fast-retry="true"><forward-request buffer-request-body="true" /></retry>"""
ROUND_ROBIN = """<set-variable name="backends" value="@{
        JArray list = new JArray();
        list.Add(new JObject(new JProperty("id", "bench-a"), new JProperty("priority", 1),
            new JProperty("until", DateTime.MinValue)));
        list.Add(new JObject(new JProperty("id", "bench-b"), new JProperty("priority", 1),
            new JProperty("until", DateTime.MinValue)));
        list.Add(new JObject(new JProperty("id", "bench-c"), new JProperty("priority", 2),
            new JProperty("until", DateTime.MinValue)));
        return list;
    }" />
    <cache-lookup-value key="rr" variable-name="counter" default-value="@(0)" />
    <cache-store-value key="rr" value="@((int)context.Variables["counter"] + 1)" duration="3600" />
    <set-variable name="chosen" value="@{
        JArray list = (JArray)context.Variables["backends"];
        int counter = (int)context.Variables["counter"];
        int best = int.MaxValue;
        foreach (JObject one in list) {
            if ((int)one["priority"] < best) { best = (int)one["priority"]; }
        }
        List<string> open = new List<string>();
        for (int i = 0; i < list.Count; i++) {
            JObject one = (JObject)list[i];
            if ((int)one["priority"] == best && !"{{drained-backends}}".Contains(one["id"].ToString())) {
                open.Add(one["id"].ToString());
            }
        }
        return open[counter % open.Count];
    }" />
    <set-backend-service backend-id="@((string)context.Variables["chosen"])" />"""


def _world(inbound: str, backend: str) -> tuple[World, str]:
    world = World(seed=1, now=NOW)
    topology.write_demo(world)
    put = world.store.put
    for name in ("bench-a", "bench-b", "bench-c"):
        put(
            f"{SERVICE}/backends/{name}",
            "b",
            {"properties": {"type": "Single", "url": f"https://{HOST}", "protocol": "http"}},
        )
    services = [{"id": f"/backends/{name}"} for name in ("bench-a", "bench-b")]
    put(f"{SERVICE}/backends/bench-pool", "b", {"properties": {"type": "Pool", "pool": {"services": services}}})
    text = f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend><outbound /><on-error /></policies>"
    topology.put_policy(world, f"{SERVICE}/apis/azure-openai", "p", text)
    openai.attach(world)
    gateway.attach(world)
    answer = HttpResponse(200, {"content-type": "application/json"}, b'{"model":"m","usage":{"prompt_tokens":1}}', "OK")

    def model(request: HttpRequest) -> Generator[float, None, HttpResponse]:
        return answer
        yield 0.0

    world.network.hosts[HOST] = model
    subscription = world.store.get(f"{SERVICE}/subscriptions/app-search")
    assert subscription is not None
    return world, str(subscription.hidden["primaryKey"])


def microseconds_per_request(inbound: str, backend: str = "<forward-request />") -> float:
    """Microseconds of one request to a host that answers at once."""
    world, key = _world(inbound, backend)
    headers = {"api-key": key, "content-type": "application/json"}
    path = "/openai/deployments/gpt-4o/chat/completions"

    def once() -> None:
        request = HttpRequest("POST", GATEWAY_HOST, path, "api-version=1", headers, BODY, "outside")
        world.spawn(world.network.send(request))

    once()
    service: GatewayService = world.rooms["gateway"].services[SERVICE.lower()]
    last = service.world.truth.gateway[int(world.now // 60) * 60]
    if any(counts.failed for counts in last.values()):
        raise RuntimeError(f"the benchmark's policy failed: {world.log}")
    return _best(lambda: [once() for _ in range(REQUESTS)]) / REQUESTS * 1e6


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print."""
    for name, value in measure().items():
        print(f"{name:42} {value}")


def measure() -> dict[str, float]:
    """All figures by name; the unit is in the name."""
    build_world("calm", seed=7, history_seconds=60, now=NOW)
    world: list[World] = []
    hour = _best(lambda: world.append(build_world("ptu-saturation", seed=7, now=NOW)))
    sent = sum(caller.sent for caller in world[-1].rooms["traffic"].callers)
    plain = microseconds_per_request(NOTHING)
    return {
        "history_hour_seconds": round(hour, 2),
        "history_requests": sent,
        "history_microseconds_per_request": round(hour / sent * 1e6, 1),
        "gateway_microseconds_plain": round(plain, 1),
        "overhead_microseconds_pool": round(microseconds_per_request(POOL) - plain, 1),
        "overhead_microseconds_pool_with_retry": round(microseconds_per_request(POOL, RETRY) - plain, 1),
        "overhead_microseconds_round_robin": round(microseconds_per_request(ROUND_ROBIN) - plain, 1),
    }


if __name__ == "__main__":
    if "--json" in sys.argv[1:]:
        print(json.dumps(measure()))
    else:
        main()
