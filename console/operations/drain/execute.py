"""Draining for real: record, list, pools, each write guarded and verified, each survivable.

Order is safety: the record first, so that whatever kills this console leaves a drain that any console sees; then the
list our fragments heed; then the pools, one by one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from console.azure.entities import RawEntity
from console.azure.pool_document import differences, find_member, member_name, place_of, services_of, without_member
from console.clock import Clock
from console.errors import Conflict, ConsoleError, GuardRefusal
from console.operations.drain.gateway_state import (
    OnStep,
    StandingRecord,
    Step,
    advance_record,
    fetch_record,
    fetch_records,
    list_drained,
    write_record,
)
from console.operations.drain.plan import DrainPlan
from console.operations.drain.record import DrainRecord, PoolPlace, RecordState
from console.operations.writing import Writer, Written

POOL_TRIES = 6
CLAIM_LOOKS = 10
NEIGHBOURS = 5
"""Neighbours a record remembers on each side: enough to find the place again, few enough to fit."""
CLAIM_PAUSE_SECONDS = 1.0


class StalePlan(Conflict):
    """The gateway is no longer what the plan saw: plan again and ask again. Nothing of the pool was changed."""

    exit_code: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class DrainOrder:
    """Who wants it and why. `forced`: a guard was overruled, the reason says why."""

    owner: str
    reason: str
    expires_at: datetime | None = None
    forced: bool = False


async def execute_drain(
    plan: DrainPlan, order: DrainOrder, writer: Writer, clock: Clock, on_step: OnStep = lambda step: None
) -> DrainRecord:
    """Drain as planned. Returns the record as it stands at the end (applied).

    Raises:
        GuardRefusal: another console drains this backend or another one; says who.
        StalePlan: pools changed since the plan was made.
        ConsoleError: a write failed; what stands is in the record, `resume_drain` or a restore goes on from there.
    """
    others = await _refuse_other_drains(plan, order, writer)
    places = [await _place(plan, change.pool_name, others, writer) for change in plan.changes]
    claim = DrainRecord(
        backend_name=plan.backend_name,
        owner=order.owner,
        reason=order.reason,
        started_at=clock.now().replace(microsecond=0),
        expires_at=order.expires_at,
        nonce=uuid.uuid4().hex[:12],
        state=RecordState.CLAIMING,
        places=tuple(places),
        forced=order.forced,
    )
    standing = await _claim(claim, order, writer)
    on_step(Step(f"recorded as drain of {plan.backend_name}", clock.now()))
    return await _apply(standing, writer, clock, on_step)


async def resume_drain(
    backend_name: str, writer: Writer, clock: Clock, on_step: OnStep = lambda step: None
) -> DrainRecord:
    """Finish a drain that a console left unfinished, by its record.

    Raises:
        ConsoleError: there is no record, it is being restored, or a write failed.
    """
    standing = await fetch_record(writer.entities, backend_name)
    if standing is None:
        raise ConsoleError(f"{backend_name} is not being drained", remedy="Look at `drains`.")
    if standing.record.state is RecordState.RESTORING:
        raise GuardRefusal(
            f"{backend_name} is being restored by {standing.record.owner}", remedy="Finish with restore."
        )
    if standing.record.state is RecordState.CLAIMING:
        standing = await advance_record(writer, standing, RecordState.APPLYING)
    return await _apply(standing, writer, clock, on_step)


async def _apply(standing: StandingRecord, writer: Writer, clock: Clock, on_step: OnStep) -> DrainRecord:
    backend_name = standing.record.backend_name
    if await list_drained(writer, backend_name, listed=True):
        on_step(Step("listed in drained-backends", clock.now()))
    for place in standing.record.places:
        await _still_mine(standing, writer)
        on_step(Step(await _take_out(place, backend_name, writer), clock.now()))
    done_at = clock.now().replace(microsecond=0)
    standing = await advance_record(writer, standing, RecordState.APPLIED, applied_at=done_at)
    return standing.record


async def _refuse_other_drains(plan: DrainPlan, order: DrainOrder, writer: Writer) -> tuple[DrainRecord, ...]:
    """The drains of other backends that go on beside this one (forced)."""
    records = await fetch_records(writer.entities)
    for record in records:
        if record.backend_name == plan.backend_name:
            raise _taken(record)
        if not order.forced:
            raise _other(record)
    return records


def _taken(record: DrainRecord) -> GuardRefusal:
    return GuardRefusal(
        f"{record.backend_name} is already being drained by {record.owner} since {record.started_at:%H:%M}Z",
        remedy="Resume or restore that drain.",
    )


def _other(record: DrainRecord) -> GuardRefusal:
    return GuardRefusal(
        f"Another drain is under way: {record.backend_name} by {record.owner} since {record.started_at:%H:%M}Z",
        remedy="Restore it first, or force with a reason.",
    )


async def _place(plan: DrainPlan, pool_name: str, others: tuple[DrainRecord, ...], writer: Writer) -> PoolPlace:
    """The backend's entry in a pool as it stands now, held against the plan."""
    path = f"backends/{pool_name}"
    pool = await writer.entities.get(path)
    change = next(c for c in plan.changes if c.pool_name == pool_name)
    if pool is None:
        raise StalePlan(f"Pool {pool_name} is gone", where=path, remedy="Plan again.")
    entries = services_of(pool)
    seen = [(member_name(e).lower(), e.get("priority"), e.get("weight")) for e in entries]
    planned = [(m.backend_name.lower(), m.priority, m.weight) for m in change.before]
    if seen != planned:
        raise StalePlan(f"Pool {pool_name} was changed since the plan was made", where=path, remedy="Plan again.")
    index = find_member(pool, plan.backend_name)
    if index is None:
        raise StalePlan(f"{plan.backend_name} has left pool {pool_name}", where=path, remedy="Plan again.")
    names = _with_drained([member_name(e) for e in entries], pool_name, others)
    at = next(i for i, name in enumerate(names) if name.lower() == plan.backend_name.lower())
    before = tuple(reversed(names[max(0, at - NEIGHBOURS) : at]))
    behind = tuple(names[at + 1 : at + 1 + NEIGHBOURS])
    return PoolPlace(pool_name, index, before, behind, dict(entries[index]))


