"""What the deployment screen shows, as lines: steps, checks, what-if, the tree of resources, proof. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.domain.arm_deployment import ChangeType, Operation
from console.operations.deploy.estimate import Estimate, span_words
from console.operations.deploy.execute import Progress
from console.operations.deploy.failure import Failure
from console.operations.deploy.parameters import Choices, to_parameters
from console.operations.deploy.preflight import Check, CheckState
from console.operations.deploy.prove import ProofState, ProofStep
from console.operations.deploy.report import CHANGE_MARKS, noise_counts
from console.operations.deploy.whatif import ReadChange, Reading
from screens.deploy.run import DeployRun, LogLine, Step, StepState
from screens.figures import bar
from screens.spans import Cell, Span, Tone, fit, shorten, visible, width_of, wrap

STEP_MARKS = {
    StepState.AHEAD: ("·", Tone.FAINT),
    StepState.OPEN: ("›", Tone.ACCENT),
    StepState.RUNNING: ("▸", Tone.ACCENT),
    StepState.DONE: ("✓", Tone.GOOD),
    StepState.FAILED: ("✗", Tone.HARM),
}
_CHECK_MARKS = {
    CheckState.PASSING: ("✓", Tone.GOOD),
    CheckState.FAILING: ("✗", Tone.HARM),
    CheckState.UNVERIFIED: ("?", Tone.WARN),
    CheckState.WAITING: ("…", Tone.FAINT),
}
_PROOF_MARKS = {
    ProofState.PROVEN: ("✓", Tone.GOOD),
    ProofState.MISSING: ("✗", Tone.HARM),
    ProofState.WAITING: ("▸", Tone.ACCENT),
}
_STATE_MARKS = {"Succeeded": ("✓", Tone.GOOD), "Failed": ("✗", Tone.HARM), "Canceled": ("–", Tone.QUIET)}
BAR_COLUMNS = 12
LOG_LINES = 200


def step_lines(run: DeployRun, looked_at: Step, width: int) -> list[Cell]:
    """The column of steps, the one looked at marked."""
    lines: list[Cell] = []
    for number, step in enumerate(Step, 1):
        mark, tone = STEP_MARKS[run.states[step]]
        is_here = step is looked_at
        name_tone = Tone.STRONG if is_here else (Tone.PLAIN if run.states[step] is not StepState.AHEAD else Tone.QUIET)
        action = f"screen.look({number})"
        lines.append(
            fit(
                (
                    Span(" ▌" if is_here else "  ", Tone.ACCENT),
                    Span(f"{mark} ", tone),
                    Span(step.value, name_tone, action),
                ),
                width,
            )
        )
    return lines


def failure_lines(failure: Failure, width: int) -> list[Cell]:
    """The cause, the resource, what to do."""
    lines = wrap((Span("✗ ", Tone.HARM), Span(visible(failure.line), Tone.STRONG)), width, indent=2)
    if failure.resource:
        lines += wrap((Span("  on ", Tone.QUIET), Span(visible(failure.resource), Tone.PLAIN)), width, indent=5)
    if failure.remedy:
        lines += wrap((Span("  → ", Tone.ACCENT), Span(visible(failure.remedy), Tone.ACCENT)), width, indent=4)
    return [*lines, ()]


def check_lines(checks: Sequence[Check], width: int) -> list[Cell]:
    """Failing first, then unverified, then the rest as they came."""
    order = (CheckState.FAILING, CheckState.UNVERIFIED, CheckState.WAITING, CheckState.PASSING)
    name_columns = min(24, max([len(check.name) for check in checks], default=0) + 2)
    lines: list[Cell] = []
    for check in sorted(checks, key=lambda c: order.index(c.state)):
        mark, tone = _CHECK_MARKS[check.state]
        head = fit((Span(f"{mark} ", tone), Span(visible(check.name), Tone.PLAIN)), name_columns + 2)
        lines += wrap((*head, Span(visible(check.says), Tone.QUIET)), width, indent=name_columns + 2)
        if check.remedy and check.state in (CheckState.FAILING, CheckState.UNVERIFIED):
            indent = name_columns + 4
            lines += wrap(
                (Span(" " * (indent - 2) + "→ ", Tone.ACCENT), Span(visible(check.remedy), Tone.ACCENT)),
                width,
                indent=indent,
            )
    return lines


def answer_lines(choices: Choices, width: int) -> list[Cell]:
    """The answers as the template gets them."""
    lines: list[Cell] = []
    for name, value in to_parameters(choices).items():
        for number, text in enumerate(value if isinstance(value, list) else [value]):
            head = Span(f"{name if number == 0 else '':<20}", Tone.QUIET)
            lines += wrap((head, Span(visible(str(text)))), width, indent=20)
    return lines


# -- what-if -----------------------------------------------------------------------------------------------------------


def what_if_lines(reading: Reading, width: int, *, is_folded: bool) -> list[Cell]:
    """Warnings, changes by type (destructive and deleting first), noise counted; unfolded, all of it."""
    lines = [*wrap((Span(visible(reading.summary), Tone.STRONG),), width), ()]
    for warning in reading.warnings:
        lines += wrap((Span(" ! ", Tone.HARM), Span(visible(warning), Tone.HARM)), width, indent=3)
    if reading.warnings:
        lines.append(())
    for group in reading.groups:
        tone = {ChangeType.DELETE: Tone.HARM, ChangeType.MODIFY: Tone.WARN}.get(group.change_type, Tone.GOOD)
        mark = CHANGE_MARKS.get(group.change_type, "!")
        head = (
            Span(f"{mark} ", tone),
            Span(visible(group.resource_type), Tone.PLAIN),
            Span(f"  {len(group.changes)}", Tone.QUIET),
        )
        lines.append(fit(head, width))
        if group.change_type is ChangeType.CREATE and is_folded:
            names = ", ".join(read.change.name for read in group.changes)
            lines += wrap((Span("    "), Span(visible(names), Tone.QUIET)), width, indent=4, max_lines=2)
            continue
        for read in group.changes:
            lines += _change_lines(read, width)
    lines.append(())
    for reason, count in noise_counts(reading).items():
        lines += wrap((Span(f"· {count} folded: {reason}", Tone.FAINT),), width, indent=2)
    if not is_folded:
        for read in reading.folded:
            lines += wrap((Span(f"    {visible(read.change.path)}", Tone.QUIET),), width, indent=6)
            for difference in read.folded:
                lines += wrap(
                    (Span(f"      {visible(f'{difference.path}: {difference.text}')}", Tone.FAINT),), width, indent=8
                )
        for change in reading.unsupported:
            lines += wrap((Span(f"· {visible(f'{change.name}: {change.reason}')}", Tone.FAINT),), width, indent=2)
    return lines


def _change_lines(read: ReadChange, width: int) -> Iterator[Cell]:
    harm = (Span(f"  ! {visible(read.destructive)}", Tone.HARM),) if read.destructive else ()
    yield from wrap((Span(f"    {visible(read.change.path)}", Tone.PLAIN), *harm), width, indent=6)
    if read.change.change_type is not ChangeType.MODIFY:
        return
    for difference in read.differences:
        yield from wrap(
            (Span(f"      {visible(difference.path)}: ", Tone.QUIET), Span(visible(difference.text))), width, indent=8
        )
    for line in read.diff.splitlines()[2:]:
        tone = {"+": Tone.GOOD, "-": Tone.HARM, "@": Tone.FAINT}.get(line[:1], Tone.QUIET)
        yield (Span(shorten(f"      {visible(line)}", width), tone),)


# -- deployment --------------------------------------------------------------------------------------------------------


def progress_lines(
    progress: Progress, expected: Estimate, width: int, *, is_simulated: bool, is_folded: bool
) -> list[Cell]:
    """The deployment in one line, then its resources as a tree with a bar for each one's duration."""
    deployment = progress.deployment
    elapsed = progress.elapsed_seconds
    mark, tone = _STATE_MARKS.get(deployment.state, ("▸", Tone.ACCENT))
    head = [Span(f"{mark} ", tone), Span(visible(deployment.name), Tone.STRONG), Span(f"  {deployment.state}  ", tone)]
    head.append(
        Span(f"{span_words(elapsed)} · {progress.done_count} of {progress.known_count} begun are done", Tone.QUIET)
    )
    lines = wrap(head, width, indent=2)
    if not deployment.is_over:
        if is_simulated:
            words = f"the embedded Azure is quicker; a real {expected.text}"
        else:
            words = f"{expected.remaining(elapsed or 0.0)} · leaving does not stop it"
        lines += wrap((Span(f"  {words}", Tone.QUIET),), width, indent=2)
    if progress.trouble:
        lines += wrap((Span("  ! ", Tone.WARN), Span(visible(progress.trouble))), width, indent=4)
    lines.append(())
    longest = max((step.duration_seconds or 0.0 for step in progress.operations), default=0.0)
    return [*lines, *_tree(progress.operations, width, longest, 0, is_folded)]


