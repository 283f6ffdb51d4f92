"""The rest of Resource Manager: groups, any resource at all, accounts, health, the activity log."""

from __future__ import annotations

from typing import Any

from simulator.names import account_host, account_id
from simulator.network import HostFault
from simulator.resources.wire_time import wire_time
from tests.simulator.arm_world import GROUP, NOW, SERVICE, SUBSCRIPTION, VERSION, Http, arm_server

COGNITIVE = "api-version=2025-09-01"
HEALTH = "/providers/Microsoft.ResourceHealth/availabilityStatuses/current?api-version=2025-05-01"


async def test_any_resource_of_a_group_is_kept_listed_and_deleted_with_its_group() -> None:
    async with arm_server() as server:
        http = Http(server)
        hub = f"{GROUP}/providers/Microsoft.EventHub/namespaces/hubs"
        body = {"location": "swedencentral", "sku": {"name": "Standard"}, "properties": {"anything": [1, None]}}
        created = await http("PUT", f"{hub}?api-version=2024-01-01", body)
        child = await http("PUT", f"{hub}/eventhubs/a?api-version=2024-01-01", {"properties": {}})
        orphan = await http("PUT", f"{hub}x/eventhubs/a?api-version=2024-01-01", {"properties": {}})
        role = f"{SERVICE}/providers/Microsoft.Authorization/roleAssignments/r1?api-version=2022-04-01"
        extension = await http("PUT", role, {"properties": {"principalId": "p", "roleDefinitionId": "r"}})
        listed = await http(
            "GET", f"{GROUP}/resources?api-version=2021-04-01&$filter=resourceType eq 'Microsoft.EventHub/namespaces'"
        )
        fresh = await http(
            "PUT", f"{SUBSCRIPTION}/resourceGroups/rg-two?api-version=2021-04-01", {"location": "westus"}
        )
        nowhere = await http("PUT", f"{SUBSCRIPTION}/resourceGroups/none/providers/A.B/c/d?api-version=2021-04-01", {})
        gone = await http("DELETE", f"{GROUP}?api-version=2021-04-01")
        missing = await http("GET", f"{hub}?api-version=2024-01-01")
    assert (created[0], created[2]["properties"]) == (201, {"anything": [1, None]})
    assert child[2]["type"] == "Microsoft.EventHub/namespaces/eventhubs"
    assert orphan[2]["error"]["code"] == "ParentResourceNotFound"
    assert extension[0] == 201
    assert [entry["name"] for entry in listed[2]["value"]] == ["hubs"]
    assert fresh[0] == 201
    assert nowhere[2]["error"]["code"] == "ResourceGroupNotFound"
    assert gone[0] == 200
    assert missing[2]["error"]["code"] == "ResourceGroupNotFound"


