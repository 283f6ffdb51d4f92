"""Who may do what: tokens from the managed-identity endpoint, their end, roles, and the token buckets."""

from __future__ import annotations

import base64
import json

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import ManagedIdentityCredential

from simulator.entra.tokens import entra
from simulator.names import WORKSPACE_CUSTOMER_ID
from tests.simulator.arm_world import (
    GROUP,
    RESOURCE_GROUP,
    SERVICE,
    SERVICE_NAME,
    SUBSCRIPTION,
    VERSION,
    Http,
    arm_server,
    make_world,
    sdk,
)

PERMISSIONS = "/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"


async def test_microsofts_managed_identity_credential_gets_a_readable_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with arm_server() as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.base_url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", entra(server.world).identity_header)
        async with ManagedIdentityCredential() as credential:
            token = await credential.get_token("https://management.azure.com/.default")
        http = Http(server)
        status, _, _ = await http(
            "GET", f"{SERVICE}?{VERSION}", headers={"authorization": f"Bearer {token.token}"}, authenticated=False
        )
        wrong, _, _ = await http("GET", "/msi/token?resource=x", headers={"x-identity-header": "guess"})
    payload = token.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == "https://management.azure.com"
    assert token.expires_on == claims["exp"]
    assert (status, wrong) == (200, 401)


