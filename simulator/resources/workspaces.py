"""Log Analytics workspaces as Resource Manager shows them. Queries are answered by the logs room.

Source: Microsoft.OperationalInsights/workspaces, api-version 2023-09-01 (properties and the sharedKeys action).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.resources.errors import ArmError, resource_not_found
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.writing import TypeRules, WriteContext, type_registry

if TYPE_CHECKING:
    from simulator.world import World

WORKSPACES = "Microsoft.OperationalInsights/workspaces"


def register_workspaces(world: World, router: Router) -> None:
    """Register the type and its actions."""
    type_registry(world).register(TypeRules(WORKSPACES, prepare=_prepare))
    router.add(
        "POST",
        "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.OperationalInsights"
        "/workspaces/{workspaceName}/sharedKeys",
        _answer_keys,
    )


def _prepare(context: WriteContext) -> None:
    if not context.body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    properties = context.properties
    if context.existing is not None:
        properties["customerId"] = context.existing.properties.get("customerId")
    else:
        bits = f"{context.world.random('workspace-ids').getrandbits(128):032x}"
        properties["customerId"] = f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
    properties.setdefault("sku", {"name": "PerGB2018"})
    properties.setdefault("retentionInDays", 30)
    properties["provisioningState"] = "Succeeded"


def _answer_keys(request: ArmRequest) -> ArmResponse:
    workspace_id = request.path.rsplit("/", 1)[0]
    resource = request.world.store.get(workspace_id)
    if resource is None:
        raise resource_not_found(workspace_id)
    for name in ("primarySharedKey", "secondarySharedKey"):
        resource.hidden.setdefault(name, f"{request.world.random('workspace-keys').getrandbits(256):064x}")
    return ArmResponse(200, {name: resource.hidden[name] for name in ("primarySharedKey", "secondarySharedKey")})
