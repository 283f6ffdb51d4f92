"""Whatever happens during drains and restores, nothing is lost.

Random topologies; consoles that die at any request; answers lost before or after the write landed; refusals,
throttling; other people editing the same pools between any two requests. After any sequence a fresh console restores
every pool to what it was, plus what the others did.
"""

from __future__ import annotations

import asyncio
import copy
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from console.errors import ConsoleError, Throttled
from console.journal import Journal
from console.operations.drain.execute import DrainOrder, execute_drain, resume_drain
from console.operations.drain.gateway_state import fetch_record
from console.operations.drain.plan import plan_drain
from console.operations.drain.record import RecordState
from console.operations.drain.restore import discard_claim, execute_restore
from console.operations.writing import Writer
from simulator.names import SERVICE
from tests.operations.in_process import InProcessEntities, Killed, Lost, make_service
from tests.operations.snapshots import snapshot_of

BACKENDS = ["a", "b", "c", "d"]
TROUBLES = (
    "none",
    "lost before",
    "lost after",
    "throttled",
    "killed before",
    "killed after",
    "edit before",
    "edit after",
)

POOL = st.lists(st.sampled_from(BACKENDS), min_size=2, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*[st.tuples(st.just(n), st.integers(1, 3), st.integers(1, 100)) for n in names])
)


class FrozenClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


async def no_pause(seconds: float) -> None:
    assert seconds >= 0


