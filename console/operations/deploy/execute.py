"""Deploying: started once, watched by anybody, cancelled on demand.

The deployment's name is the lock: while one of that name runs, Azure refuses another, and this console watches the
running one instead. When the answer to the start is lost, the deployment is looked for before anything is sent again.
Intent is in the journal before the request leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from console.azure.deployments import ArmRefusal, Deployments
from console.clock import Clock
from console.domain.arm_deployment import ArmDeployment, Operation, leaves
from console.errors import ConsoleError, DeadlineExceeded, NotFound, SignInError, Throttled, Unreachable
from console.journal import Journal
from console.operations.deploy.failure import Failure, explain_operations

LOOK_SECONDS = 5.0
"""Between two looks at a running deployment."""
SILENCE_LIMIT_SECONDS = 600.0
"""How long nobody may answer before watching ends; the deployment itself goes on."""
WATCH_DEADLINE_SECONDS = 3 * 3600.0
START_LOOKS = 5
"""How often a deployment whose start was not answered is looked for."""
_PASSING_TROUBLE = (Unreachable, DeadlineExceeded, Throttled)

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Progress:
    """A deployment as seen at `at`. `trouble` says why the last look failed, "" when it did not."""

    at: datetime
    deployment: ArmDeployment
    operations: tuple[Operation, ...] = ()
    trouble: str = ""

    @property
    def done_count(self) -> int:
        """Resources that are written."""
        return sum(step.state == "Succeeded" for step in leaves(self.operations))

    @property
    def known_count(self) -> int:
        """Resources begun so far; Azure names them only as it begins them."""
        return len(leaves(self.operations))

    @property
    def elapsed_seconds(self) -> float | None:
        """Since the deployment began."""
        return self.deployment.duration_seconds

    @property
    def running(self) -> tuple[Operation, ...]:
        """What is being written now."""
        return tuple(step for step in leaves(self.operations) if not step.is_over)


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended. `failure` None unless it failed or was cancelled."""

    progress: Progress
    failure: Failure | None = None

    @property
    def is_success(self) -> bool:
        """Whether everything is deployed."""
        return self.progress.deployment.state == "Succeeded"


OnProgress = Callable[[Progress], None]


