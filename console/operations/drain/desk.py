"""One operator's desk for drains: plan, drain, resume, prove and restore on one engine's gateway.

Screens and the command line sit at the same desk. It opens the journal and the guarded writer for each run; the rules
are in `plan`, `execute`, `restore` and `prove`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from console.azure.entities import Entities, ServiceEntities
from console.domain.snapshot import GatewaySnapshot
from console.engine import Engine
from console.errors import DeadlineExceeded, GuardRefusal, NotFound
from console.journal import Journal, journal_path, local_owner
from console.operations.drain.examine import LIVE_FOR
from console.operations.drain.execute import DrainOrder, execute_drain, resume_drain
from console.operations.drain.gateway_state import OnStep, Step, fetch_record, list_drained
from console.operations.drain.gradual import GradualWatch
from console.operations.drain.plan import DrainPlan, plan_drain
from console.operations.drain.prove import DEADLINE_SECONDS, Look, Outcome, await_proof
from console.operations.drain.record import DrainRecord, RecordState
from console.operations.drain.restore import (
    RestorePlan,
    discard_claim,
    execute_restore,
    fetch_restore_plan,
)
from console.operations.writing import Pause, Writer

LOOK_DEADLINE_SECONDS = 60.0


def silent(step: Step) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class DrainDesk:
    """`owner` is written into records and the journal. `pause` waits between looks (a test lets time pass).

    `proof_deadline_seconds`: how long traffic is watched when nobody says otherwise.
    """

    engine: Engine
    owner: str = field(default_factory=local_owner)
    journal_file: Path = field(default_factory=journal_path)
    pause: Pause = asyncio.sleep
    proof_deadline_seconds: float = DEADLINE_SECONDS

    # -- looking ---------------------------------------------------------------------------------------------

    async def look(self) -> GatewaySnapshot:
        """A fresh snapshot from every feed, asked once.

        Raises:
            ConsoleError: the gateway itself cannot be read.
        """
        snapshot = await self.engine.fetch_once(LOOK_DEADLINE_SECONDS)
        self._require_gateway(snapshot)
        return snapshot

    async def look_again(self) -> GatewaySnapshot:
        """The snapshot with the gateway's configuration read anew.

        Raises:
            ConsoleError: the gateway cannot be read.
        """
        await self.engine.poll_now("topology")
        failure = self.engine.failure("topology")
        if failure is not None:
            raise failure
        self._require_gateway(self.engine.store.current)
        return self.engine.store.current

    def _require_gateway(self, snapshot: GatewaySnapshot) -> None:
        if snapshot.gateway is not None:
            return
        raise self.engine.failure("topology") or DeadlineExceeded(
            f"The gateway did not answer in {LOOK_DEADLINE_SECONDS:.0f} s",
            where=self.engine.profile.service_id,
            remedy="Check the network, then try again.",
        )

    def plan(self, backend_name: str) -> DrainPlan:
        """Plan on the current snapshot.

        Raises:
            NotFound: no such backend.
        """
        return plan_drain(self.engine.store.current, backend_name, read_only_text=self.engine.profile.read_only_text)

    async def fetch_restore_plan(self, backend_name: str) -> RestorePlan:
        """What a restore would do, read from the gateway now.

        Raises:
            NotFound: the backend is not being drained.
            ConsoleError: Azure refused or nobody answered.
        """
        return await fetch_restore_plan(await self._entities(), backend_name)

    # -- writing ---------------------------------------------------------------------------------------------

    async def drain(self, plan: DrainPlan, order: DrainOrder, on_step: OnStep = silent) -> DrainRecord:
        """Drain as planned. Returns the record as it stands.

        Raises:
            GuardRefusal: a guard refuses, or another console drains; says who.
            StalePlan: the gateway changed since the plan.
            ConsoleError: a write failed; the record tells how far it came.
        """
        self._require_writes()
        plan.require_permission(force_reason=order.reason if order.forced else None)
        writer = await self._writer("drain", order.reason)
        standing = await fetch_record(writer.entities, plan.backend_name)
        if standing is not None and standing.record.state is RecordState.CLAIMING:
            self._require_left_behind(standing.record, is_forced=order.forced)
            await discard_claim(plan.backend_name, writer)
            on_step(Step(f"an abandoned claim of {standing.record.owner} is gone", self.engine.clock.now()))
        return await execute_drain(plan, order, writer, self.engine.clock, on_step)

    async def resume(self, backend_name: str, on_step: OnStep = silent, *, is_forced: bool = False) -> DrainRecord:
        """Finish a drain that was interrupted or overwritten, by its record. `is_forced`: even one that just began.

        Raises:
            GuardRefusal: its console may still be writing, or it is being restored.
            ConsoleError: there is no record, or a write failed.
        """
        self._require_writes()
        writer = await self._writer("resume drain", "")
        standing = await fetch_record(writer.entities, backend_name)
        if standing is not None:
            self._require_left_behind(standing.record, is_forced=is_forced)
        return await resume_drain(backend_name, writer, self.engine.clock, on_step)

    async def restore(
        self, backend_name: str, on_step: OnStep = silent, *, is_gradual: bool = False, is_forced: bool = False
    ) -> RestorePlan | None:
        """Put a backend back and forget its drain; finish an interrupted restore, undo an interrupted drain.

        Returns what was done by pool; None when there was only a claim or a list entry to take away.

        Raises:
            NotFound: the backend is not being drained.
            GuardRefusal: its drain is being applied right now.
            ConsoleError: a write failed, or a gradual restore halted: the record stands.
        """
        self._require_writes()
        writer = await self._writer("restore", "")
        standing = await fetch_record(writer.entities, backend_name)
        if standing is None:
            if not await list_drained(writer, backend_name, listed=False):
                raise NotFound(f"{backend_name} is not being drained", remedy="Look at `drains`.")
            on_step(Step("taken off drained-backends", self.engine.clock.now()))
            return None
        self._require_left_behind(standing.record, is_forced=is_forced)
        if standing.record.state is RecordState.CLAIMING:
            await discard_claim(backend_name, writer)
            on_step(Step("drain record deleted: that drain never began", self.engine.clock.now()))
            return None
        watch = GradualWatch(self.engine, backend_name, on_step, self.pause) if is_gradual else None
        return await execute_restore(backend_name, writer, self.engine.clock, on_step, watch=watch)

    async def prove(
        self,
        backend_name: str,
        applied_at: datetime,
        *,
        deadline_seconds: float | None = None,
        on_look: Callable[[Look], None] = lambda look: None,
    ) -> Outcome:
        """Watch its traffic until it is proven to have stopped, or the deadline passes.

        Raises:
            ConsoleError: the gateway cannot be read any more.
        """
        return await await_proof(
            self.engine,
            backend_name,
            applied_at,
            deadline_seconds=self.proof_deadline_seconds if deadline_seconds is None else deadline_seconds,
            on_look=on_look,
            pause=self.pause,
        )

    # -- within ----------------------------------------------------------------------------------------------

    def _require_writes(self) -> None:
        self.engine.profile.require_writes()

    def _require_left_behind(self, record: DrainRecord, *, is_forced: bool) -> None:
        """Refuse to take over a drain whose console may be writing right now."""
        busy = record.state in (RecordState.CLAIMING, RecordState.APPLYING)
        age = self.engine.clock.now() - record.started_at
        if busy and age < LIVE_FOR and not is_forced:
            raise GuardRefusal(
                f"{record.owner} began to drain {record.backend_name} {max(0.0, age.total_seconds()):.0f} s ago",
                remedy=f"Wait {LIVE_FOR.total_seconds():.0f} s, or force when that console is gone.",
            )

    async def _entities(self) -> Entities:
        await self.engine.session.open()
        return ServiceEntities(self.engine.session)

    async def _writer(self, operation: str, reason: str) -> Writer:
        journal = Journal(
            self.journal_file,
            self.engine.clock,
            operation=operation,
            owner=self.owner,
            reason=reason,
            gateway_id=self.engine.profile.service_id,
        )
        return Writer(await self._entities(), journal, self.pause)
