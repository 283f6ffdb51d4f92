"""What the signed-in principal may do on the gateway. Reads only; a refusal to say is an answer of its own.

Source: Microsoft.Authorization/permissions, api-version 2022-04-01: an action is allowed when any entry matches one of
its `actions` and none of that entry's `notActions`. Deny assignments and locks are not reflected.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

import msgspec

from console.azure.arm import fetch_list
from console.azure.session import AzureSession

API_VERSION = "2022-04-01"
READ_ACTIONS = ("Microsoft.ApiManagement/service/read",)
"""Without it the console sees nothing."""
WRITE_ACTIONS = (
    "Microsoft.ApiManagement/service/backends/write",
    "Microsoft.ApiManagement/service/namedValues/write",
    "Microsoft.ApiManagement/service/namedValues/delete",
    "Microsoft.ApiManagement/service/policyFragments/write",
    "Microsoft.ApiManagement/service/apis/policies/write",
    "Microsoft.ApiManagement/service/operationresults/read",
)
"""What draining, restoring and deploying fragments need."""


class Permission(msgspec.Struct, rename="camel"):
    """One entry: what it allows, and what it takes back from that."""

    actions: list[str] = []
    not_actions: list[str] = []

    def allows(self, action: str) -> bool:
        """Whether this entry alone allows an action."""
        return _matches(action, self.actions) and not _matches(action, self.not_actions)


def _matches(action: str, patterns: Iterable[str]) -> bool:
    lowered = action.lower()
    return any(fnmatch.fnmatchcase(lowered, pattern.lower()) for pattern in patterns)


async def fetch_permissions(session: AzureSession) -> list[Permission]:
    """The entries that hold at the gateway.

    Raises:
        ConsoleError: they cannot be read.
    """
    return await fetch_list(
        session,
        f"{session.profile.service_id}/providers/Microsoft.Authorization/permissions",
        Permission,
        api_version=API_VERSION,
        what="The permissions cannot be read",
        remedy="Writes are tried all the same; Azure refuses what is not allowed.",
    )


def missing_actions(permissions: Iterable[Permission], wanted: Iterable[str] = WRITE_ACTIONS) -> tuple[str, ...]:
    """The wanted actions that no entry allows."""
    entries = list(permissions)
    return tuple(action for action in wanted if not any(entry.allows(action) for entry in entries))
