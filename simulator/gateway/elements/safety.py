"""llm-content-safety: a check that passes every prompt but one made for the purpose.

Simplified, on purpose: nothing here judges text. A body that holds `MARKER` counts as harmful, everything else as
harmless.
Source: Microsoft Learn "llm-content-safety policy": refused prompts are answered 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

MARKER = b"simulated-harmful-content"


@element("llm-content-safety")
def compile_content_safety(compiler: Compiler, statement: Element) -> Step:
    """Refuse a prompt that holds the marker."""

    def run(exchange: Exchange) -> None:
        if MARKER in exchange.body:
            text = "Request failed content safety check."
            raise PolicyFailure("ContentSafetyCheckFailed", text, status=403)

    return Step("llm-content-safety", run)
