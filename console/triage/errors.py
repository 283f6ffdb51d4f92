"""Runs of errors, whatever they mean: shared by every rule that reads what callers got. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from console.domain.callers import ErrorSeries
from console.domain.finding import Fact
from console.domain.load import Series
from console.triage.look import LOGS, Look
from console.triage.minutes import MINUTE, Run, aligned, find_run, flags

ERROR_RATIO = 0.05
"""Share of requests in a minute from which errors are a symptom."""
ERRORS_AT_LEAST = 2.0
ERRORS_WITHOUT_WHOLE = 3.0
"""Where the requests of a minute are not counted yet."""
MANY_ERRORS = 20.0
"""So many in a minute are a symptom whatever their share."""


@dataclass(frozen=True, slots=True)
class ErrorRun:
    """Errors of one kind that last: the run, its series and its newest share of `requests` (None when unknown)."""

    run: Run
    series: tuple[ErrorSeries, ...]
    share: float | None
    counted: float

    @property
    def since_at(self) -> datetime:
        """The first bad minute."""
        return self.run.since_at

    @property
    def counts(self) -> list[Series]:
        """The series to count hits by."""
        return [e.counts for e in self.series]

    @property
    def api_names(self) -> str:
        """The APIs that are hit, worst first."""
        return ", ".join(dict.fromkeys(e.api for e in self.series if e.api))

    def facts(self) -> list[Fact]:
        """The kinds of error with their counts, most frequent first."""
        facts = []
        for error in self.series[:3]:
            first = round((self.run.since_at - error.counts.start_at) / MINUTE)
            count = sum(v or 0.0 for v in error.counts.values[max(0, first) :])
            if not count:
                continue
            words = [str(error.status_code)]
            if error.backend_status_code and error.backend_status_code != error.status_code:
                words.append(f"(backend {error.backend_status_code})")
            words += [part for part in (error.reason, error.message[:120]) if part]
            facts.append(Fact(f"{count:.0f} x {' '.join(words)}", LOGS, error.counts.end_at))
        return facts


def find_errors(errors: Sequence[ErrorSeries], requests: Series | None, look: Look) -> ErrorRun | None:
    """The run of these errors among `requests`, None when there is none now."""
    end = look.logs_end_at
    if not errors or end is None:
        return None
    if not any(e.counts.values[-1] or (len(e.counts.values) > 1 and e.counts.values[-2]) for e in errors):
        return None
    start_at, length = errors[0].counts.start_at, len(errors[0].counts.values)
    counts = [0.0] * length
    for error in errors:
        for index, value in enumerate(aligned(error.counts, start_at, length)):
            counts[index] += value
    asked = aligned(requests, start_at, length)
    bad = flags(
        length,
        lambda i: (
            counts[i] >= (ERRORS_AT_LEAST if asked[i] else ERRORS_WITHOUT_WHOLE)
            and (counts[i] >= asked[i] * ERROR_RATIO or counts[i] >= MANY_ERRORS)
        ),
    )
    run = find_run(bad, start_at)
    if run is None:
        return None
    whole = sum(asked[max(run.first, run.last - 4) : run.last + 1])
    part = sum(counts[max(run.first, run.last - 4) : run.last + 1])
    return ErrorRun(run, tuple(errors), part / whole if whole else None, sum(counts[run.first :]))
