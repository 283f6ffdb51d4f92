"""Editing a pool's raw JSON: one member out, one member in, everything else untouched. Pure.

Members are entries of `properties.pool.services`; an entry's id is a full ARM id or the short form `/backends/NAME`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from console.azure.entities import RawEntity


def services_of(pool: RawEntity) -> list[Mapping[str, Any]]:
    """The raw entries in order."""
    inner = pool.properties.get("pool")
    entries = inner.get("services") if isinstance(inner, Mapping) else None
    return list(entries) if isinstance(entries, list) else []


def member_name(entry: Mapping[str, Any]) -> str:
    """The backend an entry names."""
    return str(entry.get("id", "")).rstrip("/").rsplit("/", 1)[-1]


def find_member(pool: RawEntity, backend_name: str) -> int | None:
    """Index of a backend's entry, None when it is no member. Names compare case-insensitively, as ids do."""
    wanted = backend_name.lower()
    return next((i for i, entry in enumerate(services_of(pool)) if member_name(entry).lower() == wanted), None)


def with_services(pool: RawEntity, services: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The body to write: `services` replaced, every other property as it was."""
    body = copy.deepcopy(dict(pool.body))
    properties = body.setdefault("properties", {})
    inner = properties.setdefault("pool", {})
    inner["services"] = [dict(entry) for entry in services]
    return body


def without_member(pool: RawEntity, backend_name: str) -> dict[str, Any]:
    """The body of the pool without one backend."""
    wanted = backend_name.lower()
    return with_services(pool, [e for e in services_of(pool) if member_name(e).lower() != wanted])


def with_member(
    pool: RawEntity, item: Mapping[str, Any], *, index: int, before: Sequence[str], behind: Sequence[str]
) -> dict[str, Any]:
    """The body of the pool with an entry back in its place.

    It goes behind the nearest of `before` that is there, else in front of the nearest of `behind`, else to `index`.
    """
    services = services_of(pool)
    services.insert(place_of([member_name(entry) for entry in services], index, before, behind), item)
    return with_services(pool, services)


def place_of(names: Sequence[str], index: int, before: Sequence[str], behind: Sequence[str]) -> int:
    """Where among `names` a member with these neighbours belongs."""
    at = {name.lower(): i for i, name in enumerate(names)}
    for name in before:
        if name.lower() in at:
            return at[name.lower()] + 1
    for name in behind:
        if name.lower() in at:
            return at[name.lower()]
    return min(index, len(names))


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted paths at which a pool read back differs from the body written, `services` ids compared by backend.

    What Azure adds (ids, null placeholders) is no difference; a property that was written and is gone or changed is.
    """
    found: list[str] = []
    _compare("", _comparable(expected), _comparable(actual), found)
    return tuple(found)


def _comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    clean = copy.deepcopy(dict(body.get("properties") or {}))
    inner = clean.get("pool")
    if isinstance(inner, dict):
        for entry in inner.get("services") or []:
            if isinstance(entry, dict) and "id" in entry:
                entry["id"] = member_name(entry).lower()
    return clean


def _compare(path: str, expected: Any, actual: Any, found: list[str]) -> None:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            _compare(f"{path}.{key}" if path else key, value, actual.get(key), found)
        return
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            _compare(f"{path}[{index}]", one, other, found)
        return
    if expected != actual:
        found.append(path)