def _tree(steps: Sequence[Operation], width: int, longest: float, depth: int, is_folded: bool) -> Iterator[Cell]:
    for step in steps:
        if not step.resource_id:
            continue
        mark, tone = _STATE_MARKS.get(step.state, ("▸", Tone.ACCENT))
        name = visible(step.short_name)
        kind = (
            f"{len(step.nested)} resource{'s' if len(step.nested) != 1 else ''}"
            if step.is_module
            else visible(step.short_type)
        )
        seconds = step.duration_seconds
        drawn = bar(min(1.0, (seconds or 0.0) / longest), BAR_COLUMNS) if longest > 0 else ""
        right = (
            Span(f"{kind}  ", Tone.QUIET),
            Span(f"{span_words(seconds):>7} ", Tone.QUIET),
            Span(f"{drawn:<{BAR_COLUMNS}}", Tone.TREND),
        )
        left = (Span("  " * depth), Span(f"{mark} ", tone), Span(name, Tone.PLAIN if step.is_module else Tone.QUIET))
        room = width - width_of(right) - 1
        yield (*fit(left, max(8, room)), Span(" "), *right)
        if step.error is not None and not step.is_module:
            yield from wrap(
                (Span("  " * (depth + 2)), Span(visible(step.error.message), Tone.HARM)),
                width,
                indent=2 * depth + 4,
                max_lines=3,
            )
        if not (is_folded and step.state == "Succeeded"):
            yield from _tree(step.nested, width, longest, depth + 1, is_folded)


