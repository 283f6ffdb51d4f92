"""The fleet's rows: from the domain to cells. Pure: no widget, no clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from console.domain.gateway import BackendKind
from console.domain.health import THROTTLED_RATIO, Health, HealthState
from console.domain.load import Figure
from console.domain.snapshot import BackendStatus, GatewaySnapshot, Membership, PoolStatus
from screens.figures import (
    Freshness,
    age_cell,
    figure_cell,
    format_count,
    format_milliseconds,
    format_percent,
    format_share,
    sparkline,
    tone_of_caller_throttled,
    tone_of_errors,
    tone_of_model_throttled,
    utilization_cell,
)
from screens.fleet.arrange import Group
from screens.fleet.columns import Layout
from screens.spans import NO_DATA, Cell, Span, Tone, plain, shorten_middle, tint, visible
from screens.table import GridRow

HEALTH_GLYPHS: dict[HealthState, tuple[str, Tone]] = {
    HealthState.HEALTHY: ("●", Tone.GOOD),
    HealthState.BUSY: ("◐", Tone.WARN),
    HealthState.THROTTLED: ("◑", Tone.WARN),
    HealthState.FAILING: ("✖", Tone.HARM),
    HealthState.TRIPPED: ("⊘", Tone.WARN),
    HealthState.UNREACHABLE: ("╳", Tone.WARN),
    HealthState.DRAINING: ("◌", Tone.ACCENT),
    HealthState.DRAINED: ("○", Tone.QUIET),
    HealthState.IDLE: ("·", Tone.QUIET),
    HealthState.UNKNOWN: ("?", Tone.QUIET),
}
"""A shape and a word for every state; the colour only repeats them."""

POOL_GLYPHS: dict[str, tuple[str, Tone]] = {
    "healthy": ("●", Tone.GOOD),
    "spilling": ("◐", Tone.WARN),
    "throttled": ("◑", Tone.WARN),
    "failing": ("✖", Tone.HARM),
    "exhausted": ("✖", Tone.HARM),
    "idle": ("·", Tone.QUIET),
    "unknown": ("?", Tone.QUIET),
}

GLYPH_ONLY_BELOW = 6
"""A health column narrower than this has no room for a word."""

KIND_WORDS = {BackendKind.PTU: "PTU", BackendKind.PAYG: "PAYG", BackendKind.UNKNOWN: "–"}


def health_cell(health: Health, room: int | None = None) -> Cell:
    """Glyph and word, the glyph alone in little `room`; the word is toned only where something asks for attention."""
    glyph, tone = HEALTH_GLYPHS[health.state]
    if room is not None and room < GLYPH_ONLY_BELOW:
        return (Span(glyph, tone),)
    word_tone = Tone.PLAIN if tone is Tone.GOOD else tone
    return Span(f"{glyph} ", tone), Span(health.state.value, word_tone)


def kind_cell(kind: BackendKind) -> Cell:
    """PTU stands out a little: it is the capacity already paid for."""
    tone = {BackendKind.PTU: Tone.STRONG, BackendKind.PAYG: Tone.PLAIN}.get(kind, Tone.FAINT)
    return (Span(KIND_WORDS[kind], tone),)


def pool_state_cell(pool: PoolStatus, room: int | None = None) -> Cell:
    """Glyph and word of a pool, the glyph alone in little `room`; red as soon as its callers are refused."""
    glyph, tone = POOL_GLYPHS.get(pool.state, ("?", Tone.QUIET))
    if tone is Tone.WARN and (pool.caller_throttled_ratio or 0.0) >= THROTTLED_RATIO:
        tone = Tone.HARM
    if room is not None and room < GLYPH_ONLY_BELOW:
        return (Span(glyph, tone),)
    return Span(f"{glyph} ", tone), Span(visible(pool.state), Tone.PLAIN if tone is Tone.GOOD else tone)


def pools_cell(memberships: Sequence[Membership], width: int) -> Cell:
    """The first pool and how many more."""
    if not memberships:
        return (Span("not in a pool", Tone.FAINT),)
    more = f" +{len(memberships) - 1}" if len(memberships) > 1 else ""
    name = shorten_middle(visible(memberships[0].pool_name), max(1, width - len(more)))
    return Span(name), Span(more, Tone.QUIET)


def number_cell(value: int | None) -> Cell:
    """A configured whole number, `–` when Azure's default holds."""
    return NO_DATA if value is None else (Span(str(value), Tone.QUIET),)


