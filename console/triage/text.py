"""Findings as text for people and as the JSON that `triage --json` prints. Pure.

Ratios are 0 to 1, times ISO 8601 in UTC; what is not known is null in JSON and `–` in text, never 0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from console.domain.change import Change
from console.domain.finding import Finding
from console.domain.health import percent
from console.domain.snapshot import GatewaySnapshot
from console.status_text import printable
from console.triage.busiest import busiest_consumers
from console.triage.route import explain_routes

WIDTH = 110


def findings_document(
    snapshot: GatewaySnapshot, findings: Sequence[Finding], changes: Sequence[Change], now: datetime
) -> dict[str, Any]:
    """The whole document: what lasts under `findings`, what is over under `ended`."""
    return {
        "gateway": snapshot.gateway.name if snapshot.gateway is not None else snapshot.service_name,
        "simulated": snapshot.simulated,
        "observed_at": stamp(now),
        "verdict": {
            "level": snapshot.verdict.level.value,
            "text": snapshot.verdict.text,
            "since_at": stamp(snapshot.verdict.since_at),
        },
        "findings": [finding_document(f) for f in findings if f.is_active],
        "ended": [finding_document(f) for f in findings if not f.is_active],
        "changes": [change_document(c) for c in changes],
        "consumers": consumers_document(snapshot),
        "routes": [
            {
                "what": r.what,
                "serves": r.serves,
                "because": r.because,
                "others": [{"backend": n, "why_not": w} for n, w in r.others],
            }
            for r in explain_routes(snapshot)
        ],
        "problems": [{"what": p.what, "where": p.where, "remedy": p.remedy} for p in snapshot.problems],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "label": finding.label,
        "symptom": finding.symptom,
        "subject": finding.subject,
        "title": finding.title,
        "severity": finding.severity.value,
        "since_at": stamp(finding.since_at),
        "until_at": stamp(finding.until_at),
        "ended_at": stamp(finding.ended_at),
        "hit_ratio": None if finding.hit_ratio is None else round(finding.hit_ratio, 6),
        "confidence": finding.confidence.value,
        "actions": [{"kind": a.kind.value, "text": a.text, "target": a.target} for a in finding.actions],
        "evidence": [
            {"text": e.text, "source": e.source, "observed_at": stamp(e.observed_at)} for e in finding.evidence
        ],
    }


def change_document(change: Change) -> dict[str, Any]:
    """One change."""
    return {
        "at": stamp(change.at),
        "kind": change.kind.value,
        "name": change.name,
        "verb": change.verb,
        "caller": change.caller,
        "status": change.status,
        "correlation_id": change.correlation_id,
        "source": change.source,
    }


def consumers_document(snapshot: GatewaySnapshot, limit: int = 10) -> list[dict[str, Any]]:
    """The busiest consumers with their rates over the newest five known minutes."""
    return [
        {
            "name": row.name,
            "requests_per_minute": round(row.requests_per_minute, 2),
            "requests_per_minute_before": None if row.before is None else round(row.before, 2),
            "throttled_ratio": row.throttled_ratio,
            "tokens_per_minute": row.tokens_per_minute,
        }
        for row in busiest_consumers(snapshot, limit)
    ]


def findings_text(
    snapshot: GatewaySnapshot, findings: Sequence[Finding], changes: Sequence[Change], now: datetime
) -> str:
    """Plain text: findings with evidence and actions, what is over, changes, consumers, routes."""
    lines = [
        f"{snapshot.service_name} at {now:%H:%M:%S}Z{' · SIMULATED' if snapshot.simulated else ''}",
        snapshot.verdict.text,
        "",
    ]
    active = [f for f in findings if f.is_active]
    if not active:
        lines += ["Nothing is found wrong.", ""]
    for number, finding in enumerate(active, 1):
        lines += [*_finding_lines(number, finding, now), ""]
    over = [f for f in findings if not f.is_active]
    if over:
        lines.append("OVER")
        lines += [f"  {_span(f)}  {f.title}" for f in over] + [""]
    if changes:
        lines.append("WHAT CHANGED")
        lines += [f"  {c.at:%H:%M:%S}  {c.text} · {c.source}" for c in changes[:12]] + [""]
    rows = busiest_consumers(snapshot, 5)
    if rows:
        lines.append("TOP CONSUMERS               REQ/MIN  BEFORE   429   TOKENS/MIN")
        for row in rows:
            before = "–" if row.before is None else f"{row.before:.0f}"
            refused = "–" if row.throttled_ratio is None else percent(row.throttled_ratio)
            tokens = "–" if row.tokens_per_minute is None else f"{row.tokens_per_minute:,.0f}"
            lines.append(f"  {row.name[:24]:<24} {row.requests_per_minute:>9.0f} {before:>7} {refused:>7} {tokens:>10}")
        lines.append("")
    routes = explain_routes(snapshot)
    if routes:
        lines.append("ROUTES")
        for route in routes:
            lines.append(f"  {route.what} → {route.serves or 'nobody'}: {route.because}")
            lines += [f"      not {name}: {why}" for name, why in route.others]
    return "\n".join(printable(line) for line in lines).rstrip("\n") + "\n"


def _finding_lines(number: int, finding: Finding, now: datetime) -> list[str]:
    since = f"{finding.since_at:%H:%M}" if finding.since_at is not None else "–"
    hit = percent(finding.hit_ratio) if finding.hit_ratio is not None else "–"
    mark = {"critical": "▲", "warning": "!", "info": "·"}[finding.severity.value]
    lines = [
        f"{mark} {number} {finding.title}",
        f"    {finding.severity.value} · since {since} · hits {hit} of callers · {finding.confidence.value}",
    ]
    for action in finding.actions:
        lines += textwrap.wrap(action.text, WIDTH, initial_indent="    → ", subsequent_indent="      ")
    for fact in finding.evidence:
        at = f" {fact.observed_at:%H:%M}" if fact.observed_at is not None else ""
        lines += textwrap.wrap(
            f"{fact.text} ({fact.source}{at})", WIDTH, initial_indent="      ", subsequent_indent="        "
        )
    return lines


def _span(finding: Finding) -> str:
    since = f"{finding.since_at:%H:%M}" if finding.since_at is not None else "–"
    return f"{since}–{finding.ended_at:%H:%M}" if finding.ended_at is not None else since


def stamp(at: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
