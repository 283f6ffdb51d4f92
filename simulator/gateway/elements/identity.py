"""Tokens the gateway brings along: its managed identity's, and those of connections to credential providers.

Source: Microsoft Learn "authentication-managed-identity policy", "get-authorization-context policy".
Simplified, on purpose: every connection counts as signed in, and its token is made up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apimpolicy.expressions.context import Authorization
from simulator.gateway.compiler import element
from simulator.gateway.language import as_text
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element


@element("authentication-managed-identity")
def compile_managed_identity(compiler: Compiler, statement: Element) -> Step:
    """Put a token into `Authorization`, or into the variable named."""
    resource = compiler.getter(statement, "resource", "")
    variable = statement.get("output-token-variable-name")

    def run(exchange: Exchange) -> None:
        token = exchange.service.identity_token(as_text(resource(exchange)))
        if variable:
            exchange.variables[variable] = token
        else:
            exchange.headers["authorization"] = f"Bearer {token}"

    return Step("authentication-managed-identity", run)


@element("get-authorization-context")
def compile_authorization_context(compiler: Compiler, statement: Element) -> Step:
    """Put the connection's `Authorization` (an access token, no claims) into the variable named."""
    provider = compiler.getter(statement, "provider-id", "")
    connection = compiler.getter(statement, "authorization-id", "")
    variable = compiler.getter(statement, "context-variable-name", "")

    def run(exchange: Exchange) -> None:
        audience = f"connection:{as_text(provider(exchange))}/{as_text(connection(exchange))}"
        exchange.variables[as_text(variable(exchange))] = Authorization(exchange.service.identity_token(audience))

    return Step("get-authorization-context", run)
