"""`fragments rehearse`, `deploy` and `rollback`: plan, guards, consent, writes, watch, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.errors import ConsoleError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from console.commands.setting import Setting
    from console.operations.fragments.desk import FragmentDesk
    from console.operations.fragments.execute import Outcome, Progress
    from console.operations.fragments.plan import DeployPlan

DECLINED_EXIT_CODE = 1
BREACH_EXIT_CODE = 1
DEFAULT_WATCH = "5m"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line asks for."""

    names: tuple[str, ...] = ()
    api_policies: tuple[str, ...] = ()
    named_values: tuple[str, ...] = ()
    deletions: tuple[str, ...] = ()
    reason: str = ""
    is_dry_run: bool = False
    is_agreed: bool = False
    is_forced: bool = False
    is_rehearsed: bool = False
    watch: str = ""
    rollback_on: str = ""
    undoes_failure: bool = False
    run_id: str = ""
    to_folder: Path | None = None
    minutes: int = 60
    as_json: bool = False

    @property
    def watch_seconds(self) -> float:
        """How long to watch afterwards; 0 for not at all."""
        from console.operations.fragments.watch import parse_duration

        text = self.watch or (DEFAULT_WATCH if self.rollback_on else "")
        return parse_duration(text) if text else 0.0


def pairs(texts: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    """`NAME=VALUE` texts as pairs.

    Raises:
        UsageError: one has no `=`.
    """
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"{option} {text!r} is no NAME=VALUE", remedy=f"Write {option} NAME=VALUE.")
        found.append((name, value))
    return found


@dataclass(slots=True)
class Telling:
    """Lines as they come, or one document at the end."""

    as_json: bool
    document: dict[str, Any] = field(default_factory=dict)

    def lines(self, lines: list[str]) -> None:
        """Lines for a person."""
        from console.commands.fragments import say

        if not self.as_json:
            say("\n".join(lines))

    def progress(self, progress: Progress) -> None:
        """One step of a run."""
        step = {"handle": progress.write.place.handle, "state": progress.state}
        self.document.setdefault("steps", []).append({**step, "at": progress.at.isoformat().replace("+00:00", "Z")})
        words = f"{progress.at:%H:%M:%S}Z  {progress.number}/{progress.total}  {progress.write.place.words}"
        self.lines([f"{words}  {progress.state}"])

    def finish(self, outcome: str, exit_code: int) -> int:
        """Print the document, if one is wanted. Returns the exit code."""
        from console.commands.fragments import say_document

        if self.as_json:
            say_document({**self.document, "outcome": outcome, "exit_code": exit_code})
        return exit_code


async def run_rehearse(desk: FragmentDesk, choices: Choices) -> int:
    """Plan and rehearse; writes nothing. Returns the exit code.

    Raises:
        ConsoleError: something cannot be read, or the copy failed.
    """
    telling = Telling(choices.as_json)
    overview = await desk.overview(with_activity=False)
    plan = desk.plan(
        overview,
        choices.names,
        templates=pairs(choices.api_policies, "--api-policy"),
        named_values=pairs(choices.named_values, "--named-value"),
        deletions=choices.deletions,
    )
    _tell_plan(plan, telling)
    if not plan.writes:
        return telling.finish("nothing to rehearse", 0)
    await _rehearse(desk, plan, overview.deployed, choices, telling)
    return telling.finish("rehearsed", 0)


async def _rehearse(desk: FragmentDesk, plan: DeployPlan, deployed: Any, choices: Choices, telling: Telling) -> None:
    from console.commands.progress import show_progress
    from console.operations.fragments.report import rehearsal_document, rehearsal_lines

    with show_progress("Rehearsing on a private copy") as on_progress:
        rehearsal = await desk.rehearse(plan, deployed, on_progress, minutes=choices.minutes)
    telling.document["rehearsal"] = rehearsal_document(rehearsal)
    telling.lines(["", *rehearsal_lines(rehearsal), ""])


def _tell_plan(plan: DeployPlan, telling: Telling) -> None:
    from console.operations.fragments.compare import unified_text
    from console.operations.fragments.documents import Kind
    from console.operations.fragments.report import finding_lines, plan_document, plan_lines

    telling.document["plan"] = plan_document(plan)
    for write in plan.writes:
        if write.place.kind is not Kind.NAMED_VALUE and write.before_text is not None and write.text is not None:
            old, new = f"gateway/{write.place.handle}", write.file
            telling.lines([unified_text(write.before_text, write.text, old, new).rstrip("\n"), ""])
    errors = [f for f in plan.findings if f.finding.severity != "info"]
    telling.lines([*finding_lines(errors), *plan_lines(plan)])


