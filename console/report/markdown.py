"""The draft itself: Markdown as a person would want to correct it, not a log. Pure; charts are files beside it.

Everything that comes from Azure is redacted and stripped of what Markdown would obey. Prompts and answers are never
read, so they cannot be here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.azure.refusal import redact
from console.domain.change import Change
from console.domain.finding import Finding, Severity
from console.domain.health import percent
from console.domain.snapshot import GatewaySnapshot
from console.report.svg import draw_svg
from console.status_text import printable
from console.triage.busiest import busiest_consumers
from console.triage.charts import Mark, make_marks, plot_of
from console.triage.minutes import aligned, index_at
from console.triage.route import explain_routes

CHARTS = 4
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#])")


@dataclass(frozen=True, slots=True)
class Report:
    """The text, and the charts by file name."""

    text: str
    charts: tuple[tuple[str, str], ...]


def clean(text: str) -> str:
    """Text from elsewhere as Markdown shows it: no secret, no markup, one line."""
    return _MARKDOWN.sub(r"\\\1", printable(redact(text)))


def make_report(
    snapshot: GatewaySnapshot,
    findings: Sequence[Finding],
    changes: Sequence[Change],
    now: datetime,
    span: timedelta,
    *,
    chart_prefix: str = "report",
) -> Report:
    """The draft over the span before `now`. `changes` of log and journal; `findings` also those that are over."""
    start = now - span
    findings = [f for f in findings if f.ended_at is None or f.ended_at >= start]
    changes = sorted((c for c in changes if c.at >= start), key=lambda c: c.at)
    marks = make_marks(changes, findings, start, now)
    charts = _charts(snapshot, findings, marks, now, span, chart_prefix)
    lines = [
        *_head(snapshot, findings, now, span),
        *_timeline(findings, changes, marks),
        *_findings(findings),
        *_figures(snapshot, charts),
        *_hit(snapshot, findings),
        *_actions(changes),
        *_routes(snapshot),
        "## To be written by a person",
        "",
        "- What was the cause, as far as it is known?",
        "- What made it worse, what made it end?",
        "- What shall be different next time, who does it, until when?",
        "",
    ]
    return Report("\n".join(lines), tuple((name, svg) for name, _, svg in charts))


def _head(snapshot: GatewaySnapshot, findings: Sequence[Finding], now: datetime, span: timedelta) -> list[str]:
    active = [f for f in findings if f.is_active]
    worst = next(iter(active or findings), None)
    title = clean(worst.title) if worst is not None else "Nothing found wrong"
    since = min((f.since_at for f in findings if f.since_at is not None), default=None)
    lasted = f"since {since:%H:%M} UTC" if since is not None and active else ""
    if since is not None and not active:
        lasted = f"{since:%H:%M} to {max(f.ended_at for f in findings if f.ended_at is not None):%H:%M} UTC"
    simulated = " (simulated)" if snapshot.simulated else ""
    return [
        f"# {title}",
        "",
        f"Draft written {now:%Y-%m-%d %H:%M} UTC over the last {span.total_seconds() / 60:.0f} minutes of gateway "
        f"**{clean(snapshot.service_name)}**{simulated}. It states what was observed; causes are for people to name.",
        "",
        f"**Verdict.** {clean(snapshot.verdict.text)}.",
        "",
        *([f"**Trouble** {lasted}; {len(active)} of {len(findings)} findings still last.", ""] if findings else []),
    ]


def _timeline(findings: Sequence[Finding], changes: Sequence[Change], marks: Sequence[Mark]) -> list[str]:
    letters = {(m.at, m.text): m.letter for m in marks}
    moments: list[tuple[datetime, str]] = []
    for change in changes:
        letter = letters.get((change.at, change.text), "")
        moments.append((change.at, f"{f'({letter}) ' if letter else ''}{clean(change.text)}, by the {change.source}"))
    for finding in findings:
        if finding.since_at is not None:
            moments.append((finding.since_at, f"**{clean(finding.title)}** begins ({finding.confidence.value})"))
        if finding.ended_at is not None:
            moments.append((finding.ended_at, f"{clean(finding.label)} is over"))
    lines = ["## Timeline (UTC)", ""]
    if not moments:
        return [*lines, "Nothing began, ended or was changed.", ""]
    lines += ["| time | what |", "|---|---|"]
    lines += [f"| {at:%H:%M:%S} | {text} |" for at, text in sorted(moments, key=lambda m: m[0])]
    return [*lines, ""]


def _findings(findings: Sequence[Finding]) -> list[str]:
    lines = ["## Findings", ""]
    if not findings:
        return [*lines, "None.", ""]
    for number, finding in enumerate(findings, 1):
        span = f"since {finding.since_at:%H:%M}" if finding.since_at is not None else "since an unknown time"
        if finding.ended_at is not None:
            span += f" until {finding.ended_at:%H:%M}"
        hit = f"{percent(finding.hit_ratio)} of callers' requests" if finding.hit_ratio is not None else "unknown"
        lines += [
            f"### {number}. {clean(finding.title)}",
            "",
            f"{finding.severity.value.capitalize()}, {span}, {finding.confidence.value}; callers hit: {hit}.",
            "",
            *(
                f"- {clean(f.text)} ({clean(f.source)}{f', {f.observed_at:%H:%M}' if f.observed_at else ''})"
                for f in finding.evidence
            ),
            "",
        ]
        if finding.actions:
            lines += ["Next: " + "; ".join(clean(a.text) for a in finding.actions) + ".", ""]
    return lines


def _charts(
    snapshot: GatewaySnapshot,
    findings: Sequence[Finding],
    marks: Sequence[Mark],
    now: datetime,
    span: timedelta,
    prefix: str,
) -> list[tuple[str, str, str]]:
    """(file name, title, SVG) of the series that show the worst findings, each once."""
    minutes = max(5, min(60, round(span.total_seconds() / 60)))
    ends = [b.load.metrics_until_at for b in snapshot.backends if b.load.metrics_until_at is not None]
    end_at = max(ends, default=now.replace(second=0, microsecond=0))
    charts: list[tuple[str, str, str]] = []
    seen = set()
    for finding in findings:
        for ref in finding.charts:
            plot = plot_of(snapshot, ref)
            if ref in seen or plot.series is None or len(charts) == CHARTS:
                continue
            seen.add(ref)
            name = f"{prefix}-{len(charts) + 1}.svg"
            charts.append((name, plot.title, draw_svg(plot, end_at, minutes, marks, finding.since_at)))
    return charts


def _figures(snapshot: GatewaySnapshot, charts: Sequence[tuple[str, str, str]]) -> list[str]:
    lines = ["## Figures", ""]
    lines += [f"![{clean(title)}]({name})\n" for name, title, _ in charts]
    lines += [
        "| backend | kind | health | utilization | req/min | model 429 | caller 429 | errors | p95 |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for status in snapshot.backends:
        load = status.load
        p95 = load.latency_p95_ms.value
        cells = [
            clean(status.name),
            status.kind.value.upper(),
            status.health.state.value,
            *(_share(v) for v in (load.utilization_ratio.value,)),
            "–" if load.requests_per_minute.value is None else f"{load.requests_per_minute.value:.0f}",
            *(_share(f.value) for f in (load.model_throttled_ratio, load.caller_throttled_ratio, load.error_ratio)),
            "–" if p95 is None else f"{p95 / 1000:.1f} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    until = [b.load.metrics_until_at for b in snapshot.backends if b.load.metrics_until_at is not None]
    logs = snapshot.callers_detail.window.end_at if snapshot.callers_detail is not None else None
    ages = [f"metrics until {max(until):%H:%M}"] if until else ["no metrics"]
    ages.append(f"gateway logs until {logs:%H:%M}" if logs is not None else "no gateway logs")
    return [*lines, "", f"Over the newest five complete minutes: {', '.join(ages)}. `–` means no data.", ""]


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _hit(snapshot: GatewaySnapshot, findings: Sequence[Finding]) -> list[str]:
    """Consumers with refused or failed requests since the worst finding began."""
    lines = ["## Who was hit", ""]
    detail = snapshot.callers_detail
    since = min(
        (f.since_at for f in findings if f.since_at is not None and f.severity is not Severity.INFO), default=None
    )
    if detail is None:
        return [*lines, "Unknown: the gateway's logs could not be read.", ""]
    if since is None:
        return [*lines, "Nobody that is known of.", ""]
    rows = []
    for consumer in detail.consumers:
        length = max(0, len(consumer.requests.values) - max(0, index_at(consumer.requests, since)))
        start = max(since, consumer.requests.start_at)
        asked, refused, failed = (
            sum(aligned(s, start, length)) for s in (consumer.requests, consumer.throttled, consumer.failed)
        )
        if refused or failed:
            rows.append((refused + failed, clean(consumer.name) or "(no key)", asked, refused, failed))
    if not rows:
        lines += [f"No consumer got a 429 or a server error since {since:%H:%M}.", ""]
    else:
        lines += [
            f"Since {since:%H:%M}, until {detail.window.end_at:%H:%M}:",
            "",
            "| consumer | requests | 429 | failed | share |",
            "|---|---:|---:|---:|---:|",
        ]
        for hurt, name, asked, refused, failed in sorted(rows, reverse=True)[:10]:
            lines.append(
                f"| {name} | {asked:.0f} | {refused:.0f} | {failed:.0f} | {_share(hurt / asked if asked else None)} |"
            )
        lines.append("")
    busiest = busiest_consumers(snapshot, 3)
    if busiest:
        grown = [
            f"{clean(b.name)} {b.requests_per_minute:.0f} a minute ({b.before:.0f} before)" for b in busiest if b.before
        ]
        lines += ["Busiest: " + ", ".join(grown) + ".", ""]
    return lines


def _actions(changes: Sequence[Change]) -> list[str]:
    lines = ["## Actions and outcomes", ""]
    ours = [c for c in changes if c.source == "journal"]
    if not ours:
        return [*lines, "No action of this console is in its journal.", ""]
    return [*lines, *(f"- {c.at:%H:%M:%S} {clean(c.text)}" for c in ours), ""]


def _routes(snapshot: GatewaySnapshot) -> list[str]:
    routes = explain_routes(snapshot)
    if not routes:
        return []
    lines = ["## Routes at the time of writing", ""]
    for route in routes:
        others = "; ".join(f"not {clean(n)}: {clean(w)}" for n, w in route.others)
        lines.append(
            f"- {clean(route.what)} → {clean(route.serves) or 'nobody'} "
            f"({clean(route.because)}{'; ' + others if others else ''})"
        )
    return [*lines, ""]
