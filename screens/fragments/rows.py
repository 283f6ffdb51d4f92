"""What the fragments screen draws: the table of documents and the pane beside it. Pure: facts in, spans out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from console.operations.fragments.compare import DiffRow, Line, SyncState, diff_rows, summarize, unified_rows
from console.operations.fragments.desk import CatalogueRow, Overview
from console.operations.fragments.documents import Kind
from console.operations.fragments.inspect import FileFinding
from console.operations.fragments.plan import DeployPlan, PlannedWrite
from console.operations.fragments.rehearse import Rehearsal
from console.operations.fragments.report import last_text, needs_text, rehearsal_cells
from console.operations.guards import GuardVerdict
from screens.fragments.highlight import Highlighter
from screens.spans import Cell, Span, Tone, fit, plain, shorten, shorten_middle, visible, wrap
from screens.table import GridColumn, GridRow

STATES: dict[SyncState, tuple[str, Tone]] = {
    SyncState.IN_SYNC: ("=", Tone.QUIET),
    SyncState.CHANGED_HERE: ("▸", Tone.ACCENT),
    SyncState.CHANGED_THERE: ("◂", Tone.WARN),
    SyncState.CHANGED_BOTH: ("⇄", Tone.WARN),
    SyncState.DIFFERS: ("≠", Tone.WARN),
    SyncState.ONLY_HERE: ("+", Tone.FAINT),
    SyncState.ONLY_THERE: ("−", Tone.PLAIN),
}
FINDING_TONES = {"error": Tone.WARN, "warning": Tone.ACCENT, "info": Tone.QUIET}
GUARDS = {
    GuardVerdict.PASSED: ("✓", Tone.GOOD),
    GuardVerdict.WARNING: ("!", Tone.ACCENT),
    GuardVerdict.REFUSED: ("✗", Tone.WARN),
}
MARK_TONES = {"+": Tone.GOOD, "-": Tone.WARN, "~": Tone.ACCENT, " ": Tone.FAINT}
STATE_COLUMNS = 22
LINE_NUMBER_COLUMNS = 4


# -- the table ---------------------------------------------------------------------------------------------------------


def columns_for(width: int, longest: int) -> list[GridColumn]:
    """The columns in this width: document and state always, who uses it and who wrote it when there is room."""
    name = min(max(longest, 12), max(16, width - STATE_COLUMNS - 6), 42)
    left = width - name - STATE_COLUMNS - 6
    columns = [GridColumn("name", "DOCUMENT", "", name), GridColumn("state", "STATE", "here / there", STATE_COLUMNS)]
    if left >= 18:
        used = min(left, 26)
        columns.append(GridColumn("used", "USED BY", "", used))
        left -= used + 1
    if left >= 16:
        needs = min(left, 30) if left < 62 else left - 34
        columns.append(GridColumn("needs", "NEEDS", "", needs))
        left -= needs + 1
    if left >= 28:
        columns.append(GridColumn("last", "LAST DEPLOYED", "who, from where known", left))
    return columns


def grid_rows(overview: Overview, columns: Sequence[GridColumn], marked: set[str]) -> list[GridRow]:
    """One row a document, groups by kind."""
    widths = {column.key: column.width for column in columns}
    rows: list[GridRow] = []
    kind: Kind | None = None
    for row in overview.rows:
        if row.place.kind is not kind:
            kind = row.place.kind
            words = {Kind.NAMED_VALUE: "named values", Kind.FRAGMENT: "fragments", Kind.POLICY: "policies"}[kind]
            rows.append(GridRow(f"kind:{kind}", {"name": (Span(words, Tone.HEAD),)}, is_group=True, is_markable=False))
        rows.append(_grid_row(row, widths, row.place.handle in marked))
    return rows


def _grid_row(row: CatalogueRow, widths: dict[str, int], is_marked: bool) -> GridRow:
    glyph, tone = STATES[row.state]
    name = visible(row.place.name if row.place.kind is not Kind.POLICY else row.place.handle)
    needs = needs_text(row)
    cells: dict[str, Cell] = {
        "name": (Span(shorten_middle(name, widths["name"])),),
        "state": (Span(f"{glyph} ", tone), Span(row.state.value, tone)),
        "used": _list_cell(row.used_by, widths.get("used", 0)),
        "needs": (Span(shorten(visible(needs), widths.get("needs", 0)), Tone.WARN if row.missing else Tone.QUIET),),
        "last": (Span(shorten(visible(last_text(row)), widths.get("last", 0)), Tone.QUIET),),
    }
    return GridRow(row.place.handle, cells, is_marked=is_marked)


def _list_cell(words: Sequence[str], width: int) -> Cell:
    if not words:
        return (Span("–", Tone.FAINT),)
    text = ", ".join(words)
    if len(text) > width and len(words) > 1:
        text = f"{words[0]} +{len(words) - 1}"
    return (Span(shorten_middle(visible(text), width)),)


def status_line(overview: Overview | None, busy: str, error: str, width: int) -> Cell:
    """One line over the table: which folder against which gateway, or what is under way."""
    if error:
        return fit((Span(" ! ", Tone.WARN), Span(visible(error))), width)
    if overview is None:
        return fit((Span(f" {busy or 'reading both sides'} …", Tone.QUIET),), width)
    counts: dict[SyncState, int] = {}
    for row in overview.rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    words = " · ".join(f"{count} {state.value}" for state, count in counts.items()) or "no documents"
    head = (Span(f" {visible(busy)} … ", Tone.ACCENT),) if busy else (Span(" ", Tone.QUIET),)
    folder = shorten_middle(visible(str(overview.folder)), max(12, width - len(words) - 8))
    return fit((*head, Span(words), Span(f" · {folder}", Tone.QUIET)), width)


# -- the pane ----------------------------------------------------------------------------------------------------------


def heading(row: CatalogueRow, what: str, width: int) -> Cell:
    """The pane's first line."""
    glyph, tone = STATES[row.state]
    return fit(
        (
            Span(f"{visible(row.place.words)} ", Tone.STRONG),
            Span(f"{glyph} {row.state.value}", tone),
            Span(f" · {what}", Tone.QUIET),
        ),
        width,
    )


