"""Resource Manager throttles this identity, or there is no gateway to speak of: nothing is said about traffic. Pure.

Source: "Understand how Azure Resource Manager throttles requests": buckets per subscription and principal; a 429 may
come while the remaining-reads header looks full, because providers have limits of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.finding import Action, ActionKind, Fact, Finding, Severity
from console.domain.health import Evidence
from console.triage.look import Look

FEW_READS = 5
"""Reads left at or below which the next refresh is refused."""
CONTROL_FEEDS = ("topology", "accounts", "routes", "activity")
THROTTLED_RANK = 46
MISSING_RANK = 5


def find_control_plane(look: Look) -> Iterator[Finding]:
    """Throttling of the control plane, and a gateway that does not exist."""
    snapshot = look.snapshot
    throttled = [p for p in snapshot.problems if p.kind == "Throttled" and p.feed in (*CONTROL_FEEDS, "")]
    left = snapshot.budget.arm_reads_remaining
    if throttled or (left is not None and left <= FEW_READS):
        facts = [Fact(p.what, p.feed or "Resource Manager", p.at) for p in throttled[:3]]
        if left is not None:
            facts.append(
                Fact(f"{left} reads left", "x-ms-ratelimit-remaining-subscription-reads", snapshot.budget.observed_at)
            )
        yield Finding(
            symptom="control plane throttled",
            subject="Resource Manager",
            title="Resource Manager throttles this identity: configuration grows old, traffic is not concerned",
            severity=Severity.INFO,
            since_at=min((p.at for p in throttled), default=snapshot.budget.observed_at),
            confidence=Evidence.OBSERVED,
            actions=(
                Action(ActionKind.ADVICE, "Find what else reads with this identity; nothing is wrong with the gateway"),
            ),
            evidence=tuple(facts),
            rank=THROTTLED_RANK,
        )
    missing = next((p for p in snapshot.problems if p.kind == "NotFound" and p.feed == "topology"), None)
    if snapshot.gateway is None and missing is not None:
        yield Finding(
            symptom="no gateway",
            subject=snapshot.service_name,
            title="There is no gateway of this name",
            severity=Severity.WARNING,
            since_at=None,
            confidence=Evidence.OBSERVED,
            actions=(Action(ActionKind.DEPLOY, "Deploy the gateway, or correct the profile"),),
            evidence=(Fact(missing.what, missing.where, missing.at),),
            rank=MISSING_RANK,
        )
