"""set-variable and trace: what a policy notes on the way.

Source: Microsoft Learn "set-variable policy", "trace policy".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.language import as_text
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element


@element("set-variable")
def compile_set_variable(compiler: Compiler, statement: Element) -> Step:
    """A variable keeps the type of its expression; literal text is a string."""
    name = compiler.getter(statement, "name", "")
    constant_name, fixed = compiler.value(statement, "name", "")
    value = compiler.getter(statement, "value", "")
    if constant_name:

        def run_fixed(exchange: Exchange) -> None:
            exchange.variables[fixed] = value(exchange)

        return Step("set-variable", run_fixed)

    def run(exchange: Exchange) -> None:
        exchange.variables[as_text(name(exchange))] = value(exchange)

    return Step("set-variable", run)


@element("trace")
def compile_trace(compiler: Compiler, statement: Element) -> Step:
    """A record in the gateway log's TraceRecords."""
    source = statement.get("source") or ""
    severity = statement.get("severity") or "verbose"
    messages = [compiler.text(child) for child in statement.elements if child.name == "message"]
    metadata = [
        (child.get("name") or "", compiler.getter(child, "value", ""))
        for child in statement.elements
        if child.name == "metadata"
    ]

    def run(exchange: Exchange) -> None:
        exchange.trace.append(
            {
                "source": source,
                "severity": severity,
                "message": "".join(as_text(message(exchange)) for message in messages),
                "properties": {name: as_text(value(exchange)) for name, value in metadata},
                "elapsed_ms": round(exchange.elapsed_seconds * 1000.0, 3),
            }
        )

    return Step("trace", run)
