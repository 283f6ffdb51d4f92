"""Which backends the fleet shows and in which order: filter, sort, groups. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from console.domain.gateway import RouteKind
from console.domain.health import SEVERITY
from console.domain.load import Figure
from console.domain.snapshot import BackendStatus, GatewaySnapshot, Membership, PoolStatus
from screens.spans import visible

SortValue = float | str | None


@dataclass(frozen=True, slots=True)
class SortKey:
    """A way to sort: the column it belongs to, the Shift+letter, and whether the greatest comes first."""

    column: str
    letter: str
    words: str
    value: Callable[[BackendStatus], SortValue]
    is_descending: bool = True


def _age(status: BackendStatus) -> SortValue:
    figures = (status.load.utilization_ratio, status.load.requests_per_minute, status.load.caller_throttled_ratio)
    known = [_observed(figure) for figure in figures]
    return -min((value for value in known if value is not None), default=0.0)


def _observed(figure: Figure) -> float | None:
    return None if figure.observed_at is None else figure.observed_at.timestamp()


def _first_priority(status: BackendStatus) -> SortValue:
    return min((float(m.priority) for m in status.memberships if m.priority is not None), default=None)


def _first_weight(status: BackendStatus) -> SortValue:
    return max((float(m.weight) for m in status.memberships if m.weight is not None), default=None)


SORT_KEYS = (
    SortKey("backend", "N", "name", lambda b: b.name.casefold(), False),
    SortKey("kind", "K", "kind", lambda b: b.kind.value, True),
    SortKey("pool", "O", "pool", lambda b: b.memberships[0].pool_name.casefold() if b.memberships else None, False),
    SortKey("priority", "I", "priority", _first_priority, False),
    SortKey("weight", "W", "weight", _first_weight),
    SortKey("health", "H", "health, worst first", lambda b: float(SEVERITY[b.health.state])),
    SortKey("utilization", "U", "utilization", lambda b: b.load.utilization_ratio.value),
    SortKey("requests", "R", "requests", lambda b: b.load.requests_per_minute.value),
    SortKey("model_throttled", "M", "429s of models", lambda b: b.load.model_throttled_ratio.value),
    SortKey("caller_throttled", "C", "429s callers got", lambda b: b.load.caller_throttled_ratio.value),
    SortKey("errors", "E", "errors", lambda b: b.load.error_ratio.value),
    SortKey("latency", "P", "p95 latency", lambda b: b.load.latency_p95_ms.value),
    SortKey("tokens", "T", "tokens", lambda b: b.load.tokens_per_minute.value),
    SortKey("age", "A", "age of data", _age),
)
"""Every sortable column."""

SORT_BY_COLUMN = {key.column: key for key in SORT_KEYS}


@dataclass(frozen=True, slots=True)
class Group:
    """Backends under one heading. `pool` is set for pools; `member_of` gives the membership to show."""

    key: str
    title: str
    backends: tuple[BackendStatus, ...]
    pool: PoolStatus | None = None

    def membership(self, status: BackendStatus) -> Membership | None:
        """The backend's place in this group's pool, None outside pools."""
        if self.pool is None:
            return None
        return next((m for m in status.memberships if m.pool_name == self.pool.pool.name), None)


def matches(status: BackendStatus, pattern: str) -> bool:
    """Whether all words of the pattern are found in what the row says; a word behind `!` must not be found.

    Looked into: name, kind, pools, health, region, host and the documents of its routes. Letter case does not matter.
    """
    words = pattern.casefold().split()
    if not words:
        return True
    haystack = "\n".join(
        (
            status.name,
            status.kind.value,
            status.health.state.value,
            status.region or "",
            status.backend.host,
            *(m.pool_name for m in status.memberships),
            *(r.document for r in status.routes),
        )
    ).casefold()
    return all((word[1:] not in haystack) if len(word) > 1 and word[0] == "!" else word in haystack for word in words)


def sort_backends(
    backends: Iterable[BackendStatus], column: str | None, is_reversed: bool = False
) -> list[BackendStatus]:
    """Sorted by a column, its natural direction first; without a column by priority, then name. No data comes last."""
    listed = sorted(backends, key=lambda b: (_default_order(b), b.name.casefold()))
    if column is None:
        return listed
    key = SORT_BY_COLUMN[column]
    known = [(key.value(status), status) for status in listed]
    with_value = [pair for pair in known if pair[0] is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=key.is_descending != is_reversed)  # type: ignore[arg-type,return-value]
    return [status for _, status in with_value] + [status for value, status in known if value is None]


def _default_order(status: BackendStatus) -> float:
    priority = _first_priority(status)
    return float(priority) if isinstance(priority, float) else float("inf")


def group_backends(
    snapshot: GatewaySnapshot, shown: Sequence[BackendStatus], column: str | None, is_reversed: bool = False
) -> list[Group]:
    """The shown backends by pool, in the gateway's order; those outside pools under what routes to them.

    A backend in two pools stands under both; a drained one stays under the pools it comes back to. Groups without shown
    backends are left out, except empty pools when nothing was filtered away.
    """
    ordered = sort_backends(shown, column, is_reversed)
    is_whole = len(shown) == len(snapshot.backends)
    groups: list[Group] = []
    by_pool: dict[str, list[BackendStatus]] = {}
    drained_from = {drain.backend_name: drain.pool_names for drain in snapshot.drains}
    for status in ordered:
        names = (*(m.pool_name for m in status.memberships), *drained_from.get(status.name, ()))
        for pool_name in dict.fromkeys(names):
            by_pool.setdefault(pool_name, []).append(status)
    for pool in snapshot.pools:
        name = pool.pool.name
        members = by_pool.get(name, [])
        if column is None:
            members.sort(key=lambda b: _member_order(b, name))
        if members or is_whole:
            groups.append(Group(f"pool:{name}", name, tuple(members), pool))
    outside: dict[str, list[BackendStatus]] = {}
    for status in ordered:
        if not status.memberships and not drained_from.get(status.name):
            outside.setdefault(route_title(status), []).append(status)
    groups.extend(Group(f"route:{visible(title)}", title, tuple(members)) for title, members in sorted(outside.items()))
    return groups


def _member_order(status: BackendStatus, pool_name: str) -> tuple[float, str]:
    membership = next((m for m in status.memberships if m.pool_name == pool_name), None)
    priority = membership.priority if membership is not None else None
    return (float(priority) if priority is not None else float("inf"), status.name.casefold())


def route_title(status: BackendStatus) -> str:
    """The documents that name the backend itself, `no route` when there is none."""
    documents = sorted({r.document for r in status.routes if r.kind is not RouteKind.POOL and r.target == status.name})
    return ", ".join(documents) if documents else "no route"
