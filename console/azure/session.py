"""One signed-in conversation with one cloud: credential, transport, clients, deadlines and the request budget.

Opening a session imports Microsoft's clients in a thread, so that the event loop keeps painting. Every request has a
deadline; what fails becomes a `ConsoleError`. This room knows no gateway and keeps no result.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from console.azure.refusal import explain, redact
from console.azure.resolve import ResolveTable
from console.clock import Clock
from console.domain.snapshot import Budget
from console.profile import Profile

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.mgmt.apimanagement.aio import ApiManagementClient
    from azure.mgmt.core import AsyncARMPipelineClient
    from azure.mgmt.resource.deployments.aio import DeploymentsMgmtClient
    from azure.monitor.query.aio import LogsQueryClient
    from azure.monitor.querymetrics.aio import MetricsClient

T = TypeVar("T")

USER_AGENT = "genaigw-console"
REQUEST_DEADLINE_SECONDS = 20.0
DEPLOYMENTS_API_VERSION = "2025-04-01"
DEPLOYMENTS_POLL_SECONDS = 2
"""Between two looks at a what-if, where Azure names no time of its own."""
RENEW_SECONDS = 30.0
"""A sign-in whose token is refused is renewed at most this often."""
_CLIENT_MODULES = (
    "aiohttp",
    "azure.core.pipeline.transport",
    "azure.core.pipeline.transport._aiohttp",
    "azure.mgmt.core",
    "azure.identity.aio",
    "console.azure.pipeline",
    "console.azure.openai",
    "console.azure.metrics",
    "console.azure.logs",
    "azure.monitor.query.aio",
    "azure.monitor.querymetrics.aio",
    "azure.mgmt.apimanagement.aio",
)
_SIMULATOR_SERVER = "genaigw-simulator"


class AzureSession:
    """Clients for one profile. `await open()` before use, `await close()` after; both are idempotent.

    `on_note` is called when the budget or the kind of server became known or changed.
    """

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self.profile = profile
        self.clock = clock
        self.cloud = profile.cloud
        self.budget = Budget()
        self.simulated: bool | None = None
        self.request_count = 0
        self.requests_by_host: dict[str, int] = {}
        self.on_note: Callable[[], None] | None = None
        self._table = ResolveTable(profile.resolve)
        self._opening = asyncio.Lock()
        self._transport: AioHttpTransport | None = None
        self._credential: AsyncTokenCredential | None = None
        self._retired: list[AsyncTokenCredential] = []
        self._renewed_at: float | None = None
        self._clients: dict[str, Any] = {}

    # -- life ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Load the clients (in a thread) and prepare the credential. Sends nothing."""
        async with self._opening:
            if self._transport is not None:
                return
            if "azure.mgmt.apimanagement.aio" not in sys.modules:
                await asyncio.to_thread(load_clients)
            from azure.core.pipeline.transport import AioHttpTransport

            from console.azure.credential import open_credential

            self._credential = await asyncio.to_thread(open_credential, self.profile)
            self._transport = AioHttpTransport(connection_timeout=5, read_timeout=REQUEST_DEADLINE_SECONDS)

    async def close(self) -> None:
        """Close connections and the credential."""
        transport, self._transport = self._transport, None
        credential, self._credential = self._credential, None
        retired, self._retired = self._retired, []
        self._clients.clear()
        if transport is not None:
            await transport.close()
        for one in (*retired, credential):
            if one is not None:
                await one.close()

    async def _renew(self, refused: object) -> AsyncTokenCredential | None:
        """Another credential than the refused one; a new one at most every half minute."""
        from console.azure.credential import open_credential

        if self._credential is not refused:
            return self._credential
        now = self.clock.monotonic()
        if self._credential is None or (self._renewed_at is not None and now - self._renewed_at < RENEW_SECONDS):
            return None
        self._renewed_at = now
        self._retired.append(self._credential)
        self._credential = open_credential(self.profile)
        return self._credential

    # -- clients ---------------------------------------------------------------------------------------------

    def _client_options(self, scope: str, *, signed_in: bool = True) -> dict[str, Any]:
        from console.azure.pipeline import pipeline_policies

        if self._transport is None:
            raise RuntimeError("the session is not open")
        return {
            "transport": _Shared(self._transport),
            "policies": pipeline_policies(
                table=self._table,
                credential=self._credential if signed_in else None,
                scope=scope,
                note=self._note_answer,
                renew=self._renew,
                user_agent=USER_AGENT,
            ),
        }

    def _client(self, key: str, make: Callable[[], T]) -> T:
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = make()
        return cast(T, client)

    @property
    def arm(self) -> AsyncARMPipelineClient[Any, Any]:
        """Resource Manager, for what has no client of its own here."""
        from azure.mgmt.core import AsyncARMPipelineClient

        base_url = f"https://{self.cloud.arm_host}"
        return self._client(
            "arm", lambda: AsyncARMPipelineClient(base_url=base_url, **self._client_options(self.cloud.arm_scope))
        )

    @property
    def apim(self) -> ApiManagementClient:
        """API Management."""
        from azure.mgmt.apimanagement.aio import ApiManagementClient

        return self._client(
            "apim",
            lambda: ApiManagementClient(
                credential=self._credential,  # type: ignore[arg-type]
                subscription_id=self.profile.subscription_id,
                base_url=f"https://{self.cloud.arm_host}",
                **self._client_options(self.cloud.arm_scope),
            ),
        )

    @property
    def logs(self) -> LogsQueryClient:
        """The logs query service."""
        from azure.monitor.query.aio import LogsQueryClient

        return self._client(
            "logs",
            lambda: LogsQueryClient(
                credential=self._credential,  # type: ignore[arg-type]
                endpoint=f"https://{self.cloud.logs_host}",
                audience=f"https://{self.cloud.logs_host}",
                **self._client_options(self.cloud.logs_scope),
            ),
        )

    @property
    def deployments(self) -> DeploymentsMgmtClient:
        """Template deployments. Its module is loaded on first use: import it in a thread before."""
        from azure.mgmt.resource.deployments.aio import DeploymentsMgmtClient

        return self._client(
            "deployments",
            lambda: DeploymentsMgmtClient(
                credential=self._credential,  # type: ignore[arg-type]
                subscription_id=self.profile.subscription_id,
                base_url=f"https://{self.cloud.arm_host}",
                api_version=DEPLOYMENTS_API_VERSION,
                polling_interval=DEPLOYMENTS_POLL_SECONDS,
                **self._client_options(self.cloud.arm_scope),
            ),
        )

    def metrics(self, region: str) -> MetricsClient:
        """The metrics batch service of a region."""
        from azure.monitor.querymetrics.aio import MetricsClient

        return self._client(
            f"metrics/{region}",
            lambda: MetricsClient(
                endpoint=f"https://{self.cloud.metrics_host(region)}",
                credential=self._credential,  # type: ignore[arg-type]
                audience=f"https://{self.cloud.metrics_suffix}",
                **self._client_options(self.cloud.metrics_scope),
            ),
        )

    def data_plane(self, *, signed_in: bool) -> AsyncARMPipelineClient[Any, Any]:
        """Plain requests to a data-plane host: with a token for models, or without any."""
        from azure.mgmt.core import AsyncARMPipelineClient

        return self._client(
            f"data/{signed_in}",
            lambda: AsyncARMPipelineClient(
                base_url="https://localhost", **self._client_options(self.cloud.models_scope, signed_in=signed_in)
            ),
        )

    # -- requests --------------------------------------------------------------------------------------------

    async def call(
        self,
        request: Awaitable[T],
        *,
        what: str,
        where: str,
        remedy: str = "",
        deadline_seconds: float = REQUEST_DEADLINE_SECONDS,
    ) -> T:
        """Await a client's request under a deadline.

        Raises:
            ConsoleError: whatever the client raised, explained by `what`, `where` and `remedy`.
        """
        from console.azure.credential import sign_in_remedy

        try:
            async with asyncio.timeout(deadline_seconds):
                return await request
        except Exception as error:
            raise explain(error, what=what, where=where, remedy=remedy, sign_in=sign_in_remedy(self.profile)) from error

    async def get_arm(
        self, path: str, *, api_version: str, what: str, query: Mapping[str, str] | None = None, remedy: str = ""
    ) -> bytes:
        """GET an ARM path (or a full ARM URL that an answer gave) and return the body.

        Raises:
            ConsoleError: Azure refused or nobody answered.
        """
        from azure.core.rest import HttpRequest

        url = path if path.startswith("https://") else f"https://{self.cloud.arm_host}{path}"
        params = {} if path.startswith("https://") else {"api-version": api_version, **(query or {})}
        return await self.call(
            _send(self.arm, HttpRequest("GET", url, params=params)), what=what, where=path.split("?")[0], remedy=remedy
        )

    def _note_answer(self, host: str, headers: Mapping[str, str], status_code: int) -> None:
        self.request_count += 1
        self.requests_by_host[host] = self.requests_by_host.get(host, 0) + 1
        reads = _integer(headers.get("x-ms-ratelimit-remaining-subscription-reads"))
        writes = _integer(headers.get("x-ms-ratelimit-remaining-subscription-writes"))
        changed = False
        refused = status_code == 429 and host == self.cloud.arm_host
        if reads is not None or writes is not None or refused:
            self.budget = Budget(
                arm_reads_remaining=self.budget.arm_reads_remaining if reads is None else reads,
                arm_writes_remaining=self.budget.arm_writes_remaining if writes is None else writes,
                observed_at=self.clock.now(),
                arm_throttled_at=self.clock.now() if refused else self.budget.arm_throttled_at,
            )
            changed = True
        if headers.get("x-ms-request-id") is not None or headers.get("Server") == _SIMULATOR_SERVER:
            simulated = headers.get("Server") == _SIMULATOR_SERVER
            changed = changed or simulated != self.simulated
            self.simulated = simulated or bool(self.simulated)
        if changed and self.on_note is not None:
            self.on_note()


