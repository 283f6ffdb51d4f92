"""KQL text as tokens with positions, and a query as statements and pipeline stages. Pure text.

Source: "Kusto Query Language" reference: string literals (quoted, verbatim `@`, obfuscated `h`, multi-line), `//`
comments, timespan literals; statements end with `;`, operators follow `|`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[hH]?@"(?:[^"]|"")*"|[hH]?@'(?:[^']|'')*'
      |[hH]?"(?:[^"\\\n]|\\.)*"|[hH]?'(?:[^'\\\n]|\\.)*'|```.*?```|~~~.*?~~~)
  | (?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[A-Za-z]*)
  | (?P<word>[$_A-Za-z][\w$]*)
  | (?P<mark>\.\.|==|=~|!=|!~|<=|>=|=>|<\||!(?=[A-Za-z])|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `line` counts from 1, `column` from 0, as Kusto reports positions."""

    kind: str
    text: str
    start: int
    end: int
    line: int
    column: int


@dataclass(slots=True)
class Stage:
    """One stage of a pipeline: its tokens without the leading `|`. `operator` is `where`, `project-away`, ..."""

    tokens: list[Token]
    operator: str = ""
    operator_width: int = 1

    @property
    def start(self) -> int:
        """Where the stage's text begins."""
        return self.tokens[0].start

    @property
    def end(self) -> int:
        """Where the stage's text ends."""
        return self.tokens[-1].end

    @property
    def arguments(self) -> list[Token]:
        """The tokens after the operator's name."""
        return self.tokens[self.operator_width :]


@dataclass(slots=True)
class Query:
    """A query taken apart: `preamble_end` is where the statements before the final expression end."""

    text: str
    tokens: list[Token]
    preamble_end: int
    stages: list[Stage] = field(default_factory=list)

    @property
    def preamble(self) -> str:
        """The `let` and `set` statements, with their `;`."""
        return self.text[: self.preamble_end]

    def text_of(self, first: int, last: int) -> str:
        """The text of stages first..last (inclusive), pipes between them."""
        return self.text[self.stages[first].start : self.stages[last].end]


def tokenize(text: str) -> list[Token]:
    """The tokens of a text, spaces and comments left out. Never fails: what is no token is a mark of one character."""
    tokens: list[Token] = []
    line, line_start, position = 1, 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(Token(kind, match[0], position, match.end(), line, position - line_start))
        newlines = match[0].count("\n")
        if newlines:
            line += newlines
            line_start = position + match[0].rindex("\n") + 1
        position = match.end()
    return tokens


def parse_query(text: str) -> Query:
    """Split a text into statements and the last one's pipeline."""
    tokens = tokenize(text)
    ends = [token for token in _at_top(tokens) if token.text == ";"]
    while ends and ends[-1] is tokens[-1]:
        ends.pop()
        tokens = tokens[:-1]
    preamble_end = ends[-1].end if ends else 0
    body = [token for token in tokens if token.start >= preamble_end]
    query = Query(text, tokens, preamble_end)
    query.stages = split_stages(body)
    return query


def split_stages(tokens: list[Token]) -> list[Stage]:
    """The stages of one pipeline, in order."""
    stages: list[Stage] = []
    current: list[Token] = []
    bars = {token.start for token in _at_top(tokens) if token.text == "|"}
    for token in tokens:
        if token.start in bars:
            if current:
                stages.append(_stage(current))
            current = []
        else:
            current.append(token)
    if current:
        stages.append(_stage(current))
    return stages


def _stage(tokens: list[Token]) -> Stage:
    width, name, end = 1, tokens[0].text, tokens[0].end
    while (
        len(tokens) > width + 1
        and tokens[width].text == "-"
        and tokens[width].start == end
        and tokens[width + 1].kind == "word"
        and tokens[width + 1].start == tokens[width].end
    ):
        name += "-" + tokens[width + 1].text
        end = tokens[width + 1].end
        width += 2
    return Stage(tokens, name, width)


def _at_top(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        if token.text in _OPENING and token.kind == "mark":
            depth += 1
        elif token.text in _CLOSING and token.kind == "mark":
            depth = max(0, depth - 1)
        elif depth == 0:
            yield token


def matching_close(tokens: list[Token], opening: int) -> int | None:
    """The index of the bracket that closes the one at index `opening`, None when none does."""
    depth = 0
    for index in range(opening, len(tokens)):
        token = tokens[index]
        if token.kind != "mark":
            continue
        if token.text in _OPENING:
            depth += 1
        elif token.text in _CLOSING:
            depth -= 1
            if depth == 0:
                return index
    return None


def split_arguments(tokens: list[Token]) -> list[list[Token]]:
    """Tokens between a pair of brackets, split at its commas."""
    parts: list[list[Token]] = [[]]
    commas = {token.start for token in _at_top(tokens) if token.text == ","}
    for token in tokens:
        if token.start in commas:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def span_text(text: str, tokens: list[Token]) -> str:
    """The text that a run of tokens covers."""
    return text[tokens[0].start : tokens[-1].end] if tokens else ""


def string_value(token: Token) -> str:
    """What a string token says."""
    text = token.text.lstrip("hH")
    if text.startswith("@"):
        return text[2:-1].replace(text[1] * 2, text[1])
    if text.startswith(("```", "~~~")):
        return text[3:-3]
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), text[1:-1])
