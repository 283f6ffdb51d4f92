"""What the C# of the policies decides, request by request: who gets the traffic, who yields, what is recorded."""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from apimpolicy.document import (
    Element,
    Text,
    expression_of,
    parse,
    print_document,
    same_meaning,
    substitute_named_values,
)
from apimpolicy.expressions import compile_expression
from apimpolicy.expressions.context import (
    Api,
    Body,
    Headers,
    LastError,
    Operation,
    PolicyContext,
    Request,
    Response,
    Subscription,
    Url,
)
from tests.accelerator.accelerator_files import PolicyFile, policy_files

FILES = {file.path.name: file for kind in ("fragment", "policy") for file in policy_files(kind)}
BACKENDS = ("ptuEndpoint1", "paygEndpoint1", "paygEndpoint2")
DRAIN_AWARE = {
    "simple-round-robin": "routed-backend",
    "weighted-round-robin": "routed-backend",
    "retry-with-payg": "route",
    "latency-routing": "route",
}
NAMED_VALUES = {
    "drained-backends": "none",
    "low-priority-subscriptions": "batch, nightly",
    "prioritization-tokens-per-minute": "100000",
    "prioritization-reserve-percent": "30",
    "token-limit-tokens-per-minute": "10000",
    "token-limit-monthly-quota": "10000000",
    "usage-tracking-streams": "pass-through",
}
RANDOM = random.Random(20261122)


def elements(node: Element) -> Iterator[Element]:
    yield node
    for child in node.elements:
        yield from elements(child)


def root(file: PolicyFile, **named_values: str) -> Element:
    """The document with its named values put in; `drained_backends` stands for `drained-backends`."""
    values = NAMED_VALUES | {name.replace("_", "-"): value for name, value in named_values.items()}
    return parsed(substitute_named_values(file.text, values))


@functools.cache
def parsed(text: str) -> Element:
    return parse(text).root


def value_of(source: str, context: PolicyContext, element: Element) -> Any:
    """A literal as it is, an expression's value for this request."""
    expression = expression_of(source, element.position)
    if expression is None:
        return source
    return compile_expression(expression.text, kind=expression.kind).evaluate(context)


def set_variable(fragment: str, variable: str, context: PolicyContext, **named_values: str) -> Any:
    """Evaluates the fragment's `set-variable` of that name and keeps the value, as the gateway would."""
    (element,) = [
        e
        for e in elements(root(FILES[f"{fragment}.fragment.xml"], **named_values))
        if e.name == "set-variable" and e.get("name") == variable
    ]
    context.variables[variable] = value_of(element.get("value") or "", context, element)
    return context.variables[variable]


def condition(file: str, context: PolicyContext, number: int = 0, name: str = "when", **named_values: str) -> bool:
    found = [e for e in elements(root(FILES[file], **named_values)) if e.name == name]
    value = value_of(found[number].get("condition") or "", context, found[number])
    assert isinstance(value, bool)
    return value


def request(
    *,
    headers: dict[str, str] | None = None,
    body: Any = None,
    response: Response | None = None,
    subscription: str | None = "app",
    last_error: LastError | None = None,
) -> PolicyContext:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return PolicyContext(
        Request(
            "POST",
            Url.parse("https://gateway.example/openai/deployments/gpt-4o/chat/completions"),
            Headers(({"Content-Type": "application/json"} | (headers or {})).items()),
            Body(content),
            ip_address="10.0.0.1",
            matched_parameters={"deployment-id": "gpt-4o"},
        ),
        response=response,
        api=Api(id="azure-openai", name="Azure OpenAI"),
        operation=Operation(id="chat-completions"),
        subscription=Subscription(id=subscription) if subscription else None,
        last_error=last_error,
        request_id=uuid.UUID(int=RANDOM.getrandbits(128), version=4),
        timestamp=datetime(2026, 11, 22, 12, tzinfo=UTC),
        random=RANDOM,
    )


