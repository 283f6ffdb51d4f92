"""`evaluate`: the plugins `pivot` and `bag_unpack`; every other plugin is refused.

Source: KQL reference, pivot plugin and bag_unpack plugin.
"""

from __future__ import annotations

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
    names = [name for name, _ in run.describe(source)]
    if column not in names:
        raise semantic_error(f"evaluate: Failed to resolve column or scalar expression named '{column}'")
    found = run.connection.execute(
        f"SELECT k, list(DISTINCT json_type(bag, '$.\"' || k || '\"')) FROM (SELECT \"{column}\"::JSON AS bag, "
        f'unnest(json_keys("{column}"::JSON)) AS k FROM "{source}" WHERE json_type("{column}"::JSON) = \'OBJECT\') '
        "GROUP BY k ORDER BY k"
    ).fetchall()
    cells = []
    for key, kinds in found:
        path = quoted_path(key)
        value = f'json_extract("{column}"::JSON, {path})'
        sql = _sql_kind(set(kinds) - {"NULL"})
        if sql == "VARCHAR":
            value = f'json_extract_string("{column}"::JSON, {path})'
        cells.append(f', {value}::{sql} AS "{prefix}{key}"')
    return run.stage_sql(f'SELECT * EXCLUDE ("{column}"){"".join(cells)} FROM "{source}"')


def quoted_path(key: str) -> str:
    """The JSON path of a key as a SQL string."""
    return "'$.\"" + key.replace("'", "''").replace('"', "") + "\"'"


def _sql_kind(kinds: set[str]) -> str:
    for allowed, sql in (
        ({"BOOLEAN"}, "BOOLEAN"),
        ({"UBIGINT", "BIGINT"}, "BIGINT"),
        ({"UBIGINT", "BIGINT", "DOUBLE"}, "DOUBLE"),
        ({"VARCHAR"}, "VARCHAR"),
    ):
        if kinds and kinds <= allowed:
            return sql
    return "JSON"
