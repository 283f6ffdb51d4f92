"""The policies every request to Azure passes, in one order for all clients. Imports azure-core: load it lazily.

Order: request id, resolve table, short retry, authorization, what the answer tells about itself, redacted log. Left
out on purpose: the policy that registers resource providers by itself (a reading console must not write), and
redirects.
Source: azure-core `pipeline.policies`; packages' read-me for `policies=` and `transport=` of the clients.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    ContentDecodePolicy,
    HeadersPolicy,
    HttpLoggingPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)

from console.azure.resolve import ResolveTable, is_loopback

NoteAnswer = Callable[[str, Any, int], None]
"""Told of every answer: (host it was meant for, response headers)."""

Renew = Callable[[Any], Awaitable["AsyncTokenCredential | None"]]
"""Given the credential whose token was refused: another one to try, None when there is none."""

RETRY_PATIENCE_SECONDS = 3.0
"""An answer that asks to wait longer than this is handed back: a feed that is late is late, nobody sleeps for it."""

_wire_log = logging.getLogger("genaigw.wire")


class ResolvePolicy(SansIOHTTPPolicy[Any, Any]):
    """Sends requests for a host to the base URL that the profile gives for it."""

    def __init__(self, table: ResolveTable) -> None:
        super().__init__()
        self._table = table

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Rewrite the URL; keep the host's name for TLS and for the log."""
        resolved = self._table.resolve(request.http_request.url)
        if resolved.host is None:
            return
        request.http_request.url = resolved.url
        request.context["meant_for"] = resolved.host
        if resolved.url.startswith("https://"):
            request.http_request.headers["Host"] = resolved.host
            request.context.options["server_hostname"] = resolved.host


class ShortRetryPolicy(AsyncRetryPolicy[Any, Any]):
    """Two quick retries, and never a sleep longer than an operator's patience."""

    def __init__(self) -> None:
        super().__init__(
            retry_total=2, retry_connect=1, retry_read=1, retry_status=2, retry_backoff_factor=0.2, retry_backoff_max=2
        )

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """As azure-core decides, unless the answer asks for more patience than there is."""
        wait_seconds = self.get_retry_after(response)
        if wait_seconds is not None and wait_seconds > RETRY_PATIENCE_SECONDS:
            return False
        return bool(super().is_retry(settings, response))


class LoopbackBearerPolicy(AsyncBearerTokenCredentialPolicy[Any, Any]):
    """Bearer tokens over https, and over plain http to this machine's loopback only.

    A refused token is not tried twice: `renew` gives a fresh credential without a memory, or None when there was one
    just now.
    """

    def __init__(self, credential: AsyncTokenCredential, scope: str, renew: Renew) -> None:
        super().__init__(credential, scope, enable_cae=True)
        self._renew = renew

    async def on_request(self, request: PipelineRequest[Any]) -> None:
        """Authorize the request.

        Raises:
            ServiceRequestError: the URL is plain http and leaves this machine.
        """
        if is_loopback(request.http_request.url):
            request.context.options["enforce_https"] = False
        await super().on_request(request)

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send with a token; once more with a new sign-in when the token is refused."""
        used = self._credential
        response = await super().send(request)
        if response.http_response.status_code != 401:
            return response
        renewed = await self._renew(used)
        if renewed is None:
            return response
        if self._credential is not renewed:
            self._credential, self._token = renewed, None
        return await super().send(request)


class AnswerPolicy(SansIOHTTPPolicy[Any, Any]):
    """Tells the session what every answer says about itself: budget, correlation, who serves it."""

    def __init__(self, note: NoteAnswer) -> None:
        super().__init__()
        self._note = note

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Pass headers and status on."""
        answer = response.http_response
        self._note(str(request.context.get("meant_for") or ""), answer.headers, answer.status_code)


def pipeline_policies(
    *,
    table: ResolveTable,
    credential: AsyncTokenCredential | None,
    scope: str,
    note: NoteAnswer,
    renew: Renew,
    user_agent: str,
) -> list[Any]:
    """The policy chain of one client. `credential` None: requests go out unauthorized."""
    logged = HttpLoggingPolicy(logger=_wire_log)
    logged.allowed_query_params.update({"api-version", "metricnames", "interval", "$top", "format"})
    policies: list[Any] = [
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy(base_user_agent=user_agent),
        ContentDecodePolicy(),
        ResolvePolicy(table),
        ShortRetryPolicy(),
    ]
    if credential is not None:
        policies.append(LoopbackBearerPolicy(credential, scope, renew))
    return [*policies, AnswerPolicy(note), logged]
