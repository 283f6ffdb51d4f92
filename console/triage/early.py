"""Early evidence: refusals and errors of minutes that are still filling. What has happened has happened. Pure.

Complete minutes are two minutes old; waiting for them would tell of every trouble two minutes late. Only what
the missing rest cannot undo is looked for here: never shares; silence only with a probe as witness.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from console.domain.compose import compose
from console.domain.finding import Fact, Finding
from console.domain.load import Window
from console.domain.observations import Observations
from console.domain.snapshot import GatewaySnapshot
from console.triage.access import find_missing, find_unauthorized
from console.triage.configuration import find_broken_configuration
from console.triage.consumers import find_flooding
from console.triage.failing import find_failing
from console.triage.find import find_all
from console.triage.look import Look
from console.triage.quota import find_quota_reached
from console.triage.refusals import find_gateway_refusals
from console.triage.saturation import find_saturated
from console.triage.severity import ranked
from console.triage.silence import find_silent_early
from console.triage.slowness import find_slow

FILLING = Fact("the newest minute is still filling: its figures can only grow", "triage")


def early_view(observations: Observations) -> Observations | None:
    """The observations with the minutes that are still filling; None when there are none.

    Utilization is left at the complete minutes: an average of a few seconds proves nothing.
    """
    ends = [load.requests.end_at for load in observations.early_loads]
    span, end_at = observations.metrics_window, max(ends, default=None)
    loads, window = observations.model_loads, span
    if span is not None and end_at is not None and end_at > span.end_at:
        settled = {(m.account_id, m.deployment_name): m for m in observations.model_loads}
        loads = tuple(
            replace(m, utilization=known.utilization if known is not None else None)
            for m in observations.early_loads
            for known in (settled.get((m.account_id, m.deployment_name)),)
        )
        window = Window(span.start_at, end_at)
    if window is span and observations.early_callers is None:
        return None
    return replace(
        observations,
        model_loads=loads,
        metrics_window=window,
        callers=observations.early_callers or observations.callers,
        early_loads=(),
        early_callers=None,
    )


def find_early(snapshot: GatewaySnapshot) -> tuple[Finding, ...]:
    """What the minutes that are still filling prove already. `snapshot` is composed of an `early_view`."""
    look = Look(snapshot)
    return (
        *find_broken_configuration(look),
        *find_unauthorized(look),
        *find_missing(look),
        *find_failing(look),
        *find_flooding(look),
        *find_gateway_refusals(look),
        *find_quota_reached(look),
        *find_saturated(look),
        *find_silent_early(look),
        *find_slow(look, frozenset()),
    )


def find_with_early(observations: Observations, snapshot: GatewaySnapshot, now: datetime) -> tuple[Finding, ...]:
    """All findings of complete minutes, and those that newer minutes prove before they are complete."""
    found = find_all(snapshot)
    view = early_view(observations)
    if view is None or snapshot.gateway is None:
        return found
    known = {f.key: f for f in found}
    subjects = {f.subject for f in found}
    for finding in find_early(compose(view, now)):
        whole = known.get(finding.key)
        if whole is not None:
            if (finding.hit_ratio or 0.0) > (whole.hit_ratio or 0.0):
                known[finding.key] = replace(whole, hit_ratio=finding.hit_ratio, severity=finding.severity)
        elif not (finding.symptom in _ABOUT_ONE and finding.subject in subjects):
            known[finding.key] = replace(finding, evidence=(*finding.evidence, FILLING))
    return ranked(known.values())


_ABOUT_ONE = frozenset({"failing", "flapping", "unreachable", "slow"})
"""Names for one trouble: the complete minutes' name stands."""
