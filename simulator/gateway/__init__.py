"""The data plane of API Management: units, pools, breakers, and the policies it executes as they were deployed.

Reads its configuration from the resource store; answers on the service's gateway host. Writes no resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulator.gateway import elements
from simulator.gateway.coverage import unmodelled
from simulator.gateway.service import GatewayService

if TYPE_CHECKING:
    from simulator.resources.store import Resource
    from simulator.world import World

__all__ = ["GatewayRoom", "GatewayService", "attach", "elements", "unmodelled"]

_SERVICE_TYPE = "microsoft.apimanagement/service"


class GatewayRoom:
    """Every API Management service of the world, by lower-case ARM id."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.services: dict[str, GatewayService] = {}
        openai = world.rooms.get("openai")
        if openai is not None:
            # First, because nearly every call brings the identity.
            openai.authorizers.insert(0, self._accepts_identity)
        for service in list(world.store.of_type(_SERVICE_TYPE)):
            self._open(service)
        world.store.on_change(self._changed)

    def _accepts_identity(self, token: str, account_id: str) -> bool:
        return any(service.accepts_identity(token, account_id) for service in self.services.values())

    def _changed(self, resource_id: str, resource: Resource | None) -> None:
        parts = resource_id.split("/", 9)
        if len(parts) < 9 or parts[6].lower() != "microsoft.apimanagement" or parts[7].lower() != "service":
            return
        key = "/".join(parts[:9]).lower()
        service = self.services.get(key)
        if service is None:
            if len(parts) == 9 and resource is not None:
                self._open(resource)
        elif len(parts) == 9 and resource is None:
            del self.services[key]
            for host in [h for h, owner in self.world.network.hosts.items() if owner == service.handle]:
                del self.world.network.hosts[host]
        else:
            service.configuration_changed(scaled=len(parts) == 9)

    def _open(self, resource: Resource) -> None:
        service = GatewayService(self.world, resource.id)
        self.services[resource.id.lower()] = service
        hosts = {f"{resource.name.lower()}.azure-api.net"}
        for configured in resource.properties.get("hostnameConfigurations") or []:
            if configured.get("type") == "Proxy" and configured.get("hostName"):
                hosts.add(str(configured["hostName"]).lower())
        gateway = urlsplit(str(resource.properties.get("gatewayUrl") or "")).hostname
        if gateway:
            hosts.add(gateway)
        for host in hosts:
            self.world.network.hosts[host] = service.handle


def attach(world: World) -> GatewayRoom:
    """Open the data plane of every service in the store and follow its changes; kept as `world.rooms["gateway"]`."""
    room = GatewayRoom(world)
    world.rooms["gateway"] = room
    return room
