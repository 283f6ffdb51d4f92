"""infra/main.json deploys to the embedded Azure as it would to the real one, and a second time changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import names
from simulator.deployments.engine import DeploymentRoom, Plan, plan_deployment, run_deployment
from simulator.deployments.preflight import check_resources
from simulator.deployments.scope import Placement
from simulator.deployments.whatif import what_if_changes
from simulator.embedded import build_world
from simulator.entra.principals import BUILT_IN_ROLES, Assignment, Principal
from simulator.world import World
from tests.accelerator.accelerator_files import compiled_template, policy_files

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


def deploy(world: World, **changed: Any) -> Plan:
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
    return planned


@pytest.fixture(scope="module")
def deployed() -> tuple[World, str]:
    """A world after one deployment, with the service's id."""
    world = build_world("calm", history_seconds=60, now=NOW, traffic=False)
    outputs = deploy(world).record.outputs
    assert outputs is not None
    group = f"{names.SUBSCRIPTION}/resourceGroups/{outputs['resourceGroupName']['value']}"
    return world, f"{group}/providers/Microsoft.ApiManagement/service/{outputs['apimServiceName']['value']}"


def test_the_gateway_stands_with_everything_it_needs(deployed: tuple[World, str]) -> None:
    world, service = deployed
    assert world.store.get(service) is not None
    for fragment in policy_files("fragment"):
        stored = world.store.get(f"{service}/policyFragments/{fragment.name}")
        assert stored is not None, fragment.name
    for backend in ("ptuEndpoint1", "paygEndpoint1", "paygEndpoint2", "chat-pool", "embeddings-pool"):
        assert world.store.get(f"{service}/backends/{backend}") is not None
    policy = world.store.get(f"{service}/apis/azure-openai/policies/policy")
    assert policy is not None
    assert 'fragment-id="retry-with-payg"' in policy.properties["value"]


def test_a_second_deployment_succeeds_and_keeps_the_drained_backends_it_is_given(deployed: tuple[World, str]) -> None:
    world, service = deployed
    deploy(world, drainedBackends="paygEndpoint2")
    value = world.store.get(f"{service}/namedValues/drained-backends")
    assert value is not None
    assert value.properties["value"] == "paygEndpoint2"


def test_every_fragment_can_be_chosen_and_every_capability_api_added(deployed: tuple[World, str]) -> None:
    world, service = deployed
    deploy(world, capabilityApis=True, policyFragment="weighted-round-robin")
    for name in compiled_template()["parameters"]["policyFragment"]["allowedValues"]:
        assert world.store.get(f"{service}/apis/capability-{name}/policies/policy") is not None


def test_what_if_before_a_deployment_knows_every_resource_but_who_the_gateway_will_be() -> None:
    world = build_world("calm", history_seconds=60, now=NOW, traffic=False)
    room, planned = plan(world)
    changes = what_if_changes(room, planned, ids_only=False)
    unknown = [c["resourceId"] for c in changes if c["changeType"] == "Unsupported"]
    assert all("roleAssignments" in resource_id for resource_id in unknown)
    created = " ".join(c["resourceId"] for c in changes if c["changeType"] == "Create")
    for fragment in policy_files("fragment"):
        assert f"/policyFragments/{fragment.name}" in created


def test_what_if_after_a_deployment_announces_no_new_resource(deployed: tuple[World, str]) -> None:
    world, _ = deployed
    deploy(world)
    room, planned = plan(world)
    created = [c["resourceId"] for c in what_if_changes(room, planned, ids_only=False) if c["changeType"] == "Create"]
    assert created == []
