"""What the console cannot see: logs that are late, metrics that are missing, diagnostics that are not wired. Pure.

Source: "Log data ingestion time in Azure Monitor": 3 to 10 minutes are usual; no rows of the last ten minutes are a
delay, not an outage. Silence is never calm: it is said that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.finding import Action, ActionKind, ChartRef, Fact, Finding, Severity
from console.domain.health import Evidence
from console.domain.snapshot import FeedStatus
from console.triage.look import Look

LATE_SECONDS = 480.0
"""Callers' figures older than this are late: more than the usual delay and the time it takes to be sure of a minute."""
METRICS_LATE_SECONDS = 360.0
DIAGNOSTICS_RANK = 42
RANK = 44


def find_blindness(look: Look) -> Iterator[Finding]:
    """Findings about sources that are late, missing or never were connected."""
    snapshot = look.snapshot
    if snapshot.gateway is None:
        return
    unwired = next(
        (
            p
            for p in snapshot.problems
            if (p.feed == "traffic" and p.kind == "NotFound" and "diagnostic setting" in p.what)
            or "shared table" in p.what
        ),
        None,
    )
    if unwired is not None:
        yield Finding(
            symptom="diagnostics not wired",
            subject=snapshot.service_name,
            title="The gateway's logs go nowhere readable: what callers get is unknown",
            severity=Severity.WARNING,
            since_at=None,
            confidence=Evidence.OBSERVED,
            actions=(Action(ActionKind.DOCTOR, unwired.remedy),),
            evidence=(Fact(unwired.what, unwired.where, unwired.at),),
            rank=DIAGNOSTICS_RANK,
        )
    else:
        yield from _late_logs(look)
    yield from _late_metrics(look)


def _late_logs(look: Look) -> Iterator[Finding]:
    until = max((b.load.logs_until_at for b in look.backends if b.load.logs_until_at is not None), default=None)
    feed = _feed(look, "traffic")
    if until is None:
        failed = next((p for p in look.snapshot.problems if p.feed == "traffic"), None)
        if failed is not None:
            yield _blind(look, "logs missing", f"The gateway's logs cannot be read: {failed.what}", feed, failed.remedy)
        return
    age = (look.now - until).total_seconds()
    if age <= LATE_SECONDS:
        return
    # A quiet gateway writes no rows; that its models answer requests after the newest row proves that rows are late.
    answered = any(
        v
        for b in look.backends
        if b.load.requests is not None and b.load.metrics_until_at is not None
        for v in b.load.requests.values[-max(1, int(age // 60) - 3) :]
    )
    if not answered and feed is not None and feed.last_error is None:
        return
    if feed is not None and feed.last_error is not None:
        why = feed.last_error
    else:
        why = "the newest rows are that old, while models answer requests"
    facts = (
        Fact(f"callers' figures end at {until:%H:%M}, {age / 60:.0f} minutes ago", "gateway logs", until),
        Fact(why, "gateway logs", look.now),
    )
    yield Finding(
        symptom="telemetry late",
        subject="gateway logs",
        title=f"The gateway's logs are {age / 60:.0f} minutes behind: what callers get now is unknown",
        severity=Severity.INFO if feed is None or feed.last_error is None else Severity.WARNING,
        since_at=until,
        confidence=Evidence.OBSERVED,
        actions=(Action(ActionKind.ADVICE, "Trust the metrics, wait for the logs, do not read their silence as calm"),),
        evidence=facts,
        charts=(ChartRef("requests", ""),),
        rank=RANK,
    )


def _late_metrics(look: Look) -> Iterator[Finding]:
    feed = _feed(look, "metrics")
    known = [b.load.metrics_until_at for b in look.backends if b.load.metrics_until_at is not None]
    failed = next((p for p in look.snapshot.problems if p.feed == "metrics"), None)
    dark = [b for b in look.backends if b.account is not None and b.load.metrics_until_at is None]
    if not known:
        if failed is not None and failed.kind != "NotAllowed":
            yield _blind(
                look, "metrics missing", f"The models' metrics cannot be read: {failed.what}", feed, failed.remedy
            )
        elif failed is not None:
            yield _blind(look, "metrics missing", "The models' metrics may not be read", feed, failed.remedy)
        return
    age = (look.now - max(known)).total_seconds()
    if age > METRICS_LATE_SECONDS and not look.snapshot.is_paused:
        yield _blind(
            look, "telemetry late", f"The models' metrics are {age / 60:.0f} minutes old", feed, "Wait, then run doctor"
        )
    elif dark and failed is not None:
        regions = ", ".join(sorted({b.region for b in dark if b.region}))
        words = f"No metrics of {regions}: nobody knows how its models fare"
        yield _blind(look, "metrics missing", words, feed, failed.remedy)


def _blind(look: Look, symptom: str, title: str, feed: FeedStatus | None, remedy: str) -> Finding:
    since = feed.last_success_at if feed is not None and feed.last_error is not None else None
    why = feed.last_error if feed is not None and feed.last_error else title
    return Finding(
        symptom=symptom,
        subject="metrics" if "metric" in title else "gateway logs",
        title=title,
        severity=Severity.WARNING,
        since_at=since,
        confidence=Evidence.OBSERVED,
        actions=(Action(ActionKind.DOCTOR, remedy or "Run doctor"),),
        evidence=(Fact(why, feed.name if feed is not None else "", look.now),),
        rank=RANK,
    )


def _feed(look: Look, name: str) -> FeedStatus | None:
    return next((f for f in look.snapshot.feeds if f.name == name), None)
