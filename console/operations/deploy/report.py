"""The steps of a deployment as lines for a person and as documents for a program. Pure.

Nothing here holds a secret: keys are never kept, and Azure does not tell the values of secure parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from console.domain.arm_deployment import ArmDeployment, ChangeType, Operation
from console.operations.deploy.estimate import Estimate, span_words
from console.operations.deploy.execute import Ending, Progress
from console.operations.deploy.failure import Failure
from console.operations.deploy.preflight import Check, CheckState
from console.operations.deploy.prove import ProofState, ProofStep
from console.operations.deploy.whatif import Noise, ReadChange, Reading

CHECK_MARKS = {CheckState.PASSING: "✓", CheckState.FAILING: "✗", CheckState.UNVERIFIED: "?", CheckState.WAITING: "…"}
PROOF_MARKS = {ProofState.PROVEN: "✓", ProofState.MISSING: "✗", ProofState.WAITING: "…"}
CHANGE_MARKS = {ChangeType.CREATE: "+", ChangeType.DELETE: "-", ChangeType.MODIFY: "~", ChangeType.DEPLOY: "!"}
STATE_MARKS = {"Succeeded": "✓", "Failed": "✗", "Canceled": "–"}
SHORT_LIST = 8
SHORT_TEXT = 72


def moment(at: datetime | None) -> str | None:
    """An instant for a program."""
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")


def check_lines(check: Check) -> Iterator[str]:
    """One check, its remedy below when there is something to do."""
    yield f"  {CHECK_MARKS[check.state]} {check.name}: {check.says}"
    if check.remedy and check.state in (CheckState.FAILING, CheckState.UNVERIFIED):
        yield f"      {check.remedy}"


def check_document(check: Check) -> dict[str, Any]:
    """One check."""
    return {"name": check.name, "state": check.state.value, "says": check.says, "remedy": check.remedy}


# -- what-if -----------------------------------------------------------------------------------------------------------


def what_if_lines(reading: Reading, *, with_diffs: bool = True) -> Iterator[str]:
    """Warnings, then what changes by type, then what was folded away, counted by its reason."""
    yield reading.summary
    for warning in reading.warnings:
        yield f"  ! {warning}"
    for group in reading.groups:
        yield f"  {CHANGE_MARKS.get(group.change_type, '!')} {group.resource_type} ({len(group.changes)})"
        shown = group.changes if group.change_type is not ChangeType.CREATE else group.changes[:SHORT_LIST]
        for read in shown:
            yield from _change_lines(read, with_diffs=with_diffs)
        if len(group.changes) > len(shown):
            yield f"      and {len(group.changes) - len(shown)} more"
    for reason, count in noise_counts(reading).items():
        yield f"  · {count} differences folded: {reason}"
    for change in reading.unsupported[:SHORT_LIST]:
        yield f"  · {change.name}: {_shortened(change.reason or 'known only while deploying')}"


def _change_lines(read: ReadChange, *, with_diffs: bool) -> Iterator[str]:
    yield f"      {read.change.path}" + (f"  ! {read.destructive}" if read.destructive else "")
    if read.change.change_type is not ChangeType.MODIFY:
        return
    for difference in read.differences[:SHORT_LIST]:
        yield f"        {difference.path}: {difference.text}"
    if with_diffs and read.diff:
        for line in read.diff.splitlines():
            yield f"        {line}"


def _shortened(text: str) -> str:
    return text if len(text) <= SHORT_TEXT else text[: SHORT_TEXT - 1] + "…"


def noise_counts(reading: Reading) -> dict[str, int]:
    """How many differences were folded, by reason."""
    counts: dict[str, int] = {}
    reads = [*reading.folded, *(read for group in reading.groups for read in group.changes)]
    for noise in Noise:
        count = sum(difference.noise is noise for read in reads for difference in read.folded)
        if count:
            counts[noise.value] = count
    return counts


def what_if_document(reading: Reading) -> dict[str, Any]:
    """The whole reading."""
    return {
        "summary": reading.summary,
        "counts": reading.counts,
        "warnings": list(reading.warnings),
        "changes": [
            {
                "resource_id": read.change.resource_id,
                "type": read.change.resource_type,
                "change": read.change.change_type.value,
                "destructive": read.destructive or None,
                "differences": [{"path": d.path, "text": d.text} for d in read.differences],
                "diff": read.diff or None,
            }
            for group in reading.groups
            for read in group.changes
        ],
        "folded": {
            "resources": len(reading.folded),
            "differences": noise_counts(reading),
            "unchanged": reading.unchanged_count,
            "left_alone": reading.ignored_count,
            "known_only_while_deploying": [change.resource_id for change in reading.unsupported],
        },
    }


# -- deployment --------------------------------------------------------------------------------------------------------


def progress_line(progress: Progress, expected: Estimate | None) -> str:
    """`2:05  Running  14 done, writing apim-genaigw-x  · 28 to 43 min left`."""
    deployment = progress.deployment
    running = progress.running
    doing = f", writing {', '.join(step.short_name for step in running[:3])}" if running else ""
    left = ""
    if expected is not None and not deployment.is_over and progress.elapsed_seconds is not None:
        left = f" · {expected.remaining(progress.elapsed_seconds)}"
    trouble = f" · {progress.trouble}" if progress.trouble else ""
    told = f"{progress.done_count} of {progress.known_count} done{doing}"
    return f"{span_words(progress.elapsed_seconds):>7}  {deployment.state}  {told}{left}{trouble}"


def tree_lines(operations: Sequence[Operation], depth: int = 0) -> Iterator[str]:
    """Steps with their modules' steps below them."""
    for step in operations:
        if not step.resource_id:
            continue
        mark = STATE_MARKS.get(step.state, "▸")
        kind = "module" if step.is_module else step.short_type
        yield f"{'  ' * depth}{mark} {step.short_name}  {kind}  {step.state}  {span_words(step.duration_seconds)}"
        yield from tree_lines(step.nested, depth + 1)


