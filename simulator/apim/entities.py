"""Every kind of entity a service has: one table of rules, from which reads, lists, writes and deletes follow.

Source: API Management REST 2024-05-01, operations per entity (which writes are long-running, which fields lists
filter by, If-Match mandatory for PATCH and DELETE).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.apim.apis import (
    after_api_write,
    before_logger_delete,
    prepare_api,
    prepare_diagnostic,
    prepare_logger,
    prepare_operation,
    prepare_product_link,
    render_api,
)
from simulator.apim.backends import before_backend_delete, prepare_backend, render_backend
from simulator.apim.consumers import (
    before_product_delete,
    prepare_product,
    prepare_subscription,
    render_subscription,
)
from simulator.apim.identifiers import check_identifier
from simulator.apim.named_values import before_named_value_delete, prepare_named_value, render_named_value
from simulator.apim.plain_kinds import PREPARE, RULES
from simulator.apim.policies import (
    before_fragment_delete,
    prepare_fragment,
    prepare_policy,
    render_fragment,
    render_policy,
)
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.resources.writing import TypeRegistry, TypeRules, WriteContext

if TYPE_CHECKING:
    from simulator.world import World

SERVICE = "Microsoft.ApiManagement/service"
Prepare = Callable[[WriteContext], None]
PLAIN_KINDS: dict[str, tuple[str, ...]] = {
    "apiVersionSets": (),
    "apis/issues": ("name", "userId", "state"),
    "apis/operations/tags": ("name", "displayName"),
    "apis/releases": ("notes",),
    "apis/schemas": ("contentType",),
    "apis/tags": ("name", "displayName"),
    "authorizationServers": ("name", "displayName"),
    "caches": (),
    "certificates": ("name", "subject", "thumbprint", "expirationDate"),
    "contentTypes": (),
    "gateways": ("name", "region"),
    "groups": ("name", "displayName", "description", "externalId"),
    "groups/users": ("name", "firstName", "lastName", "email"),
    "identityProviders": (),
    "notifications": (),
    "openidConnectProviders": ("name", "displayName"),
    "policyRestrictions": (),
    "portalconfigs": (),
    "portalsettings": (),
    "products/groups": ("name", "displayName", "description"),
    "products/tags": ("name", "displayName"),
    "schemas": ("name", "schemaType"),
    "tags": ("name", "displayName"),
    "templates": ("name", "isDefault"),
    "users": ("name", "firstName", "lastName", "email", "state", "note"),
    "workspaces": ("name", "displayName", "description"),
}
"""Kinds that are stored as they come: collection -> fields lists filter by."""
LINK_KINDS = frozenset({"apis/operations/tags", "apis/tags", "groups/users", "products/groups", "products/tags"})
"""Kinds whose PUT comes without a body: the link is in the path."""


def register_entities(registry: TypeRegistry) -> None:
    """Register every entity kind, and declare that there are no others."""
    for rules in _special_rules():
        registry.register(rules)
    for collection, fields in PLAIN_KINDS.items():
        more = {"body_optional": collection in LINK_KINDS, **RULES.get(collection, {})}
        registry.register(_rules(collection, PREPARE.get(collection), fields, **more))
    registry.close(SERVICE)


def entity_status_path(resource: Resource) -> str:
    """Where the operation of an entity is polled: `{service}/tenant/operationResults/{id}`."""
    return "/".join(resource.id.split("/")[:9]) + "/tenant/operationResults/{id}"


def _entity_seconds(context: WriteContext) -> float:
    return arm_settings(context.world).entity_seconds


def _api_delete_seconds(world: World) -> float:
    return arm_settings(world).api_delete_seconds


def _rules(collection: str, prepare: Prepare | None, fields: tuple[str, ...], **more: Any) -> TypeRules:
    def checked(context: WriteContext) -> None:
        check_identifier(context, collection)
        if prepare is not None:
            prepare(context)

    return TypeRules(
        f"{SERVICE}/{collection}",
        prepare=checked,
        filter_fields=fields,
        counted_list=True,
        if_match_mandatory=True,
        entity_tag=True,
        status_path=entity_status_path,
        **more,
    )


def _special_rules() -> list[TypeRules]:
    policies = [
        _rules(
            collection,
            prepare_policy,
            (),
            render=render_policy,
            only_name="policy",
            methods=frozenset({"GET", "HEAD", "PUT", "DELETE"}),
        )
        for collection in ("policies", "apis/policies", "apis/operations/policies", "products/policies")
    ]
    return [
        *policies,
        _rules(
            "backends",
            prepare_backend,
            ("name", "title", "url"),
            render=render_backend,
            before_delete=before_backend_delete,
        ),
        _rules(
            "namedValues",
            prepare_named_value,
            ("tags", "displayName", "name"),
            render=render_named_value,
            seconds=_entity_seconds,
            before_delete=before_named_value_delete,
        ),
        _rules(
            "policyFragments",
            prepare_fragment,
            ("name", "description", "value"),
            render=render_fragment,
            seconds=_entity_seconds,
            before_delete=before_fragment_delete,
            methods=frozenset({"GET", "HEAD", "PUT", "DELETE"}),
        ),
        _rules(
            "apis",
            prepare_api,
            ("name", "displayName", "description", "serviceUrl", "path", "isCurrent"),
            render=render_api,
            after_write=after_api_write,
            seconds=_entity_seconds,
            delete_seconds=_api_delete_seconds,
            exclusive=True,
        ),
        _rules("apis/operations", prepare_operation, ("name", "displayName", "method", "description", "urlTemplate")),
        _rules(
            "products",
            prepare_product,
            ("name", "displayName", "description", "terms", "state"),
            before_delete=before_product_delete,
        ),
        TypeRules(
            f"{SERVICE}/products/apis",
            prepare=prepare_product_link,
            counted_list=True,
            body_optional=True,
            statuses={"HEAD": 204},
            filter_fields=("name", "displayName", "description", "serviceUrl", "path"),
        ),
        _rules(
            "subscriptions",
            prepare_subscription,
            ("name", "displayName", "stateComment", "ownerId", "scope", "userId", "productId", "state"),
            render=render_subscription,
        ),
        _rules(
            "loggers",
            prepare_logger,
            ("name", "description", "loggerType", "resourceId"),
            before_delete=before_logger_delete,
        ),
        _rules("diagnostics", prepare_diagnostic, ("name",)),
        _rules("apis/diagnostics", prepare_diagnostic, ("name",)),
    ]
