"""What the backend screen says, section by section: from the domain to lines. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from console.domain.gateway import BackendKind, CircuitBreakerRule, ModelDeployment, Route, RouteKind
from console.domain.health import BUSY_UTILIZATION_RATIO, HealthState
from console.domain.load import Figure
from console.domain.snapshot import BackendStatus, GatewaySnapshot
from screens.figures import (
    Freshness,
    figure_cell,
    format_age,
    format_count,
    format_milliseconds,
    format_percent,
    format_seconds,
    format_share,
    format_time,
    tone_of_caller_throttled,
    tone_of_errors,
    tone_of_model_throttled,
    tone_of_utilization,
)
from screens.fleet.rows import KIND_WORDS, health_cell
from screens.spans import NO_DATA, Cell, Span, Tone, fit, join, or_dash, plain, shorten, visible, width_of, wrap
from screens.widgets.chart import Chart

WRAPPED_COLUMN = 24
"""A last column narrower than this is not worth wrapping into."""


def heading(text: str, width: int, note: str = "") -> Cell:
    """A section's title with a quiet line to the right edge."""
    note = shorten(note, max(0, width - len(text) - 4))
    spans = (Span(f" {text} ", Tone.HEAD), Span(f"{note} " if note else "", Tone.FAINT))
    return (*spans, Span("─" * max(0, width - width_of(spans) - 1), Tone.FAINT))


def table(titles: Sequence[str], rows: Sequence[Sequence[Cell]], width: int, right: Sequence[int] = ()) -> list[Cell]:
    """Rows under titles, nothing cut off: the last column wraps; where that does not do, every row is a sentence."""
    widths = [max([len(title), *(width_of(row[index]) for row in rows)]) for index, title in enumerate(titles)]
    room = width - 1 - 2 * len(titles)
    left_for_last = room - sum(widths[:-1])
    if left_for_last < min(widths[-1], WRAPPED_COLUMN):
        return [line for row in rows for line in _sentence(row, width)]
    widths[-1] = min(widths[-1], left_for_last)
    lines: list[Cell] = []
    indent = 1 + sum(widths[:-1]) + 2 * (len(titles) - 1)
    heads = [(Span(title, Tone.FAINT),) for title in titles]
    for row in (heads, *rows):
        spans: list[Span] = [Span(" ")]
        for index, cell in enumerate(row[:-1]):
            spans.extend((*fit(cell, widths[index], right=index in right), Span("  ")))
        last = row[-1]
        if len(titles) - 1 in right:
            last = fit(last, widths[-1], right=True)
        first, *more = wrap(last, widths[-1])
        lines.append((*spans, *first))
        lines.extend((Span(" " * indent), *line) for line in more)
    return lines


def _sentence(row: Sequence[Cell], width: int) -> list[Cell]:
    """A row as one sentence over as many lines as it takes."""
    said = [cell for cell in row if cell != NO_DATA]
    return wrap((Span(" "), *join(said, " · ")), width - 1, indent=3)


def identity_lines(status: BackendStatus, width: int) -> list[Cell]:
    """Name, kind, region, account and URL."""
    kind = KIND_WORDS[status.kind] if status.kind.value != "unknown" else "kind unknown"
    source = f" (from {status.kind_source})" if status.kind_source and width >= 100 else ""
    account = status.account.name if status.account else "no Azure OpenAI account found behind its URL"
    title = status.backend.title
    parts: list[Cell] = [
        plain(status.name, Tone.STRONG),
        (Span(kind, Tone.PLAIN), Span(source, Tone.FAINT)),
        plain(status.region, Tone.QUIET) if status.region else (),
        plain(account, Tone.QUIET if status.account else Tone.WARN),
        plain(title, Tone.QUIET) if title and title != status.name else (),
    ]
    lines = wrap((Span(" "), *join(parts, " · ")), width - 1, indent=1, max_lines=3)
    return [*lines, (Span(" "), Span(shorten(visible(status.backend.url), width - 2), Tone.FAINT))]


def health_lines(status: BackendStatus, width: int) -> list[Cell]:
    """State, since when, how it is known, and every reason with its figures."""
    health = status.health
    since = f" since {format_time(health.since_at)}" if health.since_at else ""
    known = "" if health.state is HealthState.UNKNOWN else f" · {health.evidence.value}"
    how = known + (f", {visible(health.source)}" if health.source else "")
    first = (Span(" "), *health_cell(health), Span(since), Span(how, Tone.QUIET))
    lines = wrap(first, width - 1, indent=3)
    for reason in health.reasons:
        lines.extend(wrap((Span("   · ", Tone.FAINT), Span(visible(reason))), width - 1, indent=5))
    return lines


