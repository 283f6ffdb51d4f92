"""What the console reads of a gateway through Microsoft's own clients, over HTTP, and what it makes of it."""

from __future__ import annotations

import pytest

from console.azure.access import fetch_permissions, missing_actions
from console.azure.openai import fetch_accounts, fetch_deployments
from console.azure.workspace import discover_workspace
from console.domain.gateway import BackendKind, RouteKind
from console.errors import NotFound
from simulator.names import SERVICE, WORKSPACE_CUSTOMER_ID
from tests.simulated_gateway import engine_on, make_world


async def test_the_gateway_comes_with_its_pools_breakers_and_routes() -> None:
    async with engine_on(make_world()) as (engine, _):
        snapshot = await engine.fetch_once(20)
    gateway = snapshot.gateway
    assert gateway is not None
    assert (gateway.name, gateway.region, gateway.sku_name, gateway.capacity) == (
        "apim-contoso-prod",
        "swedencentral",
        "Premium",
        2,
    )
    chat = next(p for p in gateway.pools if p.name == "chat-pool")
    assert {(m.backend_name, m.priority, m.weight) for m in chat.members} >= {
        ("ptu-eastus2", 1, 50),
        ("payg-westus", 2, 50),
    }
    ptu = snapshot.backend("ptu-swedencentral")
    assert ptu is not None
    rule = ptu.backend.breaker[0]
    assert (rule.failure_count, rule.trip_duration_seconds, rule.accept_retry_after) == (1, 10.0, True)
    assert rule.counts(429)
    assert not rule.counts(500)


async def test_kind_and_region_are_discovered_from_the_account_behind_the_url() -> None:
    async with engine_on(make_world()) as (engine, _):
        snapshot = await engine.fetch_once(20)
    kinds = {b.name: (b.kind, b.region, b.kind_source) for b in snapshot.backends}
    assert kinds["ptu-eastus2"] == (BackendKind.PTU, "eastus2", "model deployments")
    assert kinds["payg-legacy"] == (BackendKind.PAYG, "francecentral", "model deployments")


async def test_a_profile_overrides_the_discovered_kind() -> None:
    async with engine_on(make_world(), backend_kinds={"payg-westus": BackendKind.PTU}) as (engine, _):
        snapshot = await engine.fetch_once(20)
    status = snapshot.backend("payg-westus")
    assert status is not None
    assert (status.kind, status.kind_source) == (BackendKind.PTU, "profile")


async def test_a_backend_that_a_fragment_names_shows_that_route_with_its_line_and_users() -> None:
    async with engine_on(make_world()) as (engine, _):
        snapshot = await engine.fetch_once(20)
    status = snapshot.backend("payg-legacy")
    assert status is not None
    assert [(r.kind, r.document, r.line, r.used_by) for r in status.routes] == [
        (RouteKind.FRAGMENT, "fragment old-route", 3, ("legacy-chat",))
    ]
    assert not status.memberships


async def test_the_simulator_is_recognised_by_its_answers_and_the_budget_by_its_headers() -> None:
    async with engine_on(make_world()) as (engine, _):
        snapshot = await engine.fetch_once(20)
    assert snapshot.simulated is True
    assert 0 < (snapshot.budget.arm_reads_remaining or 0) < 250


async def test_the_workspace_is_found_through_the_diagnostic_settings() -> None:
    async with engine_on(make_world(), workspace_id="") as (engine, _):
        await engine.session.open()
        assert await discover_workspace(engine.session) == WORKSPACE_CUSTOMER_ID


async def test_a_gateway_without_diagnostic_settings_says_how_to_make_one() -> None:
    world = make_world()
    world.store.delete(f"{SERVICE}/providers/Microsoft.Insights/diagnosticSettings/to-log-analytics")
    async with engine_on(world, workspace_id="") as (engine, _):
        await engine.session.open()
        with pytest.raises(NotFound, match="No diagnostic setting") as told:
            await discover_workspace(engine.session)
    assert "GatewayLogs" in told.value.remedy


async def test_limits_of_a_deployment_are_per_minute() -> None:
    async with engine_on(make_world()) as (engine, _):
        await engine.session.open()
        accounts, refusal = await fetch_accounts(engine.session)
        assert refusal is None
        deployments, errors = await fetch_deployments(engine.session, accounts)
    assert errors == []
    by_account = {a.name: deployments[a.resource_id] for a in accounts}
    gpt = next(d for d in by_account["aoai-contoso-wus"] if d.name == "gpt-4o")
    assert (gpt.tokens_per_minute_limit, gpt.requests_per_minute_limit) == (300_000, 1800)
    assert by_account["aoai-contoso-swc-ptu"][0].is_provisioned
    assert by_account["aoai-contoso-swc-ptu"][0].tokens_per_minute_limit is None


async def test_an_owner_may_drain_and_a_reader_may_not() -> None:
    world = make_world()
    async with engine_on(world) as (engine, _):
        await engine.session.open()
        assert missing_actions(await fetch_permissions(engine.session)) == ()
        give_role(world, "Reader")
        assert "Microsoft.ApiManagement/service/backends/write" in missing_actions(
            await fetch_permissions(engine.session)
        )


def give_role(world: object, *names: str, scope: str = "/") -> None:
    """Let the signed-in principal hold these roles and no others."""
    from simulator.entra.principals import BUILT_IN_ROLES, Assignment
    from simulator.entra.tokens import entra

    entra(world).default.assignments = [Assignment(BUILT_IN_ROLES[name], scope) for name in names]  # type: ignore[arg-type]
