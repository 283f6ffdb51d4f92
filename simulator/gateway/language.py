"""Where the gateway meets the policy language: documents become elements, attribute and text values become getters.

A value is either constant or asks the exchange. Whatever goes wrong in an expression is one `PolicyFailure`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from apimpolicy.document import (
    Element,
    ExpressionSource,
    PolicySyntaxError,
    fill_named_values,
    inner_markup,
    parse,
    substitute_named_values,
)
from apimpolicy.expressions import Budget, EvaluationError, compile_expression, to_bool, to_policy_string
from apimpolicy.expressions.context import Body, Headers, Jwt, Response
from simulator.gateway.context import context_of
from simulator.gateway.errors import PolicyFailure, reason_phrase
from simulator.network import HttpResponse

if TYPE_CHECKING:
    from simulator.gateway.exchange import Exchange

__all__ = [
    "BUDGET",
    "Element",
    "Getter",
    "as_bytes",
    "as_number",
    "as_status",
    "as_text",
    "attribute_value",
    "expression_failure",
    "is_true",
    "jwt_variable",
    "read_root",
    "response_from",
    "response_variable",
    "text_value",
]

Getter = Callable[["Exchange"], Any]

BUDGET = Budget(steps=500_000)
"""What one evaluation may use; in steps, so that it does not depend on the machine."""


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Element:
    return parse(text).root


def read_root(text: str, values: Mapping[str, str]) -> Element:
    """The root element of a document or fragment, with named values in place; unknown names stay as they are.

    Values are put into the tree, so that one with quotes does not break the attribute it stands in. Only a document
    that cannot be read without them is read with their text in its own.

    Raises:
        PolicySyntaxError: the text is no policy document.
    """
    if "{{" not in text:
        return _parsed(text)
    try:
        return fill_named_values(_parsed(text), values)
    except PolicySyntaxError:
        return _parsed(substitute_named_values(text, values))


def attribute_value(statement: Element, name: str) -> tuple[bool, Any]:
    """An attribute that is there, as (True, constant) or (False, getter).

    Raises:
        ExpressionError: it is an expression that does not compile.
    """
    attribute = statement.attribute(name)
    if attribute is None:
        raise KeyError(name)
    source = attribute.expression
    return (True, attribute.value) if source is None else _compiled(source)


def text_value(statement: Element, *, strip: bool) -> tuple[bool, Any]:
    """An element's text, as (True, constant) or (False, getter). Markup in it, such as a page's, is text as written.

    Raises:
        ExpressionError: it is an expression that does not compile.
    """
    source = statement.expression
    if source is not None:
        return _compiled(source)
    text = inner_markup(statement)
    return True, text.strip() if strip else text


def _compiled(source: ExpressionSource) -> tuple[bool, Any]:
    compiled = compile_expression(source.text, kind=source.kind, position=source.position)
    if compiled.is_constant:
        return True, compiled.constant_value
    evaluate = compiled.evaluate

    def get(exchange: Exchange) -> Any:
        try:
            return evaluate(exchange.context or context_of(exchange), budget=BUDGET)
        except EvaluationError as error:
            raise expression_failure(error) from error

    return False, get


def expression_failure(error: EvaluationError) -> PolicyFailure:
    """The failure that an expression's exception becomes."""
    return PolicyFailure("ExpressionValueEvaluationFailure", f"Expression evaluation failed. {error.message}")


def as_text(value: Any) -> str:
    """A value as the text of a header, a name or a message."""
    return value if type(value) is str else to_policy_string(value)


def as_bytes(value: Any) -> bytes:
    """A value as a body."""
    if isinstance(value, bytes):
        return value
    if hasattr(value, "to_bytes") and not isinstance(value, int):
        return bytes(value.to_bytes())
    return to_policy_string(value).encode()


def as_number(value: Any) -> float:
    """A value as a number.

    Raises:
        PolicyFailure: it is none.
    """
    try:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(number)
        return number
    except (TypeError, ValueError) as error:
        text = f"'{as_text(value)}' is not a number."
        raise PolicyFailure("ExpressionValueEvaluationFailure", f"Expression evaluation failed. {text}") from error


def as_status(value: Any) -> int:
    """A value as an HTTP status code.

    Raises:
        PolicyFailure: it is none.
    """
    status = as_number(value)
    if not 100 <= status <= 599:
        text = f"Expression evaluation failed. '{as_text(value)}' is not a status code."
        raise PolicyFailure("ExpressionValueEvaluationFailure", text)
    return int(status)


def is_true(value: Any) -> bool:
    """A condition's value as a truth: a bool, or the text of one.

    Raises:
        PolicyFailure: it is neither.
    """
    if value is True or value is False:
        return bool(value)
    try:
        return to_bool(value)
    except EvaluationError as error:
        raise expression_failure(error) from error


def response_variable(response: HttpResponse) -> Response:
    """A response as the value of a variable."""
    reason = response.reason or reason_phrase(response.status)
    return Response(response.status, reason, Headers(response.headers.items()), Body(response.body))


def response_from(value: Any) -> HttpResponse | None:
    """A variable's value as a response to give back, None when it is none."""
    if not isinstance(value, Response):
        return None
    headers = {name.lower(): ",".join(values) for _, (name, values) in value.headers.index.items()}
    content = value.body.content if value.body is not None and not value.body.consumed else b""
    return HttpResponse(value.status_code, headers, content or b"", value.status_reason)


def jwt_variable(header: dict[str, Any], claims: dict[str, Any]) -> Jwt:
    """A validated token as the value of a variable."""
    values = {
        name: [as_text(item) for item in value] if isinstance(value, list) else [as_text(value)]
        for name, value in claims.items()
        if not isinstance(value, dict)
    }
    return Jwt(header, claims, values)
