"""API Management over Resource Manager: the service and its children, as api-version 2024-05-01 describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.apim.actions import register_actions
from simulator.apim.entities import register_entities
from simulator.apim.named_values import named_value_text
from simulator.apim.service import register_service
from simulator.resources.control_plane import attach_control_plane
from simulator.resources.router import arm_router
from simulator.resources.writing import type_registry

if TYPE_CHECKING:
    from simulator.world import World

__all__ = ["attach", "named_value_text"]


def attach(world: World) -> None:
    """Give `world` its Resource Manager and, in it, API Management. Doing it twice changes nothing."""
    if "apim" in world.rooms:
        return
    world.rooms["apim"] = True
    attach_control_plane(world)
    register_service(world)
    register_entities(type_registry(world))
    register_actions(world, arm_router(world))
