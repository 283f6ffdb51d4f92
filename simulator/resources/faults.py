"""Faults of the control plane and of any other host's front: injected by the control door, felt by whoever calls.

Faults of the data plane itself (a model host down or slow) belong to the network; these stand before it, at the door.
"""

from __future__ import annotations

import fnmatch
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from simulator.world import World

FaultKind = Literal[
    "status",
    "delay",
    "reset",
    "truncate",
    "wrong-json",
    "throttle",
    "expired-token",
    "stale-etag",
    "operation-failure",
]
FAULT_KINDS: tuple[str, ...] = get_args(FaultKind)
MANAGEMENT_HOST = "management.azure.com"


@dataclass(slots=True)
class RouteFault:
    """One fault.

    Shapes: `host`, `method` and `path` are shell-style patterns, compared without case; `count` is how many requests
    will still feel it (None: until cleared); `ratio` 0 to 1 the share of matching requests that do. `status`, `code`
    and `message` say what is answered, where the kind answers; `retry_after_seconds` goes with `throttle`.
    """

    id: int
    kind: FaultKind
    host: str = MANAGEMENT_HOST
    method: str = "*"
    path: str = "*"
    count: int | None = None
    ratio: float = 1.0
    status: int = 500
    code: str = "InternalServerError"
    message: str = "An error was injected."
    delay_seconds: float = 0.0
    retry_after_seconds: float = 5.0

    def matches(self, host: str, method: str, path: str) -> bool:
        """Whether a request is one this fault is for."""
        return (
            fnmatch.fnmatchcase(host.lower(), self.host.lower())
            and fnmatch.fnmatchcase(method.upper(), self.method.upper())
            and fnmatch.fnmatchcase(path.lower(), self.path.lower())
        )


class FaultTable:
    """The faults in force, in the order they were set."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._serial = 0
        self.faults: list[RouteFault] = []

    def add(self, fields: dict[str, Any]) -> RouteFault:
        """Set a fault from plain fields.

        Raises:
            ValueError: an unknown kind or field.
        """
        if fields.get("kind") not in FAULT_KINDS:
            raise ValueError(f"kind must be one of {', '.join(FAULT_KINDS)}, not {fields.get('kind')!r}")
        unknown = set(fields) - set(RouteFault.__dataclass_fields__) | ({"id"} & set(fields))
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
        self._serial += 1
        fault = RouteFault(id=self._serial, **fields)
        self.faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> None:
        """Take away one fault, or all."""
        self.faults = [fault for fault in self.faults if fault_id is not None and fault.id != fault_id]

    def take(self, host: str, method: str, path: str) -> list[RouteFault]:
        """The faults this request feels; counts go down. Operation failures are taken by the write itself."""
        if not self.faults:
            return []
        felt = [
            fault
            for fault in self.faults
            if fault.kind != "operation-failure" and fault.matches(host, method, path) and self._strikes(fault)
        ]
        self._spend(felt)
        return felt

    def take_operation_failure(self, method: str, path: str) -> dict[str, Any] | None:
        """The error object a long-running write must end with, None for the ordinary course."""
        for fault in self.faults:
            if (
                fault.kind == "operation-failure"
                and fault.matches(MANAGEMENT_HOST, method, path)
                and self._strikes(fault)
            ):
                self._spend([fault])
                return {"code": fault.code, "message": fault.message}
        return None

    def _strikes(self, fault: RouteFault) -> bool:
        return fault.ratio >= 1.0 or self._world.random("route-faults").random() < fault.ratio

    def _spend(self, felt: list[RouteFault]) -> None:
        for fault in felt:
            if fault.count is not None:
                fault.count -= 1
        self.faults = [fault for fault in self.faults if fault.count is None or fault.count > 0]

    def as_json(self) -> list[dict[str, Any]]:
        """All faults as plain data."""
        return [asdict(fault) for fault in self.faults]


def fault_table(world: World) -> FaultTable:
    """The world's route faults, kept as `world.rooms["arm-faults"]`."""
    table = world.rooms.get("arm-faults")
    if table is None:
        table = world.rooms["arm-faults"] = FaultTable(world)
    assert isinstance(table, FaultTable)
    return table
