"""What the linter says, and what it is told about a document's surroundings. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apimpolicy.lint.rules import RULES, Severity
from apimpolicy.position import Position


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing to look at: `message` says what it is and what to do, in one sentence."""

    rule_id: str
    severity: Severity
    message: str
    position: Position

    @property
    def name(self) -> str:
        """The rule's short name, such as "unknown-element"."""
        return RULES[self.rule_id].name

    def __str__(self) -> str:
        where = f"line {self.position.line}, column {self.position.column}"
        return f"{where}: {self.severity}: {self.message} [{self.rule_id} {self.name}]"


@dataclass(frozen=True, slots=True)
class BackendFacts:
    """A backend as far as policies care: `type` is "Single" or "Pool"; `members` are names, for a pool."""

    type: str = "Single"
    has_breaker: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedValueFacts:
    """A named value: whether its value is kept secret."""

    secret: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What exists around a document; None means unknown, and rules that would need it stay silent.

    `fragments` maps ids to texts, `backends` maps names, `named_values` maps display names. `unmodelled` names the
    elements that the gateway at hand does not execute.
    """

    fragments: Mapping[str, str] | None = None
    backends: Mapping[str, BackendFacts] | None = None
    named_values: Mapping[str, NamedValueFacts] | None = None
    unmodelled: frozenset[str] = frozenset()


@dataclass
class Report:
    """Collects findings; the same rule says the same thing of one place once."""

    _found: set[LintFinding] = field(default_factory=set)

    def add(self, rule_id: str, message: str, position: Position | None) -> None:
        self._found.add(LintFinding(rule_id, RULES[rule_id].severity, message, position or Position(1, 1)))

    def sorted(self) -> list[LintFinding]:
        return sorted(self._found, key=lambda f: (f.position.line, f.position.column, f.rule_id, f.message))