async def run_deploy(desk: FragmentDesk, choices: Choices) -> int:
    """Deploy. Returns the exit code.

    Raises:
        ConsoleError: a guard, Azure or the network said no before anything was written.
    """
    from console.operations.fragments.watch import parse_limits

    telling = Telling(choices.as_json)
    parse_limits(choices.rollback_on)
    telling.document["watch_seconds"] = choices.watch_seconds  # read before anything is written
    overview = await desk.overview(with_activity=False)
    plan = desk.plan(
        overview,
        choices.names,
        templates=pairs(choices.api_policies, "--api-policy"),
        named_values=pairs(choices.named_values, "--named-value"),
        deletions=choices.deletions,
    )
    _tell_plan(plan, telling)
    if choices.is_rehearsed and plan.writes and not any(not g.is_forceable for g in plan.refusals):
        await _rehearse(desk, plan, overview.deployed, choices, telling)
    return await _carry_out(desk, plan, choices, telling, "Deploy this?", "deployed")


async def run_rollback(desk: FragmentDesk, choices: Choices) -> int:
    """Go back. Returns the exit code.

    Raises:
        ConsoleError: there is nothing to go back to, or a guard, Azure or the network said no.
    """
    telling = Telling(choices.as_json)
    plan = await desk.plan_rollback(choices.run_id, choices.names, choices.to_folder)
    _tell_plan(plan, telling)
    return await _carry_out(desk, plan, choices, telling, "Go back to this?", "rolled back")


async def _carry_out(
    desk: FragmentDesk, plan: DeployPlan, choices: Choices, telling: Telling, question: str, done: str
) -> int:
    from console.commands.asking import require_consent
    from console.operations.fragments.report import outcome_document, outcome_lines

    if choices.is_forced and not choices.reason:
        raise UsageError("--force needs a reason", remedy="Give --reason, it is recorded.")
    if choices.is_dry_run:
        return telling.finish("planned", 3 if plan.refusals else 0)
    if not plan.writes and not plan.is_rollback:
        return telling.finish("nothing to do", 0)
    try:
        plan.require_permission(force_reason=choices.reason if choices.is_forced else None)
    except ConsoleError as error:
        telling.finish("refused", error.exit_code)
        raise
    if not require_consent(question, is_agreed=choices.is_agreed):
        telling.lines(["Nothing was changed."])
        return telling.finish("declined", DECLINED_EXIT_CODE)
    outcome = await desk.deploy(plan, choices.reason or "no reason given", telling.progress)
    telling.document["run"] = outcome_document(outcome)
    telling.lines(outcome_lines(outcome))
    if outcome.error is not None:
        return await _after_failure(desk, outcome, choices, telling)
    if not choices.watch_seconds:
        return telling.finish(done, 0)
    return await _watch(desk, plan, outcome, choices, telling, done)


async def _after_failure(desk: FragmentDesk, outcome: Outcome, choices: Choices, telling: Telling) -> int:
    """Something is live and something is not: offer the way back."""
    assert outcome.error is not None
    code = outcome.error.exit_code
    if not outcome.is_partial:
        return telling.finish("failed", code)
    if choices.undoes_failure or _is_wanted("Take back what is live?", choices):
        await _undo(desk, outcome, "the deployment failed half way", telling)
        return telling.finish("failed, taken back", code)
    telling.lines([f"`fragments rollback --run {outcome.run_id[:6]}` takes back what is live."])
    return telling.finish("failed half way", code)


def _is_wanted(question: str, choices: Choices) -> bool:
    from console.commands.asking import is_terminal, require_consent

    return not choices.as_json and is_terminal() and require_consent(question, is_agreed=False)


async def _undo(desk: FragmentDesk, outcome: Outcome, reason: str, telling: Telling) -> None:
    from console.operations.fragments.report import outcome_document, outcome_lines

    telling.lines(["Going back."])
    undone = await desk.undo(outcome.run_id, reason, telling.progress)
    telling.document["rollback"] = outcome_document(undone)
    telling.lines(outcome_lines(undone))
    if undone.error is not None:
        raise undone.error


