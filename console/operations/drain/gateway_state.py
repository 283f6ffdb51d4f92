"""What stands on the gateway that concerns drains, and the small writes both drain and restore make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from console.azure.entities import Entities, RawEntity
from console.errors import Conflict
from console.operations.drain.record import (
    DRAINED_BACKENDS,
    RECORD_PREFIX,
    DrainRecord,
    RecordState,
    decode_record,
    encode_record,
    parse_drained,
    print_drained,
    record_name,
)
from console.operations.writing import Writer

LIST_PATH = f"namedValues/{DRAINED_BACKENDS}"
LIST_TRIES = 6


@dataclass(frozen=True, slots=True)
class StandingRecord:
    """A drain record with the entity tag it was read with."""

    record: DrainRecord
    entity: RawEntity

    @property
    def path(self) -> str:
        """Where it stands, relative to the service."""
        return record_path(self.record.backend_name)


@dataclass(frozen=True, slots=True)
class Step:
    """One step taken, for progress: `what` in words, `at` when it was done."""

    what: str
    at: datetime


OnStep = Callable[[Step], None]


def record_path(backend_name: str) -> str:
    """Where a backend's drain record stands, relative to the service."""
    return f"namedValues/{record_name(backend_name)}"


async def fetch_record(entities: Entities, backend_name: str) -> StandingRecord | None:
    """The drain record of a backend, None when it is not being drained.

    Raises:
        UnreadableAnswer: a named value of that name is no drain record.
        ConsoleError: Azure refused or nobody answered.
    """
    path = record_path(backend_name)
    entity = await entities.get(path)
    if entity is None:
        return None
    return StandingRecord(decode_record(str(entity.properties.get("value", "")), where=path), entity)


async def fetch_records(entities: Entities) -> tuple[DrainRecord, ...]:
    """Every drain record of the gateway, by backend name.

    Raises:
        ConsoleError: Azure refused, nobody answered, or a record cannot be read.
    """
    records = []
    for entity in await entities.list("namedValues"):
        name = str(entity.properties.get("displayName", ""))
        if name.startswith(RECORD_PREFIX) and not entity.properties.get("secret"):
            records.append(decode_record(str(entity.properties.get("value", "")), where=f"namedValues/{name}"))
    return tuple(sorted(records, key=lambda r: r.backend_name))


async def write_record(writer: Writer, record: DrainRecord, before: RawEntity | None) -> StandingRecord:
    """Write the record and read it back.

    Raises:
        Conflict: another console's record stands there now.
        ConsoleError: it could not be written.
    """
    name = record_name(record.backend_name)
    body = {"properties": {"displayName": name, "value": encode_record(record), "secret": False, "tags": ["drain"]}}

    def is_mine(entity: RawEntity) -> bool:
        return entity.properties.get("value") == body["properties"]["value"]

    written = await writer.put(f"namedValues/{name}", body, before=before, landed=is_mine)
    return StandingRecord(record, written.entity)


async def advance_record(
    writer: Writer, standing: StandingRecord, state: RecordState, **changes: Any
) -> StandingRecord:
    """Write the record's next state, guarded by its entity tag.

    Raises:
        Conflict: another console has taken the drain over.
        ConsoleError: it could not be written.
    """
    record = replace(standing.record, state=state, **changes)
    if record == standing.record:
        return standing
    return await write_record(writer, record, standing.entity)


async def list_drained(writer: Writer, backend_name: str, *, listed: bool) -> bool:
    """Put a backend on the list `drained-backends`, or take it off. Others' entries stay. True when it changed.

    Raises:
        ConsoleError: it could not be written.
    """
    for _ in range(LIST_TRIES):
        entity = await writer.entities.get(LIST_PATH)
        names = parse_drained(None if entity is None else str(entity.properties.get("value", "")))
        if (backend_name in names) is listed:
            return False
        wanted = (*names, backend_name) if listed else tuple(n for n in names if n != backend_name)
        properties = (
            dict(entity.properties) if entity is not None else {"displayName": DRAINED_BACKENDS, "secret": False}
        )
        properties.pop("provisioningState", None)
        properties["value"] = print_drained(wanted)

        def is_written(found: RawEntity) -> bool:
            return (backend_name in parse_drained(str(found.properties.get("value", "")))) is listed

        try:
            await writer.put(LIST_PATH, {"properties": properties}, before=entity, landed=is_written)
        except Conflict:
            continue  # somebody else changed the list: read it again, both changes belong in it
        return True
    raise Conflict(
        f"{DRAINED_BACKENDS} keeps being changed by somebody else",
        where=LIST_PATH,
        remedy="Find out who, then resume.",
    )
