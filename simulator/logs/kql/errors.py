"""What is wrong with a query, in Kusto's own words, with line and position.

Source: Log Analytics query API error bodies as customers see them (azure-sdk logs, azure-cli-extensions discussion
3002): the outer code BadArgumentError, then SyntaxError "A recognition error occurred in the query." with SYN0002,
line, pos and token; or SemanticError "A semantic error occurred." with SEM0100.
"""

from __future__ import annotations

import re
from typing import Any

import duckdb
from duckdb_kql import KqlError, KqlSchemaError, KqlSyntaxError, KqlUnsupportedError

from simulator.logs.kql.tokens import Query, Stage, Token, parse_query

_MISSING_COLUMN = re.compile(
    r'Referenced column "([^"]*)" not found|Table ".*?" does not have a column named "([^"]*)"'
)
_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")
_COMPARISON = re.compile(r"Cannot compare values of type (\w+).*? and (?:values of )?type (\w+)")
_KUSTO_TYPES = {
    "VARCHAR": "string",
    "BIGINT": "long",
    "INTEGER": "int",
    "SMALLINT": "int",
    "DOUBLE": "real",
    "BOOLEAN": "bool",
    "TIMESTAMP": "datetime",
    "INTERVAL": "timespan",
    "JSON": "dynamic",
}
OPERATORS = frozenset(
    [
        "as",
        "consume",
        "count",
        "datatable",
        "distinct",
        "evaluate",
        "extend",
        "externaldata",
        "facet",
        "find",
        "fork",
        "getschema",
        "invoke",
        "join",
        "limit",
        "lookup",
        "make-series",
        "materialize",
        "mv-apply",
        "mv-expand",
        "order",
        "parse",
        "parse-kv",
        "parse-where",
        "partition",
        "print",
        "project",
        "project-away",
        "project-keep",
        "project-rename",
        "project-reorder",
        "range",
        "reduce",
        "render",
        "sample",
        "sample-distinct",
        "scan",
        "search",
        "serialize",
        "sort",
        "summarize",
        "take",
        "top",
        "top-hitters",
        "top-nested",
        "union",
        "where",
        "filter",
    ]
)


