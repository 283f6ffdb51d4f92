"""Secrets in clear text. A finding says where, never what: no message repeats a value."""

from __future__ import annotations

import re
from typing import Final

from apimpolicy.document import Document, Element, is_expression, named_values_in
from apimpolicy.lint.findings import Report, Surroundings
from apimpolicy.lint.walk import Visit, values, visits
from apimpolicy.position import Position
from apimpolicy.tree import Attribute, begins_expression

_CREDENTIAL_HEADERS: Final = frozenset(
    {
        "authorization",
        "api-key",
        "apikey",
        "x-api-key",
        "x-functions-key",
        "ocp-apim-subscription-key",
        "subscription-key",
        "x-goog-api-key",
    }
)
_CREDENTIAL_PARAMETERS: Final = frozenset(
    {"code", "sig", "api-key", "apikey", "key", "subscription-key", "client_secret"}
)
_CREDENTIAL_NAME: Final = re.compile(
    r"(secret|passw(or)?d|api[-_]?key|account[-_]?key|access[-_]?key)(?!.*(name|id|uri|url)$)", re.I
)
_PATTERNS: Final = re.compile(
    r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{20,}|[?&]sig=[A-Za-z0-9%]{20,}|client_secret=(?!\{\{|\{|\"|'|\s|$)[^&\"'{\s]{8,}"
    r"|\beyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}|(?:Bearer|Basic)\s+[A-Za-z0-9+/_\-.]{20,}={0,2}(?![\w=:])"
)
_PASSWORDS: Final = {
    "authentication-basic": "password",
    "proxy": "password",
    "authentication-certificate": "password",
}
_SHORTEST: Final = 8


def check_secrets(document: Document, around: Surroundings, report: Report) -> None:
    """Literal credentials, and named values that hold one without being secret."""
    for value in values(document):
        match = _PATTERNS.search(value.text)
        if match is not None and "{{" not in match.group():
            _clear(report, "this text", value.position)
    for visit in visits(document):
        _credentials(visit, around, report)


def _clear(report: Report, what: str, position: Position) -> None:
    report.add(
        "APIM208", f"{what} holds a secret in clear text: keep it in a secret named value or in Key Vault", position
    )


def _credentials(visit: Visit, around: Surroundings, report: Report) -> None:
    element = visit.element
    if element.name in ("set-header", "set-query-parameter"):
        names = _CREDENTIAL_HEADERS if element.name == "set-header" else _CREDENTIAL_PARAMETERS
        if (element.get("name") or "").lower() in names:
            for child in element.elements:
                _text(child, f"the value of '{element.get('name')}'", around, report)
    elif element.name in _PASSWORDS:
        attribute = element.attribute(_PASSWORDS[element.name])
        if attribute is not None:
            _attribute(attribute, f"'{attribute.name}' of <{element.name}>", around, report)
    elif element.name == "set-variable" and _CREDENTIAL_NAME.search(element.get("name") or "") is not None:
        attribute = element.attribute("value")
        if attribute is not None:
            _attribute(attribute, f"the variable '{element.get('name')}'", around, report)
    elif (
        element.name == "key"
        and visit.parent is not None
        and visit.parent.name in ("issuer-signing-keys", "decryption-keys")
    ):
        _text(element, "this signing key", around, report)


def _text(element: Element, what: str, around: Surroundings, report: Report) -> None:
    _literal(element.text_content, what, element.text_position, around, report)


def _attribute(attribute: Attribute, what: str, around: Surroundings, report: Report) -> None:
    _literal(attribute.value, what, attribute.value_position, around, report)


def _literal(value: str, what: str, position: Position, around: Surroundings, report: Report) -> None:
    stripped = value.strip()
    if around.named_values is not None:
        for name, _ in named_values_in(stripped):
            facts = around.named_values.get(name)
            if facts is not None and not facts.secret:
                report.add(
                    "APIM209", f"the named value '{name}' is used as {what} but is not secret: mark it secret", position
                )
    if is_expression(stripped) or begins_expression(stripped) or "{{" in stripped:
        return
    secret = stripped.split(None, 1)[-1] if stripped else ""
    if len(secret) >= _SHORTEST and not re.search(r"[<>\[\]\s]", secret):
        _clear(report, what, position)
