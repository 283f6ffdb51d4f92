"""One operator's desk for fragments: look, compare, rehearse, deploy, watch, roll back and pull on one gateway.

Screens and the command line sit at the same desk. It opens the journal for each run and reads both sides; the rules are
in the rooms beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from console.azure.activity import fetch_changes
from console.azure.entities import Entities, ServiceEntities
from console.azure.policy_traffic import PolicyTraffic
from console.engine import Engine
from console.errors import ConsoleError, DeadlineExceeded, NotFound
from console.journal import Journal, journal_path, local_owner, read_journal
from console.operations.fragments import history as remembered
from console.operations.fragments.compare import SyncState, sync_state
from console.operations.fragments.deployed import Deployed, fetch_deployed, is_operated
from console.operations.fragments.documents import DeployedDocument, Kind, LocalDocument, Place, place_of_handle
from console.operations.fragments.execute import OnProgress, Outcome, Progress, execute_plan
from console.operations.fragments.history import History, Run, UnfinishedRun, base_of, read_history, unfinished_runs
from console.operations.fragments.inspect import FileFinding, inspect
from console.operations.fragments.local import LocalCatalogue, default_folder, read_folder
from console.operations.fragments.plan import DeployPlan, Wanted, missing_named_values, plan_deploy, wanted_from
from console.operations.fragments.pull import Pulled, execute_pull
from console.operations.fragments.references import affected, apis_of, names_in
from console.operations.fragments.rehearse import (
    REPLAYED_MINUTES,
    Rehearsal,
    fetch_description,
    run_rehearsal,
)
from console.operations.fragments.rollback import (
    last_deployment,
    plan_folder,
    plan_rollback,
    plan_versions,
    version_before,
)
from console.operations.fragments.watch import Limit, OnLook, Watched, watch_callers
from console.operations.writing import Pause

ACTIVITY_DAYS = 14
LOOK_DEADLINE_SECONDS = 60.0
SAFE_VALUES: Mapping[str, str] = {"drained-backends": "none"}
"""First values of named values that this console's own conventions define."""


@dataclass(frozen=True, slots=True)
class LastWrite:
    """Who wrote a document last. `source`: "journal" or "activity log"."""

    owner: str
    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One document, both sides. `missing` names what it uses and the gateway does not have, in words."""

    place: Place
    state: SyncState
    local: LocalDocument | None
    deployed: DeployedDocument | None
    used_by: tuple[str, ...]
    named_values: tuple[str, ...]
    backends: tuple[str, ...]
    missing: tuple[str, ...]
    last: LastWrite | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything a list shows. `problems`: what could not be read, one sentence each."""

    folder: Path
    service_name: str
    rows: tuple[CatalogueRow, ...]
    unfinished: tuple[UnfinishedRun, ...]
    problems: tuple[str, ...]
    local: LocalCatalogue
    deployed: Deployed
    history: History


