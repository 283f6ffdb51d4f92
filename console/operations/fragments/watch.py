"""After a deployment: what callers get, against the ten minutes before, until it is clear or a limit is broken.

Logs are late and gateway units load a configuration in their own time: requests of the first seconds are left out, and
nothing is judged on a handful of requests. A watch decides; whoever asked for it rolls back.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.azure.policy_traffic import CallerFigures
from console.clock import Clock
from console.domain.load import Window
from console.errors import ConsoleError, UsageError
from console.operations.writing import Pause

BASELINE_SECONDS = 600.0
SETTLE_SECONDS = 10.0
"""Assumed: how long after a write some unit may still serve what was before. No figure is published."""
LOOK_SECONDS = 10.0
FEWEST_REQUESTS = 20
LATE_SECONDS = 240.0
"""How much longer than asked for a watch waits for the first logged request."""
ERRORS_RISE = 0.02
THROTTLED_RISE = 0.05
LATENCY_FACTOR = 2.0
REFUSED_RATIO = 0.1
"""Where more than this was refused before, latencies of before are those of refusals: nothing to compare with."""
_RULE = re.compile(r"^(errors?|429s?|p95|p50)\s*>\s*(\d+(?:\.\d+)?)\s*(%|ms|s)$", re.IGNORECASE)
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|h)$")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: `figure` is "errors", "429s", "p50" or "p95"; `value` a ratio, or milliseconds."""

    figure: str
    value: float

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.figure}>{self.value:.1%}" if self.is_ratio else f"{self.figure}>{self.value / 1000:g}s"

    @property
    def is_ratio(self) -> bool:
        """Whether `value` is a share of requests."""
        return self.figure in ("errors", "429s")


@dataclass(frozen=True, slots=True)
class Watched:
    """How a watch ended. `breach` None: nothing broke. `latest` None: no request was seen."""

    baseline: CallerFigures
    latest: CallerFigures | None
    breach: str | None
    broken: Limit | None = None

    @property
    def text(self) -> str:
        """One sentence."""
        if self.breach is not None:
            return self.breach
        if self.latest is None or self.latest.requests < FEWEST_REQUESTS:
            seen = 0 if self.latest is None else self.latest.requests
            return f"Too little to judge: {seen} requests were logged since the deployment"
        return f"Nothing broke: {figures_text(self.latest)} after, {figures_text(self.baseline)} before"

    @property
    def is_conclusive(self) -> bool:
        """Whether enough requests were seen to say so."""
        return self.breach is not None or (self.latest is not None and self.latest.requests >= FEWEST_REQUESTS)


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Limits such as `errors>2%, 429s>5%, p95>3s`.

    Raises:
        UsageError: it is none; says what is.
    """
    limits = []
    for part in (p.strip() for p in text.split(",") if p.strip()):
        match = _RULE.match(part)
        figure = "" if match is None else match[1].lower()
        figure = {"error": "errors", "429": "429s"}.get(figure, figure)
        if match is None or (match[3] == "%") != (figure in ("errors", "429s")):
            raise UsageError(f"{part!r} is no limit", remedy="Write errors>2%, 429s>5%, p50>1s or p95>3000ms.")
        unit = {"%": 0.01, "s": 1000.0, "ms": 1.0}[match[3].lower()]
        limits.append(Limit(figure, float(match[2]) * unit))
    return tuple(limits)


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `5m` or `1h`.

    Raises:
        UsageError: it is none.
    """
    match = _DURATION.match(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no duration", remedy="Write 90s, 5m or 1h.")
    return float(match[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]


def usual_limits(baseline: CallerFigures) -> tuple[Limit, ...]:
    """What is worth stopping for when nothing was named: clearly worse than before."""
    limits = [
        Limit("errors", (baseline.error_ratio or 0.0) + ERRORS_RISE),
        Limit("429s", (baseline.throttled_ratio or 0.0) + THROTTLED_RISE),
    ]
    refused = (baseline.error_ratio or 0.0) + (baseline.throttled_ratio or 0.0)
    if baseline.p95_ms is not None and baseline.requests >= FEWEST_REQUESTS and refused < REFUSED_RATIO:
        limits.append(Limit("p95", baseline.p95_ms * LATENCY_FACTOR))
    return tuple(limits)


def broken_limit(figures: CallerFigures, limits: Sequence[Limit]) -> Limit | None:
    """The first limit that these figures break; None on too few requests to tell."""
    if figures.requests < FEWEST_REQUESTS:
        return None
    return next((limit for limit in limits if (_value(figures, limit.figure) or 0.0) > limit.value), None)


def _value(figures: CallerFigures, name: str) -> float | None:
    return {
        "errors": figures.error_ratio,
        "429s": figures.throttled_ratio,
        "p50": figures.p50_ms,
        "p95": figures.p95_ms,
    }[name]


def figures_text(figures: CallerFigures) -> str:
    """The figures in words; `–` where there is none."""

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}"

    p95 = "–" if figures.p95_ms is None else f"{figures.p95_ms / 1000:.1f} s"
    requests = f"{figures.requests} requests"
    return f"{requests}, errors {share(figures.error_ratio)}, 429s {share(figures.throttled_ratio)}, p95 {p95}"


FetchCallers = Callable[[Window], Awaitable[CallerFigures]]
OnLook = Callable[[CallerFigures, CallerFigures], None]
"""Told (before, since) after every look."""


async def watch_callers(
    fetch: FetchCallers,
    deployed_at: datetime,
    duration_seconds: float,
    limits: Sequence[Limit],
    clock: Clock,
    pause: Pause,
    on_look: OnLook = lambda before, since: None,
) -> Watched:
    """Look every few seconds until a limit breaks or the time is over. Without limits the usual ones hold.

    A look that fails is tried again at the next; the whole watch fails only when the last ones did.

    Raises:
        ConsoleError: the logs could not be queried to the end.
    """
    begun = deployed_at - timedelta(seconds=BASELINE_SECONDS)
    baseline = await fetch(Window(begun, deployed_at))
    held = tuple(limits) or usual_limits(baseline)
    since_at = deployed_at + timedelta(seconds=SETTLE_SECONDS)
    latest: CallerFigures | None = None
    failure: ConsoleError | None = None
    while True:
        now = clock.now()
        over = (now - deployed_at).total_seconds() >= duration_seconds
        try:
            latest = await fetch(Window(since_at, max(now, since_at + timedelta(seconds=1))))
            failure = None
            on_look(baseline, latest)
        except ConsoleError as error:
            failure = error
        if latest is not None and (broken := broken_limit(latest, held)) is not None:
            text = f"{broken.text} is broken since the deployment: {figures_text(latest)}"
            return Watched(baseline, latest, f"{text}; before: {figures_text(baseline)}", broken)
        judged = latest is not None and latest.requests >= FEWEST_REQUESTS
        late = (now - deployed_at).total_seconds() >= duration_seconds + LATE_SECONDS
        if over and (judged or late or baseline.requests == 0):
            if failure is not None:
                raise failure
            return Watched(baseline, latest, None)
        await pause(LOOK_SECONDS)
