"""The deployment from the first check to the hand-over, as screen and command line both walk it.

What must survive this console stands elsewhere: the deployment in Azure, by its name; the answers in a parameters file
in the user's state folder. So any step can be left, and taken up again here or from another machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from console.azure.deployments import Deployments
from console.azure.session import AzureSession
from console.clock import Clock, SystemClock
from console.domain.arm_deployment import ArmDeployment
from console.errors import ConsoleError, GuardRefusal, UsageError
from console.journal import Journal, journal_path, local_owner
from console.operations.deploy.execute import Ending, Executor, OnProgress, Pause, Progress
from console.operations.deploy.parameters import (
    Choices,
    Offer,
    deployment_name,
    from_parameters,
    load_parameters,
    require_sound,
    save_parameters,
    settled_region,
)
from console.operations.deploy.preflight import Check, Checker, CheckState, Preflight, Surroundings
from console.operations.deploy.prove import Outputs, ProofStep, Prover, chat_model, parse_outputs
from console.operations.deploy.template import Template, find_template, request_body
from console.operations.deploy.whatif import Reading, read_what_if
from console.profile import Profile, write_profile

SUFFIX = ".parameters.json"
SIMULATED_LOOK_SECONDS = 1.0
"""The embedded Azure is quick and has no read budget worth sparing."""


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where answers are kept between two starts: below `$XDG_STATE_HOME/genaigw-console`, or `~/.local/state`."""
    return journal_path(environment).parent / "deployments"


