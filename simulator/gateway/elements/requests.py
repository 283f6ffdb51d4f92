"""send-request and send-one-way-request: calls a policy makes on its own account, to simulated hosts.

A host nobody registered cannot be resolved, as on a machine without the internet.
Source: Microsoft Learn "send-request policy", "send-one-way-request policy".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulator.gateway.compiler import element
from simulator.gateway.elements.backend import connection_text, within
from simulator.gateway.elements.edits import compile_edits
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.language import as_number, as_text, is_true, response_variable
from simulator.gateway.steps import Step, Waiting
from simulator.network import ConnectionFailure, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

_DEFAULT_TIMEOUT_SECONDS = 60.0


def _compile_request(compiler: Compiler, statement: Element) -> Callable[[Exchange], HttpRequest]:
    mode = compiler.getter(statement, "mode", "new")
    url = next((compiler.text(child) for child in statement.elements if child.name == "set-url"), None)
    edits = compile_edits(compiler, statement, of_request=True)
    identities = [
        compiler.getter(child, "resource", "")
        for child in statement.elements
        if child.name == "authentication-managed-identity"
    ]

    def make(exchange: Exchange) -> HttpRequest:
        request = HttpRequest("GET", exchange.host, exchange.path, exchange.query)
        if as_text(mode(exchange)).lower() == "copy":
            request.method, request.body = exchange.method, exchange.body
            request.headers = dict(exchange.headers)
        if url is not None:
            address = as_text(url(exchange)).strip()
            try:
                parts = urlsplit(address)
            except ValueError as error:
                raise PolicyFailure("BackendConnectionFailure", f"'{address}' is not a URL.") from error
            request.host = (parts.hostname or "").lower()
            request.path, request.query = parts.path or "/", parts.query
        request.headers["host"] = request.host
        exchange.mark_round(request.host, request.headers)
        for resource in identities:
            token = exchange.service.identity_token(as_text(resource(exchange)))
            request.headers["authorization"] = f"Bearer {token}"
        for edit in edits:
            edit(exchange, request)
        return request

    return make


@element("send-request")
def compile_send_request(compiler: Compiler, statement: Element) -> Step:
    """Send and wait; the answer goes into the variable named, null when it failed and `ignore-error` is set."""
    make = _compile_request(compiler, statement)
    variable = statement.get("response-variable-name") or ""
    timeout = compiler.getter(statement, "timeout", _DEFAULT_TIMEOUT_SECONDS)
    ignore = compiler.getter(statement, "ignore-error", False)

    def run(exchange: Exchange) -> Waiting:
        request = make(exchange)
        try:
            response = yield from within(
                exchange.world, exchange.world.network.send(request), as_number(timeout(exchange))
            )
        except ConnectionFailure as error:
            if is_true(ignore(exchange)):
                exchange.variables[variable] = None
                return
            reason = "Timeout" if error.kind == "timeout" else "BackendConnectionFailure"
            raise PolicyFailure(reason, connection_text(error, request.host)) from error
        exchange.variables[variable] = response_variable(response)

    return Step("send-request", run, waits=True)


@element("send-one-way-request")
def compile_send_one_way_request(compiler: Compiler, statement: Element) -> Step:
    """Send and forget: nobody learns what became of it."""
    make = _compile_request(compiler, statement)

    def forgotten(result: object, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, ConnectionFailure):
            raise error

    def run(exchange: Exchange) -> None:
        exchange.world.spawn(exchange.world.network.send(make(exchange)), forgotten)

    return Step("send-one-way-request", run)
