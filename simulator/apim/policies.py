"""Policy documents and fragments: checked as API Management checks them, kept as raw text, shown re-serialised.

What is stored in `properties.value` is always the `rawxml` form; reads turn it into the format asked for.
Source: policy and policy fragment contracts, API Management REST 2024-05-01 (formats `xml`, `rawxml`, `xml-link`,
`rawxml-link`; errors framed "Error in element 'x' on line L, column C: ..."); 256 KiB a document, 32 KB a fragment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from simulator.apim.policy_check import document_problems
from simulator.apim.policy_text import from_escaped, serialise
from simulator.apim.references import referring_to_fragment, refuse_if_referenced
from simulator.resources.errors import ArmError
from simulator.resources.store import Resource
from simulator.resources.writing import ReadContext, WriteContext

if TYPE_CHECKING:
    from simulator.world import World

FORMATS = ("xml", "rawxml", "xml-link", "rawxml-link")
MOST_DOCUMENT_BYTES = 256 * 1024
MOST_FRAGMENT_BYTES = 32 * 1024
MOST_CONSUMPTION_BYTES = 16 * 1024


def prepare_policy(context: WriteContext) -> None:
    """Check a policy document and keep its text."""
    service = context.world.store.get(context.service_id)
    sku = (service.body.get("sku") or {}).get("name") if service is not None else None
    _prepare(context, "policy", MOST_CONSUMPTION_BYTES if sku == "Consumption" else MOST_DOCUMENT_BYTES)


def prepare_fragment(context: WriteContext) -> None:
    """Check a fragment and keep its text."""
    if len(str(context.properties.get("description") or "")) > 1000:
        context.problems.add("description", "The description has at most 1000 characters.")
    _prepare(context, "fragment", MOST_FRAGMENT_BYTES)


def _prepare(context: WriteContext, kind: Literal["policy", "fragment"], most_bytes: int) -> None:
    properties, problems = context.properties, context.problems
    value, given_format = properties.get("value"), properties.get("format") or "xml"
    if given_format not in FORMATS[: 2 if kind == "fragment" else 4]:
        problems.add("format", f"'{given_format}' is not a policy format.")
        return
    if not isinstance(value, str) or not value.strip():
        problems.add("value", "The policy text is required.")
        return
    if given_format.endswith("-link"):
        raise ArmError(400, "ValidationError", "The embedded Azure fetches no links: send the text itself.", "format")
    if len(value.encode()) > most_bytes:
        problems.add("value", f"The policy document exceeds the maximum length of {most_bytes} bytes.")
        return
    found = document_problems(context.world, context.service_id, context.path, value, kind)
    for target, message in found:
        problems.add(target, message)
    if not found:
        properties["format"] = "rawxml"
        properties["value"] = from_escaped(value) if given_format == "xml" else value


def render_policy(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """A document in the format asked for (`xml` unless `format=rawxml`), re-serialised."""
    return _render(resource, read, always_format=False)


def render_fragment(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """A fragment in the format asked for, re-serialised."""
    body = _render(resource, read, always_format=True)
    body["properties"]["provisioningState"] = "Succeeded"
    return body


def _render(resource: Resource, read: ReadContext, *, always_format: bool) -> dict[str, Any]:
    wanted = str(read.query.get("format") or "xml").lower()
    if wanted not in ("xml", "rawxml"):
        raise ArmError(400, "ValidationError", f"'{wanted}' is not a format one can read.", "format")
    properties = dict(resource.properties)
    properties["value"] = serialise(str(properties.get("value") or ""), wanted)
    properties.pop("format", None)
    if always_format or read.query.get("format"):
        properties["format"] = wanted
    return {**resource.body, "properties": properties}


def before_fragment_delete(world: World, resource: Resource, query: dict[str, str]) -> None:
    """Refuse while a document includes the fragment."""
    refuse_if_referenced(resource, referring_to_fragment(world, resource))
