"""One deployment while it is made: its answers, its steps, what happened. It lives in the app and outlasts its screen.

Leaving the screen leaves it going; what is only in Azure goes on even without this console.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from console.domain.arm_deployment import ArmDeployment
from console.errors import ConsoleError
from console.operations.deploy.execute import Ending, Progress
from console.operations.deploy.failure import Failure, explain_refusal
from console.operations.deploy.flow import DeployFlow, choices_of
from console.operations.deploy.parameters import Choices, deployment_name, problems_of
from console.operations.deploy.preflight import Check, CheckState, summary_of
from console.operations.deploy.prove import ProofState, ProofStep
from console.operations.deploy.whatif import Reading
from screens.spans import visible

if TYPE_CHECKING:
    from screens.app import ConsoleApp


class Step(StrEnum):
    """The way, in order."""

    CHECKS = "Checks"
    PARAMETERS = "Parameters"
    TEMPLATE = "Template"
    WHAT_IF = "What-if"
    DEPLOY = "Deploy"
    PROVE = "Prove"
    HAND_OVER = "Hand over"


class StepState(StrEnum):
    """How far a step is."""

    AHEAD = "ahead"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened."""

    at: datetime
    text: str


@dataclass(slots=True)
class DeployRun:
    """`on_change` is told of every change while a screen shows the run."""

    flow: DeployFlow
    choices: Choices = field(default_factory=Choices)
    step: Step = Step.CHECKS
    states: dict[Step, StepState] = field(default_factory=lambda: dict.fromkeys(Step, StepState.AHEAD))
    checks: tuple[Check, ...] = ()
    reading: Reading | None = None
    progress: Progress | None = None
    ending: Ending | None = None
    proof: dict[str, ProofStep] = field(default_factory=dict)
    failure: Failure | None = None
    parameters_file: Path | None = None
    log: list[LogLine] = field(default_factory=list)
    busy: str = ""
    is_new_gateway: bool = True
    on_change: Callable[[], None] | None = None

    # -- telling ---------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Into the log; the same text again is not repeated."""
        if not self.log or self.log[-1].text != text:
            self.log.append(LogLine(self.flow.clock.now(), text))
        self.changed()

    def changed(self) -> None:
        """Draw anew."""
        if self.on_change is not None:
            self.on_change()

    def move(self, step: Step, state: StepState) -> None:
        """A step reaches a state and is the one looked at."""
        self.step = step
        self.states[step] = state
        self.changed()

    async def guarded(self, step: Step, words: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do a step's work; what goes wrong is the step's failure, told once with what to do."""
        if self.busy:
            return
        self.busy, self.failure = words, None
        self.move(step, StepState.RUNNING)
        try:
            await work()
        except (ConsoleError, OSError) as error:
            told = error if isinstance(error, ConsoleError) else ConsoleError(f"A file cannot be written: {error}")
            self.failure = explain_refusal(told)
            self.states[step] = StepState.FAILED
            self.say(f"{step.value}: {self.failure.line}")
        finally:
            self.busy = ""
            self.changed()

    # -- steps -----------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Check what can be checked without answers, and take up what is going on or was left."""
        await self.guarded(Step.CHECKS, "checking the subscription", self._first_look)

    async def _first_look(self) -> None:
        await self._load_template()
        remembered = self.flow.remembered()
        if not self.choices.username and remembered:
            self.choices = remembered[0]
            self.say("The answers of the last time are filled in.")
        await self._check(is_complete=False)
        found = self.flow.surroundings
        mine = found.earlier if found.earlier is not None and not found.earlier.is_over else None
        standing = mine or next(iter(found.running), None)
        answers = choices_of(standing) if standing is not None else None
        if standing is not None and answers is not None:
            self.choices = answers
            self.say(f"{standing.name} is running: watching it.")
            self.states[Step.PARAMETERS] = self.states[Step.WHAT_IF] = StepState.DONE
            await self._watch(standing.name)
            return
        suggested = self.flow.suggest(self.choices)
        if suggested != self.choices:
            self.choices = suggested
            self.say("Endpoints of this subscription are filled in: look at them.")
        self.move(Step.PARAMETERS, StepState.OPEN)

    async def _load_template(self) -> None:
        template = await self.flow.load_template()
        self.states[Step.TEMPLATE] = StepState.DONE
        self.say(f"Template: {template.origin}")

    async def _check(self, *, is_complete: bool) -> None:
        self.checks = ()
        self.move(Step.CHECKS, StepState.RUNNING)

        def tell(check: Check) -> None:
            self.checks = (*self.checks, check)
            self.changed()

        preflight = await self.flow.check(self.choices, tell, is_complete=is_complete)
        self.is_new_gateway = not self.flow.surroundings.existing_id
        self.states[Step.CHECKS] = StepState.FAILED if preflight.failing else StepState.DONE
        self.say(f"Checks: {summary_of(preflight.checks)}")

    async def prepare(self) -> None:
        """The answers are given: check all of it and ask what would change."""
        await self.guarded(Step.CHECKS, "checking everything with these answers", self._prepare)

    async def _prepare(self) -> None:
        problems = problems_of(self.choices, self.flow.offer)
        if problems:
            self.move(Step.PARAMETERS, StepState.OPEN)
            return
        self.states[Step.PARAMETERS] = StepState.DONE
        await self._check(is_complete=True)
        self.choices = self.flow.settle(self.choices)
        self.parameters_file = self.flow.remember(self.choices)
        running = self.flow.surroundings.earlier
        if running is not None and not running.is_over:
            await self._watch(running.name)
            return
        if any(check.state is CheckState.FAILING for check in self.checks):
            return
        await self._preview()

    async def _preview(self) -> None:
        self.busy = "asking Azure what would change"
        self.move(Step.WHAT_IF, StepState.RUNNING)
        self.reading = await self.flow.preview(self.choices)
        self.say(f"What-if: {self.reading.summary}")
        self.move(Step.WHAT_IF, StepState.OPEN)

    async def deploy(self, reason: str = "") -> None:
        """Begin, or watch what runs, to the end; then prove it."""

        async def work() -> None:
            self.states[Step.WHAT_IF] = StepState.DONE
            started, is_ours = await self.flow.start(self.choices, reason)
            self.say(f"{started.name} has begun." if is_ours else f"{started.name} runs already: watching it.")
            await self._watch(started.name)

        await self.guarded(Step.DEPLOY, "deploying", work)

    async def _watch(self, name: str) -> None:
        self.busy = "deploying"
        self.ending = None
        self.move(Step.DEPLOY, StepState.RUNNING)

        def tell(progress: Progress) -> None:
            before = {step.resource_id for step in self.progress.running} if self.progress else set()
            self.progress = progress
            for step in progress.running:
                if step.resource_id not in before:
                    self.say(f"writing {step.short_type} {step.short_name}")
            self.changed()

        self.ending = await self.flow.watch(name, tell)
        self.progress = self.ending.progress
        if self.ending.failure is not None:
            self.failure = self.ending.failure
            self.states[Step.DEPLOY] = StepState.FAILED
            self.say(f"Deployment {self.progress.deployment.state.lower()}: {self.ending.failure.line}")
            return
        self.states[Step.DEPLOY] = StepState.DONE
        self.say("Everything is deployed.")
        await self._prove()

    async def cancel(self) -> None:
        """Ask Azure to stop; the watch sees its end."""
        name = self.progress.deployment.name if self.progress else deployment_name(self.choices)
        try:
            await self.flow.cancel(name)
            self.say("Azure was asked to cancel; what is done stays.")
        except ConsoleError as error:
            self.say(error.line)

    async def prove(self) -> None:
        """Prove it again."""
        await self.guarded(Step.PROVE, "proving", self._prove)

    async def _prove(self) -> None:
        deployment = self.deployment
        if deployment is None:
            return
        self.busy = "proving"
        self.proof = {}
        self.move(Step.PROVE, StepState.RUNNING)

        def tell(step: ProofStep) -> None:
            self.proof[step.name] = step
            self.say(f"{step.name}: {step.says}")

        steps = await self.flow.prove(deployment, tell)
        is_proven = all(step.state is ProofState.PROVEN for step in steps)
        self.states[Step.PROVE] = StepState.DONE if is_proven else StepState.FAILED
        if is_proven:
            self.move(Step.HAND_OVER, StepState.OPEN)

    @property
    def deployment(self) -> ArmDeployment | None:
        """What stands in Azure, None before it is over."""
        return self.ending.progress.deployment if self.ending is not None and self.ending.is_success else None

    @property
    def is_watching(self) -> bool:
        """Whether a deployment runs."""
        return self.states[Step.DEPLOY] is StepState.RUNNING


_runs: WeakKeyDictionary[ConsoleApp, DeployRun] = WeakKeyDictionary()


def run_of(app: ConsoleApp) -> DeployRun | None:
    """The run that was begun and not handed over, None without one."""
    return _runs.get(app)


def keep(app: ConsoleApp, run: DeployRun) -> None:
    """Remember the run as long as the app lives."""
    _runs[app] = run


def forget(app: ConsoleApp) -> None:
    """It was handed over."""
    _runs.pop(app, None)


def carry_on(app: ConsoleApp, run: DeployRun, work: Callable[[], Awaitable[None]]) -> None:
    """Do it in the app, beside every screen; when nobody looks at its end, it is told."""

    async def do() -> None:
        await work()
        if run.on_change is None:
            words = run.failure.line if run.failure is not None else f"{run.step.value}: {run.states[run.step].value}"
            app.notify(visible(f"Deployment · {words} · D shows it"), markup=False, timeout=12)

    app.run_worker(do(), group="deployment", exit_on_error=False)


async def profile_path_of(app: ConsoleApp) -> Path:
    """The profile file a hand-over writes to."""
    from console.profile import profile_path

    return Path(app.profile_path) if app.profile_path else profile_path(os.environ)


async def hand_over(app: ConsoleApp, run: DeployRun) -> None:
    """Save the profile (a demo's stays in memory) and open the Fleet on the new gateway.

    Raises:
        ConsoleError: the profile cannot be written.
    """
    from console.engine import open_engine

    deployment = run.deployment
    if deployment is None:
        return
    is_demo = run.flow.profile.name == "demo"
    username = "".join(c if c.isalnum() or c in "-_" else "-" for c in run.choices.username)
    profile = run.flow.gateway_profile(deployment, "demo" if is_demo else username)
    if not is_demo:
        run.flow.save_profile(profile, await profile_path_of(app), make_default=False)
    forget(app)
    await app.attach(open_engine(replace(profile)))
    await run.flow.close()
