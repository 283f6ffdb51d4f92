"""One journalled, guarded, verified write: the shape every change of a gateway has.

Intent is on disk before the request leaves. When the answer is lost, the entity is read again: what stands decides,
not what was heard. A stale entity tag is never forced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from console.azure.entities import Entities, RawEntity
from console.errors import Conflict, ConsoleError, NotAllowed, Throttled, UsageError
from console.journal import Journal

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
THROTTLED_TRIES = 4
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Written:
    """What stands after a write. `is_untouched`: nobody wrote after us, so any difference is Azure's doing."""

    entity: RawEntity
    is_untouched: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes entities of one gateway on behalf of one run. `pause` waits (a test lets it pass at once)."""

    entities: Entities
    journal: Journal
    pause: Pause

    async def put(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        before: RawEntity | None,
        landed: Callable[[RawEntity], bool],
    ) -> Written:
        """Write `body`, guarded by the entity tag of `before`, and return what then stands.

        `landed` tells from the entity read back whether this write (and not somebody else's) is what stands.

        Raises:
            Conflict: somebody else wrote in between, before or after.
            ConsoleError: Azure refused, or nobody answered and the write did not land.
        """
        old = None if before is None else before.properties
        tag = before.etag if before is not None else None
        self.journal.write("intent", path, before=_safe(old), after=_safe(body.get("properties")), etag=tag)
        try:
            new_tag = await self._patiently(lambda: self.entities.put(path, body, if_match=tag))
        except (Conflict, NotAllowed, UsageError) as error:
            # A retried request may find its own first try landed: what stands decides here too.
            if isinstance(error, Conflict) and (found := await self._look(path)) is not None and landed(found):
                self.journal.write("done", path, etag=found.etag, outcome="landed, although the answer said otherwise")
                return Written(found, is_untouched=False)
            self.journal.write("failed", path, outcome=error.line)
            raise
        except ConsoleError as error:
            found = await self._look(path)
            if found is None or not landed(found):
                self.journal.write("failed", path, outcome=error.line)
                raise
            self.journal.write("done", path, etag=found.etag, outcome="landed, although the answer was lost")
            return Written(found, is_untouched=False)
        found = await self._look(path)
        if found is None or not landed(found):
            self.journal.write("failed", path, outcome="read back, it is not what was written")
            raise Conflict(f"{path} was changed by somebody else right after it was written")
        self.journal.write("done", path, etag=found.etag)
        return Written(found, is_untouched=bool(new_tag) and new_tag == found.etag)

    async def delete(self, path: str, *, before: RawEntity) -> None:
        """Delete the entity as it was read.

        Raises:
            Conflict: somebody else wrote in between.
            ConsoleError: Azure refused, or nobody answered and it still stands.
        """
        self.journal.write("intent", path, before=_safe(before.properties), etag=before.etag, outcome="delete")
        try:
            await self._patiently(lambda: self.entities.delete(path, if_match=before.etag))
        except ConsoleError as error:
            if isinstance(error, Conflict | NotAllowed) or await self._look(path) is not None:
                self.journal.write("failed", path, outcome=error.line)
                raise
        self.journal.write("done", path, outcome="deleted")

    async def _look(self, path: str) -> RawEntity | None:
        return await self._patiently(lambda: self.entities.get(path))

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again while Azure throttles, as long as it asks for and a few times at most."""
        for turn in range(1, THROTTLED_TRIES + 1):
            try:
                return await attempt()
            except Throttled as error:
                if turn == THROTTLED_TRIES:
                    raise
                await self.pause(min(error.retry_after_seconds or 2.0**turn, LONGEST_PAUSE_SECONDS))
        raise AssertionError("unreachable")


def _safe(properties: Any) -> Any:
    """Properties as the journal keeps them: secret values and credentials left out."""
    if not isinstance(properties, Mapping):
        return properties
    kept = {k: v for k, v in properties.items() if k not in ("credentials", "primaryKey", "secondaryKey")}
    if kept.get("secret"):
        kept.pop("value", None)
    return kept
