"""Writing a plan: one guarded, journalled, verified write after the other, each held against what it should mean.

The run is noted before its first write, so that a killed console leaves a journal that says how far it came. Nothing is
rolled back by itself here: what is live and what is not is told, and the caller decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.azure.entities import Entities, RawEntity
from console.clock import Clock
from console.errors import Conflict, ConsoleError
from console.journal import Journal
from console.operations.fragments.deployed import PolicyEntities, fetch_document, parse_document, parse_named_value
from console.operations.fragments.documents import DeployedDocument, Kind, same_text
from console.operations.fragments.history import BEGUN, DONE, RUN_TARGET
from console.operations.fragments.plan import DeployPlan, PlannedWrite
from console.operations.fragments.validation import Refusal, refusals_of
from console.operations.writing import Pause, Writer


@dataclass(frozen=True, slots=True)
class Progress:
    """One step: `state` is "writing", "live" or "failed"; `number` of `total` counts from 1."""

    write: PlannedWrite
    state: str
    number: int
    total: int
    at: datetime


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `error` None: everything is live. `refusals` place API Management's reasons in the file."""

    run_id: str
    live: tuple[PlannedWrite, ...]
    failed: PlannedWrite | None = None
    not_begun: tuple[PlannedWrite, ...] = ()
    error: ConsoleError | None = None
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether something is live and something is not."""
        return self.error is not None and bool(self.live)

    @property
    def text(self) -> str:
        """What stands now, one sentence."""
        live = ", ".join(w.place.words for w in self.live) or "nothing"
        if self.error is None:
            return f"Live: {live}"
        missing = [w.place.words for w in ((self.failed,) if self.failed else ()) + self.not_begun]
        return f"Live: {live}. Not live: {', '.join(missing)}"


async def execute_plan(
    plan: DeployPlan,
    entities: Entities,
    journal: Journal,
    clock: Clock,
    pause: Pause,
    on_progress: OnProgress = lambda progress: None,
) -> Outcome:
    """Write everything that is planned, in order, and stop at the first failure. Azure's errors are in the outcome.

    Raises:
        OSError: the journal cannot be written; nothing was sent after that.
    """
    writer = Writer(PolicyEntities(entities), journal, pause)
    planned = {"planned": [write.path for write in plan.writes], "undoes": plan.undoes}
    journal.write("note", RUN_TARGET, after=planned, outcome=BEGUN)
    live: list[PlannedWrite] = []
    warnings: list[str] = []
    for number, write in enumerate(plan.writes, 1):
        on_progress(Progress(write, "writing", number, len(plan.writes), clock.now()))
        try:
            warning = await _execute_write(write, writer)
        except ConsoleError as error:
            on_progress(Progress(write, "failed", number, len(plan.writes), clock.now()))
            journal.write("note", RUN_TARGET, outcome=f"failed: {error.line}")
            refusals = refusals_of(error, write.file, write.text or "")
            return Outcome(journal.run_id, tuple(live), write, plan.writes[number:], error, refusals, tuple(warnings))
        live.append(write)
        warnings += [warning] if warning else []
        on_progress(Progress(write, "live", number, len(plan.writes), clock.now()))
    journal.write("note", RUN_TARGET, outcome=DONE)
    return Outcome(journal.run_id, tuple(live), warnings=tuple(warnings))


async def _execute_write(write: PlannedWrite, writer: Writer) -> str | None:
    """One write, on what the plan saw. Returns what else Azure changed, in words.

    Raises:
        Conflict: somebody else changed it since, or afterwards.
        ConsoleError: Azure refused, or nobody answered and it did not land.
    """
    standing = await writer.entities.get(write.path)
    now = None if standing is None else _document(standing, write)
    if write.text is None and standing is None:
        return None
    if not same_text(None if now is None else now.text, write.before_text, write.place.kind):
        raise Conflict(
            f"{write.place.words} was changed by somebody else since the plan was made",
            where=write.path,
            remedy="Look at the diff again, then repeat.",
        )
    if write.text is None:
        assert standing is not None
        await writer.delete(write.path, before=standing)
        return None
    wanted = write.text

    def landed(found: RawEntity) -> bool:
        return same_text(_document(found, write).text, wanted, write.place.kind)

    written = await writer.put(write.path, _body(write, standing), before=standing, landed=landed)
    return _something_else(write, standing, written.entity)


def _document(entity: RawEntity, write: PlannedWrite) -> DeployedDocument:
    if write.place.kind is Kind.NAMED_VALUE:
        return parse_named_value(entity)
    return parse_document(entity, write.place, write.path)


def _body(write: PlannedWrite, standing: RawEntity | None) -> dict[str, Any]:
    """The whole entity to write: what stands there, with its text replaced."""
    properties = dict(standing.properties) if standing is not None else {}
    properties.pop("provisioningState", None)
    properties["value"] = write.text
    if write.place.kind is Kind.NAMED_VALUE:
        properties.setdefault("displayName", write.place.name)
        properties.setdefault("secret", False)
        return {"properties": properties}
    properties["format"] = "rawxml"
    if standing is None and write.place.kind is Kind.FRAGMENT and write.description:
        properties["description"] = write.description
    return {"properties": properties}


def _something_else(write: PlannedWrite, before: RawEntity | None, after: RawEntity) -> str | None:
    changed = [] if before is None else _other_properties(before.properties, after.properties)
    if not changed:
        return None
    return f"{write.place.words} is live, and Azure changed something else of it: {', '.join(changed)}"


def _other_properties(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    own = {"value", "format", "provisioningState"}
    return sorted(k for k in (before.keys() | after.keys()) - own if before.get(k) != after.get(k))


async def still_stands(entities: Entities, write: PlannedWrite) -> bool:
    """Whether what a run wrote is what stands now.

    Raises:
        ConsoleError: Azure refused or nobody answered.
    """
    found = await fetch_document(entities, write.place, write.path)
    return same_text(None if found is None else found.text, write.text, write.place.kind)
