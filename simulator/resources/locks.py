"""Management locks: what they hold back.

Source: "Lock your resources to protect your infrastructure": a lock holds for its scope and everything below;
`CanNotDelete` refuses deletes, `ReadOnly` writes as well; error `ScopeLocked`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.resources.errors import ArmError

if TYPE_CHECKING:
    from simulator.world import World

LOCKS = "Microsoft.Authorization/locks"
_MARK = "/providers/microsoft.authorization/locks/"


def refuse_if_locked(world: World, resource_id: str, *, deleting: bool) -> None:
    """Hold a write or delete against the locks above it.

    Raises:
        ArmError: 409 ScopeLocked.
    """
    wanted = resource_id.lower()
    if _MARK in wanted:
        return
    for lock in world.store.of_type(LOCKS):
        scope = lock.id.lower().split(_MARK)[0]
        covers = wanted == scope or wanted.startswith(scope + "/")
        # Deleting a container deletes what a lock below it protects.
        covers = covers or (deleting and scope.startswith(wanted + "/"))
        if covers and (deleting or lock.properties.get("level") == "ReadOnly"):
            verb = "delete" if deleting else "write"
            raise ArmError(
                409,
                "ScopeLocked",
                f"The scope '{resource_id}' cannot perform {verb} operation because following scope(s) are locked: "
                f"'{lock.id.split('/providers/Microsoft.Authorization')[0]}'. Please remove the lock and try again.",
            )
