"""Putting a drained backend back: exactly as recorded, beside whatever others changed meanwhile.

Pools first, the list next, the record last: as long as the record stands, any console can go on. What somebody changed
in between is shown and kept, never overwritten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from console.azure.entities import Entities, RawEntity
from console.azure.pool_document import find_member, services_of, with_member, with_services
from console.clock import Clock
from console.errors import Conflict, ConsoleError, NotFound
from console.operations.drain.execute import POOL_TRIES, require_nothing_else_changed
from console.operations.drain.gateway_state import (
    OnStep,
    StandingRecord,
    Step,
    advance_record,
    fetch_record,
    list_drained,
)
from console.operations.drain.record import DrainRecord, PoolPlace, RecordState
from console.operations.writing import Writer

GRADUAL_RATIOS = (0.1, 0.5)
"""Shares of the recorded weight on the way back, before the whole of it."""


class PlaceState(StrEnum):
    """What a restore finds in one pool."""

    PUT_BACK = "put back"
    ALREADY_BACK = "already back"
    CHANGED = "back with other values"
    POOL_GONE = "pool gone"


@dataclass(frozen=True, slots=True)
class PlaceRestore:
    """One pool's part of the plan. `needs_decision`: somebody changed something, theirs is kept."""

    pool_name: str
    state: PlaceState
    text: str

    @property
    def needs_decision(self) -> bool:
        """Whether an operator should see this before agreeing."""
        return self.state in (PlaceState.CHANGED, PlaceState.POOL_GONE)


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would do, pool by pool."""

    record: DrainRecord
    places: tuple[PlaceRestore, ...]

    @property
    def decisions(self) -> tuple[PlaceRestore, ...]:
        """What somebody else changed meanwhile."""
        return tuple(p for p in self.places if p.needs_decision)


Watch = Callable[[str], Awaitable[str | None]]
"""Watches callers after a step of a gradual restore; returns why to halt, or None to go on."""


async def fetch_restore_plan(entities: Entities, backend_name: str) -> RestorePlan:
    """Read the record and the pools and say what a restore would do.

    Raises:
        NotFound: the backend is not being drained.
        ConsoleError: Azure refused or nobody answered.
    """
    standing = await fetch_record(entities, backend_name)
    if standing is None:
        raise NotFound(f"{backend_name} has no drain record", remedy="Look at `drains`.")
    places = []
    for place in standing.record.places:
        pool = await entities.get(f"backends/{place.pool_name}")
        places.append(plan_place(standing.record, place, pool))
    return RestorePlan(standing.record, tuple(places))


def plan_place(record: DrainRecord, place: PoolPlace, pool: RawEntity | None) -> PlaceRestore:
    """What to do about one pool. Pure."""
    if pool is None:
        return PlaceRestore(
            place.pool_name, PlaceState.POOL_GONE, "the pool was deleted meanwhile: nothing to put back"
        )
    index = find_member(pool, record.backend_name)
    if index is None:
        return PlaceRestore(place.pool_name, PlaceState.PUT_BACK, f"back {_in_words(place.item)}")
    entry = services_of(pool)[index]
    if dict(entry) == dict(place.item):
        return PlaceRestore(place.pool_name, PlaceState.ALREADY_BACK, "it is back already, as recorded")
    if is_own_step(record, place, entry):
        return PlaceRestore(place.pool_name, PlaceState.PUT_BACK, f"from {_in_words(entry)} to {_in_words(place.item)}")
    text = f"somebody put it back {_in_words(entry)} (recorded: {_in_words(place.item)}): theirs is kept"
    return PlaceRestore(place.pool_name, PlaceState.CHANGED, text)


def is_own_step(record: DrainRecord, place: PoolPlace, entry: Mapping[str, Any]) -> bool:
    """Whether an entry is what a gradual restore of ours wrote on the way (any of its steps)."""
    if record.state is not RecordState.RESTORING or record.step_ratio is None:
        return False
    return any(dict(entry) == _at_ratio(place.item, ratio) for ratio in GRADUAL_RATIOS)


def _at_ratio(item: Mapping[str, Any], ratio: float) -> dict[str, Any]:
    weight = item.get("weight")
    return {**item, "weight": max(1, round(weight * ratio))} if isinstance(weight, int) else dict(item)


def _in_words(item: Mapping[str, Any]) -> str:
    def shown(value: Any) -> str:
        return "–" if value is None else str(value)

    return f"at priority {shown(item.get('priority'))}, weight {shown(item.get('weight'))}"


async def execute_restore(
    backend_name: str,
    writer: Writer,
    clock: Clock,
    on_step: OnStep = lambda step: None,
    *,
    watch: Watch | None = None,
) -> RestorePlan:
    """Put the backend back and forget the drain. Also finishes a restore that was left unfinished.

    `watch`: go back gradually, in steps of the recorded weight, watching after each.

    Raises:
        NotFound: the backend is not being drained.
        ConsoleError: a write failed, or `watch` said to halt: the record stands, restore again to go on.
    """
    standing = await fetch_record(writer.entities, backend_name)
    if standing is None:
        raise NotFound(f"{backend_name} has no drain record", remedy="Look at `drains`.")
    standing = await advance_record(writer, standing, RecordState.RESTORING)
    done: dict[str, PlaceRestore] = {}
    for ratio in (*GRADUAL_RATIOS, None) if watch is not None else (None,):
        if ratio is not None:
            standing = await advance_record(writer, standing, RecordState.RESTORING, step_ratio=ratio)
        for place in standing.record.places:
            outcome = await _put_back(standing.record, place, writer, ratio)
            done.setdefault(place.pool_name, outcome)
            on_step(Step(f"{place.pool_name}: {outcome.text}", clock.now()))
        if (
            ratio is not None
            and watch is not None
            and (trouble := await watch(f"{ratio:.0%} of its weight")) is not None
        ):
            raise ConsoleError(
                f"The gradual restore of {backend_name} halted at {ratio:.0%} of its weight: {trouble}",
                remedy="Restore again to go on, or drain it again.",
            )
    await _forget(standing, writer, clock, on_step)
    return RestorePlan(standing.record, tuple(done.values()))


async def _forget(standing: StandingRecord, writer: Writer, clock: Clock, on_step: OnStep) -> None:
    if await list_drained(writer, standing.record.backend_name, listed=False):
        on_step(Step("taken off drained-backends", clock.now()))
    await writer.delete(standing.path, before=standing.entity)
    on_step(Step("drain record deleted", clock.now()))


async def _put_back(record: DrainRecord, place: PoolPlace, writer: Writer, ratio: float | None) -> PlaceRestore:
    path = f"backends/{place.pool_name}"
    item = dict(place.item) if ratio is None else _at_ratio(place.item, ratio)
    for _ in range(POOL_TRIES):
        pool = await writer.entities.get(path)
        outcome = plan_place(record, place, pool)
        if outcome.state is not PlaceState.PUT_BACK or pool is None:
            return outcome
        index = find_member(pool, record.backend_name)
        if index is None:
            body = with_member(pool, item, index=place.index, before=place.before, behind=place.behind)
        else:
            entries = services_of(pool)
            if dict(entries[index]) == item:
                return outcome
            body = with_services(pool, [item if i == index else entry for i, entry in enumerate(entries)])

        def has_item(found: RawEntity) -> bool:
            at = find_member(found, record.backend_name)
            return at is not None and services_of(found)[at].get("weight") == item.get("weight")

        try:
            written = await writer.put(path, body, before=pool, landed=has_item)
        except Conflict:
            continue  # somebody else edited the pool: put it back into what they wrote
        require_nothing_else_changed(body, written, path)
        return outcome
    raise Conflict(f"Pool {place.pool_name} keeps being changed by somebody else", where=path, remedy="Restore again.")


async def discard_claim(backend_name: str, writer: Writer) -> None:
    """Delete the record of a drain that changed nothing yet (a claim whose console died).

    Raises:
        ConsoleError: there is no such claim, or it cannot be deleted.
    """
    standing = await fetch_record(writer.entities, backend_name)
    if standing is None or standing.record.state is not RecordState.CLAIMING:
        raise ConsoleError(f"{backend_name} has no abandoned claim", remedy="Look at `drains`.")
    await writer.delete(standing.path, before=standing.entity)
