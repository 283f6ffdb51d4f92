"""Fragments in words and as plain data, for the command line: the same facts twice. Pure; draws no colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from console.azure.policy_traffic import CallerFigures
from console.operations.fragments.compare import SyncState, summarize
from console.operations.fragments.desk import CatalogueRow, Overview
from console.operations.fragments.documents import Place
from console.operations.fragments.execute import Outcome
from console.operations.fragments.inspect import FileFinding
from console.operations.fragments.plan import DeployPlan, PlannedWrite
from console.operations.fragments.pull import Pulled
from console.operations.fragments.rehearse import Rehearsal, Row
from console.operations.fragments.watch import Watched, figures_text
from console.operations.guards import GuardVerdict

_GLYPHS = {
    SyncState.IN_SYNC: "=",
    SyncState.CHANGED_HERE: ">",
    SyncState.CHANGED_THERE: "<",
    SyncState.CHANGED_BOTH: "!",
    SyncState.DIFFERS: "~",
    SyncState.ONLY_HERE: "+",
    SyncState.ONLY_THERE: "-",
}
_GUARDS = {GuardVerdict.PASSED: "ok", GuardVerdict.WARNING: "! ", GuardVerdict.REFUSED: "no"}
NOTHING = "–"


# -- list --------------------------------------------------------------------------------------------------------------


def overview_lines(overview: Overview) -> list[str]:
    """The table, what is unfinished and what could not be read."""
    lines = [f"local: {overview.folder}    gateway: {overview.service_name}", ""]
    cells = [("", "DOCUMENT", "STATE", "USED BY", "NEEDS", "LAST DEPLOYED")]
    for row in overview.rows:
        cells.append(
            (
                _GLYPHS[row.state],
                row.place.handle,
                row.state.value,
                ", ".join(row.used_by) or NOTHING,
                needs_text(row),
                last_text(row),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines += ["  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    if overview.local.templates:
        names = ", ".join(sorted(overview.local.templates))
        lines += ["", f"policy templates for --api-policy API=NAME: {names}"]
    lines += [f"! {run.text}" for run in overview.unfinished]
    lines += [f"! {problem}" for problem in overview.problems]
    return lines


def needs_text(row: CatalogueRow) -> str:
    """Backends and named values a document uses; what the gateway does not have is marked."""
    missing = {m.split(" ")[-1].lower() for m in row.missing}
    names = [*row.backends, *("{{" + n + "}}" for n in row.named_values)]
    shown = [f"{n} (missing)" if n.strip("{}").lower() in missing else n for n in names]
    shown += [f"{m} (missing)" for m in row.missing if m.startswith("fragment ")]
    return ", ".join(shown) or NOTHING


def last_text(row: CatalogueRow) -> str:
    """Who and when, and where that is known from."""
    if row.last is None:
        return NOTHING
    return f"{row.last.at:%Y-%m-%d %H:%M}Z {row.last.owner} ({row.last.source})"


def overview_document(overview: Overview) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "folder": str(overview.folder),
        "service": overview.service_name,
        "documents": [
            {
                "handle": row.place.handle,
                "kind": row.place.kind.value,
                "name": row.place.name,
                "state": row.state.value,
                "file": None if row.local is None else row.local.file,
                "used_by": list(row.used_by),
                "backends": list(row.backends),
                "named_values": list(row.named_values),
                "missing": list(row.missing),
                "last_deployed": None
                if row.last is None
                else {"at": _moment(row.last.at), "by": row.last.owner, "source": row.last.source},
            }
            for row in overview.rows
        ],
        "templates": sorted(overview.local.templates),
        "unfinished": [
            {
                "run": found.run.run_id,
                "live": list(found.live),
                "not_live": list(found.not_live),
                "text": found.text,
            }
            for found in overview.unfinished
        ],
        "problems": list(overview.problems),
    }


# -- diff and lint -----------------------------------------------------------------------------------------------------


def difference_document(row: CatalogueRow, diff: str) -> dict[str, Any]:
    """One difference as plain data; from the gateway to the local side."""
    here, there = row.local, row.deployed
    summary = summarize(None if there is None else there.text, None if here is None else here.text, row.place.kind)
    return {
        "handle": row.place.handle,
        "state": row.state.value,
        "summary": list(summary),
        "affects": list(row.used_by),
        "diff": diff,
    }


def finding_lines(findings: Iterable[FileFinding]) -> list[str]:
    """Each finding with the line it points at."""
    lines: list[str] = []
    for finding in findings:
        lines.append(finding.line)
        pointer = finding.pointer()
        if pointer:
            lines += pointer.split("\n")
    return lines


def finding_document(one: FileFinding) -> dict[str, Any]:
    """One finding as plain data."""
    at = one.finding.position
    return {
        "file": one.file,
        "line": at.line,
        "column": at.column,
        "severity": one.finding.severity,
        "rule": one.finding.rule_id,
        "name": one.finding.name,
        "message": one.finding.message,
    }


# -- plans and outcomes ------------------------------------------------------------------------------------------------


def plan_lines(plan: DeployPlan) -> list[str]:
    """What would be written, in order, whom it concerns, and what the guards say."""
    if not plan.writes:
        return [
            f"Nothing to write: {_words(plan.unchanged)} stand as wanted." if plan.unchanged else "Nothing to write."
        ]
    lines = []
    for number, write in enumerate(plan.writes, 1):
        lines.append(f"{number}. {write.action} {write.place.words} ({write.file})")
        lines += [f"   {sentence}" for sentence in write.summary]
        lines.append(f"   concerns {', '.join(write.concerns) or 'nobody yet'}")
    if plan.unchanged:
        lines.append(f"   unchanged: {_words(plan.unchanged)}")
    lines += [f"{_GUARDS[g.verdict]} {g.text}" for g in plan.guards]
    return lines


def _words(places: Sequence[Place]) -> str:
    return ", ".join(place.words for place in places)


def write_document(write: PlannedWrite) -> dict[str, Any]:
    """One write as plain data."""
    return {
        "handle": write.place.handle,
        "path": write.path,
        "action": write.action,
        "file": write.file,
        "summary": list(write.summary),
        "concerns": list(write.concerns),
    }


def plan_document(plan: DeployPlan) -> dict[str, Any]:
    """The plan as plain data."""
    return {
        "writes": [write_document(write) for write in plan.writes],
        "unchanged": [place.handle for place in plan.unchanged],
        "concerns": list(plan.concerns),
        "findings": [finding_document(f) for f in plan.findings],
        "guards": [
            {"name": g.name, "verdict": g.verdict.value, "text": g.text, "forceable": g.is_forceable}
            for g in plan.guards
        ],
        "undoes": plan.undoes,
    }


def outcome_lines(outcome: Outcome) -> list[str]:
    """What is live and what is not, and why."""
    lines = [f"! {warning}" for warning in outcome.warnings]
    if outcome.error is not None:
        for refusal in outcome.refusals:
            lines.append(refusal.text)
            if refusal.source.strip():
                lines.append(f"    {refusal.source.strip()}")
        if not outcome.refusals:
            lines.append(outcome.error.line)
    lines.append(outcome.text)
    return lines


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data."""
    return {
        "run": outcome.run_id,
        "live": [w.place.handle for w in outcome.live],
        "failed": None if outcome.failed is None else outcome.failed.place.handle,
        "not_begun": [w.place.handle for w in outcome.not_begun],
        "error": None if outcome.error is None else outcome.error.line,
        "refusals": [
            {"file": r.file, "line": r.line, "column": r.column, "message": r.message} for r in outcome.refusals
        ],
        "warnings": list(outcome.warnings),
    }


