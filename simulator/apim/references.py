"""Who names whom in a service: fragments, backends, named values and loggers, found in documents and bodies.

Source: "Reuse policy configurations" (a fragment in use cannot be deleted), REST `policyFragments/{id}/listReferences`.
Assumed: the refusal's code and wording, and that backends, loggers and named values in use are refused as fragments
are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.resources.errors import ArmError, ErrorDetail
from simulator.resources.store import Resource

if TYPE_CHECKING:
    from simulator.world import World

SERVICE = "Microsoft.ApiManagement/service"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NAMED_VALUE = re.compile(r"\{\{\s*([A-Za-z0-9\-._]+)\s*\}\}")


def service_of(resource_id: str) -> str:
    """The id of the service an entity belongs to."""
    return "/".join(resource_id.split("/")[:9])


def documents(world: World, service_id: str) -> Iterator[Resource]:
    """Every policy document and fragment of a service."""
    for resource in world.store.below(service_id):
        if resource.type.endswith("/policies") or resource.type == f"{SERVICE}/policyFragments":
            yield resource


def _text(resource: Resource) -> str:
    return _COMMENT.sub("", str(resource.properties.get("value") or ""))


def _names(resource: Resource, element: str, attribute: str, wanted: str) -> bool:
    pattern = rf"<{element}\b[^>]*?\b{attribute}\s*=\s*[\"']\s*{re.escape(wanted)}\s*[\"']"
    return re.search(pattern, _text(resource), re.IGNORECASE) is not None


def referring_to_fragment(world: World, fragment: Resource) -> list[Resource]:
    """The documents that include a fragment."""
    return [
        document
        for document in documents(world, service_of(fragment.id))
        if _names(document, "include-fragment", "fragment-id", fragment.name)
    ]


def referring_to_backend(world: World, backend: Resource) -> list[Resource]:
    """The pools a backend is in and the documents that name it."""
    service_id = service_of(backend.id)
    found = [
        pool
        for pool in world.store.children(service_id, "backends")
        if any(
            str(member.get("id", "")).lower().endswith(f"/backends/{backend.name}".lower())
            for member in (pool.properties.get("pool") or {}).get("services", ())
        )
    ]
    found.extend(
        document
        for document in documents(world, service_id)
        if _names(document, "(?:set-backend-service|backend)", "(?:backend-id|id)", backend.name)
    )
    return found


def referring_to_named_value(world: World, named_value: Resource) -> list[Resource]:
    """Everything in whose text `{{displayName}}` stands."""
    wanted = str(named_value.properties.get("displayName") or named_value.name).lower()
    found = []
    for resource in world.store.below(service_of(named_value.id)):
        if resource.id == named_value.id or resource.type == f"{SERVICE}/namedValues":
            continue
        text = _text(resource) if "value" in resource.properties else json.dumps(resource.properties)
        if any(name.lower() == wanted for name in _NAMED_VALUE.findall(text)):
            found.append(resource)
    return found


def referring_to_logger(world: World, logger: Resource) -> list[Resource]:
    """The diagnostics and documents that use a logger."""
    found = []
    for resource in world.store.below(service_of(logger.id)):
        if resource.type.endswith("/diagnostics"):
            if str(resource.properties.get("loggerId", "")).lower().endswith(f"/loggers/{logger.name}".lower()):
                found.append(resource)
        elif resource.type.endswith(("/policies", "/policyFragments")) and _names(
            resource, "log-to-eventhub", "logger-id", logger.name
        ):
            found.append(resource)
    return found


def refuse_if_referenced(resource: Resource, referrers: list[Resource]) -> None:
    """Raise when somebody names the resource.

    Raises:
        ArmError: 400 ValidationError naming the referrers.
    """
    if not referrers:
        return
    kind = resource.type.rsplit("/", 1)[1]
    listed = ", ".join(referrer.id.split("/", 9)[-1] for referrer in referrers[:5])
    message = f"{kind} '{resource.name}' is in use and cannot be deleted. It is referenced by: {listed}."
    raise ArmError(400, "ValidationError", message, details=[ErrorDetail("ValidationError", message, resource.name)])