def figure_rows(status: BackendStatus, freshness: Freshness) -> list[tuple[Cell, Cell, Cell, Cell]]:
    """Name, value, source and age of every figure."""
    load = status.load
    listed: tuple[tuple[str, Figure, Callable[[float], str], Callable[[float], Tone] | None], ...] = (
        ("utilization", load.utilization_ratio, format_percent, tone_of_utilization),
        ("requests/min", load.requests_per_minute, format_count, None),
        ("429 by the model", load.model_throttled_ratio, format_share, tone_of_model_throttled),
        ("429 to callers", load.caller_throttled_ratio, format_share, tone_of_caller_throttled),
        ("errors", load.error_ratio, format_share, tone_of_errors),
        ("latency p95", load.latency_p95_ms, format_milliseconds, None),
        ("tokens/min", load.tokens_per_minute, format_count, None),
    )
    rows = []
    for name, figure, render, tone in listed:
        age = figure.age_seconds(freshness.now)
        tone_of_age = Tone.WARN if freshness.is_stale(figure) else Tone.QUIET
        rows.append(
            (
                (Span(name),),
                figure_cell(figure, render, freshness, tone, room=0),
                or_dash(figure.source, Tone.QUIET),
                NO_DATA if age is None else (Span(f"{format_age(age)} old", tone_of_age),),
            )
        )
    return rows


def figures_section(status: BackendStatus, freshness: Freshness, width: int) -> list[Cell]:
    """Every figure with its source and its age."""
    rows = figure_rows(status, freshness)
    return [heading("FIGURES", width), *table(("figure", "now", "source", "age"), rows, width, right=(1, 3))]


_WITHOUT_UTILIZATION = {
    BackendKind.PAYG: "not measured for pay-as-you-go",
    BackendKind.UNKNOWN: "kind unknown",
}


def charts(status: BackendStatus) -> list[Chart]:
    """The hour as charts: requests, utilization, both 429s, tokens, failures. All counts are per minute."""
    load = status.load
    return [
        Chart("Requests", "/min", load.requests, format_count),
        Chart(
            "Utilization",
            "of capacity",
            load.utilization,
            format_percent,
            limit=1.0,
            warn_from=BUSY_UTILIZATION_RATIO,
            missing=_WITHOUT_UTILIZATION.get(status.kind, "no data"),
        ),
        Chart("429 by the model", "/min", load.model_throttled, format_count, tone=Tone.WARN),
        Chart("429 to callers", "/min", load.caller_throttled, format_count, tone=Tone.HARM),
        Chart("Tokens", "/min", load.tokens, format_count),
        Chart("Failed answers", "/min", load.failed, format_count, tone=Tone.HARM),
    ]


def breaker_sentence(rule: CircuitBreakerRule) -> str:
    """One rule in words."""
    if rule.failure_count is not None:
        amount = "1 failure" if rule.failure_count == 1 else f"{rule.failure_count} failures"
    elif rule.failure_percentage is not None:
        amount = f"{rule.failure_percentage} % failures"
    else:
        amount = "an unknown number of failures"
    codes = ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in rule.status_code_ranges)
    what = [f"status {codes}"] if codes else []
    what += [visible(reason) for reason in rule.error_reasons]
    retry = "the answer's Retry-After when there is one, else " if rule.accept_retry_after else ""
    return (
        f"{visible(rule.name)}: trips on {amount} ({' or '.join(what) or 'no status named'}) within "
        f"{format_seconds(rule.interval_seconds)}; stays open for {retry}{format_seconds(rule.trip_duration_seconds)}"
    )


def breaker_section(status: BackendStatus, width: int) -> list[Cell]:
    """The breaker's rules; whether it is open is nowhere readable, and that is said."""
    lines = [heading("CIRCUIT BREAKER", width, "state can only be inferred")]
    if not status.backend.breaker:
        return [*lines, *wrap(plain(" none: a pool never skips this backend", Tone.WARN), width - 1, indent=1)]
    for rule in status.backend.breaker:
        lines.extend(wrap((Span(f" {breaker_sentence(rule)}"),), width - 1, indent=3))
    return lines


def capacity_words(deployment: ModelDeployment) -> str:
    """Capacity with its unit: PTUs, or thousands of tokens a minute."""
    if deployment.capacity is None:
        return "–"
    if deployment.is_provisioned:
        return f"{deployment.capacity:,} PTU"
    return f"{deployment.capacity:,}k tokens/min"


