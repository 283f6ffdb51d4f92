"""The current snapshot, and who wants to know when it changes.

One writer (the feeds' event loop), any number of readers. Subscribers are called with (previous, current) on the loop
that applies, in order of subscription; a subscriber's error is its own and never keeps the others from being told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from console.domain.snapshot import GatewaySnapshot

Subscriber = Callable[[GatewaySnapshot, GatewaySnapshot], None]

_log = logging.getLogger(__name__)


class SnapshotStore:
    """Holds one immutable snapshot at a time."""

    def __init__(self, initial: GatewaySnapshot) -> None:
        self._current = initial
        self._subscribers: list[Subscriber] = []

    @property
    def current(self) -> GatewaySnapshot:
        """The snapshot of now."""
        return self._current

    def apply(self, snapshot: GatewaySnapshot) -> None:
        """Replace the snapshot and tell the subscribers."""
        previous, self._current = self._current, snapshot
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(previous, snapshot)
            except Exception:
                _log.exception("a subscriber of the snapshot failed")

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Be told of every change. Returns the function that ends it."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe
