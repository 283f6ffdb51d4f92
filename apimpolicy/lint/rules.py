"""The table of lint rules: ids are stable, and never used again for something else.

0xx: API Management refuses the document. 1xx: it departs from the policy reference. 2xx: it hurts in production.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Severity = Literal["error", "warning", "info"]


class Rule(NamedTuple):
    """What a rule says in general; a finding says it of one place."""

    severity: Severity
    sentence: str
    name: str


RULES: Final[Mapping[str, Rule]] = {
    "APIM001": Rule("error", "The text is not a policy document.", "syntax"),
    "APIM002": Rule("error", "A // comment hides the bracket that closes its expression.", "hiding-comment"),
    "APIM003": Rule("error", "The root must be <policies> for a policy and <fragment> for a fragment.", "wrong-root"),
    "APIM004": Rule("error", "API Management has no such element.", "unknown-element"),
    "APIM005": Rule("error", "The element exists but cannot stand here.", "misplaced-element"),
    "APIM006": Rule("error", "A section may stand once in a document.", "duplicate-section"),
    "APIM007": Rule("error", "The element has no such attribute.", "unknown-attribute"),
    "APIM008": Rule("error", "A required attribute is missing.", "missing-attribute"),
    "APIM009": Rule("error", "The value is not of the attribute's type.", "wrong-type"),
    "APIM010": Rule("error", "The policy is refused in this section.", "wrong-section"),
    "APIM011": Rule("error", "This attribute takes no expression.", "expression-not-allowed"),
    "APIM012": Rule("error", "The expression is not C#.", "expression-syntax"),
    "APIM013": Rule("error", "The expression uses a type that policy expressions may not use.", "disallowed-type"),
    "APIM014": Rule("error", "A fragment holds policies, not sections.", "section-in-fragment"),
    "APIM015": Rule("error", "A fragment cannot hold <base />.", "base-in-fragment"),
    "APIM016": Rule("error", "A fragment cannot include another fragment.", "nested-fragment"),
    "APIM017": Rule("error", "A fragment may be 32 KB, a policy 256 KB.", "too-large"),
    "APIM018": Rule("error", "The included fragment does not exist.", "unknown-fragment"),
    "APIM019": Rule("error", "The named backend does not exist.", "unknown-backend"),
    "APIM020": Rule("error", "The named value does not exist.", "unknown-named-value"),
    "APIM021": Rule("error", "<choose> needs at least one <when>, and <otherwise> comes last, once.", "choose-form"),
    "APIM022": Rule("error", "One of several attributes must be given.", "missing-one-of"),
    "APIM101": Rule("warning", "The policy reference does not list this attribute.", "undocumented-attribute"),
    "APIM102": Rule("warning", "The policy reference calls this attribute required.", "advised-attribute"),
    "APIM103": Rule(
        "warning", "The policy reference does not list this section for the policy.", "undocumented-section"
    ),
    "APIM104": Rule("warning", "The policy reference does not list this child here.", "undocumented-child"),
    "APIM105": Rule("warning", "The policy reference does not list this scope for the policy.", "undocumented-scope"),
    "APIM106": Rule("warning", "Text stands where only elements belong.", "stray-text"),
    "APIM107": Rule("warning", "The policy may be used once in a section.", "repeated-policy"),
    "APIM108": Rule(
        "warning", "A value is one whole expression or none; this one is taken literally.", "partial-expression"
    ),
    "APIM109": Rule("warning", "The expression cannot be checked or evaluated here.", "expression-unchecked"),
    "APIM110": Rule("info", "The embedded gateway does not model this element.", "not-modelled"),
    "APIM111": Rule("warning", "The value is outside the documented range.", "out-of-range"),
    "APIM112": Rule("warning", "The policy reference does not list this value.", "undocumented-value"),
    "APIM201": Rule("warning", "A retry forwards a request whose body is not buffered.", "retry-unbuffered-body"),
    "APIM202": Rule("warning", "A streamed response is held back by buffering.", "buffered-stream"),
    "APIM203": Rule(
        "warning", "A pool member has no circuit breaker, so the pool never fails over.", "pool-without-breaker"
    ),
    "APIM204": Rule(
        "warning", "A backend is named past its pool, so a drain of the pool misses it.", "backend-past-pool"
    ),
    "APIM205": Rule("warning", "A decision rests on a message text that may change.", "message-matching"),
    "APIM206": Rule("warning", "estimate-prompt-token lacks its final s and does nothing.", "estimate-prompt-token"),
    "APIM207": Rule("warning", "A retry on 429 does not heed Retry-After.", "retry-after-ignored"),
    "APIM208": Rule("warning", "A secret stands in clear text.", "clear-secret"),
    "APIM209": Rule("warning", "A named value used as a credential is not marked secret.", "open-credential"),
    "APIM210": Rule(
        "info", "A // comment in an attribute swallows the code after it once lines are joined.", "line-comment"
    ),
    "APIM211": Rule("warning", "Reading a body without preserveContent consumes it.", "consumed-body"),
    "APIM212": Rule("info", "Without <base /> the section's outer policies do not run.", "missing-base"),
    "APIM213": Rule("warning", "The backend section forwards no request.", "never-forwarded"),
    "APIM214": Rule("warning", "More dimensions than the metric accepts.", "too-many-dimensions"),
    "APIM215": Rule("info", "A timeout over 240 seconds may not be honoured.", "long-timeout"),
    "APIM216": Rule("warning", "A cache is read but never filled here.", "cache-without-store"),
    "APIM217": Rule(
        "info", "A backend is named by address: drains, pools and breakers do not see it.", "backend-by-address"
    ),
}
"""Every rule by its id; `severity` is the severity of its findings."""
