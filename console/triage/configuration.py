"""A configuration change followed by errors: the gateway fails requests by itself, or refuses what it let in. Pure.

Source: "Error handling in API Management policies": an expression that fails answers 500 with the reason
ExpressionValueEvaluationFailure and the section it was in; no backend is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.callers import CONNECTION_REASONS
from console.domain.change import GATEWAY_KINDS, Change, ChangeKind
from console.domain.finding import Action, ActionKind, ChartRef, Finding
from console.domain.health import Evidence
from console.triage.access import lost
from console.triage.errors import ErrorRun, find_errors
from console.triage.look import Look, change_fact

RANK = 12
_NOT_BY_POLICY = frozenset({"ClientConnectionFailure", *CONNECTION_REASONS})


def find_broken_configuration(look: Look) -> Iterator[Finding]:
    """Errors of the gateway's own making; with the change they followed, if there was one."""
    own = [e for e in look.errors_without_backend if not e.backend_status_code and e.reason not in _NOT_BY_POLICY]
    lost = [e for e in look.errors_of_strangers if e.status_code >= 500]
    run = find_errors(lost, look.caller_requests, look) or find_errors(lost, None, look)
    if run is not None:
        yield _finding(look, run, _culprit(look, run))
        return
    failing = [e for e in own if e.status_code == 500 or 500 < e.status_code != 503]
    run = find_errors(failing, look.caller_requests, look)
    if run is not None:
        yield _finding(look, run, _culprit(look, run))
    refused = [e for e in own if e.status_code in (400, 401, 403, 404, 405) and "quota" not in e.reason.lower()]
    run = find_errors(refused, look.caller_requests, look)
    if run is not None and (change := _culprit(look, run)) is not None:
        yield _finding(look, run, change)


def _culprit(look: Look, run: ErrorRun) -> Change | None:
    """The nearest change of the gateway before the errors; a fragment or policy before anything else."""
    changes = look.changes_before(run.since_at, GATEWAY_KINDS)
    text = [c for c in changes if c.kind in (ChangeKind.FRAGMENT, ChangeKind.POLICY)]
    return next(iter(text or changes), None)


def _finding(look: Look, run: ErrorRun, change: Change | None) -> Finding:
    hit = look.hit_ratio(run.counts, run.since_at)
    worst = run.series[0]
    what = f"{worst.status_code} {worst.reason}".strip()
    apis = run.api_names or "the gateway"
    if change is not None:
        subject = change.subject
        title = f"{subject}: callers of {apis} get {what} since it was {change.verb}"
        kind = ActionKind.ROLLBACK if change.kind is ChangeKind.FRAGMENT else ActionKind.ADVICE
        actions: tuple[Action, ...] = (
            Action(kind, f"Roll back {change.name if kind is ActionKind.ROLLBACK else subject}", change.name),
        )
    else:
        subject = apis
        title = f"The gateway fails callers of {apis} by itself: {what}"
        where = f" in {worst.section}" if worst.section else ""
        actions = (
            Action(ActionKind.FRAGMENT, f"Look at the policies of {apis}{where}, and at what changed"),
            Action(ActionKind.QUERY, "Look at the errors", "errors_by_minute"),
        )
    return Finding(
        symptom="failing",
        subject=subject,
        title=title,
        severity=lost(run, hit),
        since_at=run.since_at,
        confidence=Evidence.INFERRED if change is not None else Evidence.OBSERVED,
        actions=actions,
        hit_ratio=hit,
        evidence=(*run.facts(), *((change_fact(change),) if change is not None else ())),
        charts=(ChartRef("errors", ""), ChartRef("requests", "")),
        rank=RANK,
    )
