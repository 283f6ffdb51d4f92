"""What an operator relies on: the official client talks to the simulated gateway as it does to the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import openai
import pytest

from simulator.names import GATEWAY_HOST, account_host
from simulator.network import HostFault
from simulator.server import Server
from tests.simulator.gateway_bench import API_ROUTE, IDENTITY, Bench


@dataclass
class Running:
    bench: Bench
    server: Server

    def client(self, *, key: str | None = None, retries: int = 0) -> openai.AsyncAzureOpenAI:
        return openai.AsyncAzureOpenAI(
            base_url=f"{self.server.base_url}/hosts/{GATEWAY_HOST}/openai",
            api_key=key or self.bench.key(),
            api_version="2024-10-21",
            max_retries=retries,
            timeout=20,
        )


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    bench = Bench()
    server = Server(bench.world, driven=False)
    await server.start()
    try:
        yield Running(bench, server)
    finally:
        await server.stop()


MESSAGES = [{"role": "user", "content": "Name the causes."}]


async def test_a_chat_completion_comes_with_usage(running: Running) -> None:
    async with running.client() as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=80)  # type: ignore[arg-type]
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens == running.bench.model_calls[-1].completion_tokens
    assert answer.model == "gpt-4o-2024-11-20"


async def test_a_stream_brings_text_and_then_usage(running: Running) -> None:
    running.bench.set_policy(IDENTITY + API_ROUTE, '<forward-request buffer-response="false" />')
    async with running.client() as client:
        stream = await client.chat.completions.create(  # type: ignore[call-overload]
            model="gpt-4o", messages=MESSAGES, max_tokens=120, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text) > 20
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == pytest.approx(len(text) / 4, abs=1)


async def test_embeddings_come_as_vectors(running: Running) -> None:
    async with running.client() as client:
        answer = await client.embeddings.create(
            model="text-embedding-3-large", input=["one", "two"], encoding_format="float"
        )
    assert [len(row.embedding) for row in answer.data] == [3072, 3072]


async def test_a_response_of_the_responses_api_is_read(running: Running) -> None:
    async with running.client() as client:
        answer = await client.responses.create(model="gpt-4o", input="Name the causes.", max_output_tokens=60)
    assert answer.output_text
    assert answer.usage is not None
    assert running.bench.calls[-1].operation_id == "Responses_Create"
    assert running.bench.calls[-1].llm is not None
    assert running.bench.calls[-1].llm.completion_tokens == answer.usage.output_tokens


async def test_a_refusal_is_the_clients_own_rate_limit_error_with_its_headers(running: Running) -> None:
    running.bench.set_policy(IDENTITY + '<set-backend-service backend-id="payg-legacy" />')
    state = running.bench.world.rooms["openai"].deployment("aoai-contoso-frc", "gpt-4o")
    state.limits.limit_factor = 0.0001
    async with running.client() as client:
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=80)  # type: ignore[arg-type]
    assert refused.value.code == "429"
    assert int(refused.value.response.headers["retry-after-ms"]) > 0
    assert "x-ratelimit-remaining-tokens" in refused.value.response.headers


async def test_the_clients_own_retry_gets_through(running: Running) -> None:
    running.bench.one_unit()
    running.bench.set_policy(IDENTITY + API_ROUTE, "<forward-request />")
    running.bench.world.network.faults[account_host("aoai-contoso-swc-ptu")] = HostFault(status=429)
    async with running.client(retries=2) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=80)  # type: ignore[arg-type]
    assert answer.usage is not None
    assert [call.response_code for call in running.bench.calls] == [429, 200]


async def test_a_wrong_key_and_an_error_made_by_the_gateway_have_no_code(running: Running) -> None:
    async with running.client(key="nonsense") as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[arg-type]
    assert refused.value.code is None
    assert refused.value.response.json()["statusCode"] == 401
