"""infra/main.json deploys to the embedded Azure as it would to the real one, and a second time changes nothing."""

from __future__ import annotations

import pytest

from simulator.deployments.whatif import what_if_changes
from simulator.embedded import build_world
from simulator.world import World
from tests.accelerator.accelerator_files import compiled_template, policy_files
from tests.accelerator.deployed_gateway import NOW, deploy, plan


@pytest.fixture(scope="module")
def deployed() -> tuple[World, str]:
    """A world after one deployment, with the service's id."""
    world = build_world("calm", history_seconds=60, now=NOW, traffic=False)
    return world, deploy(world).service_id


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
    assert all("/genaigw-access-" in resource_id for resource_id in unknown)
    created = " ".join(c["resourceId"] for c in changes if c["changeType"] == "Create")
    for fragment in policy_files("fragment"):
        assert f"/policyFragments/{fragment.name}" in created


def test_what_if_after_a_deployment_announces_no_new_resource(deployed: tuple[World, str]) -> None:
    world, _ = deployed
    deploy(world)
    room, planned = plan(world)
    created = [c["resourceId"] for c in what_if_changes(room, planned, ids_only=False) if c["changeType"] == "Create"]
    assert created == []
