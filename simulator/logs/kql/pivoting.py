"""`evaluate`: the plugins `pivot` and `bag_unpack`; every other plugin is refused.

Source: KQL reference, pivot plugin and bag_unpack plugin.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from simulator.logs.kql.errors import semantic_error, unsupported
from simulator.logs.kql.tokens import Query, matching_close, span_text, split_arguments, string_value

if TYPE_CHECKING:
    from simulator.logs.kql.engine import Run


def evaluate(run: Run, query: Query, index: int) -> str:
    """The plugin's result as a temporary table."""
    stage = query.stages[index]
    arguments = stage.arguments
    if index == 0 or len(arguments) < 3 or arguments[1].text != "(":
        raise unsupported("'evaluate' operator: this form", stage.tokens[0])
    plugin = arguments[0]
    close = matching_close(arguments, 1)
    parts = split_arguments(arguments[2:close])
    source = run.stage(f"{query.preamble} {query.text_of(0, index - 1)}")
    texts = [span_text(query.text, part) for part in parts]
    if plugin.text == "pivot" and texts:
        return _pivot(run, query, source, texts)
    if plugin.text == "bag_unpack" and texts:
        prefix = string_value(parts[1][0]) if len(parts) > 1 and parts[1][0].kind == "string" else ""
        return _bag_unpack(run, source, texts[0], prefix)
    raise semantic_error(f"evaluate: the plugin '{plugin.text}' is not supported in this context.", plugin, "SEM0001")


def _pivot(run: Run, query: Query, source: str, texts: list[str]) -> str:
    pivot = texts[0]
    aggregate = texts[1] if len(texts) > 1 else "count()"
    names = [name for name, _ in run.describe(source)]
    inside = aggregate.partition("(")[2].rpartition(")")[0].strip()
    groups = texts[2:] or [name for name in names if name not in (pivot, inside)]
    by = ", ".join([*groups, f"__pivot = {pivot}"])
    text = f"{query.preamble} {source} | summarize __value = {aggregate} by {by}"
    described = run.describe(text)
    rows = run.execute(text).fetchall()
    headings = sorted({str(row[-2]) for row in rows})
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        table.setdefault(tuple(row[:-2]), {})[str(row[-2])] = row[-1]
    empty = 0 if aggregate.startswith(("count", "sum", "dcount")) else None
    typed = [*described[:-2], *((heading, described[-1][1]) for heading in headings)]
    return run.stage_rows(typed, [(*key, *(cells.get(h, empty) for h in headings)) for key, cells in table.items()])


def _bag_unpack(run: Run, source: str, column: str, prefix: str) -> str:
    described = run.describe(source)
    names = [name for name, _ in described]
    if column not in names:
        raise semantic_error(f"evaluate: Failed to resolve column or scalar expression named '{column}'")
    at = names.index(column)
    rows = run.connection.execute(f'SELECT * FROM "{source}"').fetchall()
    bags = [json.loads(row[at]) if isinstance(row[at], str) else None for row in rows]
    keys = sorted({key for bag in bags if isinstance(bag, dict) for key in bag})
    kinds = {key: _kind([bag[key] for bag in bags if isinstance(bag, dict) and key in bag]) for key in keys}
    made = []
    for row, bag in zip(rows, bags, strict=True):
        cells = [bag.get(key) if isinstance(bag, dict) else None for key in keys]
        made.append(
            (
                *(value for place, value in enumerate(row) if place != at),
                *(json.dumps(cell) if kinds[key] == "JSON" else cell for key, cell in zip(keys, cells, strict=True)),
            )
        )
    typed = [pair for place, pair in enumerate(described) if place != at]
    typed += [(prefix + key, kinds[key]) for key in keys]
    return run.stage_rows(typed, made)


def _kind(values: list[Any]) -> str:
    present = [value for value in values if value is not None]
    for kinds, sql in (((bool,), "BOOLEAN"), ((int,), "BIGINT"), ((int, float), "DOUBLE"), ((str,), "VARCHAR")):
        if present and all(type(value) in kinds for value in present):
            return sql
    return "JSON"
