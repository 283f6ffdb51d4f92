"""Which columns the fleet shows in the width at hand, and how wide each is.

Pure. Columns leave by importance, never health, utilization or the 429s. Where even these are too wide they shrink
first: a row nobody can name tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from screens.table import GUTTER, GridColumn


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """A column before it meets a width. `rank` 0 is always shown; the highest rank leaves first."""

    key: str
    title: str
    unit: str
    narrowest: int
    widest: int
    rank: int
    right: bool = False


PLANS = (
    ColumnPlan("backend", "BACKEND", "", 14, 40, 0),
    ColumnPlan("kind", "KIND", "", 4, 4, 1),
    ColumnPlan("pool", "POOL", "", 10, 28, 8),
    ColumnPlan("priority", "PRI", "", 3, 3, 3, right=True),
    ColumnPlan("weight", "WT", "", 4, 4, 4, right=True),
    ColumnPlan("health", "HEALTH", "", 13, 13, 0),
    ColumnPlan("utilization", "UTIL", "of capacity", 11, 22, 0),
    ColumnPlan("requests", "REQ", "/min", 6, 7, 2, right=True),
    ColumnPlan("model_throttled", "429", "model", 6, 8, 0, right=True),
    ColumnPlan("caller_throttled", "429", "caller", 6, 8, 0, right=True),
    ColumnPlan("errors", "ERR", "failed", 6, 8, 6, right=True),
    ColumnPlan("latency", "P95", "", 6, 6, 5, right=True),
    ColumnPlan("tokens", "TOKENS", "/min", 7, 7, 10, right=True),
    ColumnPlan("trend", "TREND", "60m requests", 12, 60, 7),
    ColumnPlan("age", "AGE", "of data", 7, 7, 9, right=True),
)
"""In the order they stand."""

SHRINKING = (
    ("backend", 14),
    ("utilization", 5),
    ("health", 3),
    ("model_throttled", 5),
    ("caller_throttled", 5),
    ("backend", 1),
)
"""What gives way, and down to which width, where the columns that never leave do not fit."""

LONG_NAME_WIDTH = 28
"""What a name gets that would not fit its widest column anyway: its start and its end tell it apart."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns with their widths and the gap between them; `width` is what they take in all."""

    columns: tuple[GridColumn, ...]
    gap: int
    width: int

    def width_of(self, key: str) -> int:
        """The width of a column, 0 when it is not shown."""
        return next((column.width for column in self.columns if column.key == key), 0)


def fit_columns(width: int, *, longest_name: int, is_grouped: bool) -> Layout:
    """The columns for a terminal of `width` columns. `longest_name` is the widest backend cell; groups say the pool."""
    plans = [plan for plan in PLANS if plan.key != "pool" or not is_grouped]
    room = width - GUTTER
    shown = [plan for plan in plans if plan.rank == 0]
    wanted = {plan.key: plan.narrowest for plan in plans}
    wanted["backend"] = max(wanted["backend"], min(longest_name, 22))
    needed = sum(wanted[plan.key] + 1 for plan in shown)
    for plan in sorted((plan for plan in plans if plan.rank), key=lambda plan: plan.rank):
        if needed + wanted[plan.key] + 1 > room:
            break
        needed += wanted[plan.key] + 1
        shown.append(plan)
    for key, least in SHRINKING:
        wanted[key] = max(min(least, wanted[key]), wanted[key] - max(0, needed - room))
        needed = sum(wanted[plan.key] + 1 for plan in shown)
    spare = max(0, room - needed)
    keys = {plan.key for plan in shown}
    widest = {plan.key: plan.widest for plan in PLANS}
    widest_name = longest_name if longest_name <= widest["backend"] else LONG_NAME_WIDTH
    widest["backend"] = max(widest_name, wanted["backend"])

    def widen(key: str, limit: int) -> None:
        nonlocal spare
        if key in keys:
            more = max(0, min(spare, min(limit, widest[key]) - wanted[key]))
            wanted[key] += more
            spare -= more

    widen("backend", 32)
    widen("utilization", 14)
    widen("pool", 18)
    gap = 1
    if spare >= len(shown):
        gap, spare = 2, spare - len(shown)
    for key, limit in (("trend", 30), ("utilization", 22), ("backend", 40), ("trend", 60), ("pool", 28)):
        widen(key, limit)
    columns = tuple(
        GridColumn(plan.key, plan.title, plan.unit, wanted[plan.key], plan.right) for plan in plans if plan.key in keys
    )
    return Layout(columns, gap, GUTTER + sum(column.width + gap for column in columns))
