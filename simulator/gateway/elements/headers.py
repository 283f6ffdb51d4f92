"""set-header, on the request in inbound and backend, on the response afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.language import compile_value
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element


def change_header(headers: dict[str, str], name: str, values: list[str], action: str) -> None:
    """Apply one set-header action to headers with lower-case names."""
    if action == "delete":
        headers.pop(name, None)
    elif action == "append" and name in headers:
        headers[name] = ",".join([headers[name], *values])
    elif action == "skip" and name in headers:
        return
    else:
        headers[name] = ",".join(values)


@element("set-header")
def compile_set_header(compiler: Compiler, statement: Element) -> Step:
    """`exists-action`: override (default), skip, append, delete."""
    name = compiler.getter(statement, "name", "")
    action = compiler.getter(statement, "exists-action", "override")
    values = [compile_value(child.text_content.strip()) for child in statement.elements if child.name == "value"]
    outgoing = compiler.section in ("inbound", "backend")

    def run(exchange: Exchange) -> None:
        texts = [str(value if constant else value(exchange)) for constant, value in values]
        headers = exchange.headers if outgoing else exchange.whole_response().headers
        change_header(headers, str(name(exchange)).lower(), texts, str(action(exchange)))

    return Step("set-header", run)
