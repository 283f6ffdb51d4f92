"""What a grid is made of: columns as laid out and rows by key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from screens.spans import Cell

HEADER_LINES = 2
GUTTER = 2
"""Columns before the first cell: the cursor's and the mark's sign."""


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column as laid out: `title` over `unit`, numbers on the `right`."""

    key: str
    title: str
    unit: str
    width: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class GridRow:
    """A row: cells by column key. Group rows stand out; only rows with `is_markable` take a mark."""

    key: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    is_group: bool = False
    is_markable: bool = True
    is_marked: bool = False
