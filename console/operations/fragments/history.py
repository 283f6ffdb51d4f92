"""What the journal remembers of deployments: who wrote what, what stood before, which runs never ended. Pure.

A run is bracketed by two notes; the first names everything it planned. A run without its second note was killed, or is
still under way: what stands on the gateway decides how far it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from console.journal import JournalEntry
from console.operations.fragments.compare import digest
from console.operations.fragments.deployed import Deployed
from console.operations.fragments.documents import Kind, Place, place_of_path, same_text

DEPLOY = "fragments deploy"
ROLLBACK = "fragments rollback"
PULL = "fragments pull"
RUN_TARGET = "run"
BEGUN = "begun"
DONE = "done"
SHORT_ID = 6


@dataclass(frozen=True, slots=True)
class RecordedWrite:
    """One write of a run. Texts are None where nothing stood or stands; `outcome`: "done", "failed" or "unknown"."""

    path: str
    before: str | None
    after: str | None
    at: datetime
    outcome: str = "unknown"
    reason: str = ""

    @property
    def place(self) -> Place | None:
        """Where it was written."""
        return place_of_path(self.path)


@dataclass(frozen=True, slots=True)
class Run:
    """One deploy or rollback. `ended_at` None: it never said how it ended. `undoes`: the run a rollback took back."""

    run_id: str
    operation: str
    owner: str
    reason: str
    began_at: datetime
    planned: tuple[str, ...]
    ended_at: datetime | None = None
    outcome: str = ""
    undoes: str | None = None
    writes: tuple[RecordedWrite, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether everything it planned was done."""
        return self.outcome == DONE

    @property
    def words(self) -> str:
        """Who did what and when."""
        verb = "rollback" if self.operation == ROLLBACK else "deployment"
        return f"{verb} {self.run_id[:SHORT_ID]} by {self.owner} at {self.began_at:%Y-%m-%d %H:%M}Z"


@dataclass(frozen=True, slots=True)
class Version:
    """A text that once stood at a place, and the run that put it there (or found it: `is_found`)."""

    place: Place
    text: str | None
    at: datetime
    owner: str
    run_id: str
    is_found: bool


@dataclass(frozen=True, slots=True)
class History:
    """All runs of one gateway, oldest first, and the digests that both sides last had in common, by path."""

    runs: tuple[Run, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)

    def last_write(self, path: str) -> tuple[Run, RecordedWrite] | None:
        """The newest write at a path that was done."""
        for run in reversed(self.runs):
            for write in reversed(run.writes):
                if write.path.lower() == path.lower() and write.outcome == "done":
                    return run, write
        return None

    def versions(self, place: Place) -> tuple[Version, ...]:
        """Every text known to have stood at a place, newest first."""
        found: list[Version] = []
        for run in self.runs:
            for write in run.writes:
                if write.path.lower() != place.path.lower() or write.outcome != "done":
                    continue
                if not found or not same_text(found[-1].text, write.before, place.kind):
                    found.append(Version(place, write.before, write.at, run.owner, run.run_id, True))
                found.append(Version(place, write.after, write.at, run.owner, run.run_id, False))
        return tuple(reversed(found))

    def find_run(self, run_id: str) -> Run | None:
        """A run by the beginning of its id."""
        return next((r for r in reversed(self.runs) if run_id and r.run_id.startswith(run_id)), None)


def read_history(entries: Iterable[JournalEntry], gateway_id: str) -> History:
    """The runs of one gateway, from its journal."""
    runs: dict[str, Run] = {}
    bases: dict[str, str] = {}
    for entry in entries:
        if entry.gateway_id.lower() != gateway_id.lower():
            continue
        if entry.operation == PULL:
            if isinstance(entry.after, Mapping) and entry.after.get("digest"):
                bases[entry.target.lower()] = str(entry.after["digest"])
            continue
        if entry.operation not in (DEPLOY, ROLLBACK):
            continue
        run = runs.get(entry.run_id) or Run(
            entry.run_id, entry.operation, entry.owner, entry.reason, _at(entry), planned=()
        )
        runs[entry.run_id] = _with_entry(run, entry, bases)
    return History(tuple(runs.values()), bases)