class KqlRefusal(Exception):
    """A query that Kusto would refuse. `outer` is SyntaxError or SemanticError; `token` is where, when known."""

    def __init__(self, outer: str, code: str, message: str, token: Token | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.outer = outer
        self.code = code
        self.message = message
        self.token = token

    def as_inner_error(self) -> dict[str, Any]:
        """The `innererror` of the body."""
        inner: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.token is not None:
            inner |= {"line": self.token.line, "pos": self.token.column, "token": self.token.text}
        said = "A recognition error occurred in the query."
        return {
            "code": self.outer,
            "message": said if self.outer == "SyntaxError" else "A semantic error occurred.",
            "innererror": inner,
        }


def syntax_error(token: Token) -> KqlRefusal:
    """SYN0002 at a token."""
    message = f"Query could not be parsed at '{token.text}' on line [{token.line},{token.column}]"
    return KqlRefusal("SyntaxError", "SYN0002", message, token)


def semantic_error(message: str, token: Token | None = None, code: str = "SEM0100") -> KqlRefusal:
    """A semantic error; the position is added when a token is given, as Kusto appends it."""
    return KqlRefusal("SemanticError", code, message, token)


def unsupported(what: str, token: Token | None) -> KqlRefusal:
    """SEM0001: a part of the language that this engine refuses. Assumed: the code."""
    return semantic_error(f"{what} is not supported in this context.", token, "SEM0001")


def check_assignments(text: str) -> None:
    """Refuse `where a = 5`, which the grammar at hand lets through.

    Raises:
        KqlRefusal: SYN0002 at the `=`.
    """
    for stage in parse_query(text).stages:
        if stage.operator not in ("where", "filter"):
            continue
        depth = 0
        for token in stage.arguments:
            if token.kind == "mark":
                depth += (token.text in "([{") - (token.text in ")]}")
            if depth == 0 and token.text == "=":
                raise syntax_error(token)


def explain(error: Exception, text: str) -> KqlRefusal:
    """The refusal that an error of the translator or of DuckDB stands for, located in the query's own text."""
    query = parse_query(text)
    if isinstance(error, KqlSyntaxError):
        return _explain_syntax(error, query)
    if isinstance(error, KqlUnsupportedError):
        return _explain_unsupported(error, query)
    if isinstance(error, KqlSchemaError):
        if "unknown table" in (error.hint or ""):
            return _unresolved_table(error.name.rsplit(".", 1)[-1], query)
        return semantic_error(f"Failed to resolve the name '{error.name}': {error.hint or 'it is not known'}.")
    if isinstance(error, duckdb.Error):
        return _explain_engine(str(error), query)
    if isinstance(error, KqlError):
        return semantic_error(str(error))
    return semantic_error(f"The query could not be executed: {error}")


def _explain_syntax(error: KqlSyntaxError, query: Query) -> KqlRefusal:
    span = error.diagnostics[0].span
    tokens = query.tokens
    if not tokens:
        return KqlRefusal("SyntaxError", "SYN0001", "The query is empty.")
    at = next((i for i, t in enumerate(tokens) if (t.line, t.column) >= (span.line, span.column)), None)
    following = next(
        (s for s in query.stages if at is not None and at + 1 < len(tokens) and s.tokens[0] is tokens[at + 1]), None
    )
    if (
        following is not None
        and following is query.stages[-1]
        and not following.arguments
        and following.operator in OPERATORS
    ):
        at = None
    if at is None:
        last = tokens[-1]
        end = Token("end", "<EOF>", last.end, last.end, last.line, last.column + len(last.text))
        return KqlRefusal(
            "SyntaxError",
            "SYN0002",
            f"Query could not be parsed at end of input on line [{end.line},{end.column}]",
            end,
        )
    # The grammar gives up at the bar; Kusto points at the word behind it when that is no operator.
    if tokens[at].text == "|":
        if at + 1 < len(tokens):
            if following is None or following.operator.lower() not in OPERATORS:
                return syntax_error(tokens[at + 1])
            if following.operator_width < len(following.tokens):
                return syntax_error(following.tokens[following.operator_width])
        return syntax_error(tokens[at])
    return syntax_error(tokens[at])


def _explain_unsupported(error: KqlUnsupportedError, query: Query) -> KqlRefusal:
    kind, _, name = error.construct.rpartition(":")
    if kind in ("function", "aggregate"):
        token = next((t for t in query.tokens if t.kind == "word" and t.text == name), None)
        return semantic_error(f"Unknown function: '{name}'.", token, "SEM0260")
    span = error.span
    token = None
    if span is not None:
        token = next(
            (t for t in query.tokens if (t.line, t.column) >= (span.line, span.column) and t.text != "|"), None
        )
    stage = next((s for s in query.stages if token is not None and s.start <= token.start < s.end), None)
    word = stage.operator if stage is not None and stage.operator in OPERATORS else (token.text if token else name)
    return unsupported(f"'{word}' operator: this form", token)


def _explain_engine(message: str, query: Query) -> KqlRefusal:
    column = _MISSING_COLUMN.search(message)
    if column is not None:
        name = column[1] or column[2]
        token, stage = _locate(name, query)
        where = f"'{stage.operator}' operator: " if stage is not None and stage.operator in OPERATORS else ""
        return semantic_error(f"{where}Failed to resolve column or scalar expression named '{name}'", token)
    table = _MISSING_TABLE.search(message)
    if table is not None:
        return _unresolved_table(table[1], query)
    types = _COMPARISON.search(message)
    if types is not None:
        left, right = (_KUSTO_TYPES.get(name, name.lower()) for name in types.groups())
        return semantic_error(
            f"Cannot compare values of types {left} and {right}. Try adding explicit casts.", code="SEM0064"
        )
    first_line = message.partition("\n")[0].partition(": ")[2] or message
    return semantic_error(f"The expression could not be evaluated: {first_line}", code="SEM0001")


def _unresolved_table(name: str, query: Query) -> KqlRefusal:
    token, _ = _locate(name, query)
    operator = next((s.operator for s in query.stages[1:] if s.operator in OPERATORS), "")
    where = f"'{operator}' operator: " if operator else ""
    return semantic_error(f"{where}Failed to resolve table or column expression named '{name}'", token)


def _locate(name: str, query: Query) -> tuple[Token | None, Stage | None]:
    for stage in query.stages:
        for token in stage.tokens:
            if token.kind == "word" and token.text == name:
                return token, stage
    return next((t for t in query.tokens if t.kind == "word" and t.text == name), None), None
