"""What works until the day it is needed: retries without a body, held streams, bypassed pools, unheeded waits.

Source: the pages of forward-request, retry, set-backend-service, llm-token-limit and emit-metric in the policy
reference (Microsoft Learn), and "Backends in API Management" for pools and breakers.
"""

from __future__ import annotations

import re
from typing import Final

from apimpolicy.document import Document, Element, is_expression, print_node
from apimpolicy.lint.findings import Report, Surroundings
from apimpolicy.lint.walk import visits

_STREAM: Final = re.compile(r"[\"']stream[\"']|event-stream|&quot;stream&quot;", re.IGNORECASE)
_MODEL_HOST: Final = re.compile(
    r"\.(?:openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)", re.I
)
_LONG_TIMEOUT_SECONDS: Final = 240
_RETRY_LIMIT: Final = 50
_TOKEN_DIMENSIONS: Final = 5
_METRIC_DIMENSIONS: Final = 10


def check_operations(document: Document, kind: str, scope: str | None, around: Surroundings, report: Report) -> None:
    """Rules on whole policies and on how they work together in one document."""
    streams = _STREAM.search(document.text) is not None
    names = {visit.element.name for visit in visits(document)}
    for visit in visits(document):
        element = visit.element
        if element.name == "retry":
            _retry(element, report)
        elif element.name == "forward-request":
            _forward(element, streams, report)
        elif element.name == "set-backend-service":
            _address(element, report)
        elif element.name.endswith("emit-token-metric"):
            _dimensions(element, _TOKEN_DIMENSIONS, report)
        elif element.name == "emit-metric":
            _dimensions(element, _METRIC_DIMENSIONS, report)
        elif element.name.endswith("semantic-cache-lookup") and kind == "policy":
            store = element.name.replace("lookup", "store")
            if store not in names and "include-fragment" not in names:
                report.add(
                    "APIM216",
                    f"<{element.name}> finds nothing unless <{store}> fills the cache: add it",
                    element.position,
                )
    if kind == "policy" and document.root.name == "policies":
        _sections(document.root, scope, report)


def _inside(element: Element) -> list[Element]:
    found: list[Element] = []
    stack = list(element.elements)
    while stack:
        child = stack.pop()
        found.append(child)
        stack.extend(child.elements)
    return found


def _retry(element: Element, report: Report) -> None:
    inner = _inside(element)
    forwards = [child for child in inner if child.name == "forward-request"]
    for forward in forwards:
        buffered = forward.get("buffer-request-body", "false") or ""
        if buffered.strip().lower() == "false":
            report.add(
                "APIM201",
                'the retried request goes out without its body: set buffer-request-body="true"',
                forward.position,
            )
    count = (element.get("count") or "").strip()
    if count.isdigit() and not 1 <= int(count) <= _RETRY_LIMIT:
        report.add("APIM111", f"a retry count is 1 to {_RETRY_LIMIT}, not {count}", element.position)
    condition = element.get("condition") or ""
    names = {child.name for child in inner}
    if not forwards or "429" not in condition or names & {"set-backend-service", "include-fragment"}:
        return
    if not is_expression(element.get("interval") or "") and "retry-after" not in print_node(element).lower():
        report.add(
            "APIM207",
            "the same backend is asked again after a fixed time although its 429 says when: use its Retry-After, "
            "or choose another backend",
            element.position,
        )


def _forward(element: Element, streams: bool, report: Report) -> None:
    buffering = (element.get("buffer-response") or "").strip().lower()
    if streams and buffering in ("", "true"):
        report.add(
            "APIM202",
            'streamed answers are held back until they are complete: set buffer-response="false"',
            element.position,
        )
    timeout = (element.get("timeout") or "").strip()
    if timeout.isdigit() and int(timeout) > _LONG_TIMEOUT_SECONDS:
        report.add(
            "APIM215",
            f"{timeout} seconds may not be honoured: idle connections are dropped after about {_LONG_TIMEOUT_SECONDS}",
            element.position,
        )


def _address(element: Element, report: Report) -> None:
    attribute = element.attribute("base-url")
    if attribute is not None and _MODEL_HOST.search(attribute.value) is not None:
        report.add(
            "APIM217",
            "this names a model endpoint by its address, which no pool, breaker or drain can see: use backend-id",
            attribute.value_position,
        )


def _dimensions(element: Element, limit: int, report: Report) -> None:
    custom = [child for child in element.elements if child.name == "dimension" and child.get("value") is not None]
    if len(custom) > limit:
        report.add(
            "APIM214",
            f"<{element.name}> has {len(custom)} dimensions of its own and at most {limit} are kept",
            element.position,
        )


def _sections(root: Element, scope: str | None, report: Report) -> None:
    answered = any(
        child.name in ("return-response", "mock-response")
        for section in root.elements
        if section.name == "inbound"
        for child in section.elements
    )
    for section in root.elements:
        if section.name not in ("inbound", "backend", "outbound", "on-error"):
            continue
        based = any(child.name == "base" for child in section.elements)
        names = {child.name for child in _inside(section)}
        if section.name == "backend" and not based and not answered:
            forwarding = {"forward-request", "include-fragment", "return-response", "mock-response", "base"}
            if not names & forwarding:
                report.add(
                    "APIM213",
                    "<backend> neither forwards the request nor runs <base />: callers get an answer no backend gave",
                    section.position,
                )
        if scope not in (None, "global") and not based and "base" not in names and section.elements:
            report.add(
                "APIM212",
                f"<{section.name}> has no <base />: the policies of the scopes outside do not run here",
                section.position,
            )
