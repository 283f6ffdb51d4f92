"""Ways through a document that several rules share: policies with their section, and every expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from apimpolicy.catalog import SECTIONS, find_element
from apimpolicy.document import CData, Document, Element, ExpressionSource, Text, expression_of
from apimpolicy.position import Position


@dataclass(frozen=True, slots=True)
class Visit:
    """An element on the way: its ancestors from the root down, and its section, None in a fragment."""

    element: Element
    ancestors: tuple[Element, ...]
    section: str | None

    @property
    def parent(self) -> Element | None:
        return self.ancestors[-1] if self.ancestors else None

    def inside(self, name: str) -> bool:
        return any(ancestor.name == name for ancestor in self.ancestors)


def visits(document: Document) -> Iterator[Visit]:
    """Every element in order, except what is a literal's own markup (a body, a stylesheet)."""
    stack = [Visit(document.root, (), None)]
    while stack:
        visit = stack.pop()
        yield visit
        parent = visit.parent.name if visit.parent is not None else None
        spec = find_element(visit.element.name, parent)
        if spec is not None and spec.children == "literal":
            continue
        inner = (*visit.ancestors, visit.element)
        for child in reversed(visit.element.elements):
            section = visit.section
            if len(inner) == 1 and inner[0].name == "policies" and child.name in SECTIONS:
                section = child.name
            stack.append(Visit(child, inner, section))


@dataclass(frozen=True, slots=True)
class Value:
    """One attribute value or one element's text, decoded. `attribute` is None for text."""

    visit: Visit
    attribute: str | None
    text: str
    position: Position

    @property
    def expression(self) -> ExpressionSource | None:
        return expression_of(self.text, self.position)


def values(document: Document) -> Iterator[Value]:
    """Every attribute value and every piece of text that is not blank; liquid templates are not ours to read."""
    for visit in visits(document):
        element = visit.element
        for attribute in element.attributes:
            yield Value(visit, attribute.name, attribute.value, attribute.value_position)
        for child in element.children:
            if isinstance(child, Text) and child.verbatim:
                continue
            if isinstance(child, Text | CData) and child.value.strip():
                yield Value(visit, None, child.value, child.position)