def name_cell(name: str, width: int, indent: str = "") -> Cell:
    """A backend's name, its middle left out when it is too long."""
    return (Span(indent + shorten_middle(visible(name), max(1, width - len(indent)))),)


def backend_cells(
    status: BackendStatus, layout: Layout, freshness: Freshness, membership: Membership | None, indent: str = ""
) -> dict[str, Cell]:
    """All cells of one backend for the columns that are laid out."""
    load = status.load
    place = membership or (status.memberships[0] if status.memberships else None)
    cells: dict[str, Cell] = {
        "backend": name_cell(status.name, layout.width_of("backend"), indent),
        "kind": kind_cell(status.kind),
        "pool": pools_cell(status.memberships, layout.width_of("pool")),
        "priority": number_cell(place.priority if place else None),
        "weight": number_cell(place.weight if place else None),
        "health": health_cell(status.health, layout.width_of("health")),
        "utilization": utilization_cell(load.utilization_ratio, freshness, layout.width_of("utilization")),
    }
    for key, figure, render, tone in (
        ("requests", load.requests_per_minute, format_count, None),
        ("model_throttled", load.model_throttled_ratio, format_share, tone_of_model_throttled),
        ("caller_throttled", load.caller_throttled_ratio, format_share, tone_of_caller_throttled),
        ("errors", load.error_ratio, format_share, tone_of_errors),
        ("latency", load.latency_p95_ms, format_milliseconds, None),
        ("tokens", load.tokens_per_minute, format_count, None),
    ):
        width = layout.width_of(key)
        if width:
            cells[key] = figure_cell(figure, render, freshness, tone, room=width)
    if trend_width := layout.width_of("trend"):
        cells["trend"] = sparkline(load.requests, trend_width, load.model_throttled)
    if layout.width_of("age"):
        cells["age"] = age_cell(row_figures(status), freshness)
    return cells


def row_figures(status: BackendStatus) -> tuple[Figure, ...]:
    """The figures whose age the row's age speaks of."""
    load = status.load
    return (
        load.utilization_ratio,
        load.requests_per_minute,
        load.model_throttled_ratio,
        load.caller_throttled_ratio,
        load.error_ratio,
        load.latency_p95_ms,
        load.tokens_per_minute,
    )


def group_cells(group: Group, layout: Layout, freshness: Freshness, is_folded: bool) -> dict[str, Cell]:
    """The cells of a heading: a pool with its state and sums, or what routes to backends outside pools.

    A pool is as old as the oldest figure of its members. Sums over stale figures are as dim as the figures.
    """
    width = max(1, layout.width_of("backend") - 2)
    count = f" {len(group.backends)}" if is_folded else ""
    title = shorten_middle(visible(group.title), max(1, width - len(count)))
    cells: dict[str, Cell] = {
        "backend": (
            Span("▸ " if is_folded else "▾ ", Tone.QUIET),
            Span(title, Tone.STRONG),
            Span(count, Tone.QUIET),
        )
    }
    pool = group.pool
    if pool is None:
        cells["health"] = plain("outside pools" if group.title != "no route" else "not routed", Tone.QUIET)
        return cells
    cells["health"] = pool_state_cell(pool, layout.width_of("health"))
    if pool.spilled_ratio and layout.width_of("utilization") >= len("100% spills"):
        cells["utilization"] = (Span(f"{format_percent(pool.spilled_ratio)} spills", Tone.WARN),)
    if pool.requests_per_minute is not None:
        bound = "≤" if pool.is_upper_bound else ""
        cells["requests"] = (Span(bound + format_count(pool.requests_per_minute), Tone.STRONG),)
    if pool.model_throttled_ratio is not None:
        tone = tone_of_model_throttled(pool.model_throttled_ratio)
        cells["model_throttled"] = (Span(format_share(pool.model_throttled_ratio), tone),)
    if pool.caller_throttled_ratio is not None:
        tone = tone_of_caller_throttled(pool.caller_throttled_ratio)
        cells["caller_throttled"] = (Span(format_share(pool.caller_throttled_ratio), tone),)
    if pool.latency_p95_ms is not None:
        cells["latency"] = (Span(format_milliseconds(pool.latency_p95_ms)),)
    if (trend_width := layout.width_of("trend")) and pool.requests is not None:
        cells["trend"] = sparkline(pool.requests, trend_width)
    if layout.width_of("age"):
        cells["age"] = age_cell([figure for status in group.backends for figure in row_figures(status)], freshness)
    if any(freshness.is_stale(status.load.requests_per_minute) for status in group.backends):
        sums = ("utilization", "requests", "model_throttled", "caller_throttled", "latency")
        cells.update({key: tint(cells[key], Tone.STALE) for key in sums if key in cells})
    return cells


