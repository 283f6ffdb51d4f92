"""log-to-eventhub: messages that a policy sends to an Event Hub logger.

Source: Microsoft Learn "log-to-eventhub policy": messages beyond 200 KB are cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.language import as_text
from simulator.gateway.steps import Step
from simulator.telemetry import EventHubRecord

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

MAXIMUM_CHARACTERS = 200 * 1024


@element("log-to-eventhub")
def compile_log_to_eventhub(compiler: Compiler, statement: Element) -> Step:
    """One record; a logger that does not exist gets nothing, and the simulator's log says so."""
    logger_id = statement.get("logger-id") or ""
    message = compiler.text(statement)
    if logger_id.lower() not in compiler.configuration.loggers:
        compiler.not_modelled(statement, f"logger '{logger_id}', which does not exist,")

    def run(exchange: Exchange) -> None:
        text = as_text(message(exchange))[:MAXIMUM_CHARACTERS]
        if logger_id.lower() in exchange.configuration.loggers:
            record = EventHubRecord(exchange.world.now, exchange.service.id, logger_id, text)
            exchange.world.telemetry.event_hub_record(record)

    return Step("log-to-eventhub", run)
