"""Health as a state with reasons, and how sure we are.

The state says what to expect of a backend now. Breaker state is nowhere readable in Azure, so Tripped is always
inferred.
A probe that fails from here never outranks logs that show answers: the network between console and backend is not
the one between gateway and backend.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from console.domain.gateway import BackendKind, CircuitBreakerRule
from console.domain.history import WINDOW_MINUTES, last_minutes
from console.domain.load import BackendLoad, Series, mean, ratio


class HealthState(StrEnum):
    """Worst first is not their order; `SEVERITY` ranks them."""

    HEALTHY = "Healthy"
    BUSY = "Busy"
    THROTTLED = "Throttled"
    FAILING = "Failing"
    TRIPPED = "Tripped"
    UNREACHABLE = "Unreachable"
    DRAINING = "Draining"
    DRAINED = "Drained"
    IDLE = "Idle"
    UNKNOWN = "Unknown"


class Evidence(StrEnum):
    """How a state is known."""

    OBSERVED = "observed"
    EVENT = "event"
    INFERRED = "inferred"


SEVERITY: dict[HealthState, int] = {
    HealthState.FAILING: 6,
    HealthState.UNREACHABLE: 5,
    HealthState.TRIPPED: 4,
    HealthState.THROTTLED: 3,
    HealthState.BUSY: 2,
    HealthState.UNKNOWN: 1,
    HealthState.DRAINING: 1,
    HealthState.DRAINED: 0,
    HealthState.IDLE: 0,
    HealthState.HEALTHY: 0,
}
"""How much a state asks for attention, 0 to 6."""

BUSY_UTILIZATION_RATIO = 0.9
"""A provisioned deployment at or above this is Busy: the next burst is refused."""

THROTTLED_RATIO = 0.02
"""A pay-as-you-go backend that refuses this share of its requests is Throttled."""

FAILING_RATIO = 0.05
"""A backend whose answers fail (5xx, no answer, denied, missing model) by this share is Failing."""


@dataclass(frozen=True, slots=True)
class Health:
    """`reasons` are short sentences with figures, most telling first; `source` names what was read."""

    state: HealthState
    reasons: tuple[str, ...] = ()
    evidence: Evidence = Evidence.OBSERVED
    source: str = ""
    since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at a host from where the console runs. `status_code` None: no HTTP answer, `error` says why.

    `answered_at` is when it answered last, `failing_since_at` the first of the looks in a row that got no answer.
    """

    at: datetime
    status_code: int | None
    error: str | None = None
    milliseconds: float | None = None
    answered_at: datetime | None = None
    failing_since_at: datetime | None = None

    @property
    def answered(self) -> bool:
        """Any HTTP answer proves the network path; 401 and 403 are answers too."""
        return self.status_code is not None

    def after(self, earlier: Probe | None) -> Probe:
        """This look with what earlier ones at the same host tell."""
        if self.answered:
            return replace(self, answered_at=self.at)
        if earlier is None:
            return replace(self, failing_since_at=self.at)
        return replace(self, answered_at=earlier.answered_at, failing_since_at=earlier.failing_since_at or self.at)


SATURATED_RATIO = 0.95
"""A minute in which a provisioned deployment is this full, or refuses, is a saturated minute."""

TRIPPED_RATIO = 0.1
"""Requests falling below this share of what they were, after failures its breaker counts, suggest an open breaker."""

_MINIMUM_REQUESTS_PER_MINUTE = 3.0
"""Below this, a fall to nothing says nothing about a breaker."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of one backend when its health is judged.

    `drain`: "recorded" or "listed" when it is drained on purpose, "" otherwise; `drain_note`: what somebody should know
    about its drain (overwritten, interrupted, expired). `has_metrics`, `has_logs`: whether that source has answered for
    this backend's window, even with nothing in it. `why_unknown`: what to say when neither has; `why_not_found`: why
    its URL leads to no account.
    """

    kind: BackendKind
    load: BackendLoad
    breaker: tuple[CircuitBreakerRule, ...] = ()
    probe: Probe | None = None
    drain: str = ""
    drain_note: str = ""
    has_metrics: bool = False
    has_logs: bool = False
    why_unknown: str = ""
    why_not_found: str = ""


def percent(value: float, digits: int = 1) -> str:
    """A ratio as people write it: `34.1 %`; whole numbers from 10 % up when `digits` is 0."""
    return f"{value * 100:.{digits}f} %"


def assess(signals: Signals) -> Health:
    """The state of one backend. Intent first, then harm, then pressure; what is inferred says so."""
    health = _assess(signals)
    return replace(health, reasons=(signals.drain_note, *health.reasons)) if signals.drain_note else health


