"""Authentication or role lost, and model deployments gone: the backend answers, and refuses the gateway. Pure.

Source: Azure OpenAI data plane: 401 for a wrong key or token, 403 for network rules or a disabled key, 404 with code
DeploymentNotFound when the deployment does not exist in that account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from console.domain.change import ChangeKind
from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence, percent
from console.domain.load import ModelLoad, Series
from console.domain.snapshot import BackendStatus
from console.triage.errors import ErrorRun, find_errors
from console.triage.look import METRICS, Look, change_fact, is_drained
from console.triage.minutes import aligned, find_run, flags
from console.triage.severity import CRITICAL_HIT_RATIO

LOST_RATIO = 0.5
"""A backend that fails half of its callers' requests hurts them, however few they are among all."""
RANK = 14


def find_unauthorized(look: Look) -> Iterator[Finding]:
    """Backends that answer the gateway with 401 or 403."""
    found = set()
    for status in look.erring:
        errors = [e for e in look.errors_of(status) if e.backend_status_code in (401, 403)]
        run = find_errors(errors, status.load.caller_requests, look)
        if run is not None:
            found.add(status.name)
            yield _unauthorized(look, status, run)
    for status in look.backends:
        hidden = _denied(status)
        if hidden is not None and status.name not in found:
            yield _unauthorized_behind_a_retry(look, status, *hidden)


def find_missing(look: Look) -> Iterator[Finding]:
    """Backends whose model deployment does not exist (any more)."""
    for status in look.erring:
        errors = [e for e in look.errors_of(status) if e.backend_status_code == 404]
        run = find_errors(errors, status.load.caller_requests, look)
        if run is not None:
            yield _missing(look, status, run)


def lost(run: ErrorRun, hit: float | None) -> Severity:
    """Critical when the backend's own callers lose half of their requests, or 2 % of all do."""
    if (run.share or 0.0) >= LOST_RATIO or (hit or 0.0) >= CRITICAL_HIT_RATIO:
        return Severity.CRITICAL
    return Severity.WARNING


def _unauthorized(look: Look, status: BackendStatus, run: ErrorRun) -> Finding:
    hit = look.hit_ratio(run.counts, run.since_at)
    changes = look.changes_of(status, run.since_at)
    keys = any(c.kind is ChangeKind.KEYS for c in changes)
    account = status.account.name if status.account is not None else status.backend.host
    if keys:
        advice = f"Put the new key of {account} into backend {status.name}, or let the gateway's identity in"
    elif any(c.kind is ChangeKind.ROLE for c in changes):
        advice = f"Give the gateway's identity the role Cognitive Services OpenAI User on {account} again"
    else:
        advice = (
            f"Give the gateway's identity the role Cognitive Services OpenAI User on {account}, or renew the key that "
            f"backend {status.name} sends"
        )
    return _refused(look, status, run, "unauthorized", "refuses the gateway (401/403)", hit, advice)


def _missing(look: Look, status: BackendStatus, run: ErrorRun) -> Finding:
    hit = look.hit_ratio(run.counts, run.since_at)
    account = status.account.name if status.account is not None else status.backend.host
    instead = next((p.name for p in (look.snapshot.gateway.pools if look.snapshot.gateway else ())), "")
    routed = f"Route {run.api_names or 'its callers'} to {instead}" if instead else "Route its callers elsewhere"
    again = f"create the model deployment in {account} again"
    advice = f"C{again[1:]}" if look.rest_of_pools(status) else f"{routed}, or {again}"
    return _refused(look, status, run, "deployment missing", "has no such model deployment (404)", hit, advice)


def _refused(
    look: Look, status: BackendStatus, run: ErrorRun, symptom: str, words: str, hit: float | None, advice: str
) -> Finding:
    share = f"{percent(run.share, 0)} of its callers' requests fail" if run.share is not None else ""
    facts = [Fact(share, "gateway logs", look.logs_end_at)] if share else []
    fragment = next((r.document.removeprefix("fragment ") for r in status.routes if r.kind.value == "fragment"), "")
    actions = [
        Action(
            ActionKind.FRAGMENT if symptom == "deployment missing" and fragment else ActionKind.ADVICE, advice, fragment
        )
    ]
    if look.rest_of_pools(status):
        until = "has the deployment again" if symptom == "deployment missing" else "lets the gateway in"
        actions.insert(0, Action(ActionKind.DRAIN, f"Drain {status.name} until it {until}", status.name))
    return Finding(
        symptom=symptom,
        subject=status.name,
        title=f"{status.name} {words}",
        severity=lost(run, hit),
        since_at=run.since_at,
        confidence=Evidence.OBSERVED,
        actions=tuple(actions),
        hit_ratio=hit,
        evidence=(*facts, *run.facts(), *(change_fact(c) for c in look.changes_of(status, run.since_at))),
        charts=(ChartRef("errors", status.name), ChartRef("requests", status.name)),
        rank=RANK,
    )


def _denied(status: BackendStatus) -> tuple[Series, float] | None:
    """401 and 403 that only the account's metrics show, because a retry saved the callers."""
    worst: tuple[Series, float] | None = None
    for deployment in status.load.deployments:
        counts = deployment.denied
        if not any(counts.values[-2:]):
            continue
        recent = sum(v or 0.0 for v in counts.values[-2:])
        if recent >= 3 and recent >= 0.05 * _recent(deployment) and (worst is None or recent > worst[1]):
            worst = (counts, recent)
    return worst


def _recent(deployment: ModelLoad) -> float:
    return sum(v or 0.0 for v in deployment.requests.values[-2:])


def _unauthorized_behind_a_retry(look: Look, status: BackendStatus, counts: Series, recent: float) -> Finding:
    values: Sequence[float] = aligned(counts, counts.start_at, len(counts.values))
    run = find_run(flags(len(values), lambda i: values[i] >= 2), counts.start_at)
    since_at = run.since_at if run is not None else counts.end_at - timedelta(minutes=2)
    account = status.account.name if status.account is not None else status.backend.host
    advice = f"Give the gateway's identity the role Cognitive Services OpenAI User on {account}"
    fact = Fact(f"{recent:.0f} answers 401 or 403 in two minutes, all saved by a retry", METRICS, counts.end_at)
    return Finding(
        symptom="unauthorized",
        subject=status.name,
        title=f"{status.name} refuses the gateway (401/403); a retry saves its callers",
        severity=Severity.WARNING,
        since_at=since_at,
        confidence=Evidence.OBSERVED,
        actions=(Action(ActionKind.ADVICE, advice), Action(ActionKind.DRAIN, f"Drain {status.name}", status.name)),
        hit_ratio=look.hit_ratio([], since_at),
        evidence=(fact, *(change_fact(c) for c in look.changes_of(status, since_at) if not is_drained(status))),
        charts=(ChartRef("requests", status.name),),
        rank=RANK,
    )
