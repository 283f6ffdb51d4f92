"""One request in flight at the gateway: what came in, where it goes, what came back, what was noted on the way.

Compiled steps read and change it. Header names are lower-case; several values of one name are joined by a comma.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.network import HttpResponse
from simulator.telemetry import Attempt, LlmFacts

if TYPE_CHECKING:
    from simulator.gateway.configuration import (
        ApiConfig,
        Configuration,
        OperationConfig,
        ProductConfig,
        SubscriptionConfig,
    )
    from simulator.gateway.errors import PolicyFailure
    from simulator.gateway.service import GatewayService
    from simulator.gateway.units import Unit
    from simulator.network import HttpRequest
    from simulator.world import World

HOPS_HEADER = "x-gateway-hops"
MAXIMUM_HOPS = 8
"""How often a request may come back to the gateway that sent it. Assumed; it only has to end."""

_NO_PARAMETERS: dict[str, str] = {}


class Exchange:
    """The state of one request. `target` is ("id", backend or pool name) or ("url", base URL), None until routed."""

    __slots__ = (
        "api",
        "attempts",
        "backend_ms",
        "body",
        "cache",
        "cache_key",
        "caller_ip",
        "configuration",
        "context",
        "correlation_id",
        "failure",
        "headers",
        "host",
        "incoming",
        "last_backend",
        "llm",
        "method",
        "on_outcome",
        "on_response",
        "operation",
        "parameters",
        "path",
        "product",
        "query",
        "response",
        "section",
        "service",
        "started_at",
        "streamed_seconds",
        "subscription",
        "target",
        "trace",
        "unit",
        "variables",
        "world",
    )

    def __init__(self, service: GatewayService, unit: Unit, incoming: HttpRequest, correlation_id: str) -> None:
        self.service = service
        self.world: World = service.world
        self.unit = unit
        self.configuration: Configuration = unit.configuration
        self.incoming = incoming
        self.correlation_id = correlation_id
        self.started_at = self.world.now
        self.method = incoming.method
        self.host = incoming.host
        self.path = incoming.path
        self.query = incoming.query
        self.headers: dict[str, str] = dict(incoming.headers)
        self.body = incoming.body
        self.caller_ip = incoming.headers.get("x-forwarded-for", "127.0.0.1")
        self.api: ApiConfig | None = None
        self.operation: OperationConfig | None = None
        self.product: ProductConfig | None = None
        self.subscription: SubscriptionConfig | None = None
        self.parameters: dict[str, str] = _NO_PARAMETERS
        self.variables: dict[str, Any] = {}
        self.target: tuple[str, str] | None = None
        self.response: HttpResponse | None = None
        self.attempts: list[Attempt] = []
        self.last_backend = ""
        self.backend_ms = 0.0
        self.failure: PolicyFailure | None = None
        self.section = "inbound"
        self.cache = "none"
        self.cache_key = ""
        self.llm: LlmFacts | None = None
        self.streamed_seconds = 0.0
        self.trace: list[dict[str, Any]] = []
        self.context: Any = None
        self.on_outcome: list[Callable[[Exchange], None]] = []
        self.on_response: list[Callable[[Exchange], None]] = []

    @property
    def hops(self) -> int:
        """How often this request has come back to a gateway."""
        text = self.incoming.headers.get(HOPS_HEADER, "0")
        return int(text) if text.isdecimal() else 0

    def mark_round(self, host: str, headers: dict[str, str]) -> None:
        """Count a round on a request that goes to this gateway again, so that circles end."""
        if host == self.incoming.host:
            headers[HOPS_HEADER] = str(self.hops + 1)

    @property
    def elapsed_seconds(self) -> float:
        """Simulated time since the request came in."""
        return self.world.now - self.started_at

    def answer(self, status: int, headers: dict[str, str], body: bytes, reason: str = "") -> HttpResponse:
        """Make a new response the current one."""
        self.response = HttpResponse(status, headers, body, reason)
        return self.response

    def whole_response(self) -> HttpResponse:
        """The current response with its body in one piece, made (200, empty) when there is none yet."""
        if self.response is None:
            self.response = HttpResponse(200, {}, b"", "OK")
        self.response.chunks = None
        return self.response
