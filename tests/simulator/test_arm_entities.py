"""API Management's entities through Microsoft's own client: what an operator's tool reads, edits and is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from simulator import topology
from tests.simulator.arm_world import RESOURCE_GROUP, SERVICE, SERVICE_NAME, VERSION, Http, arm_server, sdk

AT = (RESOURCE_GROUP, SERVICE_NAME)


def raw(response: Any, model: Any, headers: Any) -> tuple[dict[str, Any], str]:
    """The `cls=` hook: the JSON as it came, and its entity tag."""
    return response.http_response.json(), headers["ETag"]


async def test_every_backend_is_listed_page_by_page() -> None:
    async with arm_server() as server, sdk(server) as client:
        names = [backend.name async for backend in client.backend.list_by_service(*AT, top=3)]
        everything = [backend.name async for backend in client.backend.list_by_service(*AT)]
        server.world.rooms["arm-settings"].page_size = 3
        paged = [backend.name async for backend in client.backend.list_by_service(*AT)]
    assert len(everything) == len(topology.ACCOUNTS) + len(topology.POOLS)
    assert names == everything[:3]
    assert paged == everything


async def test_lists_are_filtered_by_the_fields_the_reference_names() -> None:
    async with arm_server() as server, sdk(server) as client:
        found = [b.name async for b in client.backend.list_by_service(*AT, filter="startswith(name,'ptu')")]
        title = [
            b.name async for b in client.backend.list_by_service(*AT, filter="title eq 'payg-westus' or url eq 'x'")
        ]
        with pytest.raises(HttpResponseError) as refused:
            _ = [b async for b in client.backend.list_by_service(*AT, filter="priority eq 1")]
    assert found == ["ptu-swedencentral", "ptu-eastus2"]
    assert title == ["payg-westus"]
    assert refused.value.status_code == 400


async def test_a_pool_edited_raw_keeps_what_the_client_does_not_know() -> None:
    async with arm_server() as server, sdk(server) as client:
        body, etag = await client.backend.get(*AT, "chat-pool", cls=raw)
        body["properties"]["pool"]["sessionAffinity"] = {"sessionId": {"source": "cookie", "name": "s"}}
        body["properties"]["pool"]["services"].pop()
        written, new_etag = await client.backend.create_or_update(
            *AT, "chat-pool", json.dumps(body).encode(), if_match=etag, cls=raw
        )
        read, read_etag = await client.backend.get(*AT, "chat-pool", cls=raw)
        with pytest.raises(HttpResponseError) as stale:
            await client.backend.create_or_update(*AT, "chat-pool", json.dumps(body).encode(), if_match=etag)
    assert new_etag != etag
    assert read_etag == new_etag
    assert read == written
    assert read["properties"]["pool"]["sessionAffinity"]["sessionId"]["name"] == "s"
    assert len(read["properties"]["pool"]["services"]) == 3
    assert stale.value.status_code == 412
    assert stale.value.error.code == "PreconditionFailed"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"services": []}, "at least one"),
        ({"services": [{"id": f"{SERVICE}/backends/nobody"}]}, "could not be found"),
        ({"services": [{"id": f"{SERVICE}/backends/embeddings-pool"}]}, "is a pool"),
        ({"services": [{"id": "/backends/ptu-eastus2", "weight": 101}]}, "from 0 to 100"),
        ({"services": [{"id": "/backends/ptu-eastus2", "priority": -1}]}, "from 0 to 100"),
        ({"services": [{"id": "/backends/ptu-eastus2"}] * 2}, "twice"),
        ({"services": [{"id": "/backends/ptu-eastus2"}] * 31}, "at most 30"),
    ],
)
async def test_a_pool_the_service_would_refuse_is_refused(change: dict[str, Any], words: str) -> None:
    async with arm_server() as server, sdk(server) as client:
        body = {"properties": {"type": "Pool", "pool": change}}
        with pytest.raises(HttpResponseError) as refused:
            await client.backend.create_or_update(*AT, "chat-pool", json.dumps(body).encode())
        kept, _ = await client.backend.get(*AT, "chat-pool", cls=raw)
    assert refused.value.status_code == 400
    assert refused.value.error.code == "ValidationError"
    assert any(words in detail.message for detail in refused.value.error.details)
    assert len(kept["properties"]["pool"]["services"]) == 4


async def test_short_member_ids_are_stored_in_full_and_two_breaker_rules_are_one_too_many() -> None:
    async with arm_server() as server, sdk(server) as client:
        body = {"properties": {"type": "Pool", "pool": {"services": [{"id": "/backends/ptu-eastus2", "weight": 3}]}}}
        stored, _ = await client.backend.create_or_update(*AT, "small-pool", json.dumps(body).encode(), cls=raw)
        rule = {"name": "r", "failureCondition": {"count": 1, "interval": "PT1M"}, "tripDuration": "PT1M"}
        single = {
            "properties": {"url": "https://a.example", "protocol": "http", "circuitBreaker": {"rules": [rule, rule]}}
        }
        with pytest.raises(HttpResponseError) as refused:
            await client.backend.create_or_update(*AT, "b", json.dumps(single).encode())
    assert stored["properties"]["pool"]["services"] == [{"id": f"{SERVICE}/backends/ptu-eastus2", "weight": 3}]
    assert "Only one rule" in refused.value.error.details[0].message


async def test_a_backend_in_use_cannot_be_deleted_and_a_delete_needs_the_entity_tag() -> None:
    async with arm_server() as server, sdk(server) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.backend.delete(*AT, "ptu-eastus2", if_match="*")
        http = Http(server)
        status, _, body = await http("DELETE", f"{SERVICE}/backends/ptu-eastus2?{VERSION}")
        kept = await client.backend.get(*AT, "ptu-eastus2")
    assert refused.value.status_code == 400
    assert "backends/chat-pool" in refused.value.message
    assert (status, body["error"]["code"]) == (400, "ValidationError")
    assert kept.name == "ptu-eastus2"


async def test_a_fragment_write_takes_time_and_is_polled_to_its_end() -> None:
    async with arm_server() as server, sdk(server) as client:
        started = server.world.now
        text = '<fragment>\n  <set-backend-service backend-id="ptu-eastus2" />\n</fragment>'
        poller = await client.policy_fragment.begin_create_or_update(
            *AT, "fresh", {"properties": {"value": text, "format": "rawxml", "description": "new"}}
        )
        await poller.result()
        took = server.world.now - started
        body, etag = await client.policy_fragment.get(*AT, "fresh", format="rawxml", cls=raw)
        with pytest.raises(HttpResponseError) as refused:
            await client.policy_fragment.delete(*AT, "spill-to-payg", if_match="*")
        references = await client.policy_fragment.list_references(*AT, "spill-to-payg")
        await client.policy_fragment.delete(*AT, "fresh", if_match=etag)
        with pytest.raises(ResourceNotFoundError):
            await client.policy_fragment.get(*AT, "fresh")
    assert took == pytest.approx(server.world.rooms["arm-settings"].entity_seconds)
    assert body["properties"]["format"] == "rawxml"
    assert "\r\n" in body["properties"]["value"]
    assert refused.value.status_code == 400
    assert f"{SERVICE}/apis/azure-openai/policies/policy" in [entry.id for entry in references.value]


async def test_a_long_running_put_is_never_answered_202_and_says_where_to_poll() -> None:
    async with arm_server() as server:
        http = Http(server)
        body = {"properties": {"displayName": "who", "value": "me"}}
        status, headers, written = await http("PUT", f"{SERVICE}/namedValues/who?{VERSION}", body)
        again, _, _ = await http("PUT", f"{SERVICE}/namedValues/who?{VERSION}", body, headers={"if-match": "*"})
        path = headers["azure-asyncoperation"].removeprefix(server.base_url)
        polled, _, operation = await http("GET", path)
        located, _, final = await http("GET", headers["location"].removeprefix(server.base_url))
    assert (status, again) == (201, 200)
    assert written["properties"]["provisioningState"] == "InProgress"
    assert "retry-after" in headers
    assert "asyncCode=201" in headers["location"]
    assert (polled, operation["status"]) == (200, "Succeeded")
    assert (located, final["properties"]["provisioningState"]) == (200, "Succeeded")


async def test_a_secret_is_told_by_list_value_and_by_nothing_else() -> None:
    async with arm_server() as server, sdk(server) as client:
        poller = await client.named_value.begin_create_or_update(
            *AT, "token", {"properties": {"displayName": "token", "value": "s3cr3t", "secret": True}}
        )
        await poller.result()
        http = Http(server)
        seen = json.dumps(
            [
                await http("GET", f"{SERVICE}/namedValues/token?{VERSION}"),
                await http("GET", f"{SERVICE}/namedValues?{VERSION}"),
                await http("GET", f"{SERVICE}/subscriptions?{VERSION}"),
            ]
        )
        told = await client.named_value.list_value(*AT, "token")
        keys = await client.subscription.list_secrets(*AT, "app-search")
        poller = await client.named_value.begin_update(*AT, "token", "*", {"properties": {"tags": ["a"]}})
        await poller.result()
        kept = await client.named_value.list_value(*AT, "token")
    assert "s3cr3t" not in seen
    assert keys.primary_key
    assert keys.primary_key not in seen
    assert told.value == kept.value == "s3cr3t"


async def test_a_named_value_in_use_stays_and_a_taken_display_name_is_refused() -> None:
    async with arm_server() as server, sdk(server) as client:
        body = {"properties": {"url": "https://{{where}}.example", "protocol": "http"}}
        poller = await client.named_value.begin_create_or_update(
            *AT, "w", {"properties": {"displayName": "where", "value": "north"}}
        )
        await poller.result()
        await client.backend.create_or_update(*AT, "named", json.dumps(body).encode())
        with pytest.raises(HttpResponseError) as in_use:
            await client.named_value.delete(*AT, "w", if_match="*")
        with pytest.raises(HttpResponseError) as taken:
            await client.named_value.begin_create_or_update(
                *AT, "w2", {"properties": {"displayName": "Where", "value": "south"}}
            )
    assert "backends/named" in in_use.value.message
    assert "already exists" in taken.value.error.details[0].message


async def test_apis_operations_products_and_their_policies_are_served() -> None:
    async with arm_server() as server, sdk(server) as client:
        apis = [api.name async for api in client.api.list_by_service(*AT)]
        operations = [entry.name async for entry in client.api_operation.list_by_api(*AT, "azure-openai")]
        policy = await client.api_policy.get(*AT, "azure-openai", "policy", format="rawxml")
        exists = await client.api_policy.get_entity_tag(*AT, "azure-openai", "policy")
        products = [product.name async for product in client.product.list_by_service(*AT)]
        linked = [api.name async for api in client.product_api.list_by_product(*AT, "genai")]
        service = await client.api_management_service.get(*AT)
    assert apis == ["azure-openai", "legacy-chat"]
    assert "ChatCompletions_Create" in operations
    assert 'backend-id="chat-pool"' in policy.value
    assert exists
    assert products == ["genai"]
    assert linked == apis
    assert (service.sku.name, service.sku.capacity) == ("Premium", 2)


async def test_an_imported_description_becomes_operations() -> None:
    description = {
        "openapi": "3.0.1",
        "info": {"title": "Chat", "version": "1"},
        "paths": {"/deployments/{id}/chat": {"post": {"operationId": "Chat", "summary": "Talk"}}},
    }
    async with arm_server() as server, sdk(server) as client:
        poller = await client.api.begin_create_or_update(
            *AT, "chat", {"properties": {"path": "chat", "format": "openapi+json", "value": json.dumps(description)}}
        )
        await poller.result()
        operations = [entry async for entry in client.api_operation.list_by_api(*AT, "chat")]
        with pytest.raises(HttpResponseError) as same_path:
            await client.api.begin_create_or_update(*AT, "other", {"properties": {"path": "/chat", "displayName": "x"}})
        poller = await client.api.begin_delete(*AT, "chat", if_match="*")
        await poller.result()
        with pytest.raises(ResourceNotFoundError):
            await client.api.get(*AT, "chat")
    assert [(entry.name, entry.method, entry.url_template) for entry in operations] == [
        ("Chat", "POST", "/deployments/{id}/chat")
    ]
    assert "same path" in same_path.value.error.details[0].message


async def test_a_new_service_comes_with_a_policy_and_a_deleted_one_keeps_its_name() -> None:
    body = {
        "location": "westeurope",
        "sku": {"name": "BasicV2", "capacity": 1},
        "properties": {"publisherEmail": "a@contoso.example", "publisherName": "Contoso"},
    }
    async with arm_server() as server, sdk(server) as client:
        where = (RESOURCE_GROUP, "apim-contoso-two")
        poller = await client.api_management_service.begin_create_or_update(*where, body)
        created = await poller.result()
        policy = await client.policy.get(*where, "policy", format="rawxml")
        poller = await client.api_management_service.begin_delete(*where)
        await poller.result()
        with pytest.raises(HttpResponseError) as kept:
            await client.api_management_service.begin_create_or_update(*where, body)
        body["properties"]["restore"] = True
        poller = await client.api_management_service.begin_create_or_update(*where, body)
        restored = await poller.result()
    assert created.gateway_url == "https://apim-contoso-two.azure-api.net"
    assert "forward-request" in policy.value
    assert kept.value.error.code == "ServiceAlreadyExistsInSoftDeletedState"
    assert restored.provisioning_state == "Succeeded"


async def test_a_failed_operation_leaves_nothing_and_says_why() -> None:
    async with arm_server() as server, sdk(server) as client:
        http = Http(server)
        await http(
            "POST",
            "/_control/fault",
            {
                "kind": "operation-failure",
                "path": "*/policyFragments/*",
                "count": 1,
                "code": "Busy",
                "message": "not now",
            },
        )
        poller = await client.named_value.begin_create_or_update(
            *AT, "fine", {"properties": {"displayName": "fine", "value": "x"}}
        )
        await poller.result()
        text = "<fragment><return-response /></fragment>"
        poller = await client.policy_fragment.begin_create_or_update(
            *AT, "doomed", {"properties": {"value": text, "format": "rawxml"}}
        )
        with pytest.raises(HttpResponseError) as failed:
            await poller.result()
        with pytest.raises(ResourceNotFoundError):
            await client.policy_fragment.get(*AT, "doomed")
    assert failed.value.error.code == "Busy"


async def test_an_api_under_way_refuses_the_next_write_and_a_revision_is_a_copy() -> None:
    async with arm_server() as server:
        http = Http(server)
        revision = f"{SERVICE}/apis/azure-openai;rev=2?{VERSION}"
        body = {"properties": {"sourceApiId": f"{SERVICE}/apis/azure-openai", "apiRevisionDescription": "try"}}
        made = await http("PUT", revision, body)
        busy = await http("PUT", revision, body)
        server.world.advance(10)
        policy = await http("GET", f"{SERVICE}/apis/azure-openai;rev=2/policies/policy?{VERSION}&format=rawxml")
        revisions = await http("GET", f"{SERVICE}/apis/azure-openai/revisions?{VERSION}")
    assert (made[0], made[2]["properties"]["apiRevision"]) == (201, "2")
    assert made[2]["properties"]["isCurrent"] is False
    assert (busy[0], busy[2]["error"]["code"]) == (409, "PessimisticConcurrencyConflict")
    assert "chat-pool" in policy[2]["properties"]["value"]
    assert [entry["apiRevision"] for entry in revisions[2]["value"]] == ["1", "2"]
