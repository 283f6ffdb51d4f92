"""Template deployments at subscription scope, over Microsoft's client. Wire in, domain out; decides nothing.

A deployment is followed by its name: whoever knows the name can watch it, from any machine, whoever started it. So the
client's own poller is left out where a write starts; it is used where only a poller leads to the answer.

Source: Microsoft.Resources/deployments, api-version 2025-04-01: Create Or Update, Get, Validate, What If, Cancel and
List At Subscription Scope; Deployment Operations - List (At Subscription Scope). `validate` answers a refusal as 400
with an `error`, a what-if as 200 with `status` Failed.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from console.azure.refusal import redact
from console.azure.session import DEPLOYMENTS_API_VERSION, AzureSession, load_clients
from console.domain.arm_deployment import (
    DEPLOYMENT_TYPE,
    ArmDeployment,
    ArmError,
    Change,
    ChangeType,
    Operation,
    PropertyChange,
    WhatIf,
)
from console.errors import ConsoleError, NotFound

if TYPE_CHECKING:
    from azure.mgmt.resource.deployments.aio import DeploymentsMgmtClient

_CLIENT_MODULE = "azure.mgmt.resource.deployments.aio"
ROLE = "Ask for the role Contributor on the subscription."
WHAT_IF_DEADLINE_SECONDS = 600.0
VALIDATE_DEADLINE_SECONDS = 300.0
WRITE_DEADLINE_SECONDS = 60.0
_SPAN = re.compile(r"P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")
_RAW: Callable[..., Any] = lambda response, *_: response.http_response.json()  # noqa: E731 (the client's `cls` hook)


class ArmRefusal(ConsoleError):
    """Resource Manager refused a deployment; `error` has its whole nesting."""

    def __init__(self, error: ArmError, what: str, *, where: str, status: int) -> None:
        self.error = error
        self.status = status
        super().__init__(what, where=where, remedy="")


class Deployments:
    """Deployments of the profile's subscription."""

    def __init__(self, session: AzureSession) -> None:
        self._session = session

    async def open(self) -> None:
        """Sign in and load the client, beside the event loop. Sends nothing."""
        await self._session.open()
        if _CLIENT_MODULE not in sys.modules:
            await asyncio.to_thread(load_clients, (_CLIENT_MODULE,))

    @property
    def _client(self) -> DeploymentsMgmtClient:
        return self._session.deployments

    def id_of(self, name: str) -> str:
        """The resource id of a deployment of this subscription."""
        return f"/subscriptions/{self._session.profile.subscription_id}/providers/{DEPLOYMENT_TYPE}/{name}"

    # -- writes ----------------------------------------------------------------------------------------------

    async def execute_put(self, name: str, body: bytes) -> ArmDeployment:
        """Start a deployment. Azure goes on with it whether anybody watches or not.

        Raises:
            ArmRefusal: Azure refuses it; one of this name that still runs is refused with `DeploymentActive`.
            ConsoleError: nobody answered; then it may or may not have begun.
        """

        async def begin() -> Any:
            poller = await self._client.deployments.begin_create_or_update_at_subscription_scope(
                name, BytesIO(body), polling=False, cls=_RAW
            )
            return await poller.result()

        return parse_deployment(
            await self._call(begin(), "The deployment was refused", name, WRITE_DEADLINE_SECONDS), self.id_of(name)
        )

    async def execute_cancel(self, name: str) -> None:
        """Ask Azure to stop; what is done stays.

        Raises:
            ArmRefusal: it is over already.
            ConsoleError: nobody answered.
        """
        await self._call(
            self._client.deployments.cancel_at_subscription_scope(name), "The deployment cannot be cancelled", name
        )

    # -- reads -----------------------------------------------------------------------------------------------

    async def fetch_validation(self, name: str, body: bytes) -> tuple[str, ...]:
        """Let Azure check the template without deploying: the ids of the resources it would write.

        Raises:
            ArmRefusal: the template, a policy, a quota or a name stands against it.
            ConsoleError: nobody answered.
        """

        async def validate() -> Any:
            poller = await self._client.deployments.begin_validate_at_subscription_scope(name, BytesIO(body), cls=_RAW)
            return await poller.result()

        what = "Azure does not accept the deployment"
        answer = await self._call(validate(), what, name, VALIDATE_DEADLINE_SECONDS)
        if isinstance(answer.get("error"), Mapping):
            raise ArmRefusal(parse_error(answer["error"]), what, where=self.id_of(name), status=400)
        resources = (answer.get("properties") or {}).get("validatedResources") or ()
        return tuple(str(entry["id"]) for entry in resources if isinstance(entry, Mapping) and entry.get("id"))

    async def fetch_what_if(self, name: str, body: bytes) -> WhatIf:
        """What the deployment would change. Takes half a minute and more.

        Raises:
            ArmRefusal: Azure refuses to tell.
            ConsoleError: nobody answered in time.
        """

        async def ask() -> Any:
            poller = await self._client.deployments.begin_what_if_at_subscription_scope(name, BytesIO(body), cls=_RAW)
            return await poller.result()

        what = "The what-if was refused"
        answer = await self._call(ask(), what, name, WHAT_IF_DEADLINE_SECONDS)
        if isinstance(answer.get("error"), Mapping):
            raise ArmRefusal(parse_error(answer["error"]), what, where=self.id_of(name), status=400)
        changes = (answer.get("properties") or {}).get("changes") or ()
        return WhatIf(tuple(parse_change(entry) for entry in changes))

    async def fetch(self, name: str) -> ArmDeployment | None:
        """The deployment of this name, None when there is none.

        Raises:
            ConsoleError: Azure refused or nobody answered.
        """
        request = self._client.deployments.get_at_subscription_scope(name, cls=_RAW)
        try:
            answer = await self._call(request, "The deployment cannot be read", name)
        except NotFound:
            return None
        return parse_deployment(answer, self.id_of(name))

    async def fetch_all(self, *, only_running: bool = False) -> list[ArmDeployment]:
        """The subscription's deployments, newest first as Azure lists them.

        Raises:
            ConsoleError: they cannot be listed.
        """
        condition = "provisioningState eq 'Running'" if only_running else None

        async def read() -> list[Mapping[str, Any]]:
            pages = self._client.deployments.list_at_subscription_scope(filter=condition, cls=lambda items: items)
            return [cast(Mapping[str, Any], item) async for item in pages]

        found = await self._call(read(), "The deployments cannot be listed", "", VALIDATE_DEADLINE_SECONDS)
        return [parse_deployment(item, str(item.get("id") or "")) for item in found]

    async def fetch_operations(self, deployment_id: str) -> tuple[Operation, ...]:
        """The steps of a deployment at any scope, as they began. Modules are not opened.

        Raises:
            ConsoleError: they cannot be read.
        """
        items: list[Any] = []
        url = f"{deployment_id}/operations"
        while url:
            body = await self._session.get_arm(
                url, api_version=DEPLOYMENTS_API_VERSION, what="The deployment's operations cannot be read", remedy=ROLE
            )
            page = json.loads(body)
            items += page.get("value") or ()
            url = page.get("nextLink") or ""
        steps = [parse_operation(item) for item in items]
        return tuple(sorted(steps, key=lambda step: (_began(step), step.resource_id)))

    async def _call(self, request: Awaitable[Any], what: str, name: str, deadline_seconds: float = 30.0) -> Any:
        where = self.id_of(name)
        try:
            return await self._session.call(
                request, what=what, where=where, remedy=ROLE, deadline_seconds=deadline_seconds
            )
        except ConsoleError as error:
            refused = _refused(error)
            if refused is None:
                raise
            raise ArmRefusal(refused[1], f"{what}: {refused[1].message}", where=where, status=refused[0]) from error


