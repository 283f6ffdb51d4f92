"""Runs a KQL query: translated to SQL where the translator can, in stages where it cannot.

An operator the translator lacks is done by `operators`: it may rewrite the text before it, or ask this engine to run
that text into a temporary table and go on from there.
"""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import duckdb_kql
from duckdb_kql import KqlError

from simulator.logs.kql.errors import KqlRefusal, check_assignments, explain, semantic_error
from simulator.logs.kql.functions import INGESTION_COLUMN, quote_names, register_functions, rewrite_calls
from simulator.logs.kql.operators import HANDLERS, resolve_column_ifexists
from simulator.logs.kql.tokens import parse_query, tokenize

_CACHED_TRANSLATIONS = 256
_BIN = re.compile(
    r"to_timestamp\(floor\(epoch\((?P<column>\"[^\"]+\")\) / epoch\(INTERVAL '(?P<width>\d+[smh])'\)\) "
    r"\* epoch\(INTERVAL '(?P=width)'\)\) AT TIME ZONE 'UTC'"
)
"""How the translator writes `bin(column, 5m)`. The engine's own buckets start at a midnight and take half the time."""
_COALESCED = re.compile(
    r"CASE WHEN CAST\((?P<value>\"[^\"]+\"|CAST\(\d+ AS BIGINT\)) AS VARCHAR\) <> '' THEN (?P=value) END"
)
"""How the translator passes over empty texts in `coalesce`. Numbers are never empty, and a million of them are slow to
write out: the engine asks for the type first, once a query."""
_NUMBER_TYPES = "'SMALLINT', 'INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'TIMESTAMP'"
_DAY_SECONDS = 86_400
_MOMENT = re.compile(r"\bdatetime\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)\)")
_STAND_INS = [f"1987-06-05T04:03:02.0000{number:02d}Z" for number in range(1, 17)]
"""Moments that stand for a query's own while it is translated."""


@dataclass(frozen=True, slots=True)
class Source:
    """One table as a query sees it: its columns in order, and the SELECT that gives them.

    `select(True)` adds the hidden ingestion time.
    """

    columns: tuple[str, ...]
    select: Callable[[bool], str]


@dataclass(slots=True)
class QueryResult:
    """Rows as DuckDB gives them. `types` are SQL type names. `truncated` when there were more than the limit."""

    names: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool
    visualization: str | None = None


@dataclass(slots=True)
class _Translation:
    sql: str
    parameters: tuple[str, ...]


