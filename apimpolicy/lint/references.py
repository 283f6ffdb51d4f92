"""Names a document uses: fragments, backends, named values. Silent about what it was not told of.

Source: "Policy fragments", "Backends" and "Use named values" (Microsoft Learn); names compare without
case, as ARM's do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from apimpolicy.document import Document, is_expression, named_values_in
from apimpolicy.lint.findings import BackendFacts, Report, Surroundings
from apimpolicy.lint.walk import visits
from apimpolicy.tree import Attribute

_BACKEND_ATTRIBUTES: Final = {
    "set-backend-service": "backend-id",
    "llm-content-safety": "backend-id",
    "llm-semantic-cache-lookup": "embeddings-backend-id",
    "azure-openai-semantic-cache-lookup": "embeddings-backend-id",
}
_DAPR: Final = "dapr"


def check_references(document: Document, around: Surroundings, report: Report) -> None:
    """Unknown fragments, backends and named values; pools that cannot fail over; backends named past their pool."""
    if around.named_values is not None:
        known = {name.lower() for name in around.named_values}
        for name, position in named_values_in(document.text):
            if name.lower() not in known:
                report.add(
                    "APIM020",
                    f"there is no named value '{name}'{_near(name, around.named_values)}: create it first",
                    position,
                )
    for visit in visits(document):
        element = visit.element
        if element.name == "include-fragment" and around.fragments is not None:
            fragment = element.attribute("fragment-id")
            known_fragments = {name.lower() for name in around.fragments}
            if fragment is not None and _literal(fragment) and fragment.value.lower() not in known_fragments:
                report.add(
                    "APIM018",
                    f"there is no fragment '{fragment.value}'"
                    f"{_near(fragment.value, around.fragments)}: deploy it first",
                    fragment.value_position,
                )
        if element.name in _BACKEND_ATTRIBUTES and around.backends is not None:
            backend = element.attribute(_BACKEND_ATTRIBUTES[element.name])
            if backend is not None and _literal(backend) and backend.value != _DAPR:
                _backend(backend, element.name, around.backends, report)


def _literal(attribute: Attribute) -> bool:
    return not is_expression(attribute.value) and "{{" not in attribute.value


def _near(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f" (there is '{close[0]}')" if close else ""


def _backend(attribute: Attribute, element: str, backends: Mapping[str, BackendFacts], report: Report) -> None:
    facts = {name.lower(): (name, fact) for name, fact in backends.items()}
    name = attribute.value
    found = facts.get(name.lower())
    if found is None:
        report.add(
            "APIM019",
            f"there is no backend '{name}'{_near(name, [known for known, _ in facts.values()])}: create it first",
            attribute.value_position,
        )
        return
    _, fact = found
    if fact.type == "Pool":
        bare = [
            member for member in fact.members if member.lower() in facts and not facts[member.lower()][1].has_breaker
        ]
        if bare:
            report.add(
                "APIM203",
                f"the pool '{name}' never leaves {', '.join(bare)}, which has no circuit breaker: give each member one",
                attribute.value_position,
            )
        return
    pools = [
        pool
        for pool, other in facts.values()
        if other.type == "Pool" and name.lower() in {m.lower() for m in other.members}
    ]
    if pools and element == "set-backend-service":
        report.add(
            "APIM204",
            f"'{name}' is named past its pool {', '.join(pools)}: "
            "draining it from the pool does not stop this; name the pool",
            attribute.value_position,
        )
