"""What an operator relies on when reading metrics of the embedded Azure: the figures, and Azure's own traps."""

from __future__ import annotations

import json

import pytest

from simulator.entra.tokens import entra
from simulator.monitor.errors import MetricsError
from simulator.monitor.filters import parse_filter
from simulator.monitor.query import parse_query
from simulator.names import SERVICE, account_id
from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, ArmResponse, QueryParameters, arm_router
from simulator.world import World
from tests.simulator.monitoring_world import (
    ACCOUNTS,
    MINUTE,
    NOW,
    PTU,
    batch,
    gateway_call,
    make_world,
    model_call,
    monitor_room,
    points,
    utilization,
)


def read(world: World, scope: str = PTU, *, kind: str = "metrics", **parameters: str) -> tuple[int, object]:
    """One Resource Manager request below a resource: (status, JSON)."""
    path = f"{scope}/providers/Microsoft.Insights/{kind}"
    query = QueryParameters({"api-version": "2024-02-01", **parameters})
    request = ArmRequest("GET", path, query, {}, b"", world, entra(world).default)
    answer: ArmResponse = world.run(arm_router(world).answer(request))
    return answer.status, json.loads(answer.body) if isinstance(answer.body, bytes) else answer.body


def test_requests_are_counted_in_the_minute_they_were_answered_and_split_by_status() -> None:
    world = make_world()
    for second, status in ((0, 200), (10, 429), (59.9, 200), (60, 200)):
        world.telemetry.model_call(model_call(MINUTE + second, status))
    world.advance(120)
    status, body = batch(world, filter="StatusCode eq '*'")
    assert status == 200
    [answered, refused] = body["values"][0]["value"][0]["timeseries"]
    assert answered["metadatavalues"] == [
        {"name": {"value": "statuscode", "localizedValue": "statuscode"}, "value": "200"}
    ]
    by_minute = {point["timeStamp"]: point.get("total") for point in answered["data"]}
    assert (by_minute["2026-11-18T11:06:00Z"], by_minute["2026-11-18T11:07:00Z"]) == (2.0, 1.0)
    assert [point.get("total") for point in refused["data"] if point["timeStamp"] == "2026-11-18T11:06:00Z"] == [1.0]


def test_a_point_without_data_carries_only_its_time() -> None:
    world = make_world()
    world.telemetry.model_call(model_call(MINUTE))
    world.advance(60)
    _, body = batch(world)
    data = body["values"][0]["value"][0]["timeseries"][0]["data"]
    assert {"timeStamp": "2026-11-18T11:00:00Z"} in data
    assert {"timeStamp": "2026-11-18T11:06:00Z", "total": 1.0} in data


def test_the_newest_minute_is_incomplete_until_the_lag_has_passed() -> None:
    world = make_world()
    monitor_room(world).settings.lag_seconds = 60.0
    for second in range(20):
        world.telemetry.model_call(model_call(NOW - 20 + second))
    world.advance(50)
    _, early = batch(world)
    world.advance(30)
    _, late = batch(world)
    stamp = "2026-11-18T11:07:00Z"
    assert points(early["values"][0]["value"][0])[stamp] == 11.0
    assert points(late["values"][0]["value"][0])[stamp] == 20.0


def test_ten_series_come_back_and_nobody_says_there_were_more() -> None:
    world = make_world()
    for number in range(14):
        world.telemetry.model_call(model_call(MINUTE, deployment=f"gpt-{number:02d}"))
    world.advance(60)
    _, cut = batch(world, filter="ModelDeploymentName eq '*'")
    _, whole = batch(world, filter="ModelDeploymentName eq '*'", top="100")
    assert len(cut["values"][0]["value"][0]["timeseries"]) == 10
    assert cut["values"][0]["value"][0]["errorCode"] == "Success"
    assert len(whole["values"][0]["value"][0]["timeseries"]) == 14


def test_the_greatest_series_come_first_when_asked_for() -> None:
    world = make_world()
    for number in range(3):
        for _ in range(number + 1):
            world.telemetry.model_call(model_call(MINUTE, deployment=f"gpt-{number}"))
    world.advance(60)
    _, body = batch(world, filter="ModelDeploymentName eq '*'", top="2", orderby="total desc")
    series = body["values"][0]["value"][0]["timeseries"]
    assert [one["metadatavalues"][0]["value"] for one in series] == ["gpt-2", "gpt-1"]


def test_rolled_up_dimensions_filter_without_splitting() -> None:
    world = make_world()
    for status in (200, 429, 500):
        world.telemetry.model_call(model_call(MINUTE, status))
    world.advance(60)
    _, body = batch(world, filter="StatusCode eq '200' or StatusCode eq '429'", rollupby="StatusCode")
    [series] = body["values"][0]["value"][0]["timeseries"]
    assert series["metadatavalues"] == []
    assert [point["total"] for point in series["data"] if "total" in point] == [2.0]


