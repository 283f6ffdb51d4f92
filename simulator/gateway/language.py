"""Where the gateway meets the policy language: documents become elements, attribute and text values become getters.

A value is either constant or asks the exchange. Everything that fails in an expression is one `PolicyFailure`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from simulator.network import HttpResponse

if TYPE_CHECKING:
    from simulator.gateway.exchange import Exchange

Getter = Callable[["Exchange"], Any]


class Element:
    """Interim: well-formed documents only."""

    def __init__(self, node: ET.Element) -> None:
        self.name = node.tag
        self._node = node
        self.elements = [Element(child) for child in node]
        self.text_content = node.text or ""

    def get(self, name: str, default: str | None = None) -> str | None:
        return self._node.get(name, default)


@lru_cache(maxsize=512)
def parse_root(text: str) -> Element:
    fixed = re.sub(r'"@\((.*?)\)"', lambda m: '"@(' + m[1].replace("&", "&amp;").replace("<", "&lt;") + ')"', text)
    return Element(ET.fromstring(fixed))


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