# -- proof and hand-over -----------------------------------------------------------------------------------------------


def proof_lines(proof: Sequence[ProofStep], width: int) -> list[Cell]:
    """What is proven, what is waited for, what is missing and why."""
    lines: list[Cell] = []
    for name in ("gateway answers", "chat completion", "log row"):
        step = next((s for s in proof if s.name == name), None)
        if step is None:
            lines.append((Span("· ", Tone.FAINT), Span(name, Tone.QUIET)))
            continue
        mark, tone = _PROOF_MARKS[step.state]
        lines += wrap(
            (Span(f"{mark} ", tone), Span(f"{name}: ", Tone.PLAIN), Span(visible(step.says), Tone.QUIET)),
            width,
            indent=2,
        )
        if step.remedy and step.state is not ProofState.PROVEN:
            lines += wrap((Span("  → ", Tone.ACCENT), Span(visible(step.remedy), Tone.ACCENT)), width, indent=4)
    note = "One real chat completion, sent with the product's key. The key is read for it and shown to nobody."
    return [*lines, (), *wrap((Span(note, Tone.QUIET),), width)]


def hand_over_lines(run: DeployRun, width: int) -> list[Cell]:
    """The outputs and what comes next."""
    deployment = run.deployment
    if deployment is None:
        return [(Span("Nothing is deployed yet.", Tone.QUIET),)]
    lines: list[Cell] = [(Span("The gateway stands and carries traffic.", Tone.STRONG),), ()]
    for name, value in sorted(deployment.outputs.items()):
        lines += wrap((Span(f"{visible(name):<20}", Tone.QUIET), Span(visible(str(value)))), width, indent=20)
    if run.parameters_file is not None:
        lines += wrap(
            (Span(f"{'parameters file':<20}", Tone.QUIET), Span(visible(str(run.parameters_file)))), width, indent=20
        )
    is_demo = run.flow.profile.name == "demo"
    words = "its profile stays in memory, as everything of the demo" if is_demo else "saves its profile"
    return [
        *lines,
        (),
        *wrap(
            (Span("Enter", Tone.KEY, "screen.go_on"), Span(f"  opens the Fleet on it and {words}", Tone.PLAIN)),
            width,
            indent=7,
        ),
    ]


def log_lines(log: Sequence[LogLine], width: int, height: int) -> list[Cell]:
    """The newest lines, the last one at the bottom."""
    return [
        fit((Span(f" {line.at:%H:%M:%S}Z  ", Tone.FAINT), Span(visible(line.text), Tone.QUIET)), width)
        for line in log[-height:]
    ]
