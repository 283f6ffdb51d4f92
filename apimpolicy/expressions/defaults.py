"""default(T) for every type; library modules add how their own structs begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.types import (
    CType,
)


def default_of(kind: CType) -> Any:
    """default(T)."""
    if not kind.is_value or kind.name == "Nullable":
        return None
    if kind.name == "bool":
        return False
    if kind.name in ("double", "float"):
        return 0.0
    special = DEFAULTS.get(kind.name)
    if special is not None:
        return special(kind)
    if kind.definition.kind == "enum":
        from apimpolicy.expressions.types import enum_value

        return enum_value(kind.definition, 0)
    return 0


DEFAULTS: Final[dict[str, Callable[[CType], Any]]] = {}
