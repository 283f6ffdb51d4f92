"""Checks before anything is deployed: each passes, fails, or is unverified because this principal may not look.

Reads only; side by side, each with the remedy for its own trouble. What cannot be checked is never called a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from console.azure import subscription as azure
from console.azure.access import missing_actions
from console.azure.deployments import ArmRefusal, Deployments
from console.azure.openai import fetch_accounts, fetch_deployments
from console.azure.probing import probe_models
from console.azure.session import AzureSession
from console.domain.arm_deployment import ArmDeployment, type_of
from console.domain.gateway import Account, ModelDeployment
from console.errors import ConsoleError, NotAllowed, SignInError
from console.operations.deploy.failure import refusals_of, restore_or_purge
from console.operations.deploy.parameters import Choices, deployment_name, settled_region
from console.operations.deploy.template import Template, request_body

HISTORY_LIMIT = 800
"""Source: "Azure subscription and service limits": deployments in the history of a scope."""
USERNAME_TAG = "genaigw-username"
DEPLOY_ACTIONS = (
    "Microsoft.Resources/deployments/write",
    "Microsoft.Resources/deployments/whatIf/action",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.ApiManagement/service/write",
    "Microsoft.OperationalInsights/workspaces/write",
    "Microsoft.EventHub/namespaces/write",
)
ASSIGN_ACTION = "Microsoft.Authorization/roleAssignments/write"
DEFINE_ACTION = "Microsoft.Authorization/roleDefinitions/write"


class _NamedValueProperties(msgspec.Struct):
    value: str | None = None


class _NamedValue(msgspec.Struct):
    name: str
    properties: _NamedValueProperties = msgspec.field(default_factory=_NamedValueProperties)


class CheckState(StrEnum):
    """How a check came out. WAITING: it needs an answer that is not there yet."""

    PASSING = "passing"
    FAILING = "failing"
    UNVERIFIED = "unverified"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `remedy` is "" when there is nothing to do."""

    name: str
    state: CheckState
    says: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks found, for the form, the what-if and the proof.

    `existing_id`: the gateway that bears the username's tag; `service_name`: what it is or will be called; both "" when
    there is none or nobody told. `tier`: the tier it has, "" without one.
    """

    subscription_name: str = ""
    tenant_id: str = ""
    regions: dict[str, str] = field(default_factory=dict)
    accounts: tuple[Account, ...] = ()
    models: dict[str, tuple[ModelDeployment, ...]] = field(default_factory=dict)
    existing_id: str = ""
    existing_tier: str = ""
    drained_backends: str = ""
    drains: tuple[str, ...] = ()
    service_name: str = ""
    running: tuple[ArmDeployment, ...] = ()
    earlier: ArmDeployment | None = None

    def account_of(self, url: str) -> Account | None:
        """The account behind an endpoint, None when none of this subscription's is."""
        host = (urlsplit(url).hostname or "").lower()
        return next((account for account in self.accounts if host in account.hosts), None)


@dataclass(frozen=True, slots=True)
class Preflight:
    """All checks and what they found."""

    checks: tuple[Check, ...]
    surroundings: Surroundings

    @property
    def failing(self) -> tuple[Check, ...]:
        """What stands against deploying."""
        return tuple(check for check in self.checks if check.state is CheckState.FAILING)


OnCheck = Callable[[Check], None]


def passing(name: str, says: str, remedy: str = "") -> Check:
    """It is as it should be; `remedy` may still advise."""
    return Check(name, CheckState.PASSING, says, remedy)


def failing(name: str, says: str, remedy: str) -> Check:
    """It stands in the way."""
    return Check(name, CheckState.FAILING, says, remedy)


def unverified(name: str, error: ConsoleError | str, remedy: str = "") -> Check:
    """Nobody could tell; deploying may still work."""
    if isinstance(error, str):
        return Check(name, CheckState.UNVERIFIED, error, remedy)
    return Check(name, CheckState.UNVERIFIED, error.what, remedy or error.remedy)


