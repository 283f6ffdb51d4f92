"""What differs: which side moved, line by line, and in sentences ("retry count 3 -> 5"). Pure.

Texts are compared by meaning and shown in one layout, so that what API Management changes on its own never shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from textwrap import dedent

from apimpolicy.document import (
    CData,
    Comment,
    Document,
    Element,
    Node,
    PolicySyntaxError,
    Text,
    encode_attribute,
    encode_text,
    is_expression,
    parse,
)
from console.operations.fragments.documents import Kind, meaning, same_text

INDENT = "    "
SHORT = 48
_IDENTIFYING = ("id", "name", "fragment-id", "backend-id", "header-name")
_WORD = re.compile(r'"[^"]*"|\w+|[^\w\s]')


class SyncState(StrEnum):
    """How the local side and the gateway stand to each other."""

    IN_SYNC = "in sync"
    CHANGED_HERE = "changed here"
    CHANGED_THERE = "changed there"
    CHANGED_BOTH = "changed on both sides"
    DIFFERS = "differs"
    ONLY_HERE = "only here"
    ONLY_THERE = "only there"


def sync_state(local: str | None, deployed: str | None, base: str | None, kind: Kind) -> SyncState:
    """Which side moved. `base` is the digest both sides last had in common; without one, a difference is just that."""
    if local is None or deployed is None:
        return SyncState.ONLY_THERE if local is None else SyncState.ONLY_HERE
    if same_text(local, deployed, kind):
        return SyncState.IN_SYNC
    if base is None:
        return SyncState.DIFFERS
    here, there = digest(local, kind) != base, digest(deployed, kind) != base
    if here and there:
        return SyncState.CHANGED_BOTH
    return SyncState.CHANGED_HERE if here else SyncState.CHANGED_THERE


def digest(text: str, kind: Kind) -> str:
    """A short name for what a text means, comments included."""
    import hashlib

    whole = text if kind is Kind.NAMED_VALUE else meaning(text)
    return hashlib.sha256(whole.encode()).hexdigest()[:24]


# -- lines -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line in the common layout; `number` is the line of the source it begins on, 1-based."""

    text: str
    number: int


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One row of a diff: both sides when equal or replaced, one when removed or added. `mark`: " ", "~", "-" or "+"."""

    mark: str
    before: Line | None
    after: Line | None


def laid_out(text: str) -> list[Line]:
    """The text in the common layout: one element a line, attributes by name, expressions as they were written.

    A text that does not parse keeps its own lines.
    """
    try:
        document = parse(text)
    except PolicySyntaxError:
        return [Line(line, number) for number, line in enumerate(text.splitlines(), 1)]
    lines: list[Line] = []
    for node in (*document.prologue, document.root, *document.epilogue):
        _lay_out(node, 0, lines)
    return lines


def _lay_out(node: Node, depth: int, lines: list[Line]) -> None:
    margin = INDENT * depth
    if isinstance(node, Text):
        if node.value.strip():
            code = node.verbatim or is_expression(node.value)
            _several(node.value if code else encode_text(node.value), margin, node, lines)
    elif isinstance(node, Comment):
        _several(f"<!-- {node.value.strip()} -->", margin, node, lines)
    elif isinstance(node, CData):
        _several(f"<![CDATA[{node.value}]]>", margin, node, lines)
    elif isinstance(node, Element):
        parts = [f"<{node.name}"]
        for attribute in sorted(node.attributes, key=lambda a: a.name):
            value = attribute.value if is_expression(attribute.value) else encode_attribute(attribute.value)
            parts.append(f' {attribute.name}="{_settled(value)}"')
        children = [c for c in node.children if not isinstance(c, Text) or c.value.strip()]
        _several("".join(parts) + (">" if children else " />"), margin, node, lines)
        for child in children:
            _lay_out(child, depth + 1, lines)
        if children:
            lines.append(Line(f"{margin}</{node.name}>", node.end_position.line))


def _several(text: str, margin: str, node: Node, lines: list[Line]) -> None:
    first = node.position.line
    for offset, line in enumerate(_settled(text).split("\n")):
        lines.append(Line(f"{margin}{line}".rstrip(), first + offset))


def _settled(text: str) -> str:
    """A value over several lines, its margin taken away and one level put in its place."""
    text = text.strip().replace("\r\n", "\n").replace("\r", "\n")
    head, newline, rest = text.partition("\n")
    if not newline:
        return text
    settled = dedent(rest.expandtabs(4))
    return "\n".join([head.rstrip(), *(f"{INDENT}{line}".rstrip() for line in settled.split("\n"))])


def diff_rows(before: str | None, after: str | None) -> list[DiffRow]:
    """Both texts side by side. Equal in meaning: no row is marked."""
    old = laid_out(before) if before is not None else []
    new = laid_out(after) if after is not None else []
    if before is not None and after is not None and meaning(before) == meaning(after):
        return [DiffRow(" ", line, line) for line in new]
    rows: list[DiffRow] = []
    matcher = SequenceMatcher(None, [line.text for line in old], [line.text for line in new], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            rows += [DiffRow(" ", a, b) for a, b in zip(old[i:j], new[k:m], strict=True)]
            continue
        shared = min(j - i, m - k)
        rows += [DiffRow("~", a, b) for a, b in zip(old[i : i + shared], new[k : k + shared], strict=True)]
        rows += [DiffRow("-", line, None) for line in old[i + shared : j]]
        rows += [DiffRow("+", None, line) for line in new[k + shared : m]]
    return rows


def unified_rows(rows: Sequence[DiffRow], context: int = 3) -> list[DiffRow]:
    """One column: replaced rows become a removal and an addition, far-away equal rows become one row marked "@"."""
    near = [False] * len(rows)
    for index, row in enumerate(rows):
        if row.mark != " ":
            for at in range(max(0, index - context), min(len(rows), index + context + 1)):
                near[at] = True
    unified: list[DiffRow] = []
    index = 0
    while index < len(rows):
        if not near[index]:
            unified.append(DiffRow("@", rows[index].before, rows[index].after))
            while index < len(rows) and not near[index]:
                index += 1
            continue
        end = index
        while end < len(rows) and near[end] and rows[end].mark != " ":
            end += 1
        changed = rows[index:end]
        unified += [DiffRow("-", row.before, None) for row in changed if row.before is not None]
        unified += [DiffRow("+", None, row.after) for row in changed if row.after is not None]
        if end == index:
            unified.append(rows[index])
            end += 1
        index = end
    return unified if any(row.mark in "+-" for row in unified) else []


def unified_text(before: str | None, after: str | None, old_name: str, new_name: str) -> str:
    """A diff as tools print it; "" when nothing differs."""
    rows = unified_rows(diff_rows(before, after))
    if not rows:
        return ""
    lines = [f"--- {old_name}", f"+++ {new_name}"]
    hunk_due = True
    for row in rows:
        if row.mark == "@":
            hunk_due = True
            continue
        if hunk_due:
            lines.append(f"@@ -{_number(row.before)} +{_number(row.after)} @@")
            hunk_due = False
        line = row.after or row.before
        lines.append(f"{row.mark}{line.text if line is not None else ''}")
    return "\n".join(lines) + "\n"


def _number(line: Line | None) -> str:
    return "0" if line is None else str(line.number)


# -- sentences ---------------------------------------------------------------------------------------------------------


def summarize(before: str | None, after: str | None, kind: Kind, limit: int = 12) -> tuple[str, ...]:
    """What changed, in sentences, most outward first; the last one says how many more there are."""
    if before is None or after is None:
        return () if before is after else (("created",) if before is None else ("deleted",))
    if kind is Kind.NAMED_VALUE:
        return () if before == after else (f"value {_shown(before)} -> {_shown(after)}",)
    try:
        old, new = parse(before), parse(after)
    except PolicySyntaxError:
        return ("the text changed; one side cannot be read as a policy",)
    found: list[str] = []
    _compare_elements(old.root, new.root, found)
    if not found and _comments(old) != _comments(new):
        found.append("only comments changed")
    if len(found) > limit:
        found = [*found[: limit - 1], f"{len(found) - limit + 1} more changes"]
    return tuple(found)


def _compare_elements(old: Element, new: Element, found: list[str]) -> None:
    label = _label(new)
    names = sorted({a.name for a in old.attributes} | {a.name for a in new.attributes})
    for name in names:
        one, other = old.get(name), new.get(name)
        if _flat(one) != _flat(other):
            about = new.name if name in _IDENTIFYING and _identity(old) != _identity(new) else label
            found.append(f"{about} {name} {_change(one, other)}")
    one_text, other_text = old.text_content, new.text_content
    if _flat(one_text) != _flat(other_text) and (one_text.strip() or other_text.strip()):
        found.append(f"{label} text {_change(one_text, other_text)}")
    _compare_children(old.elements, new.elements, label, found)


def _compare_children(old: list[Element], new: list[Element], label: str, found: list[str]) -> None:
    matcher = SequenceMatcher(None, [_signature(e) for e in old], [_signature(e) for e in new], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(old[i:j], new[k:m], strict=True):
                _compare_elements(one, other, found)
            continue
        gone, come = old[i:j], new[k:m]
        for one in list(gone):
            twin = next((e for e in come if e.name == one.name), None)
            if twin is not None:
                gone.remove(one)
                come.remove(twin)
                _compare_elements(one, twin, found)
        found += [f"{_label(e)} removed from {label}" for e in gone]
        found += [f"{_label(e)} added to {label}" for e in come]


def _signature(element: Element) -> tuple[str, str]:
    return (element.name, _identity(element))


def _identity(element: Element) -> str:
    return next((value for key in _IDENTIFYING if (value := element.get(key)) and not is_expression(value)), "")


def _label(element: Element) -> str:
    identity = _identity(element)
    return f"{element.name} {identity}" if identity and element.name != "base" else element.name


def _flat(value: str | None) -> str | None:
    return None if value is None else " ".join(value.split())


def _change(one: str | None, other: str | None) -> str:
    if one is None:
        return f"added: {_shown(other or '')}"
    if other is None:
        return f"removed (was {_shown(one)})"
    if max(len(one.strip()), len(other.strip())) <= SHORT:
        return f"{_shown(one)} -> {_shown(other)}"
    old, new = _WORD.findall(one), _WORD.findall(other)
    changed = [op for op in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    if len(changed) == 1:
        _, i, j, k, m = changed[0]
        left, right = " ".join(old[i:j]), " ".join(new[k:m])
        if max(len(left), len(right)) <= SHORT:
            return f"{_shown(left) if left else 'without'} -> {_shown(right) if right else 'without'}"
    return f"changed in {len(changed)} places"


def _shown(value: str) -> str:
    flat = " ".join(value.split())
    return flat if len(flat) <= SHORT else flat[: SHORT - 1] + "…"


def _comments(document: Document) -> list[str]:
    found: list[str] = []

    def walk(nodes: Sequence[Node]) -> None:
        for node in nodes:
            if isinstance(node, Comment):
                found.append(" ".join(node.value.split()))
            elif isinstance(node, Element):
                walk(node.children)

    walk((*document.prologue, document.root, *document.epilogue))
    return found
