"""The recorded sessions, once for all contract tests of a worker."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.recording import Exchange
from tests.contract.sessions import ExampleRun, console_session, examples_session, plain_session


@pytest.fixture(scope="session")
def console_exchanges(tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    """What the console asked and wrote, and the answers."""
    return asyncio.run(console_session(tmp_path_factory.mktemp("journal")))


@pytest.fixture(scope="session")
def plain_exchanges() -> list[Exchange]:
    """Requests of our own, and the answers."""
    return asyncio.run(plain_session())


@pytest.fixture(scope="session")
def example_run() -> ExampleRun:
    """How the official examples fared."""
    return asyncio.run(examples_session())
