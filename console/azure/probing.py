"""Probes: is there an HTTP answer from here, without spending a token. Any status proves the path; none says why.

Source: API Management's status endpoint `/status-0123456789abcdef`; Azure OpenAI `GET /openai/models`, api-version
2024-10-21, which lists models and runs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.azure.session import AzureSession
from console.domain.health import Probe
from console.errors import ConsoleError

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest

PROBE_DEADLINE_SECONDS = 8.0
MODELS_API_VERSION = "2024-10-21"


async def probe_gateway(session: AzureSession, host: str) -> Probe:
    """Whether the gateway answers."""
    from azure.core.rest import HttpRequest

    return await _probe(session, HttpRequest("GET", f"https://{host}/status-0123456789abcdef"), host, signed_in=False)


async def probe_models(session: AzureSession, host: str) -> Probe:
    """Whether an account answers. A token goes only to hosts that are Azure OpenAI's by name."""
    from azure.core.rest import HttpRequest

    url = f"https://{host}/openai/models?api-version={MODELS_API_VERSION}"
    return await _probe(session, HttpRequest("GET", url), host, signed_in=session.cloud.is_models_host(host))


async def _probe(session: AzureSession, request: HttpRequest, host: str, *, signed_in: bool) -> Probe:
    started = session.clock.monotonic()

    async def ask() -> int:
        response = await session.data_plane(signed_in=signed_in).send_request(request, stream=True)
        await response.read()
        return int(response.status_code)

    try:
        status = await session.call(
            ask(), what=f"{host} does not answer", where=host, deadline_seconds=PROBE_DEADLINE_SECONDS
        )
    except ConsoleError as error:
        return Probe(session.clock.now(), None, error.what)
    return Probe(session.clock.now(), status, None, (session.clock.monotonic() - started) * 1000)
