"""Which rows reach a workspace, when, and what stands in them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.logs.schema import GATEWAY_LOGS, LLM_LOGS
from simulator.names import SERVICE, WORKSPACE
from simulator.network import HttpRequest
from simulator.telemetry import ActivityEvent, CustomMetric
from simulator.world import World
from tests.simulator.monitoring_world import (
    MINUTE,
    NOW,
    PTU,
    ask,
    gateway_call,
    logs_room,
    make_world,
    model_call,
    monitor_room,
    rows,
)

SETTING = f"{SERVICE}/providers/Microsoft.Insights/diagnosticSettings/to-log-analytics"


def write_setting(world: World, scope: str = SERVICE, **properties: Any) -> None:
    """Replace or make a diagnostic setting of a resource."""
    world.store.put(
        f"{scope}/providers/Microsoft.Insights/diagnosticSettings/to-log-analytics",
        "Microsoft.Insights/diagnosticSettings",
        {"properties": {"workspaceId": WORKSPACE, **properties}},
    )


def told(world: World, *statuses: int) -> None:
    """One gateway request per status, a second apart."""
    for number, status in enumerate(statuses, 1):
        world.advance(1)
        world.telemetry.gateway_call(gateway_call(world.now, status, number=number))


def test_a_row_has_the_documented_columns_with_their_types() -> None:
    world = make_world()
    told(world, 429)
    world.advance(60)
    status, answer = ask(world, "ApiManagementGatewayLogs")
    assert status == 200
    [table] = answer["tables"]
    types = {column["name"]: column["type"] for column in table["columns"]}
    assert len(types) == 59
    assert list(types.items()) == list(GATEWAY_LOGS.columns)
    cells = dict(zip(types, table["rows"][0], strict=True))
    assert cells["TimeGenerated"] == "2026-11-18T11:07:20Z"
    assert (cells["ResponseCode"], cells["BackendResponseCode"], cells["IsRequestSuccess"]) == (429, 429, False)
    assert (cells["TotalTime"], cells["LastErrorMessage"]) == (1_001, "it's full")
    assert json.loads(cells["Errors"])[0]["reason"] == "BackendError"
    assert cells["TenantId"] == "0a1b2c3d-0000-4000-8000-00000000109a"
    assert cells["RequestBody"] == ""


def test_the_language_model_log_has_several_rows_a_request_and_one_with_tokens() -> None:
    world = make_world()
    told(world, 200, 200, 429)
    world.advance(60)
    status, answer = ask(world, "ApiManagementGatewayLlmLog | take 1")
    assert [(c["name"], c["type"]) for c in answer["tables"][0]["columns"]] == list(LLM_LOGS.columns)
    found = rows(
        world,
        "ApiManagementGatewayLlmLog | summarize n = count(), t = sum(TotalTokens) by SequenceNumber "
        "| order by SequenceNumber asc",
    )
    assert (status, found) == (200, [[0, 2, 280], [1, 2, 0], [2, 2, 0]])


def test_a_row_is_not_found_before_it_was_ingested() -> None:
    world = make_world()
    logs_room(world).set_lag(600.0, 600.0)
    told(world, 200)
    world.advance(599)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[0]]
    world.advance(2)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[1]]
    [[lag]] = rows(world, "ApiManagementGatewayLogs | project ingestion_time() - TimeGenerated")
    assert lag == "00:10:01"


def test_a_change_of_lag_leaves_what_happened_before_alone() -> None:
    world = make_world()
    told(world, 200)
    logs_room(world).set_lag(600.0, 600.0)
    told(world, 200)
    world.advance(30)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[1]]


@pytest.mark.parametrize(
    "properties",
    [
        {"logAnalyticsDestinationType": "Dedicated", "logs": [{"category": "GatewayLogs", "enabled": False}]},
        {"logAnalyticsDestinationType": "Dedicated", "logs": []},
        {"logs": [{"category": "GatewayLogs", "enabled": True}]},
    ],
)
def test_without_a_dedicated_enabled_setting_the_table_stays_empty(properties: dict[str, Any]) -> None:
    world = make_world()
    write_setting(world, **properties)
    told(world, 200)
    world.advance(60)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[0]]


def test_a_setting_that_is_not_dedicated_fills_azure_diagnostics_instead() -> None:
    world = make_world()
    write_setting(world, logs=[{"categoryGroup": "allLogs", "enabled": True}])
    told(world, 429)
    world.advance(60)
    found = rows(world, "AzureDiagnostics | project Category, responseCode_d, isRequestSuccess_b, ResourceProvider")
    assert found == [["GatewayLogs", 429.0, False, "MICROSOFT.APIMANAGEMENT"]]


def test_a_setting_sends_from_its_making_until_its_end() -> None:
    world = make_world()
    told(world, 200, 200)
    world.store.delete(SETTING)
    told(world, 200)
    write_setting(world, logAnalyticsDestinationType="Dedicated", logs=[{"category": "GatewayLogs", "enabled": True}])
    told(world, 200)
    world.advance(60)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[3]]
    assert rows(world, "ApiManagementGatewayLlmLog | where SequenceNumber == 0 | count") == [[2]]


@pytest.mark.parametrize(
    ("diagnostic", "sequence_numbers"),
    [
        ({}, []),
        ({"largeLanguageModel": {"logs": "disabled"}}, []),
        ({"largeLanguageModel": {"logs": "enabled", "requests": {"messages": "none"}}}, [0, 1]),
        ({"largeLanguageModel": {"logs": "enabled"}}, [0, 1, 2]),
    ],
)
def test_the_apis_own_diagnostic_outranks_the_services(diagnostic: dict[str, Any], sequence_numbers: list[int]) -> None:
    world = make_world()
    world.store.put(
        f"{SERVICE}/apis/azure-openai/diagnostics/azuremonitor",
        "Microsoft.ApiManagement/service/apis/diagnostics",
        {"properties": diagnostic},
    )
    told(world, 200)
    world.advance(60)
    found = rows(world, "ApiManagementGatewayLlmLog | project SequenceNumber | order by SequenceNumber asc")
    assert [row[0] for row in found] == sequence_numbers


def test_a_workspace_nobody_ever_sent_to_answers_nothing() -> None:
    world = make_world()
    other = WORKSPACE.replace("log-contoso-genai", "log-fresh")
    world.store.put(
        other,
        "Microsoft.OperationalInsights/workspaces",
        {"properties": {"customerId": "11111111-0000-4000-8000-000000000000"}},
    )
    assert ask(world, "Anything at all", workspace="11111111-0000-4000-8000-000000000000") == (204, None)


def test_an_unknown_workspace_cannot_be_resolved() -> None:
    status, answer = ask(make_world(), "print 1", workspace="22222222-0000-4000-8000-000000000000")
    assert status == 400
    assert answer["error"]["code"] == "FailedToResolveResource"


def test_a_resource_sees_its_own_rows_through_the_resource_path() -> None:
    world = make_world()
    told(world, 200)
    world.advance(60)

    def count(resource_id: str) -> tuple[int, Any]:
        body = json.dumps({"query": "ApiManagementGatewayLogs | count"}).encode()
        request = HttpRequest(
            "POST", "api.loganalytics.io", f"/v1{resource_id}/query", "", {"content-type": "application/json"}, body
        )
        response = world.run(world.network.send(request))
        return response.status, json.loads(response.body)

    assert count(SERVICE)[1]["tables"][0]["rows"] == [[1]]
    assert count(PTU)[1]["tables"][0]["rows"] == [[0]]
    assert count(f"{SERVICE}-gone")[0] == 404


def test_the_timespan_of_the_request_narrows_every_table() -> None:
    world = make_world()
    told(world, 200)
    world.advance(600)
    told(world, 429)
    world.advance(60)
    count = "ApiManagementGatewayLogs | count"
    assert rows(world, count) == [[2]]
    assert rows(world, count, timespan="PT300.0S") == [[1]]
    assert rows(world, count, timespan="2026-11-18T11:00:00Z/2026-11-18T11:10:00Z") == [[1]]
    assert rows(world, count, timespan="2026-11-18T11:00:00Z/PT1H") == [[2]]
    assert ask(world, count, timespan="soon")[0] == 400


def test_custom_metrics_are_summed_by_minute_into_app_metrics() -> None:
    world = make_world()
    component = f"{WORKSPACE.rpartition('/providers/')[0]}/providers/Microsoft.Insights/components/appi-contoso"
    world.store.put(component, "Microsoft.Insights/components", {"properties": {"WorkspaceResourceId": WORKSPACE}})
    world.store.put(
        f"{SERVICE}/loggers/appinsights",
        "Microsoft.ApiManagement/service/loggers",
        {"properties": {"loggerType": "applicationInsights", "resourceId": component}},
    )
    for value in (100.0, 50.0):
        world.telemetry.custom_metric(
            CustomMetric(MINUTE + 5, SERVICE, "genai", "Total Tokens", value, {"Subscription ID": "app-search"})
        )
    world.advance(120)
    [found] = rows(
        world, "AppMetrics | project Name, Sum, Min, Max, ItemCount, Caller = tostring(Properties['Subscription ID'])"
    )
    assert found == ["Total Tokens", 150.0, 50.0, 100.0, 2, "app-search"]


def test_accounts_with_a_setting_fill_azure_diagnostics() -> None:
    world = make_world()
    write_setting(world, PTU, logs=[{"category": "RequestResponse", "enabled": True}])
    world.telemetry.model_call(model_call(NOW, 429))
    world.advance(60)
    found = rows(
        world,
        "AzureDiagnostics | extend p = parse_json(properties_s) "
        "| project OperationName, ResultSignature, DurationMs, tostring(p.modelDeploymentName), CallerIPAddress",
    )
    assert found == [["ChatCompletions_Create", "429", 1_000, "gpt-4o", "10.0.0.***"]]


def test_exported_metrics_lose_their_dimensions_and_the_unexportable_ones() -> None:
    world = make_world()
    write_setting(world, PTU, metrics=[{"category": "AllMetrics", "enabled": True}])
    assert monitor_room(world).settings.lag_seconds < 60
    rows(world, "AzureMetrics | count")
    world.telemetry.model_call(model_call(NOW + 5, 429))
    world.telemetry.model_call(model_call(NOW + 5, 200))
    world.advance(600)
    found = rows(
        world,
        "AzureMetrics | where MetricName startswith 'AzureOpenAI' | project MetricName, Total",
    )
    world.advance(600)
    names = [name for name, _ in found]
    assert ["AzureOpenAIRequests", 2.0] in found
    assert "AzureOpenAIAvailabilityRate" not in names
    assert rows(world, "AzureMetrics | where MetricName == 'AzureOpenAIRequests' | count") == [[1]]


def test_control_plane_writes_reach_azure_activity_when_the_subscription_sends_them() -> None:
    world = make_world()
    write_setting(world, "/".join(SERVICE.split("/")[:3]), logs=[{"category": "Administrative", "enabled": True}])
    world.telemetry.activity(
        ActivityEvent(
            NOW, "Microsoft.ApiManagement/service/backends/write", "Succeeded", f"{SERVICE}/backends/x", "op", "c1"
        )
    )
    world.advance(60)
    found = rows(world, "AzureActivity | project OperationNameValue, ActivityStatusValue, Caller, CorrelationId")
    assert found == [["MICROSOFT.APIMANAGEMENT/SERVICE/BACKENDS/WRITE", "Success", "op", "c1"]]


def test_rows_older_than_the_retention_are_dropped() -> None:
    world = make_world()
    room = logs_room(world)
    room.settings.retention_seconds = 7_200.0
    told(world, 200)
    world.advance(60)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[1]]
    world.advance(7_300)
    assert rows(world, "ApiManagementGatewayLogs | count") == [[0]]


def test_many_requests_share_what_does_not_vary() -> None:
    world = make_world()
    for number in range(500):
        world.telemetry.gateway_call(gateway_call(NOW, number=number))
    world.advance(60)
    database = logs_room(world).database
    assert rows(world, "ApiManagementGatewayLogs | summarize dcount(CorrelationId), count()") == [[500, 500]]
    assert database.connection.execute("SELECT count(*) FROM shapes").fetchall() == [(1,)]


def test_a_request_that_reached_no_backend_has_no_backend_code() -> None:
    world = make_world()
    world.telemetry.gateway_call(replace(gateway_call(NOW, 429), attempts=[], backend_id="", llm=None))
    world.advance(60)
    found = rows(
        world, "ApiManagementGatewayLogs | where isnull(BackendResponseCode) | project ResponseCode, BackendUrl"
    )
    assert found == [[429, ""]]
