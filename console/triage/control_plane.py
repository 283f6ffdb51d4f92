"""Resource Manager throttles this identity, or there is no gateway to speak of: nothing is said about traffic. Pure.

Source: "Understand how Azure Resource Manager throttles requests": buckets per subscription and principal; a 429 may
come while the remaining-reads header looks full, because providers have limits of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from console.domain.finding import Action, ActionKind, Fact, Finding, Severity
from console.domain.health import Evidence
from console.triage.look import Look

FEW_READS = 100
"""Fewer reads left than this, and somebody reads in a hurry. Source: the bucket of a principal in a subscription holds
250 reads and is refilled at 25 a second; a refresh of the console takes some twenty.
"""
THROTTLED_FOR = timedelta(minutes=2)
"""How long a 429 is remembered."""
CONTROL_FEEDS = ("topology", "accounts", "routes", "activity")
THROTTLED_RANK = 46
MISSING_RANK = 5


def find_control_plane(look: Look) -> Iterator[Finding]:
    """Throttling of the control plane, and a gateway that does not exist."""
    snapshot = look.snapshot
    throttled = [p for p in snapshot.problems if p.kind == "Throttled" and p.feed in (*CONTROL_FEEDS, "")]
    left = snapshot.budget.arm_reads_remaining
    refused_at = snapshot.budget.arm_throttled_at
    refused = refused_at is not None and look.now - refused_at <= THROTTLED_FOR
    if throttled or refused or (left is not None and left <= FEW_READS):
        how = "throttles" if throttled or refused else "is close to throttling"
        facts = [Fact(p.what, p.feed or "Resource Manager", p.at) for p in throttled[:3]]
        if refused:
            facts.append(Fact("it answered 429", "Resource Manager", refused_at))
        if left is not None:
            facts.append(
                Fact(f"{left} reads left", "x-ms-ratelimit-remaining-subscription-reads", snapshot.budget.observed_at)
            )
        yield Finding(
            symptom="control plane throttled",
            subject="Resource Manager",
            title=f"Resource Manager {how} this identity; traffic is not concerned",
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
