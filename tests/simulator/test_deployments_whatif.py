"""What-if tells what a deployment would change, noise included, as Azure does."""

from __future__ import annotations

from typing import Any

from simulator.names import SUBSCRIPTION
from tests.simulator.deployments_world import NAMED_GROUP, deployments
from tests.simulator.test_deployments_refusals import SERVICE, in_group

BACKEND = {
    "type": "Microsoft.ApiManagement/service/backends",
    "apiVersion": "2024-05-01",
    "dependsOn": ["[resourceId('Microsoft.ApiManagement/service', 'apim-new')]"],
}


def backend(name: str) -> dict[str, Any]:
    url = f"https://{name}.openai.azure.com/openai"
    return {**BACKEND, "name": f"apim-new/{name}", "properties": {"url": url, "protocol": "http"}}


def pool(*weights: int) -> dict[str, Any]:
    members = [
        {"id": f"[resourceId('Microsoft.ApiManagement/service/backends', 'apim-new', 'b{n}')]", "weight": weight}
        for n, weight in enumerate(weights)
    ]
    return {
        **BACKEND,
        "name": "apim-new/pool",
        "dependsOn": [f"[resourceId('Microsoft.ApiManagement/service/backends', 'apim-new', 'b{n}')]" for n in (0, 1)],
        "properties": {"type": "Pool", "pool": {"services": members}},
    }


async def test_new_resources_are_creations_and_a_group_alone_ignores_nothing() -> None:
    async with deployments() as azure:
        changes = await azure.what_if(in_group(SERVICE))
        assert {c["changeType"] for c in changes} == {"Create"}
        assert azure.world.store.get(f"{SUBSCRIPTION}/resourceGroups/rg-new") is None, "a what-if writes nothing"


async def test_a_changed_pool_is_an_array_delta_and_provider_defaults_look_deleted() -> None:
    async with deployments() as azure:
        await azure.run("new", in_group(SERVICE, backend("b0"), backend("b1"), pool(50, 50)), seconds=400)
        changes = {
            c["resourceId"].rsplit("/", 1)[1]: c
            for c in await azure.what_if(in_group(SERVICE, backend("b0"), backend("b1"), pool(50, 80)))
        }
        assert {d["propertyChangeType"] for d in changes["b0"]["delta"]} <= {"Delete"}, "defaults, not changes"
        (delta,) = changes["pool"]["delta"]
        assert delta["propertyChangeType"] == "Array"
        (member,) = delta["children"]
        assert member["path"] == "1"
        assert (member["children"][0]["before"], member["children"][0]["after"]) == (50, 80)
        assert changes["master"]["changeType"] == "Ignore"
        noise = {d["path"]: d["propertyChangeType"] for d in changes["apim-new"]["delta"]}
        assert noise["properties.virtualNetworkType"] == "Delete"


async def test_ids_only_says_deploy() -> None:
    async with deployments() as azure:
        status, headers, _ = await azure.http(
            "POST",
            azure.path("w", "whatIf"),
            {
                "location": "swedencentral",
                "properties": {
                    "mode": "Incremental",
                    "whatIfSettings": {"resultFormat": "ResourceIdOnly"},
                    "template": {"contentVersion": "1.0.0.0", "resources": [NAMED_GROUP]},
                },
            },
        )
        assert status == 202
        waiting = headers["location"].split(azure.http._server.base_url, 1)[1]
        _, _, result = await azure.http("GET", waiting)
        assert [c["changeType"] for c in result["properties"]["changes"]] == ["Deploy"]