def test_utilization_is_in_percent_and_arrives_with_its_minute_complete() -> None:
    world = make_world()
    world.telemetry.utilization(utilization(MINUTE, 0.93, 1.2, 0.5))
    world.advance(60)
    for name in ("AzureOpenAIProvisionedManagedUtilizationV2", "ProvisionedUtilization"):
        _, body = batch(world, metricnames=name, aggregation="Average,Maximum,Minimum")
        [found] = [p for p in body["values"][0]["value"][0]["timeseries"][0]["data"] if "average" in p]
        assert (found["average"], found["maximum"], found["minimum"]) == (93.0, 120.0, 50.0)


def test_refused_calls_leave_no_tokens_and_do_not_lower_availability() -> None:
    world = make_world()
    for status in (200, 200, 429, 500):
        world.telemetry.model_call(model_call(MINUTE, status))
    world.advance(60)
    names = "ProcessedPromptTokens,GeneratedTokens,TokenTransaction,AzureOpenAIAvailabilityRate"
    _, body = batch(world, metricnames=names, aggregation="Total,Average")
    stamp = "2026-11-18T11:06:00Z"
    prompt, output, both, availability = body["values"][0]["value"]
    assert [points(metric)[stamp] for metric in (prompt, output, both)] == [200.0, 80.0, 280.0]
    assert points(availability, "average")[stamp] == 75.0


def test_latencies_are_means_over_all_calls_not_over_minutes() -> None:
    world = make_world()
    for last in (1_000.0, 1_000.0, 4_000.0):
        world.telemetry.model_call(model_call(MINUTE, time_to_last_byte_ms=last))
    world.telemetry.model_call(model_call(MINUTE + 60, time_to_last_byte_ms=10_000.0))
    world.advance(120)
    _, body = batch(world, metricnames="AzureOpenAITTLTInMS", aggregation="Average,Maximum,Count", interval="FULL")
    [point] = body["values"][0]["value"][0]["timeseries"][0]["data"]
    assert (point["average"], point["maximum"], point["count"]) == (4_000.0, 10_000.0, 4.0)


def test_wider_grains_add_up_the_minutes() -> None:
    world = make_world()
    for minute in range(10):
        world.telemetry.model_call(model_call(MINUTE - 540 + minute * 60))
    world.advance(60)
    _, body = batch(world, interval="PT5M", starttime="2026-11-18T10:57:00Z", endtime="2026-11-18T11:07:00Z")
    assert points(body["values"][0]["value"][0]) == {"2026-11-18T10:57:00Z": 5.0, "2026-11-18T11:02:00Z": 5.0}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"metricnames": "Nope"}, "Failed to find metric configuration for provider: Microsoft.CognitiveServices"),
        ({"metricnames": "Nope"}, "Valid metrics: AzureOpenAIRequests,"),
        (
            {"filter": "Colour eq '*'"},
            "does not support requested dimension combination: colour, supported ones are: ApiName",
        ),
        (
            {"filter": "StatusCode eq '*' or Region eq '*'"},
            "'or' operator cannot separate two different metadata names",
        ),
        ({"filter": "StatusCode is '200'"}, "Invalid filter"),
        ({"interval": "PT2M"}, "invalid time grain"),
        ({"aggregation": "Median"}, "Invalid aggregation type"),
        ({"starttime": "2026-11-18T11:00:00Z", "endtime": "2026-11-18T10:00:00Z"}, "Start time must be earlier"),
        ({"endtime": "2026-11-18T10:00:00Z"}, "starttime is required"),
        ({"orderby": "total sideways"}, "Invalid orderby"),
        ({"top": "none"}, "Invalid value for top"),
    ],
)
def test_what_azure_refuses_is_refused_in_its_words(parameters: dict[str, str], said: str) -> None:
    status, body = batch(make_world(), **parameters)
    assert status == 400
    assert body["error"]["code"] == "BadRequest"
    assert said in body["error"]["message"]


def test_a_batch_is_of_one_region_one_type_and_at_most_fifty() -> None:
    world = make_world()
    assert batch(world, [PTU] * 51)[0] == 400
    assert batch(world, [SERVICE])[0] == 400
    status, body = batch(world, [account_id("aoai-contoso-wus")])
    assert status == 400
    assert "region 'westus'" in body["error"]["message"]
    assert batch(world, [account_id("absent")])[0] == 404
    assert batch(world, ["/subscriptions/other/resourceGroups/g/providers/x/y/z"])[0] == 400


def test_a_region_can_lose_its_metrics_while_others_keep_theirs() -> None:
    world = make_world()
    monitor_room(world).region_outage("SwedenCentral", down=True)
    assert batch(world)[0] == 503
    assert read(world, metricnames="AzureOpenAIRequests")[0] == 503
    assert batch(world, [account_id("aoai-contoso-wus")], host="westus.metrics.monitor.azure.com")[0] == 200
    monitor_room(world).region_outage("swedencentral", down=False)
    assert batch(world)[0] == 200


