"""Where the gateway meets the policy language: documents become elements, attribute and text values become getters.

A value is either constant or asks the exchange. Everything that fails in an expression is one `PolicyFailure`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

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
    import re

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
