"""Kinds of entities that are kept as they come: the little that the service adds, hides or answers differently.

Source: API Management REST 2024-05-01, the answers of each operation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from simulator.resources.wire_time import wire_time
from simulator.resources.writing import WriteContext

CERTIFICATE_SECONDS = 365 * 86400.0
NOTIFICATION_TITLE = "Notification"
_NEVER_SHOWN = {"certificates": ("data", "password"), "users": ("password", "confirmation", "appType")}


def _hide(collection: str) -> Callable[[WriteContext], None]:
    def prepare(context: WriteContext) -> None:
        for name in _NEVER_SHOWN[collection]:
            if name in context.properties:
                context.hidden[name] = context.properties.pop(name)

    return prepare


def prepare_certificate(context: WriteContext) -> None:
    """Keep key and password from sight, tell what a certificate tells.

    Assumed: subject (the entity's name), thumbprint (a digest of what was uploaded) and end (a year on); the embedded
    Azure does not open PFX files.
    """
    _hide("certificates")(context)
    given = str(context.hidden.get("data") or context.properties.get("keyVault") or context.path.name)
    defaults = {
        "subject": f"CN={context.path.name}",
        "thumbprint": hashlib.sha1(given.encode(), usedforsecurity=False).hexdigest().upper(),
        "expirationDate": wire_time(context.world.now + CERTIFICATE_SECONDS),
    }
    for name, value in defaults.items():
        context.properties.setdefault(name, value)


def prepare_user(context: WriteContext) -> None:
    """Keep the password from sight; a user begins active and registered now.

    Source: User - Create Or Update: "Default state is Active".
    """
    _hide("users")(context)
    context.properties.setdefault("state", "active")
    context.properties.setdefault("registrationDate", wire_time(context.world.now))


def prepare_template(context: WriteContext) -> None:
    """A template always has a subject and a body.

    Assumed: the texts of a template that was changed in one part only; the service's own texts are not kept here.
    """
    context.properties.setdefault("subject", context.path.name)
    context.properties.setdefault("body", f"<p>{context.path.name}</p>")
    context.properties.setdefault("isDefault", False)


def prepare_notification(context: WriteContext) -> None:
    """A notification has a title and recipients.

    Assumed: the title; the service's own texts are not kept here.
    """
    context.properties.setdefault("title", NOTIFICATION_TITLE)
    context.properties.setdefault("recipients", {"emails": [], "users": []})


PREPARE: dict[str, Callable[[WriteContext], None]] = {
    "certificates": prepare_certificate,
    "notifications": prepare_notification,
    "templates": prepare_template,
    "users": prepare_user,
}
RULES: dict[str, dict[str, Any]] = {
    "contentTypes": {"list_extras": ("nextLink",)},
    "groups/users": {"body_optional": True, "statuses": {"HEAD": 204}},
    "notifications": {"body_optional": True, "statuses": {"PUT": 200}},
    "policyRestrictions": {"list_extras": ("nextLink",)},
    "portalconfigs": {"list_extras": ("nextLink",), "statuses": {"PUT": 200}},
    "portalsettings": {"list_extras": ("count",), "statuses": {"PUT": 200, "PATCH": 204}},
    "products/groups": {"body_optional": True, "statuses": {"HEAD": 204}},
    "users": {"statuses": {"DELETE": 204}},
}
"""What `TypeRules` of a kind say besides the usual."""
