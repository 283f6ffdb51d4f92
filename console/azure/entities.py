"""Raw entities of API Management: read with their entity tag, changed in one place, written back whole.

The typed models drop properties they do not know, so whatever is to be written is edited as raw JSON.
`RawEntity` is the one raw thing that leaves this adapter; `pool_document` is what may be done to it.
Source: Microsoft.ApiManagement REST, api-version 2024-05-01 (ETag, If-Match, long-running PUTs).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from console.azure.session import AzureSession
from console.errors import ConsoleError, DeadlineExceeded, NotFound, UnreadableAnswer

API_VERSION = "2024-05-01"
LONG_RUNNING_DEADLINE_SECONDS = 120.0
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RawEntity:
    """One entity as Azure gave it. `etag` is quoted and opaque."""

    resource_id: str
    etag: str
    body: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        """The `properties` bag."""
        bag = self.body.get("properties")
        return bag if isinstance(bag, Mapping) else {}


class Entities(Protocol):
    """What operations need of Azure: read one, write one, delete one, list a collection. All below one service.

    `path` is relative to the service (`backends/chat-pool`, `namedValues/drained-backends`).
    """

    async def get(self, path: str) -> RawEntity | None:
        """The entity, None when there is none."""

    async def put(self, path: str, body: Mapping[str, Any], *, if_match: str | None) -> str:
        """Write it whole, wait until it is done, return its new entity tag ("" when not told). Conflict when stale."""

    async def delete(self, path: str, *, if_match: str) -> None:
        """Delete it; one that is gone already is no error."""

    async def list(self, collection: str) -> tuple[RawEntity, ...]:
        """Every entity of a collection. Their `etag` is empty: lists carry none."""


class ServiceEntities:
    """`Entities` of the profile's service, over the session's pipeline."""

    def __init__(self, session: AzureSession) -> None:
        self._session = session
        self._base = session.profile.service_id

    async def get(self, path: str) -> RawEntity | None:
        """The entity, None when there is none.

        Raises:
            ConsoleError: Azure refused or nobody answered.
        """
        try:
            status, headers, body = await self._send("GET", path, what=f"{path} cannot be read")
        except NotFound:
            return None
        del status
        return RawEntity(f"{self._base}/{path}", headers.get("ETag", ""), _object(body, path))

    async def put(self, path: str, body: Mapping[str, Any], *, if_match: str | None) -> str:
        """Write it whole and wait until the write is done. Returns the new entity tag, "" when Azure did not tell.

        Raises:
            Conflict: `if_match` is stale, or another write is in progress.
            ConsoleError: Azure refused, the operation failed, or nobody answered: then it may or may not have landed.
        """
        what = f"{path} cannot be written"
        headers = {"If-Match": if_match} if if_match is not None else {}
        _, answer, _ = await self._send("PUT", path, what=what, body=body, headers=headers)
        poll = answer.get("Azure-AsyncOperation") or answer.get("Location")
        if poll:
            await self._wait(poll, path)
        return answer.get("ETag", "")

    async def delete(self, path: str, *, if_match: str) -> None:
        """Delete it; one that is gone already is no error.

        Raises:
            ConsoleError: Azure refused or nobody answered.
        """
        try:
            await self._send("DELETE", path, what=f"{path} cannot be deleted", headers={"If-Match": if_match})
        except NotFound:
            return

    async def list(self, collection: str) -> tuple[RawEntity, ...]:
        """Every entity of a collection, all pages.

        Raises:
            ConsoleError: Azure refused or nobody answered.
        """
        found: list[RawEntity] = []
        url: str | None = collection
        while url:
            _, _, body = await self._send("GET", url, what=f"{collection} cannot be listed")
            page = _object(body, collection)
            for item in page.get("value", []):
                found.append(RawEntity(str(item.get("id", "")), "", item))
            url = page.get("nextLink") or None
        return tuple(found)

    async def _wait(self, url: str, path: str) -> None:
        """Follow a long-running write to its end."""
        deadline = self._session.clock.monotonic() + LONG_RUNNING_DEADLINE_SECONDS
        while True:
            _, headers, body = await self._send("GET", url, what=f"{path}: its write cannot be followed")
            state = str(_object(body, path).get("status") or _provisioning_state(body, path)).lower()
            if state == "succeeded":
                return
            if state in ("failed", "canceled"):
                error = _object(body, path).get("error") or {}
                details = error.get("details") or [{}]
                message = details[0].get("message") or error.get("message") or "no reason given"
                raise ConsoleError(f"{path} was not written: {message}", where=self._base, remedy="Mend it and repeat.")
            if self._session.clock.monotonic() > deadline:
                raise DeadlineExceeded(
                    f"{path}: the write was accepted and is not done after {LONG_RUNNING_DEADLINE_SECONDS:.0f} s",
                    where=self._base,
                    remedy="Look at it again in a minute.",
                )
            pause = headers.get("Retry-After", "")
            await asyncio.sleep(min(float(pause) if pause.isdigit() else _POLL_SECONDS, _POLL_SECONDS))

    async def _send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        absolute = path.startswith(("https://", "http://"))
        url = path if absolute else f"https://{self._session.cloud.arm_host}{self._base}/{path}"
        request = HttpRequest(
            method,
            url,
            params={} if absolute else {"api-version": API_VERSION},
            headers=dict(headers or {}),
            json=dict(body) if body is not None else None,
        )

        async def exchange() -> tuple[int, Mapping[str, str], bytes]:
            response = await self._session.arm.send_request(request, stream=True)
            content = await response.read()
            if response.status_code >= 300:
                raise HttpResponseError(response=response)
            return response.status_code, response.headers, content

        remedy = "Ask for the operator role that the accelerator defines (GenAI gateway operator)."
        return await self._session.call(exchange(), what=what, where=self._base, remedy=remedy)


def _object(body: bytes, path: str) -> dict[str, Any]:
    try:
        value = json.loads(body) if body else {}
    except ValueError as error:
        raise UnreadableAnswer(f"{path}: the answer is no JSON", remedy="Look at it with --debug-log FILE.") from error
    if not isinstance(value, dict):
        raise UnreadableAnswer(f"{path}: the answer is no JSON object", remedy="Look at it with --debug-log FILE.")
    return value


def _provisioning_state(body: bytes, path: str) -> str:
    properties = _object(body, path).get("properties") or {}
    return str(properties.get("provisioningState") or "Succeeded")
