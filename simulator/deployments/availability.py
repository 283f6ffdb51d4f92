"""What one can ask before deploying: which SKUs of API Management a subscription may create where, and whether a name
is free.

Source: Microsoft.ApiManagement 2024-05-01, "API Management SKUs - List" (restrictions of type Location with a reason
code) and "API Management Service - Check Name Availability" (`nameAvailable`, `reason` Valid, Invalid, AlreadyExists).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.apim.service import DELETED, SERVICE
from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.subscriptions import LOCATIONS

if TYPE_CHECKING:
    from simulator.deployments.engine import DeploymentRoom

OFFERED_SKUS = ("Developer", "Basic", "Standard", "Premium", "BasicV2", "StandardV2", "PremiumV2", "Consumption")
_BASE = "/subscriptions/{subscriptionId}/providers/Microsoft.ApiManagement"
_NAME = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9-]{0,48}[a-zA-Z0-9])?")


def register_availability(room: DeploymentRoom, router: Router) -> None:
    """Add the routes."""
    router.add("GET", f"{_BASE}/skus", _answer_skus(room))
    router.add("POST", f"{_BASE}/checkNameAvailability", _answer_name, action="Microsoft.ApiManagement/register/action")


def _answer_skus(room: DeploymentRoom) -> Callable[[ArmRequest], ArmResponse]:
    def answer(request: ArmRequest) -> ArmResponse:
        return ArmResponse(200, {"value": [_sku(room, name) for name in OFFERED_SKUS]})

    return answer


def _sku(room: DeploymentRoom, name: str) -> dict[str, Any]:
    refused = [title for region, title in LOCATIONS.items() if (region, name.lower()) in room.unavailable_skus]
    restrictions = [
        {
            "type": "Location",
            "values": [title],
            "restrictionInfo": {"locations": [title]},
            "reasonCode": "NotAvailableForSubscription",
        }
        for title in refused
    ]
    return {
        "resourceType": "service",
        "name": name,
        "locations": list(LOCATIONS.values()),
        "locationInfo": [{"location": title} for title in LOCATIONS.values()],
        "restrictions": restrictions,
    }


def _answer_name(request: ArmRequest) -> ArmResponse:
    name = str(request.json().get("name") or "")
    if not name:
        raise ArmError(400, "ValidationError", "The name is missing.", "name")
    if not _NAME.fullmatch(name):
        return _name(False, "Invalid", f"{name} is not a valid service name.")
    store = request.world.store
    if any(found.name.lower() == name.lower() for kind in (SERVICE, DELETED) for found in store.of_type(kind)):
        return _name(False, "AlreadyExists", f"{name} is already in use. Please select a different name.")
    return _name(True, "Valid", "")


def _name(is_free: bool, reason: str, message: str) -> ArmResponse:
    return ArmResponse(200, {"nameAvailable": is_free, "reason": reason, "message": message})