def _with_entry(run: Run, entry: JournalEntry, bases: dict[str, str]) -> Run:
    if entry.target == RUN_TARGET:
        if entry.outcome == BEGUN and isinstance(entry.after, Mapping):
            planned = tuple(str(path) for path in entry.after.get("planned", ()))
            undoes = entry.after.get("undoes")
            return replace(run, planned=planned, undoes=None if undoes is None else str(undoes))
        return replace(run, ended_at=_at(entry), outcome=entry.outcome)
    if entry.phase == "intent":
        write = RecordedWrite(entry.target, _text(entry.before), _text(entry.after), _at(entry))
        return replace(run, writes=(*run.writes, write))
    if entry.phase not in ("done", "failed"):
        return run
    for index in range(len(run.writes) - 1, -1, -1):
        write = run.writes[index]
        if write.path == entry.target and write.outcome == "unknown":
            if entry.phase == "done" and write.after is not None and (place := write.place) is not None:
                bases[entry.target.lower()] = digest(write.after, place.kind)
            closed = replace(write, outcome=entry.phase, reason=entry.outcome)
            return replace(run, writes=(*run.writes[:index], closed, *run.writes[index + 1 :]))
    return run


def _at(entry: JournalEntry) -> datetime:
    return datetime.fromisoformat(entry.at.replace("Z", "+00:00"))


def _text(properties: Any) -> str | None:
    if not isinstance(properties, Mapping) or properties.get("value") is None:
        return None
    return str(properties["value"]).replace("\r\n", "\n")


# -- runs that did not come to their end -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A run that did not do all it planned, held against what stands now. Paths, in the run's order."""

    run: Run
    live: tuple[str, ...]
    not_live: tuple[str, ...]

    @property
    def text(self) -> str:
        """What happened and what to do, one sentence."""
        how = "failed" if self.run.ended_at is not None else "was interrupted"
        live = ", ".join(_name(p) for p in self.live)
        missing = ", ".join(_name(p) for p in self.not_live)
        undo = f"`fragments rollback --run {self.run.run_id[:SHORT_ID]}` undoes it"
        if not self.live:
            return f"The {self.run.words} {how}: nothing of it is live ({missing})"
        if not self.not_live:
            return f"The {self.run.words} {how} after its last write: all of it is live ({live}); {undo}"
        return f"The {self.run.words} {how}: live is {live}; not live is {missing}; {undo}"

    @property
    def needs_attention(self) -> bool:
        """Whether something of it stands on the gateway."""
        return bool(self.live)


def _name(path: str) -> str:
    place = place_of_path(path)
    return path if place is None else place.words


def unfinished_runs(history: History, deployed: Deployed) -> tuple[UnfinishedRun, ...]:
    """Runs that were killed or failed, unless a later run took them back or did the same places anew."""
    found: list[UnfinishedRun] = []
    for index, run in enumerate(history.runs):
        if run.is_complete or not run.planned:
            continue
        later = [r for r in history.runs[index + 1 :] if r.is_complete]
        if any(r.undoes == run.run_id for r in later):
            continue
        if any({p.lower() for p in run.planned} <= {p.lower() for p in r.planned} for r in later):
            continue
        live = tuple(path for path in run.planned if _is_live(run, path, deployed))
        found.append(UnfinishedRun(run, live, tuple(p for p in run.planned if p not in live)))
    return tuple(found)


def _is_live(run: Run, path: str, deployed: Deployed) -> bool:
    """Whether what a run wanted at a path is what stands there, and it is of the run's making."""
    write = next((w for w in reversed(run.writes) if w.path == path), None)
    place = place_of_path(path)
    if write is None or place is None:
        return False
    standing = deployed.at_path(path)
    text = None if standing is None else standing.text
    if same_text(write.before, write.after, place.kind):
        return False
    return same_text(text, write.after, place.kind)


def base_of(history: History, place: Place) -> str | None:
    """The digest that both sides last had in common at a place, None when this console never saw it."""
    return history.bases.get(place.path.lower())


def kind_of(path: str) -> Kind | None:
    """What stands at a path."""
    place = place_of_path(path)
    return None if place is None else place.kind
