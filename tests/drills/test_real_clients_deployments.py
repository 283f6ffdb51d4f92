"""Microsoft's deployments client on the embedded Azure: what-if, create, operations, errors, cancel, take up again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.deployments.aio import DeploymentsMgmtClient

from simulator.names import SUBSCRIPTION_ID
from simulator.resources.settings import arm_settings
from simulator.server import Server
from simulator.world import World
from tests.simulated_gateway import make_world
from tests.simulator.arm_world import LoopbackAuthentication, UnusedCredential

GROUP_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
SUBSCRIPTION_SCHEMA = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"


@pytest.fixture
def world() -> World:
    world = make_world()
    arm_settings(world).throttling = False
    return world


@asynccontextmanager
async def deployments(world: World, *, speed: float = 600.0) -> AsyncIterator[Any]:
    """Microsoft's client on a server whose minutes pass in a tenth of a second."""
    async with Server(world, driven=True, speed=speed) as server:
        arm_settings(world).retry_after_seconds = 0.05
        client = DeploymentsMgmtClient(
            UnusedCredential(),
            SUBSCRIPTION_ID,
            base_url=server.base_url,
            authentication_policy=LoopbackAuthentication(world),
            polling_interval=0.02,
            retry_total=0,
        )
        async with client:
            yield client


def service_template(sku: str = "Developer") -> dict[str, Any]:
    """A group with a service in it, which takes its time."""
    inner = {
        "$schema": GROUP_SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"secret": {"type": "secureString"}},
        "resources": [
            {
                "type": "Microsoft.ApiManagement/service",
                "apiVersion": "2024-05-01",
                "name": "apim-drill",
                "location": "swedencentral",
                "sku": {"name": sku, "capacity": 1},
                "properties": {"publisherEmail": "ops@contoso.com", "publisherName": "Contoso"},
            },
            {
                "type": "Microsoft.ApiManagement/service/namedValues",
                "apiVersion": "2024-05-01",
                "name": "apim-drill/hidden",
                "dependsOn": ["[resourceId('Microsoft.ApiManagement/service', 'apim-drill')]"],
                "properties": {"displayName": "hidden", "secret": True, "value": "[parameters('secret')]"},
            },
        ],
    }
    return {
        "$schema": SUBSCRIPTION_SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"secret": {"type": "secureString"}},
        "resources": [
            {
                "type": "Microsoft.Resources/resourceGroups",
                "apiVersion": "2024-03-01",
                "name": "rg-drill",
                "location": "swedencentral",
            },
            {
                "type": "Microsoft.Resources/deployments",
                "apiVersion": "2024-03-01",
                "name": "inner",
                "resourceGroup": "rg-drill",
                "dependsOn": ["rg-drill"],
                "properties": {
                    "mode": "Incremental",
                    "expressionEvaluationOptions": {"scope": "inner"},
                    "parameters": {"secret": {"value": "[parameters('secret')]"}},
                    "template": inner,
                },
            },
        ],
    }


def request(sku: str = "Developer") -> dict[str, Any]:
    """The body of a deployment."""
    parameters = {"secret": {"value": "do-not-show-this"}}
    properties = {"mode": "Incremental", "template": service_template(sku), "parameters": parameters}
    return {"location": "swedencentral", "properties": properties}


async def test_what_if_then_create_then_its_operations(world: World) -> None:
    async with deployments(world) as client:
        poller = await client.deployments.begin_what_if_at_subscription_scope("drill", request())
        foreseen = await poller.result()
        poller = await client.deployments.begin_create_or_update_at_subscription_scope("drill", request())
        made = await poller.result()
        operations = [o async for o in client.deployment_operations.list_at_subscription_scope("drill")]
    assert {(change.resource_id.rsplit("/", 1)[-1], change.change_type) for change in foreseen.changes} >= {
        ("rg-drill", "Create"),
        ("apim-drill", "Create"),
    }
    assert made.properties.provisioning_state == "Succeeded"
    assert {operation.properties.provisioning_state for operation in operations} == {"Succeeded"}
    assert made.properties.parameters["secret"] == {"type": "SecureString"}


async def test_a_failure_carries_the_innermost_reason(world: World) -> None:
    async with deployments(world) as client:
        poller = await client.deployments.begin_create_or_update_at_subscription_scope("drill", request("Gigantic"))
        with pytest.raises(HttpResponseError) as failed:
            await poller.result()
    assert failed.value.error is not None
    assert failed.value.error.code == "DeploymentFailed"
    told = str(failed.value)
    assert "sku name must be one of" in told
    assert "do-not-show-this" not in told


async def test_a_running_deployment_is_seen_cancelled_and_over(world: World) -> None:
    async with deployments(world, speed=10.0) as client:
        poller = await client.deployments.begin_create_or_update_at_subscription_scope("drill", request())
        running = await client.deployments.get_at_subscription_scope("drill")
        await client.deployments.cancel_at_subscription_scope("drill")
        with pytest.raises(HttpResponseError):
            await poller.result()
        over = await client.deployments.get_at_subscription_scope("drill")
    assert running.properties.provisioning_state in ("Accepted", "Running")
    assert over.properties.provisioning_state == "Canceled"


async def test_another_process_takes_up_a_deployment_by_its_token(world: World) -> None:
    async with deployments(world, speed=300.0) as client:
        poller = await client.deployments.begin_create_or_update_at_subscription_scope("drill", request())
        token = poller.continuation_token()
        again = await client.deployments.begin_create_or_update_at_subscription_scope(
            "drill", request(), continuation_token=token
        )
        made = await again.result()
        await poller.result()
    assert made.properties.provisioning_state == "Succeeded"
    assert world.store.get(f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-drill") is not None


async def test_a_template_that_cannot_be_read_is_refused_at_once(world: World) -> None:
    body = request()
    body["properties"]["template"]["resources"][0]["name"] = "[nonsense()]"
    async with deployments(world) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.deployments.begin_create_or_update_at_subscription_scope("drill", body)
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "InvalidTemplate"
