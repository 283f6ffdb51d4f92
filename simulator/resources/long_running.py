"""Long-running operations: started by a write, finished by the clock, read by polling.

Source: "Track asynchronous Azure operations": `Azure-AsyncOperation` and `Location` headers, `Retry-After`, status
words `InProgress`, `Succeeded`, `Failed`, `Canceled`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.resources.wire_time import wire_time

if TYPE_CHECKING:
    from simulator.world import World

KEPT_OPERATIONS = 2_000


@dataclass(slots=True)
class Operation:
    """One operation. `ends_at` is when polling first sees its end; `error` is set when it will fail."""

    id: str
    resource_id: str
    status_url_path: str
    started_at: float
    ends_at: float
    final_status: int = 200
    error: dict[str, Any] | None = None
    canceled: bool = False
    hidden: dict[str, Any] = field(default_factory=dict)

    def status(self, now: float) -> str:
        """`InProgress`, `Succeeded`, `Failed` or `Canceled` at `now`."""
        if self.canceled:
            return "Canceled"
        if now < self.ends_at:
            return "InProgress"
        return "Failed" if self.error is not None else "Succeeded"

    def as_json(self, now: float) -> dict[str, Any]:
        """The body of the operation resource."""
        status = self.status(now)
        body: dict[str, Any] = {
            "id": self.status_url_path,
            "name": self.id,
            "status": status,
            "startTime": wire_time(self.started_at),
        }
        if status != "InProgress":
            body["endTime"] = wire_time(min(now, self.ends_at))
            body["percentComplete"] = 100.0
        else:
            span = max(self.ends_at - self.started_at, 1e-9)
            body["percentComplete"] = round(100.0 * (now - self.started_at) / span, 1)
        if status == "Failed":
            body["error"] = self.error
        return body


class Operations:
    """The operations of a world by id; old ones are forgotten."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_id: dict[str, Operation] = {}

    def start(
        self,
        resource_id: str,
        status_path: str,
        seconds: float,
        *,
        final_status: int = 200,
        error: dict[str, Any] | None = None,
    ) -> Operation:
        """Begin an operation of `seconds`; `status_path` is where its status is read, `{id}` standing for its id."""
        operation_id = f"{self._world.random('operation-ids').getrandbits(96):024x}"
        now = self._world.now
        operation = Operation(
            id=operation_id,
            resource_id=resource_id,
            status_url_path=status_path.replace("{id}", operation_id),
            started_at=now,
            ends_at=now + seconds,
            final_status=final_status,
            error=error,
        )
        self._by_id[operation_id] = operation
        while len(self._by_id) > KEPT_OPERATIONS:
            del self._by_id[next(iter(self._by_id))]
        return operation

    def get(self, operation_id: str) -> Operation | None:
        """The operation, None when unknown or forgotten."""
        return self._by_id.get(operation_id)

    def running_under(self, prefix: str) -> list[Operation]:
        """Operations in progress on `prefix` or anything below it."""
        wanted = prefix.lower()
        now = self._world.now
        return [
            operation
            for operation in self._by_id.values()
            if operation.status(now) == "InProgress"
            and (operation.resource_id.lower() == wanted or operation.resource_id.lower().startswith(wanted + "/"))
        ]


def operations(world: World) -> Operations:
    """The world's operations, kept as `world.rooms["arm-operations"]`."""
    known = world.rooms.get("arm-operations")
    if known is None:
        known = world.rooms["arm-operations"] = Operations(world)
    assert isinstance(known, Operations)
    return known