def answer(status: int, headers: dict[str, str] | None = None, body: Any = None) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return Response(status, "", Headers((headers or {}).items()), Body(content))


def routed(fragment: str, drained: str, cache: dict[str, str] | None = None) -> list[str]:
    """The backends one request would be sent to, in order, were each to refuse it."""
    context = request()
    if fragment == "simple-round-robin":
        memory = {} if cache is None else cache
        context.variables["round-robin-last-turn"] = memory.get("turn")
        memory["turn"] = set_variable(fragment, "round-robin-turn", context, drained_backends=drained)
    value = set_variable(fragment, DRAIN_AWARE[fragment], context, drained_backends=drained)
    assert isinstance(value, str)
    return value.split(",") if value else []


# --- every file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_file_parses_and_prints_back_to_the_same_meaning(name: str) -> None:
    document = parse(FILES[name].text)
    assert same_meaning(parse(print_document(document)), document)


@pytest.mark.parametrize("name", FILES)
def test_every_expression_compiles(name: str) -> None:
    for element in elements(root(FILES[name])):
        sources = [(a.value, a.value_position) for a in element.attributes]
        sources += [(child.value, child.position) for child in element.children if isinstance(child, Text)]
        for source, position in sources:
            expression = expression_of(source, position)
            if expression is not None:
                compile_expression(expression.text, kind=expression.kind, position=expression.position)
            else:
                assert "@(" not in source
                assert "@{" not in source


# --- balancing -------------------------------------------------------------------------------------------------------


def test_a_weighted_balance_keeps_its_shares_over_five_thousand_requests() -> None:
    counts = Counter(routed("weighted-round-robin", "none")[0] for _ in range(5_000))
    for name, share in zip(BACKENDS, (0.6, 0.3, 0.1), strict=True):
        assert abs(counts[name] / 5_000 - share) < 0.03


def test_the_shares_of_a_drained_backend_go_to_the_others_in_proportion() -> None:
    counts = Counter(routed("weighted-round-robin", "ptuEndpoint1")[0] for _ in range(3_000))
    assert abs(counts["paygEndpoint1"] / 3_000 - 0.75) < 0.03


def test_round_robin_takes_turns_while_the_cache_remembers() -> None:
    cache: dict[str, str] = {}
    taken = [routed("simple-round-robin", "none", cache)[0] for _ in range(30)]
    assert all(set(taken[at : at + 3]) == set(BACKENDS) for at in range(0, 30, 3))


def test_round_robin_stays_fair_without_a_cache() -> None:
    counts = Counter(routed("simple-round-robin", "none")[0] for _ in range(3_000))
    assert all(abs(counts[name] / 3_000 - 1 / 3) < 0.03 for name in BACKENDS)


# --- draining --------------------------------------------------------------------------------------------------------

SUBSETS = [s for size in range(1, 4) for s in itertools.combinations(BACKENDS, size)]


@pytest.mark.parametrize("fragment", DRAIN_AWARE)
@pytest.mark.parametrize("drained", SUBSETS, ids="+".join)
def test_a_drained_backend_is_never_chosen_however_the_list_is_written(fragment: str, drained: tuple[str, ...]) -> None:
    for text in (",".join(drained), " , ".join(name.upper() for name in drained), f"gone,{','.join(drained)}"):
        for _ in range(20):
            chosen = routed(fragment, text)
            assert not set(chosen) & set(drained)
            assert bool(chosen) is (len(drained) < 3)


@pytest.mark.parametrize("fragment", DRAIN_AWARE)
def test_when_everything_is_drained_the_caller_is_told_so(fragment: str) -> None:
    context = request()
    context.variables[DRAIN_AWARE[fragment]] = ""
    file = f"{fragment}.fragment.xml"
    number = 1 if fragment == "latency-routing" else 0
    assert condition(file, context, number)
    when = [e for e in elements(root(FILES[file])) if e.name == "when"][number]
    body = next(e for e in elements(when) if e.name == "set-body").text_content
    assert json.loads(body)["statusCode"] == 503


