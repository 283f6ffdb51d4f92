"""The first line: what is wrong, for whom, since when. Pure, and the same words for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from console.domain.gateway import BackendKind
from console.domain.health import FAILING_RATIO, THROTTLED_RATIO, HealthState, native_spill_ratio, percent
from console.domain.snapshot import WAITING, BackendStatus, CallersStatus, Drain, Level, PoolStatus, Problem, Verdict

SPILL_WORTH_SAYING = 0.005
ERRORS_WORTH_SAYING = 0.005
LOST_RATIO = 0.5
"""A backend that fails half of its callers' requests hurts them, however few they are among all."""
OLD_SECONDS = 300.0
"""Caller figures older than this are said with their time."""


def pass_verdict(
    backends: Sequence[BackendStatus],
    pools: Sequence[PoolStatus],
    callers: CallersStatus | None,
    *,
    gateway_known: bool,
    problems: Sequence[Problem] = (),
    drains: Sequence[Drain] = (),
    now: datetime | None = None,
) -> Verdict:
    """The verdict over everything known.

    Critical: callers are hurt. Warning: a backend needs a look, callers are not hurt. Unknown: too little is known.
    """
    if not gateway_known:
        if not problems:
            return WAITING
        return Verdict(Level.UNKNOWN, f"The gateway is not known yet: {problems[0].what}")
    if not backends:
        return Verdict(Level.UNKNOWN, "The gateway has no backends: nothing leads to a model yet")
    parts: list[str] = []
    saturated = [b for b in backends if is_saturated(b)]
    since = min((b.health.since_at for b in saturated if b.health.since_at), default=None)
    if saturated:
        parts.append(_saturation(saturated, since))
        parts += [text for text in (_native_spill(saturated), _spill(pools, saturated, backends)) if text]
    for state, phrase in _PHRASES:
        named = [b for b in backends if b.health.state is state and b not in saturated]
        if named:
            parts.append(f"{_listed([b.name for b in named])} {phrase}" + _detail(named))
            since = since or min((b.health.since_at for b in named if b.health.since_at), default=None)
    parts += [_drain_in_need(drain) for drain in drains if drain.needs_attention]
    leaving = [b.name for b in backends if b.health.state is HealthState.DRAINING]
    if leaving:
        # What was wrong before a drain is wrong until figures show that the drain took effect.
        parts.append(f"{_listed(leaving)} draining, effect not visible yet")
    hurt = _are_callers_hurt(callers, backends)
    slow = [(b.name, slowness) for b in backends if (slowness := _slowness_of(b))]
    parts += [f"{name} {text}" for name, text in slow]
    unknown = sum(b.health.state is HealthState.UNKNOWN for b in backends)
    if unknown == len(backends) and hurt is None:
        standing = [_drain_in_need(drain) for drain in drains if drain.needs_attention]
        return Verdict(
            Level.UNKNOWN, " · ".join([*standing, "No metrics and no logs have answered yet for any backend"])
        )
    if not parts:
        parts.append(_calm(backends, unknown))
        level = Level.OK if hurt is False else Level.UNKNOWN
    else:
        level = Level.WARNING
    parts.append(_callers(callers, hurt, backends, now))
    return Verdict(Level.CRITICAL if hurt else level, " · ".join(parts), since)


def _drain_in_need(drain: Drain) -> str:
    return f"drain of {drain.backend_name} {'expired' if drain.condition == 'in place' else drain.condition}"


_PHRASES = (
    (HealthState.FAILING, "failing"),
    (HealthState.UNREACHABLE, "unreachable"),
    (HealthState.TRIPPED, "probably tripped"),
    (HealthState.THROTTLED, "throttled"),
)


def is_saturated(status: BackendStatus) -> bool:
    """Whether a provisioned backend is full and turns requests away: the state that makes traffic spill."""
    refused = status.load.model_throttled_ratio.value or 0.0
    spilled = native_spill_ratio(status.load) or 0.0
    return (
        status.kind is BackendKind.PTU
        and status.health.state in (HealthState.BUSY, HealthState.THROTTLED)
        and (refused >= THROTTLED_RATIO or spilled >= SPILL_WORTH_SAYING)
    )


def _saturation(saturated: Sequence[BackendStatus], since: datetime | None) -> str:
    regions = sorted({b.region for b in saturated if b.region})
    text = "PTU saturated"
    if since is not None:
        text += f" since {since:%H:%M}"
    if regions:
        text += f" in {_listed(regions)}"
    return f"{text} ({_listed([b.name for b in saturated])})"


