"""What this machine's consoles wrote, as changes on the time axis: one for each run and target. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from console.domain.change import Change, ChangeKind
from console.journal import JournalEntry

_OUTCOMES = {"done": "Succeeded", "failed": "Failed", "unknown": "outcome unknown", "note": "Succeeded"}


def journal_changes(entries: Iterable[JournalEntry], gateway_id: str) -> tuple[Change, ...]:
    """One change for each run: when it began, what it did to which targets, how it ended. Newest first."""
    runs: dict[str, list[JournalEntry]] = {}
    for entry in entries:
        if not gateway_id or entry.gateway_id.lower() == gateway_id.lower():
            runs.setdefault(entry.run_id, []).append(entry)
    changes = [_change(run) for run in runs.values()]
    return tuple(sorted(changes, key=lambda c: c.at, reverse=True))


def _change(run: list[JournalEntry]) -> Change:
    first = run[0]
    ended = [e for e in run if e.phase in ("done", "failed", "unknown")]
    status = _OUTCOMES[ended[-1].phase] if ended else "begun"
    if any(e.phase == "failed" for e in ended):
        status = "Failed"
    targets = list(dict.fromkeys(e.target for e in run if e.target))
    name = ", ".join(targets[:3]) + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")
    reason = f": {first.reason}" if first.reason else ""
    return Change(
        at=datetime.fromisoformat(first.at.replace("Z", "+00:00")),
        kind=ChangeKind.OTHER,
        name=name,
        verb=f"touched by {first.operation}{reason}",
        resource_id=first.gateway_id,
        caller=first.owner,
        status=status,
        correlation_id=first.run_id,
        source="journal",
        events=len(run),
    )
