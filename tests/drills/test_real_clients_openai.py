"""Callers use the official `openai` package: its streams, its retries and its newer base address work here as there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from simulator.names import GATEWAY_HOST, SERVICE, account_host
from simulator.resources.settings import arm_settings
from simulator.server import Server
from simulator.world import World
from tests.simulated_gateway import make_world
from tests.simulator.arm_world import Http
from tests.simulator.gateway_bench import API_ROUTE, IDENTITY, Bench

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Tell the story of the night."}]
VERSION = "api-version=2024-05-01"


def through_gateway(server: Server, key: str, retries: int = 0) -> openai.AsyncAzureOpenAI:
    """The Azure client as callers configure it: the gateway in place of the account."""
    return openai.AsyncAzureOpenAI(
        azure_endpoint=f"{server.base_url}/hosts/{GATEWAY_HOST}",
        api_key=key,
        api_version="2024-10-21",
        max_retries=retries,
        timeout=20,
    )


def account_key(world: World, name: str) -> str:
    resource = next(a for a in world.store.of_type("Microsoft.CognitiveServices/accounts") if a.name == name)
    return str(resource.hidden["key1"])


@pytest.fixture
async def account() -> AsyncIterator[openai.AsyncOpenAI]:
    """The plain client on an account's own v1 address."""
    world = make_world()
    async with Server(world, driven=False) as server:
        base_url = f"{server.base_url}/hosts/{account_host('aoai-contoso-swc')}/openai/v1"
        key = account_key(world, "aoai-contoso-swc")
        async with openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=20) as client:
            yield client


async def test_a_stream_arrives_while_the_model_writes_it() -> None:
    """Words come one after the other in simulated time, and usage comes last."""
    bench = Bench()
    bench.set_policy(IDENTITY + API_ROUTE, '<forward-request buffer-response="false" />')
    async with Server(bench.world, driven=True, speed=20.0) as server, through_gateway(server, bench.key()) as client:
        asked_at = bench.world.now
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, max_tokens=900, stream=True, stream_options={"include_usage": True}
        )
        arrivals = [(bench.world.now - asked_at, chunk) async for chunk in stream]
    words = [at for at, chunk in arrivals if chunk.choices and chunk.choices[0].delta.content]
    assert len(words) > 20
    assert words[0] > 0.1
    assert words[-1] - words[0] > 0.3
    assert len(set(words)) > 5
    assert words == sorted(words)
    assert arrivals[-1][1].usage is not None
    assert arrivals[-1][1].usage.completion_tokens > 0


async def test_the_responses_api_streams_its_events_in_order() -> None:
    bench = Bench()
    bench.set_policy(IDENTITY + API_ROUTE, '<forward-request buffer-response="false" />')
    async with Server(bench.world, driven=False) as server, through_gateway(server, bench.key()) as client:
        stream = await client.responses.create(
            model="gpt-4o", input="Name the causes.", max_output_tokens=60, stream=True
        )
        events = [event async for event in stream]
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1]
    assert final.type == "response.completed"
    assert final.response.output_text == deltas
    assert final.response.usage is not None
    assert final.response.usage.output_tokens > 0


async def test_the_clients_own_retry_waits_as_long_as_a_full_deployment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisioned throughput says `retry-after-ms`; the package obeys it to the millisecond and then gets through."""
    bench = Bench()
    bench.one_unit()
    bench.set_policy(IDENTITY + '<set-backend-service backend-id="ptu-swedencentral" />')
    bench.put_backend("ptu-swedencentral", circuitBreaker=None)
    state = bench.world.rooms["openai"].deployment("aoai-contoso-swc-ptu", "gpt-4o")
    rate = state.bucket.tokens_per_minute / 60.0
    state.bucket.admit(bench.world.now, rate * (state.bucket.burst_seconds + 2.5))
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        bench.world.advance(seconds)

    monkeypatch.setattr("openai._base_client.anyio.sleep", wait)
    async with Server(bench.world, driven=False) as server, through_gateway(server, bench.key(), 2) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=40)
    assert answer.usage is not None
    assert [call.response_code for call in bench.calls] == [429, 200]
    assert waited == [pytest.approx(2.5, abs=0.3)]


async def test_an_answer_given_up_on_is_an_error_of_the_client_and_the_gateway_goes_on() -> None:
    bench = Bench()
    async with Server(bench.world, driven=True, speed=0.01) as server, through_gateway(server, bench.key()) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.with_options(timeout=0.3).chat.completions.create(
                model="gpt-4o", messages=MESSAGES, max_tokens=40
            )
        server.set_speed(1000.0)
        answer = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=40)
    assert answer.choices


async def test_the_v1_address_of_an_account_takes_the_plain_client(account: openai.AsyncOpenAI) -> None:
    chat = await account.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=30)
    vectors = await account.embeddings.create(model="text-embedding-3-large", input="one")
    response = await account.responses.create(model="gpt-4o", input="one", max_output_tokens=30)
    models = [model.id async for model in account.models.list()]
    assert chat.usage is not None
    assert len(vectors.data[0].embedding) == 3072
    assert response.output_text
    assert models


async def test_the_v1_address_refuses_another_key(account: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        await account.with_options(api_key="nonsense").models.list()


async def test_a_gateway_api_of_the_v1_form_takes_the_plain_client() -> None:
    """The API is made as an operator would make it: by Resource Manager, with operations, product and policy."""
    world = make_world()
    arm_settings(world).throttling = False
    policy = (
        "<policies><inbound><base />"
        + IDENTITY
        + f'<set-backend-service base-url="https://{account_host("aoai-contoso-swc")}'
        '/openai/v1" /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error>'
        "</policies>"
    )
    properties = {
        "displayName": "v1",
        "path": "ai/v1",
        "protocols": ["https"],
        "subscriptionKeyParameterNames": {"header": "api-key", "query": "subscription-key"},
    }
    operation = {"displayName": "Chat", "method": "POST", "urlTemplate": "/chat/completions"}
    key = world.store.get(f"{SERVICE}/subscriptions/app-support-bot")
    assert key is not None
    async with Server(world, driven=False) as server:
        http = Http(server)
        for path, body in (
            ("apis/v1", {"properties": properties}),
            ("apis/v1/operations/chat", {"properties": operation}),
            ("apis/v1/policies/policy", {"properties": {"format": "rawxml", "value": policy}}),
            ("products/genai/apis/v1", None),
        ):
            status, _, answer = await http("PUT", f"{SERVICE}/{path}?{VERSION}", body)
            assert status in (200, 201), answer
            world.advance(30)
        base_url = f"{server.base_url}/hosts/{GATEWAY_HOST}/ai/v1"
        headers = {"api-key": str(key.hidden["primaryKey"])}
        async with openai.AsyncOpenAI(
            base_url=base_url, api_key="unused", default_headers=headers, max_retries=0, timeout=20
        ) as client:
            chat = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=30)
    assert chat.usage is not None
