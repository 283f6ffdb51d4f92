"""Values inside a template: paths into JSON-like data, literals, conditions, and how a value becomes text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulator.gateway.liquid.errors import LiquidError
from simulator.gateway.liquid.filters import FILTERS

Variables = Mapping[str, Any]
Value = Callable[[Variables], Any]

_STRING: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_RANGE: Final = re.compile(r"\(\s*([\w.\-]+)\s*\.\.\s*([\w.\-]+)\s*\)")
_PATH: Final = re.compile(r"[A-Za-z_][\w\-]*")
_STEP: Final = re.compile(r"\.([\w\-]+)|\[\s*((?:\"[^\"]*\"|'[^']*'|[^\]]+))\s*\]")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "nil": None, "null": None, "empty": "", "blank": ""}
_COMPARISON: Final = re.compile(r"\s(==|!=|<>|<=|>=|<|>|contains)\s")
_MOST_RANGE: Final = 10_000


def parse_value(text: str) -> Value:
    """A literal, a range or a path. Raises LiquidError."""
    source = text.strip()
    if _STRING.fullmatch(source):
        return _constant(source[1:-1])
    if (number := _NUMBER.fullmatch(source)) is not None:
        return _constant(float(source) if number[1] else int(source))
    if source in _WORDS:
        return _constant(_WORDS[source])
    if (span := _RANGE.fullmatch(source)) is not None:
        return _range(parse_value(span[1]), parse_value(span[2]))
    return _path(source)


def _constant(value: Any) -> Value:
    return lambda variables: value


def _range(first: Value, last: Value) -> Value:
    def get(variables: Variables) -> list[int]:
        begin, end = as_number(first(variables)), as_number(last(variables))
        return list(range(int(begin), min(int(end), int(begin) + _MOST_RANGE) + 1))

    return get


def _path(source: str) -> Value:
    head = _PATH.match(source)
    if head is None:
        raise LiquidError(f"'{source}' is not a value of a Liquid template")
    steps: list[str | int | Value] = []
    at = head.end()
    while at < len(source):
        step = _STEP.match(source, at)
        if step is None:
            raise LiquidError(f"'{source}' is not a value of a Liquid template")
        steps.append(step[1] if step[1] is not None else parse_value(step[2]))
        at = step.end()
    name = head.group()

    def get(variables: Variables) -> Any:
        value = variables.get(name)
        for step in steps:
            value = member(value, step(variables) if callable(step) else step)
        return value

    return get


def member(value: Any, name: Any) -> Any:
    """One step of a path; None where there is nothing. Names match exactly, else without case."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        lowered = str(name).lower()
        found = next((value[key] for key in value if str(key).lower() == lowered), None)
        return len(value) if found is None and lowered == "size" else found
    if isinstance(value, list | str):
        if str(name).lower() == "size":
            return len(value)
        if isinstance(value, list):
            index = {"first": 0, "last": -1}.get(str(name).lower(), name)
            if isinstance(index, str) and index.lstrip("-").isdecimal():
                index = int(index)
            if isinstance(index, int) and -len(value) <= index < len(value):
                return value[index]
    return None


def as_number(value: Any) -> float:
    """A value as a number; 0 where it is none, as Liquid has it."""
    try:
        return float(value) if value is not None else 0.0
    except (TypeError, ValueError):
        return 0.0


def as_output(value: Any) -> str:
    """A value as it stands in the output."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return "".join(as_output(item) for item in value)
    return str(value)


def is_truthy(value: Any) -> bool:
    """Everything is true but nil and false."""
    return value is not None and value is not False


def parse_filtered(text: str) -> Value:
    """`value | Filter: argument, argument | ...`. Raises LiquidError for a filter nobody models."""
    source, *pipes = _split(text, "|")
    value = parse_value(source)
    for pipe in pipes:
        name, _, listed = pipe.strip().partition(":")
        apply = FILTERS.get(name.strip().replace("_", "").lower())
        if apply is None:
            raise LiquidError(f"the Liquid filter '{name.strip()}' is not modelled")
        arguments = [parse_value(part) for part in _split(listed, ",")] if listed.strip() else []
        value = _applied(value, apply, arguments)
    return value


def _applied(value: Value, apply: Callable[..., Any], arguments: list[Value]) -> Value:
    def get(variables: Variables) -> Any:
        try:
            return apply(value(variables), *(argument(variables) for argument in arguments))
        except (TypeError, ValueError, ZeroDivisionError, OverflowError, re.error) as error:
            raise LiquidError(f"a Liquid filter failed: {error}") from error

    return get


def _split(text: str, separator: str) -> list[str]:
    """Split outside quotes."""
    parts, quote, begin = [], "", 0
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == separator:
            parts.append(text[begin:index])
            begin = index + 1
    return [*parts, text[begin:]]


def parse_condition(text: str) -> Value:
    """`a == b and c contains d or e`: read from right to left, as Liquid does. Raises LiquidError."""
    words = re.split(r"\s(and|or)\s", text.strip(), maxsplit=1)
    left = _comparison(words[0])
    if len(words) == 1:
        return left
    right = parse_condition(words[2])
    if words[1] == "and":
        return lambda variables: is_truthy(left(variables)) and is_truthy(right(variables))
    return lambda variables: is_truthy(left(variables)) or is_truthy(right(variables))


def _comparison(text: str) -> Value:
    parts = _COMPARISON.split(f" {text.strip()} ", maxsplit=1)
    if len(parts) == 1:
        return parse_value(text)
    left, sign, right = parse_value(parts[0]), parts[1], parse_value(parts[2])
    return lambda variables: _compare(left(variables), sign, right(variables))


def _compare(left: Any, sign: str, right: Any) -> bool:
    if sign == "contains":
        return right in left if isinstance(left, list | Mapping) else str(right) in as_output(left)
    if sign in ("==", "!=", "<>"):
        same = left == right or (right == "" and left in (None, [], {}))
        return same if sign == "==" else not same
    if left is None or right is None:
        return False
    if isinstance(left, str) and isinstance(right, str):
        pair: tuple[Any, Any] = (left, right)
    else:
        pair = (as_number(left), as_number(right))
    return bool(
        {"<": pair[0] < pair[1], ">": pair[0] > pair[1], "<=": pair[0] <= pair[1], ">=": pair[0] >= pair[1]}[sign]
    )
