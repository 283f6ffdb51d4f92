"""Plans, steps and outcomes of drains in words and as JSON documents. Pure.

Ratios are 0 to 1, times ISO 8601 in UTC, and what is not known is null in JSON and `–` in words, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from console.azure.senders import Sender
from console.domain.gateway import PoolMember, Route
from console.domain.health import percent
from console.domain.proof import Proof
from console.domain.snapshot import Drain, GatewaySnapshot
from console.operations.drain.gateway_state import Step
from console.operations.drain.plan import DrainPlan
from console.operations.drain.predict import SurvivorLoad
from console.operations.drain.prove import Outcome, describe_route
from console.operations.drain.restore import RestorePlan
from console.operations.guards import Guard, GuardVerdict

MARKS = {GuardVerdict.PASSED: "✓", GuardVerdict.WARNING: "!", GuardVerdict.REFUSED: "✗"}
NOTHING = "–"


# -- in words --------------------------------------------------------------------------------------------------


def plan_lines(plan: DrainPlan) -> list[str]:
    """The plan as lines: routes before and after, survivors, guards."""
    arriving = NOTHING if plan.requests_per_minute is None else f"{plan.requests_per_minute:.0f}"
    lines = [f"Drain {plan.backend_name}: {arriving} requests a minute arrive now", "", "Routes"]
    rows = [(name, before, after) for name, before, after in route_rows(plan)]
    width = max((len(name) for name, _, _ in rows), default=0)
    lines += [f"  {name:<{width}}  {before}  ->  {after}" for name, before, after in rows] or ["  none was found"]
    lines += ["", "Survivors, now -> predicted"]
    lines += [f"  {survivor_text(s)}" for s in plan.prediction.survivors] or ["  nobody takes traffic over"]
    lines += [f"  ? {text}" for text in plan.prediction.unknown]
    lines += ["", "Guards"]
    lines += [f"  {MARKS[g.verdict]} {guard_word(g)}{g.text}" for g in plan.guards]
    return lines


def route_rows(plan: DrainPlan) -> list[tuple[str, str, str]]:
    """(route, before, after) of everything that leads to the backend."""
    rows = []
    for change in plan.changes:
        priority = change.own.priority
        same = [m for m in change.before if m.priority == priority]
        rest = [m for m in change.after if m.priority == priority]
        where = change.pool_name + ("" if priority is None else f" priority {priority}")
        left = f"only priority {_priorities(change.after)}" if change.after else "no member"
        rows.append((where, _members(same), _members(rest) or left))
    rows += [(_document(r), "names it directly", "heeds drained-backends") for r in plan.aware_routes]
    rows += [(_document(r), "names it directly", "not drain-aware: that traffic stays") for r in plan.bypassing_routes]
    return rows


def _document(route: Route) -> str:
    return route.document + (f" line {route.line}" if route.line is not None else "")


def _members(members: Sequence[PoolMember]) -> str:
    return ", ".join(m.backend_name + ("" if m.weight is None else f" {m.weight}") for m in members)


def _priorities(members: Sequence[PoolMember]) -> str:
    return ", ".join(str(p) for p in sorted({m.priority for m in members if m.priority is not None})) or NOTHING


def guard_word(guard: Guard) -> str:
    """The word beside the glyph; nothing where it passed."""
    return {GuardVerdict.PASSED: "", GuardVerdict.WARNING: "warning: ", GuardVerdict.REFUSED: "refused: "}[
        guard.verdict
    ]


def survivor_text(load: SurvivorLoad) -> str:
    """`payg-swedencentral gpt-4o: 31 % -> 58 % of its limit`."""
    limit = "of its capacity" if load.kind.value == "ptu" else "of its limit"
    change = f"{_ratio(load.now_ratio)} -> {_ratio(load.predicted_ratio)}"
    return f"{load.backend_name} {load.deployment_name}: {change} {limit}"


def _ratio(value: float | None) -> str:
    return NOTHING if value is None else percent(value, 0)


def outcome_lines(outcome: Outcome) -> list[str]:
    """What observed traffic says, who still sends, and through which documents."""
    lines = [outcome.text]
    lines += [f"  {sender_text(s)}" for s in outcome.senders]
    if outcome.senders_unknown:
        lines.append(f"  who sends is not known: {outcome.senders_unknown}")
    lines += [f"  {describe_route(r)} names it directly and does not heed drains" for r in outcome.bypassing]
    return lines


def sender_text(sender: Sender) -> str:
    """`app-support-bot through legacy-chat: 33 requests`."""
    return f"{sender.subscription or 'no subscription'} through {sender.api or 'no API'}: {sender.requests} requests"


def restore_lines(plan: RestorePlan) -> list[str]:
    """What a restore would do, pool by pool, with what somebody else changed marked."""
    record = plan.record
    lines = [f"Restore {record.backend_name}: drained by {record.owner} since {record.started_at:%Y-%m-%d %H:%M}Z"]
    lines += [f"  {'!' if p.needs_decision else '✓'} {p.pool_name}: {p.text}" for p in plan.places]
    return lines if plan.places else [*lines, "  no pool held it: it is taken off drained-backends"]


# -- as documents ----------------------------------------------------------------------------------------------


def plan_document(plan: DrainPlan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "backend": plan.backend_name,
        "planned_at": moment(plan.planned_at),
        "requests_per_minute": plan.requests_per_minute,
        "pools": [
            {
                "name": change.pool_name,
                "before": [_member(m) for m in change.before],
                "after": [_member(m) for m in change.after],
            }
            for change in plan.changes
        ],
        "drain_aware_routes": [route_document(r) for r in plan.aware_routes],
        "bypassing_routes": [route_document(r) for r in plan.bypassing_routes],
        "survivors": [
            {
                "backend": s.backend_name,
                "deployment": s.deployment_name,
                "kind": s.kind.value,
                "now_ratio": _rounded(s.now_ratio),
                "predicted_ratio": _rounded(s.predicted_ratio),
            }
            for s in plan.prediction.survivors
        ],
        "unplaced_tokens_per_minute": _rounded(plan.prediction.unplaced_tokens_per_minute),
        "unknown": list(plan.prediction.unknown),
        "guards": [
            {"name": g.name, "verdict": g.verdict.value, "text": g.text, "can_be_forced": g.is_forceable}
            for g in plan.guards
        ],
        "is_refused": bool(plan.refusals),
        "can_be_forced": bool(plan.refusals) and plan.can_be_forced,
    }


def _member(member: PoolMember) -> dict[str, Any]:
    return {"backend": member.backend_name, "priority": member.priority, "weight": member.weight}


def route_document(route: Route) -> dict[str, Any]:
    """One route for programs."""
    return {
        "kind": route.kind.value,
        "document": route.document,
        "line": route.line,
        "used_by": list(route.used_by),
    }


def proof_document(proof: Proof) -> dict[str, Any]:
    """What each source shows."""
    return {
        "is_drained": proof.is_drained,
        "text": proof.text,
        "sources": [
            {
                "source": s.source,
                "complete_until": moment(s.complete_until),
                "quiet_minutes": s.quiet_minutes,
                "requests_last_minute": s.requests_last_minute,
            }
            for s in proof.sources
        ],
    }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """The end of waiting."""
    return {
        "ending": outcome.ending.value,
        "text": outcome.text,
        "seconds": round(outcome.seconds, 1),
        "proof": proof_document(outcome.proof),
        "still_sending": [
            {
                "api": s.api or None,
                "subscription": s.subscription or None,
                "requests": s.requests,
                "last_at": moment(s.last_at),
            }
            for s in outcome.senders
        ],
        "still_sending_unknown": outcome.senders_unknown or None,
        "bypassing_routes": [route_document(r) for r in outcome.bypassing],
    }


def restore_document(plan: RestorePlan) -> dict[str, Any]:
    """A restore, planned or done."""
    return {
        "backend": plan.record.backend_name,
        "drained_by": plan.record.owner,
        "pools": [
            {"name": p.pool_name, "state": p.state.value, "text": p.text, "changed_by_others": p.needs_decision}
            for p in plan.places
        ],
    }


def step_document(step: Step) -> dict[str, Any]:
    """One step taken."""
    return {"what": step.what, "at": moment(step.at)}


def drain_document(drain: Drain, snapshot: GatewaySnapshot) -> dict[str, Any]:
    """One drain as it stands, with its backend's health."""
    status = snapshot.backend(drain.backend_name)
    return {
        "backend": drain.backend_name,
        "owner": drain.owner,
        "reason": drain.reason,
        "started_at": moment(drain.started_at),
        "applied_at": moment(drain.applied_at),
        "expires_at": moment(drain.expires_at),
        "is_expired": drain.is_expired,
        "record_state": drain.state,
        "condition": drain.condition,
        "text": drain.text,
        "needs_attention": drain.needs_attention,
        "health": None if status is None else status.health.state.value,
        "reasons": [] if status is None else list(status.health.reasons),
    }


def unrecorded(snapshot: GatewaySnapshot) -> tuple[str, ...]:
    """Backends that `drained-backends` lists although no drain record stands."""
    recorded = {drain.backend_name for drain in snapshot.drains}
    listed = snapshot.gateway.drained_backends if snapshot.gateway is not None else ()
    return tuple(name for name in listed if name not in recorded)


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, None for none."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