class RowCache:
    """Rows as they were last made, to make again only those of which something changed.

    A row depends on its backend, its place, the layout, its mark, how the feeds fare and the words of its ages.
    """

    def __init__(self) -> None:
        self._layout: Layout | None = None
        self._feeds: object = None
        self._known: dict[str, tuple[BackendStatus, object, GridRow]] = {}

    def enter(self, layout: Layout, freshness: Freshness) -> None:
        """Begin a round: another layout or other feeds make every row anew."""
        feeds = {name: (feed.is_late, feed.last_error is not None) for name, feed in freshness.feeds.items()}
        if layout != self._layout or feeds != self._feeds:
            self._known.clear()
            self._layout, self._feeds = layout, feeds

    def row(
        self, key: str, status: BackendStatus, place: Membership | None, freshness: Freshness, marked: bool, indent: str
    ) -> GridRow:
        """The row of one backend, the one from before when nothing of it changed."""
        ages = {freshness.age_words(f.observed_at) for f in row_figures(status) if f.observed_at is not None}
        rest = (place, marked, ages)
        known = self._known.get(key)
        if known is not None and (known[0] is status or known[0] == status) and known[1] == rest:
            return known[2]
        assert self._layout is not None
        row = GridRow(key, backend_cells(status, self._layout, freshness, place, indent), is_marked=marked)
        self._known[key] = (status, rest, row)
        return row


def fleet_rows(
    groups: Sequence[Group] | None,
    flat: Sequence[BackendStatus],
    layout: Layout,
    freshness: Freshness,
    folded: Collection[str] = (),
    marked: Collection[str] = (),
    cache: RowCache | None = None,
) -> list[GridRow]:
    """The grid's rows: groups with their members, or `flat` when `groups` is None.

    A backend may stand in two groups, so its key is the group's (empty when flat), a line break, and its name.
    """
    cache = cache or RowCache()
    cache.enter(layout, freshness)
    if groups is None:
        return [cache.row(f"\n{b.name}", b, None, freshness, b.name in marked, "") for b in flat]
    rows: list[GridRow] = []
    for group in groups:
        is_folded = group.key in folded
        cells = group_cells(group, layout, freshness, is_folded)
        rows.append(GridRow(group.key, cells, is_group=True, is_markable=False))
        if not is_folded:
            rows.extend(
                cache.row(f"{group.key}\n{b.name}", b, group.membership(b), freshness, b.name in marked, "  ")
                for b in group.backends
            )
    return rows


def longest_name(snapshot: GatewaySnapshot, is_grouped: bool) -> int:
    """The widest backend cell there is, to lay out columns by."""
    names = [len(visible(status.name)) for status in snapshot.backends]
    if not is_grouped:
        return max(names, default=0)
    titles = [len(visible(pool.pool.name)) for pool in snapshot.pools]
    return 2 + max((*names, *titles), default=0)
