"""A what-if made readable: grouped by type, destructive first, noise folded away and counted. Pure.

A what-if compares texts and cannot resolve `reference()`, so much of what it calls a change is none. What is folded
here is folded for a reason that is told; nothing is dropped.

Source: "Template deployment what-if" (known noise: properties set by the provider look deleted, references are not
resolved); policies come back re-serialised from API Management.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from console.domain.arm_deployment import DEPLOYMENT_TYPE, Change, ChangeType, PropertyChange, WhatIf
from console.operations.fragments.compare import summarize, unified_text
from console.operations.fragments.documents import Kind, Place, place_of_path, same_text

MASKED = frozenset({"*******", "******", "*****"})
SKU_ORDER = ("consumption", "developer", "basic", "basicv2", "standard", "standardv2", "premium", "premiumv2")


class Noise(StrEnum):
    """Why a difference says nothing."""

    UNRESOLVED = "refers to something that is known only while deploying"
    DEFAULTS = "set by Azure, not named by the template"
    SAME_MEANING = "written differently, means the same"
    MASKED = "a secret that Azure does not show"
    NO_EFFECT = "cannot be written"


@dataclass(frozen=True, slots=True)
class Difference:
    """One property, in words. `noise` None: it will really change."""

    path: str
    text: str
    noise: Noise | None = None


@dataclass(frozen=True, slots=True)
class ReadChange:
    """One resource with its real differences, and those folded away. `diff` is a policy's, as lines, "" for others."""

    change: Change
    differences: tuple[Difference, ...] = ()
    folded: tuple[Difference, ...] = ()
    diff: str = ""
    destructive: str = ""

    @property
    def is_noise(self) -> bool:
        """Whether nothing of it will really change."""
        return self.change.change_type is ChangeType.MODIFY and not self.differences


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one kind and type."""

    change_type: ChangeType
    resource_type: str
    changes: tuple[ReadChange, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The whole what-if. `warnings` are sentences that must be read before agreeing."""

    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    folded: tuple[ReadChange, ...]
    unchanged_count: int
    ignored_count: int
    unsupported: tuple[Change, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many resources of each kind of change, noise apart."""
        counts = {kind.value: 0 for kind in (ChangeType.CREATE, ChangeType.MODIFY, ChangeType.DELETE)}
        for group in self.groups:
            counts[group.change_type.value] = counts.get(group.change_type.value, 0) + len(group.changes)
        return counts

    @property
    def destructive(self) -> tuple[ReadChange, ...]:
        """What takes something away."""
        return tuple(read for group in self.groups for read in group.changes if read.destructive)

    @property
    def summary(self) -> str:
        """One line: `61 to create, 2 to change, nothing to delete · 7 noise, 40 unchanged, 4 left alone`."""
        counts = self.counts
        deleted = counts[ChangeType.DELETE.value]
        real = f"{counts['Create']} to create, {counts['Modify']} to change, {deleted or 'nothing'} to delete"
        rest = [
            f"{count} {word}"
            for count, word in (
                (len(self.folded), "noise"),
                (self.unchanged_count, "unchanged"),
                (self.ignored_count, "left alone"),
                (len(self.unsupported), "known only while deploying"),
            )
            if count
        ]
        return real + (f" · {', '.join(rest)}" if rest else "")


_ORDER = (ChangeType.DELETE, ChangeType.MODIFY, ChangeType.CREATE, ChangeType.DEPLOY)


def read_what_if(what_if: WhatIf, drains: Sequence[str] = ()) -> Reading:
    """Sort a what-if out. `drains`: backends that are drained now (records, or listed as drained)."""
    read = [_read(change) for change in what_if.changes]
    real = [r for r in read if r.change.change_type in _ORDER and not r.is_noise]
    keys = {(r.change.change_type, r.change.resource_type) for r in real}
    groups = [
        Group(
            kind,
            type_name,
            tuple(r for r in real if (r.change.change_type, r.change.resource_type) == (kind, type_name)),
        )
        for kind, type_name in keys
    ]
    groups.sort(key=lambda g: (_ORDER.index(g.change_type), not any(r.destructive for r in g.changes), g.resource_type))
    warnings = [*_undone_drains(what_if.changes, drains)]
    warnings += [f"{r.change.path}: {r.destructive}" for r in real if r.destructive]
    return Reading(
        groups=tuple(groups),
        warnings=tuple(dict.fromkeys(warnings)),
        folded=tuple(r for r in read if r.is_noise),
        unchanged_count=sum(r.change.change_type is ChangeType.NO_CHANGE for r in read),
        ignored_count=sum(r.change.change_type is ChangeType.IGNORE for r in read),
        unsupported=tuple(c for c in what_if.changes if c.change_type is ChangeType.UNSUPPORTED),
    )


# -- one resource ------------------------------------------------------------------------------------------------------


def _read(change: Change) -> ReadChange:
    if change.change_type is ChangeType.DELETE:
        return ReadChange(change, destructive="is deleted")
    if change.change_type is not ChangeType.MODIFY:
        return ReadChange(change)
    found = list(_differences(change, change.properties, ""))
    real = tuple(d for d in found if d.noise is None)
    return ReadChange(
        change,
        differences=real,
        folded=tuple(d for d in found if d.noise is not None),
        diff=_policy_diff(change) if real else "",
        destructive=_destruction(change),
    )


def _differences(change: Change, properties: Iterable[PropertyChange], prefix: str) -> Iterator[Difference]:
    for entry in properties:
        path = f"{prefix}.{entry.path}" if prefix else entry.path
        if entry.children:
            yield from _differences(change, entry.children, path)
            continue
        noise = _noise(change, entry, path)
        yield Difference(path, _words(change, entry, path, noise), noise)


def _noise(change: Change, entry: PropertyChange, path: str) -> Noise | None:
    if entry.kind == "NoEffect":
        return Noise.NO_EFFECT
    if _is_unresolved(entry.after):
        return Noise.UNRESOLVED
    if any(isinstance(side, str) and side in MASKED for side in (entry.before, entry.after)):
        return Noise.MASKED
    if entry.kind == "Delete" and not _is_listed(path):
        return Noise.DEFAULTS
    if isinstance(entry.before, str) and isinstance(entry.after, str):
        place = place_of_path(change.path)
        kind = place.kind if place is not None else Kind.NAMED_VALUE
        if path == "properties.value" and kind is not Kind.NAMED_VALUE and same_text(entry.before, entry.after, kind):
            return Noise.SAME_MEANING
        if path == "location" and _settled(entry.before) == _settled(entry.after):
            return Noise.SAME_MEANING
        if entry.before.startswith("/subscriptions/") and entry.before.lower() == entry.after.lower():
            return Noise.SAME_MEANING
    return None


def _is_listed(path: str) -> bool:
    """Whether the path is an element of an array: those are the template's own, a provider adds none."""
    return any(part.isdigit() for part in path.split("."))


def _is_unresolved(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("[") and value.endswith("]") and "(" in value


def _settled(region: str) -> str:
    return region.replace(" ", "").lower()


def _words(change: Change, entry: PropertyChange, path: str, noise: Noise | None) -> str:
    place = _policy_place(change)
    if place is not None and path == "properties.value" and noise is None:
        sentences = summarize(_text(entry.before), _text(entry.after), place.kind)
        return "; ".join(sentences) or "its text changes"
    return f"{_short(entry.before)} -> {_short(entry.after)}"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _short(value: Any, limit: int = 60) -> str:
    if value is None:
        return "–"
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _policy_place(change: Change) -> Place | None:
    place = place_of_path(change.path)
    return None if place is None or place.kind is Kind.NAMED_VALUE else place


def _policy_diff(change: Change) -> str:
    if _policy_place(change) is None or change.before is None or change.after is None:
        return ""
    before, after = _value(change.before), _value(change.after)
    if before is None or after is None or _is_unresolved(after):
        return ""
    return unified_text(before, after, f"deployed/{change.path}", f"template/{change.path}")


def _value(resource: Mapping[str, Any]) -> str | None:
    properties = resource.get("properties")
    return _text(properties.get("value")) if isinstance(properties, Mapping) else None


# -- what takes something away -----------------------------------------------------------------------------------------


def _destruction(change: Change) -> str:
    for entry in change.properties:
        lost = sum(child.kind == "Delete" for child in entry.children) if entry.path.endswith("pool.services") else 0
        if lost:
            return f"loses {lost} member{'s' if lost > 1 else ''}"
        if entry.path == "sku.name" and _rank(entry.after) < _rank(entry.before):
            return f"goes down from tier {entry.before} to {entry.after}"
        if entry.path == "sku.capacity" and _is_less(entry.after, entry.before):
            return f"goes down from {entry.before} to {entry.after} units"
    return ""


def _rank(sku: Any) -> int:
    name = str(sku).lower()
    return SKU_ORDER.index(name) if name in SKU_ORDER else len(SKU_ORDER)


def _is_less(after: Any, before: Any) -> bool:
    return isinstance(after, int) and isinstance(before, int) and after < before


def _undone_drains(changes: Iterable[Change], drains: Sequence[str]) -> Iterator[str]:
    """Drained backends that would get traffic again."""
    wanted = {name.lower() for name in drains}
    for change in changes:
        if change.change_type is not ChangeType.MODIFY or change.before is None or change.after is None:
            continue
        if change.path == "namedValues/drained-backends":
            before, after = _names(_value(change.before)), _names(_value(change.after))
            for name in sorted(before - after):
                yield f"this would undo the drain of {name}: it would no longer be listed as drained"
        elif change.path.startswith("backends/"):
            for member in sorted(_members(change.after) - _members(change.before)):
                if member.lower() in wanted:
                    yield f"this would undo the drain of {member}: it comes back into {change.name}"


def _names(value: str | None) -> set[str]:
    return {name.strip() for name in (value or "").split(",") if name.strip() and name.strip() != "none"}


def _members(resource: Mapping[str, Any]) -> set[str]:
    properties = resource.get("properties")
    pool = properties.get("pool") if isinstance(properties, Mapping) else None
    services = pool.get("services") if isinstance(pool, Mapping) else None
    if not isinstance(services, list):
        return set()
    return {str(s.get("id", "")).rsplit("/", 1)[-1] for s in services if isinstance(s, Mapping)}


def is_module(change: Change) -> bool:
    """Whether it is a nested template, not a resource of its own."""
    return change.resource_type.lower() == DEPLOYMENT_TYPE.lower()
