"""Who calls Resource Manager, and what the roles they hold allow.

Roles are sets of action patterns at a scope, as Azure RBAC has them. Nothing here reads a request.
Source: Azure RBAC "Understand role definitions": an entry allows an action when one of its `actions` matches and none
of its `notActions` does; entries add up; a scope's assignment holds for everything below it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition: action patterns with `*` wildcards, compared case-insensitively."""

    id: str
    name: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        """Whether this role alone allows a control-plane action."""
        return _matches(action, self.actions) and not _matches(action, self.not_actions)

    def allows_data(self, action: str) -> bool:
        """Whether this role alone allows a data-plane action."""
        return _matches(action, self.data_actions) and not _matches(action, self.not_data_actions)

    def as_permission(self) -> dict[str, Any]:
        """The entry of the permissions API."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }


def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    lowered = action.lower()
    return any(fnmatch.fnmatchcase(lowered, pattern.lower()) for pattern in patterns)


# Source: Azure built-in roles (ids and actions of the roles named).
BUILT_IN_ROLES: Mapping[str, Role] = MappingProxyType(
    {
        role.name: role
        for role in (
            Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ("*",)),
            Role(
                "b24988ac-6180-42a0-ab88-20f7382dd24c",
                "Contributor",
                ("*",),
                ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
            ),
            Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ("*/read",)),
            Role(
                "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
                "Monitoring Reader",
                ("*/read", "Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.Support/*"),
            ),
            Role(
                "73c42c96-874c-492b-b04d-ab87d138a893",
                "Log Analytics Reader",
                (
                    "*/read",
                    "Microsoft.OperationalInsights/workspaces/analytics/query/action",
                    "Microsoft.OperationalInsights/workspaces/search/action",
                    "Microsoft.Support/*",
                ),
                ("Microsoft.OperationalInsights/workspaces/sharedKeys/read",),
            ),
            Role(
                "71522526-b88f-4d52-b57f-d31fc3546d0d",
                "API Management Service Reader Role",
                (
                    "Microsoft.ApiManagement/service/*/read",
                    "Microsoft.ApiManagement/service/read",
                    "Microsoft.Authorization/*/read",
                    "Microsoft.Insights/alertRules/*",
                    "Microsoft.ResourceHealth/availabilityStatuses/read",
                    "Microsoft.Resources/deployments/*",
                    "Microsoft.Resources/subscriptions/resourceGroups/read",
                    "Microsoft.Support/*",
                ),
                ("Microsoft.ApiManagement/service/users/keys/read",),
            ),
            Role(
                "312a565d-c81f-4fd8-895a-4e21e48d571c",
                "API Management Service Contributor",
                (
                    "Microsoft.ApiManagement/service/*",
                    "Microsoft.Authorization/*/read",
                    "Microsoft.Insights/alertRules/*",
                    "Microsoft.ResourceHealth/availabilityStatuses/read",
                    "Microsoft.Resources/deployments/*",
                    "Microsoft.Resources/subscriptions/resourceGroups/read",
                    "Microsoft.Support/*",
                ),
            ),
            Role(
                "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
                "Cognitive Services OpenAI User",
                ("Microsoft.CognitiveServices/*/read", "Microsoft.Authorization/roleAssignments/read"),
                (),
                (
                    "Microsoft.CognitiveServices/accounts/OpenAI/*/read",
                    "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
                    "Microsoft.CognitiveServices/accounts/OpenAI/deployments/completions/action",
                    "Microsoft.CognitiveServices/accounts/OpenAI/deployments/embeddings/action",
                ),
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role held at a scope (an id prefix; "/" is everything)."""

    role: Role
    scope: str

    def covers(self, scope: str) -> bool:
        """Whether the assignment holds at `scope`."""
        mine = self.scope.rstrip("/").lower()
        theirs = scope.rstrip("/").lower()
        return theirs == mine or theirs.startswith(mine + "/")


@dataclass(slots=True)
class Principal:
    """Someone who can sign in. `assignments` may be changed while the world runs (by the control door)."""

    object_id: str
    name: str
    tenant_id: str
    client_id: str
    kind: str = "app"
    assignments: list[Assignment] = field(default_factory=list)

    def roles_at(self, scope: str) -> list[Role]:
        """The roles that hold at `scope`, broad scopes included."""
        return [assignment.role for assignment in self.assignments if assignment.covers(scope)]

    def may(self, action: str, scope: str) -> bool:
        """Whether a control-plane action is allowed at `scope`."""
        return any(role.allows(action) for role in self.roles_at(scope))
