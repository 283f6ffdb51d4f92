"""Expressions: C# that does not parse, types that are not allowed, comments that will bite.

Source: "API Management policy expressions" (Microsoft Learn), the list of allowed .NET types.
"""

from __future__ import annotations

import re
from typing import Final

from apimpolicy.code_extent import code_spans
from apimpolicy.document import Document, ExpressionSource
from apimpolicy.lint.findings import Report
from apimpolicy.lint.walk import Value, values
from apimpolicy.position import Position
from apimpolicy.tree import advance, begins_expression

_NAMED_VALUE: Final = re.compile(r"\{\{[A-Za-z0-9\-._]+\}\}")
_STAND_INS: Final = ("named_value", "0", "true", '"value"', "")
_DISALLOWED: Final = re.compile(
    r"(?:(?<![.\w])|System\.(?:\w+\.)*)"
    r"(HttpClient|HttpWebRequest|WebClient|WebRequest|Thread|ThreadPool|Task|Process|File|FileStream|Directory|Assembly|"
    r"Activator|AppDomain|Environment|Console|Socket|TcpClient|Registry|Marshal|GC)\s*[.(<]"
)
_PRESERVE: Final = re.compile(r"\bcontext\s*\.\s*(Request|Response)\s*\.\s*Body\s*\??\.\s*As\s*<[^()]*>\s*\(\s*\)")
_MESSAGE: Final = re.compile(
    r"\bStatusReason\b|\bLastError\s*\??\.\s*Message\b\s*(?:==|!=|\??\.\s*(?:Contains|Equals|StartsWith|EndsWith|IndexOf)\b)"
)


def check_expressions(document: Document, report: Report) -> None:
    """Every expression in attributes and text."""
    for value in values(document):
        expression = value.expression
        if expression is not None:
            _check(value, expression, report)
        elif begins_expression(value.text):
            report.add(
                "APIM108",
                "text follows the end of this expression, so that all of it is taken literally: "
                "put it inside the expression",
                value.position,
            )


def _check(value: Value, expression: ExpressionSource, report: Report) -> None:
    code = "".join(
        expression.text[start:end] if kind == "code" else _blank(expression.text[start:end])
        for start, end, kind in code_spans(expression.text)
    )
    if _syntax(expression, report):
        _types(expression, code, report)
    match = _MESSAGE.search(code)
    if match is not None and _compares(code, match):
        report.add(
            "APIM205",
            "this decides by a message text that Azure may change: compare the status code or LastError.Reason",
            _at(expression, match.start()),
        )
    _bodies(value, expression, code, report)
    _comments(value, expression, report)


def _compares(code: str, match: re.Match[str]) -> bool:
    if not match.group().startswith("StatusReason"):
        return True
    return (
        re.match(r"\s*(?:==|!=|\??\.\s*(?:Contains|Equals|StartsWith|EndsWith|IndexOf)\b)", code[match.end() :])
        is not None
    )


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)


def _at(expression: ExpressionSource, offset: int) -> Position:
    return advance(expression.position, expression.text[:offset])


def _syntax(expression: ExpressionSource, report: Report) -> bool:
    """Whether the expression may be looked at further."""
    from apimpolicy.expressions.compiler import compile_expression
    from apimpolicy.expressions.errors import ExpressionError
    from apimpolicy.expressions.syntax import has_syntax_error

    candidates = [expression.text]
    if _NAMED_VALUE.search(expression.text) is not None:
        candidates = [_NAMED_VALUE.sub(lambda _, word=word: word, expression.text) for word in _STAND_INS]  # type: ignore[misc]
    if all(has_syntax_error(candidate, expression.kind) for candidate in candidates):
        report.add("APIM012", _syntax_sentence(expression, candidates[0]), _syntax_position(expression, candidates[0]))
        return False
    if len(candidates) == 1:
        try:
            compile_expression(expression.text, kind=expression.kind, position=expression.position)
        except ExpressionError as error:
            report.add(
                "APIM109",
                f"{error.message}: the embedded gateway cannot evaluate this, and a real one may refuse it",
                error.position or expression.position,
            )
    return True


def _syntax_error(expression: ExpressionSource, text: str) -> tuple[str, Position]:
    from apimpolicy.expressions.compiler import compile_expression
    from apimpolicy.expressions.errors import ExpressionError

    try:
        compile_expression(text, kind=expression.kind, position=expression.position)
    except ExpressionError as error:
        return error.message, error.position or expression.position
    return "C# syntax error", expression.position


def _syntax_sentence(expression: ExpressionSource, text: str) -> str:
    return f"the expression does not parse as C#: {_syntax_error(expression, text)[0]}"


def _syntax_position(expression: ExpressionSource, text: str) -> Position:
    return _syntax_error(expression, text)[1]


def _types(expression: ExpressionSource, code: str, report: Report) -> None:
    for match in _DISALLOWED.finditer(code):
        report.add(
            "APIM013",
            f"policy expressions may not use {match[1]}: use a policy element instead",
            _at(expression, match.start(1)),
        )


def _bodies(value: Value, expression: ExpressionSource, code: str, report: Report) -> None:
    element = value.visit.element.name
    if element == "set-body" or value.visit.inside("return-response"):
        return
    for match in _PRESERVE.finditer(code):
        body = match[1].lower()
        if body == "response" and value.visit.section not in ("outbound", None):
            continue
        report.add(
            "APIM211",
            f"this consumes the {body} body, so that nothing is left to pass on: read it with preserveContent: true",
            _at(expression, match.start()),
        )


def _comments(value: Value, expression: ExpressionSource, report: Report) -> None:
    if value.attribute is None or "\n" not in expression.text:
        return
    for start, end, kind in code_spans(expression.text):
        if kind == "comment" and expression.text.startswith("//", start) and expression.text[end:].strip():
            report.add(
                "APIM210",
                "this // comment swallows the code after it when a tool joins the attribute's lines: use /* */",
                _at(expression, start),
            )
            return
