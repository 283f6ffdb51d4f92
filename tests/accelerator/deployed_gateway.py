"""Deploys infra/main.json to an embedded Azure in this process: the start of every test that sends traffic through it.

world = build_world("calm", history_seconds=60, now=NOW, traffic=False)
gateway = deploy(world, policyFragment="weighted-round-robin")
gateway.service_id, gateway.host
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator import names
from simulator.deployments.engine import DeploymentRoom, Plan, plan_deployment, run_deployment
from simulator.deployments.preflight import check_resources
from simulator.deployments.scope import Placement
from simulator.entra.principals import BUILT_IN_ROLES, Assignment, Principal
from simulator.world import World
from tests.accelerator.accelerator_files import compiled_template

NOW = 1_795_437_763.0
ACCOUNTS = ("aoai-contoso-swc-ptu", "aoai-contoso-swc", "aoai-contoso-wus")
GIVEN: dict[str, Any] = {
    "username": "amira",
    "location": "swedencentral",
    "ptuEndpoint1": "https://aoai-contoso-swc-ptu.openai.azure.com/",
    "paygEndpoint1": "https://aoai-contoso-swc.openai.azure.com",
    "paygEndpoint2": "https://aoai-contoso-wus.openai.azure.com",
    "policyFragment": "retry-with-payg",
    "accountResourceIds": [names.account_id(name) for name in ACCOUNTS],
}


@dataclass(frozen=True)
class DeployedGateway:
    """What a deployment left behind: the service's resource id, its host, and the outputs of the template."""

    service_id: str
    host: str
    outputs: dict[str, Any]


def plan(world: World, **changed: Any) -> tuple[DeploymentRoom, Plan]:
    owner = Principal("00000000-0000-0000-0000-0000000000aa", "owner", names.TENANT_ID, "client")
    owner.assignments.append(Assignment(BUILT_IN_ROLES["Owner"], names.SUBSCRIPTION))
    room: DeploymentRoom = world.rooms["deployments"]
    placement = Placement(
        names.SUBSCRIPTION_ID, names.TENANT_ID, "genaigw", "swedencentral", caller_object_id=owner.object_id
    )
    parameters = {name: {"value": value} for name, value in (GIVEN | changed).items()}
    properties = {"template": compiled_template(), "parameters": parameters, "mode": "Incremental"}
    deployment_id = f"{names.SUBSCRIPTION}/providers/Microsoft.Resources/deployments/genaigw"
    return room, plan_deployment(room, placement, properties, owner, deployment_id=deployment_id)


def deploy(world: World, **changed: Any) -> DeployedGateway:
    """Preflight, then run to the end; fails with Azure's nested error."""
    room, planned = plan(world, **changed)
    check_resources(room, planned)
    room.records[planned.record.id.lower()] = planned.record
    finished: list[BaseException | None] = []
    world.spawn(run_deployment(room, planned), lambda _result, error: finished.append(error))
    for _ in range(240):  # four simulated hours: a classic service takes most of one
        world.advance(60)
        if finished:
            break
    assert finished == [None]
    assert planned.record.state == "Succeeded", planned.record.error
    outputs = {name: entry["value"] for name, entry in (planned.record.outputs or {}).items()}
    group = f"{names.SUBSCRIPTION}/resourceGroups/{outputs['resourceGroupName']}"
    service_id = f"{group}/providers/Microsoft.ApiManagement/service/{outputs['apimServiceName']}"
    return DeployedGateway(service_id, outputs["gatewayUrl"].removeprefix("https://"), outputs)


def subscription_key(world: World, gateway: DeployedGateway, name: str = "azure-openai-subscription") -> str:
    """The primary key of a subscription, as listSecrets would tell it."""
    subscription = world.store.get(f"{gateway.service_id}/subscriptions/{name}")
    assert subscription is not None
    return str(subscription.hidden["primaryKey"])
