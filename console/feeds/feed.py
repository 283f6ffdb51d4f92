"""What a feed is, and what it is given. No I/O here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from console.azure.session import AzureSession
from console.clock import Clock
from console.domain.observations import Observations
from console.errors import ConsoleError

Update = Callable[[Observations], Observations]
"""Replaces what a feed knows in the observations of the moment it is applied."""


Known = Callable[[Callable[[Observations], bool], str], Awaitable[Observations]]
"""Waits for a condition on the observations; the names of the feeds it depends on come second."""


@dataclass(frozen=True, slots=True)
class FeedContext:
    """What every feed is given.

    `apply` publishes at once. `known` waits until the observations satisfy a condition or it has become clear that they
    will not, and returns them; it raises `ConsoleError` in the second case.
    """

    session: AzureSession
    clock: Clock
    observations: Callable[[], Observations]
    apply: Callable[[Update], None]
    known: Known


class Feed(Protocol):
    """One source kept fresh. Seconds throughout."""

    name: str
    interval_seconds: float
    deadline_seconds: float

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Fetch and apply. Returns what could not be done although the rest was.

        Raises:
            ConsoleError: nothing could be done.
        """