def test_one_resource_answers_under_resource_manager_too() -> None:
    world = make_world()
    world.telemetry.gateway_call(gateway_call(MINUTE + 5))
    world.telemetry.gateway_call(gateway_call(MINUTE + 6, 429))
    world.advance(60)
    status, body = read(
        world,
        SERVICE,
        metricnames="Requests,Duration",
        timespan="PT10M",
        aggregation="Total,Average",
        **{"$filter": "GatewayResponseCodeCategory eq '*'"},
        validatedimensions="false",
    )
    assert status == 200
    assert isinstance(body, dict)
    requests, duration = body["value"]
    assert [one["metadatavalues"][0]["value"] for one in requests["timeseries"]] == ["2xx", "4xx"]
    assert duration["name"]["value"] == "Duration"
    assert body["namespace"] == "Microsoft.ApiManagement/service"
    assert body["interval"] == "PT1M"


def test_errors_under_resource_manager_have_no_wrapper() -> None:
    status, body = read(make_world(), metricnames="Nope")
    assert status == 400
    assert isinstance(body, dict)
    assert body["code"] == "BadRequest"


def test_an_aggregation_a_metric_does_not_have_is_an_error_inside_the_answer() -> None:
    world = make_world()
    status, body = read(world, metricnames="AzureOpenAIRequests", aggregation="Minimum")
    assert status == 200
    assert isinstance(body, dict)
    assert body["value"][0]["errorCode"] == "InvalidSamplingType"
    assert body["value"][0]["timeseries"] == []


def test_metadata_lists_the_values_of_a_dimension() -> None:
    world = make_world()
    world.telemetry.model_call(model_call(MINUTE, 429))
    world.telemetry.model_call(model_call(MINUTE, 200))
    world.advance(60)
    _, body = read(world, metricnames="AzureOpenAIRequests", resulttype="Metadata", **{"$filter": "StatusCode eq '*'"})
    assert isinstance(body, dict)
    series = body["value"][0]["timeseries"]
    assert [one["metadatavalues"][0]["value"] for one in series] == ["200", "429"]
    assert all("data" not in one for one in series)


def test_definitions_say_which_metrics_a_resource_has() -> None:
    _, body = read(make_world(), kind="metricDefinitions")
    assert isinstance(body, dict)
    by_name = {one["name"]["value"]: one for one in body["value"]}
    requests = by_name["AzureOpenAIRequests"]
    assert requests["primaryAggregationType"] == "Total"
    assert {"value": "IsSpillover", "localizedValue": "IsSpillover"} in requests["dimensions"]
    assert by_name["ProvisionedUtilization"]["unit"] == "Percent"
    _, namespaces = read(make_world(), kind="metricNamespaces")
    assert isinstance(namespaces, dict)
    assert namespaces["value"][0]["properties"]["metricNamespaceName"] == ACCOUNTS


def test_metrics_of_a_resource_that_is_not_there_are_not_found() -> None:
    with pytest.raises(ArmError) as refused:
        read(make_world(), account_id("absent"), metricnames="AzureOpenAIRequests")
    assert refused.value.status == 404


def test_minutes_past_the_retention_are_dropped_and_old_ones_packed() -> None:
    world = make_world()
    room = monitor_room(world)
    room.settings.retention_seconds = 7_200.0
    for minute in range(300):
        world.now = NOW + minute * 60
        world.telemetry.model_call(model_call(world.now))
        room.minutes.fold()
    kept = room.minutes.minutes("model", PTU)
    assert 120 <= len(kept) <= 132
    _, body = batch(world)
    assert sum(value or 0 for value in points(body["values"][0]["value"][0]).values()) == 60


def test_a_filter_reads_brackets_that_were_encoded_twice_and_values_without_case() -> None:
    [condition] = parse_filter("dim %28test%29 3 eq 'Some %28Value%29'")
    assert condition.name == "dim (test) 3"
    assert condition.accepts("some (value)")
    [several] = parse_filter("Region eq 'a' or Region eq 'b'")
    assert [several.accepts(value) for value in "abc"] == [True, True, False]
    [without] = parse_filter("StatusCode ne '200'")
    assert not without.accepts("200")
    assert without.accepts("429")


@pytest.mark.parametrize(
    ("timespan", "start", "end"),
    [
        ("PT1H", NOW - 3_600, NOW),
        ("2026-11-18T10:00:00Z/2026-11-18T11:00:00Z", 1_794_996_000.0, 1_794_999_600.0),
        ("2026-11-18T10:00:00Z/PT30M", 1_794_996_000.0, 1_794_997_800.0),
        ("PT30M/2026-11-18T11:00:00Z", 1_794_997_800.0, 1_794_999_600.0),
        ("", NOW - 3_600, NOW),
    ],
)
def test_timespans_come_in_four_forms(timespan: str, start: float, end: float) -> None:
    query = parse_query({"timespan": timespan}, now=NOW, default_top=10, names_limit=20)
    assert (query.asked_start, query.asked_end) == (start, end)


def test_a_timespan_that_is_none_is_refused() -> None:
    with pytest.raises(MetricsError, match="Invalid timespan"):
        parse_query({"timespan": "an hour"}, now=NOW, default_top=10, names_limit=20)


def test_a_quote_inside_a_value_is_doubled() -> None:
    assert parse_filter("A eq 'it''s'")[0].accepts("IT'S")
