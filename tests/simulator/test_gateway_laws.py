"""What an operator relies on: pools, breakers, units, keys and errors of the gateway behave as API Management's do."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.gateway.breakers import Breaker, BreakerRule, parse_duration, retry_after_seconds
from simulator.gateway.pools import Member, PoolBalancer
from simulator.names import GATEWAY_HOST, SERVICE, account_host, account_id
from simulator.network import HostFault, HttpRequest
from tests.simulator.gateway_bench import API_ROUTE, CHAT, IDENTITY, NOW, Bench, json_of

ROUTE = IDENTITY + API_ROUTE


@pytest.fixture
def bench() -> Bench:
    return Bench()


def rule(count: int = 1, **changes: object) -> BreakerRule:
    fields = {
        "name": "b",
        "count": count,
        "percentage": None,
        "interval_seconds": 60.0,
        "status_ranges": ((429, 429), (500, 503)),
        "error_reasons": frozenset({"Server errors"}),
        "trip_seconds": 60.0,
        "accept_retry_after": True,
    }
    return BreakerRule(**{**fields, **changes})  # type: ignore[arg-type]


# -- breakers ------------------------------------------------------------------------------------------------


def test_a_breaker_opens_at_its_count_and_resets_after_its_trip() -> None:
    breaker = Breaker(rule(3))
    assert not breaker.record(NOW, 500, None, None)
    assert not breaker.record(NOW + 1, 500, None, None)
    assert breaker.record(NOW + 2, 500, None, None)
    assert breaker.is_open(NOW + 61)
    assert not breaker.is_open(NOW + 62)
    assert not breaker.record(NOW + 63, 500, None, None), "it counts anew: there is no half-open state"


def test_failures_older_than_the_interval_do_not_count() -> None:
    breaker = Breaker(rule(2))
    breaker.record(NOW, 500, None, None)
    assert not breaker.record(NOW + 61, 500, None, None)


def test_retry_after_replaces_the_trip_duration_only_when_accepted() -> None:
    accepting, stubborn = Breaker(rule()), Breaker(rule(accept_retry_after=False))
    accepting.record(NOW, 429, None, "7")
    stubborn.record(NOW, 429, None, "7")
    assert accepting.open_until == NOW + 7
    assert stubborn.open_until == NOW + 60


def test_a_retry_after_of_zero_leaves_the_breaker_closed() -> None:
    breaker = Breaker(rule())
    assert not breaker.record(NOW, 429, None, "0")
    assert not breaker.is_open(NOW)


def test_no_answer_counts_when_server_errors_are_listed() -> None:
    assert Breaker(rule()).record(NOW, None, "Timeout", None)
    assert not Breaker(rule(error_reasons=frozenset())).record(NOW, None, "Timeout", None)


def test_a_percentage_is_judged_over_the_interval() -> None:
    breaker = Breaker(rule(count=None, percentage=50))
    for second in range(6):
        breaker.record(NOW + second, 200, None, None)
    outcomes = [breaker.record(NOW + 10 + second, 500, None, None) for second in range(6)]
    assert outcomes == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT1M", 60), ("PT1H30M", 5400), ("P1D", 86400), ("00:01:30", 90), ("PT0.5S", 0.5)]
)
def test_durations_are_iso_or_dotnet(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_retry_after_reads_dates_too_and_ignores_nonsense() -> None:
    assert retry_after_seconds("Wed, 18 Nov 2026 11:07:00 GMT", NOW) is not None
    assert retry_after_seconds("soon", NOW) is None
    assert retry_after_seconds(None, NOW) is None


# -- pools ---------------------------------------------------------------------------------------------------


def test_weights_are_shares_within_a_group() -> None:
    balancer = PoolBalancer([Member("a", 1, 70), Member("b", 1, 30), Member("c", 2, 100)])
    shares = Counter(balancer.choose({}, NOW) for _ in range(1000))
    assert shares == {"a": 700, "b": 300}


def test_without_weights_members_take_turns() -> None:
    balancer = PoolBalancer([Member("a", 0, 0), Member("b", 0, 0), Member("c", 0, 0)])
    assert [balancer.choose({}, NOW) for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_a_lower_group_serves_only_when_every_breaker_above_is_open() -> None:
    members = [Member("ptu-1", 1, 50), Member("ptu-2", 1, 50), Member("payg", 2, 50)]
    breakers = {name: Breaker(rule()) for name in ("ptu-1", "ptu-2", "payg")}
    balancer = PoolBalancer(members)
    breakers["ptu-1"].record(NOW, 429, None, "30")
    assert {balancer.choose(breakers, NOW + 1) for _ in range(10)} == {"ptu-2"}
    breakers["ptu-2"].record(NOW, 429, None, "30")
    assert {balancer.choose(breakers, NOW + 1) for _ in range(10)} == {"payg"}
    breakers["payg"].record(NOW, 429, None, "30")
    assert balancer.choose(breakers, NOW + 1) is None
    assert {balancer.choose(breakers, NOW + 31) for _ in range(10)} == {"ptu-1", "ptu-2"}


def test_failing_members_without_breakers_keep_their_traffic(bench: Bench) -> None:
    bench.one_unit()
    bench.put_backend("ptu-swedencentral", circuitBreaker=None)
    bench.put_backend("ptu-eastus2", circuitBreaker=None)
    bench.set_policy(ROUTE, "<forward-request />")
    for account in ("aoai-contoso-swc-ptu", "aoai-contoso-eus2-ptu"):
        bench.world.network.faults[account_host(account)] = HostFault(status=429)
    assert [bench.call().status for _ in range(6)] == [429] * 6
    assert {call.backend_id for call in bench.calls} == {"ptu-swedencentral", "ptu-eastus2"}


def test_the_refusal_that_trips_a_breaker_is_delivered_and_the_next_call_goes_elsewhere(bench: Bench) -> None:
    bench.one_unit()
    bench.set_policy(ROUTE, "<forward-request />")
    for account in ("aoai-contoso-swc-ptu", "aoai-contoso-eus2-ptu"):
        bench.world.network.faults[account_host(account)] = HostFault(status=429)
    statuses = [bench.call().status for _ in range(4)]
    assert statuses == [429, 429, 200, 200]
    assert {call.backend_id for call in bench.calls[2:]} == {"payg-swedencentral", "payg-westus"}
    assert [event.backend_name for event in bench.breaker_events] == ["ptu-swedencentral", "ptu-eastus2"]
    bench.world.advance(10)
    assert [event.opened for event in bench.breaker_events].count(False) == 2


def test_when_every_breaker_is_open_the_caller_gets_503_in_the_gateways_own_words(bench: Bench) -> None:
    bench.one_unit()
    bench.set_policy(ROUTE.replace("chat-pool", "ptu-swedencentral"), "<forward-request />")
    bench.world.network.faults[account_host("aoai-contoso-swc-ptu")] = HostFault(status=429)
    assert bench.call().status == 429
    answer = bench.call()
    assert answer.status == 503
    assert set(json_of(answer)) == {"statusCode", "message"}
    told = bench.calls[-1]
    assert (told.attempts, told.backend_ms) == ([], 0.0)
    assert told.last_error is not None
    assert (told.last_error.section, told.last_error.source) == ("backend", "forward-request")


def test_units_do_not_share_breakers(bench: Bench) -> None:
    bench.set_policy(ROUTE.replace("chat-pool", "ptu-swedencentral"), "<forward-request />")
    bench.world.network.faults[account_host("aoai-contoso-swc-ptu")] = HostFault(status=429)
    statuses = Counter(bench.call().status for _ in range(20))
    assert statuses[429] == 2, "each of the two units needs its own refusal"
    assert {event.unit for event in bench.breaker_events} == {0, 1}


def test_units_take_turns_each_on_its_own(bench: Bench) -> None:
    bench.set_policy(ROUTE, "<forward-request />")
    for _ in range(200):
        bench.start(bench.request())
    bench.world.advance(30)
    by_unit = Counter((call.unit, call.backend_id) for call in bench.calls)
    for unit in (0, 1):
        assert abs(by_unit[unit, "ptu-swedencentral"] - by_unit[unit, "ptu-eastus2"]) <= 1


# -- keys and routes -----------------------------------------------------------------------------------------


def test_no_key_and_a_wrong_key_are_401_with_apims_words(bench: Bench) -> None:
    missing, wrong = bench.call(key=None), bench.call(key="nonsense")
    assert (missing.status, wrong.status) == (401, 401)
    assert json_of(missing)["message"].startswith("Access denied due to missing subscription key.")
    assert json_of(wrong)["message"].startswith("Access denied due to invalid subscription key.")
    reasons = [call.last_error.reason for call in bench.calls if call.last_error is not None]
    assert reasons == ["SubscriptionKeyNotFound", "SubscriptionKeyInvalid"]
    assert all(call.attempts == [] for call in bench.calls)


def test_the_key_may_stand_in_the_query(bench: Bench) -> None:
    query = f"api-version=2024-10-21&subscription-key={bench.key()}"
    assert bench.call(key=None, query=query).status == 200


def test_a_suspended_subscription_and_one_of_another_product_are_refused(bench: Bench) -> None:
    resource_id = f"{SERVICE}/subscriptions/app-support-bot"
    resource = bench.world.store.get(resource_id)
    assert resource is not None
    suspended = {"properties": {**resource.properties, "state": "suspended"}}
    bench.world.store.put(resource_id, resource.type, suspended)
    other = {"properties": {**resource.properties, "scope": f"{SERVICE}/products/other"}}
    bench.world.store.put(f"{SERVICE}/subscriptions/other", resource.type, other, hidden={"primaryKey": "k" * 32})
    bench.world.advance(10)
    assert bench.call().status == 401
    assert bench.call(key="k" * 32).status == 401


def test_an_unknown_operation_is_404(bench: Bench) -> None:
    for path in ("/openai/deployments/gpt-4o/nonsense", "/nowhere"):
        answer = bench.call(path)
        assert (answer.status, json_of(answer)["message"]) == (404, "Resource not found")
    assert {call.last_error.reason for call in bench.calls if call.last_error} == {"OperationNotFound"}


def test_the_health_path_needs_no_key_and_is_no_request(bench: Bench) -> None:
    probe = HttpRequest("GET", GATEWAY_HOST, "/status-0123456789abcdef", source="outside")
    assert bench.world.run(bench.world.network.send(probe)).status == 200
    assert bench.calls == []


# -- the course of a request ---------------------------------------------------------------------------------


def test_a_call_reaches_the_model_with_the_gateways_identity_and_is_told_once(bench: Bench) -> None:
    answer = bench.call()
    assert answer.status == 200
    told = bench.calls[-1]
    assert told.subscription_name == "app-support-bot"
    assert (told.api_id, told.operation_id, told.product_id) == ("azure-openai", "ChatCompletions_Create", "genai")
    assert told.attempts[-1].backend_url.startswith("https://aoai-contoso-")
    assert told.llm is not None
    assert told.llm.completion_tokens == bench.model_calls[-1].completion_tokens
    assert told.total_ms == pytest.approx((told.completed_at - told.started_at) * 1000)


def test_what_provisioned_throughput_refuses_is_tried_on_pay_as_you_go(bench: Bench) -> None:
    for account in ("aoai-contoso-swc-ptu", "aoai-contoso-eus2-ptu"):
        bench.world.network.faults[account_host(account)] = HostFault(status=429)
    assert bench.call().status == 200
    told = bench.calls[-1]
    assert [attempt.status for attempt in told.attempts] == [429, 200]
    assert told.backend_id.startswith("payg-")


def test_a_role_taken_from_the_identity_shows_as_401_from_the_backend(bench: Bench) -> None:
    bench.service.revoked_accounts.update(account_id(f"aoai-contoso-{n}").lower() for n in ("swc-ptu", "eus2-ptu"))
    answer = bench.call()
    assert answer.status == 401
    assert json_of(answer)["error"]["code"] == "PermissionDenied"
    assert bench.calls[-1].attempts[-1].status == 401


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (HostFault(failure="refused"), "BackendConnectionFailure"),
        (HostFault(failure="dns"), "BackendConnectionFailure"),
        (HostFault(failure="timeout"), "Timeout"),
        (HostFault(delay_seconds=90), "Timeout"),
    ],
)
def test_a_backend_that_gives_no_answer_is_500_with_a_reason(bench: Bench, fault: HostFault, reason: str) -> None:
    bench.set_policy(ROUTE.replace("chat-pool", "payg-legacy"), '<forward-request timeout="20" />')
    bench.world.network.faults[account_host("aoai-contoso-frc")] = fault
    assert bench.call().status == 500
    told = bench.calls[-1]
    assert told.last_error is not None
    assert told.last_error.reason == reason
    assert told.attempts[-1].status is None
    assert told.total_ms <= 20_000


def test_a_stream_passes_through_unless_buffered_and_its_time_counts(bench: Bench) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 200, "stream": True}
    buffered = bench.call(body=body)
    assert buffered.chunks is None
    bench.set_policy(ROUTE, '<forward-request buffer-response="false" />')
    passed = bench.call(body=body)
    assert passed.chunks is not None
    told_before = len(bench.calls)
    bench.world.advance(60)
    assert len(bench.calls) == told_before + 1
    assert bench.calls[-1].total_ms > 1000 * passed.chunks[-1][0]


def test_a_backend_named_by_a_fragment_is_reached_past_every_pool(bench: Bench) -> None:
    assert bench.call("/legacy/deployments/gpt-4o/chat/completions").status == 200
    assert bench.calls[-1].backend_id == "payg-legacy"
    assert bench.calls[-1].fragments == ("authenticate-to-models", "old-route")


# -- configuration -------------------------------------------------------------------------------------------


def test_a_write_reaches_each_unit_seconds_later_and_not_at_the_same_moment(bench: Bench) -> None:
    before = [unit.configuration.version for unit in bench.service.units]
    bench.world.store.put(
        f"{SERVICE}/namedValues/drained-backends",
        "Microsoft.ApiManagement/service/namedValues",
        {"properties": {"displayName": "drained-backends", "value": "payg-westus"}},
    )
    bench.world.advance(1.9)
    assert [unit.configuration.version for unit in bench.service.units] == before
    reached: dict[int, float] = {}
    for _ in range(100):
        bench.world.advance(0.1)
        for unit in bench.service.units:
            if unit.configuration.named_values["drained-backends"] == "payg-westus":
                reached.setdefault(unit.number, bench.world.now)
    assert len(reached) == 2
    assert reached[0] != reached[1]


def test_a_request_in_flight_finishes_on_the_configuration_it_began_with(bench: Bench) -> None:
    outcome = bench.start(bench.request(body={"messages": [{"role": "user", "content": "x"}], "max_tokens": 9000}))
    text = "<policies><inbound><return-response><set-status code='418' reason='teapot' /></return-response></inbound>"
    bench.deploy(f"{text}<backend /><outbound /><on-error /></policies>")
    assert bench.call().status == 418
    bench.world.advance(300)
    assert outcome[0].status == 200


def test_a_drained_member_gets_no_request_once_both_units_know(bench: Bench) -> None:
    services = [{"id": f"{SERVICE}/backends/ptu-eastus2", "priority": 1, "weight": 50}]
    bench.put_backend("chat-pool", pool={"services": services})
    for _ in range(20):
        bench.start(bench.request(CHAT))
    bench.world.advance(60)
    assert {call.backend_id for call in bench.calls} == {"ptu-eastus2"}


def test_a_breaker_keeps_its_state_when_something_else_is_written(bench: Bench) -> None:
    bench.one_unit()
    unit = bench.service.units[0]
    unit.record("ptu-eastus2", 429, None, "600")
    bench.put_backend("payg-legacy", description="changed")
    assert unit.breakers["ptu-eastus2"].is_open(bench.world.now)


def test_units_follow_the_services_scale(bench: Bench) -> None:
    service = bench.world.store.get(SERVICE)
    assert service is not None
    bench.service.units[0].record("ptu-eastus2", 429, None, "600")
    bench.world.store.put(SERVICE, service.type, {**service.body, "sku": {"name": "Premium", "capacity": 4}})
    bench.world.advance(10)
    assert [unit.number for unit in bench.service.units] == [0, 1, 2, 3]
    assert bench.service.units[0].breakers["ptu-eastus2"].is_open(bench.world.now)
    assert not bench.service.units[3].breakers["ptu-eastus2"].is_open(bench.world.now)
    bench.world.store.put(SERVICE, service.type, {**service.body, "sku": {"name": "Premium", "capacity": 1}})
    bench.world.advance(10)
    assert [unit.number for unit in bench.service.units] == [0]
    assert bench.call().status == 200
