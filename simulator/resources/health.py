"""Resource Health: whether a service answers at all, noticed late, remembered for a while.

It follows the faults of the network, sampled as the platform would: it knows nothing of a tripped breaker or a
saturated model.
Source: "Availability Statuses", api-version 2025-05-01; events: api-version 2025-05-01.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from simulator.resources.errors import ArmError, resource_not_found
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.resources.wire_time import wire_time

if TYPE_CHECKING:
    from simulator.network import HostFault
    from simulator.world import World

SAMPLE_SECONDS = 30.0
WATCHED_TYPES = ("Microsoft.ApiManagement/service", "Microsoft.CognitiveServices/accounts")


@dataclass(slots=True)
class Transition:
    """A change of a host's state: `Available`, `Degraded` or `Unavailable`, since `at`."""

    at: float
    state: str


class HealthWatch:
    """Samples the faults of the network and answers the availability API from what it saw."""

    def __init__(self, world: World, router: Router) -> None:
        self._world = world
        self._history: dict[str, list[Transition]] = {}
        world.spawn(self._watch())
        suffix = "providers/Microsoft.ResourceHealth/availabilityStatuses"
        router.add("GET", "{scope}/" + suffix + "/current", self.answer_current)
        router.add("GET", "{scope}/" + suffix, self.answer_list)
        router.add(
            "GET", "/subscriptions/{subscriptionId}/providers/Microsoft.ResourceHealth/events", self.answer_events
        )

    def _watch(self) -> Generator[float, None, None]:
        while True:
            faults = self._world.network.faults
            for host in set(faults) | set(self._history):
                state = _state_under(faults.get(host))
                history = self._history.setdefault(host, [])
                if (history[-1].state if history else "Available") != state:
                    history.append(Transition(self._world.now, state))
            yield SAMPLE_SECONDS

    def _reported(self, host: str) -> list[Transition]:
        """What has been noticed by now, oldest first."""
        noticed_until = self._world.now - arm_settings(self._world).health_lag_seconds
        return [step for step in self._history.get(host, ()) if step.at <= noticed_until]

    def answer_current(self, request: ArmRequest) -> ArmResponse:
        """GET `.../availabilityStatuses/current`.

        Raises:
            ArmError: 404 for no such resource, 400 for a type that Resource Health does not watch.
        """
        resource = self._world.store.get(request.parameters["scope"])
        if resource is None:
            raise resource_not_found(request.parameters["scope"])
        if resource.type not in WATCHED_TYPES:
            raise ArmError(400, "UnsupportedResourceType", f"The resource type '{resource.type}' is not supported.")
        steps = self._reported(host_of(resource))
        return ArmResponse(200, self._status(resource, steps[-1] if steps else None, "current"))

    def answer_list(self, request: ArmRequest) -> ArmResponse:
        """GET `.../availabilityStatuses`: of a resource its history, of a container its resources' current states."""
        scope = request.parameters["scope"]
        resource = self._world.store.get(scope)
        if resource is not None and resource.type in WATCHED_TYPES:
            entries = [
                self._status(resource, step, "current" if index == 0 else str(int(step.at)))
                for index, step in enumerate(reversed(self._reported(host_of(resource))))
            ] or [self._status(resource, None, "current")]
        else:
            entries = []
            for kind in WATCHED_TYPES:
                for found in self._world.store.of_type(kind, under=scope + "/"):
                    steps = self._reported(host_of(found))
                    entries.append(self._status(found, steps[-1] if steps else None, "current"))
        return ArmResponse(200, {"value": entries})

    def answer_events(self, request: ArmRequest) -> ArmResponse:
        """Service Health: no region-wide event is modelled, so the list is what Azure gives on a quiet day."""
        return ArmResponse(200, {"value": []})

    def _status(self, resource: Resource, step: Transition | None, name: str) -> dict[str, Any]:
        state = step.state if step is not None else "Available"
        since = step.at if step is not None else resource.created_at
        title, summary, reason = _WORDS[state]
        properties: dict[str, Any] = {
            "availabilityState": state,
            "title": title,
            "summary": summary,
            "reasonType": reason,
            "occuredTime": wire_time(since),
            "reasonChronicity": "Persistent",
            "reportedTime": wire_time(self._world.now),
        }
        if state != "Available":
            properties["reasonChronicity"] = "Transient"
            properties["category"] = "Unplanned"
            properties["context"] = "Platform Initiated"
        identity = f"{resource.id}/providers/Microsoft.ResourceHealth/availabilityStatuses/{name}"
        return {
            "id": identity,
            "name": name,
            "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
            "location": resource.body.get("location", ""),
            "properties": properties,
        }


_WORDS: dict[str, tuple[str, str, str]] = {
    "Available": ("Available", "There aren't any known Azure platform problems affecting this resource.", ""),
    "Degraded": ("Degraded", "Some requests to this resource fail or take longer than they should.", "Unplanned"),
    "Unavailable": ("Unavailable", "This resource does not answer requests.", "Unplanned"),
}


def _state_under(fault: HostFault | None) -> str:
    """What a platform probe would make of a fault. A private endpoint is no fault to the platform."""
    if fault is None or fault.outside_only:
        return "Available"
    breaks = fault.failure is not None or (fault.status is not None and fault.status >= 500)
    if breaks:
        return "Unavailable" if fault.ratio >= 0.9 else "Degraded"
    if fault.latency_factor >= 5 or fault.delay_seconds >= 10:
        return "Degraded"
    return "Available"


def host_of(resource: Resource) -> str:
    """The data-plane host of an account or a gateway, "" when the resource names none."""
    properties = resource.properties
    return (urlsplit(str(properties.get("endpoint") or properties.get("gatewayUrl") or "")).hostname or "").lower()