def limits_words(deployment: ModelDeployment) -> str:
    """Rate limits Azure reports."""
    parts = []
    if deployment.tokens_per_minute_limit is not None:
        parts.append(f"{format_count(deployment.tokens_per_minute_limit)} tokens")
    if deployment.requests_per_minute_limit is not None:
        parts.append(f"{format_count(deployment.requests_per_minute_limit)} req")
    return " · ".join(parts) + "/min" if parts else "–"


def deployments_section(status: BackendStatus, width: int) -> list[Cell]:
    """The model deployments of the account behind the backend."""
    lines = [heading("MODEL DEPLOYMENTS", width)]
    if status.account is None:
        return [*lines, plain(" unknown: the URL leads to no account that was found", Tone.QUIET)]
    if not status.account.deployments:
        return [*lines, plain(" none on this account", Tone.QUIET)]
    rows = []
    for d in status.account.deployments:
        state_tone = Tone.QUIET if d.provisioning_state == "Succeeded" else Tone.WARN
        rows.append(
            (
                plain(d.name),
                plain(f"{d.model_name} {d.model_version}", Tone.QUIET),
                plain(d.sku_name),
                plain(capacity_words(d)),
                plain(limits_words(d), Tone.QUIET),
                plain(d.provisioning_state, state_tone),
                or_dash(d.spillover_deployment_name, Tone.QUIET),
            )
        )
    titles = ("deployment", "model, version", "SKU", "capacity", "limits", "state", "spills to")
    keep = len(titles) if any(d.spillover_deployment_name for d in status.account.deployments) else len(titles) - 1
    return [*lines, *table(titles[:keep], [row[:keep] for row in rows], width)]


def errors_section(status: BackendStatus, width: int, now: datetime) -> list[Cell]:
    """What failed lately, by reason, the most frequent first."""
    lines = [heading("RECENT ERRORS", width, "what callers got, from gateway logs")]
    errors = sorted(status.load.errors, key=lambda e: -e.count)
    if not errors:
        return [*lines, plain(" none seen", Tone.QUIET)]
    rows = []
    for e in errors:
        age = f"{format_age(max(0.0, (now - e.last_at).total_seconds()))} ago" if e.last_at else "–"
        tone = Tone.HARM if e.status_code >= 500 else Tone.WARN
        rows.append(
            (
                (Span(f"{e.count:,}", Tone.STRONG),),
                (Span(str(e.status_code) if e.status_code else "none", tone),),
                or_dash(e.reason),
                (Span(age, Tone.QUIET),),
                or_dash(e.message, Tone.QUIET),
            )
        )
    return [*lines, *table(("count", "status", "reason", "last", "message"), rows, width, right=(0,))]


def route_words(route: Route) -> str:
    """Where the route is written."""
    return route.document + (f" line {route.line}" if route.line is not None else "")


def routes_section(snapshot: GatewaySnapshot, status: BackendStatus, width: int) -> list[Cell]:
    """Every way requests come here: pools with priority and weight and what leads to them, and direct routes."""
    lines = [heading("ROUTES", width)]
    rows: list[tuple[Cell, Cell, Cell]] = []
    for membership in status.memberships:
        place = [f"priority {membership.priority}" if membership.priority is not None else "default priority"]
        place.append(f"weight {membership.weight}" if membership.weight is not None else "default weight")
        leading = [r for r in status.routes if r.target == membership.pool_name and r.kind is not RouteKind.POOL]
        rows.append((plain(f"pool {membership.pool_name}"), plain(", ".join(place), Tone.QUIET), _leads(leading)))
    for route in status.routes:
        if route.target != status.name or route.kind is RouteKind.POOL:
            continue
        notes = ["names it directly, pools are bypassed"]
        if route.is_expression:
            notes.append("computed at run time")
        if not route.is_drain_aware:
            notes.append("not drain-aware")
        rows.append((plain(route_words(route), Tone.WARN), plain(", ".join(notes), Tone.QUIET), _used_by(route)))
    if not rows:
        return [*lines, plain(" no route leads here", Tone.QUIET)]
    return [*lines, *table(("through", "how", "used by"), rows, width)]


def _leads(routes: Sequence[Route]) -> Cell:
    if not routes:
        return (Span("no policy names this pool", Tone.QUIET),)
    words = [route_words(r) + (f" ({', '.join(r.used_by)})" if _adds(r) else "") for r in routes]
    return plain("; ".join(words), Tone.QUIET)


def _adds(route: Route) -> bool:
    """Whether the users of a route say more than its document does."""
    return bool(route.used_by) and route.document not in {f"api {name}" for name in route.used_by}


def _used_by(route: Route) -> Cell:
    return plain(", ".join(route.used_by), Tone.QUIET) if route.used_by else plain("nobody", Tone.QUIET)
