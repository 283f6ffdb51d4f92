"""What an entity may be called.

Source: path parameters of API Management REST 2024-05-01 (lengths and patterns of backendId, namedValueId, fragment
id, apiId, productId, sid, loggerId).
"""

from __future__ import annotations

import re

from simulator.resources.errors import ArmError, ErrorDetail
from simulator.resources.writing import WriteContext

_FRAGMENT = re.compile(r"(^[\w]+$)|(^[\w][\w\-]+[\w]$)")
_PLAIN = re.compile(r"^[^*#&+:<>?]+$")
LONGEST: dict[str, int] = {
    "backends": 80,
    "namedValues": 256,
    "policyFragments": 80,
    "apis": 256,
    "apis/operations": 80,
    "products": 256,
    "subscriptions": 256,
    "loggers": 256,
    "diagnostics": 80,
}


def check_identifier(context: WriteContext, collection: str) -> None:
    """Refuse a name the service does not accept.

    Raises:
        ArmError: 400 ValidationError.
    """
    name = context.path.name
    pattern = _FRAGMENT if collection == "policyFragments" else _PLAIN
    longest = LONGEST.get(collection, 256)
    if pattern.match(name) and len(name) <= longest:
        return
    message = f"'{name}' is not a valid identifier: at most {longest} characters, and none of * # & + : < > ?"
    if collection == "policyFragments":
        message = (
            f"'{name}' is not a valid identifier: letters, digits, underscores and inner dashes, at most {longest}."
        )
    raise ArmError(
        400,
        "ValidationError",
        "One or more fields contain incorrect values:",
        details=[ErrorDetail("ValidationError", message, "id")],
    )
