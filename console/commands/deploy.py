"""`deploy`: a gateway from nothing to observed traffic, attended or from a pipeline.

The same steps as the screen: checks, what-if, consent, deployment, proof, profile. Run again at any time: what runs is
watched, what is done stays.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.errors import ConsoleError, DeadlineExceeded, GuardRefusal, UsageError

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.operations.deploy.execute import Ending, Progress
    from console.operations.deploy.flow import DeployFlow
    from console.operations.deploy.parameters import Choices
    from console.operations.deploy.preflight import Check
    from console.operations.deploy.prove import ProofStep
    from console.operations.deploy.whatif import Reading
    from console.profile import Profile

DECLINED_EXIT_CODE = 1


@dataclass(frozen=True, slots=True)
class Ways:
    """How to go about it."""

    is_only_what_if: bool = False
    is_agreed: bool = False
    is_forced: bool = False
    as_json: bool = False
    gives_access: bool = True
    model: str = ""
    proof_seconds: float = 900.0
    saved_name: str = ""
    reason: str = ""


@click.command()
@click.option("-u", "--username", default="", metavar="U", help="Whose gateway this is: one per name and subscription.")
@click.option("-l", "--location", default="", metavar="L", help="Azure region, for example swedencentral.")
@click.option("-p", "--ptuEndpoint1", "ptu_endpoint", default="", metavar="URL", help="Provisioned throughput.")
@click.option("-1", "--paygEndpoint1", "payg_endpoint_1", default="", metavar="URL", help="First pay-as-you-go.")
@click.option("-2", "--paygEndpoint2", "payg_endpoint_2", default="", metavar="URL", help="Second pay-as-you-go.")
@click.option("-f", "--policyFragment", "policy_fragment", default="", metavar="F", help="The API is built on it.")
@click.option("-s", "--sku", default="", metavar="S", help="Tier of API Management (Developer).")
@click.option("--sku-capacity", type=click.IntRange(1, 31), metavar="N", help="Scale units (1).")
@click.option("-a", "--account-id", "account_ids", multiple=True, metavar="ID", help="Give the gateway access to it.")
@click.option("--no-account-access", is_flag=True, help="Give no access to the accounts behind the endpoints.")
@click.option("--drained-backends", default="", metavar="LIST", help="Names with commas, or none (what it has now).")
@click.option("--capability-apis", "has_capability_apis", is_flag=True, help="Also one API for each capability.")
@click.option("--publisher-name", default="", metavar="T", help="Shown as the publisher of the APIs.")
@click.option("--publisher-email", default="", metavar="M", help="Where API Management sends its notifications.")
@click.option("--resource-group", default="", metavar="G", help="Created if it is not there.")
@click.option("--no-operator-role", is_flag=True, help="Do not create the custom role for operators.")
@click.option("--parameters", type=click.Path(path_type=Path), metavar="F", help="Answers from a parameters file.")
@click.option("--save-parameters", type=click.Path(path_type=Path), metavar="F", help="Write the answers there.")
@click.option("--subscription", default="", metavar="ID", help="Where to (profile, AZURE_SUBSCRIPTION_ID, az).")
@click.option("-w", "--what-if", "is_only_what_if", is_flag=True, help="Show what would change, then stop.")
@click.option("-y", "--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--force", "is_forced", is_flag=True, help="Go on over failing checks and destructive changes.")
@click.option("--reason", default="", metavar="T", help="Why, for the journal.")
@click.option("--prove-with", "model", default="", metavar="NAME", help="Model deployment to ask (found by itself).")
@click.option(
    "--prove-wait", "proof_seconds", type=click.FloatRange(0), default=900.0, metavar="S", help="0: no proof."
)
@click.option("--save-profile", "saved_name", default="", metavar="NAME", help="Name of the profile (the username).")
@click.option("--cancel", "is_cancel", is_flag=True, help="Cancel the running deployment of these answers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def deploy(
    setting: Setting,
    /,
    no_account_access: bool,
    no_operator_role: bool,
    parameters: Path | None,
    save_parameters: Path | None,
    subscription: str,
    is_cancel: bool,
    **given: Any,
) -> None:
    """Deploy a GenAI gateway and prove that it works.

    Checks first, shows the what-if, asks, deploys, sends one real request through the new gateway and saves a profile.
    It can be interrupted and run again: a running deployment is watched, never started twice.
    """
    from console.operations.deploy import parameters as answers

    said = {f.name: given.pop(f.name) for f in fields(answers.Choices) if f.name in given}
    said["account_ids"] = tuple(said["account_ids"])
    base = answers.load_parameters(parameters) if parameters is not None else answers.Choices()
    choices = answers.overlaid(base, answers.Choices(**said, has_operator_role=not no_operator_role))
    if save_parameters is not None:
        answers.save_parameters(choices, save_parameters)
    ways = Ways(gives_access=not no_account_access, **given)
    raise SystemExit(asyncio.run(_run(setting, subscription, choices, ways, is_cancel=is_cancel)))


async def _profile(setting: Setting, subscription_id: str) -> Profile:
    """Whose subscription and sign-in: the chosen profile's, else the one named, else what `az` has.

    Raises:
        ConsoleError: there is none.
    """
    from console.operations.deploy.newcomer import find_profile

    if setting.has_profiles():
        profile = setting.profile()
        return replace(profile, subscription_id=subscription_id) if subscription_id else profile
    return setting.adjusted(await find_profile(subscription_id))


async def _run(setting: Setting, subscription_id: str, choices: Choices, ways: Ways, *, is_cancel: bool) -> int:
    from console.operations.deploy.flow import DeployFlow

    flow = DeployFlow(await _profile(setting, subscription_id))
    telling = _Telling(ways.as_json)
    try:
        if is_cancel:
            return await _cancel(flow, choices, telling)
        return await _Run(setting, flow, choices, ways, telling).go()
    except ConsoleError as error:
        telling.fail(error)
        if ways.as_json:
            raise SystemExit(error.exit_code) from error
        raise
    finally:
        await flow.close()


async def _cancel(flow: DeployFlow, choices: Choices, telling: _Telling) -> int:
    from console.operations.deploy.parameters import deployment_name, settled_region

    if not (choices.username and choices.location):
        raise UsageError("Nothing says what to cancel", remedy="Give --username and --location.")
    name = deployment_name(replace(choices, location=settled_region(choices.location)))
    await flow.cancel(name)
    telling.line(f"Azure was asked to cancel {name}; what is done stays.")
    return telling.finish("cancel asked for", 0)


@dataclass(slots=True)
class _Telling:
    """Lines as they come, or one document at the end."""

    as_json: bool
    document: dict[str, Any] = field(default_factory=dict)
    _last: str = ""

    def line(self, text: str = "") -> None:
        """One line for a person; the same one again is not repeated."""
        from console.status_text import printable

        if not self.as_json and text != self._last:
            click.echo(printable(text))
            self._last = text

    def fail(self, error: ConsoleError) -> None:
        """An error into the document."""
        from console.operations.deploy.failure import explain_refusal
        from console.operations.deploy.report import failure_document, failure_lines

        failure = explain_refusal(error)
        self.document["error"] = failure_document(failure)
        if failure.code:
            for line in failure_lines(failure):
                self.line(line)
        words = {3: "refused", 4: "not allowed", 5: "timed out"}
        self.finish(words.get(error.exit_code, "failed"), error.exit_code)

    def finish(self, outcome: str, exit_code: int) -> int:
        """Print the document, if one is wanted. Returns the exit code."""
        self.document.update(outcome=outcome, exit_code=exit_code)
        if self.as_json:
            click.echo(json.dumps(self.document, indent=2, ensure_ascii=False))
        return exit_code


@dataclass(slots=True)
class _Run:
    setting: Setting
    flow: DeployFlow
    choices: Choices
    ways: Ways
    telling: _Telling

    async def go(self) -> int:
        from console.operations.deploy.parameters import deployment_name, require_sound, to_parameters

        template = await self.flow.load_template()
        self.telling.line(f"Template: {template.origin}" + (f" ({template.note})" if template.note else ""))
        require_sound(self.choices, self.flow.offer)
        await self._check()
        self.choices = self.flow.settle(self.choices, gives_access=self.ways.gives_access)
        require_sound(self.choices, self.flow.offer)
        name = deployment_name(self.choices)
        self.telling.document.update(
            deployment_name=name, template=template.origin, parameters=to_parameters(self.choices)
        )
        running = self.flow.surroundings.earlier
        if running is not None and not running.is_over:
            self.telling.line(f"{name} is running already; watching it.")
            return await self._finish(await self._watch(name))
        if not self.ways.is_forced:
            self.flow.require_passing()
        reading = await self._preview()
        if self.ways.is_only_what_if:
            self.telling.line("Nothing was deployed.")
            return self.telling.finish("what-if", 0)
        if not self._may_go_on(reading):
            self.telling.line("Nothing was deployed.")
            return self.telling.finish("declined", DECLINED_EXIT_CODE)
        started, is_ours = await self.flow.start(self.choices, self.ways.reason)
        self.telling.document["started"] = is_ours
        self.telling.line(f"Deploying {started.name}." if is_ours else f"{started.name} runs already; watching it.")
        return await self._finish(await self._watch(name))

    async def _check(self) -> None:
        from console.operations.deploy.preflight import summary_of
        from console.operations.deploy.report import check_document, check_lines

        def tell(check: Check) -> None:
            for line in check_lines(check):
                self.telling.line(line)

        self.telling.line("Checks")
        preflight = await self.flow.check(self.choices, tell, is_complete=True)
        self.telling.document["preflight"] = [check_document(check) for check in preflight.checks]
        self.telling.line(summary_of(preflight.checks))

    async def _preview(self) -> Reading:
        from console.operations.deploy.report import what_if_document, what_if_lines

        self.telling.line("Asking Azure what would change; it takes half a minute and more.")
        reading = await self.flow.preview(self.choices)
        self.telling.document["what_if"] = what_if_document(reading)
        for line in what_if_lines(reading):
            self.telling.line(line)
        return reading

    def _may_go_on(self, reading: Reading) -> bool:
        from console.commands.asking import require_consent

        if reading.warnings and self.ways.is_agreed and not self.ways.is_forced:
            raise GuardRefusal(reading.warnings[0], remedy="Look at the what-if; --force goes on over it.")
        where = self.flow.surroundings.subscription_name or self.flow.profile.subscription_id
        return require_consent(f"Deploy this to {where}?", is_agreed=self.ways.is_agreed)

    async def _watch(self, name: str) -> Ending:
        from console.operations.deploy.estimate import estimate
        from console.operations.deploy.report import progress_line

        expected = estimate(self.choices.tier, is_new=not self.flow.surroundings.existing_id)
        if self.flow.session.simulated:
            self.telling.line(f"The embedded Azure is quicker than the real one, which takes {expected.text}.")
        else:
            self.telling.line(f"This usually takes {expected.text}. Leaving does not stop it; run this again to watch.")

        def tell(progress: Progress) -> None:
            self.telling.line(progress_line(progress, None if self.flow.session.simulated else expected))

        return await self.flow.watch(name, tell)

    async def _finish(self, ending: Ending) -> int:
        from console.operations.deploy.report import ending_document, failure_lines, output_lines, tree_lines

        deployment = ending.progress.deployment
        self.telling.document["deployment"] = ending_document(ending)
        for line in tree_lines(ending.progress.operations):
            self.telling.line(f"  {line}")
        if ending.failure is not None:
            for line in failure_lines(ending.failure):
                self.telling.line(line)
            return self.telling.finish("cancelled" if deployment.state == "Canceled" else "failed", 1)
        self.telling.document["outputs"] = dict(deployment.outputs)
        self.telling.line("Deployed.")
        for line in output_lines(deployment.outputs):
            self.telling.line(line)
        self._save_profile(ending)
        return await self._prove(ending)

    def _save_profile(self, ending: Ending) -> None:
        name = self.ways.saved_name or "".join(c if c.isalnum() or c in "-_" else "-" for c in self.choices.username)
        known = self.setting.profiles().profiles.get(name)
        profile = self.flow.gateway_profile(ending.progress.deployment, name)
        if known is not None and known.service_id.lower() != profile.service_id.lower():
            self.telling.line(f"A profile {name} of another gateway stands; --save-profile NAME saves this one.")
            return
        self.flow.save_profile(profile, self.setting.path, make_default=False)
        self.telling.document["profile"] = {"name": name, "file": str(self.setting.path)}
        self.telling.line(f"Saved profile {name}: genaigw-console --profile {name}")

    async def _prove(self, ending: Ending) -> int:
        from console.operations.deploy.prove import ProofState
        from console.operations.deploy.report import proof_document, proof_lines

        seconds = self.ways.proof_seconds
        if not seconds:
            self.telling.line("Not proven: --prove-wait 0.")
            return self.telling.finish("deployed", 0)

        def tell(step: ProofStep) -> None:
            for line in proof_lines(step):
                self.telling.line(line)

        self.telling.line("Proof")
        steps = await self.flow.prove(
            ending.progress.deployment, tell, model=self.ways.model, answer_seconds=seconds, log_seconds=seconds
        )
        self.telling.document["proof"] = [proof_document(step) for step in steps]
        if all(step.state is ProofState.PROVEN for step in steps):
            return self.telling.finish("proven", 0)
        self.telling.line("The gateway is deployed; run this again to prove it.")
        return self.telling.finish("not proven", DeadlineExceeded.exit_code)
