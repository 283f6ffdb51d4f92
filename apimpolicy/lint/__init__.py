"""The policy linter: what API Management would refuse, and what works until it is needed.

`lint` is the door. The rooms: `structure` holds a document against the catalog, `references` against what exists around
it, `expressions` against C#, `operations` against what hurts in production, `secrets` against what must not be read.
Nothing here does I/O: what surrounds a document is handed in, and what is unknown keeps its rules silent.
"""

from __future__ import annotations

from typing import Literal

from apimpolicy.document import Document, PolicySyntaxError, parse
from apimpolicy.lint.expressions import check_expressions
from apimpolicy.lint.findings import BackendFacts, LintFinding, NamedValueFacts, Report, Surroundings
from apimpolicy.lint.operations import check_operations
from apimpolicy.lint.references import check_references
from apimpolicy.lint.rules import RULES, Rule, Severity
from apimpolicy.lint.secrets import check_secrets
from apimpolicy.lint.structure import check_structure

__all__ = [
    "RULES",
    "BackendFacts",
    "LintFinding",
    "NamedValueFacts",
    "Rule",
    "Severity",
    "Surroundings",
    "lint",
]


def lint(
    document: Document | str,
    *,
    kind: Literal["policy", "fragment"],
    scope: str | None = None,
    surroundings: Surroundings | None = None,
) -> list[LintFinding]:
    """Findings on one document, in the order of the text.

    `scope` is "global", "workspace", "product", "api" or "operation"; None leaves the scope's rules silent. A text that
    does not parse gives one finding. Raises nothing on any text.
    """
    report = Report()
    if isinstance(document, str):
        try:
            document = parse(document)
        except PolicySyntaxError as error:
            rule = "APIM002" if error.rule == "line-comment" else "APIM001"
            expected = f" (expected {error.expected})" if error.expected and error.expected not in error.message else ""
            report.add(rule, f"{error.message}{expected}", error.position)
            return report.sorted()
    around = surroundings if surroundings is not None else Surroundings()
    check_structure(document, kind, scope, around, report)
    check_references(document, around, report)
    check_expressions(document, report)
    check_operations(document, kind, scope, around, report)
    check_secrets(document, around, report)
    return report.sorted()