def facts(row: CatalogueRow, width: int) -> list[Cell]:
    """Who uses it, what it needs and who wrote it, for terminals whose table has no room for that."""
    lines: list[Cell] = []
    for words, text in (
        ("used by", ", ".join(row.used_by) or "–"),
        ("needs", needs_text(row)),
        ("last", last_text(row)),
    ):
        lines += wrap((Span(f"{words:<8}", Tone.HEAD), Span(visible(text))), width, indent=8)
    return lines


def difference(row: CatalogueRow, width: int, *, is_side_by_side: bool) -> list[Cell]:
    """What would change on the gateway: sentences, then lines; the whole text when there is only one side."""
    old = None if row.deployed is None else row.deployed.text
    new = None if row.local is None else row.local.text
    if old is None and new is None:
        return [plain("secret: this console reads no secret values", Tone.QUIET)]
    if row.place.kind is Kind.NAMED_VALUE:
        return [
            plain(f"gateway  {old if old is not None else '–'}"),
            plain(f"local    {new if new is not None else '–'}"),
        ]
    if old is None or new is None or row.state is SyncState.IN_SYNC:
        only = new if new is not None else old
        return text_lines(only or "", width)
    return changes(old, new, width, is_side_by_side=is_side_by_side)


def changes(old: str, new: str, width: int, *, is_side_by_side: bool = False) -> list[Cell]:
    """The semantic summary and the diff."""
    lines: list[Cell] = []
    for sentence in summarize(old, new, Kind.POLICY):
        lines += wrap((Span("• ", Tone.ACCENT), Span(visible(sentence), Tone.STRONG)), width, indent=2)
    lines.append(())
    rows = diff_rows(old, new)
    return lines + (_side_by_side(rows, width) if is_side_by_side else _unified(rows, width))


def text_lines(text: str, width: int) -> list[Cell]:
    """A text with line numbers and colours."""
    painter = Highlighter()
    lines = []
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        lines.append(_numbered(number, painter.line(line), width))
    return lines


def _numbered(number: int | None, cell: Cell, width: int) -> Cell:
    label = "" if number is None else str(number)
    return fit((Span(f"{label:>{LINE_NUMBER_COLUMNS}} ", Tone.FAINT), *cell), width)


def _unified(rows: Sequence[DiffRow], width: int) -> list[Cell]:
    old, new = Highlighter(), Highlighter()
    lines: list[Cell] = []
    for row in unified_rows(rows):
        if row.mark == "@":
            lines.append((Span("     ⋯", Tone.FAINT),))
            continue
        line = row.after or row.before
        assert line is not None
        painter = old if row.mark == "-" else new
        lines += _wrapped(row.mark, line, painter.line(line.text), width)
    return lines


