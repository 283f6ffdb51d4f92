"""Drains that somebody should look at: expired, overwritten by a deployment, interrupted, forgotten. Pure.

Nothing here undoes a drain: intentional maintenance is announced, never ended by a timer.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence
from console.triage.look import Look

RANK = 36
FORGOTTEN_HOURS = 72


def find_forgotten_drains(look: Look) -> Iterator[Finding]:
    """One finding for every recorded drain that needs attention, or that lasts for days."""
    for drain in look.snapshot.drains:
        hours = (look.now - drain.started_at).total_seconds() / 3600
        forgotten = drain.expires_at is None and hours >= FORGOTTEN_HOURS
        if not (drain.needs_attention or drain.is_expired or forgotten):
            continue
        if drain.condition == "in place" or forgotten:
            words = "has expired" if drain.is_expired else f"has stood for {hours / 24:.0f} days"
        else:
            words = drain.condition or "needs attention"
        yield Finding(
            symptom="drain forgotten",
            subject=drain.backend_name,
            title=f"The drain of {drain.backend_name} {words if words.startswith('has') else 'is ' + words}",
            severity=Severity.WARNING,
            since_at=drain.expires_at if drain.is_expired and drain.expires_at is not None else drain.started_at,
            confidence=Evidence.OBSERVED,
            actions=(
                Action(ActionKind.RESTORE, f"Restore {drain.backend_name}, or drain it anew", drain.backend_name),
            ),
            evidence=(
                Fact(
                    f"drained by {drain.owner} at {drain.started_at:%d %b %H:%M}: {drain.reason or 'no reason given'}",
                    "named values",
                ),
                *((Fact(drain.text, "named values"),) if drain.text else ()),
            ),
            charts=(ChartRef("requests", drain.backend_name),),
            rank=RANK,
        )
