"""Findings from one snapshot to the next: they do not flicker, keep their beginning, and stay when over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from console.domain.finding import Finding
from console.triage.severity import ranked

LINGERS = timedelta(seconds=25)
"""A finding must be gone this long to be over: one snapshot without it may be a gap."""
KEPT = timedelta(minutes=60)
"""How long a finding that is over is still shown, with its end."""
REOPENS = timedelta(minutes=5)
"""One that comes back this soon is the same, and began when it first did."""


def track(previous: Iterable[Finding], current: Iterable[Finding], now: datetime) -> tuple[Finding, ...]:
    """The current findings with what was known of them before, then those that are over, for an hour."""
    before = {finding.key: finding for finding in previous}
    tracked: list[Finding] = []
    for finding in current:
        earlier = before.pop(finding.key, None)
        tracked.append(_continued(earlier, finding, now))
    for finding in before.values():
        if finding.ended_at is None and now - (finding.last_seen_at or now) <= LINGERS:
            tracked.append(finding)
        elif finding.ended_at is None:
            tracked.append(replace(finding, ended_at=_end(finding, now)))
        elif now - finding.ended_at <= KEPT:
            tracked.append(finding)
    return ranked(tracked)


def _continued(earlier: Finding | None, finding: Finding, now: datetime) -> Finding:
    first_seen_at = now
    since_at = finding.since_at
    if earlier is not None and (earlier.ended_at is None or now - earlier.ended_at <= REOPENS):
        first_seen_at = earlier.first_seen_at or now
        if since_at is None or (earlier.since_at is not None and earlier.since_at < since_at):
            since_at = earlier.since_at
    return replace(finding, since_at=since_at, first_seen_at=first_seen_at, last_seen_at=now, ended_at=None)


def _end(finding: Finding, now: datetime) -> datetime:
    """It was last seen at the snapshot before; it cannot have ended before it began."""
    last = finding.last_seen_at or now
    return max(last, finding.since_at) if finding.since_at is not None else last