async def test_accounts_and_deployments_show_limits_and_hide_keys() -> None:
    account = account_id("aoai-contoso-swc")
    async with arm_server() as server:
        http = Http(server)
        shown = await http("GET", f"{account}?{COGNITIVE}")
        keys = await http("POST", f"{account}/listKeys?{COGNITIVE}")
        deployments = await http("GET", f"{account}/deployments?{COGNITIVE}")
        everywhere = await http("GET", f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts?{COGNITIVE}")
        usages = await http("GET", f"{account}/usages?{COGNITIVE}")
    assert shown[2]["properties"]["endpoint"] == f"https://{account_host('aoai-contoso-swc')}/"
    assert keys[2]["key1"]
    assert keys[2]["key1"] not in str((shown, deployments, everywhere))
    assert [entry["name"] for entry in deployments[2]["value"]] == ["gpt-4o", "text-embedding-3-large"]
    assert {"key": "token", "renewalPeriod": 60, "count": 300_000} in deployments[2]["value"][0]["properties"][
        "rateLimits"
    ]
    assert len(everywhere[2]["value"]) == 5
    assert {entry["name"]["value"] for entry in usages[2]["value"]} >= {"OpenAI.Standard.gpt-4o"}


async def test_one_deployment_write_at_a_time_and_no_more_than_the_quota() -> None:
    account = account_id("aoai-contoso-swc")
    model = {"properties": {"model": {"format": "OpenAI", "name": "gpt-4o-mini", "version": "1"}}}
    async with arm_server() as server:
        http = Http(server)
        body: dict[str, Any] = {"sku": {"name": "Standard", "capacity": 50}, **model}
        first = await http("PUT", f"{account}/deployments/mini?{COGNITIVE}", body)
        busy = await http("PUT", f"{account}/deployments/other?{COGNITIVE}", body)
        server.world.advance(60)
        body["sku"] = {"name": "Standard", "capacity": 1_000_000}
        greedy = await http("PUT", f"{account}/deployments/other?{COGNITIVE}", body)
        settled = await http("GET", f"{account}/deployments/mini?{COGNITIVE}")
    assert (first[0], first[2]["properties"]["provisioningState"]) == (201, "Creating")
    assert (busy[0], busy[2]["error"]["code"]) == (409, "RequestConflict")
    assert greedy[2]["error"]["code"] == "InsufficientQuota"
    assert settled[2]["properties"]["provisioningState"] == "Succeeded"


async def test_resource_health_notices_an_outage_late_and_a_private_endpoint_never() -> None:
    account = account_id("aoai-contoso-swc")
    async with arm_server() as server:
        http, world = Http(server), server.world
        host = account_host("aoai-contoso-swc")
        quiet = await http("GET", account + HEALTH)
        world.network.faults[host] = HostFault(failure="timeout")
        early = await http("GET", account + HEALTH)
        world.advance(120)
        noticed = await http("GET", account + HEALTH)
        world.network.faults[host] = HostFault(failure="dns", outside_only=True)
        world.advance(120)
        private = await http("GET", account + HEALTH)
        listed = await http(
            "GET", f"{GROUP}/providers/Microsoft.ResourceHealth/availabilityStatuses?api-version=2025-05-01"
        )
    states = [answer[2]["properties"]["availabilityState"] for answer in (quiet, early, noticed, private)]
    assert states == ["Available", "Available", "Unavailable", "Available"]
    assert len(listed[2]["value"]) == 6


async def test_a_write_is_in_the_activity_log_in_its_stages_after_a_while() -> None:
    events = f"{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01"
    wanted = f"&$filter=eventTimestamp ge '{wire_time(NOW - 60)}' and resourceProvider eq 'Microsoft.ApiManagement'"
    async with arm_server() as server:
        http = Http(server)
        sent = {"properties": {"displayName": "n", "value": "v"}}
        correlation = {"x-ms-correlation-request-id": "c-1"}
        await http("PUT", f"{SERVICE}/namedValues/n?{VERSION}", sent, headers=correlation)
        early = await http("GET", events + wanted)
        server.world.advance(60)
        late = await http("GET", events + wanted)
        unfiltered = await http("GET", events)
    assert early[2]["value"] == []
    assert [entry["status"]["value"] for entry in late[2]["value"]] == ["Succeeded", "Accepted", "Started"]
    assert {entry["correlationId"] for entry in late[2]["value"]} == {"c-1"}
    assert late[2]["value"][0]["operationName"]["value"] == "Microsoft.ApiManagement/service/namedValues/write"
    assert unfiltered[0] == 400


async def test_errors_carry_ids_to_ask_support_with() -> None:
    async with arm_server() as server:
        http = Http(server)
        status, headers, body = await http("GET", f"{SERVICE}x?{VERSION}")
        child = await http("GET", f"{SERVICE}/backends/nobody?{VERSION}")
        unknown = await http("GET", f"{SERVICE}/nonsense?{VERSION}")
    assert (status, body["error"]["code"]) == (404, "ResourceNotFound")
    assert headers["x-ms-request-id"]
    assert headers["x-ms-correlation-request-id"]
    assert headers["x-ms-routing-request-id"].startswith("SWEDENCENTRAL:")
    assert headers["server"] == "genaigw-simulator"
    assert child[2]["error"]["code"] == "ResourceNotFound"
    assert unknown[0] == 404