class _Shared:
    """A transport that many clients use and none of them closes."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    async def __aenter__(self) -> _Shared:
        await self._transport.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def open(self) -> None:
        """Open the connections."""
        await self._transport.open()

    async def close(self) -> None:
        """Leave them to the session."""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        """Send over the shared connections."""
        return await self._transport.send(request, **kwargs)

    async def sleep(self, duration: float) -> None:
        """Wait between retries."""
        await asyncio.sleep(duration)


async def _send(client: Any, request: Any) -> bytes:
    from azure.core.exceptions import HttpResponseError

    response = await client.send_request(request, stream=True)
    body: bytes = await response.read()
    if response.status_code >= 300:
        raise HttpResponseError(response=response)
    return body


def load_clients(modules: Sequence[str] = _CLIENT_MODULES) -> None:
    """Import Microsoft's clients. Blocking; a second on a slow machine."""
    for name in modules:
        importlib.import_module(name)


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


class RedactingFormatter(logging.Formatter):
    """A log line without tokens and keys, whatever a library put into it."""

    def format(self, record: logging.LogRecord) -> str:
        """The redacted line."""
        return redact(super().format(record))


def open_debug_log(path: Path) -> logging.Handler:
    """Write what is sent and answered (headers, no bodies, no secrets) and every traceback to a file of the user's.

    Raises:
        UsageError: the file cannot be written.
    """
    from console.errors import UsageError

    try:
        path.touch(mode=0o600)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The debug log cannot be written: {error}", where=str(path), remedy="Name another file."
        ) from error
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return handler
