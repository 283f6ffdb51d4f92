"""Products and subscriptions: who may call, and the keys, which only `listSecrets` tells.

Source: Product and Subscription contracts, API Management REST 2024-05-01 (a subscription created without a state is
`submitted`; keys are returned by `listSecrets` only).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.resources.errors import ArmError, ErrorDetail
from simulator.resources.store import Resource
from simulator.resources.wire_time import wire_time
from simulator.resources.writing import ReadContext, WriteContext

if TYPE_CHECKING:
    from simulator.world import World

STATES = ("suspended", "active", "expired", "submitted", "rejected", "cancelled")
KEYS = ("primaryKey", "secondaryKey")


def prepare_product(context: WriteContext) -> None:
    """Check a product."""
    properties, problems = context.properties, context.problems
    title = properties.get("displayName")
    if not isinstance(title, str) or not 1 <= len(title) <= 300:
        problems.add("displayName", "Display name is required and has 1 to 300 characters.")
    properties.setdefault("state", "notPublished")
    if properties["state"] not in ("notPublished", "published"):
        problems.add("state", "state must be notPublished or published.")
    required = properties.setdefault("subscriptionRequired", True)
    if properties.get("approvalRequired") and not required:
        problems.add("approvalRequired", "Approval can only be required where a subscription is.")


def before_product_delete(world: World, resource: Resource, query: dict[str, str]) -> None:
    """A product with subscriptions goes only with `deleteSubscriptions=true`, and takes them along.

    Raises:
        ArmError: 400 while subscriptions exist.
    """
    service_id = resource.id.rsplit("/products/", 1)[0]
    mine = [
        subscription
        for subscription in world.store.children(service_id, "subscriptions")
        if str(subscription.properties.get("scope", "")).lower() == resource.id.lower()
    ]
    if not mine:
        return
    if str(query.get("deleteSubscriptions", query.get("deletesubscriptions", ""))).lower() != "true":
        message = "Product has subscriptions and cannot be deleted unless deleteSubscriptions is true."
        raise ArmError(
            400, "ValidationError", message, details=[ErrorDetail("ValidationError", message, "deleteSubscriptions")]
        )
    for subscription in mine:
        world.store.delete(subscription.id)


def prepare_subscription(context: WriteContext) -> None:
    """Check a subscription, put its scope into the full form, and hide its keys."""
    properties, problems = context.properties, context.problems
    title = properties.get("displayName")
    if not isinstance(title, str) or not 1 <= len(title) <= 100:
        problems.add("displayName", "Display name is required and has 1 to 100 characters.")
    _check_scope(context)
    properties.setdefault("state", "submitted")
    if properties["state"] not in STATES:
        problems.add("state", f"state must be one of {', '.join(STATES)}.")
    properties.setdefault("allowTracing", False)
    created = context.existing.properties.get("createdDate") if context.existing is not None else None
    properties["createdDate"] = created or wire_time(context.world.now)
    keys = context.world.random("subscription-keys")
    for name in KEYS:
        given = properties.pop(name, None)
        if given is not None and (not isinstance(given, str) or not 1 <= len(given) <= 256):
            problems.add(name, "A key has 1 to 256 characters.")
        elif given is not None:
            context.hidden[name] = given
        context.hidden.setdefault(name, f"{keys.getrandbits(128):032x}")


def _check_scope(context: WriteContext) -> None:
    scope = context.properties.get("scope")
    service_id = context.service_id
    if not isinstance(scope, str) or not scope:
        context.problems.add("scope", "Scope is required: /products/{productId}, /apis or /apis/{apiId}.")
        return
    if scope.lower().startswith(service_id.lower()):
        rest = scope[len(service_id) :].rstrip("/")
    else:
        rest = scope.rstrip("/")
        if rest and not rest.startswith(("/products/", "/apis")):
            context.problems.add("scope", f"'{scope}' is not a scope of this service.")
            return
    if rest not in ("", "/apis") and context.world.store.get(service_id + rest) is None:
        context.problems.add("scope", f"Scope '{rest}' could not be found.")
    context.properties["scope"] = service_id + (rest or "/")


def render_subscription(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """A subscription without its keys."""
    properties = {name: value for name, value in resource.properties.items() if name not in KEYS}
    return {**resource.body, "properties": properties}


def subscription_keys(resource: Resource) -> dict[str, str | None]:
    """Both keys, for `listSecrets` alone."""
    return {name: resource.hidden.get(name, resource.properties.get(name)) for name in KEYS}
