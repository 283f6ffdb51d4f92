"""`top-nested`: the top values of one expression, and within each the top values of the next.

Source: KQL reference, top-nested operator: per level the expression's column and `aggregated_<name>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.logs.kql.errors import semantic_error, unsupported
from simulator.logs.kql.tokens import Query, Token, span_text, split_arguments

if TYPE_CHECKING:
    from simulator.logs.kql.engine import Run


def nest_top(run: Run, query: Query, index: int) -> str:
    """The stage as a temporary table. `with others` is refused."""
    stage = query.stages[index]
    if index == 0:
        raise semantic_error("'top-nested' operator: a tabular input is expected", stage.tokens[0])
    source = run.stage(f"{query.preamble} {query.text_of(0, index - 1)}")
    clauses = split_arguments(stage.tokens)
    columns: list[tuple[str, str]] = []
    survivors: list[tuple[tuple[Any, ...], tuple[Any, ...]]] = [((), ())]
    expressions: list[str] = []
    for clause in clauses:
        count, name, expression, aggregate, ascending = _clause(query.text, clause)
        expressions.append(f"{name} = {expression}")
        text = f"{query.preamble} {source} | summarize aggregated_{name} = {aggregate} by {', '.join(expressions)}"
        described = run.describe(text)
        rows = run.execute(text).fetchall()
        children: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        for row in rows:
            children.setdefault(tuple(row[: len(expressions) - 1]), []).append(row)
        kept: list[tuple[tuple[Any, ...], tuple[Any, ...]]] = []
        for path, figures in survivors:
            ranked = sorted(children.get(path, []), key=lambda row: (row[-1] is None, row[-1]), reverse=not ascending)
            for row in ranked[:count]:
                kept.append((tuple(row[:-1]), (*figures, row[-2], row[-1])))
        survivors = kept
        columns += [described[-2], described[-1]]
    return run.stage_rows(columns, [figures for _, figures in survivors])


def _clause(text: str, tokens: list[Token]) -> tuple[int | None, str, str, str, bool]:
    """(how many or None for all, column name, expression, aggregate, ascending) of one `top-nested` clause."""
    words = [token.text for token in tokens]
    if words[:3] != ["top", "-", "nested"] or "of" not in words or "by" not in words or "others" in words:
        raise unsupported("'top-nested' operator: this form", tokens[0])
    of, by = words.index("of"), words.index("by")
    ascending = words[-1] == "asc"
    aggregate = tokens[by + 1 : -1] if words[-1] in ("asc", "desc") else tokens[by + 1 :]
    expression = tokens[of + 1 : by]
    if len(expression) > 2 and expression[1].text == "=":
        name, value = expression[0].text, span_text(text, expression[2:])
    elif len(expression) == 1:
        name = value = expression[0].text
    else:
        name, value = f"Column{of}", span_text(text, expression)
    if "=" in [token.text for token in aggregate[:2]]:
        raise unsupported("'top-nested' operator: a named aggregate", aggregate[0])
    count = int(words[3]) if of > 3 else None
    return count, name, value, span_text(text, aggregate), ascending
