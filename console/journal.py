"""The journal: every write to Azure, noted before it is sent and again when its outcome is known.

Append-only JSON lines in the user's state folder, flushed to disk before the request leaves. It is the operator's own
memory; what other consoles must know stands on the gateway itself. No secret is ever written: named values that Azure
calls secret are noted without their value.
"""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from console.clock import Clock

Phase = Literal["intent", "done", "failed", "unknown", "note"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line. `before` and `after` are the raw properties written; `outcome` says how it ended, in words."""

    at: str
    run_id: str
    sequence: int
    phase: Phase
    operation: str
    owner: str
    reason: str
    gateway_id: str
    target: str
    before: Any = None
    after: Any = None
    etag: str | None = None
    outcome: str = ""


def journal_path(environment: Mapping[str, str] | None = None) -> Path:
    """`$GENAIGW_JOURNAL`, else `$XDG_STATE_HOME/genaigw-console/journal.jsonl`, else below `~/.local/state`."""
    env = os.environ if environment is None else environment
    if env.get("GENAIGW_JOURNAL"):
        return Path(env["GENAIGW_JOURNAL"])
    base = Path(env["XDG_STATE_HOME"]) if env.get("XDG_STATE_HOME") else Path.home() / ".local" / "state"
    return base / "genaigw-console" / "journal.jsonl"


def local_owner() -> str:
    """Who sits at this console: `$GENAIGW_OWNER` (for shared accounts), else user@host."""
    if os.environ.get("GENAIGW_OWNER"):
        return os.environ["GENAIGW_OWNER"]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "operator"
    return f"{user}@{os.uname().nodename}" if hasattr(os, "uname") else user


class Journal:
    """Writes one run's lines. Each run (one drain, one restore, one deploy) has an id of its own."""

    def __init__(self, path: Path, clock: Clock, *, operation: str, owner: str, reason: str, gateway_id: str) -> None:
        self.path = path
        self.run_id = uuid.uuid4().hex[:12]
        self._clock = clock
        self._operation = operation
        self._owner = owner
        self._reason = reason
        self._gateway_id = gateway_id
        self._sequence = 0

    def write(
        self,
        phase: Phase,
        target: str,
        *,
        before: Any = None,
        after: Any = None,
        etag: str | None = None,
        outcome: str = "",
    ) -> None:
        """Append one line and wait until it is on disk.

        Raises:
            OSError: it cannot be written; then nothing must be sent to Azure either.
        """
        self._sequence += 1
        entry = JournalEntry(
            at=self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            run_id=self.run_id,
            sequence=self._sequence,
            phase=phase,
            operation=self._operation,
            owner=self._owner,
            reason=self._reason,
            gateway_id=self._gateway_id,
            target=target,
            before=before,
            after=after,
            etag=etag,
            outcome=outcome,
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":"))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def read_journal(path: Path, *, since: datetime | None = None) -> Iterator[JournalEntry]:
    """The lines of a journal, oldest first. A last line cut off by a crash is skipped; one in the middle is too."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = JournalEntry(**json.loads(line))
            except (ValueError, TypeError):
                continue  # a crash cut this line off: what it would have said was never sent
            if since is None or datetime.fromisoformat(entry.at.replace("Z", "+00:00")) >= since:
                yield entry
