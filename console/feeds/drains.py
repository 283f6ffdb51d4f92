"""Drains as the snapshot shows them: the records on the gateway, held against its pools. No request of its own.

The topology feed reads named values and pools together; here they become drains in place, interrupted, overwritten or
expired, and sentences for what somebody should know at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from console.azure.apim import NamedValue
from console.domain.gateway import Gateway
from console.domain.snapshot import Drain
from console.errors import ConsoleError, UnreadableAnswer
from console.operations.drain.examine import FoundDrain, examine_drains
from console.operations.drain.record import RECORD_PREFIX, DrainRecord, decode_record


def read_drains(
    named_values: Iterable[NamedValue], gateway: Gateway, now: datetime
) -> tuple[tuple[Drain, ...], tuple[ConsoleError, ...]]:
    """The drains recorded on the gateway by backend name, and what somebody should know: records that cannot be read,
    drains that were interrupted, overwritten, have expired or stand without a record.
    """
    records: list[DrainRecord] = []
    problems: list[ConsoleError] = []
    for named_value in named_values:
        if not named_value.display_name.startswith(RECORD_PREFIX) or named_value.value is None:
            continue
        try:
            records.append(decode_record(named_value.value, where=f"named value {named_value.display_name}"))
        except UnreadableAnswer as error:
            problems.append(error)
    found = examine_drains(gateway, tuple(records), now)
    problems += [ConsoleError(f.text, where=gateway.name, remedy=f.remedy) for f in found if f.needs_attention]
    return tuple(_drain(f, f.record) for f in found if f.record is not None), tuple(problems)


def _drain(found: FoundDrain, record: DrainRecord) -> Drain:
    return Drain(
        backend_name=record.backend_name,
        owner=record.owner,
        reason=record.reason,
        started_at=record.started_at,
        expires_at=record.expires_at,
        state=record.state.value,
        condition=found.condition.value,
        text=found.text,
        applied_at=record.applied_at,
        pool_names=tuple(place.pool_name for place in record.places),
        is_expired=found.is_expired,
        needs_attention=found.needs_attention,
    )
