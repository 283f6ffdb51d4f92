"""The server and its control door: faults on any route, time that runs or stands, worlds made anew."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
from collections.abc import Generator

import aiohttp
import pytest
import trustme
from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError

from simulator.embedded import build_world
from simulator.names import GATEWAY_HOST
from simulator.network import HttpRequest, HttpResponse
from simulator.server import Server, resolve_table
from tests.simulator.arm_world import (
    NOW,
    RESOURCE_GROUP,
    SERVICE,
    SERVICE_NAME,
    VERSION,
    Http,
    arm_server,
    make_world,
    sdk,
)

AT = (RESOURCE_GROUP, SERVICE_NAME)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "status", "status": 503, "code": "ServiceUnavailable"}, 503, "ServiceUnavailable"),
        ({"kind": "throttle", "retry_after_seconds": 0}, 429, "TooManyRequests"),
        ({"kind": "expired-token"}, 401, "ExpiredAuthenticationToken"),
    ],
)
async def test_a_fault_is_felt_as_often_as_it_was_set(fault: dict[str, object], status: int, code: str) -> None:
    async with arm_server() as server, sdk(server) as client:
        http = Http(server)
        await http("POST", "/_control/fault", {**fault, "path": "*/backends/*", "count": 1})
        fine_elsewhere = await http("GET", f"{SERVICE}/apis?{VERSION}")
        with pytest.raises(HttpResponseError) as felt:
            await client.backend.get(*AT, "chat-pool")
        again = await client.backend.get(*AT, "chat-pool")
    assert fine_elsewhere[0] == 200
    assert (felt.value.status_code, felt.value.error.code) == (status, code)
    assert again.name == "chat-pool"


async def test_a_stale_etag_fault_is_a_write_somebody_else_won() -> None:
    async with arm_server() as server, sdk(server) as client:
        await Http(server)("POST", "/_control/fault", {"kind": "stale-etag", "method": "PUT", "count": 1})
        body = json.dumps({"properties": {"url": "https://a.example", "protocol": "http"}}).encode()
        with pytest.raises(HttpResponseError) as lost:
            await client.backend.create_or_update(*AT, "fresh", body)
        won = await client.backend.create_or_update(*AT, "fresh", body)
    assert lost.value.status_code == 412
    assert won.name == "fresh"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", (ServiceRequestError, ServiceResponseError)),
        ("truncate", (HttpResponseError, ServiceResponseError)),
        ("wrong-json", DecodeError),
    ],
)
async def test_broken_answers_break_as_they_do_in_life(kind: str, error: type[Exception]) -> None:
    async with arm_server() as server, sdk(server) as client:
        # aiohttp itself sends a GET once more when a connection breaks before the answer: two resets are one failure.
        count = 2 if kind == "reset" else 1
        await Http(server)("POST", "/_control/fault", {"kind": kind, "path": "*/chat-pool", "count": count})
        with pytest.raises(error):
            await client.backend.get(*AT, "chat-pool")
        assert (await client.backend.get(*AT, "chat-pool")).name == "chat-pool"


async def test_a_share_of_requests_can_fail_and_the_same_seed_fails_the_same() -> None:
    async def statuses(seed: int) -> list[int]:
        async with arm_server(make_world(seed)) as server:
            http = Http(server)
            await http("POST", "/_control/fault", {"kind": "status", "status": 500, "ratio": 0.5})
            return [(await http("GET", f"{SERVICE}?{VERSION}"))[0] for _ in range(12)]

    first, second, other = await statuses(1), await statuses(1), await statuses(2)
    assert first == second
    assert first != other
    assert set(first) == {200, 500}


async def test_the_control_door_says_what_it_does_not_understand() -> None:
    async with arm_server() as server:
        http = Http(server)
        unknown = await http("POST", "/_control/fault", {"kind": "earthquake"})
        negative = await http("POST", "/_control/advance", {"seconds": -1})
        nothing = await http("GET", "/_control/nothing")
        no_rebuild = await http("POST", "/_control/reset", {})
        setting = await http("POST", "/_control/settings", {"entity_seconds": 9})
    assert (unknown[0], negative[0], nothing[0], no_rebuild[0]) == (400, 400, 404, 400)
    assert "earthquake" in unknown[2]["error"]
    assert setting[2]["entity_seconds"] == 9.0


async def test_models_take_no_time_when_told() -> None:
    world = build_world("calm", seed=7, history_seconds=60, now=NOW, traffic=False)
    secret = world.store.get(f"{SERVICE}/subscriptions/app-search")
    assert secret is not None
    headers = {"api-key": str(secret.hidden["primaryKey"]), "content-type": "application/json"}
    path = f"/hosts/{GATEWAY_HOST}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    call = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}
    async with Server(world, driven=False) as server:
        http = Http(server)
        refused = [await http("POST", "/_control/models", {"latency_factor": factor}) for factor in (-1, "none", True)]
        told = await http("POST", "/_control/models", {"latency_factor": 0})
        at_once = await http("POST", path, call, headers=headers)
        assert (at_once[0], world.now) == (200, NOW)
        await http("POST", "/_control/models", {"latency_factor": 1})
        assert (await http("POST", path, call, headers=headers))[0] == 200
        assert world.now > NOW
    assert [status for status, *_ in refused] == [400, 400, 400]
    assert told[2] == {"latency_factor": 0.0}


async def test_a_finished_request_leaves_nothing_for_the_collector() -> None:
    world = build_world("ptu-saturation", seed=7, history_seconds=120, now=NOW)
    gc.collect()
    gc.disable()
    try:
        world.advance(30)
        left = gc.collect()
    finally:
        gc.enable()
    assert left < 100  # some hundred requests were answered; each used to leave fifteen objects that hold its bodies


async def test_time_moves_only_when_told_and_a_reset_makes_a_new_world() -> None:
    async with arm_server(rebuild=make_world) as server:
        http = Http(server)
        advanced = await http("POST", "/_control/advance", {"seconds": 90})
        await http("DELETE", f"{SERVICE}/namedValues/drained-backends?{VERSION}", headers={"if-match": "*"})
        await http("POST", "/_control/reset", {"seed": 9})
        fresh = Http(server)
        back = await fresh("GET", f"{SERVICE}/namedValues/drained-backends?{VERSION}")
        clock = await fresh("GET", "/_control/clock")
        truth = await fresh("GET", "/_control/truth?start=0&end=2026-11-22T00:00:00Z")
    assert advanced[2]["now"] == NOW + 90
    assert back[0] == 200
    assert (clock[2]["seed"], clock[2]["now"]) == (9, NOW)
    assert truth[2] == {"models": [], "gateway": [], "attempts": []}


def echo(request: HttpRequest) -> Generator[float, None, HttpResponse]:
    """A host that thinks for a simulated minute and then streams."""
    yield 60.0
    chunks = [(0.0, b"data: one\n\n"), (30.0, f"data: {request.path}?{request.query}\n\n".encode())]
    return HttpResponse(200, {"content-type": "text/event-stream"}, b"".join(c for _, c in chunks), chunks=chunks)


async def test_a_host_is_reached_by_path_and_by_name_and_streams_over_time() -> None:
    world = make_world()
    world.network.hosts["slow.openai.azure.com"] = echo
    async with Server(world, driven=True, speed=600.0) as server:
        http = Http(server)
        by_path = await asyncio.wait_for(http("GET", "/hosts/slow.openai.azure.com/openai/x?a=1"), 5)
        elapsed = world.now - NOW
        by_name = await asyncio.wait_for(http("GET", "/openai/x?a=1", headers={"host": "slow.openai.azure.com"}), 5)
        with pytest.raises(aiohttp.ClientError):
            await http("GET", "/hosts/nobody.openai.azure.com/")
        table = resolve_table(world, server.base_url)
    assert by_path[2] == "data: one\n\ndata: /openai/x?a=1\n\n"
    assert by_name[2] == by_path[2]
    assert elapsed >= 90.0
    assert table["slow.openai.azure.com"] == f"{server.base_url}/hosts/slow.openai.azure.com"
    assert table["management.azure.com"] == server.base_url


async def test_a_driven_clock_follows_real_time_and_can_be_paused() -> None:
    async with Server(make_world(), driven=True, speed=100.0) as server:
        http = Http(server)
        poll = await http(
            "PUT", f"{SERVICE}/namedValues/n?{VERSION}", {"properties": {"displayName": "n", "value": "v"}}
        )
        path = poll[1]["azure-asyncoperation"].removeprefix(server.base_url)
        running = await http("GET", path)
        await http("POST", "/_control/clock", {"paused": True})
        stands_at = server.world.now
        await http("GET", f"{SERVICE}?{VERSION}")
        stands = server.world.now == stands_at
        await http("POST", "/_control/advance", {"seconds": 5})
        done = await http("GET", path)
    assert running[2]["status"] in ("InProgress", "Succeeded")
    assert stands
    assert done[2]["status"] == "Succeeded"


async def test_a_request_under_way_ends_when_the_world_is_replaced() -> None:
    world, arrived = make_world(), asyncio.Event()

    def think(request: HttpRequest) -> Generator[float, None, HttpResponse]:
        arrived.set()
        return (yield from echo(request))

    world.network.hosts["slow.openai.azure.com"] = think
    async with Server(world, driven=True, speed=1.0, rebuild=make_world) as server:
        http = Http(server)
        under_way = asyncio.create_task(http("POST", "/hosts/slow.openai.azure.com/x", {}))
        await asyncio.wait_for(arrived.wait(), 5)
        await http("POST", "/_control/reset", {})
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(under_way, 5)


async def test_large_bodies_pass_and_web_pages_do_not_reach_the_control_door() -> None:
    async with arm_server() as server:
        http = Http(server)
        large = {"location": "westus", "properties": {"text": "x" * 3_000_000}}
        path = "/subscriptions/0a1b2c3d-0000-4000-8000-00000000c0de/resourceGroups/rg-genai-gateway"
        stored = await http("PUT", f"{path}/providers/A.B/c/d?api-version=2024-01-01", large)
        page = await http("POST", "/_control/advance", {"seconds": 1}, headers={"origin": "https://evil.example"})
    assert stored[0] == 201
    assert page[0] == 403


async def test_it_speaks_tls_and_its_links_say_so() -> None:
    authority = trustme.CA()
    served, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(served)
    authority.configure_trust(trusted)
    async with arm_server(tls=served) as server, aiohttp.ClientSession() as session:
        token = Http(server).token
        url = f"{server.base_url}{SERVICE}/backends?{VERSION}&$top=1"
        async with session.get(url, headers={"authorization": f"Bearer {token}"}, ssl=trusted) as answer:
            listed = await answer.json()
        async with session.get(f"{server.base_url}/metadata/endpoints?api-version=2022-09-01", ssl=trusted) as answer:
            metadata = await answer.json()
    assert server.base_url.startswith("https://127.0.0.1:")
    assert len(listed["value"]) == 1
    assert metadata["resourceManager"] == f"{server.base_url}/"
