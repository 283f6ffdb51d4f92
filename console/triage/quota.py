"""Pay-as-you-go quota reached: a standard deployment refuses; and whether it lets through less than its quota. Pure.

Source: "Manage Azure OpenAI quota": 429 when the tokens or requests of a minute exceed the limit; under load the
service may refuse below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.gateway import ModelDeployment
from console.domain.health import THROTTLED_RATIO, Evidence, percent
from console.domain.load import ModelLoad
from console.domain.snapshot import BackendStatus
from console.triage.consumers import growth_facts
from console.triage.look import METRICS, Look, change_fact, is_drained, is_ptu
from console.triage.minutes import Run, aligned, find_run, flags, values_until
from console.triage.severity import severity_of

REFUSED_AT_LEAST = 3.0
LOWERED_RATIO = 0.7
"""Refusing while this little of the configured quota is used: the service lets through less than the quota."""
RANK = 24


def find_quota_reached(look: Look) -> Iterator[Finding]:
    """One finding for every backend with a standard deployment that refuses."""
    for status in look.backends:
        end = status.load.metrics_until_at
        worst: tuple[Run, ModelLoad] | None = None
        for load in status.load.deployments:
            if not any(load.throttled.values[-3:]):
                continue
            newest = values_until(load.throttled, end)[-2:]
            if not any(v and v >= REFUSED_AT_LEAST for v in newest):
                continue
            if load.utilization is not None or (is_ptu(status) and load.spilled_in is None):
                continue
            run = _refusals(load)
            if run is not None and (worst is None or run.bad > worst[0].bad):
                worst = run, load
        if worst is not None and not is_drained(status):
            yield _finding(look, status, *worst)


def _refusals(load: ModelLoad) -> Run | None:
    length = len(load.requests.values)
    asked = aligned(load.requests, load.requests.start_at, length)
    refused = aligned(load.throttled, load.requests.start_at, length)
    bad = flags(length, lambda i: refused[i] >= REFUSED_AT_LEAST and refused[i] >= asked[i] * THROTTLED_RATIO)
    return find_run(bad, load.requests.start_at)


def _finding(look: Look, status: BackendStatus, run: Run, load: ModelLoad) -> Finding:
    counts = [e.counts for e in look.errors_of(status) if e.status_code in (429, 503)]
    hit = look.hit_ratio(counts, run.since_at)
    region = f" in {status.region}" if status.region else ""
    deployment = _deployment(status, load.deployment_name)
    lowered = _lowered(load, deployment, run)
    note = ", below its configured quota" if lowered else ""
    span = slice(max(run.first, run.last - 4), run.last + 1)
    refused = sum(aligned(load.throttled, load.requests.start_at, len(load.requests.values))[span])
    asked = sum(aligned(load.requests, load.requests.start_at, len(load.requests.values))[span])
    facts = [
        Fact(
            f"{percent(refused / asked if asked else 0.0)} of {load.deployment_name} calls refused (429)",
            METRICS,
            run.end_at,
        )
    ]
    facts += lowered
    facts += growth_facts(look, run.since_at)
    facts += [change_fact(c) for c in look.changes_of(status, run.since_at)]
    return Finding(
        symptom="quota",
        subject=status.name,
        title=f"PAYG quota of {load.deployment_name} reached at {status.name}{region}{note}",
        severity=severity_of(hit, Severity.WARNING),
        since_at=run.since_at,
        confidence=Evidence.OBSERVED,
        actions=_actions(look, status, run.since_at),
        hit_ratio=hit,
        evidence=tuple(facts),
        charts=(ChartRef("model-429", status.name), ChartRef("tokens", status.name), ChartRef("caller-429", "")),
        rank=RANK,
    )


def _deployment(status: BackendStatus, name: str) -> ModelDeployment | None:
    deployments = status.account.deployments if status.account is not None else ()
    return next((d for d in deployments if d.name == name), None)


def _lowered(load: ModelLoad, deployment: ModelDeployment | None, run: Run) -> list[Fact]:
    """What was let through, against what is configured, in minutes that refused; nothing when that fits together."""
    if deployment is None or not deployment.tokens_per_minute_limit:
        return []
    length = len(load.requests.values)
    start = load.requests.start_at
    tokens = aligned(load.tokens, start, length)
    served = [
        a - r
        for a, r in zip(aligned(load.requests, start, length), aligned(load.throttled, start, length), strict=True)
    ]
    span = range(run.first + (1 if run.minutes > 1 else 0), run.last + 1)
    most_tokens = max((tokens[i] for i in span), default=0.0)
    most_requests = max((served[i] for i in span), default=0.0)
    limit, calls = deployment.tokens_per_minute_limit, deployment.requests_per_minute_limit
    if most_tokens >= LOWERED_RATIO * limit or (calls and most_requests >= LOWERED_RATIO * calls):
        return []
    text = f"it refuses at {most_tokens:,.0f} of {limit:,} configured tokens a minute: the service lowered its limit"
    return [Fact(text, METRICS, run.end_at)]


def _actions(look: Look, status: BackendStatus, since_at: datetime) -> tuple[Action, ...]:
    actions: list[Action] = []
    room = look.roomiest(look.peers(status))
    if room is not None:
        pools = ", ".join(p.name for p in look.pools_of(status.name))
        actions.append(Action(ActionKind.DRAIN, f"Drain {status.name} from {pools}", status.name))
    if room is not None:
        actions.append(Action(ActionKind.BACKEND, f"Raise the weight of {room.name}", room.name))
    grown = next(iter(growth_facts(look, since_at)), None)
    if room is None and grown is not None:
        who = grown.text.split(" ", 1)[0]
        actions.append(Action(ActionKind.FRAGMENT, f"Limit {who} with a token limit", "limit-tokens"))
    actions.append(Action(ActionKind.ADVICE, f"Ask for more quota{' in ' + status.region if status.region else ''}"))
    return tuple(actions)
