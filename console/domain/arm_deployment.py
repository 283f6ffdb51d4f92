"""ArmDeployments: template deployments of Resource Manager, their operations, and what a what-if says of one.

Never mixed with a ModelDeployment. Pure nouns; standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

DEPLOYMENT_TYPE = "Microsoft.Resources/deployments"
TERMINAL_STATES = frozenset({"Succeeded", "Failed", "Canceled"})


@dataclass(frozen=True, slots=True)
class ArmError:
    """One error as Azure nests them; `target` is a resource id or a name, "" when it says none."""

    code: str
    message: str
    target: str = ""
    details: tuple[ArmError, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmDeployment:
    """A deployment as Resource Manager tells it. `started_at` None: not told. `outputs` by name."""

    id: str
    name: str
    location: str
    state: str
    correlation_id: str = ""
    updated_at: datetime | None = None
    duration_seconds: float | None = None
    error: ArmError | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    template_hash: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a deployment. `nested` are the steps of the module it deploys.

    `resource_id` is "" for the step that evaluates outputs. `duration_seconds` counts to now while it runs.
    """

    id: str
    resource_id: str
    resource_type: str
    resource_name: str
    state: str
    updated_at: datetime | None = None
    duration_seconds: float | None = None
    error: ArmError | None = None
    nested: tuple[Operation, ...] = ()

    @property
    def is_module(self) -> bool:
        """Whether it deploys a nested template."""
        return self.resource_type.lower() == DEPLOYMENT_TYPE.lower()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in TERMINAL_STATES

    @property
    def short_type(self) -> str:
        """The last word of the type: `backends`, `service`."""
        return self.resource_type.rsplit("/", 1)[-1]

    @property
    def short_name(self) -> str:
        """The last part of the name: children are named after their parents."""
        return self.resource_name.rsplit("/", 1)[-1]


def leaves(operations: tuple[Operation, ...]) -> list[Operation]:
    """Every step that writes a resource itself, modules opened."""
    found: list[Operation] = []
    for operation in operations:
        if operation.is_module:
            found += leaves(operation.nested)
        elif operation.resource_id:
            found.append(operation)
    return found


class ChangeType(StrEnum):
    """What a deployment would do to a resource, in Azure's words."""

    CREATE = "Create"
    DELETE = "Delete"
    MODIFY = "Modify"
    DEPLOY = "Deploy"
    NO_CHANGE = "NoChange"
    IGNORE = "Ignore"
    UNSUPPORTED = "Unsupported"


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property: `kind` is Create, Delete, Modify, Array or NoEffect; paths of children are relative to it."""

    path: str
    kind: str
    before: Any = None
    after: Any = None
    children: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One resource of a what-if. `before` and `after` are whole resources, None when Azure gave none."""

    resource_id: str
    change_type: ChangeType
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    properties: tuple[PropertyChange, ...] = ()
    reason: str = ""

    @property
    def resource_type(self) -> str:
        """`Microsoft.ApiManagement/service/backends`, read from the id."""
        return type_of(self.resource_id)

    @property
    def name(self) -> str:
        """The resource's own name, without its parents'."""
        return self.resource_id.rstrip("/").rsplit("/", 1)[-1]

    @property
    def path(self) -> str:
        """The path below the gateway (`backends/chat-pool`); the name for what is no child of one."""
        _, found, rest = self.resource_id.partition("/Microsoft.ApiManagement/service/")
        return rest.partition("/")[2] if found and "/" in rest else self.name


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a deployment would change."""

    changes: tuple[Change, ...]
    error: ArmError | None = None


def type_of(resource_id: str) -> str:
    """The type in a resource id; resource groups and subscriptions have no provider in theirs."""
    _, found, rest = resource_id.rpartition("/providers/")
    if not found:
        return "Microsoft.Resources/resourceGroups" if "/resourcegroups/" in resource_id.lower() else ""
    parts = rest.split("/")
    return "/".join([parts[0], *parts[1::2]])
