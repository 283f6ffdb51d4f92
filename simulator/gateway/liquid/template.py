"""Template text to a tree of writers, and rendering within a budget of steps.

Tags: if, elsif, else, unless, case, when, for (limit, offset, reversed, else, break, continue, forloop), JSONArrayFor
(a for loop that puts commas between its turns), assign, capture, increment, decrement, comment, raw.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from simulator.gateway.liquid.errors import LiquidError
from simulator.gateway.liquid.values import (
    Value,
    as_number,
    as_output,
    is_truthy,
    parse_condition,
    parse_filtered,
    parse_value,
)

_TOKEN: Final = re.compile(r"(\{\{-?.*?-?\}\}|\{%-?.*?-?%\})", re.DOTALL)
_RAW: Final = re.compile(r"\{%-?\s*(raw|comment)\s*-?%\}(.*?)\{%-?\s*end\1\s*-?%\}", re.DOTALL)
_TAG: Final = re.compile(r"\{%-?\s*(\w+)\s*(.*?)\s*-?%\}", re.DOTALL)
_FOR: Final = re.compile(r"(\w+)\s+in\s+(\([^)]*\)|[^\s|]+)(.*)", re.DOTALL)
_OPTION: Final = re.compile(r"(limit|offset)\s*:\s*([\w.\-]+)|(reversed)")
_LOOPS: Final = ("for", "JSONArrayFor")
_MOST_STEPS: Final = 200_000
_MOST_CHARACTERS: Final = 4_000_000


class _Leave(Exception):
    """break or continue."""


@dataclass
class _State:
    variables: dict[str, Any]
    out: list[str] = field(default_factory=list)
    steps: int = _MOST_STEPS
    room: int = _MOST_CHARACTERS

    def write(self, text: str) -> None:
        self.room -= len(text)
        if self.room < 0:
            raise LiquidError("the Liquid template writes more than it may")
        self.out.append(text)

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise LiquidError("the Liquid template takes more steps than it may")


Writer = Callable[[_State], None]


@dataclass(frozen=True)
class Template:
    """A template ready to render."""

    write: Writer

    def render(self, **objects: Any) -> str:
        """The text for the given objects (`body`, `context`). Raises LiquidError beyond the budget."""
        state = _State(dict(objects))
        with suppress(_Leave):  # a break outside any loop ends the template, as Liquid has it
            self.write(state)
        return "".join(state.out)


def parse_template(text: str) -> Template:
    """Read a template. Raises LiquidError naming what is not understood."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[2] if match[1] == "raw" else "")
        return f"{{% __kept {len(kept) - 1} %}}"

    reader = _Reader([part for part in _TOKEN.split(_RAW.sub(keep, text)) if part], kept)
    write, end = reader.block(())
    if end is not None:
        raise LiquidError(f"'{end[0]}' ends nothing in this Liquid template")
    return Template(write)