def silent(progress: Progress) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class FragmentDesk:
    """`folder` None: the pulled folder when there is one, else the bundled policies. `pause` waits between looks."""

    engine: Engine
    folder: Path | None = None
    owner: str = field(default_factory=local_owner)
    journal_file: Path = field(default_factory=journal_path)
    pause: Pause = asyncio.sleep
    _traffic: PolicyTraffic | None = None

    # -- looking -----------------------------------------------------------------------------------------------

    def catalogue(self) -> LocalCatalogue:
        """The local side.

        Raises:
            UsageError: the folder cannot be read.
        """
        return read_folder(self.folder or default_folder(self.engine.profile.service_name))

    def history(self) -> History:
        """What the journal remembers of this gateway."""
        return read_history(read_journal(self.journal_file), self.engine.profile.service_id)

    async def entities(self) -> Entities:
        """Raw entities of the gateway."""
        await self.engine.session.open()
        return ServiceEntities(self.engine.session)

    async def deployed(self) -> Deployed:
        """The gateway's side, read now.

        Raises:
            ConsoleError: it cannot be read.
        """
        return await fetch_deployed(await self.entities())

    async def overview(self, *, with_activity: bool = True) -> Overview:
        """Both sides held against each other.

        Raises:
            ConsoleError: the folder or the gateway cannot be read.
        """
        local = self.catalogue()
        deployed = await self.deployed()
        history = self.history()
        problems = [problem.line for problem in deployed.problems]
        writers: dict[str, LastWrite] = {}
        if with_activity:
            try:
                writers = await self._writers()
            except ConsoleError as error:
                problems.append(error.line)
        rows = catalogue_rows(local, deployed, history, writers)
        unfinished = unfinished_runs(history, deployed)
        return Overview(
            local.folder,
            self.engine.profile.service_name,
            rows,
            unfinished,
            tuple(problems),
            local,
            deployed,
            history,
        )

    async def _writers(self) -> dict[str, LastWrite]:
        """The newest writer of each path below the service, by the activity log."""
        since = self.engine.clock.now() - timedelta(days=ACTIVITY_DAYS)
        prefix = self.engine.profile.service_id.lower() + "/"
        found: dict[str, LastWrite] = {}
        for change in await fetch_changes(self.engine.session, since):
            path = change.resource_id.lower()
            if path.startswith(prefix) and change.status == "Succeeded":
                found.setdefault(path[len(prefix) :], LastWrite(change.caller, change.at, "activity log"))
        return found

    def lint(self, overview: Overview, handles: Sequence[str] = ()) -> list[FileFinding]:
        """Findings on local documents (all of them without a handle), knowing the gateway.

        Raises:
            NotFound: a handle names no local document.
        """
        return lint_local(overview.local, overview.deployed, handles)

    # -- planning ----------------------------------------------------------------------------------------------

    def plan(
        self,
        overview: Overview,
        handles: Sequence[str],
        *,
        templates: Sequence[tuple[str, str]] = (),
        named_values: Sequence[tuple[str, str]] = (),
        deletions: Sequence[str] = (),
    ) -> DeployPlan:
        """Plan a deployment. Named values that our own conventions define come along when they are missing.

        Raises:
            NotFound: something named does not exist here.
            UsageError: nothing is named.
        """
        wanted = wanted_from(
            overview.local, handles, templates=templates, named_values=named_values, deletions=deletions
        )
        for name in missing_named_values(wanted, overview.deployed):
            if name in SAFE_VALUES:
                wanted.append(Wanted(Place(Kind.NAMED_VALUE, name), SAFE_VALUES[name], "by convention"))
        return plan_deploy(
            wanted, overview.deployed, overview.history, read_only_text=self.engine.profile.read_only_text
        )

    async def plan_rollback(
        self, run_id: str = "", handles: Sequence[str] = (), folder: Path | None = None
    ) -> DeployPlan:
        """Plan the way back: of a run (the last one when none is named), of documents, or to a pulled folder.

        Raises:
            NotFound: the journal knows no such run or version.
            UsageError: the folder cannot be read.
            ConsoleError: the gateway cannot be read.
        """
        deployed, history = await self.deployed(), self.history()
        read_only = self.engine.profile.read_only_text
        if folder is not None:
            local = read_folder(folder)
            return plan_folder(wanted_from(local, handles), deployed, history, read_only_text=read_only)
        if handles and not run_id:
            versions = []
            for handle in handles:
                place = place_of_handle(handle)
                standing = deployed.find(place)
                versions.append(version_before(history, place, None if standing is None else standing.text))
            return plan_versions(versions, deployed, history, read_only_text=read_only)
        run = history.find_run(run_id) if run_id else last_deployment(history, deployed)
        if run is None:
            raise NotFound(
                f"The journal holds no run {run_id!r} on this gateway", remedy=f"There are: {_known(history)}."
            )
        return plan_rollback(run, deployed, history, read_only_text=read_only)

    # -- writing -----------------------------------------------------------------------------------------------

    def _journal(self, operation: str, reason: str) -> Journal:
        engine = self.engine
        return Journal(
            self.journal_file,
            engine.clock,
            operation=operation,
            owner=self.owner,
            reason=reason,
            gateway_id=engine.profile.service_id,
        )

    async def deploy(self, plan: DeployPlan, reason: str, on_progress: OnProgress = silent) -> Outcome:
        """Write a plan. What Azure refuses is in the outcome.

        Raises:
            GuardRefusal: the console or the profile is read-only.
            OSError: the journal cannot be written.
        """
        self.engine.profile.require_writes()
        journal = self._journal(remembered.ROLLBACK if plan.is_rollback else remembered.DEPLOY, reason)
        entities = await self.entities()
        return await execute_plan(plan, entities, journal, self.engine.clock, self.pause, on_progress)

    async def undo(self, run_id: str, reason: str, on_progress: OnProgress = silent) -> Outcome:
        """Take back a run, as far as nobody changed it since.

        Raises:
            GuardRefusal: somebody else changed something since.
            ConsoleError: the gateway cannot be read.
        """
        plan = await self.plan_rollback(run_id)
        plan.require_permission(force_reason=None)
        return await self.deploy(plan, reason, on_progress)

    async def pull(self, folder: Path) -> Pulled:
        """Bring the gateway into a folder.

        Raises:
            UsageError: the folder is not for that.
            ConsoleError: the gateway cannot be read.
        """
        deployed = await self.deployed()
        journal = self._journal(remembered.PULL, f"into {folder}")
        return await asyncio.to_thread(execute_pull, deployed, self.engine.profile.service_name, folder, journal)

    # -- callers -----------------------------------------------------------------------------------------------

    async def _read_traffic(self) -> PolicyTraffic:
        await self.engine.session.open()
        if self._traffic is None:
            self._traffic = PolicyTraffic(self.engine.session)
        return self._traffic

    async def watch(
        self,
        plan: DeployPlan,
        deployed_at: datetime,
        duration_seconds: float,
        limits: Sequence[Limit] = (),
        on_look: OnLook = lambda before, since: None,
    ) -> Watched:
        """Watch the callers whom a plan concerns, against the ten minutes before.

        Raises:
            ConsoleError: the logs cannot be queried.
        """
        traffic = await self._read_traffic()
        apis = apis_of(plan.concerns) if plan.concerns else None
        return await watch_callers(
            lambda window: traffic.fetch_callers(window, apis),
            deployed_at,
            duration_seconds,
            limits,
            self.engine.clock,
            self.pause,
            on_look,
        )

    async def rehearse(
        self,
        plan: DeployPlan,
        deployed: Deployed,
        on_progress: Callable[[float], None] = lambda share: None,
        *,
        minutes: int = REPLAYED_MINUTES,
    ) -> Rehearsal:
        """Try a plan on a private copy of the gateway, with the traffic of the last hour. Only reads from Azure.

        Raises:
            ConsoleError: something it needs cannot be read, or the copy failed.
        """
        await self._know_gateway()
        observed = self.engine.observations
        assert observed.gateway is not None
        description = await fetch_description(
            await self.entities(),
            await self._read_traffic(),
            observed.gateway,
            observed.accounts or (),
            deployed,
            self.engine.clock.now(),
            minutes=minutes,
        )
        return await run_rehearsal(description, plan, on_progress)

    async def _know_gateway(self) -> None:
        """Read the gateway and its accounts unless the feeds have."""
        if self.engine.observations.gateway is None:
            await self.engine.poll_now("topology")
        if self.engine.observations.accounts is None:
            await self.engine.poll_now("accounts")
        if self.engine.observations.gateway is None:
            raise self.engine.failure("topology") or DeadlineExceeded(
                "The gateway did not answer", where=self.engine.profile.service_id, remedy="Try again."
            )