async def test_no_token_a_foreign_token_and_a_token_past_its_time_are_refused() -> None:
    async with arm_server() as server:
        http = Http(server)
        path = f"{SERVICE}?{VERSION}"
        missing = await http("GET", path, authenticated=False)
        foreign, _ = entra(make_world(seed=8)).mint("https://management.azure.com")
        stranger = await http("GET", path, headers={"authorization": f"Bearer {foreign}"})
        fine = await http("GET", path)
        server.world.advance(86_401)
        late = await http("GET", path)
    assert (missing[0], missing[2]["error"]["code"]) == (401, "AuthenticationFailed")
    assert (stranger[0], stranger[2]["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert fine[0] == 200
    assert (late[0], late[2]["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert late[1]["www-authenticate"].startswith("Bearer authorization_uri=")


async def test_the_control_door_ends_every_token_given_so_far() -> None:
    async with arm_server() as server, sdk(server) as client:
        await client.api_management_service.get(RESOURCE_GROUP, SERVICE_NAME)
        await Http(server)("POST", "/_control/tokens", {"action": "expire"})
        with pytest.raises(ClientAuthenticationError) as ended:
            await client.api_management_service.get(RESOURCE_GROUP, SERVICE_NAME)
        fresh = await Http(server)("GET", f"{SERVICE}?{VERSION}")
    assert ended.value.error.code == "ExpiredAuthenticationToken"
    assert fresh[0] == 200


async def test_a_reader_reads_and_is_refused_writes_and_secrets() -> None:
    async with arm_server() as server:
        http = Http(server)
        await http("POST", "/_control/principal", {"assignments": [{"role": "Reader", "scope": GROUP}]})
        read = await http("GET", f"{SERVICE}/backends?{VERSION}")
        write = await http("PUT", f"{SERVICE}/backends/x?{VERSION}", {"properties": {}})
        secret = await http("POST", f"{SERVICE}/subscriptions/app-search/listSecrets?{VERSION}")
        above = await http("GET", f"{SUBSCRIPTION}?api-version=2022-12-01")
        listed = await http("GET", "/subscriptions?api-version=2022-12-01")
        permissions = await http("GET", SERVICE + PERMISSIONS)
    assert read[0] == 200
    assert (write[0], write[2]["error"]["code"]) == (403, "AuthorizationFailed")
    assert "'Microsoft.ApiManagement/service/backends/write'" in write[2]["error"]["message"]
    assert "subscriptions/listSecrets/action" in secret[2]["error"]["message"]
    assert above[0] == 403
    assert len(listed[2]["value"]) == 1
    assert permissions[2]["value"] == [
        {"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}
    ]


async def test_the_metrics_batch_wants_a_role_on_the_whole_subscription() -> None:
    async with arm_server() as server:
        http = Http(server)
        path = f"/hosts/swedencentral.metrics.monitor.azure.com{SUBSCRIPTION}/metrics:getBatch?api-version=2024-02-01"
        await http("POST", "/_control/principal", {"assignments": [{"role": "Monitoring Reader", "scope": GROUP}]})
        refused = await http("POST", path, {"resourceids": []})
        nobody = await http("POST", path, {"resourceids": []}, authenticated=False)
    assert (refused[0], refused[2]["error"]["code"]) == (403, "AuthorizationFailed")
    assert nobody[0] == 401


async def test_a_query_wants_the_right_to_query_that_workspace() -> None:
    async with arm_server() as server:
        http = Http(server)
        path = f"/hosts/api.loganalytics.io/v1/workspaces/{WORKSPACE_CUSTOMER_ID}/query"
        await http("POST", "/_control/principal", {"assignments": [{"role": "Reader", "scope": SERVICE}]})
        refused = await http("POST", path, {"query": "ApiManagementGatewayLogs | count"})
    assert (refused[0], refused[2]["error"]["code"]) == (403, "InsufficientAccessError")


async def test_reads_drain_a_bucket_that_time_refills() -> None:
    async with arm_server() as server:
        http = Http(server)
        path = f"{SERVICE}?{VERSION}"
        first = await http("GET", path)
        bucket = server.world.rooms["arm-throttle"].bucket(
            entra(server.world).default.object_id, SUBSCRIPTION.rsplit("/", 1)[1], "reads"
        )
        bucket.tokens = 1.0
        last = await http("GET", path)
        refused = await http("GET", path)
        server.world.advance(1)
        again = await http("GET", path)
    assert first[1]["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert first[1]["x-ms-ratelimit-remaining-subscription-global-reads"] == "3749"
    assert last[1]["x-ms-ratelimit-remaining-subscription-reads"] == "0"
    assert (refused[0], refused[2]["error"]["code"]) == (429, "TooManyRequests")
    assert int(refused[1]["retry-after"]) >= 1
    assert again[1]["x-ms-ratelimit-remaining-subscription-reads"] == "24"


async def test_the_api_version_is_required_and_must_be_one_the_provider_knows() -> None:
    async with arm_server() as server:
        http = Http(server)
        missing = await http("GET", SERVICE)
        unknown = await http("GET", f"{SERVICE}?api-version=2019-01-01x")
        newer = await http("GET", f"{SERVICE}?api-version=2024-06-01-preview")
    assert missing[2]["error"]["code"] == "MissingApiVersionParameter"
    assert unknown[2]["error"]["code"] == "NoRegisteredProviderFound"
    assert newer[0] == 200


async def test_an_unregistered_provider_refuses_writes_until_it_is_registered() -> None:
    async with arm_server() as server, sdk(server) as client:
        http = Http(server)
        subscription = SUBSCRIPTION.rsplit("/", 1)[1]
        await http(
            "POST",
            "/_control/provider",
            {"subscription_id": subscription, "namespace": "Microsoft.EventHub", "registered": False},
        )
        path = f"{GROUP}/providers/Microsoft.EventHub/namespaces/ns?api-version=2024-01-01"
        refused = await http("PUT", path, {"location": "swedencentral"})
        await http("POST", f"{SUBSCRIPTION}/providers/Microsoft.EventHub/register?api-version=2021-04-01")
        accepted = await http("PUT", path, {"location": "swedencentral"})
        with pytest.raises(HttpResponseError):
            await client.backend.get(RESOURCE_GROUP, SERVICE_NAME, "nobody")
    assert (refused[0], refused[2]["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    assert accepted[0] == 201


async def test_a_lock_holds_back_deletes_or_writes_of_everything_below() -> None:
    lock = f"{SERVICE}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01"
    backend = f"{SERVICE}/backends/ptu-eastus2?{VERSION}"
    async with arm_server() as server:
        http = Http(server)
        await http("PUT", lock, {"properties": {"level": "CanNotDelete"}})
        written = await http("PATCH", backend, {"properties": {"title": "t"}}, headers={"if-match": "*"})
        kept = await http("DELETE", f"{GROUP}?api-version=2021-04-01")
        await http("PUT", lock, {"properties": {"level": "ReadOnly"}})
        frozen = await http("PATCH", backend, {"properties": {"title": "t"}}, headers={"if-match": "*"})
        await http("DELETE", lock)
        again = await http("PATCH", backend, {"properties": {"title": "t"}}, headers={"if-match": "*"})
    assert written[0] == again[0] == 200
    assert (kept[0], kept[2]["error"]["code"]) == (409, "ScopeLocked")
    assert (frozen[0], frozen[2]["error"]["code"]) == (409, "ScopeLocked")


async def test_a_role_assignment_counts_from_then_on_and_cannot_be_made_twice() -> None:
    async with arm_server() as server:
        http = Http(server)
        me = entra(server.world).default
        definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
        found = await http("GET", f"{definition}?api-version=2022-04-01&$filter=roleName eq 'Reader'")
        body = {"properties": {"principalId": me.object_id, "roleDefinitionId": found[2]["value"][0]["id"]}}
        base = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments"
        made = await http("PUT", f"{base}/one?api-version=2022-04-01", body)
        twice = await http("PUT", f"{base}/two?api-version=2022-04-01", body)
        held = [role.name for role in me.roles_at(SERVICE)]
        await http("DELETE", f"{base}/one?api-version=2022-04-01")
        left = [role.name for role in me.roles_at(SERVICE)]
    assert made[0] == 201
    assert twice[2]["error"]["code"] == "RoleAssignmentExists"
    assert held == ["Owner", "Reader"]
    assert left == ["Owner"]
