"""The activity log: every control-plane write, told in its stages, shown late.

Source: "Azure Monitor activity log" and `Microsoft.Insights/eventtypes/management/values`, api-version 2015-04-01: a
write gives several events (Started, Accepted, Succeeded or Failed) with one correlation id; `$filter` wants a start
time and knows resourceUri, resourceGroupName, resourceProvider and correlationId, nothing else.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from simulator.resources.errors import ArmError
from simulator.resources.ids import parse_resource_path
from simulator.resources.router import ArmRequest, ArmResponse, arm_router
from simulator.resources.settings import arm_settings
from simulator.resources.wire_time import parse_wire_time, wire_time
from simulator.telemetry import ActivityEvent

if TYPE_CHECKING:
    from simulator.entra.principals import Principal
    from simulator.resources.long_running import Operation
    from simulator.world import World

KEPT_EVENTS = 20_000
_CONDITION = re.compile(r"^\s*(\w+)\s+(eq|ge|le)\s+'?([^']*)'?\s*$")


def tell_activity(
    world: World,
    resource_type: str,
    verb: str,
    resource_id: str,
    principal: Principal | None,
    correlation_id: str,
    operation: Operation | None = None,
) -> None:
    """Publish the stages of one write: Started now; Accepted and the end now, or when `operation` ends."""
    caller = principal.name if principal is not None else ""
    correlation = correlation_id or f"{world.random('correlation').getrandbits(128):032x}"
    name = f"{resource_type}/{verb}"

    def tell(status: str, properties: dict[str, Any] | None = None) -> None:
        world.telemetry.activity(
            ActivityEvent(world.now, name, status, resource_id, caller, correlation, properties or {})
        )

    tell("Started")
    if operation is None:
        tell("Succeeded", {"statusCode": "OK"})
        return
    tell("Accepted", {"statusCode": "Accepted"})

    def finish() -> None:
        if operation.status(world.now) == "Succeeded":
            tell("Succeeded", {"statusCode": "OK"})
        else:
            tell(operation.status(world.now), {"statusCode": "BadRequest", "statusMessage": operation.error})

    world.call_at(operation.ends_at, finish)


class ActivityLog:
    """Keeps the events of a world and serves them, as late as the real log is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._events: deque[tuple[int, ActivityEvent]] = deque(maxlen=KEPT_EVENTS)
        self._sequence = 0
        world.telemetry.on_activity.append(self._keep)
        arm_router(world).add(
            "GET",
            "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/eventtypes/management/values",
            self.answer_list,
        )

    def _keep(self, event: ActivityEvent) -> None:
        self._sequence += 1
        self._events.append((self._sequence, event))

    def answer_list(self, request: ArmRequest) -> ArmResponse:
        """GET the events that fit `$filter`, newest first.

        Raises:
            ArmError: 400 for a filter the log does not understand.
        """
        conditions = self._parse_filter(str(request.query.get("$filter", "")))
        subscription = request.parameters["subscriptionId"]
        visible_until = self._world.now - arm_settings(self._world).activity_lag_seconds
        rows = [
            self._row(sequence, event)
            for sequence, event in reversed(self._events)
            if event.at <= visible_until
            and event.resource_id.lower().startswith(f"/subscriptions/{subscription}".lower())
            and self._fits(event, conditions)
        ]
        wanted = [field.strip() for field in str(request.query.get("$select", "")).split(",") if field.strip()]
        if wanted:
            rows = [{key: row[key] for key in row if key in wanted} for row in rows]
        return ArmResponse(200, {"value": rows})

    @staticmethod
    def _parse_filter(text: str) -> list[tuple[str, str, str]]:
        conditions = []
        for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else []:
            match = _CONDITION.match(part)
            known = (
                "eventtimestamp",
                "resourceuri",
                "resourceid",
                "resourcegroupname",
                "resourceprovider",
                "correlationid",
            )
            if match is None or match[1].lower() not in known:
                raise ArmError(400, "BadRequest", f"The filter '{text}' is not supported: '{part}'.")
            conditions.append((match[1].lower(), match[2].lower(), match[3]))
        if not any(name == "eventtimestamp" and operator == "ge" for name, operator, _ in conditions):
            raise ArmError(400, "BadRequest", "The start time must be specified: eventTimestamp ge '<time>'.")
        for name, _, value in conditions:
            if name == "eventtimestamp":
                try:
                    parse_wire_time(value)
                except ValueError as error:
                    raise ArmError(400, "BadRequest", f"'{value}' is not a time.") from error
        return conditions

    @staticmethod
    def _fits(event: ActivityEvent, conditions: list[tuple[str, str, str]]) -> bool:
        path = parse_resource_path(event.resource_id)
        for name, operator, value in conditions:
            if name == "eventtimestamp":
                bound = parse_wire_time(value)
                if (operator == "ge" and event.at < bound) or (operator == "le" and event.at > bound):
                    return False
            elif name in ("resourceuri", "resourceid"):
                if event.resource_id.lower() != value.lower():
                    return False
            elif name == "correlationid":
                if event.correlation_id != value:
                    return False
            elif path is None:
                return False
            elif name == "resourcegroupname":
                if path.resource_group.lower() != value.lower():
                    return False
            elif path.namespace.lower() != value.lower():
                return False
        return True

    def _row(self, sequence: int, event: ActivityEvent) -> dict[str, Any]:
        path = parse_resource_path(event.resource_id)
        lag = arm_settings(self._world).activity_lag_seconds
        failed = event.status == "Failed"
        return {
            "id": f"{event.resource_id}/events/{event.correlation_id}-{sequence}/ticks/{int(event.at * 10_000_000)}",
            "eventDataId": f"{event.correlation_id}-{sequence}",
            "correlationId": event.correlation_id,
            "operationId": event.correlation_id,
            "eventName": {
                "value": "EndRequest" if event.status in ("Succeeded", "Failed") else "BeginRequest",
                "localizedValue": "End request" if event.status in ("Succeeded", "Failed") else "Begin request",
            },
            "category": {"value": "Administrative", "localizedValue": "Administrative"},
            "level": "Error" if failed else "Informational",
            "operationName": {"value": event.operation_name, "localizedValue": event.operation_name},
            "status": {"value": event.status, "localizedValue": event.status},
            "subStatus": {
                "value": str(event.properties.get("statusCode", "")),
                "localizedValue": str(event.properties.get("statusCode", "")),
            },
            "caller": event.caller,
            "authorization": {"action": event.operation_name, "scope": event.resource_id},
            "resourceId": event.resource_id,
            "resourceGroupName": path.resource_group if path is not None else "",
            "resourceProviderName": {
                "value": path.namespace if path is not None else "",
                "localizedValue": path.namespace if path is not None else "",
            },
            "resourceType": {
                "value": path.type if path is not None else "",
                "localizedValue": path.type if path is not None else "",
            },
            "subscriptionId": path.subscription_id if path is not None else "",
            "eventTimestamp": wire_time(event.at),
            "submissionTimestamp": wire_time(event.at + lag),
            "properties": {key: value for key, value in event.properties.items() if value is not None},
        }