class Checker:
    """Runs the checks for one subscription. `choices` may still be incomplete: what needs more is left waiting."""

    def __init__(self, session: AzureSession, deployments: Deployments, on_check: OnCheck = lambda check: None) -> None:
        self._session = session
        self._deployments = deployments
        self._on_check = on_check
        self._checks: list[Check] = []
        self._found = Surroundings()

    async def run(self, choices: Choices, template: Template, *, is_complete: bool) -> Preflight:
        """All checks. `is_complete`: every parameter is sound, so Azure may judge the whole.

        Raises:
            SignInError: nobody is signed in; then nothing else can be asked.
        """
        await self._deployments.open()
        await self._sign_in()
        await asyncio.gather(
            self._guarded("region and tier", self._region(choices, template)),
            self._guarded("resource providers", self._providers(template)),
            self._guarded("permission to deploy", self._permissions(choices)),
            self._guarded("deployment history", self._history(choices)),
            self._guarded("existing gateway", self._existing(choices)),
            self._guarded("accounts", self._accounts()),
        )
        await self._endpoints(choices)
        if is_complete:
            await self._guarded("Azure's own validation", self._validation(choices, template))
            await self._guarded("name", self._name(choices))
        else:
            self._say(Check("Azure's own validation", CheckState.WAITING, "when all parameters are there"))
            self._say(Check("name", CheckState.WAITING, "follows from the username"))
        return Preflight(tuple(self._checks), self._found)

    def _say(self, check: Check) -> None:
        self._checks.append(check)
        self._on_check(check)

    def _find(self, **found: object) -> None:
        self._found = replace(self._found, **found)  # type: ignore[arg-type]

    async def _guarded(self, name: str, check: Awaitable[None]) -> None:
        """What cannot be asked is unverified; a sign-in that fails in the middle ends all."""
        try:
            await check
        except SignInError:
            raise
        except ConsoleError as error:
            self._say(unverified(name, error))

    async def _sign_in(self) -> None:
        profile = self._session.profile
        try:
            subscription = await azure.fetch_subscription(self._session)
        except SignInError as error:
            self._say(failing("sign-in", error.what, error.remedy))
            raise
        except NotAllowed as error:
            self._say(passing("sign-in", "signed in"))
            self._say(unverified("subscription", error))
            return
        except ConsoleError as error:
            self._say(failing("subscription", error.what, error.remedy or "Check the subscription's id."))
            return
        if profile.tenant_id and subscription.tenant_id and profile.tenant_id != subscription.tenant_id:
            says = f"the subscription belongs to tenant {subscription.tenant_id}, the profile names {profile.tenant_id}"
            self._say(failing("sign-in", says, f"Sign in with az login --tenant {subscription.tenant_id}."))
        else:
            self._say(passing("sign-in", f"signed in to tenant {subscription.tenant_id or 'unknown'}"))
        named = f"{subscription.display_name} ({profile.subscription_id})"
        self._find(subscription_name=subscription.display_name, tenant_id=subscription.tenant_id)
        if subscription.state not in ("Enabled", ""):
            self._say(
                failing("subscription", f"{named} is {subscription.state}", "Choose another with --subscription.")
            )
        else:
            self._say(passing("subscription", named))

    async def _permissions(self, choices: Choices) -> None:
        entries = await azure.fetch_subscription_permissions(self._session)
        missing = missing_actions(entries, DEPLOY_ACTIONS)
        if missing:
            self._say(
                failing("permission to deploy", f"missing: {', '.join(missing)}", "Ask for the role Contributor.")
            )
        else:
            self._say(passing("permission to deploy", "may deploy to this subscription"))
        wanted = [ASSIGN_ACTION, *([DEFINE_ACTION] if choices.has_operator_role else [])]
        roles = missing_actions(entries, wanted)
        remedy = "Ask for User Access Administrator"
        if ASSIGN_ACTION in roles:
            says = "may not assign roles: the gateway's identity would get no access"
            self._say(failing("managed identity roles", says, f"{remedy}, or have an owner deploy."))
        elif roles:
            says = "may not define the operators' role"
            self._say(failing("managed identity roles", says, f"{remedy}, or deploy with --no-operator-role."))
        else:
            self._say(passing("managed identity roles", "may give the gateway's identity its roles"))

    async def _providers(self, template: Template) -> None:
        states = await azure.fetch_providers(self._session)
        missing = [n for n in template.namespaces if states.get(n.lower(), "NotRegistered") != "Registered"]
        if missing:
            commands = " ; ".join(f"az provider register --namespace {name}" for name in missing)
            self._say(failing("resource providers", f"not registered: {', '.join(missing)}", f"Run {commands}"))
        else:
            self._say(passing("resource providers", f"{len(template.namespaces)} registered"))

    async def _region(self, choices: Choices, template: Template) -> None:
        name = "region and tier"
        regions = {r.name.lower(): r.display_name or r.name for r in await azure.fetch_regions(self._session)}
        self._find(regions=regions)
        region = settled_region(choices.location)
        if not region:
            self._say(Check(name, CheckState.WAITING, f"{len(regions)} regions to choose from"))
            return
        if region not in regions:
            self._say(failing(name, f"the subscription has no region {choices.location}", "Choose another --location."))
            return
        try:
            skus = await azure.fetch_skus(self._session)
        except ConsoleError as error:
            self._say(unverified(name, error))
            return
        offered = [sku for sku in skus if sku.name.lower() == choices.tier.lower()]
        if not offered:
            self._say(unverified(name, f"Azure lists no tier {choices.tier}"))
            return
        locations = {settled_region(place) for sku in offered for place in sku.locations or ()}
        refused = next(
            (
                restriction.reason_code
                for sku in offered
                for restriction in sku.restrictions or ()
                if restriction.type.lower() == "location"
                and region in {settled_region(place) for place in restriction.values or ()}
            ),
            "",
        )
        if refused or (locations and region not in locations):
            offered_here = {s.name for s in skus if region in {settled_region(place) for place in s.locations or ()}}
            others = [tier for tier in template.offer().skus if tier in offered_here and tier != choices.tier]
            says = f"{choices.tier} cannot be created in {region}{f' ({refused})' if refused else ''}"
            self._say(failing(name, says, f"Choose another region, or another tier: {', '.join(others)}."))
        else:
            self._say(passing(name, f"{choices.tier} in {region}"))

    async def _history(self, choices: Choices) -> None:
        name = "deployment history"
        history = await self._deployments.fetch_all()
        mine = deployment_name(choices) if choices.username and choices.location else ""
        earlier = next((d for d in history if d.name.lower() == mine.lower()), None)
        running = tuple(d for d in history if not d.is_over and d.name.startswith("genaigw-"))
        self._find(running=running, earlier=earlier)
        if len(history) >= HISTORY_LIMIT and earlier is None:
            says = f"{len(history)} deployments, the limit is {HISTORY_LIMIT}"
            self._say(failing(name, says, "Delete old ones: az deployment sub delete --name NAME"))
            return
        self._say(passing(name, f"{len(history)} of {HISTORY_LIMIT}"))
        if earlier is not None and not earlier.is_over:
            says = f"{earlier.name} is {earlier.state.lower()} already"
            self._say(passing("another deployment", says, "It is watched instead: nothing is started twice."))

    async def _existing(self, choices: Choices) -> None:
        name = "existing gateway"
        services = await azure.fetch_services(self._session)
        mine = [s for s in services if choices.username and (s.tags or {}).get(USERNAME_TAG) == choices.username]
        if not mine:
            self._say(
                passing(name, "none of this username: a new one is created" if choices.username else "none chosen yet")
            )
            return
        service = mine[0]
        value, drains = await self._read_drains(service.id)
        self._find(
            existing_id=service.id,
            existing_tier=service.sku.name,
            service_name=service.name,
            drained_backends=value,
            drains=drains,
        )
        kept = f"; drained and kept so: {value}" if value and value != "none" else ""
        self._say(passing(name, f"{service.name} stands and is changed{kept}"))

    async def _read_drains(self, service_id: str) -> tuple[str, tuple[str, ...]]:
        from console.azure.arm import fetch_list

        found = await fetch_list(
            self._session,
            f"{service_id}/namedValues",
            _NamedValue,
            api_version=azure.APIM_VERSION,
            what="What is drained cannot be read",
            remedy="Say it yourself with --drained-backends.",
        )
        values = {entry.name: entry.properties.value or "" for entry in found}
        records = tuple(name.removeprefix("drain-") for name in values if name.startswith("drain-"))
        return values.get("drained-backends", ""), records

    async def _accounts(self) -> None:
        accounts, refusal = await fetch_accounts(self._session)
        models, errors = await fetch_deployments(self._session, accounts)
        self._find(accounts=tuple(accounts), models=models)
        if refusal is not None:
            self._say(unverified("accounts", refusal))
        elif errors:
            self._say(unverified("accounts", errors[0]))
        else:
            self._say(passing("accounts", f"{len(accounts)} Azure OpenAI accounts found"))

    async def _endpoints(self, choices: Choices) -> None:
        given = [(name, url, is_ptu) for name, url, is_ptu in choices.endpoints if url]
        if not given:
            self._say(Check("endpoints", CheckState.WAITING, "when they are named"))
            return
        probes = await asyncio.gather(
            *(probe_models(self._session, urlsplit(url).hostname or "") for _, url, _ in given)
        )
        for (name, url, is_ptu), probe in zip(given, probes, strict=True):
            self._say(self._endpoint(name, url, is_ptu, probe.status_code, probe.error))
        names = [self._model_names(url) for _, url, _ in given]
        if len(given) == 3 and all(names):
            shared = sorted(set.intersection(*names))
            if shared:
                self._say(passing("model deployments", f"on all three: {', '.join(shared)}"))
            else:
                says = "the three endpoints share no model deployment name"
                self._say(failing("model deployments", says, "Deploy the model under one name on all three."))

    def _model_names(self, url: str) -> set[str]:
        account = self._found.account_of(url)
        return {m.name for m in self._found.models.get(account.resource_id, ())} if account else set()

    def _endpoint(self, name: str, url: str, is_ptu: bool, status: int | None, error: str | None) -> Check:
        host = urlsplit(url).hostname or url
        if status is None:
            return failing(name, error or f"{host} does not answer", "Check the name, DNS and private endpoints.")
        if status == 404 or status >= 500:
            says = f"{host} answers {status}, which is not how Azure OpenAI answers"
            return failing(name, says, "Give the account's endpoint, like https://contoso.openai.azure.com.")
        account = self._found.account_of(url)
        if account is None:
            return unverified(
                name, f"{host} answers; its account is not in this subscription", "Check it is the right one."
            )
        models = self._found.models.get(account.resource_id)
        if models is None:
            return unverified(name, f"{account.name}: its model deployments cannot be read")
        if not models:
            return failing(name, f"{account.name} has no model deployment", "Deploy a model to it first.")
        told = ", ".join(f"{m.name} {m.sku_name}" for m in models)
        if is_ptu and not any(m.is_provisioned for m in models):
            says = f"{account.name} has no provisioned throughput ({told})"
            return failing(name, says, "Give an endpoint with provisioned throughput, or deploy some there.")
        if not is_ptu and all(m.is_provisioned for m in models):
            return passing(name, f"{account.name}: {told}", "It is provisioned throughput, used as pay-as-you-go.")
        return passing(name, f"{account.name}: {told}")

    async def _validation(self, choices: Choices, template: Template) -> None:
        name = "Azure's own validation"
        if self._found.earlier is not None and not self._found.earlier.is_over:
            self._say(Check(name, CheckState.WAITING, "the deployment is running already"))
            return
        try:
            resources = await self._deployments.fetch_validation(
                deployment_name(choices), request_body(template, choices)
            )
        except ArmRefusal as refusal:
            for cause in refusals_of(refusal):
                if cause.code == "ServiceAlreadyExistsInSoftDeletedState":
                    self._find(service_name=cause.resource.rsplit("/", 1)[-1])
                self._say(failing(name, cause.line, cause.remedy))
            return
        service = next((i for i in resources if type_of(i).lower() == "microsoft.apimanagement/service"), "")
        if service and not self._found.service_name:
            self._find(service_name=service.rsplit("/", 1)[-1])
        self._say(passing(name, "template, policies and quotas stand nothing against it"))

    async def _name(self, choices: Choices) -> None:
        service = self._found.service_name
        if self._found.existing_id:
            self._say(passing("name", f"{service} is this username's own"))
            return
        if not service:
            self._say(unverified("name", "Azure makes it from the username and has not told it yet"))
            return
        deleted = await azure.fetch_deleted_services(self._session)
        gone = next((d for d in deleted if d.name.lower() == service.lower()), None)
        if gone is not None:
            until = (
                f" until {gone.properties.scheduled_purge_date[:16]}Z" if gone.properties.scheduled_purge_date else ""
            )
            self._say(failing("name", f"{service} is soft-deleted{until}", restore_or_purge(service, gone.location)))
            return
        answer = await azure.fetch_name_answer(self._session, service)
        if answer.name_available:
            self._say(passing("name", f"{service} is free"))
        else:
            self._say(failing("name", answer.message or f"{service} is taken", "Choose another --username."))


def summary_of(checks: Sequence[Check]) -> str:
    """`14 passing, 1 failing, 2 unverified`."""
    counts = [(state, sum(check.state is state for check in checks)) for state in CheckState]
    return ", ".join(f"{count} {state.value}" for state, count in counts if count)
