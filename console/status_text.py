"""A snapshot as plain text, for pipes and logs: no colour, no markup, no control characters from anywhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from console.domain.health import HealthState, percent
from console.domain.load import Figure
from console.domain.snapshot import BackendStatus, GatewaySnapshot

NOTHING = "–"
_HEADERS = (
    *("BACKEND", "KIND", "REGION", "POOLS", "HEALTH"),
    *("UTIL", "REQ/MIN", "429 MODEL", "429 CALLER", "ERRORS", "P95", "TOKENS/MIN", "AGE"),
)
_RIGHT = frozenset(_HEADERS[5:])


def status_text(snapshot: GatewaySnapshot, now: datetime) -> str:
    """The snapshot in lines, ending with a newline."""
    gateway = snapshot.gateway
    place = f"{gateway.name} · {gateway.region}" if gateway else snapshot.service_name
    marks = [place, snapshot.cloud_name if not snapshot.simulated else "SIMULATED", f"{snapshot.observed_at:%H:%M:%SZ}"]
    if snapshot.is_production:
        marks.insert(1, "PRODUCTION")
    lines = [
        printable(" · ".join(marks)),
        printable(f"{snapshot.verdict.level.value.upper()}: {snapshot.verdict.text}"),
        "",
    ]
    if snapshot.backends:
        lines += table(_HEADERS, [_row(status, now) for status in snapshot.backends])
    lines += [""] if snapshot.backends else []
    for status in snapshot.backends:
        detail = "; ".join(status.health.reasons)
        if detail:
            unknown = status.health.state is HealthState.UNKNOWN  # which nobody observed
            how = "" if unknown else f" ({status.health.evidence.value})"
            lines.append(printable(f"{status.name}: {status.health.state.value}{how}: {detail}"))
    for drain in snapshot.drains:
        told = drain.text or f"drain of {drain.backend_name} by {drain.owner}: {drain.reason} ({drain.state})"
        lines.append(printable(f"{'!' if drain.needs_attention else '○'} {told}"))
    for problem in snapshot.problems:
        where = f" ({problem.where})" if problem.where else ""
        lines.append(printable(f"! {problem.what}{where}. {problem.remedy}".rstrip()))
    return "\n".join(lines).rstrip() + "\n"


def _row(status: BackendStatus, now: datetime) -> tuple[str, ...]:
    load = status.load
    pools = ", ".join(f"{m.pool_name}{'' if m.priority is None else f' p{m.priority}'}" for m in status.memberships)
    direct = [r.document for r in status.routes if r.target == status.name and r.line is not None]
    return (
        status.name,
        status.kind.value.upper() if status.kind.value != "unknown" else "?",
        status.region or NOTHING,
        pools or ", ".join(dict.fromkeys(direct)) or NOTHING,
        status.health.state.value,
        _ratio(load.utilization_ratio, 0),
        _count(load.requests_per_minute),
        _ratio(load.model_throttled_ratio),
        _ratio(load.caller_throttled_ratio),
        _ratio(load.error_ratio),
        NOTHING if load.latency_p95_ms.value is None else f"{load.latency_p95_ms.value / 1000:.1f} s",
        _count(load.tokens_per_minute),
        _age(status, now),
    )


def _ratio(figure: Figure, digits: int = 1) -> str:
    return NOTHING if figure.value is None else percent(figure.value, digits)


def _count(figure: Figure) -> str:
    return NOTHING if figure.value is None else f"{figure.value:,.0f}"


def _age(status: BackendStatus, now: datetime) -> str:
    age = status.load.requests_per_minute.age_seconds(now)
    return NOTHING if age is None else f"{age:.0f}s"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns; figures to the right."""
    cells = [tuple(printable(cell) for cell in row) for row in rows]
    widths = [
        max(len(header), *(len(row[i]) for row in cells)) if cells else len(header) for i, header in enumerate(headers)
    ]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if header in _RIGHT else cell.ljust(width)
            for cell, width, header in zip(row, widths, headers, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [line(headers), *(line(row) for row in cells)]


def printable(text: str) -> str:
    """The text with control characters shown instead of obeyed."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return character if character.isprintable() and not 0xFE00 <= code <= 0xFE0F else f"⟨U+{code:04X}⟩"
