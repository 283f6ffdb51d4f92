"""Saved screens are readable by people, by spreadsheets, and dangerous to neither."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from screens.saving import Sheet, save_sheet, saved_directory
from tests.screens.made_up import NOW

SHEET = Sheet("fleet", ("BACKEND", "REQ /min"), (("=cmd|' /C calc'!A0", "255"), ("-x", "–"), ('a,b"c', "1")))


def test_no_cell_starts_a_formula() -> None:
    rows = list(csv.reader(io.StringIO(SHEET.as_csv())))
    assert [row[0] for row in rows] == ["BACKEND", "'=cmd|' /C calc'!A0", "'-x", 'a,b"c']


def test_text_is_aligned() -> None:
    lines = SHEET.as_text().splitlines()
    assert len({line.index(value) for line, value in zip(lines, ("REQ", "255", "–", "1"), strict=True)}) == 1


def test_files_go_to_the_state_folder_and_are_private(tmp_path: Path) -> None:
    directory = saved_directory({"XDG_STATE_HOME": str(tmp_path)})
    text, table = save_sheet(SHEET, directory, NOW)
    assert text.parent == tmp_path / "genaigw-console" / "saved"
    assert text.stat().st_mode & 0o077 == 0
    assert table.read_text(encoding="utf-8").startswith("BACKEND,REQ /min\n")
