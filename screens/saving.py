"""What is seen, as files: a text table to read and a CSV to calculate with.

No cell can start a formula in a spreadsheet, and control characters are already visible ones.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screens.spans import EMPTY, text_of
from screens.table import GridColumn, GridRow

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Titles and rows of text; `name` starts the file's name."""

    name: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_text(self) -> str:
        """Columns padded with spaces, for people."""
        lines = [self.titles, *self.rows]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.titles))]
        return "".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n"
            for line in lines
        )

    def as_csv(self) -> str:
        """Comma-separated, with a `'` before what a spreadsheet would take for a formula."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for line in (self.titles, *self.rows):
            writer.writerow([f"'{text}" if text.startswith(_FORMULA_STARTS) else text for text in line])
        return buffer.getvalue()


def sheet_of_rows(name: str, columns: Sequence[GridColumn], rows: Sequence[GridRow]) -> Sheet:
    """The grid's columns and rows as text, headings included."""
    titles = tuple(" ".join(part for part in (column.title, column.unit) if part) for column in columns)
    return Sheet(
        name,
        titles,
        tuple(tuple(text_of(row.cells.get(column.key, EMPTY)).strip() for column in columns) for row in rows),
    )


def saved_directory(environ: Mapping[str, str]) -> Path:
    """Where saved screens go: `$XDG_STATE_HOME/genaigw-console/saved`, below `~/.local/state` by default."""
    state = environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "genaigw-console" / "saved"


def save_sheet(sheet: Sheet, directory: Path, now: datetime) -> tuple[Path, Path]:
    """Write both files, readable by their owner only. Returns their paths. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = f"{sheet.name}-{now.strftime('%Y%m%dT%H%M%SZ')}"
    paths = (directory / f"{stem}.txt", directory / f"{stem}.csv")
    for path, content in zip(paths, (sheet.as_text(), sheet.as_csv()), strict=True):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    return paths