def _refused(error: ConsoleError) -> tuple[int, ArmError] | None:
    """What Resource Manager said in a 400, 409 or 422 answer, None for any other trouble."""
    response = getattr(error.__cause__, "response", None)
    status = getattr(response, "status_code", None)
    if response is None or status not in (400, 409, 422):
        return None
    try:
        body = json.loads(response.text())
    except ValueError:
        return None
    inner = body.get("error") if isinstance(body, dict) else None
    return (status, parse_error(inner)) if isinstance(inner, Mapping) else None


def _began(step: Operation) -> float:
    if step.updated_at is None:
        return 0.0
    return step.updated_at.timestamp() - (step.duration_seconds or 0.0)


# -- wire to domain ----------------------------------------------------------------------------------------------------


def parse_error(raw: Mapping[str, Any], depth: int = 0) -> ArmError:
    """An error with its details; a message that is JSON itself is opened. Nesting ends at ten levels."""
    message = str(raw.get("message") or "")
    details = raw.get("details") if isinstance(raw.get("details"), list) else []
    nested = [entry for entry in details or [] if isinstance(entry, Mapping)]
    inner = raw.get("innererror")
    if isinstance(inner, Mapping) and inner.get("message"):
        nested.append(inner)
    inside = _json_within(message)
    if inside is not None:
        nested.append(inside)
    return ArmError(
        code=str(raw.get("code") or ""),
        message=redact(" ".join(message.split())),
        target=str(raw.get("target") or ""),
        details=tuple(parse_error(entry, depth + 1) for entry in nested) if depth < 10 else (),
    )


