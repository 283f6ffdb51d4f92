"""The linter, told what only the gateway knows: which backends, named values and fragments exist there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apimpolicy.lint import BackendFacts, LintFinding, NamedValueFacts, Surroundings, lint
from console.operations.fragments.deployed import Deployed
from console.operations.fragments.documents import Kind, LocalDocument, Place

UNREADABLE = frozenset({"APIM001", "APIM002"})
TOO_LARGE = "APIM017"


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One finding with the file it is about, and the source line it points at."""

    place: Place
    file: str
    finding: LintFinding
    source: str

    @property
    def line(self) -> str:
        """As compilers write it: file, line, column, severity, message."""
        at = self.finding.position
        about = f"[{self.finding.rule_id} {self.finding.name}]"
        return f"{self.file}:{at.line}:{at.column}: {self.finding.severity}: {self.finding.message} {about}"

    @property
    def is_error(self) -> bool:
        """Whether API Management would refuse the document."""
        return self.finding.severity == "error"

    def pointer(self) -> str:
        """The source line with a caret under the place; "" when there is no such line."""
        if not self.source.strip():
            return ""
        column = max(0, self.finding.position.column - 1)
        shown = self.source.expandtabs(4)
        column += len(self.source[:column].expandtabs(4)) - len(self.source[:column])
        return f"    {shown.rstrip()}\n    {' ' * column}^"


def surroundings_of(deployed: Deployed | None, coming: Iterable[LocalDocument] = ()) -> Surroundings:
    """What exists on the gateway, together with what is about to be deployed. Without a gateway: nothing is known."""
    if deployed is None:
        return Surroundings()
    arriving = list(coming)
    fragments = {d.place.name: d.text or "" for d in deployed.of_kind(Kind.FRAGMENT)}
    fragments.update({d.place.name: d.text for d in arriving if d.place.kind is Kind.FRAGMENT})
    values = {d.place.name: NamedValueFacts(d.is_secret) for d in deployed.of_kind(Kind.NAMED_VALUE)}
    values.update({d.place.name: NamedValueFacts() for d in arriving if d.place.kind is Kind.NAMED_VALUE})
    backends = None
    if deployed.backends is not None:
        backends = {
            b.name: BackendFacts("Pool" if b.is_pool else "Single", b.has_breaker, b.members)
            for b in deployed.backends.values()
        }
    known_values = bool(values) or not deployed.problems
    return Surroundings(fragments, backends, values if known_values else None)


def inspect(
    documents: Iterable[LocalDocument], deployed: Deployed | None, coming: Iterable[LocalDocument] = ()
) -> list[FileFinding]:
    """Every finding on these documents, file by file, in the order of the text."""
    around = surroundings_of(deployed, coming)
    found: list[FileFinding] = []
    for document in documents:
        if document.place.kind is Kind.NAMED_VALUE:
            continue
        kind = document.place.kind
        lines = document.text.split("\n")
        for finding in lint(
            document.text,
            kind="fragment" if kind is Kind.FRAGMENT else "policy",
            scope=_scope(document.place),
            surroundings=around,
        ):
            at = finding.position.line - 1
            source = lines[at] if 0 <= at < len(lines) else ""
            found.append(FileFinding(document.place, document.file, finding, source))
    return found


def _scope(place: Place) -> str | None:
    scope = place.lint_scope
    return "api" if scope == "template" else scope


def counted(findings: Iterable[FileFinding]) -> Mapping[str, int]:
    """How many findings of each severity."""
    counts = {"error": 0, "warning": 0, "info": 0}
    for one in findings:
        counts[one.finding.severity] += 1
    return counts
