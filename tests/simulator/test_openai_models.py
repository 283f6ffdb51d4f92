"""What an operator relies on: a model refuses, answers and counts as Azure OpenAI does."""

from __future__ import annotations

import json

import pytest

from simulator.names import account_host, account_id
from simulator.network import HttpRequest, HttpResponse
from simulator.openai.models import facts_of
from simulator.openai.prompts import MalformedCall, read_prompt
from simulator.openai.provisioned import ProvisionedBucket
from simulator.openai.standard import StandardLimits
from tests.simulator.gateway_bench import NOW, Bench, chat, json_of

PTU, PAYG = "aoai-contoso-swc-ptu", "aoai-contoso-swc"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def ask(
    bench: Bench, account: str, path: str = "/openai/deployments/gpt-4o/chat/completions", **options: object
) -> HttpResponse:
    resource = bench.world.store.get(account_id(account))
    assert resource is not None
    headers = {"api-key": str(resource.hidden["key1"]), **options.get("headers", {})}  # type: ignore[dict-item]
    body = json.dumps(options.get("body", chat())).encode()
    query = str(options.get("query", "api-version=2024-10-21"))
    method = str(options.get("method", "POST"))
    request = HttpRequest(method, account_host(account), path, query, headers, body, "outside")
    return bench.world.run(bench.world.network.send(request))


def test_a_bucket_refuses_when_full_and_says_when_it_will_not_be() -> None:
    bucket = ProvisionedBucket(60_000, burst_seconds=30)
    assert bucket.admit(NOW, 29_000) is None
    assert bucket.admit(NOW, 5_000) is None, "a call may carry utilization past 100 %"
    wait = bucket.admit(NOW, 1_000)
    assert wait == pytest.approx(4.0)
    assert bucket.admit(NOW + 4.1, 1_000) is None


def test_a_bucket_gives_back_what_the_estimate_took_too_much() -> None:
    bucket = ProvisionedBucket(60_000, burst_seconds=30)
    bucket.admit(NOW, 40_000)
    assert bucket.admit(NOW, 1) is not None
    bucket.correct(NOW, -35_000)
    assert bucket.admit(NOW, 1) is None