class Executor:
    """Starts, watches and cancels deployments of one subscription."""

    def __init__(self, deployments: Deployments, clock: Clock, pause: Pause = asyncio.sleep) -> None:
        self._deployments = deployments
        self._clock = clock
        self._pause = pause
        self._over: dict[str, tuple[Operation, ...]] = {}
        self.look_seconds = LOOK_SECONDS

    async def execute(self, name: str, body: bytes, journal: Journal) -> tuple[ArmDeployment, bool]:
        """Start the deployment, or find it running. Returns it, and whether this call started it.

        Raises:
            ArmRefusal: Azure refuses it; nothing was begun.
            ConsoleError: nobody answered and nothing runs: trying again is safe.
        """
        before = await self._deployments.fetch(name)
        if before is not None and not before.is_over:
            journal.write("note", before.id, outcome="it runs already and is watched")
            return before, False
        journal.write("intent", self._deployments.id_of(name), after={"deployment": name, "bytes": len(body)})
        try:
            started = await self._deployments.execute_put(name, body)
        except ArmRefusal as refusal:
            if refusal.error.code != "DeploymentActive":
                journal.write("failed", self._deployments.id_of(name), outcome=refusal.line)
                raise
            return await self._attach(name, before, journal, refusal)
        except _PASSING_TROUBLE as error:
            return await self._attach(name, before, journal, error)
        except ConsoleError as error:
            journal.write("failed", self._deployments.id_of(name), outcome=error.line)
            raise
        journal.write("done", started.id, outcome=f"begun, correlation {started.correlation_id}")
        return started, True

    async def _attach(
        self, name: str, before: ArmDeployment | None, journal: Journal, error: ConsoleError
    ) -> tuple[ArmDeployment, bool]:
        """The answer was lost, or somebody was quicker: watch what runs; when nothing began, say so."""
        for _ in range(START_LOOKS):
            try:
                found = await self._deployments.fetch(name)
            except _PASSING_TROUBLE:
                found = None
            is_new = found is not None and (before is None or found.correlation_id != before.correlation_id)
            if found is not None and is_new:
                lost = not isinstance(error, ArmRefusal)
                journal.write("done", found.id, outcome="begun, the answer was lost" if lost else "it runs already")
                return found, lost
            await self._pause(LOOK_SECONDS)
        journal.write("unknown", self._deployments.id_of(name), outcome=error.line)
        raise error

    async def cancel(self, name: str, journal: Journal) -> None:
        """Ask Azure to stop. What is done stays; what has been begun may still end.

        Raises:
            ConsoleError: it is over already, or nobody answered.
        """
        journal.write("intent", self._deployments.id_of(name), outcome="cancel")
        try:
            await self._deployments.execute_cancel(name)
        except ConsoleError as error:
            journal.write("failed", self._deployments.id_of(name), outcome=error.line)
            raise
        journal.write("done", self._deployments.id_of(name), outcome="cancel asked for")

    async def look(self, name: str) -> Progress:
        """The deployment with all its steps, modules opened.

        Raises:
            NotFound: there is no deployment of this name.
            ConsoleError: it cannot be read.
        """
        deployment = await self._deployments.fetch(name)
        if deployment is None:
            raise NotFound(
                f"There is no deployment {name}", where=self._deployments.id_of(name), remedy="Deploy it first."
            )
        return Progress(self._clock.now(), deployment, await self._open(deployment.id))

    async def _open(self, deployment_id: str) -> tuple[Operation, ...]:
        """Steps with their modules' steps; a module that is over is read once more, then remembered."""
        steps = await self._deployments.fetch_operations(deployment_id)
        opened: list[Operation] = []
        for step in steps:
            if not step.is_module:
                opened.append(step)
                continue
            key = f"{step.resource_id.lower()}@{step.id}"
            nested = self._over.get(key)
            if nested is None:
                try:
                    nested = await self._open(step.resource_id)
                except NotFound:
                    nested = ()  # the step has begun, its module is not known to Azure yet
                if step.is_over:
                    self._over[key] = nested
            opened.append(replace(step, nested=nested))
        return tuple(opened)

    async def watch(self, name: str, on_progress: OnProgress, *, deadline_seconds: float | None = None) -> Ending:
        """Look until it is over. Silence is told and borne for ten minutes: the deployment goes on in Azure.

        Raises:
            NotFound: there is no such deployment.
            SignInError: the sign-in expired and cannot be renewed.
            DeadlineExceeded: nobody answered, or it is not over in the time given.
        """
        began = self._clock.monotonic()
        heard = began
        last: Progress | None = None
        while True:
            try:
                last = await self.look(name)
            except _PASSING_TROUBLE as error:
                now = self._clock.monotonic()
                if now - heard > SILENCE_LIMIT_SECONDS:
                    raise self._unheard(name, error) from error
                if last is not None:
                    last = replace(last, at=self._clock.now(), trouble=f"{error.what}; trying again")
            except SignInError as error:
                raise SignInError(
                    f"{error.what}; the deployment goes on in Azure", where=error.where, remedy=error.remedy
                ) from error
            else:
                heard = self._clock.monotonic()
            if last is not None:
                on_progress(last)
                if last.deployment.is_over and not last.trouble:
                    return _ending(last)
            if self._clock.monotonic() - began > (deadline_seconds or WATCH_DEADLINE_SECONDS):
                raise DeadlineExceeded(
                    f"{name} is not over yet; it goes on in Azure",
                    where=self._deployments.id_of(name),
                    remedy="Watch it again with the same command.",
                )
            await self._pause(self.look_seconds)

    def _unheard(self, name: str, error: ConsoleError) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"Nobody has answered for {SILENCE_LIMIT_SECONDS / 60:.0f} min ({error.what}); the deployment goes on",
            where=self._deployments.id_of(name),
            remedy="Watch it again with the same command when the network is back.",
        )


def _ending(progress: Progress) -> Ending:
    deployment = progress.deployment
    if deployment.state == "Succeeded":
        return Ending(progress)
    if deployment.state == "Canceled":
        remedy = "Deploy again: what is done stays, the rest is done."
        return Ending(progress, Failure("DeploymentCanceled", "The deployment was cancelled", deployment.id, remedy))
    return Ending(progress, explain_operations(progress.operations, deployment.error))