class Drains(RuleBasedStateMachine):
    """`shadow` holds every pool as it would be had nobody ever drained: the others' edits alone."""

    @initialize(pools=st.dictionaries(st.sampled_from(["chat-pool", "embeddings-pool"]), POOL, min_size=1))
    def deploy(self, pools: dict[str, Any]) -> None:
        self.world = make_service({name: list(members) for name, members in pools.items()}, BACKENDS)
        self.pools = sorted(pools)
        self.shadow = {name: copy.deepcopy(self._pool(name)) for name in self.pools}
        self.folder = tempfile.TemporaryDirectory()
        self.edits = 0

    # -- the others ------------------------------------------------------------------------------------------

    def _pool(self, name: str) -> dict[str, Any]:
        resource = self.world.store.get(f"{SERVICE}/backends/{name}")
        assert resource is not None
        return resource.body

    def _edit(self, pool: str, kind: str) -> None:
        """Somebody changes a pool by hand: in the pool as it stands, and in the shadow."""
        self.edits += 1
        for body in (self._pool(pool), self.shadow[pool]):
            properties = body["properties"]
            services = properties["pool"]["services"]
            if kind == "description":
                properties["description"] = f"edited {self.edits}"
            elif kind == "new property":
                properties[f"newer{self.edits}"] = {"kept": True}
            elif kind == "weight of another":
                drained = self._drained_anywhere()
                for entry in services:
                    if entry["id"].rsplit("/", 1)[1] not in drained:
                        entry["weight"] = self.edits % 100 + 1
        self.world.store.put(
            f"{SERVICE}/backends/{pool}", "Microsoft.ApiManagement/service/backends", copy.deepcopy(self._pool(pool))
        )

    def _drained_anywhere(self) -> set[str]:
        """Backends that a drain may be holding: an edit of their own entry would be no edit of somebody else's."""
        return {r.name.removeprefix("drain-") for r in self.world.store.children(SERVICE, "namedValues")} | {self.busy}

    busy = ""

    # -- a console that meets trouble ------------------------------------------------------------------------

    def _entities(self, troubles: list[str], edit: tuple[str, str]) -> InProcessEntities:
        entities = InProcessEntities(self.world)
        waiting = list(troubles)
        current = "none"

        def before(method: str, path: str) -> None:
            nonlocal current
            current = waiting.pop(0) if waiting else "none"
            if current == "throttled":
                raise Throttled("throttled", retry_after_seconds=1)
            if current == "lost before":
                raise Lost("the connection broke before it was sent")
            if current == "killed before":
                raise Killed
            if current == "edit before":
                self._edit(*edit)

        def after(method: str, path: str) -> None:
            if current == "lost after":
                raise Lost("the answer was lost")
            if current == "killed after":
                raise Killed
            if current == "edit after":
                self._edit(*edit)

        entities.before, entities.after = before, after
        return entities

    def _writer(self, entities: InProcessEntities) -> Writer:
        path = Path(self.folder.name) / "journal.jsonl"
        journal = Journal(path, FrozenClock(), operation="test", owner="me", reason="", gateway_id=SERVICE)
        return Writer(entities, journal, no_pause)

    def _go(self, backend: str, work: Any) -> None:
        self.busy = backend
        try:
            asyncio.run(work)
        except (ConsoleError, Killed):
            pass  # the console was told no, or died: what it leaves behind is what the invariants look at
        finally:
            self.busy = ""

    trouble = st.lists(st.sampled_from(TROUBLES), max_size=30)
    edit = st.tuples(
        st.sampled_from(["chat-pool", "embeddings-pool"]),
        st.sampled_from(["description", "new property", "weight of another"]),
    )

    def _known(self, edit: tuple[str, str]) -> tuple[str, str]:
        return (edit[0] if edit[0] in self.pools else self.pools[0], edit[1])

    @rule(backend=st.sampled_from(BACKENDS), trouble=trouble, edit=edit, forced=st.booleans())
    def drain(self, backend: str, trouble: list[str], edit: tuple[str, str], forced: bool) -> None:
        plan = plan_drain(snapshot_of(self.world), backend)
        if any(not guard.is_forceable for guard in plan.refusals):
            return
        writer = self._writer(self._entities(trouble, self._known(edit)))
        order = DrainOrder("me", 'a reason with {{braces}} and "quotes"', None, forced)
        self._go(backend, execute_drain(plan, order, writer, FrozenClock()))

    @rule(backend=st.sampled_from(BACKENDS), trouble=trouble, edit=edit)
    def resume(self, backend: str, trouble: list[str], edit: tuple[str, str]) -> None:
        self._go(
            backend, resume_drain(backend, self._writer(self._entities(trouble, self._known(edit))), FrozenClock())
        )

    @rule(backend=st.sampled_from(BACKENDS), trouble=trouble, edit=edit, gradual=st.booleans())
    def restore(self, backend: str, trouble: list[str], edit: tuple[str, str], gradual: bool) -> None:
        async def calm(step: str) -> str | None:
            return None

        writer = self._writer(self._entities(trouble, self._known(edit)))
        self._go(backend, execute_restore(backend, writer, FrozenClock(), watch=calm if gradual else None))

    @rule(edit=edit)
    def somebody_edits(self, edit: tuple[str, str]) -> None:
        self._edit(*self._known(edit))

    @precondition(lambda self: hasattr(self, "pools"))
    @rule()
    def pools_are_never_emptied(self) -> None:
        for name in self.pools:
            assert self._pool(name)["properties"]["pool"]["services"], name

    # -- the end ---------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "pools"):
            return
        for backend in BACKENDS:
            asyncio.run(self._undo(backend))
        for name in self.pools:
            assert _ordered(self._pool(name)) == _ordered(self.shadow[name]), name
        left = [r.name for r in self.world.store.children(SERVICE, "namedValues") if r.name.startswith("drain-")]
        assert left == []
        listed = self.world.store.get(f"{SERVICE}/namedValues/drained-backends")
        assert listed is None or listed.properties["value"] == "none"
        self.folder.cleanup()

    async def _undo(self, backend: str) -> None:
        """What any fresh console does with what it finds."""
        entities = InProcessEntities(self.world)
        standing = await fetch_record(entities, backend)
        if standing is None:
            return
        if standing.record.state is RecordState.CLAIMING:
            await discard_claim(backend, self._writer(entities))
        else:
            await execute_restore(backend, self._writer(entities), FrozenClock())


def _ordered(body: dict[str, Any]) -> dict[str, Any]:
    """A pool's properties for comparison, order of members included; the nulls Azure puts into answers left out."""
    return {key: value for key, value in body["properties"].items() if value is not None}


def sequences(count: int) -> None:
    """Run `count` random sequences."""
    run_state_machine_as_test(
        Drains,
        settings=settings(
            max_examples=count,
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.reuse, Phase.generate),
            print_blob=True,
        ),
    )


def test_nothing_is_lost_in_any_sequence_first_half() -> None:
    sequences(1_000)


def test_nothing_is_lost_in_any_sequence_second_half() -> None:
    sequences(1_000)
