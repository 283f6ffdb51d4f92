"""Named values: checked on writing, and never a secret on reading.

Source: NamedValue contract, API Management REST 2024-05-01 (displayName 1-256 of `[A-Za-z0-9-._]`, value up to 4096,
secret values returned by `listValue` only, Key Vault references).
Assumed: a display name taken by another named value is refused with ValidationError.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from simulator.apim.references import referring_to_named_value, refuse_if_referenced
from simulator.resources.store import Resource
from simulator.resources.wire_time import wire_time
from simulator.resources.writing import ReadContext, WriteContext

if TYPE_CHECKING:
    from simulator.world import World

_DISPLAY_NAME = re.compile(r"^[A-Za-z0-9\-._]{1,256}$")
MOST_CHARACTERS = 4096
MOST_TAGS = 32


def prepare_named_value(context: WriteContext) -> None:
    """Check a named value; a secret goes where no read finds it."""
    properties, problems = context.properties, context.problems
    display_name = properties.get("displayName")
    if not isinstance(display_name, str) or not _DISPLAY_NAME.match(display_name):
        problems.add(
            "displayName", "Display name may hold only letters, digits, periods, dashes and underscores (1-256)."
        )
    else:
        for other in context.world.store.children(context.service_id, "namedValues"):
            if other.id.lower() != context.path.path.lower() and (
                str(other.properties.get("displayName", "")).lower() == display_name.lower()
            ):
                problems.add("displayName", f"A named value with display name '{display_name}' already exists.")
    if len(properties.get("tags") or ()) > MOST_TAGS:
        problems.add("tags", f"At most {MOST_TAGS} tags can be given.")
    secret = properties.setdefault("secret", False)
    if not isinstance(secret, bool):
        problems.add("secret", "secret must be true or false.")
    if properties.get("keyVault"):
        _prepare_key_vault(context)
        return
    value = properties.get("value")
    if value is None and context.method == "PATCH":
        value = context.hidden.get("value")
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_CHARACTERS:
        problems.add("value", f"Value must be text of 1 to {MOST_CHARACTERS} characters.")
        return
    if secret:
        context.hidden["value"] = value
        properties.pop("value", None)
    else:
        context.hidden.pop("value", None)
        properties["value"] = value


def _prepare_key_vault(context: WriteContext) -> None:
    reference = context.properties["keyVault"]
    if not isinstance(reference, dict) or not str(reference.get("secretIdentifier", "")).startswith("https://"):
        context.problems.add("keyVault.secretIdentifier", "The secret identifier must be an https URL of a secret.")
        return
    context.properties["secret"] = True
    context.properties.pop("value", None)
    # The value a vault would give: stable per secret, and of course not the name itself.
    name = reference["secretIdentifier"].rstrip("/").rsplit("/", 1)[-1]
    context.hidden.setdefault("value", f"{name}-{context.world.random('key-vault').getrandbits(64):016x}")
    reference["lastStatus"] = {"code": "Success", "timeStampUtc": wire_time(context.world.now)}


def named_value_text(resource: Resource) -> str | None:
    """The value policies see, secrets included; None when it has none. Never for an answer, `listValue` apart."""
    value = resource.hidden.get("value", resource.properties.get("value"))
    return value if isinstance(value, str) else None


def render_named_value(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """A named value without its secret."""
    properties = dict(resource.properties)
    if properties.get("secret"):
        properties.pop("value", None)
    properties["provisioningState"] = "Succeeded"
    return {**resource.body, "properties": properties}


def before_named_value_delete(world: World, resource: Resource, query: dict[str, str]) -> None:
    """Refuse while a policy, backend or logger uses it."""
    refuse_if_referenced(resource, referring_to_named_value(world, resource))