async def _watch(
    desk: FragmentDesk, plan: DeployPlan, outcome: Outcome, choices: Choices, telling: Telling, done: str
) -> int:
    from console.operations.fragments.report import watched_document
    from console.operations.fragments.watch import figures_text, parse_limits

    said: list[str] = []

    def look(before: Any, since: Any) -> None:
        text = figures_text(since)
        if text not in said:
            said.append(text)
            telling.lines([f"{since.window.end_at:%H:%M:%S}Z  since: {text}"])

    deployed_at: datetime = desk.engine.clock.now()
    telling.lines([f"Watching callers for {choices.watch_seconds:.0f} s"])
    watched = await desk.watch(plan, deployed_at, choices.watch_seconds, parse_limits(choices.rollback_on), look)
    telling.document["watch"] = watched_document(watched)
    telling.lines([watched.text])
    if watched.breach is None:
        return telling.finish(done if watched.is_conclusive else f"{done}, too little traffic to judge", 0)
    if choices.rollback_on or _is_wanted("Roll back?", choices):
        await _undo(desk, outcome, watched.breach, telling)
        return telling.finish("rolled back", BREACH_EXIT_CODE)
    telling.lines([f"`fragments rollback --run {outcome.run_id[:6]}` goes back."])
    return telling.finish("live, limits broken", BREACH_EXIT_CODE)


# -- the commands ------------------------------------------------------------------------------------------------------


def join(group: click.Group) -> None:
    """Add the commands of this file to the group."""
    from console.commands.fragments import at_desk, json_option, policies_option

    def what_options(command: Any) -> Any:
        for option in (
            click.option("--delete", "deletions", multiple=True, metavar="NAME", help="Take NAME off the gateway."),
            click.option("--named-value", "named_values", multiple=True, metavar="N=V", help="Create or change one."),
            click.option("--api-policy", "api_policies", multiple=True, metavar="API=T", help="Template T for API."),
            click.argument("names", nargs=-1),
        ):
            command = option(command)
        return command

    def how_options(command: Any) -> Any:
        for option in (
            click.option("--rollback-on", default="", metavar="L", help="Go back when errors>2%, 429s>5%, p95>3s."),
            click.option("--watch", default="", metavar="5m", help="Watch callers afterwards, for so long."),
            click.option("--force", "is_forced", is_flag=True, help="Overrule guards; needs a reason."),
            click.option("--yes", "is_agreed", is_flag=True, help="Do not ask."),
            click.option("--dry-run", "is_dry_run", is_flag=True, help="Print the plan and write nothing."),
            click.option("--reason", default="", metavar="T", help="Why; it stands in the journal."),
        ):
            command = option(command)
        return command

    @group.command("rehearse")
    @what_options
    @click.option("--minutes", type=click.IntRange(5, 60), default=60, show_default=True, help="How much to replay.")
    @policies_option
    @json_option
    @click.pass_obj
    def rehearse(setting: Setting, /, folder: Path | None, **given: Any) -> None:
        """Try local NAMES on a private copy of the gateway, with the last hour's traffic. Only reads."""
        choices = Choices(**given)
        raise SystemExit(
            at_desk(setting.profile(), folder, lambda d: run_rehearse(d, choices), as_json=choices.as_json)
        )

    @group.command("deploy")
    @what_options
    @how_options
    @click.option("--rehearse", "is_rehearsed", is_flag=True, help="Rehearse before asking.")
    @click.option("--undo-on-failure", "undoes_failure", is_flag=True, help="A run that fails half way is taken back.")
    @policies_option
    @json_option
    @click.pass_obj
    def deploy(setting: Setting, /, folder: Path | None, **given: Any) -> None:
        """Write local NAMES to the gateway: named values, fragments, policies, in that order.

        Without NAMES everything of a pulled folder that differs. Ends with 3 when a guard refuses.
        """
        choices = Choices(**given)
        raise SystemExit(at_desk(setting.profile(), folder, lambda d: run_deploy(d, choices), as_json=choices.as_json))

    @group.command("rollback")
    @click.argument("names", nargs=-1)
    @how_options
    @click.option("--run", "run_id", default="", metavar="RUN", help="Take back this run of the journal.")
    @click.option("--to", "to_folder", type=click.Path(path_type=Path), metavar="DIR", help="Back to a pulled folder.")
    @json_option
    @click.pass_obj
    def rollback(setting: Setting, /, **given: Any) -> None:
        """Go back: the last deployment, NAMES to their version before, a run, or a pulled folder."""
        choices = Choices(**given)
        raise SystemExit(at_desk(setting.profile(), None, lambda d: run_rollback(d, choices), as_json=choices.as_json))
