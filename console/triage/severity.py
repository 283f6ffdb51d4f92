"""How bad a finding is, and the order findings stand in. Pure.

Critical is harm to callers now; warning is harm to come, to some callers, or to money; info is worth knowing.
"""

from __future__ import annotations

from collections.abc import Iterable

from console.domain.finding import Finding, Severity

CRITICAL_HIT_RATIO = 0.02
"""A finding that hits this share of all callers' requests is critical."""

_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def severity_of(hit_ratio: float | None, otherwise: Severity) -> Severity:
    """Critical from 2 % of callers on, else what it is by itself."""
    return Severity.CRITICAL if (hit_ratio or 0.0) >= CRITICAL_HIT_RATIO else otherwise


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Most harm first. Shares of callers that differ by less than five points are equal: causes go before consequences.

    What is over comes last, the latest first.
    """
    return tuple(sorted(findings, key=_key))


def _key(finding: Finding) -> tuple[object, ...]:
    over = 0.0 if finding.ended_at is None else 1.0 / max(1.0, finding.ended_at.timestamp())
    harm = -round((finding.hit_ratio or 0.0) * 20) if finding.severity is Severity.CRITICAL else 0
    since = finding.since_at.timestamp() if finding.since_at is not None else 0.0
    return (finding.ended_at is not None, over, _ORDER[finding.severity], harm, finding.rank, since, finding.subject)
