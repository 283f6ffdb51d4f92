"""What any console finds about drains when it looks: under way, interrupted, overwritten, expired. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from console.domain.gateway import Gateway
from console.operations.drain.record import DrainRecord, RecordState

LIVE_FOR = timedelta(seconds=60)
"""A record this young may belong to a console that is writing right now; an older one was left behind."""

REMEDIES: dict[str, str] = {
    "in place": "Restore it with `restore {name}`.",
    "under way": "Wait for it.",
    "abandoned before it began": "`restore {name}` deletes its record.",
    "interrupted while draining": "Resume with `drain {name}`, or undo with `restore {name}`.",
    "interrupted while restoring": "Finish with `restore {name}`.",
    "overwritten": "Drain it again with `drain {name}`, or let it go with `restore {name}`.",
    "listed without a record": "`restore {name}` takes it off the list.",
}


class DrainCondition(StrEnum):
    """How a recorded drain stands, held against the pools."""

    UNDER_WAY = "under way"
    IN_PLACE = "in place"
    ABANDONED_CLAIM = "abandoned before it began"
    INTERRUPTED_DRAIN = "interrupted while draining"
    INTERRUPTED_RESTORE = "interrupted while restoring"
    OVERWRITTEN = "overwritten"
    WITHOUT_RECORD = "listed without a record"


@dataclass(frozen=True, slots=True)
class FoundDrain:
    """One drain as found. `record` None: only the list names the backend. `text` is one sentence for the fleet."""

    backend_name: str
    condition: DrainCondition
    text: str
    record: DrainRecord | None = None
    is_expired: bool = False

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should resume, undo or decide."""
        calm = (DrainCondition.IN_PLACE, DrainCondition.UNDER_WAY)
        return self.condition not in calm or self.is_expired

    @property
    def remedy(self) -> str:
        """What to do about it, as commands."""
        return REMEDIES[self.condition.value].format(name=self.backend_name)


def examine_drains(gateway: Gateway, records: tuple[DrainRecord, ...], now: datetime) -> tuple[FoundDrain, ...]:
    """Hold records, list and pools against each other."""
    found = [_examine(gateway, record, now) for record in records]
    recorded = {record.backend_name for record in records}
    for name in gateway.drained_backends:
        if name not in recorded:
            text = f"{name} is in drained-backends without a drain record: take it off, or find out who put it there"
            found.append(FoundDrain(name, DrainCondition.WITHOUT_RECORD, text))
    return tuple(sorted(found, key=lambda f: f.backend_name))


def _examine(gateway: Gateway, record: DrainRecord, now: datetime) -> FoundDrain:
    name = record.backend_name
    member_of = {pool.name for pool, _ in gateway.pools_of(name)}
    back_in = [place.pool_name for place in record.places if place.pool_name in member_of]
    expired = record.is_expired(now)
    who = f"by {record.owner} since {record.started_at:%H:%M}Z"
    busy = record.state in (RecordState.CLAIMING, RecordState.APPLYING)
    if busy and now - record.started_at < LIVE_FOR:
        text = f"{name} is being drained {who} ({record.reason})"
        return FoundDrain(name, DrainCondition.UNDER_WAY, text, record, expired)
    if record.state is RecordState.CLAIMING:
        text = f"a drain of {name} {who} never began: undo deletes its record"
        return FoundDrain(name, DrainCondition.ABANDONED_CLAIM, text, record, expired)
    if record.state is RecordState.RESTORING:
        text = f"the restore of {name} ({who}) is not finished: restore again to finish it"
        if record.step_ratio is not None:
            at = f"stands at {record.step_ratio:.0%} of its weight"
            text = f"the gradual restore of {name} ({who}) {at}: it goes on elsewhere, or restore again to finish it"
        return FoundDrain(name, DrainCondition.INTERRUPTED_RESTORE, text, record, expired)
    if record.state is RecordState.APPLYING and (back_in or name not in gateway.drained_backends):
        text = f"the drain of {name} {who} is not finished: resume it, or restore to undo it"
        return FoundDrain(name, DrainCondition.INTERRUPTED_DRAIN, text, record, expired)
    if record.state is RecordState.APPLYING:
        text = f"the drain of {name} {who} is in place, its record was not closed: resume closes it"
        return FoundDrain(name, DrainCondition.INTERRUPTED_DRAIN, text, record, expired)
    if back_in or name not in gateway.drained_backends:
        where = ", ".join(back_in) or "drained-backends"
        text = f"the drain of {name} {who} was overwritten: it is back in {where}, by a redeployment or by hand"
        return FoundDrain(name, DrainCondition.OVERWRITTEN, text, record, expired)
    ends = "" if record.expires_at is None else f", announced until {record.expires_at:%Y-%m-%d %H:%M}Z"
    past = " and is past that: restore it, or drain it again with a new end" if expired else ""
    text = f"{name} is drained {who} ({record.reason}){ends}{past}"
    return FoundDrain(name, DrainCondition.IN_PLACE, text, record, expired)
