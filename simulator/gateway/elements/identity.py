"""authentication-managed-identity: the gateway's own token for what it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
