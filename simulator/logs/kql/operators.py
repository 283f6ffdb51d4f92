"""Operators the translator lacks, each as KQL it has or as a stage of its own.

A handler gets the query and the index of its stage and returns the KQL that stands for everything up to and including
that stage, or None when it has nothing to do. Source: KQL reference page of each operator.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from simulator.logs.kql.errors import semantic_error, unsupported
from simulator.logs.kql.nesting import nest_top
from simulator.logs.kql.pivoting import evaluate
from simulator.logs.kql.series import make_series
from simulator.logs.kql.tokens import (
    Query,
    Stage,
    Token,
    matching_close,
    parse_query,
    span_text,
    split_arguments,
    string_value,
    tokenize,
)

if TYPE_CHECKING:
    from simulator.logs.kql.engine import Run

_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")
_PARTITIONS = 64
"""Source: partition operator: the legacy strategy takes at most 64 partitions."""


def name_text(name: str) -> str:
    """A column name as KQL writes it."""
    return name if _PLAIN_NAME.fullmatch(name) else f"['{name}']"


def prefix_of(query: Query, index: int) -> str:
    """The text before a stage, statements included.

    Raises:
        KqlRefusal: nothing stands before it.
    """
    if index == 0:
        raise semantic_error("The operator must have a tabular input.", query.stages[0].tokens[0])
    return f"{query.preamble} {query.text_of(0, index - 1)}"


def _pipeline_before(query: Query, index: int) -> str:
    prefix_of(query, index)
    return query.text_of(0, index - 1)


def _names_in(query: Query, stage: Stage) -> list[list[Token]]:
    return split_arguments(stage.arguments)


def _matching(pattern: str, names: list[str]) -> list[str]:
    return [name for name in names if fnmatch.fnmatchcase(name, pattern)]


def _project_reorder(run: Run, query: Query, index: int) -> str:
    stage = query.stages[index]
    names = [name for name, _ in run.describe(prefix_of(query, index))]
    ordered: list[str] = []
    for part in _names_in(query, stage):
        words = span_text(query.text, part).split()
        found = [name for name in _matching(words[0].strip("[]'\""), names) if name not in ordered]
        if not found and "*" not in words[0]:
            raise _unresolved("project-reorder", part[0])
        direction = words[1].lower() if len(words) > 1 else ""
        if direction:
            found.sort(reverse=direction.endswith("desc"))
        ordered += found
    ordered += [name for name in names if name not in ordered]
    return f"{_pipeline_before(query, index)} | project {', '.join(name_text(name) for name in ordered)}"


def _project_keep(run: Run, query: Query, index: int) -> str:
    stage = query.stages[index]
    names = [name for name, _ in run.describe(prefix_of(query, index))]
    kept: set[str] = set()
    for part in _names_in(query, stage):
        pattern = span_text(query.text, part).replace(" ", "").strip("[]'\"")
        found = _matching(pattern, names)
        if not found and "*" not in pattern:
            raise _unresolved("project-keep", part[0])
        kept.update(found)
    if not kept:
        raise semantic_error("'project-keep' operator: no column is left.", stage.tokens[0])
    listed = ", ".join(name_text(name) for name in names if name in kept)
    return f"{_pipeline_before(query, index)} | project {listed}"


def _unresolved(operator: str, token: Token) -> Exception:
    return semantic_error(
        f"'{operator}' operator: Failed to resolve column or scalar expression named '{token.text}'", token
    )


def _sample(run: Run, query: Query, index: int) -> str:
    count = span_text(query.text, query.stages[index].arguments)
    before = _pipeline_before(query, index)
    return f"{before} | extend __chance = rand() | top {count} by __chance | project-away __chance"


def _sample_distinct(run: Run, query: Query, index: int) -> str:
    count, of, *column = query.stages[index].arguments or [None, None]  # type: ignore[list-item]
    if of is None or of.text != "of" or not column:
        raise unsupported("'sample-distinct' operator: this form", query.stages[index].tokens[0])
    return f"{_pipeline_before(query, index)} | distinct {span_text(query.text, column)} | take {count.text}"


def _serialize(run: Run, query: Query, index: int) -> str:
    before, arguments = _pipeline_before(query, index), query.stages[index].arguments
    return f"{before} | extend {span_text(query.text, arguments)}" if arguments else before


def _top_hitters(run: Run, query: Query, index: int) -> str:
    text, arguments = query.text, query.stages[index].arguments
    words = [token.text for token in arguments]
    if "of" not in words:
        raise unsupported("'top-hitters' operator: this form", query.stages[index].tokens[0])
    of, by = words.index("of"), words.index("by") if "by" in words else len(words)
    column = span_text(text, arguments[of + 1 : by])
    aggregate = f"sum({span_text(text, arguments[by + 1 :])})" if by < len(words) else "count()"
    name = f"approximate_{'sum' if by < len(words) else 'count'}_{column}"
    count = span_text(text, arguments[:of])
    return f"{_pipeline_before(query, index)} | summarize {name} = {aggregate} by {column} | top {count} by {name}"


def _search(run: Run, query: Query, index: int) -> str:
    stage = query.stages[index]
    arguments = stage.arguments
    tables: list[str] = []
    if arguments and arguments[0].text == "kind":
        arguments = arguments[3:]
    if arguments and arguments[0].text == "in" and len(arguments) > 1 and arguments[1].text == "(":
        close = matching_close(arguments, 1) or 1
        tables = [span_text(query.text, part) for part in split_arguments(arguments[2:close])]
        arguments = arguments[close + 1 :]
    if not arguments:
        raise semantic_error("'search' operator: an expression is expected", stage.tokens[0])
    if index > 0:
        columns = run.describe(prefix_of(query, index))
        return f"{_pipeline_before(query, index)} | where {_search_condition(query, arguments, columns)}"
    branches = []
    for table in tables or sorted(run.sources):
        if table not in run.sources:
            raise semantic_error(
                f"'search' operator: Failed to resolve table or column expression named '{table}'", stage.tokens[0]
            )
        condition = _search_condition(query, arguments, run.describe(table))
        branches.append(f"({table} | where {condition} | extend ['$table'] = '{table}')")
    return f"union {', '.join(branches)}" if len(branches) > 1 else branches[0][1:-1]


def _search_condition(query: Query, arguments: list[Token], columns: list[tuple[str, str]]) -> str:
    """A search expression as a `where` condition: bare strings look into every text column."""
    texts = [name for name, kind in columns if kind in ("VARCHAR", "JSON")]
    parts, at = [], 0
    for position, token in enumerate(arguments):
        before = arguments[position - 1].text if position else ""
        if token.kind != "string" or before not in ("", "and", "or", "not", "("):
            continue
        parts.append(query.text[arguments[at].start : token.start] if at < position else "")
        parts.append(f"({_anywhere(string_value(token), texts)})")
        at = position + 1
    if at < len(arguments):
        parts.append(span_text(query.text, arguments[at:]))
    return " ".join(part for part in parts if part)


def _anywhere(term: str, names: list[str]) -> str:
    word = term.strip("*")
    operator = "has"
    if term.startswith("*") and term.endswith("*"):
        operator = "contains"
    elif term.endswith("*"):
        operator = "hasprefix"
    elif term.startswith("*"):
        operator = "hassuffix"
    if not word:
        return "true"
    quoted = word.replace("\\", "\\\\").replace("'", "\\'")
    return " or ".join(f"tostring({name_text(name)}) {operator} '{quoted}'" for name in names) or "false"


def _partition(run: Run, query: Query, index: int) -> str:
    stage = query.stages[index]
    words = [token.text for token in stage.arguments]
    opening = next((i for i, word in enumerate(words) if word in "({"), None)
    if "by" not in words or opening is None or words.index("by") > opening:
        raise unsupported("'partition' operator: this form", stage.tokens[0])
    column = span_text(query.text, stage.arguments[words.index("by") + 1 : opening])
    close = matching_close(stage.arguments, opening)
    inner = stage.arguments[opening + 1 : close]
    whole = run.stage(prefix_of(query, index))
    values = [row[0] for row in run.execute(f"{whole} | distinct {column}").fetchall()]
    if len(values) > _PARTITIONS:
        raise semantic_error(
            f"'partition' operator: the number of partitions ({len(values)}) exceeds the maximum of {_PARTITIONS}.",
            stage.tokens[0],
        )
    results = []
    kinds = dict(run.describe(whole))
    for value in values:
        part = run.stage_rows(list(kinds.items()), [])
        run.connection.execute(
            f'INSERT INTO "{part}" SELECT * FROM "{whole}" WHERE "{column}" IS NOT DISTINCT FROM ?', [value]
        )
        results.append(run.stage(f"{query.preamble} {part} | {span_text(query.text, inner)}"))
    if not results:
        return f"{whole} | take 0"
    return f"union {', '.join(results)}" if len(results) > 1 else results[0]


def _refuse(run: Run, query: Query, index: int) -> str:
    stage = query.stages[index]
    raise unsupported(f"'{stage.operator}' operator", stage.tokens[0])


def resolve_column_ifexists(run: Run, query: Query) -> str | None:
    """The query's text with its first `column_ifexists` decided, None when there is none at the top level."""
    for index, stage in enumerate(query.stages):
        tokens = stage.tokens
        for at, token in enumerate(tokens[:-1]):
            if token.text not in ("column_ifexists", "columnifexists") or tokens[at + 1].text != "(":
                continue
            close = matching_close(tokens, at + 1)
            parts = split_arguments(tokens[at + 2 : close]) if close is not None else []
            if len(parts) != 2 or parts[0][0].kind != "string":
                raise semantic_error(f"{token.text}(): function expects 2 argument(s).", token, "SEM0219")
            names = [name for name, _ in run.describe(prefix_of(query, index))]
            name = string_value(parts[0][0])
            chosen = name_text(name) if name in names else f"({span_text(query.text, parts[1])})"
            assert close is not None
            return query.text[: token.start] + chosen + query.text[tokens[close].end :]
    return None


Handler = Callable[["Run", Query, int], "str | None"]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "project-reorder": _project_reorder,
        "project-keep": _project_keep,
        "sample": _sample,
        "sample-distinct": _sample_distinct,
        "serialize": _serialize,
        "top-hitters": _top_hitters,
        "search": _search,
        "partition": _partition,
        "make-series": make_series,
        "top-nested": nest_top,
        "evaluate": evaluate,
        **dict.fromkeys(("mv-apply", "scan", "fork", "facet", "reduce", "invoke", "find", "externaldata"), _refuse),
    }
)

__all__ = ["HANDLERS", "Handler", "name_text", "parse_query", "prefix_of", "resolve_column_ifexists", "tokenize"]
