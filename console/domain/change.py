"""What somebody changed: one entry per operation, whatever number of events Azure tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ChangeKind(StrEnum):
    """What was changed, as far as it matters for traffic."""

    FRAGMENT = "fragment"
    POLICY = "policy"
    BACKEND = "backend"
    NAMED_VALUE = "named value"
    API = "API"
    GATEWAY = "gateway"
    MODEL_DEPLOYMENT = "model deployment"
    KEYS = "account keys"
    ACCOUNT = "account"
    ROLE = "role assignment"
    DIAGNOSTICS = "diagnostic setting"
    ARM_DEPLOYMENT = "ARM deployment"
    OTHER = "resource"


GATEWAY_KINDS = frozenset(
    {
        ChangeKind.FRAGMENT,
        ChangeKind.POLICY,
        ChangeKind.BACKEND,
        ChangeKind.NAMED_VALUE,
        ChangeKind.API,
        ChangeKind.GATEWAY,
    }
)
"""Changes of what the gateway does with a request."""


@dataclass(frozen=True, slots=True)
class Change:
    """A write that the activity log or the journal tells of.

    `at` is when it began; `name` the changed thing's own (`authenticate-to-models`, `ptu-swedencentral`); `verb` what
    was done ("written", "deleted", "regenerated"); `status` "Succeeded", "Failed" or how far it is. `source`:
    "activity log" or "journal".
    """

    at: datetime
    kind: ChangeKind
    name: str
    verb: str
    resource_id: str
    caller: str
    status: str
    correlation_id: str = ""
    source: str = "activity log"
    events: int = 1

    @property
    def subject(self) -> str:
        """Kind and name: `fragment authenticate-to-models`."""
        return f"{self.kind.value} {self.name}".strip()

    @property
    def text(self) -> str:
        """In words: `fragment authenticate-to-models written by ops@contoso.example`."""
        by = f" by {self.caller}" if self.caller else ""
        end = "" if self.status in ("Succeeded", "Success", "") else f" ({self.status})"
        return f"{self.subject} {self.verb}{by}{end}"