def pulled_lines(pulled: Pulled) -> list[str]:
    """What a pull did."""
    lines = [f"wrote {name}" for name in pulled.written]
    lines += [f"removed {name}" for name in pulled.removed]
    lines += [f"left out: {text}" for text in pulled.left_out]
    lines.append(
        f"{pulled.folder}: {len(pulled.written)} written, {len(pulled.removed)} removed, {pulled.unchanged} as before"
    )
    return lines


# -- rehearsal and watch -----------------------------------------------------------------------------------------------


def value_text(value: float | None, unit: str, *, signed: bool = False) -> str:
    """A figure in its unit; `–` when there is none."""
    if value is None:
        return NOTHING
    sign = "+" if signed else ""
    if unit == "ratio":
        return f"{value * 100:{sign}.1f} %" if not signed else f"{value * 100:+.1f} pp"
    if unit == "ms":
        return f"{value / 1000:{sign}.2f} s"
    return f"{value:{sign}.0f}"


def rehearsal_cells(rehearsal: Rehearsal) -> list[tuple[str, str, str, str, str]]:
    """Rows as text: figure, logged now, before, after, difference."""
    return [
        (
            row.name,
            NOTHING if row.observed is None else value_text(row.observed, row.unit),
            value_text(row.before, row.unit),
            value_text(row.after, row.unit),
            value_text(row.difference, row.unit, signed=True),
        )
        for row in rehearsal.rows
    ]


def rehearsal_lines(rehearsal: Rehearsal) -> list[str]:
    """The table and what it takes for granted."""
    head = ("FIGURE", "LOGGED", "BEFORE", "AFTER", "DIFFERENCE")
    table = [head, *rehearsal_cells(rehearsal)]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    lines = []
    for line in table:
        cells = [line[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(line[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    reasons = rehearsal.after.error_reasons
    lines += [f"errors after: {count} {name}" for name, count in sorted(reasons.items(), key=lambda item: -item[1])]
    lines += ["", "It takes for granted:"]
    lines += [f"  - {text}" for text in rehearsal.assumptions]
    return lines


def rehearsal_document(rehearsal: Rehearsal) -> dict[str, Any]:
    """The rehearsal as plain data; ratios 0 to 1, milliseconds."""

    def row(one: Row) -> dict[str, Any]:
        return {
            "figure": one.name,
            "unit": one.unit,
            "logged": one.observed,
            "before": one.before,
            "after": one.after,
            "difference": one.difference,
        }

    return {
        "counted": {"start": _moment(rehearsal.counted.start_at), "end": _moment(rehearsal.counted.end_at)},
        "figures": [row(one) for one in rehearsal.rows],
        "errors_after": dict(rehearsal.after.error_reasons),
        "assumptions": list(rehearsal.assumptions),
    }


def watched_document(watched: Watched) -> dict[str, Any]:
    """A watch as plain data."""
    return {
        "breach": watched.breach,
        "limit": None if watched.broken is None else watched.broken.text,
        "conclusive": watched.is_conclusive,
        "before": _figures(watched.baseline),
        "after": None if watched.latest is None else _figures(watched.latest),
        "text": watched.text,
    }


def _figures(figures: CallerFigures) -> dict[str, Any]:
    return {
        "start": _moment(figures.window.start_at),
        "end": _moment(figures.window.end_at),
        "requests": figures.requests,
        "error_ratio": figures.error_ratio,
        "throttled_ratio": figures.throttled_ratio,
        "p50_ms": figures.p50_ms,
        "p95_ms": figures.p95_ms,
        "text": figures_text(figures),
    }


def _moment(at: Any) -> str:
    return str(at.isoformat(timespec="seconds")).replace("+00:00", "Z")
