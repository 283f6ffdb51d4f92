"""What of a policy document this gateway would not execute, before it is deployed: for a linter and for people."""

from __future__ import annotations

from collections.abc import Iterator

from apimpolicy.document import Element, inner_markup, parse
from simulator.gateway.compiler import REGISTRY, SECTIONS
from simulator.gateway.liquid import LiquidError, parse_template

_STRUCTURE = frozenset({"policies", "fragment", "base", "include-fragment", "when", "otherwise", *SECTIONS})
_CONTAINERS = frozenset({"choose", "when", "otherwise", "retry", "wait", "limit-concurrency", "policies", "fragment"})


def unmodelled(text: str) -> list[tuple[str, int]]:
    """(element, line) of every statement that would be skipped, in order.

    Raises:
        PolicySyntaxError: the text is no policy document.
    """
    root = parse(text).root
    return [(statement.name, statement.position.line) for statement in _statements(root) if _unknown(statement)]


def _unknown(statement: Element) -> bool:
    if statement.name == "set-body" and (statement.get("template") or "").strip().lower() == "liquid":
        return not _is_known_template(inner_markup(statement))
    return statement.name not in REGISTRY and statement.name not in _STRUCTURE


def _is_known_template(text: str) -> bool:
    try:
        parse_template(text)
    except LiquidError:
        return False
    return True


def _statements(element: Element) -> Iterator[Element]:
    for child in element.elements:
        yield child
        if child.name in _CONTAINERS or child.name in SECTIONS:
            yield from _statements(child)
