"""The `$filter` of metrics queries: comparisons of dimensions, `or` only within one dimension. Pure text.

Source: Metrics - List (2024-02-01), parameter `$filter`: grammar, the invalid variant, and round brackets that come
double-encoded (`%2528`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from simulator.monitor.errors import bad_request

_TERM = re.compile(r"\s*(?P<name>[^'\s][^']*?)\s+(?P<operator>eq|ne|sw)\s+'(?P<value>(?:[^']|'')*)'", re.IGNORECASE)
_JOIN = re.compile(r"\s*(?P<join>and|or)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """What one dimension must be. `name` is lower-case; values compare without case; `*` among `equal` takes any."""

    name: str
    equal: tuple[str, ...]
    unequal: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def accepts(self, value: str) -> bool:
        """Whether a dimension value fits."""
        lowered = value.lower()
        if lowered in self.unequal:
            return False
        if not self.equal and not self.prefixes:
            return True
        return "*" in self.equal or lowered in self.equal or any(lowered.startswith(prefix) for prefix in self.prefixes)


def parse_filter(text: str) -> tuple[Condition, ...]:
    """Conditions in the order their dimensions first appear; none for an empty text.

    Raises:
        MetricsError: 400, when it does not follow the grammar or `or` joins two dimensions.
    """
    found: dict[str, dict[str, list[str]]] = {}
    position, before, join = 0, "", ""
    body = text.strip()
    while position < len(body):
        term = _TERM.match(body, position)
        if term is None:
            raise bad_request(f"Invalid filter: '{text}' at position {position}.")
        name = unquote(term["name"]).strip().lower()
        value = unquote(term["value"]).replace("''", "'").lower()
        if join == "or" and name != before:
            raise bad_request(
                f"Invalid filter: '{text}'. The logical 'or' operator cannot separate two different metadata names."
            )
        kind = {"eq": "equal", "ne": "unequal", "sw": "prefixes"}[term["operator"].lower()]
        found.setdefault(name, {"equal": [], "unequal": [], "prefixes": []})[kind].append(value)
        before, position, join = name, term.end(), ""
        joint = _JOIN.match(body, position)
        if joint is not None:
            join, position = joint["join"].lower(), joint.end()
        if (joint is None) != (position >= len(body)):
            raise bad_request(f"Invalid filter: '{text}' at position {position}.")
    return tuple(
        Condition(name, tuple(kinds["equal"]), tuple(kinds["unequal"]), tuple(kinds["prefixes"]))
        for name, kinds in found.items()
    )