def test_utilization_of_a_minute_is_admitted_cost_over_capacity() -> None:
    bucket = ProvisionedBucket(60_000)
    minute = int(NOW // 60) * 60
    bucket.admit(minute + 5, 30_000)
    bucket.correct(minute + 25, -6_000)
    average, maximum, minimum = bucket.take_minute(minute)
    assert average == pytest.approx(0.4)
    assert maximum == pytest.approx(3.0)
    assert minimum == 0.0


def test_a_full_provisioned_deployment_answers_429_with_retry_after_and_never_x_ratelimit(bench: Bench) -> None:
    big = chat("x" * 400_000, 12_000)
    first = ask(bench, PTU, body=chat())
    assert first.status == 200
    outcomes = [bench.start(_to(bench, PTU, big)) for _ in range(3)]
    bench.world.advance(0.01)
    refused = ask(bench, PTU)
    assert refused.status == 429
    assert int(refused.headers["retry-after-ms"]) > 0
    assert int(refused.headers["retry-after"]) == -(-int(refused.headers["retry-after-ms"]) // 1000)
    assert not [name for name in (*first.headers, *refused.headers) if name.startswith("x-ratelimit")]
    assert json_of(refused)["error"]["code"] == "429"
    bench.world.advance(int(refused.headers["retry-after-ms"]) / 1000 + 120)
    assert all(outcomes)
    assert ask(bench, PTU).status == 200


def _to(bench: Bench, account: str, body: dict[str, object]) -> HttpRequest:
    resource = bench.world.store.get(account_id(account))
    assert resource is not None
    headers = {"api-key": str(resource.hidden["key1"])}
    path = "/openai/deployments/gpt-4o/chat/completions"
    return HttpRequest(
        "POST", account_host(account), path, "api-version=2024-10-21", headers, json.dumps(body).encode()
    )


def test_pay_as_you_go_counts_the_estimate_on_arrival_and_forgets_it_after_a_minute() -> None:
    limits = StandardLimits(10_000, 600)
    assert limits.admit(NOW, 6_000) is None
    refusal = limits.admit(NOW + 1, 6_000)
    assert refusal is not None
    assert refusal.what == "token rate limit"
    assert refusal.retry_after_seconds == pytest.approx(59)
    assert limits.admit(NOW + 60, 6_000) is None


def test_pay_as_you_go_counts_requests_in_ten_second_windows_refused_ones_too() -> None:
    limits = StandardLimits(10_000_000, 60)
    outcomes = [limits.admit(NOW, 1) for _ in range(12)]
    assert [o is None for o in outcomes] == [True] * 10 + [False] * 2
    assert outcomes[-1] is not None
    assert outcomes[-1].what == "call rate limit"
    assert limits.admit(NOW + 10, 1) is None


def test_pay_as_you_go_tells_what_is_left(bench: Bench) -> None:
    answer = ask(bench, PAYG)
    assert answer.headers["x-ratelimit-limit-tokens"] == "300000"
    assert 0 < int(answer.headers["x-ratelimit-remaining-tokens"]) < 300_000
    assert int(answer.headers["x-ratelimit-remaining-requests"]) >= 0


def test_a_lowered_limit_shows_in_the_headers(bench: Bench) -> None:
    state = bench.world.rooms["openai"].deployment(PAYG, "gpt-4o")
    state.limits.limit_factor = 0.5
    assert ask(bench, PAYG).headers["x-ratelimit-limit-tokens"] == "150000"


def test_an_answer_carries_usage_that_the_telemetry_repeats(bench: Bench) -> None:
    answer = ask(bench, PAYG)
    usage = json_of(answer)["usage"]
    told = bench.model_calls[-1]
    assert (told.prompt_tokens, told.completion_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert told.completed_at > told.arrived_at
    assert told.status == 200


def test_a_stream_ends_with_done_and_brings_usage_when_asked(bench: Bench) -> None:
    answer = ask(bench, PAYG, body=chat(stream=True, stream_options={"include_usage": True}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.chunks is not None
    assert b"".join(part for _, part in answer.chunks) == answer.body
    times = [seconds for seconds, _ in answer.chunks]
    assert times == sorted(times)
    events = [line[6:] for line in answer.body.decode().split("\n\n") if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    last = json.loads(events[-2])
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0
    told_early = len(bench.model_calls)
    bench.world.advance(60)
    assert len(bench.model_calls) == told_early + 1, "a streamed call is counted when its last token left"


def test_a_stream_without_the_option_says_nothing_of_usage(bench: Bench) -> None:
    assert b'"usage":{' not in ask(bench, PAYG, body=chat(stream=True)).body


def test_embeddings_have_the_models_own_length(bench: Bench) -> None:
    path = "/openai/deployments/text-embedding-3-large/embeddings"
    answer = ask(bench, PAYG, path, body={"input": ["one", "two"]})
    data = json_of(answer)["data"]
    assert [len(row["embedding"]) for row in data] == [3072, 3072]


def test_responses_and_v1_routes_take_the_deployment_from_the_body(bench: Bench) -> None:
    body = {"model": "gpt-4o", "input": "hello", "max_output_tokens": 40}
    for path, query in (("/openai/responses", "api-version=2025-04-01-preview"), ("/openai/v1/responses", "")):
        answer = ask(bench, PAYG, path, body=body, query=query)
        assert json_of(answer)["usage"]["output_tokens"] > 0
    answer = ask(bench, PAYG, "/openai/v1/chat/completions", body={**chat(), "model": "gpt-4o"}, query="")
    assert answer.status == 200


def test_the_models_list_costs_no_tokens_and_lists_no_deployments(bench: Bench) -> None:
    answer = ask(bench, PAYG, "/openai/models", method="GET")
    assert {"gpt-4o", "text-embedding-3-large"} <= {row["id"] for row in json_of(answer)["data"]}
    assert bench.model_calls == []


@pytest.mark.parametrize(
    ("path", "options", "status", "code"),
    [
        ("/openai/deployments/gpt-9/chat/completions", {}, 404, "DeploymentNotFound"),
        ("/openai/deployments/gpt-4o/chat/completions", {"query": ""}, 404, "404"),
        ("/openai/deployments/gpt-4o/chat/nonsense", {}, 404, "404"),
        ("/openai/deployments/gpt-4o/chat/completions", {"headers": {"api-key": "wrong"}}, 401, "401"),
        ("/openai/deployments/gpt-4o/chat/completions", {"body": {"max_tokens": 3}}, 400, "BadRequest"),
        ("/openai/deployments/gpt-4o/embeddings", {"body": {"input": "x"}}, 400, "OperationNotSupported"),
    ],
)
def test_errors_look_like_azure_openais(
    bench: Bench, path: str, options: dict[str, object], status: int, code: str
) -> None:
    answer = ask(bench, PAYG, path, **options)
    assert (answer.status, json_of(answer)["error"]["code"]) == (status, code)


def test_a_deployment_deleted_or_scaled_in_the_store_is_so_at_once(bench: Bench) -> None:
    resource_id = f"{account_id(PTU)}/deployments/gpt-4o"
    resource = bench.world.store.get(resource_id)
    assert resource is not None
    bench.world.store.put(
        resource_id, resource.type, {**resource.body, "sku": {"name": "ProvisionedManaged", "capacity": 50}}
    )
    state = bench.world.rooms["openai"].deployment(PTU, "gpt-4o")
    assert state.bucket.tokens_per_minute == 50 * facts_of("gpt-4o").input_tokens_per_minute_per_ptu
    bench.world.store.delete(resource_id)
    assert ask(bench, PTU).status == 404


def test_native_spillover_answers_200_from_the_standard_deployment_and_says_so(bench: Bench) -> None:
    base = f"{account_id(PTU)}/deployments"
    provisioned = bench.world.store.get(f"{base}/gpt-4o")
    assert provisioned is not None
    standard = {**provisioned.body, "sku": {"name": "Standard", "capacity": 300}}
    bench.world.store.put(f"{base}/gpt-4o-standard", provisioned.type, standard)
    with_property = {**provisioned.properties, "spilloverDeploymentName": "gpt-4o-standard"}
    bench.world.store.put(f"{base}/gpt-4o", provisioned.type, {**provisioned.body, "properties": with_property})
    bench.start(_to(bench, PTU, chat("x" * 400_000, 12_000)))
    answer = ask(bench, PTU)
    assert answer.status == 200
    assert answer.headers["x-ms-spillover-from-deployment"] == "gpt-4o"
    assert answer.headers["x-ms-spillover-error"] == "429"
    assert answer.headers["x-ms-deployment-name"] == "gpt-4o-standard"
    spilled = [call for call in bench.model_calls if call.is_spillover]
    assert [call.deployment for call in spilled] == ["gpt-4o-standard"]


def test_prompts_are_measured_and_bad_bodies_named() -> None:
    assert read_prompt(json.dumps(chat("x" * 400)).encode(), "chat").prompt_tokens == 107
    assert read_prompt(b'{"input": [1, 2, 3]}', "embeddings").prompt_tokens == 3
    with pytest.raises(MalformedCall, match="parse the JSON"):
        read_prompt(b"nonsense", "chat")
