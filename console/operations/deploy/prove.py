"""Proof that a new gateway works: it answers, one real chat completion goes through it, its log row arrives.

The product's key is read for one request and shown to nobody. What is not proven in time says what is missing.

Source: API Management REST 2024-05-01, Subscription - List Secrets; "Monitor API Management" (resource logs take 3 to
10 minutes, a new table longer); "Assign Azure roles" (a role assignment takes up to 10 minutes to work).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from console import queries
from console.azure.logs import parse_moment, run_query
from console.azure.probing import probe_gateway
from console.azure.refusal import one_line
from console.azure.session import AzureSession
from console.azure.subscription import fetch_subscription_key
from console.domain.gateway import ModelDeployment
from console.domain.load import Window
from console.errors import ConsoleError, NotFound

SUBSCRIPTION_NAME = "azure-openai-subscription"
CHAT_API_VERSION = "2024-10-21"
LOOK_SECONDS = 5.0
ANSWER_DEADLINE_SECONDS = 900.0
"""For the gateway to answer, and for the role assignment to work."""
LOG_DEADLINE_SECONDS = 900.0
REQUEST_DEADLINE_SECONDS = 60.0
QUESTION = "Answer with the one word: ready"

Pause = Callable[[float], Awaitable[None]]


class ProofState(StrEnum):
    """How far a step is. MISSING: the time is over and it has not happened."""

    WAITING = "waiting"
    PROVEN = "proven"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ProofStep:
    """One thing to prove. `says` is what was seen last, `remedy` what to do when it stays so."""

    name: str
    state: ProofState
    says: str
    remedy: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the deployment tells of the gateway."""

    gateway_url: str
    service_name: str
    resource_group: str
    workspace_id: str

    @property
    def host(self) -> str:
        """The gateway's host name."""
        return urlsplit(self.gateway_url).hostname or ""


def parse_outputs(outputs: Mapping[str, Any]) -> Outputs:
    """The outputs of the template.

    Raises:
        ConsoleError: the deployment has others: it is not this template's.
    """
    names = ("gatewayUrl", "apimServiceName", "resourceGroupName", "workspaceId")
    missing = [name for name in names if not isinstance(outputs.get(name), str)]
    if missing:
        raise ConsoleError(
            f"The deployment has no output {', '.join(missing)}",
            remedy="Deploy again with the template of this console.",
        )
    return Outputs(*(str(outputs[name]) for name in names))


def chat_model(models: Iterable[Iterable[ModelDeployment]]) -> str:
    """A model deployment to ask: one that every endpoint has and that chats; "" when none is known.

    Assumed: embedding, image and speech models say so in their names.
    """
    known = [{m.name: m.model_name.lower() for m in of_account} for of_account in models]
    if not known:
        return ""
    shared = set.intersection(*(set(names) for names in known))
    other = ("embedding", "dall-e", "whisper", "tts", "image", "sora", "transcribe", "audio", "realtime")
    chatting = sorted(name for name in shared if not any(word in known[0][name] for word in other))
    return chatting[0] if chatting else ""


OnStep = Callable[[ProofStep], None]


