"""Templates mean in the embedded Azure what they mean in Azure: expressions, loops, nesting, symbolic names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.deployments_world import GROUP_TYPE, NAMED_GROUP, deployments


def group(name: str, **more: Any) -> dict[str, Any]:
    return {**NAMED_GROUP, "name": name, **more}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[concat('a', 'b', string(3))]", "ab3"),
        ("[format('{0}-{1}', 'x', 7)]", "x-7"),
        ("[[not an expression]", "[not an expression]"),
        ("[toLower(parameters('name'))]", "amira"),
        ("[length(createArray(1, 2, 3))]", 3),
        ("[if(empty(''), 'yes', 'no')]", "yes"),
        ("[union(createObject('a', 1), createObject('b', 2))]", {"a": 1, "b": 2}),
        ("[split('a,b', ',')]", ["a", "b"]),
        ("[variables('from').parameter]", "Amira"),
        ("[tryGet(createObject('a', 1), 'b')]", None),
        ("[coalesce(null(), 'second')]", "second"),
        ("[map(createArray(1, 2), lambda('n', mul(lambdaVariables('n'), 2)))]", [2, 4]),
        ("[subscription().subscriptionId]", "0a1b2c3d-0000-4000-8000-00000000c0de"),
    ],
)
async def test_an_expression_is_evaluated(expression: str, value: Any) -> None:
    template = {
        "parameters": {"name": {"type": "string"}},
        "variables": {"from": {"parameter": "[parameters('name')]"}},
        "outputs": {"it": {"type": "string", "value": expression}},
    }
    async with deployments() as azure:
        assert (await azure.outputs(template, parameters={"name": "Amira"}))["it"] == value


async def test_unique_string_repeats_and_differs() -> None:
    template = {
        "outputs": {
            "one": {"type": "string", "value": "[uniqueString('a', 'b')]"},
            "again": {"type": "string", "value": "[uniqueString('a', 'b')]"},
            "other": {"type": "string", "value": "[uniqueString('a', 'c')]"},
        }
    }
    async with deployments() as azure:
        found = await azure.outputs(template)
    assert found["one"] == found["again"] != found["other"]
    assert len(found["one"]) == 13


async def test_a_loop_makes_one_resource_for_each_and_serial_ones_in_order() -> None:
    looped = group("[format('rg-{0}', copyIndex())]", copy={"name": "all", "count": 3, "mode": "serial"})
    async with deployments() as azure:
        done = await azure.run("loop", {"resources": [looped]})
        assert [r["id"].rsplit("/", 1)[1] for r in done["outputResources"]] == ["rg-0", "rg-1", "rg-2"]
        steps = [o for r in azure.room.records.values() for o in r.operations if o.target_type == GROUP_TYPE]
    ends = [step.ended_at or 0.0 for step in steps]
    assert [step.started_at >= end for step, end in zip(steps[1:], ends, strict=False)] == [True, True]


async def test_a_condition_leaves_a_resource_out() -> None:
    async with deployments() as azure:
        done = await azure.run("some", {"resources": [group("rg-yes"), group("rg-no", condition=False)]})
        assert len(done["outputResources"]) == 1
        assert azure.world.store.get("/subscriptions/0a1b2c3d-0000-4000-8000-00000000c0de/resourceGroups/rg-no") is None


def module(name: str, template: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": name,
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": {"contentVersion": "1.0.0.0", **template},
            **more.pop("properties", {}),
        },
        **more,
    }


async def test_a_module_has_parameters_of_its_own_and_hands_outputs_back() -> None:
    inner = {
        "parameters": {"word": {"type": "string"}},
        "resources": [],
        "outputs": {"said": {"type": "string", "value": "[concat(parameters('word'), '!')]"}},
    }
    reference = "[reference(subscriptionResourceId('Microsoft.Resources/deployments', 'inner'), '2025-04-01')"
    template = {
        "parameters": {"word": {"type": "string", "defaultValue": "outer"}},
        "resources": [
            module("inner", inner, location="swedencentral", properties={"parameters": {"word": {"value": "hello"}}})
        ],
        "outputs": {"heard": {"type": "string", "value": f"{reference}.outputs.said.value]"}},
    }
    async with deployments() as azure:
        assert await azure.outputs(template) == {"heard": "hello!"}
        status, _, listed = await azure.http("GET", azure.path("outputs", "operations"))
    assert status == 200
    targets = [o["properties"].get("targetResource", {}).get("resourceName") for o in listed["value"]]
    assert "inner" in targets
    assert None in targets, "the step that evaluates the outputs has no target"


async def test_symbolic_names_and_existing_resources_are_followed() -> None:
    template = {
        "languageVersion": "2.0",
        "resources": {
            "made": group("rg-symbolic"),
            "old": {"existing": True, "type": GROUP_TYPE, "apiVersion": "2024-03-01", "name": "rg-genai-gateway"},
        },
        "outputs": {"where": {"type": "string", "value": "[reference('old', '2024-03-01', 'full').location]"}},
    }
    async with deployments() as azure:
        assert await azure.outputs(template) == {"where": "swedencentral"}
        written = [o.symbolic_name for r in azure.room.records.values() for o in r.operations if o.target_id]
    assert written == ["made"], "what exists already is read, not written"


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ({"outputs": {"x": {"type": "string", "value": "[nosuch()]"}}}, "InvalidTemplate"),
        ({"resources": [group("[parameters('missing')]")]}, "InvalidTemplate"),
        ({"parameters": {"need": {"type": "string"}}}, "InvalidTemplate"),
        ({"parameters": {"p": {"type": "string", "allowedValues": ["a"], "defaultValue": "b"}}}, "InvalidTemplate"),
        ({"resources": [group("rg-a", dependsOn=["no-such-thing"])]}, "InvalidTemplate"),
        (
            {
                "resources": [
                    group("rg-a", dependsOn=["rg-b"]),
                    group("rg-b", dependsOn=["rg-a"]),
                ]
            },
            "InvalidTemplate",
        ),
    ],
)
async def test_a_wrong_template_is_refused_before_anything_is_written(template: dict[str, Any], code: str) -> None:
    async with deployments() as azure:
        before = len(list(azure.world.store.of_type(GROUP_TYPE)))
        status, body = await azure.put("wrong", template)
        azure.world.advance(30)
        if status in (200, 201):
            done = await azure.get("wrong")
            assert done["provisioningState"] == "Failed"
        else:
            assert status == 400
            assert body["error"]["code"] == code
        assert len(list(azure.world.store.of_type(GROUP_TYPE))) == before


async def test_a_secure_parameter_is_never_shown() -> None:
    template = {
        "parameters": {"password": {"type": "securestring"}, "plain": {"type": "string"}},
        "outputs": {"secret": {"type": "securestring", "value": "[parameters('password')]"}},
    }
    async with deployments() as azure:
        done = await azure.run("secret", template, parameters={"password": "hunter2", "plain": "seen"})
        assert done["parameters"]["plain"]["value"] == "seen"
        assert "value" not in done["parameters"]["password"]
        assert "hunter2" not in str(done)


async def test_the_cli_may_send_a_bare_key_and_comments() -> None:
    async with deployments() as azure:
        raw = b"""{"location": "swedencentral", "properties": {"mode": "Incremental", "parameters": {},
            template: { // a comment with "quotes" and { braces
              "contentVersion": "1.0.0.0", /* and another */ "resources": [],
              "outputs": {"url": {"type": "string", "value": "https://not.a//comment"}}, } }}"""
        status, _, _ = await azure.http("PUT", azure.path("cli"), raw)
        assert status == 201
        azure.world.advance(5)
        assert (await azure.get("cli"))["outputs"]["url"]["value"] == "https://not.a//comment"
