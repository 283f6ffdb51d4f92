"""What Resource Manager refuses, and how a deployment fails, is cancelled and is told."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.names import SUBSCRIPTION, SUBSCRIPTION_ID
from simulator.resources.subscriptions import provider_states
from tests.simulator.deployments_world import NAMED_GROUP, Deployments, deployments

SERVICE: dict[str, Any] = {
    "type": "Microsoft.ApiManagement/service",
    "apiVersion": "2024-05-01",
    "name": "apim-new",
    "location": "swedencentral",
    "sku": {"name": "Developer", "capacity": 1},
    "properties": {"publisherName": "Contoso", "publisherEmail": "a@contoso.com"},
}
MODULE = "Microsoft.Resources/deployments"


def in_group(*resources: dict[str, Any]) -> dict[str, Any]:
    """A group, and a module that writes into it."""
    return {
        "resources": [
            NAMED_GROUP,
            {
                "type": MODULE,
                "apiVersion": "2025-04-01",
                "name": "inside",
                "resourceGroup": "rg-new",
                "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'rg-new')]"],
                "properties": {
                    "mode": "Incremental",
                    "expressionEvaluationOptions": {"scope": "inner"},
                    "template": {"contentVersion": "1.0.0.0", "resources": list(resources)},
                },
            },
        ]
    }


async def refusal(azure: Deployments, template: dict[str, Any], **more: Any) -> tuple[int, str, list[str]]:
    status, body = await azure.put("new", template, **more)
    error = body["error"]
    return status, error["code"], [detail["code"] for detail in error.get("details", [])]


async def test_a_name_still_running_is_refused_and_the_running_one_goes_on() -> None:
    async with deployments() as azure:
        assert (await azure.put("new", in_group(SERVICE)))[0] == 201
        azure.world.advance(5)
        assert (await refusal(azure, in_group(SERVICE)))[:2] == (409, "DeploymentActive")
        azure.world.advance(300)
        assert (await azure.get("new"))["provisioningState"] == "Succeeded"


async def test_a_name_is_bound_to_its_location() -> None:
    async with deployments() as azure:
        await azure.run("new", {})
        assert (await refusal(azure, {}, location="westeurope"))[:2] == (409, "InvalidDeploymentLocation")


@pytest.mark.parametrize(("location", "code"), [(None, "LocationRequired"), ("moon", "LocationNotAvailable")])
async def test_a_location_must_be_given_and_known(location: str | None, code: str) -> None:
    async with deployments() as azure:
        status, found, _ = await refusal(azure, {}, location=location)
        assert status == 400
        assert found.startswith(code)


async def test_a_provider_that_is_not_registered_is_named() -> None:
    async with deployments() as azure:
        provider_states(azure.world).unregister(SUBSCRIPTION_ID, "Microsoft.ApiManagement")
        assert (await refusal(azure, in_group(SERVICE)))[:2] == (409, "MissingSubscriptionRegistration")


async def test_policy_sku_and_quota_are_told_beforehand() -> None:
    async with deployments() as azure:
        azure.room.denied_types["microsoft.apimanagement/service"] = "no-gateways"
        azure.room.unavailable_skus.add(("swedencentral", "developer"))
        azure.room.service_limit = 0
        status, code, inner = await refusal(azure, in_group(SERVICE))
    assert (status, code) == (400, "InvalidTemplateDeployment")
    assert inner == ["RequestDisallowedByPolicy", "SkuNotAvailable", "QuotaExceeded"]


async def test_a_soft_deleted_name_is_not_free() -> None:
    async with deployments() as azure:
        await azure.run("new", in_group(SERVICE), seconds=300)
        path = f"{SUBSCRIPTION}/resourceGroups/rg-new/providers/Microsoft.ApiManagement/service/apim-new"
        assert (await azure.http("DELETE", f"{path}?api-version=2024-05-01"))[0] in (200, 202, 204)
        azure.world.advance(600)
        assert (await refusal(azure, in_group(SERVICE)))[2] == ["ServiceAlreadyExistsInSoftDeletedState"]
        check = f"{SUBSCRIPTION}/providers/Microsoft.ApiManagement/checkNameAvailability?api-version=2024-05-01"
        _, _, answer = await azure.http("POST", check, {"name": "apim-new"})
        assert answer["nameAvailable"] is False
        _, _, answer = await azure.http("POST", check, {"name": "apim-other"})
        assert answer["nameAvailable"] is True


async def test_a_full_history_is_told() -> None:
    async with deployments() as azure:
        azure.room.history_limit = 1
        await azure.run("first", {})
        assert (await refusal(azure, {}))[:2] == (409, "DeploymentQuotaExceeded")


async def test_a_failure_inside_a_module_is_told_with_the_resource_and_stops_what_depends_on_it() -> None:
    async with deployments() as azure:
        azure.room.failing_types["microsoft.apimanagement/service"] = ("InternalError", "The pool is empty.")
        await azure.run(
            "new",
            in_group(
                SERVICE,
                {
                    **SERVICE,
                    "name": "apim-2",
                    "dependsOn": ["[resourceId('Microsoft.ApiManagement/service', 'apim-new')]"],
                },
            ),
        )
        done = await azure.get("new")
        nested = azure.room.records[f"{SUBSCRIPTION}/resourcegroups/rg-new/providers/{MODULE}/inside".lower()]
        assert [o.target_name for o in nested.operations] == ["apim-new"]
    assert done["provisioningState"] == "Failed"
    error = done["error"]
    path = [error["code"]]
    while error.get("details"):
        error = error["details"][0]
        path.append(error["code"])
    assert path[0] == "DeploymentFailed"
    assert path[-1] == "InternalError"


async def test_a_cancelled_deployment_keeps_what_is_done_and_starts_nothing_more() -> None:
    async with deployments() as azure:
        await azure.put("new", in_group(SERVICE))
        azure.world.advance(3)
        assert (await azure.http("POST", azure.path("new", "cancel")))[0] == 204
        azure.world.advance(300)
        done = await azure.get("new")
        assert done["provisioningState"] == "Canceled"
        assert azure.world.store.get(f"{SUBSCRIPTION}/resourceGroups/rg-new") is not None
        status, _, body = await azure.http("POST", azure.path("new", "cancel"))
        assert (status, body["error"]["code"]) == (409, "DeploymentCannotBeCancelled")


async def test_the_control_door_sets_what_deployments_meet() -> None:
    async with deployments() as azure:
        wanted = {
            "denied_types": {"Microsoft.EventHub/namespaces": "no-hubs"},
            "unavailable_skus": [["swedencentral", "Developer"]],
            "service_limit": 2,
        }
        status, _, said = await azure.http("POST", "/_control/deployments", wanted)
        assert status == 200
        assert said["unavailable_skus"] == [["swedencentral", "developer"]]
        _, _, skus = await azure.http(
            "GET", f"{SUBSCRIPTION}/providers/Microsoft.ApiManagement/skus?api-version=2024-05-01"
        )
        by_name = {sku["name"]: sku["restrictions"] for sku in skus["value"]}
        assert by_name["Developer"][0]["values"] == ["Sweden Central"]
        assert by_name["Premium"] == []
        assert (await azure.http("POST", "/_control/deployments", {"nonsense": 1}))[0] == 400