def operation_document(step: Operation) -> dict[str, Any]:
    """One step, its module's steps inside."""
    return {
        "resource_id": step.resource_id,
        "type": step.resource_type,
        "state": step.state,
        "duration_seconds": step.duration_seconds,
        "operations": [operation_document(inner) for inner in step.nested],
    }


def deployment_document(deployment: ArmDeployment) -> dict[str, Any]:
    """The deployment itself."""
    return {
        "name": deployment.name,
        "id": deployment.id,
        "state": deployment.state,
        "correlation_id": deployment.correlation_id,
        "duration_seconds": deployment.duration_seconds,
    }


def ending_document(ending: Ending) -> dict[str, Any]:
    """How it ended, step by step."""
    return {
        **deployment_document(ending.progress.deployment),
        "operations": [operation_document(step) for step in ending.progress.operations if step.resource_id],
        "failure": None if ending.failure is None else failure_document(ending.failure),
    }


def failure_lines(failure: Failure) -> Iterator[str]:
    """The cause, the resource, what to do."""
    yield f"cause: {failure.line}"
    if failure.resource:
        yield f"resource: {failure.resource}"
    if failure.remedy:
        yield f"next: {failure.remedy}"


def failure_document(failure: Failure) -> dict[str, Any]:
    """The cause, the resource, what to do."""
    return {
        "code": failure.code,
        "cause": failure.message,
        "resource": failure.resource,
        "remedy": failure.remedy,
    }


# -- proof and outputs -------------------------------------------------------------------------------------------------


def proof_lines(step: ProofStep) -> Iterator[str]:
    """One step of the proof."""
    yield f"  {PROOF_MARKS[step.state]} {step.name}: {step.says}"
    if step.remedy and step.state is not ProofState.PROVEN:
        yield f"      {step.remedy}"


def proof_document(step: ProofStep) -> dict[str, Any]:
    """One step of the proof."""
    return {
        "name": step.name,
        "state": step.state.value,
        "says": step.says,
        "remedy": step.remedy if step.state is not ProofState.PROVEN else "",
        "at": moment(step.at),
    }


def output_lines(outputs: Mapping[str, Any]) -> Iterator[str]:
    """The deployment's outputs."""
    for name, value in sorted(outputs.items()):
        yield f"  {name}: {value}"
