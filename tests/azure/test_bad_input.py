"""What goes wrong is one clear line each: what, where, what to do; the rest of the screen goes on."""

from __future__ import annotations

import asyncio

import pytest

from console.azure.session import AzureSession
from console.clock import SystemClock
from console.domain.health import HealthState
from console.domain.snapshot import GatewaySnapshot, Level, Problem
from console.errors import NotAllowed, NotFound, SignInError
from simulator.names import GROUP, SERVICE
from simulator.network import HostFault
from simulator.resources.faults import fault_table
from tests.azure.test_fetching import give_role
from tests.simulated_gateway import engine_on, make_world, profile_of

UNKNOWN_WORKSPACE = "0a1b2c3d-0000-4000-8000-000000009999"


def problem(snapshot: GatewaySnapshot, words: str) -> Problem:
    """The one problem that says this."""
    found = [p for p in snapshot.problems if words in p.what]
    assert len(found) == 1, snapshot.problems
    assert found[0].remedy
    return found[0]


async def test_an_unknown_workspace_is_named_and_metrics_still_show() -> None:
    world = make_world(minutes=8, traffic=True)
    async with engine_on(world, workspace_id=UNKNOWN_WORKSPACE) as (engine, _):
        snapshot = await engine.fetch_once(20)
    assert UNKNOWN_WORKSPACE in problem(snapshot, "workspace does not exist").where
    ptu = snapshot.backend("ptu-eastus2")
    assert ptu is not None
    assert ptu.load.requests_per_minute.value
    assert ptu.load.caller_throttled_ratio.value is None
    assert "callers unknown" in snapshot.verdict.text


async def test_without_permission_the_gateway_says_which_role_to_ask_for() -> None:
    world = make_world()
    give_role(world)
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(20)
        failure = engine.failure("topology")
    assert isinstance(failure, NotAllowed)
    assert failure.exit_code == 4
    assert "API Management Service Reader Role" in failure.remedy
    assert snapshot.verdict.level is Level.UNKNOWN


async def test_an_expired_token_is_renewed_in_place() -> None:
    from simulator.entra.tokens import entra

    world = make_world()
    async with engine_on(world) as (engine, _):
        await engine.fetch_once(20)
        entra(world).revoke_all()
        await engine.fetch_once(20)
        assert engine.failure("topology") is None
        assert engine.failure("traffic") is None


async def test_an_expired_login_says_what_to_run() -> None:
    world = make_world()
    async with engine_on(world) as (engine, _):
        fault_table(world).add({"kind": "expired-token"})
        await engine.fetch_once(20)
        failure = engine.failure("topology")
    assert isinstance(failure, SignInError)
    assert "expired" in failure.what
    assert failure.exit_code == 4
    assert "\n" not in failure.line


async def test_a_gateway_that_does_not_exist_is_not_found() -> None:
    async with engine_on(make_world(), service_name="apim-nobody") as (engine, _):
        await engine.fetch_once(20)
        failure = engine.failure("topology")
    assert isinstance(failure, NotFound)
    assert "apim-nobody" in failure.line


async def test_a_backend_that_is_no_azure_openai_account_is_unknown_and_says_why() -> None:
    world = make_world()
    backend = world.store.get(f"{SERVICE}/backends/payg-legacy")
    assert backend is not None
    backend.body["properties"]["url"] = "https://models.contoso.example/v1"
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(20)
    status = snapshot.backend("payg-legacy")
    assert status is not None
    assert status.account is None
    assert status.kind.value == "unknown"
    assert status.health.state in (HealthState.UNKNOWN, HealthState.UNREACHABLE)


async def test_a_backend_without_a_host_is_shown_and_the_others_with_it() -> None:
    world = make_world()
    backend = world.store.get(f"{SERVICE}/backends/payg-legacy")
    assert backend is not None
    backend.body["properties"]["url"] = ""
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(20)
    assert len(snapshot.backends) == 5
    status = snapshot.backend("payg-legacy")
    assert status is not None
    assert "no host" in status.health.reasons[0]


async def test_an_empty_gateway_says_so() -> None:
    world = make_world()
    for resource in list(world.store.of_type("Microsoft.ApiManagement/service/backends")):
        world.store.delete(resource.id)
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(20)
    assert snapshot.gateway is not None
    assert snapshot.backends == ()
    assert "no backends" in snapshot.verdict.text


async def test_one_region_without_metrics_leaves_the_others_known() -> None:
    world = make_world(minutes=8, traffic=True)
    world.rooms["monitor"].settings.outages.add("westus")
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(30)
    assert "westus" in problem(snapshot, "metrics").what
    missing, known = snapshot.backend("payg-westus"), snapshot.backend("payg-swedencentral")
    assert missing is not None
    assert known is not None
    assert missing.load.model_throttled_ratio.value is None
    assert missing.load.tokens_per_minute.value is None
    assert known.load.tokens_per_minute.value


async def test_without_the_role_on_the_subscription_metrics_are_asked_account_by_account() -> None:
    world = make_world(minutes=8, traffic=True)
    give_role(world, "Owner", scope=GROUP)
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(30)
    ptu = snapshot.backend("ptu-eastus2")
    assert ptu is not None
    assert ptu.load.requests_per_minute.value
    assert ptu.load.utilization_ratio.value
    remedies = " ".join(p.remedy for p in snapshot.problems)
    assert "Monitoring Reader on the subscription" in remedies


async def test_a_host_that_is_unreachable_from_here_never_outranks_what_the_logs_show() -> None:
    world = make_world(minutes=8, traffic=True)
    world.network.faults["aoai-contoso-eus2-ptu.openai.azure.com"] = HostFault(failure="timeout", outside_only=True)
    async with engine_on(world) as (engine, _):
        snapshot = await engine.fetch_once(30)
    status = snapshot.backend("ptu-eastus2")
    assert status is not None
    assert status.health.state is HealthState.HEALTHY
    assert "unreachable from here" in status.health.reasons[-1]


async def test_arm_that_throttles_is_reported_at_once_not_slept_through() -> None:
    world = make_world()
    fault_table(world).add({"kind": "throttle", "retry_after_seconds": 60.0})
    async with engine_on(world) as (engine, _):
        async with asyncio.timeout(10):
            await engine.fetch_once(20)
        failure = engine.failure("topology")
    assert failure is not None
    assert "throttles" in failure.what
    assert "60 s" in failure.remedy


async def test_tokens_never_leave_this_machine_over_plain_http() -> None:
    world = make_world()
    async with engine_on(world) as (_, server):
        profile = profile_of(server, resolve={**profile_of(server).resolve, "management.azure.com": "http://192.0.2.1"})
        session = AzureSession(profile, SystemClock())
        await session.open()
        try:
            with pytest.raises(Exception, match="never sent over plain http"):
                await session.get_arm("/subscriptions", api_version="2022-12-01", what="Nothing is asked")
        finally:
            await session.close()