def _with_drained(names: list[str], pool_name: str, others: tuple[DrainRecord, ...]) -> list[str]:
    """The members in order, those that other drains took out put in where they will come back to."""
    whole = list(names)
    for record in sorted(others, key=lambda r: r.started_at, reverse=True):
        for place in record.places:
            if place.pool_name == pool_name and record.backend_name.lower() not in {n.lower() for n in whole}:
                whole.insert(place_of(whole, place.index, place.before, place.behind), record.backend_name)
    return whole


async def _claim(claim: DrainRecord, order: DrainOrder, writer: Writer) -> StandingRecord:
    """Write the record, see whether another console does the same, and give way or go on.

    Nothing documents that API Management refuses a PUT without If-Match on an existing named value, so existence is
    no lock. Each console writes a claim, then looks: a drain under way makes it step back; of two claims the older
    (by time, then nonce) goes on once the younger is gone. The claim becomes `applying` under its entity tag.
    """
    try:
        standing = await write_record(writer, claim, None)
    except Conflict:
        now = await fetch_record(writer.entities, claim.backend_name)
        if now is not None and now.record.nonce != claim.nonce:
            raise _taken(now.record) from None
        raise
    rival: DrainRecord | None = None
    for _ in range(CLAIM_LOOKS):
        rivals = [r for r in await fetch_records(writer.entities) if r.nonce != claim.nonce]
        own_rival = next((r for r in rivals if r.backend_name == claim.backend_name), None)
        if own_rival is not None:
            raise _taken(own_rival)  # its record stands where ours did: nothing of ours is left to take back
        rival = next((r for r in rivals if not order.forced), None)
        if rival is None:
            try:
                return await advance_record(writer, standing, RecordState.APPLYING)
            except Conflict:
                now = await fetch_record(writer.entities, claim.backend_name)
                if now is not None:
                    raise _taken(now.record) from None
                raise
        if rival.state is not RecordState.CLAIMING or _is_older(rival, claim):
            await writer.delete(standing.path, before=standing.entity)
            raise _other(rival)
        await writer.pause(CLAIM_PAUSE_SECONDS)
    await writer.delete(standing.path, before=standing.entity)
    assert rival is not None
    raise _other(rival)


def _is_older(one: DrainRecord, other: DrainRecord) -> bool:
    return (one.started_at, one.nonce) < (other.started_at, other.nonce)


async def _still_mine(standing: StandingRecord, writer: Writer) -> None:
    now = await fetch_record(writer.entities, standing.record.backend_name)
    if now is None or now.record.nonce != standing.record.nonce:
        who = "nobody" if now is None else now.record.owner
        raise GuardRefusal(
            f"The drain of {standing.record.backend_name} was taken over: its record is now {who}'s",
            remedy="Look at `drains` before doing anything else.",
        )


async def _take_out(place: PoolPlace, backend_name: str, writer: Writer) -> str:
    """Remove the backend from one pool. Returns what was done, in words."""
    path = f"backends/{place.pool_name}"
    for _ in range(POOL_TRIES):
        pool = await writer.entities.get(path)
        if pool is None:
            return f"{place.pool_name} is gone: nothing to change"
        index = find_member(pool, backend_name)
        if index is None:
            return f"{place.pool_name} no longer routes to it"
        entries = services_of(pool)
        if dict(entries[index]) != dict(place.item):
            raise StalePlan(
                f"Its priority or weight in {place.pool_name} was changed meanwhile",
                where=path,
                remedy="Restore and plan again, so that the newer values are kept.",
            )
        if len(entries) == 1:
            raise StalePlan(
                f"It is now the last member of {place.pool_name}", where=path, remedy="Restore and plan again."
            )
        body = without_member(pool, backend_name)
        try:
            written = await writer.put(path, body, before=pool, landed=_shows(backend_name, present=False))
        except Conflict:
            continue  # somebody else edited the pool: read theirs, and take the member out of that
        require_nothing_else_changed(body, written, path)
        return f"removed from {place.pool_name}"
    raise StalePlan(f"Pool {place.pool_name} keeps being changed by somebody else", where=path, remedy="Plan again.")


def _shows(backend_name: str, *, present: bool) -> Any:
    def check(pool: RawEntity) -> bool:
        return (find_member(pool, backend_name) is not None) is present

    return check


def require_nothing_else_changed(body: Mapping[str, Any], written: Written, path: str) -> None:
    """Hold what was read back against what was written, and say loudly when Azure kept something else.

    An edit that somebody made right after ours is theirs, not a loss: then there is nothing to compare.

    Raises:
        ConsoleError: a property was lost or changed on the way.
    """
    changed = differences(body, written.entity.body) if written.is_untouched else ()
    if changed:
        raise ConsoleError(
            f"{path} reads back differently from what was written: {', '.join(changed[:5])}",
            where=path,
            remedy="Azure dropped or changed the property: the journal has what stood there before.",
        )
