"""Puts Resource Manager together: router, types, and the rooms that every subscription has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.entra.tokens import entra
from simulator.resources.accounts import register_accounts
from simulator.resources.activity import ActivityLog
from simulator.resources.application_insights import register_application_insights
from simulator.resources.authorization import register_authorization
from simulator.resources.entities import answer_operation
from simulator.resources.health import HealthWatch
from simulator.resources.router import arm_router
from simulator.resources.subscriptions import answer_provider_write, register_subscriptions
from simulator.resources.workspaces import register_workspaces

if TYPE_CHECKING:
    from simulator.world import World


def attach_control_plane(world: World) -> None:
    """Give `world` its Resource Manager. Doing it twice changes nothing."""
    if "arm-control-plane" in world.rooms:
        return
    world.rooms["arm-control-plane"] = True
    entra(world)
    router = arm_router(world)
    router.fallback = answer_provider_write
    register_subscriptions(world, router)
    register_authorization(world, router)
    register_accounts(world, router)
    register_workspaces(world, router)
    register_application_insights(world)
    world.rooms["arm-activity"] = ActivityLog(world)
    world.rooms["arm-health"] = HealthWatch(world, router)
    locations = "/subscriptions/{subscriptionId}/providers/{namespace}/locations/{location}"
    router.add("GET", f"{locations}/operationStatuses/{{operationId}}", answer_operation)
    router.add("GET", f"{locations}/operationResults/{{operationId}}", answer_operation)
