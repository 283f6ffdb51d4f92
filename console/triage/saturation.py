"""PTU saturated: a provisioned deployment is full. Spilling when others serve what it refuses, failing when none does.

Source: "What is provisioned throughput", utilization enforcement: at 100 % it answers 429 until utilization falls;
bursts just above 100 % are admitted, so a full minute without a refusal is pressure and not yet harm.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import SATURATED_RATIO, THROTTLED_RATIO, Evidence, percent
from console.domain.load import BackendLoad
from console.domain.snapshot import BackendStatus
from console.triage.consumers import growth_facts
from console.triage.look import METRICS, Look, change_fact, is_drained, is_ptu
from console.triage.minutes import Run, aligned, find_run, flags, values_until
from console.triage.severity import severity_of

REFUSED_AT_LEAST = 3.0
"""Fewer refusals in a minute are a stray burst."""
OVERFULL_RATIO = 1.05
"""A whole minute above this is no burst."""
FULL_MINUTES = 2
"""So many full minutes in a row are saturation even when nothing is refused (native spillover, streaming)."""
RANK = 26


def find_saturated(look: Look) -> Iterator[Finding]:
    """One finding for every provisioned backend that is full."""
    for status in look.backends:
        load = status.load
        if not is_ptu(status) or load.metrics_until_at is None:
            continue
        if not _may_be_full(load):
            continue
        newest = values_until(load.model_throttled, load.metrics_until_at)[-2:]
        full = values_until(load.utilization, load.metrics_until_at)[-2:]
        if not any(v and v >= REFUSED_AT_LEAST for v in newest) and not any(v and v >= SATURATED_RATIO for v in full):
            continue
        run = _saturation(status)
        if run is not None and not is_drained(status):
            yield _finding(look, status, run)


def _may_be_full(load: BackendLoad) -> bool:
    """A quick look at the newest minutes: most backends of a large fleet are not full."""
    refused, used = load.model_throttled, load.utilization
    return (refused is not None and any(refused.values[-3:])) or (
        used is not None and any(v is not None and v >= SATURATED_RATIO for v in used.values[-3:])
    )


def _saturation(status: BackendStatus) -> Run | None:
    load, end = status.load, status.load.metrics_until_at
    base = load.utilization if load.utilization is not None else load.requests
    if end is None or base is None:
        return None
    length = len(values_until(base, end))
    used = aligned(load.utilization, base.start_at, length)
    asked, refused = (aligned(s, base.start_at, length) for s in (load.requests, load.model_throttled))
    refusing = flags(length, lambda i: refused[i] >= REFUSED_AT_LEAST and refused[i] >= asked[i] * THROTTLED_RATIO)
    full = flags(length, lambda i: used[i] >= SATURATED_RATIO)
    # A single full minute says nothing by itself; with a refusal, or a second one, it does. The minute before the
    # first refusals belongs to it when it was full already.
    spilled = _spilled(status, base.start_at, length)
    bad = flags(
        length,
        lambda i: (
            refusing[i]
            or (
                full[i]
                and (
                    spilled[i] > 0
                    or used[i] >= OVERFULL_RATIO
                    or full[i - 1 if i else 0]
                    or full[min(i + 1, length - 1)]
                )
            )
        ),
    )
    run = find_run(bad, base.start_at)
    if run is None or not (
        any(refusing[run.first :]) or run.bad >= FULL_MINUTES or max(used[run.first :]) >= OVERFULL_RATIO
    ):
        return None
    return run


def _spilled(status: BackendStatus, start_at: object, length: int) -> list[float]:
    total = [0.0] * length
    for deployment in status.load.deployments:
        if deployment.spilled_in is not None:
            for index, value in enumerate(aligned(deployment.spilled_in, start_at, length)):  # type: ignore[arg-type]
                total[index] += value
    return total


def _finding(look: Look, status: BackendStatus, run: Run) -> Finding:
    load = status.load
    hits = [s for s in (load.caller_throttled, load.gateway_refused) if s is not None]
    hit = look.hit_ratio(hits, run.since_at)
    region = f" in {status.region}" if status.region else ""
    refused = load.model_throttled_ratio.value or 0.0
    if hit is None:
        how = "refusing" if refused else "full"
    elif hit >= THROTTLED_RATIO:
        how = "failing callers"
    else:
        how = "spilling, callers OK" if refused else "full, callers OK"
    return Finding(
        symptom="saturated",
        subject=status.name,
        title=f"PTU {status.name} saturated{region}, {how}",
        severity=severity_of(hit, Severity.WARNING),
        since_at=run.since_at,
        confidence=Evidence.OBSERVED,
        actions=_actions(look, status, run),
        hit_ratio=hit,
        evidence=_evidence(look, status, run),
        charts=(
            ChartRef("utilization", status.name),
            ChartRef("model-429", status.name),
            ChartRef("caller-429", ""),
        ),
        rank=RANK,
    )


def _evidence(look: Look, status: BackendStatus, run: Run) -> tuple[Fact, ...]:
    load = status.load
    facts = []
    for figure, words in (
        (load.utilization_ratio, "utilization {}"),
        (load.model_throttled_ratio, "{} of its requests refused (model 429)"),
        (load.caller_throttled_ratio, "{} of its callers get a 429"),
    ):
        if figure.value is not None:
            facts.append(Fact(words.format(percent(figure.value)), figure.source, figure.observed_at))
    places = {m.pool_name for m in status.memberships}
    for pool in look.snapshot.pools:
        if pool.spilled_ratio and pool.pool.name in places:
            spilled = f"{percent(pool.spilled_ratio, 0)} of {pool.pool.name} is served behind its first priority"
            facts.append(Fact(spilled, METRICS, load.metrics_until_at))
    facts += growth_facts(look, run.since_at)
    return (*facts, *(change_fact(c) for c in look.changes_of(status, run.since_at)))


def _actions(look: Look, status: BackendStatus, run: Run) -> tuple[Action, ...]:
    actions: list[Action] = []
    change = next((c for c in look.changes_of(status, run.since_at) if c.verb == "written"), None)
    if change is not None:
        actions.append(Action(ActionKind.ADVICE, f"Look at {change.subject}: it was changed just before"))
    room = look.roomiest(p for p in look.peers(status) if is_ptu(p))
    if room is not None:
        used = room.load.utilization_ratio.value
        has = f" ({percent(used, 0)} used)" if used is not None else ""
        text = f"Leave {status.name} in its pool and move weight to {room.name}{has}, which has room"
        actions.append(Action(ActionKind.BACKEND, text, room.name))
    grown = next(iter(growth_facts(look, run.since_at)), None)
    if grown is not None:
        who = grown.text.split(" ", 1)[0]
        actions.append(Action(ActionKind.FRAGMENT, f"Limit {who} with a token limit", "limit-tokens"))
    if not actions:
        text = f"Add PTUs to {status.name}, or let more of its traffic go to pay-as-you-go"
        actions.append(Action(ActionKind.ADVICE, text))
    return tuple(actions)
