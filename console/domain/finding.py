"""A finding: what is wrong, since when, for whom, how we know, and what to do next. Nouns only; rules are in triage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from console.domain.health import Evidence


class Severity(StrEnum):
    """Harm to callers now, harm to come or to money, or worth knowing."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class ActionKind(StrEnum):
    """What pressing an action opens."""

    DRAIN = "drain"
    RESTORE = "restore"
    ROLLBACK = "rollback"
    FRAGMENT = "fragment"
    DEPLOY = "deploy"
    BACKEND = "backend"
    QUERY = "query"
    DOCTOR = "doctor"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Action:
    """The next step. `target`: backend, fragment or query it opens with, "" for advice that no key can carry out."""

    kind: ActionKind
    text: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence of evidence with its figure's source and the time its data ends (None: not of a time)."""

    text: str
    source: str
    observed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChartRef:
    """A series that shows the finding.

    `figure`: utilization, requests, model-429, caller-429, errors, latency, tokens or spilled; `subject`: the backend's
    or consumer's name, "" for all callers.
    """

    figure: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One symptom of one subject.

    `since_at`: the first minute that shows it, None when no source tells. `hit_ratio`: share of all callers' requests
    that it hurts now, 0 to 1, None when nothing tells. `until_at`: when it should end by itself (an open breaker).
    `ended_at`: None while it lasts. `rank`: place among findings of equal harm, causes before consequences.
    """

    symptom: str
    subject: str
    title: str
    severity: Severity
    since_at: datetime | None
    confidence: Evidence
    actions: tuple[Action, ...]
    hit_ratio: float | None = None
    evidence: tuple[Fact, ...] = ()
    charts: tuple[ChartRef, ...] = ()
    until_at: datetime | None = None
    rank: int = 50
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same finding a moment later."""
        return (self.symptom, self.subject)

    @property
    def label(self) -> str:
        """Subject and symptom: `ptu-swedencentral: saturated`."""
        return f"{self.subject}: {self.symptom}" if self.subject else self.symptom

    @property
    def is_active(self) -> bool:
        """Whether it still lasts."""
        return self.ended_at is None
