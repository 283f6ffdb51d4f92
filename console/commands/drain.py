"""`drain BACKEND`: plan, guards, consent, writes, proof. Ends with 0 drained, 3 refused, 4 not allowed, 5 timed out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from console.errors import ConsoleError, DeadlineExceeded, UsageError

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.operations.drain.desk import DrainDesk
    from console.operations.drain.gateway_state import Step
    from console.operations.drain.plan import DrainPlan
    from console.operations.drain.prove import Look, Outcome
    from console.profile import Profile

DECLINED_EXIT_CODE = 1
STALE_TRIES = 3
RESUMABLE = ("interrupted while draining", "overwritten", "under way")


@dataclass(frozen=True, slots=True)
class DrainChoices:
    """What the command line asks for."""

    backend: str
    reason: str = ""
    expires: str = "24h"
    is_dry_run: bool = False
    is_agreed: bool = False
    is_forced: bool = False
    wait_seconds: float = 600.0
    as_json: bool = False


@click.command()
@click.argument("backend")
@click.option("--reason", default="", metavar="T", help="Why; it stands in the record for everybody.")
@click.option("--expires", default="24h", show_default=True, metavar="SPAN", help="30m, 24h, 7d or never.")
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--force", "is_forced", is_flag=True, help="Overrule guards; needs a reason, which is recorded.")
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="S",
    help="Seconds to watch its traffic for proof; 0 does not wait.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@click.pass_obj
def drain(
    setting: Setting,
    backend: str,
    reason: str,
    expires: str,
    dry_run: bool,
    is_agreed: bool,
    is_forced: bool,
    wait_seconds: float,
    as_json: bool,
) -> None:
    """Take BACKEND out of traffic; it stays configured and watched.

    A drain that was interrupted or overwritten is resumed. Ends with 5 when traffic does not stop in time.
    """
    choices = DrainChoices(backend, reason, expires, dry_run, is_agreed, is_forced, wait_seconds, as_json)
    raise SystemExit(asyncio.run(run_drain(setting.profile(), choices)))


async def run_drain(profile: Profile, choices: DrainChoices) -> int:
    """Drain on a profile. Returns the exit code.

    Raises:
        ConsoleError: a guard, Azure or the network said no; with --json the document is printed before.
    """
    from console.engine import open_engine
    from console.operations.drain.desk import DrainDesk

    engine = open_engine(profile)
    telling = Telling(choices.as_json, {"backend": choices.backend})
    try:
        return await _Run(DrainDesk(engine), choices, telling).go()
    except ConsoleError as error:
        telling.document["error"] = {"what": error.what, "where": error.where, "remedy": error.remedy}
        telling.finish("timed out" if isinstance(error, DeadlineExceeded) else "failed", error.exit_code)
        raise
    finally:
        await engine.stop()


@dataclass(slots=True)
class Telling:
    """Lines as they come, or one document at the end."""

    as_json: bool
    document: dict[str, Any] = field(default_factory=dict)

    def line(self, text: str = "") -> None:
        """One line for a person."""
        from console.status_text import printable

        if not self.as_json:
            click.echo(printable(text))

    def step(self, step: Step) -> None:
        """One step taken."""
        from console.operations.drain.report import step_document

        self.document.setdefault("steps", []).append(step_document(step))
        self.line(f"{step.at:%H:%M:%S}Z  {step.what}")

    def finish(self, outcome: str, exit_code: int) -> int:
        """Print the document, if one is wanted. Returns the exit code."""
        self.document.setdefault("outcome", "refused" if exit_code == 3 else outcome)
        self.document["exit_code"] = exit_code
        if self.as_json:
            click.echo(json.dumps(self.document, indent=2, ensure_ascii=False))
        return exit_code


@dataclass(slots=True)
class _Run:
    desk: DrainDesk
    choices: DrainChoices
    telling: Telling

    async def go(self) -> int:
        from console.commands.asking import parse_span

        parse_span(self.choices.expires)
        if self.choices.is_forced and not self.choices.reason:
            raise UsageError("--force needs a reason", remedy="Give --reason, it is recorded.")
        snapshot = await self.desk.look()
        mine = next((d for d in snapshot.drains if d.backend_name == self.choices.backend), None)
        if mine is not None and mine.condition in RESUMABLE and not self.choices.is_dry_run:
            return await self._resume(mine.text)
        return await self._drain()

    async def _resume(self, text: str) -> int:
        from console.commands.asking import require_consent

        self.telling.line(text)
        self.desk.engine.profile.require_writes()
        if not require_consent("Resume it?", is_agreed=self.choices.is_agreed):
            return self.telling.finish("declined", DECLINED_EXIT_CODE)
        record = await self.desk.resume(self.choices.backend, self.telling.step, is_forced=self.choices.is_forced)
        self.telling.document["resumed"] = True
        return await self._prove(record.applied_at or self.desk.engine.clock.now())

    async def _drain(self) -> int:
        from console.commands.asking import ask_reason, parse_span, require_consent
        from console.operations.drain.execute import DrainOrder, StalePlan

        if self.choices.is_agreed and not self.choices.is_dry_run:
            self._require_production_reason(self.choices.reason)
        for turn in range(STALE_TRIES):
            plan = self._plan()
            if self.choices.is_dry_run:
                return self.telling.finish("planned", 3 if plan.refusals else 0)
            plan.require_permission(force_reason=self.choices.reason if self.choices.is_forced else None)
            if not require_consent(f"Drain {self.choices.backend}?", is_agreed=self.choices.is_agreed):
                self.telling.line("Nothing was changed.")
                return self.telling.finish("declined", DECLINED_EXIT_CODE)
            reason = self.choices.reason.strip() or ("" if self.choices.is_agreed else ask_reason("Reason"))
            self._require_production_reason(reason)
            span = parse_span(self.choices.expires)
            now = self.desk.engine.clock.now()
            order = DrainOrder(
                owner=self.desk.owner,
                reason=reason or "no reason given",
                expires_at=None if span is None else (now + span).replace(microsecond=0),
                forced=self.choices.is_forced and bool(plan.refusals),
            )
            try:
                record = await self.desk.drain(plan, order, self.telling.step)
            except StalePlan as stale:
                if self.choices.is_agreed or turn == STALE_TRIES - 1 or self.telling.document.get("steps"):
                    raise
                self.telling.line(f"{stale.line} Here is the plan of now.")
                await self.desk.look_again()
                continue
            return await self._prove(record.applied_at or now)
        raise AssertionError("unreachable")

    def _require_production_reason(self, reason: str) -> None:
        if self.desk.engine.profile.is_production and not reason.strip():
            raise UsageError("On a production gateway a reason is needed", remedy="Give --reason, it is recorded.")

    def _plan(self) -> DrainPlan:
        from console.operations.drain.report import plan_document, plan_lines

        plan = self.desk.plan(self.choices.backend)
        self.telling.document["plan"] = plan_document(plan)
        for line in plan_lines(plan):
            self.telling.line(line)
        self.telling.line()
        return plan

    async def _prove(self, applied_at: Any) -> int:
        from console.operations.drain.prove import Ending
        from console.operations.drain.report import outcome_document, outcome_lines

        if not self.choices.wait_seconds:
            self.telling.line("Not waited for proof; `drains` shows how it stands.")
            return self.telling.finish("draining", 0)
        outcome: Outcome = await self.desk.prove(
            self.choices.backend, applied_at, deadline_seconds=self.choices.wait_seconds, on_look=self._look
        )
        self.telling.document["proof"] = outcome_document(outcome)
        for line in outcome_lines(outcome):
            self.telling.line(line)
        if outcome.ending is Ending.DRAINED:
            return self.telling.finish("drained", 0)
        if outcome.ending is Ending.OVERWRITTEN:
            return self.telling.finish("overwritten", 1)
        self.telling.line(
            f"What stands: it is recorded, listed and out of its pools. `restore {self.choices.backend}` undoes it."
        )
        return self.telling.finish("timed out", DeadlineExceeded.exit_code)

    def _look(self, look: Look) -> None:
        from console.operations.drain.report import moment

        count = look.requests_per_minute
        looks = self.telling.document.setdefault("looks", [])
        looks.append({"at": moment(look.at), "requests_last_minute": count, "text": look.proof.text})
        if len(looks) < 2 or looks[-2]["text"] != looks[-1]["text"]:
            self.telling.line(f"{look.at:%H:%M:%S}Z  {look.proof.text}")