def test_a_backend_whose_name_holds_a_drained_name_is_not_drained() -> None:
    assert "paygEndpoint1" in routed("retry-with-payg", "paygEndpoint,ptu,paygEndpoint10")


def test_every_fragment_that_names_backends_is_among_those_tested_here() -> None:
    naming = {f.name for f in policy_files("fragment") if f.header.get("expects-backend")}
    assert naming == set(DRAIN_AWARE)


# --- going on --------------------------------------------------------------------------------------------------------


def test_provisioned_throughput_comes_first_and_pay_as_you_go_shares_the_spill() -> None:
    routes = [routed("retry-with-payg", "none") for _ in range(1_000)]
    assert {route[0] for route in routes} == {"ptuEndpoint1"}
    assert all(sorted(route) == sorted(BACKENDS) for route in routes)
    assert abs(Counter(route[1] for route in routes)["paygEndpoint1"] / 1_000 - 0.5) < 0.06


@pytest.mark.parametrize("fragment", ["retry-with-payg", "latency-routing"])
def test_a_refused_request_goes_on_until_the_route_is_used_up(fragment: str) -> None:
    context = request(response=answer(429))
    tried = []
    for _ in range(10):
        set_variable(fragment, "route", context)
        tried.append(set_variable(fragment, "routed-backend", context))
        if not condition(f"{fragment}.fragment.xml", context, name="retry"):
            break
    assert sorted(tried) == sorted(BACKENDS)


@pytest.mark.parametrize("fragment", ["retry-with-payg", "latency-routing", "retry-with-payg-pool", "resilient-pool"])
@pytest.mark.parametrize(
    ("response", "again"),
    [
        (answer(200), False),
        (answer(400), False),
        (answer(404), False),
        (answer(429), True),
        (answer(500), True),
        (answer(503), True),
        (None, True),
    ],
    ids=["200", "400", "404", "429", "500", "503", "no answer"],
)
def test_refusals_and_failures_are_tried_again_and_nothing_else(
    fragment: str, response: Response | None, again: bool
) -> None:
    context = request(response=response)
    context.variables["route"] = "ptuEndpoint1,paygEndpoint1"
    assert condition(f"{fragment}.fragment.xml", context, name="retry") is again


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (None, ["ptuEndpoint1", "paygEndpoint1", "paygEndpoint2"]),
        ("paygEndpoint2,ptuEndpoint1", ["paygEndpoint2", "ptuEndpoint1", "paygEndpoint1"]),
        ("gone, paygEndpoint1 ,paygEndpoint1", ["paygEndpoint1", "ptuEndpoint1", "paygEndpoint2"]),
    ],
)
def test_the_fastest_goes_first_in_the_order_that_was_set(measured: str | None, expected: list[str]) -> None:
    context = request()
    context.variables["latency-order"] = measured
    assert set_variable("latency-routing", "route", context) == ",".join(expected)


@pytest.mark.parametrize(
    ("body", "order", "seconds"),
    [
        ({"order": ["paygEndpoint2", "ptuEndpoint1"], "seconds": 60}, "paygEndpoint2,ptuEndpoint1", 60),
        ({"order": ["paygEndpoint2"]}, "paygEndpoint2", 600),
        ({"order": ["paygEndpoint2"], "seconds": 10**6}, "paygEndpoint2", 86_400),
        ({"order": ["paygEndpoint2", "else"]}, "", 600),
        ({"order": []}, "", 600),
        ({}, "", 600),
        (b"no json", "", 600),
    ],
)
def test_the_latency_order_takes_known_names_only(body: Any, order: str, seconds: int) -> None:
    context = request(body=body)
    for element in elements(root(FILES["latency-order.policy.xml"])):
        if element.name == "set-variable":
            context.variables[element.get("name") or ""] = value_of(element.get("value") or "", context, element)
    assert context.variables["new-order"] == order
    assert context.variables["order-seconds"] == seconds