def _json_within(message: str) -> Mapping[str, Any] | None:
    start = message.find("{")
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(message, start)
    except ValueError:
        return None
    found = value.get("error", value) if isinstance(value, dict) else None
    return found if isinstance(found, Mapping) and found.get("code") and found.get("message") else None


def parse_deployment(raw: Mapping[str, Any], deployment_id: str) -> ArmDeployment:
    """A deployment resource. Values of secure parameters are not in the answer."""
    properties = raw.get("properties") or {}
    error = properties.get("error")
    return ArmDeployment(
        id=str(raw.get("id") or deployment_id),
        name=str(raw.get("name") or deployment_id.rsplit("/", 1)[-1]),
        location=str(raw.get("location") or ""),
        state=str(properties.get("provisioningState") or ""),
        correlation_id=str(properties.get("correlationId") or ""),
        updated_at=parse_instant(properties.get("timestamp")),
        duration_seconds=parse_span(properties.get("duration")),
        error=parse_error(error) if isinstance(error, Mapping) else None,
        outputs=_values(properties.get("outputs")),
        parameters=_values(properties.get("parameters")),
        template_hash=str(properties.get("templateHash") or ""),
    )


def _values(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        return {}
    return {str(k): entry["value"] for k, entry in raw.items() if isinstance(entry, Mapping) and "value" in entry}


def parse_operation(raw: Mapping[str, Any]) -> Operation:
    """One step; the one that evaluates outputs has no target."""
    properties = raw.get("properties") or {}
    target = properties.get("targetResource") or {}
    message = properties.get("statusMessage")
    error = message.get("error", message) if isinstance(message, Mapping) else None
    kind = str(target.get("resourceType") or "")
    return Operation(
        id=str(raw.get("operationId") or ""),
        resource_id=str(target.get("id") or ""),
        resource_type=kind or str(properties.get("provisioningOperation") or ""),
        resource_name=str(target.get("resourceName") or ""),
        state=str(properties.get("provisioningState") or ""),
        updated_at=parse_instant(properties.get("timestamp")),
        duration_seconds=parse_span(properties.get("duration")),
        error=parse_error(error) if isinstance(error, Mapping) and error.get("code") else None,
    )


def parse_change(raw: Mapping[str, Any]) -> Change:
    """One resource of a what-if; a kind of change nobody knows yet counts as unsupported."""
    kind = str(raw.get("changeType") or "")
    known = kind in {member.value for member in ChangeType}
    before, after = raw.get("before"), raw.get("after")
    return Change(
        resource_id=str(raw.get("resourceId") or ""),
        change_type=ChangeType(kind) if known else ChangeType.UNSUPPORTED,
        before=before if isinstance(before, Mapping) else None,
        after=after if isinstance(after, Mapping) else None,
        properties=tuple(_property(entry) for entry in raw.get("delta") or ()),
        reason=str(raw.get("unsupportedReason") or ("" if known else f"unknown change {kind!r}")),
    )


def _property(raw: Mapping[str, Any]) -> PropertyChange:
    return PropertyChange(
        path=str(raw.get("path") or ""),
        kind=str(raw.get("propertyChangeType") or ""),
        before=raw.get("before"),
        after=raw.get("after"),
        children=tuple(_property(entry) for entry in raw.get("children") or ()),
    )


def parse_instant(text: Any) -> datetime | None:
    """An instant of Azure's (seven decimals, Z), None when there is none."""
    if not isinstance(text, str):
        return None
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return None
    fraction = (match[2] or "")[:7]
    return datetime.fromisoformat(match[1] + fraction + match[3].replace("Z", "+00:00"))


def parse_span(text: Any) -> float | None:
    """Seconds of an ISO 8601 span such as `PT31M4.2S`, None when there is none."""
    match = _SPAN.fullmatch(text) if isinstance(text, str) and len(text) > 1 else None
    if match is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
