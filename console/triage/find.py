"""All findings of one snapshot, most harm first. Pure; what lasts from one snapshot to the next is in `tracking`."""

from __future__ import annotations

from console.domain.finding import Finding
from console.domain.snapshot import GatewaySnapshot
from console.triage.access import find_missing, find_unauthorized
from console.triage.balance import find_uneven
from console.triage.breaker import find_tripped
from console.triage.configuration import find_broken_configuration
from console.triage.consumers import find_flooding
from console.triage.control_plane import find_control_plane
from console.triage.drains import find_forgotten_drains
from console.triage.failing import find_failing
from console.triage.look import Look
from console.triage.quota import find_quota_reached
from console.triage.refusals import find_gateway_refusals
from console.triage.saturation import find_saturated
from console.triage.severity import ranked
from console.triage.silence import find_silent
from console.triage.slowness import find_slow
from console.triage.spillover import find_native_spillover
from console.triage.telemetry import find_blindness


def find_all(snapshot: GatewaySnapshot) -> tuple[Finding, ...]:
    """Every finding of the snapshot, each once."""
    look = Look(snapshot)
    found = [
        *find_control_plane(look),
        *find_broken_configuration(look),
        *find_unauthorized(look),
        *find_missing(look),
        *find_failing(look),
    ]
    named = frozenset(f.subject for f in found)
    if not any(f.symptom == "failing" and look.status(f.subject) is None for f in found):
        # Requests that the gateway itself fails reach no backend: their silence is explained.
        found += [f for f in find_silent(look) if f.subject not in named]
    look.troubled = frozenset(f.subject for f in found)
    found += [
        *find_flooding(look),
        *find_gateway_refusals(look),
        *find_quota_reached(look),
        *find_saturated(look),
        *find_native_spillover(look),
        *find_forgotten_drains(look),
        *find_blindness(look),
    ]
    full = frozenset(f.subject for f in found if f.symptom in ("saturated", "quota", "native spillover"))
    found += find_slow(look, full)
    explained = frozenset(f.subject for f in found)
    found += find_tripped(look, explained)
    found += find_uneven(look, explained)
    once: dict[tuple[str, str], Finding] = {}
    for finding in found:
        once.setdefault(finding.key, finding)
    return ranked(once.values())