def _assess(signals: Signals) -> Health:
    load = signals.load
    requests = load.requests_per_minute.value
    if signals.drain:
        return _drained(signals, requests)
    if not signals.has_metrics and not signals.has_logs:
        return _without_data(signals)
    for judge in (_tripped, _failing, _pressed):
        health = judge(signals)
        if health is not None:
            return _with_probe(health, signals.probe)
    if not requests:
        return _quiet(signals)
    refused = load.model_throttled_ratio.value
    reasons = [f"{requests:.0f} requests a minute" + ("" if refused is None else f", {percent(refused)} refused")]
    if load.utilization_ratio.value is not None and signals.kind is BackendKind.PTU:
        reasons.append(f"utilization {percent(load.utilization_ratio.value, 0)}")
    return _with_probe(Health(HealthState.HEALTHY, tuple(reasons), Evidence.OBSERVED, _source(load)), signals.probe)


def _source(load: BackendLoad) -> str:
    sources = (load.model_throttled_ratio.source, load.caller_throttled_ratio.source)
    return ", ".join(dict.fromkeys(s for s in sources if s))


def _drained(signals: Signals, requests: float | None) -> Health:
    """Draining until observed traffic proves more; that proof needs every backend's figures and is added later."""
    recorded = "a drain is recorded on the gateway" if signals.drain == "recorded" else "listed in drained-backends"
    if requests is None:
        arrives = "traffic is not known"
    elif requests > 0:
        arrives = f"{requests:.1f} requests a minute in the last {WINDOW_MINUTES} minutes"
    else:
        arrives = f"no requests in the last {WINDOW_MINUTES} minutes"
        if signals.drain == "listed":
            return Health(HealthState.DRAINED, (recorded, arrives), Evidence.EVENT, "named values")
    return Health(HealthState.DRAINING, (recorded, arrives), Evidence.EVENT, "named values")


def _without_data(signals: Signals) -> Health:
    probe = signals.probe
    if probe is not None and not probe.answered:
        return Health(
            HealthState.UNREACHABLE,
            (f"unreachable from here: {probe.error or 'no answer'}",),
            Evidence.OBSERVED,
            "probe",
        )
    why = signals.why_unknown or "neither metrics nor logs have answered yet"
    told = (signals.why_not_found, *([signals.why_unknown] if signals.why_unknown else []))
    return Health(HealthState.UNKNOWN, told if signals.why_not_found else (why,), source="")


def _quiet(signals: Signals) -> Health:
    probe = signals.probe
    if probe is not None and not probe.answered:
        reason = f"unreachable from here: {probe.error or 'no answer'}; and nothing shows that it serves"
        return Health(HealthState.UNREACHABLE, (reason,), Evidence.OBSERVED, "probe")
    reasons = (signals.why_not_found, f"no requests in {WINDOW_MINUTES} minutes")
    return Health(HealthState.IDLE, tuple(r for r in reasons if r), Evidence.OBSERVED, _source(signals.load))


def _with_probe(health: Health, probe: Probe | None) -> Health:
    if probe is None or probe.answered:
        return health
    note = f"unreachable from here ({probe.error or 'no answer'}), though the gateway gets answers"
    return Health(health.state, (*health.reasons, note), health.evidence, health.source, health.since_at)


def _failing(signals: Signals) -> Health | None:
    load = signals.load
    by_callers = max(0.0, (load.error_ratio.value or 0.0) - (gateway_refused_ratio(load) or 0.0))
    window = load.requests_per_minute.window
    by_model, parts = 0.0, []
    if window is not None and load.deployments:
        requests = sum(d.requests.total(window) or 0 for d in load.deployments)
        for label, name in (("5xx", "failed"), ("401/403", "denied"), ("404", "missing")):
            count = sum(getattr(d, name).total(window) or 0 for d in load.deployments)
            if count and requests:
                by_model += count / requests
                parts.append(f"{count:.0f} x {label}")
    if max(by_callers, by_model) < FAILING_RATIO:
        return None
    if by_callers >= by_model:
        named = [
            f"{e.count} x {e.status_code}" + (f" {e.reason}" if e.reason else "")
            for e in load.errors
            if e.status_code != 429 and not e.is_refusal_of_the_gateway
        ]
        reasons = [f"{percent(by_callers)} of its callers' requests fail", *named[:3]]
        source = load.error_ratio.source
    else:
        reasons = [f"{percent(by_model)} of its answers are errors", *parts]
        source = load.model_throttled_ratio.source
    return Health(HealthState.FAILING, tuple(reasons), Evidence.OBSERVED, source)


def gateway_refused_ratio(load: BackendLoad) -> float | None:
    """Share of this backend's callers whom the gateway told that nobody is left to ask; None when nothing is known."""
    window, series = load.caller_throttled_ratio.window, load.gateway_refused
    if window is None or series is None or load.caller_requests is None:
        return None
    return ratio(series.total(window), load.caller_requests.total(window))


def native_spill_ratio(load: BackendLoad) -> float | None:
    """Share of an account's requests that its spillover deployment served; None when it has none, or no requests."""
    window = load.requests_per_minute.window
    spilled = [d.spilled_in.total(window) for d in load.deployments if d.spilled_in is not None and window is not None]
    if window is None or not spilled:
        return None
    return ratio(sum(s or 0.0 for s in spilled), sum(d.requests.total(window) or 0.0 for d in load.deployments))