@dataclass(slots=True)
class Run:
    """One query on its way: a connection of its own, the tables it may read and the stages it has made."""

    connection: duckdb.DuckDBPyConnection
    sources: Mapping[str, Source]
    now: datetime
    translations: OrderedDict[tuple[str, ...], _Translation]
    wants_ingestion_time: bool = False
    stages: dict[str, list[str]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def sql_for(self, text: str) -> tuple[str, dict[str, Any]]:
        """The SQL of a KQL text with every table it reads defined, and its parameters."""
        translation = self._translate(text)
        used = [name for name in self.sources if f'"{name}"' in translation.sql]
        tables = ", ".join(
            f'"{name}" AS NOT MATERIALIZED ({self.sources[name].select(self.wants_ingestion_time)})' for name in used
        )
        sql = f"WITH {tables} SELECT * FROM ({translation.sql})" if used else translation.sql
        return sql, dict.fromkeys(translation.parameters, self.now.replace(tzinfo=None))

    def _translate(self, text: str) -> _Translation:
        """The translation of a text; kept by its form, so that a window moving on costs nothing."""
        moments = _MOMENT.findall(text)
        if len(moments) > len(_STAND_INS):
            return self._translate_form(text)
        stand_ins = iter(_STAND_INS)
        translation = self._translate_form(_MOMENT.sub(lambda _: f"datetime({next(stand_ins)})", text))
        sql = translation.sql
        for moment, stand_in in zip(moments, _STAND_INS, strict=False):
            if f"'{stand_in}'" not in sql:
                return self._translate_form(text)
            sql = sql.replace(f"'{stand_in}'", f"'{moment}'")
        return _Translation(sql, translation.parameters)

    def _translate_form(self, text: str) -> _Translation:
        key = (text, str(self.wants_ingestion_time), *(f"{name}:{','.join(c)}" for name, c in self.stages.items()))
        known = self.translations.get(key)
        if known is not None:
            self.translations.move_to_end(key)
            return known
        hidden = [INGESTION_COLUMN] if self.wants_ingestion_time else []
        schema = {name: [*source.columns, *hidden] for name, source in self.sources.items()} | self.stages
        result = duckdb_kql.to_sql(text, schema=schema, query_now=self.now, allow_write=False)
        made = self.translations[key] = _Translation(_quicken(str(result)), tuple(result.parameters))
        if len(self.translations) > _CACHED_TRANSLATIONS:
            self.translations.popitem(last=False)
        return made

    def execute(self, text: str) -> duckdb.DuckDBPyConnection:
        """Run a KQL text; the connection then holds its rows."""
        return self._execute(*self.sql_for(text))

    def _execute(self, sql: str, parameters: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        try:
            return self.connection.execute(sql, parameters) if parameters else self.connection.execute(sql)
        except duckdb.BinderException as error:
            if "INTERVAL and DOUBLE in COALESCE" not in str(error):
                raise
            # The translator gives an average of nothing as NaN, which an average of timespans cannot be.
            return self._execute(sql.replace(", CAST('NaN' AS DOUBLE))", ")"), parameters)

    def describe(self, text: str) -> list[tuple[str, str]]:
        """The columns of a KQL text as (name, SQL type), without reading rows."""
        sql, parameters = self.sql_for(text)
        cursor = self._execute(f"SELECT * FROM ({sql}) LIMIT 0", parameters)
        return [(str(column[0]), str(column[1])) for column in cursor.description or ()]

    def stage(self, text: str) -> str:
        """Run a KQL text into a temporary table; returns its name, usable in KQL from now on."""
        sql, parameters = self.sql_for(text)
        for parameter, value in parameters.items():
            sql = sql.replace(f"${parameter}", f"'{value}'")
        return self.stage_sql(sql)

    def stage_sql(self, sql: str) -> str:
        """Run SQL into a temporary table; returns its name."""
        name = f"__stage{next(self._numbers)}"
        self._execute(f'CREATE TEMP TABLE "{name}" AS SELECT * FROM ({sql})', {})
        return self._adopt(name)

    def stage_rows(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> str:
        """Make a temporary table of ready rows; `columns` are (name, SQL type). Returns its name."""
        name = f"__stage{next(self._numbers)}"
        typed = ", ".join(f'"{column}" {kind}' for column, kind in columns)
        self.connection.execute(f'CREATE TEMP TABLE "{name}" ({typed})')
        if rows:
            cells = ", ".join(f"unnest(?::{kind}[])" for _, kind in columns)
            self.connection.execute(
                f'INSERT INTO "{name}" SELECT {cells}', [list(cell) for cell in zip(*rows, strict=True)]
            )
        return self._adopt(name)

    def _adopt(self, name: str) -> str:
        cursor = self.connection.execute(f'SELECT * FROM "{name}" LIMIT 0')
        self.stages[name] = [str(column[0]) for column in cursor.description or ()]
        return name

    def resolve(self, text: str) -> str:
        """The text with every operator the translator lacks done or rewritten."""
        for _ in range(64):
            query = parse_query(text)
            changed = resolve_column_ifexists(self, query)
            if changed is None:
                for index, stage in enumerate(query.stages):
                    handler = HANDLERS.get(stage.operator.lower())
                    head = handler(self, query, index) if handler is not None else None
                    if head is not None:
                        rest = query.text[query.stages[index].end :]
                        changed = f"{query.preamble} {head}{rest}"
                        break
            if changed is None:
                return text
            text = changed
        raise semantic_error("The query is too complex.")


class KqlEngine:
    """Runs queries over the tables handed to each; keeps translations."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        register_functions()
        self._connection = connection
        self._translations: OrderedDict[tuple[str, ...], _Translation] = OrderedDict()

    def run(self, text: str, sources: Mapping[str, Source], now: datetime, *, row_limit: int) -> QueryResult:
        """Run one query.

        Args:
            now: what `now()` and `ago()` count from (aware, UTC).
            row_limit: rows beyond it are cut off.

        Raises:
            KqlRefusal: the query is wrong, or asks for what this engine does not have.
        """
        if not tokenize(text):
            raise KqlRefusal("SyntaxError", "SYN0001", "The query is empty.")
        check_assignments(text)
        try:
            return self._run(text, sources, now, row_limit)
        except KqlRefusal as refusal:
            quoted = quote_names(text, refusal)
            if quoted is None:
                raise
            try:
                return self._run(quoted, sources, now, row_limit)
            except KqlRefusal as again:
                # A mistake elsewhere stands at another place in the text that was sent.
                raise refusal if again.outer == "SyntaxError" else again from again

    def _run(self, text: str, sources: Mapping[str, Source], now: datetime, row_limit: int) -> QueryResult:
        tokens = tokenize(text)
        wants_ingestion_time = any(token.text == "ingestion_time" for token in tokens)
        connection = self._connection.cursor()
        run = Run(connection, sources, now, self._translations, wants_ingestion_time)
        try:
            cursor = run.execute(run.resolve(rewrite_calls(text)))
            description = [(str(column[0]), str(column[1])) for column in cursor.description or ()]
            rows = cursor.fetchmany(row_limit + 1)
        except (KqlError, duckdb.Error) as error:
            raise explain(error, text) from error
        finally:
            connection.close()
        shown = [at for at, (name, _) in enumerate(description) if name != INGESTION_COLUMN]
        if len(shown) < len(description):
            rows = [tuple(row[at] for at in shown) for row in rows]
        return QueryResult(
            names=[description[at][0] for at in shown],
            types=[description[at][1] for at in shown],
            rows=rows[:row_limit],
            truncated=len(rows) > row_limit,
            visualization=_visualization(text),
        )


def _quicken(sql: str) -> str:
    """The same SQL, in words that this engine is quicker at."""
    return _COALESCED.sub(_without_writing_numbers, _BIN.sub(_bucket, sql))


def _without_writing_numbers(match: re.Match[str]) -> str:
    value = match["value"]
    return f"CASE WHEN typeof({value}) IN ({_NUMBER_TYPES}) OR CAST({value} AS VARCHAR) <> '' THEN {value} END"


def _bucket(match: re.Match[str]) -> str:
    width = match["width"]
    seconds = int(width[:-1]) * {"s": 1, "m": 60, "h": 3600}[width[-1]]
    if seconds == 0 or _DAY_SECONDS % seconds:
        return match[0]
    return f"time_bucket(INTERVAL '{width}', {match['column']})"


def _visualization(text: str) -> str | None:
    stages = parse_query(text).stages
    if stages and stages[-1].operator == "render" and stages[-1].arguments:
        return stages[-1].arguments[0].text
    return None