class _Reader:
    def __init__(self, parts: list[str], kept: list[str]) -> None:
        self._parts = parts
        self._kept = kept
        self._at = 0

    def block(self, ends: tuple[str, ...]) -> tuple[Writer, tuple[str, str] | None]:
        """Everything up to one of the tags in `ends`, and that tag with its words; None at the end of the text."""
        writers: list[Writer] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            self._at += 1
            if part.startswith("{{"):
                writers.append(_output(parse_filtered(part[2:-2].strip().strip("-"))))
                continue
            tag = _TAG.fullmatch(part) if part.startswith("{%") else None
            if tag is None:
                writers.append(_literal(self._trimmed(part)))
                continue
            if tag[1] in ends:
                return _sequence(writers), (tag[1], tag[2])
            writers.append(self._tag(tag[1], tag[2]))
        if ends:
            raise LiquidError(f"this Liquid template lacks '{ends[-1]}'")
        return _sequence(writers), None

    def _trimmed(self, text: str) -> str:
        """Literal text, without the white space that a dash in the tags beside it takes away."""
        before = self._parts[self._at - 2] if self._at >= 2 else ""
        after = self._parts[self._at] if self._at < len(self._parts) else ""
        if before.endswith(("-%}", "-}}")):
            text = text.lstrip()
        return text.rstrip() if after.startswith(("{%-", "{{-")) else text

    def _tag(self, name: str, words: str) -> Writer:
        if name == "__kept":
            return _literal(self._kept[int(words)])
        if name in ("if", "unless"):
            return self._if(words, negated=name == "unless", end=f"end{name}")
        if name in _LOOPS:
            return self._for(words, commas=name != "for", end=f"end{name}")
        if name == "case":
            return self._case(words)
        if name == "assign":
            variable, _, source = words.partition("=")
            return _assign(variable.strip(), parse_filtered(source))
        if name == "capture":
            body, _ = self.block(("endcapture",))
            return _capture(words.strip("\"' "), body)
        if name in ("increment", "decrement"):
            return _count(words.strip(), 1 if name == "increment" else -1)
        if name in ("break", "continue"):
            return _leave(name)
        raise LiquidError(f"the Liquid tag '{name}' is not modelled")

    def _if(self, words: str, *, negated: bool, end: str) -> Writer:
        branches: list[tuple[Value, Writer]] = []
        condition = parse_condition(words)
        if negated:
            condition = _negated(condition)
        while True:
            body, found = self.block(("elsif", "else", end))
            branches.append((condition, body))
            if found is None or found[0] == end:
                return _choice(branches)
            condition = parse_condition(found[1]) if found[0] == "elsif" else (lambda variables: True)

    def _case(self, words: str) -> Writer:
        subject = parse_value(words)
        branches: list[tuple[Value, Writer]] = []
        _, found = self.block(("when", "else", "endcase"))
        while found is not None and found[0] != "endcase":
            listed = [parse_value(part) for part in re.split(r",|\sor\s", found[1])] if found[0] == "when" else None
            body, following = self.block(("when", "else", "endcase"))
            branches.append((_is_any(subject, listed), body))
            found = following
        return _choice(branches)

    def _for(self, words: str, *, commas: bool, end: str) -> Writer:
        match = _FOR.fullmatch(words)
        if match is None:
            raise LiquidError(f"'for {words}' is not a Liquid loop")
        options = {m[1] or m[3]: parse_value(m[2]) if m[2] else None for m in _OPTION.finditer(match[3])}
        body, found = self.block(("else", end))
        otherwise: Writer | None = None
        if found is not None and found[0] == "else":
            otherwise, _ = self.block((end,))
        return _loop(match[1], parse_value(match[2]), options, body, otherwise, commas=commas)


def _literal(text: str) -> Writer:
    return lambda state: state.write(text)


def _output(value: Value) -> Writer:
    return lambda state: state.write(as_output(value(state.variables)))


def _sequence(writers: list[Writer]) -> Writer:
    def write(state: _State) -> None:
        for writer in writers:
            state.step()
            writer(state)

    return write


def _negated(condition: Value) -> Value:
    return lambda variables: not is_truthy(condition(variables))


def _is_any(subject: Value, listed: list[Value] | None) -> Value:
    if listed is None:
        return lambda variables: True
    return lambda variables: any(subject(variables) == value(variables) for value in listed)


def _choice(branches: list[tuple[Value, Writer]]) -> Writer:
    def write(state: _State) -> None:
        for condition, body in branches:
            if is_truthy(condition(state.variables)):
                body(state)
                return

    return write


def _assign(name: str, value: Value) -> Writer:
    def write(state: _State) -> None:
        state.variables[name] = value(state.variables)

    return write


def _capture(name: str, body: Writer) -> Writer:
    def write(state: _State) -> None:
        outer, state.out = state.out, []
        try:
            body(state)
        finally:
            captured, state.out = "".join(state.out), outer
        state.variables[name] = captured

    return write


def _count(name: str, by: int) -> Writer:
    def write(state: _State) -> None:
        now = int(as_number(state.variables.get(name)))
        state.variables[name] = now + by
        state.write(str(now if by > 0 else now + by))

    return write


def _leave(how: str) -> Writer:
    def write(state: _State) -> None:
        raise _Leave(how)

    return write


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [[key, inner] for key, inner in value.items()]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _loop(
    name: str,
    source: Value,
    options: dict[str, Value | None],
    body: Writer,
    otherwise: Writer | None,
    *,
    commas: bool,
) -> Writer:
    offset, limit = options.get("offset"), options.get("limit")

    def write(state: _State) -> None:
        items = _items(source(state.variables))
        items = items[int(as_number(offset(state.variables))) :] if offset is not None else items
        items = items[: int(as_number(limit(state.variables)))] if limit is not None else items
        items = items[::-1] if "reversed" in options else items
        if not items and otherwise is not None:
            otherwise(state)
        outer = {key: state.variables.get(key) for key in (name, "forloop")}
        for index, item in enumerate(items):
            state.step()
            state.variables[name] = item
            state.variables["forloop"] = _place(index, len(items))
            if commas and index:
                state.write(",")
            try:
                body(state)
            except _Leave as leave:
                if str(leave) == "break":
                    break
        state.variables.update(outer)

    return write


def _place(index: int, length: int) -> dict[str, Any]:
    return {
        "index": index + 1,
        "index0": index,
        "rindex": length - index,
        "rindex0": length - index - 1,
        "first": index == 0,
        "last": index == length - 1,
        "length": length,
    }
