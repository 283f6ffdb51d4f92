"""JSONPath as JToken.SelectToken reads it: names, indexes, wildcards, `..`, slices, unions and simple filters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.json_values import JArray, JObject, JToken, JValue
from apimpolicy.expressions.values import Runtime

Step = Callable[[JToken], list[JToken]]
_NAME: Final = re.compile(r"[^.\[\]()\s'\"?@=!<>]+")
_FILTER: Final = re.compile(
    r"^\s*@((?:\.[\w$-]+|\['[^']*'\]|\[\d+\])*)\s*(?:(==|!=|<=|>=|<|>)\s*('(?:[^'\\]|\\.)*'|\"[^\"]*\"|-?[\d.]+|true|false|null))?\s*$"
)


def _bad(path: str) -> CsException:
    return CsException("JsonException", f"Unexpected character or end of path while parsing '{path}'.")


def select(runtime: Runtime, token: JToken, path: str) -> list[JToken]:
    """Every token the path names, in document order. Raises JsonException for a path that cannot be read."""
    if path is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: path")
    found = [token]
    at = 1 if path.startswith("$") else 0
    while at < len(path):
        step, at = _next_step(path, at)
        result: list[JToken] = []
        for one in found:
            matched = step(one)
            runtime.charge(len(matched) + 1)
            result.extend(matched)
        found = result
    return found


def _next_step(path: str, at: int) -> tuple[Step, int]:
    if path.startswith("..", at):
        at += 2
        if path.startswith("[", at):
            inner, at = _bracket(path, at)
        else:
            inner, at = _name(path, at)
        return (lambda t: [m for one in _self_and_descendants(t) for m in inner(one)]), at
    if path[at] == ".":
        return _name(path, at + 1)
    if path[at] == "[":
        return _bracket(path, at)
    return _name(path, at)


def _self_and_descendants(token: JToken) -> list[JToken]:
    found: list[JToken] = []
    stack = [token]
    while stack:
        one = stack.pop()
        found.append(one)
        stack.extend(reversed(_values(one)))
    return found


def _values(token: JToken) -> list[JToken]:
    if isinstance(token, JObject):
        return [one.value for one in token.properties.values()]
    return list(token.items) if isinstance(token, JArray) else []


def _by_name(name: str) -> Step:
    def step(token: JToken) -> list[JToken]:
        found = token.get(name) if isinstance(token, JObject) else None
        return [] if found is None else [found]

    return step


def _by_index(index: int) -> Step:
    def step(token: JToken) -> list[JToken]:
        if isinstance(token, JArray) and 0 <= index < len(token.items):
            return [token.items[index]]
        return []

    return step


def _name(path: str, at: int) -> tuple[Step, int]:
    if path.startswith("*", at):
        return _values, at + 1
    match = _NAME.match(path, at)
    if match is None:
        raise _bad(path)
    return _by_name(match[0]), match.end()


def _bracket(path: str, at: int) -> tuple[Step, int]:
    end = _closing(path, at)
    inside = path[at + 1 : end].strip()
    if inside.startswith("?"):
        return _filter(path, inside[1:].strip()), end + 1
    if inside == "*":
        return _values, end + 1
    if ":" in inside and not inside.startswith(("'", '"')):
        return _slice(path, inside), end + 1
    steps: list[Step] = []
    for part in re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,\s]+", inside):
        if part[0] in "'\"":
            steps.append(_by_name(part[1:-1].replace("\\'", "'")))
        elif re.fullmatch(r"\d+", part):
            steps.append(_by_index(int(part)))
        else:
            raise _bad(path)
    if not steps:
        raise _bad(path)
    return (lambda t: [m for step in steps for m in step(t)]), end + 1


def _closing(path: str, at: int) -> int:
    depth, quote = 0, ""
    for index in range(at, len(path)):
        char = path[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return index
    raise _bad(path)


def _slice(path: str, inside: str) -> Step:
    parts = [part.strip() for part in inside.split(":")]
    if len(parts) > 3 or not all(re.fullmatch(r"-?\d*", part) for part in parts):
        raise _bad(path)
    numbers = [int(part) if part else None for part in parts]
    return lambda t: t.items[slice(*numbers)] if isinstance(t, JArray) else []


def _filter(path: str, inside: str) -> Step:
    if not (inside.startswith("(") and inside.endswith(")")):
        raise _bad(path)
    alternatives = [[_condition(path, part) for part in both.split("&&")] for both in inside[1:-1].split("||")]

    def step(token: JToken) -> list[JToken]:
        return [one for one in _values(token) if any(all(test(one) for test in tests) for tests in alternatives)]

    return step


def _condition(path: str, text: str) -> Callable[[JToken], bool]:
    match = _FILTER.match(text)
    if match is None:
        raise CsException("JsonException", f"the JSONPath filter '{text.strip()}' is not modelled")
    steps: list[Step] = []
    at = 0
    inner = match[1] or ""
    while at < len(inner):
        step, at = _next_step(inner, at)
        steps.append(step)
    symbol, literal = match[2], match[3]

    def test(token: JToken) -> bool:
        found = [token]
        for step in steps:
            found = [m for one in found for m in step(one)]
        if symbol is None:
            return bool(found)
        return any(isinstance(one, JValue) and _compare(one.value, symbol, _literal(literal)) for one in found)

    return test


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1].replace("\\'", "'")
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    return float(text) if "." in text else int(text)


def _compare(value: Any, symbol: str, wanted: Any) -> bool:
    if symbol in ("==", "!="):
        same = type(value) is type(wanted) or (
            not isinstance(value, (str, bool)) and not isinstance(wanted, (str, bool))
        )
        return (same and value == wanted) is (symbol == "==")
    if isinstance(value, str) is not isinstance(wanted, str) or value is None or wanted is None:
        return False
    return bool({"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[symbol])