@dataclass(slots=True)
class DeployFlow:
    """One gateway's way. Of `profile` only subscription and credential count; `pause` waits (a test lets time pass)."""

    profile: Profile
    clock: Clock = field(default_factory=SystemClock)
    pause: Pause = asyncio.sleep
    owner: str = field(default_factory=local_owner)
    journal_file: Path = field(default_factory=journal_path)
    folder: Path = field(default_factory=state_folder)
    template: Template | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    preflight: Preflight | None = None
    _session: AzureSession | None = None
    _executor: Executor | None = None

    # -- life ------------------------------------------------------------------------------------------------

    @property
    def session(self) -> AzureSession:
        """The conversation with Azure, made on first use."""
        if self._session is None:
            self._session = AzureSession(self.profile, self.clock)
        return self._session

    @property
    def deployments(self) -> Deployments:
        """Template deployments of the subscription."""
        return Deployments(self.session)

    @property
    def executor(self) -> Executor:
        """Starts and watches."""
        if self._executor is None:
            self._executor = Executor(self.deployments, self.clock, self.pause)
        return self._executor

    async def close(self) -> None:
        """Close connections; a deployment goes on in Azure."""
        if self._session is not None:
            await self._session.close()

    # -- answers ---------------------------------------------------------------------------------------------

    async def load_template(self) -> Template:
        """The template, compiled where that is possible, once."""
        if self.template is None:
            self.template = await find_template()
        return self.template

    @property
    def offer(self) -> Offer:
        """What can be chosen, as far as it is known."""
        if self.template is None:
            return Offer(regions=self.surroundings.regions or None)
        return self.template.offer(self.surroundings.regions or None)

    def suggest(self, choices: Choices) -> Choices:
        """The answers with blanks filled from what was found: a provisioned account, two others with the same model
        deployments, and the region of the first. A suggestion only; nothing that was answered is touched.
        """
        found = self.surroundings
        urls: dict[bool, list[tuple[str, set[str], str]]] = {True: [], False: []}
        for account in found.accounts:
            models = found.models.get(account.resource_id, ())
            hosts = [host for host in account.hosts if self.profile.cloud.is_models_host(host)]
            host = next((host for host in hosts if ".openai." in host), hosts[0] if hosts else "")
            if host and models:
                is_ptu = any(model.is_provisioned for model in models)
                urls[is_ptu].append((f"https://{host}", {model.name for model in models}, account.region))
        for url, names, region in urls[True]:
            others = [other for other in urls[False] if other[1] & names]
            # One that also serves what the others serve (embeddings) is worth more as a second endpoint.
            others.sort(key=lambda other: (-len(other[1]), other[2] != region, other[0]))
            if len(others) >= 2:
                return replace(
                    choices,
                    location=choices.location or region,
                    ptu_endpoint=choices.ptu_endpoint or url,
                    payg_endpoint_1=choices.payg_endpoint_1 or others[0][0],
                    payg_endpoint_2=choices.payg_endpoint_2 or others[1][0],
                )
        return choices

    def settle(self, choices: Choices, *, gives_access: bool = True) -> Choices:
        """The answers completed by what was found: the region's name, what is drained now, the tier that stands, and
        (when `gives_access` and none is named) the accounts behind the endpoints.
        """
        found = self.surroundings
        accounts = choices.account_ids
        if not accounts and gives_access:
            behind = [found.account_of(url) for _, url, _ in choices.endpoints if url]
            accounts = tuple(dict.fromkeys(account.resource_id for account in behind if account is not None))
        keeps_tier = not choices.sku and found.existing_tier in self.offer.skus
        return replace(
            choices,
            location=settled_region(choices.location),
            drained_backends=choices.drained_backends or found.drained_backends,
            account_ids=accounts,
            sku=found.existing_tier if keeps_tier else choices.sku,
        )

    def remember(self, choices: Choices) -> Path:
        """Keep the answers for the next start, but what is drained now; the file is one the script accepts too.

        Raises:
            UsageError: it cannot be written.
        """
        path = self.folder / self.profile.subscription_id / f"{deployment_name(choices)}{SUFFIX}"
        save_parameters(replace(choices, drained_backends=""), path)
        return path

    def remembered(self) -> tuple[Choices, ...]:
        """The answers of earlier starts in this subscription, newest first; unreadable files are passed over."""
        folder = self.folder / self.profile.subscription_id
        files = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
        found = []
        for path in sorted(files, key=lambda p: p.stat().st_mtime, reverse=True):
            try:
                found.append(load_parameters(path))
            except UsageError:
                continue  # written by hand or by another version: the form begins empty then
        return tuple(found)

    # -- steps -----------------------------------------------------------------------------------------------

    async def check(
        self, choices: Choices, on_check: Callable[[Check], None] = lambda check: None, *, is_complete: bool
    ) -> Preflight:
        """Every check.

        Raises:
            SignInError: nobody is signed in.
        """
        template = await self.load_template()
        self.preflight = await Checker(self.session, self.deployments, on_check).run(
            replace(choices, location=settled_region(choices.location)), template, is_complete=is_complete
        )
        self.surroundings = self.preflight.surroundings
        return self.preflight

    def require_passing(self) -> None:
        """Refuse to go on over a failing check.

        Raises:
            GuardRefusal: names the first one.
        """
        for check in self.preflight.failing if self.preflight is not None else ():
            raise GuardRefusal(f"{check.name}: {check.says}", remedy=check.remedy)

    async def preview(self, choices: Choices) -> Reading:
        """What would change.

        Raises:
            ConsoleError: Azure refuses, or nobody answers.
        """
        template = await self.load_template()
        require_sound(choices, self.offer)
        await self.deployments.open()
        what_if = await self.deployments.fetch_what_if(deployment_name(choices), request_body(template, choices))
        found = self.surroundings
        listed = [name.strip() for name in found.drained_backends.split(",") if name.strip() not in ("", "none")]
        return read_what_if(what_if, (*listed, *found.drains))

    async def start(self, choices: Choices, reason: str = "") -> tuple[ArmDeployment, bool]:
        """Begin, or find it running. Returns the deployment, and whether this call began it.

        Raises:
            GuardRefusal: the profile is read-only.
            ConsoleError: Azure refuses, or nobody answers.
        """
        self.profile.require_writes()
        template = await self.load_template()
        require_sound(choices, self.offer)
        await self.deployments.open()
        self.remember(choices)
        name = deployment_name(choices)
        return await self.executor.execute(name, request_body(template, choices), self._journal(name, reason))

    async def watch(self, name: str, on_progress: OnProgress, *, deadline_seconds: float | None = None) -> Ending:
        """Follow a deployment to its end, whoever began it.

        Raises:
            ConsoleError: there is none of that name, or nobody answers any more.
        """
        await self.deployments.open()
        if self.session.simulated:
            self.executor.look_seconds = SIMULATED_LOOK_SECONDS
        return await self.executor.watch(name, on_progress, deadline_seconds=deadline_seconds)

    async def look(self, name: str) -> Progress:
        """A deployment as it stands.

        Raises:
            ConsoleError: there is none of that name, or it cannot be read.
        """
        await self.deployments.open()
        return await self.executor.look(name)

    async def cancel(self, name: str) -> None:
        """Ask Azure to stop it.

        Raises:
            ConsoleError: it is over already, or nobody answered.
        """
        await self.deployments.open()
        await self.executor.cancel(name, self._journal(name, "cancelled by the operator"))

    def _journal(self, name: str, reason: str) -> Journal:
        return Journal(
            self.journal_file,
            self.clock,
            operation="deploy",
            owner=self.owner,
            reason=reason or "no reason given",
            gateway_id=self.deployments.id_of(name),
        )

    async def prove(
        self,
        deployment: ArmDeployment,
        on_step: Callable[[ProofStep], None] = lambda step: None,
        *,
        model: str = "",
        **deadlines: float,
    ) -> tuple[ProofStep, ...]:
        """One real request through the new gateway, and its log row.

        Raises:
            ConsoleError: the deployment is not this template's, or nobody is signed in.
        """
        outputs = parse_outputs(deployment.outputs)
        wanted = model or self.model_to_ask(deployment)
        session = AzureSession(self._profile_of(outputs), self.clock)
        try:
            await session.open()
            return await Prover(session, outputs, on_step, self.pause).prove(wanted, **deadlines)
        finally:
            await session.close()

    def model_to_ask(self, deployment: ArmDeployment) -> str:
        """A chat model deployment that every endpoint of the deployment has; "" when none is known."""
        found = self.surroundings
        try:
            choices = from_parameters(_known(deployment.parameters), deployment.name)
        except UsageError:
            return ""
        accounts = [found.account_of(url) for _, url, _ in choices.endpoints]
        return chat_model(found.models.get(account.resource_id, ()) for account in accounts if account is not None)

    # -- hand-over -------------------------------------------------------------------------------------------

    def _profile_of(self, outputs: Outputs) -> Profile:
        return replace(
            self.profile,
            resource_group=outputs.resource_group,
            service_name=outputs.service_name,
            workspace_id=outputs.workspace_id,
        )

    def gateway_profile(self, deployment: ArmDeployment, name: str | None = None) -> Profile:
        """The profile of the deployed gateway.

        Raises:
            ConsoleError: the deployment is not this template's.
        """
        return replace(self._profile_of(parse_outputs(deployment.outputs)), name=name or self.profile.name)

    def save_profile(self, profile: Profile, path: Path, *, make_default: bool) -> None:
        """Write a profile of the deployed gateway into the profile file.

        Raises:
            ProfileError: the file is malformed.
        """
        values: dict[str, Any] = {
            "subscription_id": profile.subscription_id,
            "resource_group": profile.resource_group,
            "service_name": profile.service_name,
            "workspace_id": profile.workspace_id,
            "backends": {
                "ptuEndpoint1": {"kind": "ptu"},
                "paygEndpoint1": {"kind": "payg"},
                "paygEndpoint2": {"kind": "payg"},
            },
        }
        if profile.cloud.name != "AzureCloud":
            values["cloud"] = profile.cloud.name
        for key in ("tenant_id", "identity_endpoint", "identity_header"):
            if getattr(profile, key):
                values[key] = getattr(profile, key)
        if profile.credential != "default":
            values["credential"] = profile.credential
        if profile.resolve:
            values["resolve"] = dict(sorted(profile.resolve.items()))
        write_profile(path, name=profile.name, values=values, make_default=make_default)


def choices_of(deployment: ArmDeployment) -> Choices | None:
    """The answers behind a deployment that stands in Azure, from another machine too; None when it is another's."""
    try:
        choices = from_parameters(_known(deployment.parameters), deployment.name)
    except UsageError:
        return None
    return choices if choices.username and choices.location else None


def _known(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a deployment that were answers; Azure lists the template's defaults among them."""
    from console.operations.deploy.parameters import PARAMETER_BY_FIELD

    known = set(PARAMETER_BY_FIELD.values())
    return {name: value for name, value in parameters.items() if name in known and value is not None}


def stage_of(preflight: Preflight) -> str:
    """`passing`, `failing` or `unverified`: the worst of all checks."""
    states = {check.state for check in preflight.checks}
    for state in (CheckState.FAILING, CheckState.UNVERIFIED):
        if state in states:
            return state.value
    return CheckState.PASSING.value


__all__ = ["ConsoleError", "DeployFlow", "choices_of", "stage_of", "state_folder"]
