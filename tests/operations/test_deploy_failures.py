"""Everything Azure refuses on the way: one clear cause, one next step, and nothing begun twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.azure.deployments import ArmRefusal
from console.errors import ConsoleError, DeadlineExceeded, GuardRefusal, SignInError, UsageError
from console.operations.deploy.failure import explain_refusal
from console.operations.deploy.flow import DeployFlow
from console.operations.deploy.parameters import deployment_name
from console.operations.deploy.preflight import CheckState
from console.operations.deploy.template import Template
from simulator.entra.principals import BUILT_IN_ROLES, Assignment
from simulator.entra.tokens import entra
from simulator.resources.faults import fault_table
from simulator.resources.subscriptions import provider_states
from tests.operations.deploy_bench import ANSWERS, SERVICE_TYPE, bench, walk

NAME = deployment_name(ANSWERS)


async def refused(flow: DeployFlow) -> GuardRefusal:
    """The check that stands in the way; nothing has been begun."""
    with pytest.raises(GuardRefusal) as refusal:
        await walk(flow)
    return refusal.value


async def failed_start(flow: DeployFlow) -> ArmRefusal:
    """What Azure itself says when the checks are passed over."""
    await flow.load_template()
    with pytest.raises(ArmRefusal) as refusal:
        await flow.start(ANSWERS)
    return refusal.value


async def test_an_invalid_answer_is_refused_before_anything_is_asked() -> None:
    async with bench() as azure:
        flow = azure.console()
        with pytest.raises(UsageError, match="ptuEndpoint1"):
            await flow.start(replace(ANSWERS, ptu_endpoint="http://plain.openai.azure.com"))
        assert azure.put_count() == 0


async def test_a_region_without_the_tier_is_told_with_tiers_it_has() -> None:
    async with bench() as azure:
        azure.room.unavailable_skus.add(("swedencentral", "developer"))
        flow = azure.console()
        refusal = await refused(flow)
        assert "Developer cannot be created in swedencentral" in refusal.what
        assert "StandardV2" in refusal.remedy
        failure = explain_refusal(await failed_start(flow))
        assert failure.code == "SkuNotAvailable"
        assert "--sku" in failure.remedy
        assert azure.put_count() == 0


async def test_a_quota_is_told_by_the_validation() -> None:
    async with bench() as azure:
        azure.room.service_limit = 0
        refusal = await refused(azure.console())
        assert "QuotaExceeded" in refusal.what
        assert azure.put_count() == 0


async def test_a_policy_denial_names_the_policy_and_the_resource() -> None:
    async with bench() as azure:
        azure.room.denied_types["microsoft.eventhub/namespaces"] = "no-event-hubs"
        flow = azure.console()
        refusal = await refused(flow)
        assert "no-event-hubs" in refusal.what
        failure = explain_refusal(await failed_start(flow))
        assert failure.code == "RequestDisallowedByPolicy"
        assert failure.resource.startswith("evhns-")
        assert "exemption" in failure.remedy


async def test_a_provider_that_is_not_registered_comes_with_the_command() -> None:
    async with bench() as azure:
        flow = azure.console()
        provider_states(azure.world).unregister(flow.profile.subscription_id, "Microsoft.EventHub")
        refusal = await refused(flow)
        assert refusal.remedy == "Run az provider register --namespace Microsoft.EventHub"


async def test_a_soft_deleted_name_offers_purge_restore_or_another_name() -> None:
    async with bench() as azure:
        flow = azure.console()
        await walk(flow)
        (service,) = azure.services()
        resource = next(iter(azure.world.store.of_type(SERVICE_TYPE)))
        from simulator.resources.writing import delete_resource

        delete_resource(azure.world, resource.id, None, "*")
        azure.world.advance(900)
        again = azure.console()
        refusal = await refused(again)
        assert f"{service} was soft-deleted" in refusal.what
        assert f"purge --service-name {service}" in refusal.remedy
        assert "another --username" in refusal.remedy


async def test_a_region_that_does_not_exist_names_near_ones() -> None:
    async with bench() as azure:
        flow = azure.console()
        await flow.check(ANSWERS, is_complete=True)
        with pytest.raises(UsageError, match="swedencentral"):
            await flow.start(replace(ANSWERS, location="swedencentrl"))


async def test_a_template_error_deploys_nothing() -> None:
    async with bench() as azure:
        flow = azure.console()
        template = await flow.load_template()
        broken: dict[str, Any] = {**template.document, "outputs": {"x": {"type": "string", "value": "[nosuch()]"}}}
        broken["variables"] = {**broken.get("variables", {}), "bad": "[parameters('missing')]"}
        broken["resources"] = [{"type": "A/b", "apiVersion": "1", "name": "[variables('bad')]"}]
        flow.template = Template(broken, "a broken one")
        failure = explain_refusal(await failed_start(flow))
        assert failure.code == "InvalidTemplate"
        assert "nothing was deployed" in failure.remedy
        assert azure.put_count() == 0


async def test_no_permission_to_deploy_names_the_role() -> None:
    async with bench() as azure:
        flow = azure.console()
        reader = [Assignment(BUILT_IN_ROLES["Reader"], f"/subscriptions/{flow.profile.subscription_id}")]
        entra(azure.world).default.assignments = reader
        refusal = await refused(flow)
        assert "Contributor" in refusal.remedy
        states = {check.name: check.state for check in flow.preflight.checks} if flow.preflight else {}
        assert states["sign-in"] is CheckState.PASSING
        assert states["managed identity roles"] is CheckState.FAILING


async def test_what_may_not_be_looked_at_is_unverified_not_failing() -> None:
    async with bench() as azure:
        fault = {"kind": "status", "status": 403, "code": "AuthorizationFailed"}
        fault_table(azure.world).add({**fault, "path": "*/Microsoft.ApiManagement/skus"})
        flow = azure.console()
        preflight = await flow.check(ANSWERS, is_complete=True)
        region = next(check for check in preflight.checks if check.name == "region and tier")
        assert region.state is CheckState.UNVERIFIED
        assert not preflight.failing


async def test_another_deployment_of_the_name_is_watched_not_repeated() -> None:
    async with bench() as azure:
        first, second = azure.console(), azure.console()
        await first.check(ANSWERS, is_complete=True)
        started, is_ours = await first.start(first.settle(ANSWERS))
        assert is_ours
        await second.load_template()
        found, is_theirs = await second.start(ANSWERS)
        assert not is_theirs
        assert found.correlation_id == started.correlation_id
        ending = await second.watch(NAME, lambda progress: None)
        assert ending.is_success
        assert len(azure.services()) == 1


async def test_cancelled_elsewhere_says_so_and_can_be_deployed_again() -> None:
    async with bench() as azure:
        flow = azure.console()

        def cancel_soon(seconds: float) -> None:
            record = azure.room.records.get(flow.deployments.id_of(NAME).lower())
            if record is not None and not record.is_over and len(record.operations) > 2:
                record.cancel_requested = True

        azure.tick = cancel_soon
        ending = await walk(flow)
        assert ending.failure is not None
        assert ending.failure.code == "DeploymentCanceled"
        azure.tick = lambda seconds: None
        assert (await walk(azure.console())).is_success
        assert len(azure.services()) == 1


async def test_a_provider_that_fails_in_the_middle_is_told_down_to_its_cause_and_only_the_rest_is_done_again() -> None:
    async with bench() as azure:
        azure.room.failing_types["microsoft.apimanagement/service/backends"] = ("InternalError", "The backend is shy.")
        flow = azure.console()
        ending = await walk(flow)
        assert ending.failure is not None
        assert (ending.failure.code, ending.failure.message) == ("InternalError", "The backend is shy")
        assert "/backends/" in ending.failure.resource
        azure.room.failing_types.clear()
        assert (await walk(azure.console())).is_success
        assert len(azure.services()) == 1


async def test_a_token_that_expires_in_the_middle_is_renewed() -> None:
    async with bench() as azure:
        looks = 0

        def expire(seconds: float) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                entra(azure.world).revoke_all()

        azure.tick = expire
        assert (await walk(azure.console())).is_success
        assert looks > 3


async def test_a_sign_in_that_is_gone_in_the_middle_leaves_the_deployment_to_azure() -> None:
    async with bench() as azure:
        flow = azure.console()

        def lose(seconds: float) -> None:
            fault_table(azure.world).add({"kind": "expired-token", "path": "/subscriptions/*", "count": 50})

        azure.tick = lose
        with pytest.raises(SignInError, match="the deployment goes on in Azure"):
            await walk(flow)
        fault_table(azure.world).clear(None)
        azure.tick = lambda seconds: None
        azure.world.advance(400)
        assert (await walk(azure.console())).is_success
        assert len(azure.services()) == 1


async def test_a_network_that_is_gone_for_a_while_is_borne_and_told() -> None:
    async with bench() as azure:
        flow = azure.console()
        looks = 0

        def cut(seconds: float) -> None:
            nonlocal looks
            looks += 1
            if looks == 2:
                fault_table(azure.world).add({"kind": "reset", "path": "/subscriptions/*", "count": 6})

        azure.tick = cut
        await flow.check(ANSWERS, is_complete=True)
        await flow.start(flow.settle(ANSWERS))
        troubles: list[str] = []
        ending = await flow.watch(NAME, lambda progress: troubles.append(progress.trouble))
        assert ending.is_success
        assert any("trying again" in trouble for trouble in troubles)


async def test_a_network_that_stays_away_ends_the_watch_not_the_deployment() -> None:
    async with bench() as azure:
        flow = azure.console()
        await flow.check(ANSWERS, is_complete=True)
        await flow.start(flow.settle(ANSWERS))
        azure.tick = lambda seconds: azure.world.advance(200)
        fault_table(azure.world).add({"kind": "reset", "path": "/subscriptions/*", "count": 100})
        with pytest.raises(DeadlineExceeded, match="the deployment goes on"):
            await flow.watch(NAME, lambda progress: None)
        fault_table(azure.world).clear(None)
        assert (await azure.console().watch(NAME, lambda progress: None)).is_success


async def test_an_answer_lost_at_the_start_begins_nothing_twice() -> None:
    async with bench() as azure:
        flow = azure.console()
        await flow.check(ANSWERS, is_complete=True)
        real = flow.deployments.__class__.execute_put
        calls = 0

        async def lose_the_answer(self: Any, name: str, body: bytes) -> Any:
            nonlocal calls
            calls += 1
            await real(self, name, body)
            raise DeadlineExceeded("The deployment was refused: no answer in time")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(flow.deployments.__class__, "execute_put", lose_the_answer)
            _, is_ours = await flow.start(flow.settle(ANSWERS))
        assert is_ours
        assert calls == 1
        assert (await flow.watch(NAME, lambda progress: None)).is_success


async def test_a_full_history_is_told() -> None:
    async with bench() as azure:
        azure.room.history_limit = 0
        failure = explain_refusal(await failed_start(azure.console()))
        assert failure.code == "DeploymentQuotaExceeded"
        assert "az deployment sub delete" in failure.remedy


async def test_a_read_only_profile_begins_nothing() -> None:
    async with bench() as azure:
        flow = azure.console()
        flow.profile = replace(flow.profile, is_read_only=True)
        with pytest.raises(GuardRefusal):
            await flow.start(ANSWERS)
        assert azure.put_count() == 0


async def test_every_error_has_a_next_step() -> None:
    async with bench() as azure:
        azure.room.denied_types[SERVICE_TYPE.lower()] = "none"
        error: ConsoleError = await failed_start(azure.console())
        assert explain_refusal(error).remedy
