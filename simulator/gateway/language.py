"""Where the gateway meets the policy language: documents become elements, attribute and text values become getters.

A value is either constant or asks the exchange. Everything that fails in an expression is one `PolicyFailure`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from apimpolicy.document import Element, parse, substitute_named_values
from simulator.network import HttpResponse

if TYPE_CHECKING:
    from simulator.gateway.exchange import Exchange

Getter = Callable[["Exchange"], Any]


@lru_cache(maxsize=1024)
def parse_root(text: str) -> Element:
    """The root element of a document or fragment whose named values are already substituted.

    Raises:
        PolicySyntaxError: the text is no policy document.
    """
    return parse(text).root


def with_named_values(text: str, values: Mapping[str, str]) -> str:
    """The text with every `{{name}}` replaced; unknown names stay as they are."""
    return substitute_named_values(text, values) if "{{" in text else text


def compile_value(text: str) -> tuple[bool, Any]:
    """(True, constant) or (False, getter)."""
    stripped = text.strip()
    if not stripped.startswith("@("):
        return True, text
    code = stripped[2:-1].replace("&&", " and ").replace("||", " or ").replace("!= null", "is not None")
    code = code.replace("context.Response.StatusCode", "x.response.status").replace("context.Response", "x.response")
    compiled = compile(code, "policy", "eval")
    return False, lambda x: eval(compiled, {"x": x})


def attribute_value(statement: Element, name: str) -> tuple[bool, Any]:
    return compile_value(statement.get(name) or "")


def text_value(statement: Element, *, strip: bool) -> tuple[bool, Any]:
    text = statement.text_content
    return compile_value(text.strip() if strip else text)


def as_text(value: Any) -> str:
    return "" if value is None else str(value)


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode()


def as_number(value: Any) -> float:
    return float(value)


def is_true(value: Any) -> bool:
    """A condition's value as a truth: a bool, or the text of one."""
    return value if isinstance(value, bool) else str(value).strip().lower() == "true"


def response_from(value: Any) -> HttpResponse | None:
    return value if isinstance(value, HttpResponse) else None


def response_variable(response: HttpResponse) -> Any:
    return response


def jwt_variable(header: dict[str, Any], claims: dict[str, Any]) -> Any:
    return claims