class Prover:
    """Proves one gateway. The session's profile must name it."""

    def __init__(self, session: AzureSession, outputs: Outputs, on_step: OnStep, pause: Pause = asyncio.sleep) -> None:
        self._session = session
        self._outputs = outputs
        self._on_step = on_step
        self._pause = pause

    async def prove(
        self,
        model: str,
        *,
        answer_seconds: float = ANSWER_DEADLINE_SECONDS,
        log_seconds: float = LOG_DEADLINE_SECONDS,
    ) -> tuple[ProofStep, ...]:
        """All steps in order; what needs an earlier one that is missing is not tried.

        Raises:
            SignInError: nobody is signed in any more.
        """
        gateway = await self._until("gateway answers", self._ask_status, answer_seconds)
        if gateway.state is not ProofState.PROVEN:
            return (gateway,)
        if not model:
            remedy = "Name a chat model deployment with --prove-with NAME."
            missing = ProofStep("chat completion", ProofState.MISSING, "no model deployment is known to ask", remedy)
            self._tell(missing)
            return gateway, missing
        began_at = self._session.clock.now()
        chat = await self._until("chat completion", lambda: self._ask_chat(model), answer_seconds)
        if chat.state is not ProofState.PROVEN:
            return gateway, chat
        row = await self._until("log row", lambda: self._ask_logs(began_at), log_seconds)
        return gateway, chat, row

    async def _until(self, name: str, ask: Callable[[], Awaitable[ProofStep]], seconds: float) -> ProofStep:
        began = self._session.clock.monotonic()
        while True:
            step = replace(await ask(), name=name, at=self._session.clock.now())
            if step.state is ProofState.WAITING and self._session.clock.monotonic() - began >= seconds:
                step = replace(step, state=ProofState.MISSING)
            self._tell(step)
            if step.state is not ProofState.WAITING:
                return step
            await self._pause(LOOK_SECONDS)

    def _tell(self, step: ProofStep) -> None:
        self._on_step(step)

    async def _ask_status(self) -> ProofStep:
        probe = await probe_gateway(self._session, self._outputs.host)
        if probe.status_code == 200:
            return _proven(f"{self._outputs.host} answers in {probe.milliseconds or 0:.0f} ms")
        says = probe.error or f"{self._outputs.host} answers {probe.status_code}"
        return _waiting(says, "Check DNS and the gateway's network; a new name takes minutes to be known.")

    async def _ask_chat(self, model: str) -> ProofStep:
        service_id = self._session.profile.service_id
        try:
            key = await fetch_subscription_key(self._session, service_id, SUBSCRIPTION_NAME)
        except NotFound as error:
            return _waiting(error.what, "Deploy again: the product's subscription is not there.")
        except ConsoleError as error:
            return _missing(error.what, "Ask for API Management Service Contributor, which may read keys.")
        try:
            status, body = await self._send_chat(model, key)
        except ConsoleError as error:
            return _waiting(error.what, error.remedy)
        if status == 200:
            return _proven(f"{model} answered through the gateway: {_answer(body)}")
        return _explained(status, body, model)

    async def _send_chat(self, model: str, key: str) -> tuple[int, bytes]:
        from azure.core.rest import HttpRequest

        request = HttpRequest(
            "POST",
            f"https://{self._outputs.host}/openai/deployments/{quote(model, safe='')}/chat/completions",
            params={"api-version": CHAT_API_VERSION},
            headers={"api-key": key},
            json={"messages": [{"role": "user", "content": QUESTION}], "max_completion_tokens": 64},
        )

        async def exchange() -> tuple[int, bytes]:
            response = await self._session.data_plane(signed_in=False).send_request(request, stream=True)
            body = await response.read()
            return int(response.status_code), body

        return await self._session.call(
            exchange(),
            what="The chat completion got no answer",
            where=self._outputs.host,
            deadline_seconds=REQUEST_DEADLINE_SECONDS,
        )

    async def _ask_logs(self, began_at: datetime) -> ProofStep:
        parameters: dict[str, str | int | datetime] = {
            "service_id": self._session.profile.service_id.lower(),
            "subscription_name": SUBSCRIPTION_NAME,
            "start_at": began_at,
        }
        window = Window(began_at, self._session.clock.now() + timedelta(minutes=1))
        try:
            table = await run_query(
                self._session, self._outputs.workspace_id, queries.load("first_rows", parameters), window
            )
        except ConsoleError as error:
            if "resolve" in error.what.lower():
                remedy = "A new workspace makes its table with the first row; that takes up to some tens of minutes."
                return _waiting("the table of the gateway's logs is not created yet", remedy)
            return _waiting(error.what, error.remedy)
        count = next((row["Requests"] for row in table.rows), 0)
        if not count:
            remedy = "Rows usually take 3 to 10 minutes. Check the gateway's diagnostic setting if none comes."
            return _waiting("no row of the request yet", remedy)
        latest = parse_moment(table.rows[0]["LatestAt"])
        late = "" if latest is None else f", {(self._session.clock.now() - latest).total_seconds():.0f} s late"
        return _proven(f"{count} log row{'s' if count != 1 else ''} arrived{late}")


def _explained(status: int, body: bytes, model: str) -> ProofStep:
    """What a refusal means for a gateway that is minutes old."""
    said = f"the gateway answered {status}{_message(body)}"
    if status in (401, 403) and b"ubscription key" in body:
        return _waiting(said, "The key is not known to the gateway yet; deploy again if that stays.")
    if status in (401, 403):
        return _waiting(
            f"{said}: the gateway's identity may not call the model yet",
            "A role assignment takes up to 10 minutes. Without one: assign Cognitive Services OpenAI User there.",
        )
    if status == 404:
        return _waiting(said, f"Check that every account has a model deployment named {model}.")
    if status == 429:
        return _waiting(said, "Every backend is full or its breaker is open: wait, or raise the quota.")
    if status >= 500:
        return _waiting(said, "Look at the gateway's logs; a backend may be unreachable from it.")
    return _missing(said, f"Check the model deployment {model}, or name another with --prove-with.")


def _message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    inner = document.get("error", document) if isinstance(document, dict) else None
    message = inner.get("message") if isinstance(inner, dict) else None
    return f" ({one_line(str(message), 160)})" if message else ""


def _answer(body: bytes) -> str:
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return "an answer without a message"
    return f"“{one_line(str(text), 60)}”" if text else "an empty answer"


def _proven(says: str) -> ProofStep:
    return ProofStep("", ProofState.PROVEN, says)


def _waiting(says: str, remedy: str) -> ProofStep:
    return ProofStep("", ProofState.WAITING, says, remedy)


def _missing(says: str, remedy: str) -> ProofStep:
    return ProofStep("", ProofState.MISSING, says, remedy)
