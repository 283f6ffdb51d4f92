"""Every request a served world answered, with its answer, as they were on the wire.

The one door all clients pass is wrapped while recording: the console's feeds and writes, Microsoft's own clients and
plain requests are all seen alike. Faults that change an answer are recorded after the change.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from simulator import server
from simulator.front_door import MANAGEMENT_HOST, Answer, Incoming, answer_incoming, data_plane_host
from simulator.network import HttpResponse
from simulator.world import World
from tests.contract.descriptions import LOGS, MANAGEMENT, METRICS, MODELS, Operation, descriptions


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. `host` is Azure's name, `path` is percent-encoded and without query."""

    host: str
    incoming: Incoming
    path: str
    response: HttpResponse

    @property
    def place(self) -> str | None:
        """Which descriptions are for this host, None when there are none."""
        if self.host == MANAGEMENT_HOST:
            return MANAGEMENT
        if self.host.endswith(".metrics.monitor.azure.com"):
            return METRICS
        if self.host.startswith("api.loganalytics."):
            return LOGS
        return MODELS if self.host.endswith((".openai.azure.com", ".azure-api.net")) else None

    @property
    def operation(self) -> Operation | None:
        """The described operation, None when no description has it."""
        return descriptions().find(self.place, self.incoming.method, self.path) if self.place else None

    @property
    def line(self) -> str:
        """Method, host and path, for messages."""
        return f"{self.incoming.method} {self.host}{self.path}?{self.incoming.query} -> {self.response.status}"

    def request_problems(self) -> list[str]:
        """What is wrong with the request by its description."""
        operation = self.operation
        assert operation is not None, self.line
        wrong = operation.request_problems(self.path, self.incoming.query, self.incoming.headers, self.incoming.body)
        return [f"{operation.id}: {self.line}\n    request {line}" for line in wrong]

    def response_problems(self) -> list[str]:
        """What is wrong with the answer by its description."""
        operation = self.operation
        assert operation is not None, self.line
        wrong = operation.response_problems(self.response.status, self.response.body)
        return [f"{operation.id}: {self.line}\n    answer {line}" for line in wrong]


@contextmanager
def recording() -> Iterator[list[Exchange]]:
    """Exchanges of every server of this process, in the order of their answers."""
    seen: list[Exchange] = []

    def answer(world: World, incoming: Incoming) -> Generator[float, None, Answer]:
        target = data_plane_host(world, incoming)
        host, path = target if target is not None else (MANAGEMENT_HOST, incoming.raw_path)
        given: Answer = yield from answer_incoming(world, incoming)
        seen.append(Exchange(host, incoming, path, given.response))
        return given

    with patch.object(server, "answer_incoming", answer):
        yield seen


def described(exchanges: list[Exchange]) -> list[Exchange]:
    """Those that some description has."""
    return [exchange for exchange in exchanges if exchange.operation is not None]


def undescribed(exchanges: list[Exchange]) -> set[tuple[str, str, Any]]:
    """Those that none has, as (method, host, path)."""
    return {(e.incoming.method, e.host, e.path) for e in exchanges if e.operation is None}
