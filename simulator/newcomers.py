"""Callers that come by themselves when somebody opens a new gateway: so that a deployment can be seen to work.

Whoever gets a subscription to an API that serves chat completions begins to call it. Gateways that had callers from the
start are left alone. It reads the resource store, as a developer reads the portal, and sends requests; nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulator.openai.models import facts_of
from simulator.traffic import Caller

if TYPE_CHECKING:
    from simulator.resources.store import Resource
    from simulator.traffic import TrafficRoom
    from simulator.world import World

_SUBSCRIPTIONS = "microsoft.apimanagement/service/subscriptions"
FIRST_LOOK_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 30.0
LOOKS = 60
CHAT_PER_MINUTE, EMBEDDINGS_PER_MINUTE = 40.0, 20.0


class Newcomers:
    """Watches for new subscriptions and starts their callers."""

    def __init__(self, world: World, traffic: TrafficRoom) -> None:
        self.world = world
        self.traffic = traffic
        self._known = {
            resource.id.lower()
            for resource in world.store.of_type("Microsoft.ApiManagement/service")
            if traffic.callers
        }
        self._served: set[str] = set()
        world.store.on_change(self._changed)

    def _changed(self, resource_id: str, resource: Resource | None) -> None:
        if resource is None or resource.type.lower() != _SUBSCRIPTIONS or resource.name == "master":
            return
        key = resource.id.lower()
        if key.rsplit("/subscriptions/", 1)[0] in self._known or key in self._served:
            return
        self._served.add(key)
        self._look_later(resource.id, FIRST_LOOK_SECONDS, LOOKS)

    def _look_later(self, subscription_id: str, seconds: float, looks: int) -> None:
        self.world.call_at(self.world.now + seconds, lambda: self._look(subscription_id, looks))

    def _look(self, subscription_id: str, looks: int) -> None:
        """Start calling when the API is there; look again later when it is not yet."""
        store = self.world.store
        subscription = store.get(subscription_id)
        service_id = subscription_id.rsplit("/subscriptions/", 1)[0]
        service = store.get(service_id)
        if subscription is None or service is None:
            self._served.discard(subscription_id.lower())
            return
        host = urlsplit(str(service.properties.get("gatewayUrl") or "")).hostname
        api = self._chat_api(service_id, str(subscription.properties.get("scope") or ""))
        active = subscription.properties.get("state", "active") == "active"
        if host is None or host not in self.world.network.hosts or api is None or not active:
            if looks > 1:
                self._look_later(subscription_id, LOOK_AGAIN_SECONDS, looks - 1)
            return
        self._start(subscription, api, host)

    def _start(self, subscription: Resource, api: Resource, host: str) -> None:
        key = str(subscription.hidden.get("primaryKey") or subscription.properties.get("primaryKey") or "")
        names = api.properties.get("subscriptionKeyParameterNames") or {}
        header = str(names.get("header") or "Ocp-Apim-Subscription-Key").lower()
        path = str(api.properties.get("path") or "").strip("/")
        chat, embeddings = self._deployment(embeds=False), self._deployment(embeds=True)
        name = subscription.name
        if chat is not None:
            caller = Caller(name, path, "chat", chat, CHAT_PER_MINUTE, 600, 300, key=key, key_header=header)
            self.traffic.add(caller, host)
        if embeddings is not None and self._serves(api, "/embeddings"):
            caller = Caller(
                name, path, "embeddings", embeddings, EMBEDDINGS_PER_MINUTE, 200, 0, key=key, key_header=header
            )
            self.traffic.add(caller, host)
        self.world.note(f"callers of {name} begin to call https://{host}/{path}")

    def _chat_api(self, service_id: str, scope: str) -> Resource | None:
        """The API for chat completions that the subscription's scope covers."""
        store = self.world.store
        kind, name = scope.rstrip("/").split("/")[-2:] if scope.count("/") > 1 else ("", "")
        granted = {link.name.lower() for link in store.children(f"{service_id}/products/{name}", "apis")}
        for api in store.children(service_id, "apis"):
            covered = {"products": api.name.lower() in granted, "apis": api.name.lower() == name.lower()}
            if covered.get(kind.lower(), True) and self._serves(api, "/chat/completions"):
                return api
        return None

    def _serves(self, api: Resource, ending: str) -> bool:
        return any(
            str(operation.properties.get("urlTemplate", "")).split("?")[0].endswith(ending)
            for operation in self.world.store.children(api.id, "operations")
        )

    def _deployment(self, *, embeds: bool) -> str | None:
        for deployment in self.world.store.of_type("Microsoft.CognitiveServices/accounts/deployments"):
            model = str((deployment.properties.get("model") or {}).get("name", ""))
            if facts_of(model).is_embedding == embeds:
                return deployment.name
        return None