def _tripped(signals: Signals) -> Health | None:
    """An open breaker is nowhere readable: it is inferred from failures it counts, then a fall of requests."""
    load, series = signals.load, signals.load.requests
    window = load.requests_per_minute.window
    if not signals.breaker or series is None or window is None or len(series.values) < 2 * WINDOW_MINUTES:
        return None
    rule = signals.breaker[0]
    last = series.within(last_minutes(window.end_at, 2))
    before_window = last_minutes(window.end_at - timedelta(minutes=2), 10)
    before = mean(v or 0.0 for v in series.within(before_window))
    if (
        before is None
        or before < _MINIMUM_REQUESTS_PER_MINUTE
        or sum(v or 0.0 for v in last) / 2 > before * TRIPPED_RATIO
    ):
        return None
    reach = max(rule.interval_seconds, rule.trip_duration_seconds) / 60 + 3
    recent = last_minutes(window.end_at, max(3, round(reach)))
    failures = 0.0
    if rule.counts(429) and load.model_throttled is not None:
        failures += load.model_throttled.total(recent) or 0.0
    if any(rule.counts(status) for status in (500, 502, 503, 504)) and load.failed is not None:
        failures += load.failed.total(recent) or 0.0
    if failures < (rule.failure_count or 1):
        return None
    return Health(
        HealthState.TRIPPED,
        (
            f"requests fell from {before:.0f} a minute to almost none after {failures:.0f} failures its breaker counts",
            f"rule {rule.name or 'without a name'}: open for {rule.trip_duration_seconds:.0f} s"
            + (" or as long as the backend asks" if rule.accept_retry_after else ""),
        ),
        Evidence.INFERRED,
        _source(load),
        since_at=window.end_at - timedelta(minutes=2),
    )


def _pressed(signals: Signals) -> Health | None:
    load = signals.load
    refused = load.model_throttled_ratio.value or 0.0
    used = load.utilization_ratio.value
    hurt = load.caller_throttled_ratio.value or 0.0
    since = saturated_since(load)
    source = load.model_throttled_ratio.source
    if signals.kind is BackendKind.PTU:
        if used is None or used < BUSY_UTILIZATION_RATIO:
            if refused < THROTTLED_RATIO:
                return None
            return Health(
                HealthState.THROTTLED, (f"{percent(refused)} refused (429)",), Evidence.OBSERVED, source, since
            )
        reasons = [f"utilization {percent(used, 0)}"]
        if refused:
            reasons.append(f"{percent(refused)} refused (429)")
        spilled = native_spill_ratio(load) or 0.0
        if spilled:
            reasons.append(f"{percent(spilled)} served by its spillover deployment")
        nobody = gateway_refused_ratio(load) or 0.0
        if nobody >= THROTTLED_RATIO:
            reasons.append(f"for {percent(nobody)} of its callers nobody was left to ask (503)")
            return Health(HealthState.THROTTLED, tuple(reasons), Evidence.OBSERVED, source, since)
        if hurt >= THROTTLED_RATIO:
            reasons.append(f"{percent(hurt)} of its callers get a 429")
            return Health(HealthState.THROTTLED, tuple(reasons), Evidence.OBSERVED, source, since)
        if refused:
            reasons.append("what it refuses is served elsewhere")
        return Health(HealthState.BUSY, tuple(reasons), Evidence.OBSERVED, source, since)
    if refused >= THROTTLED_RATIO:
        return Health(HealthState.THROTTLED, (f"{percent(refused)} refused (429)",), Evidence.OBSERVED, source, since)
    if used is not None and used >= BUSY_UTILIZATION_RATIO:
        reason = f"{percent(used, 0)} of its token limit used"
        return Health(HealthState.BUSY, (reason,), Evidence.INFERRED, load.utilization_ratio.source)
    return None


def saturated_since(load: BackendLoad) -> datetime | None:
    """The first minute of the saturation that still lasts; None when the last known minutes are not saturated.

    A minute counts when the deployment is full or refuses at least 2 %; single quieter minutes do not end it.
    """
    window = load.requests_per_minute.window
    if window is None:
        return None
    index = window.end_at - timedelta(minutes=1)
    first: datetime | None = None
    quiet = 0
    while quiet <= 2:
        saturated = _is_saturated(load, index)
        if saturated is None:
            break
        if saturated:
            first, quiet = index, 0
        else:
            quiet += 1
        index -= timedelta(minutes=1)
    return first


def _is_saturated(load: BackendLoad, minute: datetime) -> bool | None:
    """None when nothing is known of that minute."""
    used, requests, refused = (_at(s, minute) for s in (load.utilization, load.requests, load.model_throttled))
    if used is None and requests is None:
        return None
    if used is not None and used >= SATURATED_RATIO:
        return True
    return bool(requests) and (refused or 0.0) / requests >= THROTTLED_RATIO if requests else False


def _at(series: Series | None, minute: datetime) -> float | None:
    if series is None:
        return None
    index = round((minute - series.start_at).total_seconds() / 60)
    return series.values[index] if 0 <= index < len(series.values) else None
