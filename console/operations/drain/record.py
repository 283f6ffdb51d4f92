"""The drain record: a named value on the gateway that lets any console see, finish or undo a drain.

It is written before any pool changes and deleted after the last is restored, so whatever kills a console in between,
the gateway itself knows what stood there. Named values hold at most 4096 characters and may not contain `{{` or `}}`,
which would be references; the encoding keeps both rules.
Source: API Management named values, REST api-version 2024-05-01 (value <= 4096, displayName ^[A-Za-z0-9-._]+$).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from console.errors import UnreadableAnswer, UsageError

RECORD_PREFIX = "drain-"
DRAINED_BACKENDS = "drained-backends"
NOBODY_DRAINED = "none"
"""The value of `drained-backends` when nothing is drained: API Management refuses an empty named value."""

VALUE_LIMIT_CHARACTERS = 4096
REASON_LIMIT_CHARACTERS = 300
_FORMAT_VERSION = 1
_ALLOWED = re.compile(r"[^A-Za-z0-9._-]")


class RecordState(StrEnum):
    """How far the drain had come when the record was last written.

    `claiming` is a console that wants to drain and looks whether another one does; nothing has changed yet.
    """

    CLAIMING = "claiming"
    APPLYING = "applying"
    APPLIED = "applied"
    RESTORING = "restoring"


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """Where a backend stood in a pool.

    `item` is the raw pool entry as it was, id and unknown properties included; `index` counts from 0. `before` and
    `behind` name its nearest neighbours, nearest first, members that other drains hold included.
    """

    pool_name: str
    index: int
    before: tuple[str, ...]
    behind: tuple[str, ...]
    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DrainRecord:
    """Who drained what, why, when, until when, and what the pools looked like. Times are aware UTC."""

    backend_name: str
    owner: str
    reason: str
    started_at: datetime
    expires_at: datetime | None
    nonce: str
    state: RecordState
    places: tuple[PoolPlace, ...] = field(default=())
    forced: bool = False
    step_ratio: float | None = None
    """While a gradual restore is under way: the share of the recorded weight last written."""
    applied_at: datetime | None = None
    """When the last pool was changed; proof of the drain counts from here."""

    def in_state(self, state: RecordState) -> DrainRecord:
        """The same record, further along."""
        return replace(self, state=state)

    def is_expired(self, now: datetime) -> bool:
        """Whether the announced end is past. Nothing is undone because of it."""
        return self.expires_at is not None and now >= self.expires_at


def record_name(backend_name: str) -> str:
    """Name and display name of the record's named value. Characters that are not allowed are replaced, uniquely."""
    cleaned = _ALLOWED.sub("_", backend_name)
    if cleaned != backend_name:
        cleaned = f"{cleaned}-{hashlib.sha256(backend_name.encode()).hexdigest()[:8]}"
    return RECORD_PREFIX + cleaned


def encode_record(record: DrainRecord) -> str:
    """The text of the named value.

    Raises:
        UsageError: it would not fit (a reason too long, or a backend in very many pools).
    """
    content = {
        "v": _FORMAT_VERSION,
        "backend": record.backend_name,
        "owner": record.owner,
        "reason": record.reason[:REASON_LIMIT_CHARACTERS],
        "started": _to_text(record.started_at),
        "expires": None if record.expires_at is None else _to_text(record.expires_at),
        "nonce": record.nonce,
        "state": record.state.value,
        "forced": record.forced,
        "step": record.step_ratio,
        "applied": None if record.applied_at is None else _to_text(record.applied_at),
        "pools": [[p.pool_name, p.index, list(p.before), list(p.behind), dict(p.item)] for p in record.places],
    }
    text = _without_double_braces(content)
    if len(text) > VALUE_LIMIT_CHARACTERS:
        raise UsageError(
            f"The drain record of {record.backend_name} needs {len(text)} characters, {VALUE_LIMIT_CHARACTERS} fit",
            remedy="Shorten the reason, or take the backend out of some pools first.",
        )
    return text


def decode_record(text: str, *, where: str) -> DrainRecord:
    """The record of a named value's text.

    Raises:
        UnreadableAnswer: it is no drain record of a version this console knows.
    """
    try:
        content = json.loads(text)
        if content["v"] != _FORMAT_VERSION:
            raise UnreadableAnswer(
                f"The drain record has version {content['v']}, this console knows {_FORMAT_VERSION}",
                where=where,
                remedy="Use the newer console that wrote it.",
            )
        return DrainRecord(
            backend_name=str(content["backend"]),
            owner=str(content["owner"]),
            reason=str(content["reason"]),
            started_at=_to_time(content["started"]),
            expires_at=None if content["expires"] is None else _to_time(content["expires"]),
            nonce=str(content["nonce"]),
            state=RecordState(content["state"]),
            places=tuple(
                PoolPlace(str(name), int(index), tuple(before), tuple(behind), dict(item))
                for name, index, before, behind, item in content["pools"]
            ),
            forced=bool(content.get("forced", False)),
            step_ratio=None if content.get("step") is None else float(content["step"]),
            applied_at=None if content.get("applied") is None else _to_time(content["applied"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableAnswer(
            "A named value looks like a drain record and cannot be read",
            where=where,
            remedy="Look at it in the portal; delete it when it is not one of this console's.",
        ) from error


def parse_drained(value: str | None) -> tuple[str, ...]:
    """The backends that `drained-backends` lists, in order."""
    names = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    return () if names == (NOBODY_DRAINED,) else names


def print_drained(names: tuple[str, ...]) -> str:
    """The value of `drained-backends` for these backends."""
    return ",".join(names) if names else NOBODY_DRAINED


def _without_double_braces(content: Any) -> str:
    """Compact JSON in which `{{` and `}}` never stand: braces inside strings are escaped, nested ones kept apart."""

    def escaped(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{", "\ue000").replace("}", "\ue001")
        if isinstance(value, Mapping):
            return {escaped(k): escaped(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [escaped(v) for v in value]
        return value

    text = json.dumps(escaped(content), separators=(",", ":"), ensure_ascii=False)
    while "{{" in text or "}}" in text:
        text = text.replace("{{", "{ {").replace("}}", "} }")
    return text.replace("\ue000", "\\u007b").replace("\ue001", "\\u007d")


def _to_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _to_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
