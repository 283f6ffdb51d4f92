"""What the screens ask of an engine. The engine itself lives in `console`; screens see only this much of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from console.store import SnapshotStore


class EngineLike(Protocol):
    """Feeds behind a store. `start` returns at once and works in the background; `stop` ends within its deadline."""

    @property
    def store(self) -> SnapshotStore:
        """The snapshots."""

    @property
    def is_paused(self) -> bool:
        """Whether feeds rest."""

    async def start(self) -> Any:
        """Begin to fetch in the background."""

    async def stop(self) -> Any:
        """End the feeds and close connections."""

    def refresh_now(self, feed: str | None = None) -> Any:
        """Fetch now instead of at the next interval, all feeds or one."""

    def pause(self) -> Any:
        """Let the feeds rest."""

    def resume(self) -> Any:
        """Let the feeds go on."""


OpenEngine = Callable[[Callable[[float], None]], Awaitable[EngineLike]]
"""Makes an engine, telling its progress from 0 to 1: how the welcome screen starts the demo."""