def _native_spill(saturated: Sequence[BackendStatus]) -> str:
    """What Azure OpenAI's own spillover takes: no 429 shows it, and no breaker trips on it."""
    shares = [(share, b.name) for b in saturated if (share := native_spill_ratio(b.load) or 0.0) >= SPILL_WORTH_SAYING]
    return ", ".join(f"{percent(share, 0)} of {name} spills inside its account" for share, name in sorted(shares)[::-1])


def _spill(pools: Sequence[PoolStatus], saturated: Sequence[BackendStatus], backends: Sequence[BackendStatus]) -> str:
    names = {b.name for b in saturated}
    concerned = [p for p in pools if p.spilled_ratio is not None and names & {m.backend_name for m in p.members}]
    if not concerned:
        return ""
    worst = max(concerned, key=lambda p: (p.spilled_ratio or 0.0, p.pool.name))
    if (worst.spilled_ratio or 0.0) < SPILL_WORTH_SAYING:
        return "" if any(native_spill_ratio(b.load) for b in saturated) else "nothing spills"
    first = min((m.priority or 0) for m in worst.members)
    behind = {m.backend_name for m in worst.members if (m.priority or 0) > first}
    kinds = {b.kind for b in backends if b.name in behind}
    target = "PAYG" if kinds == {BackendKind.PAYG} else "the next priority"
    return f"{percent(worst.spilled_ratio or 0.0, 0)} of {worst.pool.name} spills to {target}"


def _detail(named: Sequence[BackendStatus]) -> str:
    return f" ({named[0].health.reasons[0]})" if len(named) == 1 and named[0].health.reasons else ""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _calm(backends: Sequence[BackendStatus], unknown: int) -> str:
    if all(b.health.state is HealthState.IDLE for b in backends):
        return "No request reaches a backend"
    busy = [b for b in backends if b.health.state is HealthState.BUSY]
    if busy:
        return f"{_listed([b.name for b in busy])} busy, refusing nothing"
    drained = [b.name for b in backends if b.health.state is HealthState.DRAINED]
    if drained:
        return f"{_listed(drained)} drained, the others healthy"
    if unknown:
        return f"{len(backends) - unknown} of {len(backends)} backends known, nothing wrong with them"
    return f"All {len(backends)} backends healthy" if len(backends) > 1 else f"{backends[0].name} healthy"


def _slowness_of(status: BackendStatus) -> str:
    return next((reason for reason in status.health.reasons if reason.startswith("slow: ")), "")


def _are_callers_hurt(callers: CallersStatus | None, backends: Sequence[BackendStatus]) -> bool | None:
    """Whether callers in all, or all callers of one backend, are refused or failed. None when nothing is known."""
    if callers is None or callers.throttled_ratio.value is None:
        return None
    if callers.throttled_ratio.value >= THROTTLED_RATIO or (callers.error_ratio.value or 0.0) >= FAILING_RATIO:
        return True
    return any((b.load.error_ratio.value or 0.0) >= LOST_RATIO for b in backends)


def _callers(
    callers: CallersStatus | None, hurt: bool | None, backends: Sequence[BackendStatus], now: datetime | None
) -> str:
    if hurt is None or callers is None or callers.throttled_ratio.value is None:
        if callers is not None and callers.requests_per_minute.value == 0:
            return "no caller asks anything"
        return "callers unknown"
    figures = f"{percent(callers.throttled_ratio.value)} 429"
    errors = callers.error_ratio.value or 0.0
    if errors >= ERRORS_WORTH_SAYING:
        figures += f", {percent(errors)} errors" + _mostly(callers)
    lost = [b.name for b in backends if (b.load.error_ratio.value or 0.0) >= LOST_RATIO]
    whose = f" of {_listed(lost)}" if lost and errors < FAILING_RATIO else ""
    age = callers.throttled_ratio.age_seconds(now) if now is not None else None
    at = callers.throttled_ratio.observed_at
    when = f" at {at:%H:%M}" if age is not None and at is not None and age > OLD_SECONDS else ""
    return f"callers{whose} {'HURT' if hurt else 'OK'}{when} ({figures})"


def _mostly(callers: CallersStatus) -> str:
    """The most frequent error when it is most of them."""
    failures = [e for e in callers.errors if e.status_code >= 500 or e.backend_status_code in (401, 403, 404)]
    if not failures or failures[0].count * 2 < sum(e.count for e in failures):
        return ""
    return f", mostly {failures[0].status_code}" + (f" {failures[0].reason}" if failures[0].reason else "")