def _wrapped(mark: str, line: Line, cell: Cell, width: int) -> list[Cell]:
    """A line of a diff over as many rows as it needs: a change must never stand outside the screen."""
    tone = MARK_TONES[mark]
    indent = len(line.text) - len(line.text.lstrip())
    room = max(20, width - LINE_NUMBER_COLUMNS - 3)
    pieces = wrap(cell, room, indent=min(indent + 4, room // 2))
    number = f"{line.number:>{LINE_NUMBER_COLUMNS}} "
    found = []
    for index, piece in enumerate(pieces):
        gutter = Span(number if index == 0 else " " * len(number), Tone.FAINT)
        found.append((gutter, Span(f"{mark} ", tone), *_struck(piece, mark)))
    return found


def _struck(cell: Cell, mark: str) -> Cell:
    """Removed lines lose their colours to one tone: what stays and what comes is what one reads."""
    return tuple(span._replace(tone=Tone.WARN) for span in cell) if mark == "-" else cell


def _side_by_side(rows: Sequence[DiffRow], width: int) -> list[Cell]:
    old, new = Highlighter(), Highlighter()
    half = max(10, (width - 3) // 2)
    lines: list[Cell] = []
    for row in rows:
        mark = Span(f" {row.mark} ", MARK_TONES[row.mark])
        left, right = _half(row.before, old, half), _half(row.after, new, half)
        for a, b in zip_longest(left, right, fillvalue=(Span(" " * half),)):
            lines.append((*a, mark, *b))
    return lines


def _half(line: Line | None, painter: Highlighter, width: int) -> list[Cell]:
    """One side of a row over as many lines as it needs: a change must never stand outside the screen."""
    if line is None:
        return []
    room = max(10, width - LINE_NUMBER_COLUMNS - 1)
    indent = min(len(line.text) - len(line.text.lstrip()) + 4, room // 2)
    pieces = wrap(painter.line(line.text), room, indent=indent)
    return [_numbered(line.number if index == 0 else None, piece, width) for index, piece in enumerate(pieces)]


def finding_lines(findings: Sequence[FileFinding], width: int) -> list[Cell]:
    """Each finding with the line it points at."""
    if not findings:
        return [plain("Nothing to find: API Management should accept it.", Tone.GOOD)]
    lines: list[Cell] = []
    for one in findings:
        tone = FINDING_TONES[one.finding.severity]
        at = one.finding.position
        head = (
            Span(f"{at.line}:{at.column} ", Tone.FAINT),
            Span(f"{one.finding.severity} ", tone),
            Span(visible(one.finding.message)),
            Span(f" {one.finding.rule_id}", Tone.FAINT),
        )
        lines += wrap(head, width, indent=2)
        if one.source.strip():
            lines.append(fit((Span("    "), *Highlighter().line(one.source.strip())), width))
    return lines


def rehearsal_lines(rehearsal: Rehearsal, width: int) -> list[Cell]:
    """The table of figures, then what it takes for granted."""
    name = max(12, min(24, width - 4 * 11))
    head = [f"{'FIGURE':<{name}}", *(f"{title:>10}" for title in ("LOGGED", "BEFORE", "AFTER", "CHANGE"))]
    lines: list[Cell] = [(Span(" ".join(head), Tone.HEAD),)]
    for row, cells in zip(rehearsal.rows, rehearsal_cells(rehearsal), strict=True):
        change = row.difference or 0.0
        notable = abs(change) >= (0.01 if row.unit == "ratio" else 200.0 if row.unit == "ms" else 1.0)
        harms = notable and change > 0 and row.name in ("caller 429s", "errors")
        tone = Tone.HARM if harms else Tone.STRONG if notable else Tone.QUIET
        lines.append(
            (
                Span(f"{shorten_middle(visible(cells[0]), name):<{name}} "),
                Span(f"{cells[1]:>10} {cells[2]:>10} ", Tone.QUIET),
                Span(f"{cells[3]:>10} "),
                Span(f"{cells[4]:>10}", tone),
            )
        )
    for reason, count in sorted(rehearsal.after.error_reasons.items(), key=lambda item: -item[1]):
        lines.append((Span(f"errors after: {count} ", Tone.HARM), Span(visible(reason))))
    lines += [(), (Span("IT TAKES FOR GRANTED", Tone.HEAD),)]
    for text in rehearsal.assumptions:
        lines += wrap((Span("· ", Tone.FAINT), Span(visible(text), Tone.QUIET)), width, indent=2)
    return lines


def plan_lines(plan: DeployPlan, width: int) -> list[Cell]:
    """What would be written, whom it concerns, and what the guards say."""
    lines: list[Cell] = []
    for number, write in enumerate(plan.writes, 1):
        head = (Span(f"{number}. {write.action} ", Tone.ACCENT), Span(visible(write.place.words), Tone.STRONG))
        lines += wrap((*head, Span(f" ({visible(write.file)})", Tone.QUIET)), width, indent=3)
        for sentence in write.summary:
            lines += wrap((Span("   • "), Span(visible(sentence))), width, indent=5)
        concerns = ", ".join(write.concerns) or "nobody yet"
        lines += wrap((Span("   concerns ", Tone.HEAD), Span(visible(concerns))), width, indent=5)
    if not plan.writes:
        lines.append(plain("Nothing to write: everything stands as wanted.", Tone.GOOD))
    lines.append(())
    for guard in plan.guards:
        glyph, tone = GUARDS[guard.verdict]
        lines += wrap((Span(f"{glyph} ", tone), Span(visible(guard.text))), width, indent=2)
    return lines


def write_changes(write: PlannedWrite, width: int) -> list[Cell]:
    """The diff of one planned write."""
    if write.before_text is None or write.text is None or write.place.kind is Kind.NAMED_VALUE:
        return []
    return changes(write.before_text, write.text, width)


def log_lines(log: Sequence[tuple[datetime, str, Tone]], width: int) -> list[Cell]:
    """What was done from this screen, newest first."""
    if not log:
        return [plain("Nothing was done from here yet.", Tone.QUIET)]
    lines: list[Cell] = []
    for at, text, tone in reversed(log):
        lines += wrap((Span(f"{at:%H:%M:%S} ", Tone.FAINT), Span(visible(text), tone)), width, indent=9)
    return lines
