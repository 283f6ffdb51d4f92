"""The lesser entities of a service, and the provider list: what is hidden stays hidden, and answers have their form."""

from __future__ import annotations

import pytest

from tests.simulator.arm_world import SERVICE, SUBSCRIPTION, VERSION, Http, arm_server


async def test_a_users_password_and_a_certificates_key_are_never_shown() -> None:
    person = {"firstName": "A", "lastName": "B", "email": "a@contoso.com", "password": "hush", "confirmation": "signup"}
    async with arm_server() as server:
        http = Http(server)
        made = await http("PUT", f"{SERVICE}/users/a?{VERSION}", {"properties": person})
        read = await http("GET", f"{SERVICE}/users/a?{VERSION}")
        uploaded = {"properties": {"data": "hush", "password": "hush"}}
        certificate = await http("PUT", f"{SERVICE}/certificates/c?{VERSION}", uploaded)
        again = await http("PUT", f"{SERVICE}/certificates/c?{VERSION}", uploaded)
        gone = await http("DELETE", f"{SERVICE}/users/a?{VERSION}", headers={"if-match": "*"})
    for _, _, body in (made, read, certificate, again):
        assert "hush" not in str(body)
    assert read[2]["properties"]["state"] == "active"
    assert certificate[2]["properties"]["subject"] == "CN=c"
    assert again[2]["properties"]["thumbprint"] == certificate[2]["properties"]["thumbprint"]
    assert gone[0] == 204


@pytest.mark.parametrize(
    ("collection", "envelope"),
    [
        ("contentTypes", {"value", "nextLink"}),
        ("policyRestrictions", {"value", "nextLink"}),
        ("portalconfigs", {"value", "nextLink"}),
        ("portalsettings", {"value", "count"}),
        ("backends", {"value", "count", "nextLink"}),
    ],
)
async def test_lists_have_the_envelope_of_their_kind(collection: str, envelope: set[str]) -> None:
    async with arm_server() as server:
        status, _, body = await Http(server)("GET", f"{SERVICE}/{collection}?{VERSION}")
    assert status == 200
    assert set(body) == envelope


async def test_providers_are_listed_and_registered_with_resource_managers_own_versions() -> None:
    async with arm_server() as server:
        http = Http(server)
        listed = await http("GET", f"{SUBSCRIPTION}/providers?api-version=2021-04-01")
        path = f"{SUBSCRIPTION}/providers/Microsoft.ApiManagement/register?api-version=2021-04-01"
        registered = await http("POST", path)
    assert {"Microsoft.ApiManagement", "Microsoft.Authorization"} <= {p["namespace"] for p in listed[2]["value"]}
    assert registered[0] == 200
    assert registered[2]["registrationState"] == "Registered"


async def test_a_resource_group_that_is_not_there_cannot_be_deleted() -> None:
    async with arm_server() as server:
        status, _, body = await Http(server)("DELETE", f"{SUBSCRIPTION}/resourceGroups/absent?api-version=2021-04-01")
    assert (status, body["error"]["code"]) == (404, "ResourceGroupNotFound")
