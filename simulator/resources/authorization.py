"""Role assignments, role definitions and locks: written like any resource, and then they count.

Source: Microsoft.Authorization roleAssignments and roleDefinitions 2022-04-01 (`RoleAssignmentExists`), locks
2020-05-01 (`CanNotDelete`, `ReadOnly`). Any principal id is taken: `PrincipalNotFound` is not modelled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from simulator.entra.principals import BUILT_IN_ROLES, Assignment, Role
from simulator.entra.tokens import entra
from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.store import Resource
from simulator.resources.writing import TypeRules, WriteContext, type_registry

if TYPE_CHECKING:
    from simulator.world import World

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
LOCKS = "Microsoft.Authorization/locks"


def register_authorization(world: World, router: Router) -> None:
    """Register the types and the list of role definitions."""
    registry = type_registry(world)
    registry.register(TypeRules(ASSIGNMENTS, prepare=_prepare_assignment, after_write=_grant, before_delete=_withdraw))
    registry.register(TypeRules(LOCKS, prepare=_prepare_lock))
    router.add("GET", "{scope}/providers/Microsoft.Authorization/roleDefinitions", _answer_definitions)
    router.add("GET", "{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleId}", _answer_definition)
    router.add("GET", "/providers/Microsoft.Authorization/roleDefinitions/{roleId}", _answer_definition)


def _role(definition_id: str) -> Role | None:
    wanted = definition_id.rstrip("/").rsplit("/", 1)[-1].lower()
    return next((role for role in BUILT_IN_ROLES.values() if role.id == wanted), None)


def _key(properties: dict[str, Any]) -> tuple[str, str]:
    definition = str(properties.get("roleDefinitionId", "")).rstrip("/").rsplit("/", 1)[-1]
    return str(properties.get("principalId", "")).lower(), definition.lower()


def _prepare_assignment(context: WriteContext) -> None:
    properties = context.properties
    for name in ("principalId", "roleDefinitionId"):
        if not properties.get(name):
            raise ArmError(400, "InvalidRequestContent", f"The property '{name}' is required.", name)
    existing = context.existing
    if existing is not None and _key(existing.properties) != _key(properties):
        raise ArmError(
            409,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    scope = context.path.scope or "/"
    for other in context.world.store.of_type(ASSIGNMENTS):
        same_place = str(other.properties.get("scope", "")).lower() == scope.lower()
        if existing is None and same_place and _key(other.properties) == _key(properties):
            raise ArmError(409, "RoleAssignmentExists", f"The role assignment already exists. The ID is {other.name}.")
    properties["scope"] = scope
    properties.setdefault("principalType", "ServicePrincipal")


def _grant(world: World, resource: Resource, created: bool) -> None:
    """An assignment to somebody who can sign in here takes effect at once (in Azure within minutes)."""
    principal_id, _ = _key(resource.properties)
    who = entra(world).principal(principal_id)
    role = _role(str(resource.properties.get("roleDefinitionId")))
    if created and who is not None and role is not None:
        who.assignments.append(Assignment(role, str(resource.properties["scope"])))


def _withdraw(world: World, resource: Resource, query: dict[str, str]) -> None:
    principal_id, _ = _key(resource.properties)
    who = entra(world).principal(principal_id)
    role = _role(str(resource.properties.get("roleDefinitionId")))
    if who is not None and role is not None:
        gone = Assignment(role, str(resource.properties["scope"]))
        who.assignments = [assignment for assignment in who.assignments if assignment != gone]


def _prepare_lock(context: WriteContext) -> None:
    if context.properties.get("level") not in ("CanNotDelete", "ReadOnly"):
        raise ArmError(400, "LockLevelInvalid", "The lock level must be CanNotDelete or ReadOnly.", "level")


def _definition(role: Role) -> dict[str, Any]:
    return {
        "id": f"/providers/Microsoft.Authorization/roleDefinitions/{role.id}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.name,
            "assignableScopes": ["/"],
            "permissions": [role.as_permission()],
        },
    }


def _answer_definitions(request: ArmRequest) -> ArmResponse:
    """Source: `$filter=roleName eq '...'` or `type eq 'BuiltInRole'`."""
    match = re.fullmatch(r"\s*rolename\s+eq\s+'([^']*)'\s*", str(request.query.get("$filter", "")), re.IGNORECASE)
    roles = [role for role in BUILT_IN_ROLES.values() if match is None or role.name.lower() == match[1].lower()]
    return ArmResponse(200, {"value": [_definition(role) for role in roles]})


def _answer_definition(request: ArmRequest) -> ArmResponse:
    role = _role(request.parameters["roleId"])
    if role is None:
        raise ArmError(404, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
    return ArmResponse(200, _definition(role))
