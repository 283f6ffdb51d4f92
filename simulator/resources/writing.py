"""The one way a resource is written: an HTTP PUT or PATCH and a template deployment end here alike.

Providers register `TypeRules` for their types: what is valid, what the service adds, how a read shows it, how long it
takes. Types without rules are accepted as they are, which is how the rest of Azure (alerts, role assignments, Event
Hubs) exists here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from simulator.resources.activity import tell_activity
from simulator.resources.errors import ArmError, ValidationProblems
from simulator.resources.ids import ResourcePath, parse_resource_path
from simulator.resources.locks import refuse_if_locked
from simulator.resources.long_running import Operation, operations
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource

if TYPE_CHECKING:
    from simulator.entra.principals import Principal
    from simulator.world import World


@dataclass(slots=True)
class WriteContext:
    """What a type's rules see of one write, and may change: `body`, `hidden`, `problems`."""

    world: World
    path: ResourcePath
    body: dict[str, Any]
    existing: Resource | None
    hidden: dict[str, Any]
    principal: Principal | None
    api_version: str
    method: Literal["PUT", "PATCH"]
    problems: ValidationProblems = field(default_factory=ValidationProblems)

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` bag of the body to be stored."""
        bag = self.body.setdefault("properties", {})
        if not isinstance(bag, dict):
            raise ArmError(400, "InvalidRequestContent", "'properties' must be an object.")
        return bag

    @property
    def service_id(self) -> str:
        """The top-level resource above what is written (the API Management service, the account)."""
        parts = self.path.path.split("/")
        extra = 2 * (len(self.path.types) - 1)
        return "/".join(parts[: len(parts) - extra]) if extra else self.path.path


@dataclass(slots=True)
class ReadContext:
    """How a read wants a resource shown."""

    world: World
    query: dict[str, str] = field(default_factory=dict)
    api_version: str = ""
    in_list: bool = False


@dataclass(slots=True)
class TypeRules:
    """What a provider knows of one of its types. Callables may raise `ArmError`."""

    type: str
    prepare: Callable[[WriteContext], None] | None = None
    """Check and complete a body before it is stored: note `problems`, move secrets to `hidden`."""
    after_write: Callable[[World, Resource, bool], None] | None = None
    """Told (world, resource, created) once stored."""
    render: Callable[[Resource, ReadContext], dict[str, Any]] | None = None
    """The body a read shows; None shows the stored one."""
    before_delete: Callable[[World, Resource, dict[str, str]], None] | None = None
    """Refuse a delete (resource in use) by raising."""
    seconds: Callable[[WriteContext], float] | None = None
    """How long a write takes; None or 0 is at once."""
    delete_seconds: Callable[[World], float] | None = None
    status_path: Callable[[Resource], str] | None = None
    """The operation-status path with `{id}`; None uses the provider's location-based one."""
    filter_fields: tuple[str, ...] = ()
    counted_list: bool = False
    """Whether lists are API Management's (`count`, `nextLink` always present)."""
    list_extras: tuple[str, ...] = ("count", "nextLink")
    """Which of `count` and an empty `nextLink` such a list carries."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """Success statuses that are not the usual ones, by method."""
    if_match_mandatory: bool = False
    """Whether PATCH and DELETE want If-Match."""
    entity_tag: bool = False
    methods: frozenset[str] = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
    only_name: str = ""
    """The one name the type allows ("policy"), "" for any."""
    body_optional: bool = False
    """Whether a PUT may come without a body (links)."""
    exclusive: bool = False
    """Whether a write is refused with 409 while an earlier one on the same resource runs."""
    exclusive_under_parent: bool = False
    """Whether one running operation below the parent refuses further writes with 409."""


@dataclass(slots=True)
class WriteResult:
    """What a write did. `operation` is None when it was done at once."""

    resource: Resource
    created: bool
    operation: Operation | None = None


class TypeRegistry:
    """Rules by type (case-insensitive)."""

    def __init__(self) -> None:
        self._rules: dict[str, TypeRules] = {}
        self._closed: set[str] = set()

    def register(self, rules: TypeRules) -> None:
        """Add or replace the rules of a type."""
        self._rules[rules.type.lower()] = rules

    def close(self, root_type: str) -> None:
        """Declare that `root_type` has no child types but the registered ones."""
        self._closed.add(root_type.lower())

    def rules(self, resource_type: str) -> TypeRules:
        """The rules of a type; for an unregistered one, rules that accept anything.

        Raises:
            ArmError: 404 for an unknown child of a closed type.
        """
        known = self._rules.get(resource_type.lower())
        if known is not None:
            return known
        lowered = resource_type.lower()
        if any(lowered.startswith(root + "/") for root in self._closed):
            raise ArmError(
                404,
                "InvalidResourceType",
                f"The resource type '{resource_type.split('/', 1)[1]}' could not be found in the namespace "
                f"'{resource_type.split('/', 1)[0]}' for the api version given.",
            )
        return TypeRules(resource_type)

    def known(self, resource_type: str) -> TypeRules | None:
        """The registered rules of a type, None for one without."""
        return self._rules.get(resource_type.lower())

    def canonical_type(self, resource_type: str) -> str:
        """The type in the case its provider writes it."""
        known = self._rules.get(resource_type.lower())
        return known.type if known is not None else resource_type


def type_registry(world: World) -> TypeRegistry:
    """The world's type rules, kept as `world.rooms["arm-types"]`."""
    registry = world.rooms.get("arm-types")
    if registry is None:
        registry = world.rooms["arm-types"] = TypeRegistry()
    assert isinstance(registry, TypeRegistry)
    return registry


def write_resource(
    world: World,
    resource_id: str,
    resource_type: str,
    body: dict[str, Any],
    principal: Principal | None,
    if_match: str | None = None,
    *,
    api_version: str = "",
    method: Literal["PUT", "PATCH"] = "PUT",
    correlation_id: str = "",
    fail_with: dict[str, Any] | None = None,
) -> WriteResult:
    """Create, replace or (PATCH) merge a resource.

    Args:
        body: the request body; it is copied.
        if_match: an entity tag, `*`, or None.
        fail_with: an error object; the operation is accepted, ends `Failed` with it, and nothing is stored.

    Raises:
        ArmError: 400 invalid, 404 no parent or (PATCH) no resource, 409 busy, 412 stale entity tag.
    """
    path = parse_resource_path(resource_id)
    if path is None or not path.is_resource:
        raise ArmError(400, "InvalidResourceId", f"'{resource_id}' is not a resource id.")
    registry = type_registry(world)
    rules = registry.rules(resource_type)
    existing = world.store.get(resource_id)
    _check_surroundings(world, path, rules)
    refuse_if_locked(world, resource_id, deleting=False)
    _refuse_if_busy(world, existing, rules)
    check_if_match(existing, if_match, mandatory=_if_match_mandatory(world, rules, existing, method))
    if method == "PATCH":
        if existing is None:
            raise entity_not_found(path)
        content = merge_patch(existing.body, body)
    else:
        content = copy.deepcopy(body)
    context = WriteContext(
        world, path, content, existing, dict(existing.hidden) if existing else {}, principal, api_version, method
    )
    if rules.prepare is not None:
        rules.prepare(context)
    context.problems.raise_if_any()
    seconds = rules.seconds(context) if rules.seconds is not None else 0.0
    created = existing is None
    operation = None
    if fail_with is not None or seconds > 0:
        status_path = rules.status_path or location_status_path
        shown = Resource(resource_id, rules.type, path.name, context.body, "", world.now, world.now)
        operation = operations(world).start(
            resource_id,
            status_path(shown),
            seconds or arm_settings(world).entity_seconds,
            final_status=201 if created else 200,
            error=fail_with,
        )
        context.hidden["settles_at"] = operation.ends_at
    if fail_with is not None:
        shown = existing or Resource(
            resource_id, rules.type, path.name, {**context.body, "id": resource_id}, '""', world.now, world.now
        )
        tell_activity(world, rules.type, "write", resource_id, principal, correlation_id, operation)
        return WriteResult(shown, created, operation)
    stored = world.store.put(resource_id, registry.canonical_type(resource_type), context.body, hidden=context.hidden)
    if rules.after_write is not None:
        rules.after_write(world, stored, created)
    tell_activity(world, stored.type, "write", stored.id, principal, correlation_id, operation)
    return WriteResult(stored, created, operation)


def delete_resource(
    world: World,
    resource_id: str,
    principal: Principal | None,
    if_match: str | None = None,
    *,
    query: dict[str, str] | None = None,
    correlation_id: str = "",
) -> tuple[bool, Operation | None]:
    """Delete a resource and what is below it. Returns (whether it existed, the operation when it takes time).

    Raises:
        ArmError: 400 without a mandatory If-Match or while in use, 412 stale entity tag.
    """
    path = parse_resource_path(resource_id)
    existing = world.store.get(resource_id)
    if path is None:
        raise ArmError(400, "InvalidResourceId", f"'{resource_id}' is not a resource id.")
    rules = type_registry(world).rules(existing.type if existing is not None else path.type)
    if existing is None:
        if rules.if_match_mandatory and if_match is None:
            raise _if_match_missing()
        return False, None
    refuse_if_locked(world, resource_id, deleting=True)
    check_if_match(existing, if_match, mandatory=rules.if_match_mandatory)
    if rules.before_delete is not None:
        rules.before_delete(world, existing, query or {})
    operation = None
    seconds = rules.delete_seconds(world) if rules.delete_seconds is not None else 0.0
    if seconds > 0:
        status_path = rules.status_path or location_status_path
        operation = operations(world).start(resource_id, status_path(existing), seconds, final_status=204)
    world.store.delete(resource_id)
    tell_activity(world, existing.type, "delete", existing.id, principal, correlation_id, operation)
    return True, operation


def check_if_match(existing: Resource | None, if_match: str | None, *, mandatory: bool) -> None:
    """Hold `If-Match` against the resource as it stands.

    Source: API Management REST reference 2024-05-01: "ETag of the Entity ... it can be * for unconditional update";
    error `PreconditionFailed`.

    Raises:
        ArmError: 400 when mandatory and missing, 412 when it does not match.
    """
    if if_match is None:
        if mandatory:
            raise _if_match_missing()
        return
    wanted = if_match.strip()
    if wanted == "*":
        return
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")}
    if existing is None or existing.etag.strip('"') not in tags:
        raise ArmError(
            412,
            "PreconditionFailed",
            "Resource was modified since last retrieval. Please fetch the resource again to get the latest entity tag.",
        )


def _if_match_missing() -> ArmError:
    return ArmError(400, "ValidationError", "The If-Match header is required for this operation.", "If-Match")


def _if_match_mandatory(world: World, rules: TypeRules, existing: Resource | None, method: str) -> bool:
    if not rules.if_match_mandatory:
        return False
    if method == "PATCH":
        return True
    return existing is not None and arm_settings(world).put_requires_if_match


def _check_surroundings(world: World, path: ResourcePath, rules: TypeRules) -> None:
    if rules.only_name and path.name != rules.only_name:
        raise ArmError(400, "ValidationError", f"The only name allowed here is '{rules.only_name}'.", "policyId")
    store = world.store
    if path.group_id and path.type.lower() != "microsoft.resources/resourcegroups" and store.get(path.group_id) is None:
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{path.resource_group}' could not be found.")
    parent = path.parent_id
    is_container = parent == path.group_id or parent in ("", f"/subscriptions/{path.subscription_id}")
    if not is_container and store.get(parent) is None:
        raise ArmError(
            404,
            "ParentResourceNotFound",
            f"Can not perform requested operation on nested resource. Parent resource '{parent.rsplit('/', 1)[-1]}' "
            "not found.",
        )
    if rules.exclusive_under_parent and operations(world).running_under(parent):
        raise ArmError(
            409,
            "RequestConflict",
            f"Cannot modify resource with id '{path.path}' because another operation is in progress on its parent.",
        )


def _refuse_if_busy(world: World, existing: Resource | None, rules: TypeRules) -> None:
    """Source: APIOps treats 409 `PessimisticConcurrencyConflict` on APIs as transient (not documented)."""
    if rules.exclusive and existing is not None and existing.hidden.get("settles_at", 0.0) > world.now:
        raise ArmError(
            409,
            "PessimisticConcurrencyConflict",
            "Operation on the API is in progress. Please try again later.",
            headers={"retry-after": f"{arm_settings(world).retry_after_seconds:g}"},
        )


def entity_not_found(path: ResourcePath) -> ArmError:
    """404 for a child entity, in the form API Management and its neighbours use."""
    return ArmError(404, "ResourceNotFound", f"{path.types[-1]} '{path.name}' not found.")


def location_status_path(resource: Resource) -> str:
    """The status path of most providers: `/subscriptions/{s}/providers/{ns}/locations/{loc}/operationStatuses/{id}`."""
    parts = resource.id.split("/")
    namespace = resource.type.split("/", 1)[0]
    location = str(resource.body.get("location") or "global").replace(" ", "").lower()
    return f"/subscriptions/{parts[2]}/providers/{namespace}/locations/{location}/operationStatuses/{{id}}"


def merge_patch(target: Any, patch: Any) -> Any:
    """`patch` merged into a copy of `target`: objects merge, null removes, everything else replaces (RFC 7396).

    Assumed: a PATCH on a pool replaces its `services` list, as any array.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
