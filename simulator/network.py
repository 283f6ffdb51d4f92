"""The simulated network: hosts that answer HTTP, and what can go wrong on the way to them.

The gateway forwards to hosts by name, as it does in Azure. A host nobody registered cannot be resolved. Faults
set here (an outage, added delay) are felt by everybody who sends to the host, the gateway and a console's probe alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(slots=True)
class HttpRequest:
    """One request on the simulated wire. Header names are lower-case; `path` begins with `/` and has no query."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    source: Literal["gateway", "outside"] = "gateway"


@dataclass(slots=True)
class HttpResponse:
    """One answer. `chunks`, when set, is the body over time: (seconds after the headers, bytes), `body` their sum."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reason: str = ""
    chunks: list[tuple[float, bytes]] | None = None


class ConnectionFailure(Exception):
    """No HTTP answer came: the name did not resolve, or the connection was refused, reset or timed out."""

    def __init__(self, kind: Literal["dns", "refused", "reset", "timeout"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


HostHandler = Callable[[HttpRequest], Generator[float, None, HttpResponse]]


@dataclass(slots=True)
class HostFault:
    """What is wrong with a host, until taken away.

    Shapes: `status` answers every request itself; `failure` gives no answer; `delay_seconds` comes on top of
    either or of the real answer; `latency_factor` stretches the host's own time; `ratio` 0 to 1 is the share of
    requests that feel it; `outside_only` makes it a private endpoint: only requests not sent by the gateway feel it.
    """

    status: int | None = None
    body: bytes = b""
    failure: Literal["dns", "refused", "reset", "timeout"] | None = None
    delay_seconds: float = 0.0
    latency_factor: float = 1.0
    ratio: float = 1.0
    outside_only: bool = False


class Network:
    """Hosts by name (lower-case), hosts by suffix (".metrics.monitor.azure.com"), and the faults on the way to them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.hosts: dict[str, HostHandler] = {}
        self.suffix_hosts: dict[str, HostHandler] = {}
        self.faults: dict[str, HostFault] = {}

    def send(self, request: HttpRequest) -> Generator[float, None, HttpResponse]:
        """Send to `request.host` and wait for the answer.

        Raises:
            ConnectionFailure: no such host, or a fault that gives no answer.
        """
        fault = self.faults.get(request.host)
        factor = 1.0
        if fault is not None and self._feels(fault, request):
            if fault.delay_seconds:
                yield fault.delay_seconds
            if fault.failure is not None:
                raise ConnectionFailure(fault.failure, f"{request.host}: {fault.failure}")
            if fault.status is not None:
                return HttpResponse(fault.status, {"content-type": "application/json"}, fault.body)
            factor = fault.latency_factor
        handler = self.hosts.get(request.host) or self._suffix_handler(request.host)
        if handler is None:
            raise ConnectionFailure("dns", f"{request.host}: name not resolved")
        if factor == 1.0:
            return (yield from handler(request))
        process = handler(request)
        while True:
            try:
                delay = next(process)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            yield delay * factor

    def _suffix_handler(self, host: str) -> HostHandler | None:
        return next((handler for suffix, handler in self.suffix_hosts.items() if host.endswith(suffix)), None)

    def _feels(self, fault: HostFault, request: HttpRequest) -> bool:
        if fault.outside_only and request.source == "gateway":
            return False
        return fault.ratio >= 1.0 or self._world.random("network-faults").random() < fault.ratio