def _known(history: History) -> str:
    runs: list[Run] = list(history.runs)[-6:]
    return ", ".join(run.run_id[: remembered.SHORT_ID] for run in runs) or "none"


def lint_local(local: LocalCatalogue, deployed: Deployed | None, handles: Sequence[str] = ()) -> list[FileFinding]:
    """Findings on local documents and templates; `deployed` None leaves the gateway's facts out.

    Raises:
        NotFound: a handle names no local document.
    """
    from console.operations.fragments.plan import find_local

    if handles:
        documents = [local.templates[h] if h in local.templates else find_local(local, h) for h in handles]
    else:
        documents = [*local.documents.values(), *local.templates.values()]
    coming = [d for d in local.documents.values() if d.place.kind is not Kind.NAMED_VALUE or local.is_pulled]
    return inspect(documents, deployed, coming)


def catalogue_rows(
    local: LocalCatalogue, deployed: Deployed, history: History, writers: Mapping[str, LastWrite]
) -> tuple[CatalogueRow, ...]:
    """Every document of either side, named values before fragments before policies. Pure."""
    places = {p: deployed.find(p) for p in local.documents}
    shown = {d.place for d in places.values() if d is not None}
    every = [*places, *(p for p in deployed.documents if p not in shown)]
    texts = {p: d.text for p, d in deployed.documents.items() if d.text is not None}
    known = tuple(deployed.backends or ())
    backends = {name.lower() for name in known}
    values = {d.place.name.lower() for d in deployed.of_kind(Kind.NAMED_VALUE)}
    fragments = {d.place.name.lower() for d in deployed.of_kind(Kind.FRAGMENT)}
    rows = []
    for place in every:
        if is_operated(place.name) and place.kind is Kind.NAMED_VALUE:
            continue
        here, there = local.documents.get(place), deployed.find(place)
        mine, theirs = (None if here is None else here.text), (None if there is None else there.text)
        if there is not None and there.is_secret:
            state = SyncState.ONLY_THERE if here is None else SyncState.DIFFERS
        else:
            state = sync_state(mine, theirs, base_of(history, place), place.kind)
        text = mine if mine is not None else theirs
        is_text = place.kind is not Kind.NAMED_VALUE and text is not None
        names = names_in(text or "", known) if is_text else names_in("<fragment />")
        missing = [
            f"backend {b}" for b in names.backends if deployed.backends is not None and b.lower() not in backends
        ]
        missing += [f"named value {n}" for n in names.named_values if n.lower() not in values]
        missing += [f"fragment {f}" for f in names.fragments if f.lower() not in fragments]
        rows.append(
            CatalogueRow(
                place,
                state,
                here,
                there,
                affected(place, texts) if there is not None else (),
                names.named_values,
                names.backends,
                tuple(missing),
                _last_write(history, place if there is None else there.place, there, writers),
            )
        )
    return tuple(sorted(rows, key=lambda row: row.place.order))


def _last_write(
    history: History, place: Place, there: DeployedDocument | None, writers: Mapping[str, LastWrite]
) -> LastWrite | None:
    if there is None:
        return None
    written = history.last_write(there.path)
    logged = writers.get(there.path.lower())
    if written is None:
        return logged
    run, write = written
    # The log names the same write seconds later; only a clearly newer one is somebody else's.
    if logged is not None and logged.at > write.at + timedelta(seconds=60):
        return logged
    return LastWrite(run.owner, write.at, "journal")
