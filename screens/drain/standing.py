"""Every drain and how it stands, and what was written to Azure: boxes to read."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from console.journal import JournalEntry, journal_path, read_journal
from console.operations.drain.examine import REMEDIES
from console.operations.drain.report import unrecorded
from screens.dialogs.reader import Entry, Reader

if TYPE_CHECKING:
    from console.domain.snapshot import GatewaySnapshot
    from screens.app import ConsoleApp

ENTRIES_SHOWN = 300


def drain_entries(snapshot: GatewaySnapshot) -> list[Entry]:
    """One entry a drain: those that need somebody say what to do."""
    entries = []
    for drain in snapshot.drains:
        status = snapshot.backend(drain.backend_name)
        state = status.health.state.value if status is not None else "gone"
        words = [drain.text]
        if drain.needs_attention:
            words.append(REMEDIES[drain.condition].format(name=drain.backend_name).replace("`", ""))
        elif status is not None and len(status.health.reasons) > 1:
            words.append(status.health.reasons[1])
        entries.append(Entry(drain.condition or drain.state, f"{drain.backend_name} {state}", ". ".join(words)))
    for name in unrecorded(snapshot):
        words = REMEDIES["listed without a record"].format(name=name).replace("`", "")
        entries.append(Entry("listed without a record", name, f"drained-backends names it, no record stands. {words}"))
    return entries or [Entry("No backend is drained", "", "")]


def journal_entries(entries: deque[JournalEntry]) -> list[Entry]:
    """One entry a write that ended, newest first, under the run it belongs to."""
    shown = []
    for entry in reversed(entries):
        if entry.phase == "intent":
            continue
        reason = f": {entry.reason}" if entry.reason else ""
        heading = f"{entry.operation} by {entry.owner}{reason} · {entry.at[:10]}"
        outcome = f" · {entry.outcome}" if entry.outcome else ""
        shown.append(Entry(heading, f"{entry.at[11:19]}Z", f"{entry.phase} {entry.target}{outcome}"))
    return shown or [Entry("Nothing was written yet", "", "")]


def show_drains(app: ConsoleApp) -> None:
    """Open the box with the drains."""
    app.push_screen(Reader("Drains", drain_entries(app.snapshot)))


def show_journal(app: ConsoleApp) -> None:
    """Open the box with this machine's journal."""
    app.push_screen(Reader("Journal", journal_entries(deque(read_journal(journal_path()), maxlen=ENTRIES_SHOWN))))
