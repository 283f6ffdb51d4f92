"""Every ARM resource of the world, as its raw JSON, with its entity tag.

Bodies are kept as they were written, unknown properties included: newer API versions' fields must survive whoever
reads and writes them. Ids compare case-insensitively, as Resource Manager does.

Assumed: an older api-version takes and shows the properties of newer ones; whether Azure hides them is not documented.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any


@dataclass(slots=True)
class Resource:
    """One resource. `body` is the full ARM envelope: id, type, name, properties; location, sku, identity where given.

    `hidden` is what Azure keeps but never returns from a GET: keys, secret values, the text before re-serialisation.
    """

    id: str
    type: str
    name: str
    body: dict[str, Any]
    etag: str
    created_at: float
    changed_at: float
    hidden: dict[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` bag of the body (created when missing)."""
        bag: dict[str, Any] = self.body.setdefault("properties", {})
        return bag


ChangeListener = Callable[[str, Resource | None], None]
"""Told (id as stored, resource or None when deleted) after every write."""


class ResourceStore:
    """Resources by id. Writers get a fresh entity tag every time, even when nothing changed."""

    def __init__(self, *, clock: Callable[[], float], random: Random) -> None:
        self._clock = clock
        self._random = random
        self._resources: dict[str, Resource] = {}
        self._listeners: list[ChangeListener] = []

    def on_change(self, listener: ChangeListener) -> None:
        """Subscribe to writes and deletions."""
        self._listeners.append(listener)

    def get(self, resource_id: str) -> Resource | None:
        """The resource, or None. The returned object is the stored one: read it, do not edit it."""
        return self._resources.get(resource_id.lower())

    def put(
        self,
        resource_id: str,
        resource_type: str,
        body: dict[str, Any],
        *,
        hidden: dict[str, Any] | None = None,
    ) -> Resource:
        """Create or replace. `body` is copied; id, type and name are set from the arguments. Returns what is stored."""
        key = resource_id.lower()
        before = self._resources.get(key)
        now = self._clock()
        stored_id = before.id if before is not None else resource_id
        name = stored_id.rsplit("/", 1)[1]
        envelope = {"id": stored_id, "type": resource_type, "name": name, **copy.deepcopy(body)}
        envelope.update(id=stored_id, type=resource_type, name=name)
        resource = Resource(
            id=stored_id,
            type=resource_type,
            name=name,
            body=envelope,
            etag=self.fresh_etag(),
            created_at=before.created_at if before is not None else now,
            changed_at=now,
            hidden=dict(hidden) if hidden is not None else (dict(before.hidden) if before is not None else {}),
        )
        self._resources[key] = resource
        for listener in self._listeners:
            listener(stored_id, resource)
        return resource

    def delete(self, resource_id: str) -> bool:
        """Delete the resource and everything below it. False when there was none."""
        key = resource_id.lower()
        doomed = [k for k in self._resources if k == key or k.startswith(key + "/")]
        for k in doomed:
            gone = self._resources.pop(k)
            for listener in self._listeners:
                listener(gone.id, None)
        return bool(doomed)

    def children(self, parent_id: str, collection: str) -> Iterator[Resource]:
        """Direct children in creation order: `children(service_id, "backends")` gives `{service_id}/backends/*`."""
        prefix = f"{parent_id}/{collection}/".lower()
        for key, resource in list(self._resources.items()):
            if key.startswith(prefix) and "/" not in key[len(prefix) :]:
                yield resource

    def of_type(self, resource_type: str, *, under: str = "") -> Iterator[Resource]:
        """All resources of an ARM type (case-insensitive), optionally below an id prefix, in creation order."""
        wanted, prefix = resource_type.lower(), under.lower()
        for key, resource in list(self._resources.items()):
            if resource.type.lower() == wanted and key.startswith(prefix):
                yield resource

    def below(self, parent_id: str) -> Iterator[Resource]:
        """Everything below an id, at any depth, in creation order."""
        prefix = parent_id.lower().rstrip("/") + "/"
        for key, resource in list(self._resources.items()):
            if key.startswith(prefix):
                yield resource

    def fresh_etag(self) -> str:
        """An opaque quoted entity tag, never repeated in practice."""
        return f'"AAAAAAAA{self._random.getrandbits(32):08X}="'
