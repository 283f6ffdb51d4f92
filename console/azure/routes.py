"""Which policies and fragments lead requests to which backend or pool, read from their text. No I/O.

`set-backend-service` names a backend by id or by URL; an expression is shown with the backend names written in it.
What cannot be parsed is reported, and the rest is still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from apimpolicy.document import Element, is_expression, parse
from apimpolicy.position import PolicyError
from console.azure.apim import PolicyText
from console.domain.gateway import Backend, Pool, Route, RouteKind

_DRAIN_AWARE = "{{drained-backends}}"
_STRING = re.compile(r'"([^"\\]+)"')


@dataclass(frozen=True, slots=True)
class RouteReading:
    """The routes found, and the documents that could not be read as (scope, reason)."""

    routes: tuple[Route, ...]
    unreadable: tuple[tuple[str, str], ...] = ()


def find_routes(texts: Iterable[PolicyText], backends: Sequence[Backend], pools: Sequence[Pool]) -> RouteReading:
    """All routes of policies, fragments and pools, in a stable order.

    A fragment's `used_by` names the scopes that include it; one that nobody includes is listed with none.
    """
    names = {b.name for b in backends} | {p.name for p in pools}
    by_host = {b.host: b.name for b in backends if b.host}
    included: dict[str, set[str]] = {}
    routes: list[Route] = []
    unreadable: list[tuple[str, str]] = []
    for text in sorted(texts, key=lambda t: t.scope):
        try:
            root = parse(text.text).root
        except PolicyError as error:
            unreadable.append((text.scope, str(error)))
            continue
        user = text.api or text.scope
        for element in _walk(root):
            if element.name == "include-fragment":
                included.setdefault(element.get("fragment-id") or "", set()).add(user)
            elif element.name == "set-backend-service":
                routes += _routes_of(element, text, names, by_host)
    for index, route in enumerate(routes):
        if route.kind is RouteKind.FRAGMENT:
            users = included.get(route.document.removeprefix("fragment "), set())
            routes[index] = replace(route, used_by=tuple(sorted(users)))
    routes += pool_routes(pools)
    return RouteReading(
        tuple(sorted(routes, key=lambda r: (r.kind.value, r.document, r.line or 0, r.target))), tuple(unreadable)
    )


def pool_routes(pools: Sequence[Pool]) -> list[Route]:
    """One route per membership."""
    return [Route(RouteKind.POOL, pool.name, member.backend_name) for pool in pools for member in pool.members]


def _walk(element: Element) -> Iterable[Element]:
    yield element
    for child in element.elements:
        yield from _walk(child)


def _routes_of(element: Element, text: PolicyText, names: set[str], by_host: Mapping[str, str]) -> list[Route]:
    is_fragment = text.scope.startswith("fragment ")
    backend_id, base_url = element.get("backend-id"), element.get("base-url")
    value = backend_id if backend_id is not None else base_url
    if value is None:
        return []
    computed = is_expression(value)
    if computed:
        targets = sorted({literal for literal in _STRING.findall(value) if literal in names}) or [value.strip()]
    elif backend_id is not None:
        targets = [backend_id]
    else:
        targets = [by_host.get((urlsplit(value).hostname or "").lower(), value)]
    return [
        Route(
            kind=RouteKind.FRAGMENT if is_fragment else RouteKind.POLICY,
            document=text.scope,
            target=target,
            line=element.position.line,
            used_by=() if is_fragment else (text.api or text.scope,),
            is_expression=computed,
            is_drain_aware=_DRAIN_AWARE in text.text,
        )
        for target in targets
    ]
