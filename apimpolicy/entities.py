"""XML entities in policy text: what they stand for, and where an author's C# needs them decoded.

Policy text is not XML: one document may hold `&quot;` in one expression and a raw quote in the next. This room decodes
one value at a time. It may not guess: a `&` that starts no known entity stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

from apimpolicy.code_extent import ExtentError, code_spans, end_of_expression

_ENTITY: Final = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_NAMED_VALUE: Final = re.compile(r"\{\{[A-Za-z0-9\-._]+\}\}")


def _character(match: re.Match[str]) -> str:
    name, decimal, hexadecimal = match.groups()
    if name is not None:
        return _NAMED[name]
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return match.group()
    return chr(code)


def decode_entities(text: str) -> str:
    """Replace the five XML entities and numeric references; anything else that begins with `&` is kept."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def encode_attribute(value: str, quote: str = '"') -> str:
    """Escape a literal so that it can stand between `quote` characters."""
    escaped = value.replace("&", "&amp;").replace("<", "&lt;")
    return escaped.replace('"', "&quot;") if quote == '"' else escaped.replace("'", "&apos;")


def encode_text(value: str) -> str:
    """Escape a literal so that it can stand between tags."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def decode_value(raw: str) -> str:
    """What an attribute's or a text's raw characters mean: literals are decoded, expressions as far as C# needs it."""
    if "&" not in raw:
        return raw
    if raw.lstrip().startswith(("@(", "@{")):
        return decode_expression(raw)
    return decode_entities(raw)


def decode_expression(raw: str) -> str:
    """Decode `@(...)` or `@{...}` (white space around it allowed) only where its C# does not stand as written.

    An entity in code (outside strings, characters and comments) is always an escape, for C# has no such word; one
    inside a string is decoded only when the raw text does not parse, because `"&lt;"` is a fine C# string.
    """
    if _ENTITY.search(raw) is None:
        return raw
    candidates = [] if _has_entity_in_code(raw) else [raw]
    candidates += [decode_entities(raw), _decode_code_only(raw)]
    for candidate in candidates:
        if _is_valid(candidate):
            return candidate
    return decode_entities(raw)


def _has_entity_in_code(raw: str) -> bool:
    return any(_ENTITY.search(raw, start, end) is not None for start, end, kind in code_spans(raw) if kind == "code")


def _decode_code_only(raw: str) -> str:
    pieces = [
        decode_entities(raw[start:end]) if kind == "code" else raw[start:end] for start, end, kind in code_spans(raw)
    ]
    return "".join(pieces)


def _is_valid(value: str) -> bool:
    """Whether the value is one whole expression whose C# parses; a named value counts as a word."""
    from apimpolicy.expressions.syntax import has_syntax_error  # slow to load, and most documents never need it

    stripped = value.strip()
    try:
        end = end_of_expression(stripped, 0)
    except ExtentError:
        return False
    if end != len(stripped):
        return False
    code = _NAMED_VALUE.sub("named_value", stripped[2:-1])
    return not has_syntax_error(code, "inline" if stripped[1] == "(" else "block")
