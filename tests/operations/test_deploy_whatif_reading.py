"""A redeployment's what-if as an operator reads it: what matters first, noise counted, drains not undone unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from console.domain.arm_deployment import Change, ChangeType, PropertyChange, WhatIf
from console.operations.deploy.report import noise_counts, what_if_document, what_if_lines
from console.operations.deploy.whatif import Noise, read_what_if
from tests.operations.deploy_bench import ANSWERS, SERVICE_TYPE, bench, walk

SERVICE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/apim"


def modified(path: str, *changes: PropertyChange, before: Any = None, after: Any = None) -> Change:
    return Change(f"{SERVICE}/{path}", ChangeType.MODIFY, before or {}, after or {}, changes)


async def test_the_same_again_changes_nothing_and_says_how_much_was_noise() -> None:
    async with bench() as azure:
        await walk(azure.console())
        flow = azure.console()
        await flow.check(ANSWERS, is_complete=True)
        reading = await flow.preview(flow.settle(ANSWERS))
    assert reading.counts == {"Create": 0, "Modify": 0, "Delete": 0}
    assert not reading.warnings
    assert noise_counts(reading)[Noise.DEFAULTS.value] > 0
    assert noise_counts(reading)[Noise.UNRESOLVED.value] > 0


async def test_a_policy_change_is_a_diff_and_sentences() -> None:
    async with bench() as azure:
        await walk(azure.console())
        flow = azure.console()
        other = replace(ANSWERS, policy_fragment="simple-round-robin")
        await flow.check(other, is_complete=True)
        reading = await flow.preview(flow.settle(other))
    (change,) = what_if_document(reading)["changes"]
    assert change["type"] == f"{SERVICE_TYPE}/apis/policies"
    assert '+        <include-fragment fragment-id="simple-round-robin" />' in change["diff"]
    assert "retry-with-payg removed" in change["differences"][0]["text"]


async def test_a_drain_that_would_be_undone_is_told_first() -> None:
    async with bench() as azure:
        await walk(azure.console())
        store = azure.world.store
        service = next(iter(store.of_type(SERVICE_TYPE))).id
        listed = store.get(f"{service}/namedValues/drained-backends")
        pool = store.get(f"{service}/backends/chat-pool")
        assert listed is not None
        assert pool is not None
        store.put(listed.id, listed.type, {"properties": {**listed.properties, "value": "paygEndpoint2"}})
        members = [m for m in pool.properties["pool"]["services"] if not m["id"].endswith("paygEndpoint2")]
        assert len(members) == 2
        store.put(pool.id, pool.type, {"properties": {**pool.properties, "pool": {"services": members}}})
        flow = azure.console()
        await flow.check(ANSWERS, is_complete=True)
        kept = flow.settle(ANSWERS)
        assert kept.drained_backends == "paygEndpoint2", "what is drained stays so unless said otherwise"
        reading = await flow.preview(kept)
        assert reading.warnings == ("this would undo the drain of paygEndpoint2: it comes back into chat-pool",)
        forced = await flow.preview(replace(kept, drained_backends="none"))
        assert any("no longer be listed" in warning for warning in forced.warnings)
        assert next(iter(what_if_lines(reading))).startswith("0 to create, 1 to change")


def test_deletions_and_losses_come_first_and_are_marked() -> None:
    lost = PropertyChange(
        "properties.pool.services", "Array", children=(PropertyChange("1", "Delete", before={"id": "x"}),)
    )
    reading = read_what_if(
        WhatIf(
            (
                Change(f"{SERVICE}/backends/new", ChangeType.CREATE),
                modified("backends/pool", lost),
                Change(f"{SERVICE}/backends/old", ChangeType.DELETE),
                modified("apis/a", PropertyChange("sku.name", "Modify", "Premium", "Developer")),
            )
        )
    )
    assert [group.change_type.value for group in reading.groups] == ["Delete", "Modify", "Modify", "Create"]
    assert {read.destructive for read in reading.destructive} == {
        "is deleted",
        "loses 1 member",
        "goes down from tier Premium to Developer",
    }
    assert len(reading.warnings) == 3


def test_the_same_policy_written_differently_is_noise() -> None:
    before, after = '<fragment>\r\n\t<trace source="a" />\r\n</fragment>', '<fragment><trace source="a"/></fragment>'
    change = modified("policyFragments/f", PropertyChange("properties.value", "Modify", before, after))
    reading = read_what_if(WhatIf((change,)))
    assert reading.counts["Modify"] == 0
    assert noise_counts(reading) == {Noise.SAME_MEANING.value: 1}
