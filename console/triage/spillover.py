"""Native spillover: a provisioned deployment hands what it cannot take to a standard one of its own account. Pure.

No 429 shows it, so pool failover never starts, breakers never trip, and part of the answers is billed by the token.
Source: "Manage traffic with spillover for provisioned deployments"; metric dimension IsSpillover.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, percent
from console.triage.look import METRICS, Look
from console.triage.minutes import find_run, values_until

SPILLED_AT_LEAST = 3.0
RANK = 28


def find_native_spillover(look: Look) -> Iterator[Finding]:
    """One finding for every backend whose account spills to itself."""
    for status in look.backends:
        for load in status.load.deployments:
            if load.spilled_in is None:
                continue
            values = values_until(load.spilled_in, status.load.metrics_until_at)
            spilling = [(v or 0.0) >= SPILLED_AT_LEAST for v in values]
            run = find_run(spilling, load.spilled_in.start_at)
            if run is None:
                continue
            span = slice(max(run.first, run.last - 4), run.last + 1)
            spilled = sum(v or 0.0 for v in values[span])
            asked = sum(v or 0.0 for v in values_until(status.load.requests, status.load.metrics_until_at)[span])
            share = percent(spilled / asked, 0) if asked else "a part"
            room = look.roomiest(look.peers(status))
            move = f", or move weight to {room.name}" if room is not None else ""
            text = f"{share} of its requests are served by {load.deployment_name} (IsSpillover)"
            yield Finding(
                symptom="native spillover",
                subject=status.name,
                title=f"{status.name} spills inside its account: pools and breakers do not see that it is full",
                severity=Severity.WARNING,
                since_at=run.since_at,
                confidence=Evidence.OBSERVED,
                actions=(Action(ActionKind.ADVICE, f"Count what spills, it is paid by the token: add PTUs{move}"),),
                hit_ratio=look.hit_ratio([], run.since_at),
                evidence=(Fact(text, METRICS, run.end_at),),
                charts=(ChartRef("spilled", status.name), ChartRef("utilization", status.name)),
                rank=RANK,
            )
            break
