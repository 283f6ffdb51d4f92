"""The demonstration gateway in process, a pulled folder of it and a journal: what fragment tests sit at."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from console.journal import Journal, read_journal
from console.operations.fragments import history
from console.operations.fragments.deployed import Deployed, fetch_deployed
from console.operations.fragments.documents import Kind, Place
from console.operations.fragments.execute import Outcome, execute_plan
from console.operations.fragments.history import History, UnfinishedRun, read_history, unfinished_runs
from console.operations.fragments.local import LocalCatalogue, read_folder
from console.operations.fragments.plan import DeployPlan, Wanted, plan_deploy
from console.operations.fragments.pull import Pulled, execute_pull
from console.operations.fragments.rollback import last_deployment, plan_rollback
from simulator import apim, topology
from simulator.names import SERVICE
from simulator.resources.settings import arm_settings
from simulator.world import World
from tests.operations.in_process import InProcessEntities

T = TypeVar("T")


class FrozenClock:
    """Noon."""

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


async def no_pause(seconds: float) -> None:
    assert seconds >= 0


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def demo_gateway() -> World:
    """The demonstration gateway without its data plane."""
    world = World(seed=1, now=1_795_000_000.0)
    topology.write_demo(world)
    apim.attach(world)
    arm_settings(world).throttling = False
    return world


def fragment(name: str, text: str | None, file: str = "") -> Wanted:
    return Wanted(Place(Kind.FRAGMENT, name), text, file or f"{name}.fragment.xml")


def policy(scope: str, text: str | None) -> Wanted:
    return Wanted(Place(Kind.POLICY, scope), text, f"{scope}.policy.xml")


def named_value(name: str, value: str | None) -> Wanted:
    return Wanted(Place(Kind.NAMED_VALUE, name), value, "named-values.toml")


class Bench:
    """A world, its entities and one operator's folder."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.entities = InProcessEntities(world)
        self.folder = folder / "gateway"
        self.journal_file = folder / "journal.jsonl"

    def journal(self, operation: str = history.DEPLOY) -> Journal:
        return Journal(
            self.journal_file, FrozenClock(), operation=operation, owner="me", reason="why", gateway_id=SERVICE
        )

    def deployed(self) -> Deployed:
        return run(fetch_deployed(self.entities))

    def history(self) -> History:
        return read_history(read_journal(self.journal_file), SERVICE)

    def pull(self) -> Pulled:
        return execute_pull(self.deployed(), "apim-contoso-prod", self.folder, self.journal(history.PULL))

    def local(self) -> LocalCatalogue:
        return read_folder(self.folder)

    def plan(self, *wanted: Wanted, read_only: bool = False) -> DeployPlan:
        return plan_deploy(
            list(wanted),
            self.deployed(),
            self.history(),
            read_only_text="this profile is read-only" if read_only else "",
        )

    def carry_out(self, plan: DeployPlan) -> Outcome:
        operation = history.ROLLBACK if plan.is_rollback else history.DEPLOY
        return run(execute_plan(plan, self.entities, self.journal(operation), FrozenClock(), no_pause))

    def deploy(self, *wanted: Wanted) -> Outcome:
        return self.carry_out(self.plan(*wanted))

    def plan_back(self) -> DeployPlan:
        past, standing = self.history(), self.deployed()
        return plan_rollback(last_deployment(past, standing), standing, past)

    def unfinished(self) -> tuple[UnfinishedRun, ...]:
        return unfinished_runs(self.history(), self.deployed())

    def text(self, place: Place) -> str | None:
        found = self.deployed().find(place)
        return None if found is None else found.text

    def texts(self) -> dict[Place, str | None]:
        return {place: document.text for place, document in self.deployed().documents.items()}
