"""What is wrong with a policy document, in API Management's words: its syntax, its language, and whom it names.

The language is the linter's: what it calls an error is refused. Whom a document names is looked up here.

Source: error frame "Error in element 'x' on line L, column C: ..." (API Management `ValidationError` details).
Assumed: the words after the frame, and that a fragment, backend, logger or named value that does not exist is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from apimpolicy.document import Document, Element, PolicySyntaxError, named_values_in, parse
from apimpolicy.lint import lint
from apimpolicy.position import Position
from simulator.resources.ids import ResourcePath

if TYPE_CHECKING:
    from simulator.world import World

_SCOPES = {
    "policies": "global",
    "apis/policies": "api",
    "apis/operations/policies": "operation",
    "products/policies": "product",
}


def document_problems(
    world: World, service_id: str, path: ResourcePath, text: str, kind: Literal["policy", "fragment"]
) -> list[tuple[str, str]]:
    """(target, message) of everything API Management would refuse the document for.

    Args:
        kind: `policy` or `fragment`.
    """
    try:
        document = parse(text)
    except PolicySyntaxError as error:
        return [("representation", _at_line(error.message, error.position))]
    problems: list[tuple[str, str, Position | None]] = [
        (_element_at(document, finding.position), finding.message, finding.position)
        for finding in lint(document, kind=kind, scope=_SCOPES.get("/".join(path.types[1:])))
        if finding.severity == "error"
    ]
    problems.extend(_dangling(world, service_id, document))
    for name, position in named_values_in(text):
        if not _is_named_value(world, service_id, name):
            problems.append((_element_at(document, position), f"Cannot find a property '{name}'.", position))
    return [(element, _framed(element, message, position)) for element, message, position in problems]


def _framed(element: str, message: str, position: Position | None) -> str:
    if position is None:
        return message
    return f"Error in element '{element}' on line {position.line}, column {position.column}: {message}"


def _at_line(message: str, position: Position | None) -> str:
    return message if position is None else f"{message} Line {position.line}, position {position.column}."


def _walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.elements:
        yield from _walk(child)


def _element_at(document: Document, position: Position | None) -> str:
    """The name of the innermost element that a position stands in."""
    found = document.root.name
    if position is None:
        return found
    here = (position.line, position.column)
    for element in _walk(document.root):
        start, end = element.position, element.end_position
        if (start.line, start.column) <= here <= (end.line, end.column):
            found = element.name
    return found


def _dangling(world: World, service_id: str, document: Document) -> Iterator[tuple[str, str, Position]]:
    """Elements that name something the service does not have. Expressions are not followed."""
    named = {
        "include-fragment": ("fragment-id", "policyFragments", "Policy fragment"),
        "set-backend-service": ("backend-id", "backends", "Backend"),
        "log-to-eventhub": ("logger-id", "loggers", "Logger"),
    }
    for element in _walk(document.root):
        attribute, collection, noun = named.get(element.name, ("", "", ""))
        wanted = (element.get(attribute) or "").strip() if attribute else ""
        if not wanted or wanted.startswith("@") or "{{" in wanted:
            continue
        if world.store.get(f"{service_id}/{collection}/{wanted}") is None:
            message = f"{noun} with id '{wanted}' could not be found."
            yield element.name, "Logger not found" if noun == "Logger" else message, element.position


def _is_named_value(world: World, service_id: str, name: str) -> bool:
    return any(
        str(known.properties.get("displayName", known.name)).lower() == name.lower()
        for known in world.store.children(service_id, "namedValues")
    )
