"""Who uses what: which documents include a fragment, which backends and named values a text names. Pure.

Names compare without case. A backend named inside an expression counts when its name stands there as a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from apimpolicy.document import Element, PolicySyntaxError, is_expression, named_values_in, parse
from console.operations.fragments.documents import Kind, Place

_STRING = re.compile(r'"([^"\\]+)"')
_BACKEND_ATTRIBUTES = ("backend-id", "embeddings-backend-id")


@dataclass(frozen=True, slots=True)
class Names:
    """What one text names. `is_readable` False: it does not parse, and only named values are known."""

    fragments: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    named_values: tuple[str, ...] = ()
    is_readable: bool = True


def names_in(text: str, known_backends: Iterable[str] = ()) -> Names:
    """What a text names, each once, in order; `known_backends` are looked for inside expressions."""
    named = tuple(dict.fromkeys(name for name, _ in named_values_in(text)))
    try:
        root = parse(text).root
    except PolicySyntaxError:
        return Names(named_values=named, is_readable=False)
    known = {name.lower(): name for name in known_backends}
    fragments: dict[str, None] = {}
    backends: dict[str, None] = {}
    for element in walk(root):
        if element.name == "include-fragment" and element.get("fragment-id"):
            fragments[str(element.get("fragment-id"))] = None
        for attribute in _BACKEND_ATTRIBUTES:
            value = element.get(attribute)
            if value and not is_expression(value) and "{{" not in value:
                backends[value] = None
        for value in _expressions(element):
            backends.update({known[s.lower()]: None for s in _STRING.findall(value) if s.lower() in known})
    return Names(tuple(fragments), tuple(backends), named)


def walk(element: Element) -> Iterator[Element]:
    """The element and everything below it."""
    yield element
    for child in element.elements:
        yield from walk(child)


def _expressions(element: Element) -> Iterator[str]:
    values = [attribute.value for attribute in element.attributes] + [element.text_content]
    yield from (value for value in values if is_expression(value))


def includers(texts: Mapping[Place, str], fragment: str) -> list[Place]:
    """The places whose text includes a fragment, wide scopes first."""
    wanted = fragment.lower()
    found = [p for p, text in texts.items() if any(f.lower() == wanted for f in names_in(text).fragments)]
    return sorted(found, key=lambda p: p.order)


def users_of_named_value(texts: Mapping[Place, str], name: str) -> list[Place]:
    """The places whose text uses a named value."""
    wanted = name.lower()
    found = [p for p, t in texts.items() if any(n.lower() == wanted for n, _ in named_values_in(t))]
    return sorted(found, key=lambda p: p.order)


def affected(place: Place, texts: Mapping[Place, str]) -> tuple[str, ...]:
    """Whom a change at a place concerns, in words: "api NAME", "operation API/NAME", "product NAME", "every API"."""
    if place.kind is Kind.POLICY:
        return ("every API",) if place.name == "global" else (place.name,)
    users = includers(texts, place.name) if place.kind is Kind.FRAGMENT else users_of_named_value(texts, place.name)
    found: dict[str, None] = {}
    for user in users:
        found.update(dict.fromkeys(affected(user, texts)))
    return tuple(found)


def apis_of(scopes: Iterable[str]) -> tuple[str, ...] | None:
    """The names of the APIs that scopes in words stand for; None when that cannot be told (a product, every API)."""
    names: dict[str, None] = {}
    for scope in scopes:
        level, _, name = scope.partition(" ")
        if level not in ("api", "operation"):
            return None
        names[name.partition("/")[0]] = None
    return tuple(names)
