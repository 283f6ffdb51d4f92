"""What the gateway makes of an expression's value: text for headers and bodies, a bool for conditions."""

from __future__ import annotations

from typing import Any

from apimpolicy.expressions.errors import EvaluationError
from apimpolicy.expressions.text import to_text


def to_policy_string(value: Any) -> str:
    """The value's ToString() in the invariant culture: True/False, 15-digit doubles, "" for null."""
    return to_text(value)


def to_bool(value: Any) -> bool:
    """The value of a condition. Raises EvaluationError when it is neither a bool nor the text of one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise EvaluationError("System.FormatException", f"a condition must be true or false, not '{to_text(value)}'")
