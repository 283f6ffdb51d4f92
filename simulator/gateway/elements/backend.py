"""set-backend-service and forward-request: where a request goes, and the going.

Source: Microsoft Learn "forward-request policy", "set-backend-service policy", "Backends in API Management".
Assumed: the reason and wording when a breaker or every member of a pool keeps requests away (no published text is
stable).
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulator.gateway.compiler import element
from simulator.gateway.context import request_body_consumed
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.language import as_number, as_text, is_true
from simulator.gateway.steps import Step, Waiting
from simulator.network import ConnectionFailure, HttpRequest, HttpResponse
from simulator.telemetry import Attempt, LlmFacts

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element
    from simulator.world import Process, World

DEFAULT_TIMEOUT_SECONDS = 300.0
UNAVAILABLE_REASON = "BackendPoolUnavailable"
_USAGE = re.compile(rb'"(?:prompt|input)_tokens":\s*(\d+)(?:.*?"(?:completion|output)_tokens":\s*(\d+))?', re.DOTALL)
_MODEL = re.compile(rb'"model":\s*"([^"]+)"')


@element("set-backend-service")
def compile_set_backend_service(compiler: Compiler, statement: Element) -> Step:
    """`backend-id` (a backend or a pool) or `base-url`."""
    constant_id, backend_id = compiler.value(statement, "backend-id")
    base_url = compiler.getter(statement, "base-url")
    known = compiler.configuration
    if constant_id and backend_id is not None:
        target = ("id", str(backend_id).strip().lower())

        def run_constant(exchange: Exchange) -> None:
            exchange.target = target

        return Step("set-backend-service", run_constant)

    def run(exchange: Exchange) -> None:
        if backend_id is not None:
            name = as_text(backend_id(exchange)).strip()
            if name.lower() not in known.pools and name.lower() not in known.backends:
                raise PolicyFailure("BackendNotFound", f"Backend with id '{name}' could not be found.")
            exchange.target = ("id", name.lower())
        else:
            exchange.target = ("url", as_text(base_url(exchange)).rstrip("/"))

    return Step("set-backend-service", run)


def choose_backend(exchange: Exchange) -> tuple[str, str, str, str]:
    """(backend name or "", URL base, host, base path) for the next forward.

    Raises:
        PolicyFailure: no such backend, or breakers keep requests away (503).
    """
    target = exchange.target
    if target is None:
        service_url = exchange.api.service_url if exchange.api is not None else None
        if not service_url:
            raise PolicyFailure("BackendServiceNotFound", "No backend service is configured for the API.")
        target = ("url", service_url.rstrip("/"))
    kind, value = target
    if kind == "url":
        try:
            parts = urlsplit(value)
        except ValueError as error:
            raise PolicyFailure("BackendServiceNotFound", f"'{value}' is not a URL.") from error
        return "", value, (parts.hostname or "").lower(), parts.path
    unit, configuration = exchange.unit, exchange.configuration
    name: str | None = value
    balancer = unit.balancers.get(value)
    if balancer is not None:
        name = balancer.choose(unit.breakers, exchange.world.now)
    elif (breaker := unit.breakers.get(value)) is not None and breaker.is_open(exchange.world.now):
        name = None
    if name is None:
        exchange.last_backend = value
        message = f"Backend {'pool ' if balancer is not None else ''}'{value}' is not available."
        raise PolicyFailure(UNAVAILABLE_REASON, message, status=503, body_message="Service unavailable")
    backend = configuration.backends.get(name)
    if backend is None:
        raise PolicyFailure("BackendNotFound", f"Backend with id '{name}' could not be found.")
    return backend.name, backend.url, backend.host, backend.base_path


@element("forward-request")
def compile_forward_request(compiler: Compiler, statement: Element) -> Step:
    """Send the request to the backend and take its answer as the response."""
    timeout = compiler.getter(statement, "timeout")
    timeout_ms = compiler.getter(statement, "timeout-ms")
    fail_on_error = compiler.getter(statement, "fail-on-error-status-code", False)
    buffered = compiler.getter(statement, "buffer-response", True)

    def run(exchange: Exchange) -> Waiting:
        milliseconds = timeout_ms(exchange)
        seconds = timeout(exchange)
        limit = DEFAULT_TIMEOUT_SECONDS
        if milliseconds is not None:
            limit = as_number(milliseconds) / 1000.0
        elif seconds is not None:
            limit = as_number(seconds)
        response = yield from forward(exchange, limit, buffered=is_true(buffered(exchange)))
        if response.status >= 400 and is_true(fail_on_error(exchange)):
            raise PolicyFailure(
                "BackendResponseStatusCode", f"The backend answered {response.status}.", status=response.status
            )

    return Step("forward-request", run, waits=True)


def forward(exchange: Exchange, timeout_seconds: float, *, buffered: bool) -> Generator[float, None, HttpResponse]:
    """One attempt: choose the backend, send, record the outcome with its breaker, keep the response.

    Raises:
        PolicyFailure: no backend, no connection, or no headers within `timeout_seconds`.
    """
    name, url, host, base_path = choose_backend(exchange)
    world = exchange.world
    started_at = world.now
    headers = dict(exchange.headers)
    headers["host"] = host
    exchange.mark_round(host, headers)
    query = exchange.query
    if name:
        backend = exchange.configuration.backends[name.lower()]
        if backend.headers:
            headers.update(backend.headers)
        if backend.query:
            query = f"{query}&{backend.query}" if query else backend.query
    body = b"" if request_body_consumed(exchange) else exchange.body
    request = HttpRequest(exchange.method, host, base_path + exchange.path, query, headers, body)
    attempt = Attempt(name, url + exchange.path, None, started_at, 0.0)
    exchange.attempts.append(attempt)
    exchange.last_backend = name
    try:
        response = yield from within(world, world.network.send(request), timeout_seconds)
    except ConnectionFailure as error:
        attempt.milliseconds = (world.now - started_at) * 1000.0
        exchange.backend_ms += attempt.milliseconds
        reason = "Timeout" if error.kind == "timeout" else "BackendConnectionFailure"
        exchange.unit.record(name.lower(), None, reason, None)
        raise PolicyFailure(reason, connection_text(error, host)) from error
    if buffered and response.chunks is not None:
        if response.chunks:
            yield response.chunks[-1][0]
        response.chunks = None
    elif response.chunks:
        exchange.streamed_seconds = response.chunks[-1][0]
    attempt.status = status = response.status
    attempt.milliseconds = (world.now - started_at + exchange.streamed_seconds) * 1000.0
    exchange.backend_ms += attempt.milliseconds
    exchange.unit.record(name.lower(), status, None, response.headers.get("retry-after"))
    exchange.response = response
    if status == 200:
        _read_usage(exchange, response)
    return response


def connection_text(error: ConnectionFailure, host: str) -> str:
    """The words of the gateway log for a connection that failed."""
    return {
        "dns": f"The remote name could not be resolved: '{host}'",
        "refused": "No connection could be made because the target machine actively refused it.",
        "reset": "The underlying connection was closed: The connection was closed unexpectedly.",
        "timeout": "The operation timed out.",
    }[error.kind]


def within(world: World, process: Process[HttpResponse], limit_seconds: float) -> Generator[float, None, HttpResponse]:
    """Run a process for at most `limit_seconds`; past them it goes on without us, as a slow backend does.

    Raises:
        ConnectionFailure: kind "timeout", when the limit is reached first.
    """
    left = limit_seconds
    while True:
        try:
            delay = next(process)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        if delay > left:
            yield left
            world.spawn(_abandoned(delay - left, process), lambda result, error: None)
            raise ConnectionFailure("timeout", "the time limit was reached")
        left -= delay
        yield delay


def _abandoned(delay: float, process: Process[HttpResponse]) -> Process[HttpResponse]:
    yield delay
    return (yield from process)


def _read_usage(exchange: Exchange, response: HttpResponse) -> None:
    body = response.body
    start = body.rfind(b'"usage":')
    if start < 0:
        return
    usage = _USAGE.search(body, start)
    if usage is None:
        return
    model = _MODEL.search(body, 0, 2000) or _MODEL.search(body, max(start - 200, 0), start)
    deployment = exchange.parameters.get("deployment-id", "")
    exchange.llm = LlmFacts(
        model[1].decode() if model else "",
        deployment or response.headers.get("x-ms-deployment-name", ""),
        int(usage[1]),
        int(usage[2] or 0),
        response.headers.get("content-type", "").startswith("text/event-stream"),
    )
