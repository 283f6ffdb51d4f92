"""Recordings: what the feeds saw, in one SQLite file. Deltas, not copies: a part that did not change is stored once.

A frame names the parts that stood at its moment; replay composes the very snapshot again, so its verdicts are those
that were shown live. Nothing secret is in what feeds keep. A recording is read as data only: no code comes out of it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from console.domain.callers import CallersDetail
from console.domain.finding import Finding
from console.domain.load import CallerLoad, ModelLoad
from console.domain.observations import Observations
from console.errors import UnreadableAnswer, UsageError

FORMAT = 1
LARGEST_MEGABYTES = 200
PRUNE_EVERY = 60
"""Frames between two looks at the file's size."""
_SPLIT = ("model_loads", "caller_loads", "callers", "early_loads", "early_callers")
"""Fields that are stored in parts; the early ones not at all: the findings they led to are."""
_SCHEMA = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists parts (id integer primary key, hash blob unique not null, body blob not null);
create table if not exists frames (at real primary key, parts blob not null);
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of a recording."""

    at: datetime
    observations: Observations
    findings: tuple[Finding, ...]


class _CallerPart(msgspec.Struct, array_like=True):
    host: str
    backend: str
    load: CallerLoad


_HINTS = get_type_hints(Observations)


def _parts(observations: Observations, findings: tuple[Finding, ...]) -> Iterator[tuple[str, Any]]:
    """The observations cut into parts that change on their own, each with the field it belongs to."""
    for field in fields(Observations):
        if field.name not in _SPLIT:
            yield field.name, getattr(observations, field.name)
    for load in observations.model_loads:
        yield "model_loads", load
    for (host, backend), caller_load in observations.caller_loads.items():
        yield "caller_loads", _CallerPart(host, backend, caller_load)
    detail = observations.callers
    if detail is not None:
        yield "callers.head", replace(detail, latencies=(), consumers=())
        yield "callers.latencies", detail.latencies
        yield "callers.consumers", detail.consumers
    yield "findings", findings


def _decode(name: str, body: bytes) -> Any:
    if name == "model_loads":
        shape: Any = ModelLoad
    elif name == "caller_loads":
        shape = _CallerPart
    elif name == "callers.head":
        shape = CallersDetail
    elif name.startswith("callers."):
        shape = get_type_hints(CallersDetail)[name.removeprefix("callers.")]
    elif name == "findings":
        shape = tuple[Finding, ...]
    else:
        shape = _HINTS[name]
    return msgspec.msgpack.decode(zlib.decompress(body), type=shape)


class Recorder:
    """Writes frames. `path` is made when it does not exist, and continued when it does."""

    def __init__(self, path: Path, *, largest_megabytes: float = LARGEST_MEGABYTES) -> None:
        self.path = path
        self.frames = 0
        self._largest_bytes = largest_megabytes * 1_000_000
        self._known: dict[bytes, int] = {}
        self._same: dict[int, tuple[Any, int]] = {}
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.executescript("pragma journal_mode=wal; pragma synchronous=normal;" + _SCHEMA)
            self._database.execute("insert or ignore into meta values ('format', ?)", (str(FORMAT),))
        except sqlite3.Error as error:
            raise UsageError(f"The recording cannot be written: {error}", where=str(path)) from error
        _check_format(self._database, path)
        self._known = {bytes(h): i for h, i in self._database.execute("select hash, id from parts")}

    def write(self, observations: Observations, findings: tuple[Finding, ...], at: datetime) -> None:
        """Append one frame. One of the same moment is replaced.

        Raises:
            UsageError: the disk is full, or the file went away.
        """
        try:
            self._database.execute("begin")
            named = [(name, self._part(value)) for name, value in _parts(observations, findings)]
            frame = zlib.compress(msgspec.msgpack.encode(named), 6)
            self._database.execute("insert or replace into frames values (?, ?)", (at.timestamp(), frame))
            self._database.execute("commit")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._database.execute("rollback")
            raise UsageError(f"The recording cannot be written: {error}", where=str(self.path)) from error
        self.frames += 1
        if self.frames % PRUNE_EVERY == 0:
            self._prune()

    def _part(self, value: Any) -> int:
        """The id of a part, stored now unless the same one is stored already."""
        seen = self._same.get(id(value))
        if seen is not None and seen[0] is value:
            return seen[1]
        raw = msgspec.msgpack.encode(value)
        digest = blake2b(raw, digest_size=16).digest()
        known = self._known.get(digest)
        if known is None:
            body = zlib.compress(raw, 9)
            known = self._database.execute("insert into parts (hash, body) values (?, ?)", (digest, body)).lastrowid
            assert known is not None
            self._known[digest] = known
        if len(self._same) > 5000:
            self._same.clear()
        self._same[id(value)] = (value, known)
        return known

    def _prune(self) -> None:
        """Forget the oldest frames while the file is larger than it may be."""
        while self.size_bytes() > self._largest_bytes:
            stamps = [row[0] for row in self._database.execute("select at from frames order by at")]
            if len(stamps) < 20:
                return
            self._database.execute("delete from frames where at < ?", (stamps[len(stamps) // 5],))
            used = {i for (body,) in self._database.execute("select parts from frames") for _, i in _named(body)}
            gone = [(i,) for i in self._known.values() if i not in used]
            self._database.executemany("delete from parts where id = ?", gone)
            self._known = {h: i for h, i in self._known.items() if i in used}
            self._same.clear()
            self._database.execute("vacuum")

    def size_bytes(self) -> int:
        """What the pages of the database take."""
        (pages,) = self._database.execute("pragma page_count").fetchone()
        (page_size,) = self._database.execute("pragma page_size").fetchone()
        return int(pages) * int(page_size)

    def close(self) -> None:
        """Bring everything into the one file."""
        self._database.execute("pragma wal_checkpoint(truncate)")
        self._database.close()


class Recording:
    """Reads frames. Opening reads the list of moments, a frame is read when it is asked for.

    Raises:
        UsageError: there is no recording, or it is of another kind.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError("There is no recording", where=str(path), remedy="Make one with record.")
        self.path = path
        self._cache: dict[int, Any] = {}
        try:
            self._database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
            _check_format(self._database, path)
            self.moments = [
                datetime.fromtimestamp(row[0], UTC)
                for row in self._database.execute("select at from frames order by at")
            ]
        except sqlite3.Error as error:
            raise UsageError(f"This is no recording that can be read: {error}", where=str(path)) from error
        if not self.moments:
            raise UsageError("The recording holds no frame", where=str(path), remedy="Record for a while first.")

    def index_at(self, at: datetime) -> int:
        """The frame that stood at a moment: the last one not after it, the first one before the beginning."""
        from bisect import bisect_right

        return max(0, bisect_right(self.moments, at) - 1)

    def frame(self, index: int) -> Frame:
        """One frame.

        Raises:
            UnreadableAnswer: it was cut off or damaged; others may be whole.
        """
        at = self.moments[index]
        try:
            row = self._database.execute("select parts from frames where at = ?", (at.timestamp(),)).fetchone()
            return self._assemble(at, _named(row[0]))
        except (sqlite3.Error, zlib.error, msgspec.MsgspecError, KeyError, TypeError) as error:
            raise UnreadableAnswer(
                f"The frame of {at:%H:%M:%S} cannot be read: {type(error).__name__}",
                where=str(self.path),
                remedy="Seek elsewhere: the recording was damaged or cut off there.",
            ) from error

    def _assemble(self, at: datetime, named: list[tuple[str, int]]) -> Frame:
        wanted = {i for _, i in named if i not in self._cache}
        if len(self._cache) > 20_000:
            self._cache.clear()
            wanted = {i for _, i in named}
        names = {i: name for name, i in named}
        for chunk in _chunks(sorted(wanted), 500):
            marks = ",".join("?" * len(chunk))
            for i, body in self._database.execute(f"select id, body from parts where id in ({marks})", chunk):
                self._cache[i] = _decode(names[i], body)
        values: dict[str, list[Any]] = {}
        for name, i in named:
            values.setdefault(name, []).append(self._cache[i])
        plain = {f.name: values[f.name][0] for f in fields(Observations) if f.name in values and f.name not in _SPLIT}
        detail = None
        if "callers.head" in values:
            detail = replace(
                values["callers.head"][0],
                latencies=values["callers.latencies"][0],
                consumers=values["callers.consumers"][0],
            )
        observations = Observations(
            **plain,
            model_loads=tuple(values.get("model_loads", ())),
            caller_loads={(p.host, p.backend): p.load for p in values.get("caller_loads", ())},
            callers=detail,
        )
        return Frame(at, observations, tuple(values["findings"][0]))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _named(body: bytes) -> list[tuple[str, int]]:
    return msgspec.msgpack.decode(zlib.decompress(body), type=list[tuple[str, int]])


def _chunks(ids: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _check_format(database: sqlite3.Connection, path: Path) -> None:
    try:
        found = database.execute("select value from meta where key = 'format'").fetchone()
    except sqlite3.Error as error:
        raise UsageError(f"This is no recording: {error}", where=str(path)) from error
    if found is None or found[0] != str(FORMAT):
        raise UsageError("This recording was made by another version", where=str(path), remedy="Record anew.")