def test_the_shortest_wait_any_member_named_is_kept_for_the_caller() -> None:
    context = request()
    for response, kept in (
        (answer(429, {"retry-after-ms": "21400", "Retry-After": "22"}), "22"),
        (answer(500), "22"),
        (answer(429, {"Retry-After": "3"}), "3"),
        (answer(429, {"Retry-After": "9"}), "3"),
        (answer(200, {"Retry-After": "1"}), "3"),
    ):
        context.response = response
        assert set_variable("resilient-pool", "shortest-wait-seconds", context) == kept


# --- yielding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fragment", ["prioritization-calculating", "prioritization-tracking"])
@pytest.mark.parametrize(
    ("headers", "subscription", "low"),
    [
        ({}, "app", False),
        ({"x-priority": "LOW"}, "app", True),
        ({"x-priority": "high"}, "app", False),
        ({}, "nightly", True),
        ({}, None, False),
    ],
)
def test_low_priority_is_volunteered_or_listed(
    fragment: str, headers: dict[str, str], subscription: str | None, low: bool
) -> None:
    assert set_variable(fragment, "low-priority", request(headers=headers, subscription=subscription)) is low


@pytest.mark.parametrize(("low", "left", "yields"), [(True, 29_999, True), (True, 30_000, False), (False, 0, False)])
def test_callers_of_low_priority_yield_below_the_reserve(low: bool, left: int, yields: bool) -> None:
    calculating = request()
    calculating.variables |= {"low-priority": low, "remaining-tokens": left}
    assert condition("prioritization-calculating.fragment.xml", calculating) is yields
    tracking = request()
    tracking.variables |= {"low-priority": low, "headroom-percent": str(left // 1_000)}
    assert condition("prioritization-tracking.fragment.xml", tracking) is yields


def test_nobody_yields_while_nothing_is_known() -> None:
    context = request()
    context.variables |= {"low-priority": True, "headroom-percent": None}
    assert not condition("prioritization-tracking.fragment.xml", context)


@pytest.mark.parametrize(
    ("response", "headroom"),
    [
        (answer(429), "0"),
        (answer(200), ""),
        (answer(200, {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "259"}), "25"),
        (
            answer(
                200,
                {
                    "x-ratelimit-limit-tokens": "1000",
                    "x-ratelimit-remaining-tokens": "900",
                    "x-ratelimit-limit-requests": "10",
                    "x-ratelimit-remaining-requests": "1",
                },
            ),
            "10",
        ),
        (answer(200, {"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "-1"}), ""),
    ],
)
def test_the_smaller_share_of_tokens_and_requests_is_what_is_left(response: Response, headroom: str) -> None:
    found = set_variable("prioritization-tracking-record", "observed-headroom-percent", request(response=response))
    assert found == headroom


def test_a_consumer_is_its_subscription_or_else_its_address() -> None:
    (element,) = [e for e in elements(root(FILES["token-limits.fragment.xml"])) if e.name == "llm-token-limit"]
    key = element.get("counter-key") or ""
    assert value_of(key, request(subscription="app"), element) == "app"
    assert value_of(key, request(subscription=None), element) == "10.0.0.1"


# --- recording -------------------------------------------------------------------------------------------------------

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


def record(context: PolicyContext, streams: str = "pass-through") -> dict[str, Any]:
    file = FILES["usage-tracking-record.fragment.xml"]
    (element,) = [e for e in elements(root(file, usage_tracking_streams=streams)) if e.name == "log-to-eventhub"]
    text = value_of(element.text_content.strip(), context, element)
    assert isinstance(text, str)
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_record_says_who_called_what_and_what_it_took() -> None:
    context = request(response=answer(200, body={"usage": USAGE}))
    context.variables |= {"streamed": False, "routed-backend": "paygEndpoint1"}
    found = record(context)
    assert (found["promptTokens"], found["completionTokens"], found["totalTokens"]) == (12, 5, 17)
    assert (found["subscription"], found["backend"], found["deployment"]) == ("app", "paygEndpoint1", "gpt-4o")
    assert found["status"] == 200
    assert found["requestId"] == str(context.request_id)
    assert re.match(r"2026-11-22T12:00:00", found["time"])


@pytest.mark.parametrize(
    "response",
    [answer(429), answer(200, body=b"RIFF sound"), answer(200, body={"usage": None}), answer(200, body={}), None],
    ids=["refused", "no json", "null usage", "no usage", "no answer"],
)
def test_counts_that_are_not_known_are_null_and_never_zero(response: Response | None) -> None:
    found = record(request(response=response))
    assert [found[name] for name in ("promptTokens", "completionTokens", "totalTokens")] == [None, None, None]


def test_a_refusal_of_the_gateway_is_recorded_too() -> None:
    error = LastError(source="llm-token-limit", reason="RateLimitExceeded")
    found = record(request(response=answer(429), last_error=error, subscription=None))
    assert (found["status"], found["subscription"]) == (429, None)


STREAM = (
    b'data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}\n\ndata: [DONE]\n\n'
)
RESPONSES_STREAM = (
    b'event: response.completed\ndata: {"response":{"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}\n\n'
)


@pytest.mark.parametrize(
    ("streams", "body", "counts"),
    [
        ("pass-through", STREAM, [None, None, None]),
        ("exact", STREAM, [12, 5, 17]),
        ("exact", RESPONSES_STREAM, [3, 4, 7]),
        ("exact", b"data: [DONE]\n\n", [None, None, None]),
    ],
)
def test_a_stream_is_counted_only_where_it_may_be_read(streams: str, body: bytes, counts: list[int | None]) -> None:
    context = request(response=answer(200, body=body))
    context.variables["streamed"] = True
    found = record(context, streams)
    assert [found[name] for name in ("promptTokens", "completionTokens", "totalTokens")] == counts
    assert found["streamed"] is True
    assert context.response is not None
    assert context.response.body is not None
    assert not context.response.body.consumed


@pytest.mark.parametrize(
    ("body", "headers", "streamed"),
    [
        ({"stream": True}, {}, True),
        ({"stream": False}, {}, False),
        ({"messages": []}, {}, False),
        (b"[1]", {}, False),
        (b"not json", {}, False),
        (b"--boundary", {"Content-Type": "multipart/form-data"}, False),
    ],
)
def test_a_stream_is_recognised_and_the_body_stays_for_the_model(
    body: Any, headers: dict[str, str], streamed: bool
) -> None:
    context = request(body=body, headers=headers)
    assert set_variable("usage-tracking", "streamed", context) is streamed
    assert context.request.body is not None
    assert not context.request.body.consumed


def test_an_exact_stream_is_asked_for_its_usage_and_keeps_its_other_options() -> None:
    context = request(body={"model": "x", "stream": True, "stream_options": {"other": 1}})
    context.variables["streamed"] = True
    file = "usage-tracking.fragment.xml"
    assert condition(file, context, usage_tracking_streams="exact")
    assert not condition(file, context)
    (element,) = [e for e in elements(root(FILES[file])) if e.name == "set-body"]
    sent = json.loads(value_of(element.text_content.strip(), context, element))
    assert sent == {"model": "x", "stream": True, "stream_options": {"other": 1, "include_usage": True}}


@pytest.mark.parametrize(
    ("status", "error", "counted", "by"),
    [(429, None, True, "model"), (200, None, False, None), (429, "x", True, "gateway")],
)
def test_every_429_is_counted_with_who_refused(status: int, error: str | None, counted: bool, by: str | None) -> None:
    context = request(response=answer(status), last_error=LastError(reason=error) if error else None)
    assert condition("throttling-events.fragment.xml", context) is counted
    if by:
        file = FILES["throttling-events.fragment.xml"]
        (element,) = [e for e in elements(root(file)) if e.get("name") == "Refused by"]
        assert value_of(element.get("value") or "", context, element) == by
