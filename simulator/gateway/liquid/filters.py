"""The filters that set-body supports. Keys are lower case without underscores, so that both spellings are found.

Source: Microsoft Learn "set-body policy", supported Liquid filters; their meaning as Shopify documents it. Dates are
formatted as C# formats them.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus, unquote_plus

from apimpolicy.expressions import EvaluationError, compile_expression
from apimpolicy.expressions.context import Body, Headers, PolicyContext, Request, Url

_DATE: Final = compile_expression(
    'DateTime.Parse((string)context.Variables["date"]).ToString((string)context.Variables["format"])', kind="inline"
)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Any) -> float | int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    number = float(_text(value) or 0)
    return int(number) if number.is_integer() and "." not in _text(value) else number


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _date(value: Any, layout: str = "") -> Any:
    url = Url("https", "", 443, "/")
    context = PolicyContext(
        Request("GET", url, Headers(), Body(None)), variables={"date": _text(value), "format": _text(layout)}
    )
    try:
        return _DATE.evaluate(context)
    except EvaluationError:
        return value


def _divided(value: Any, by: Any) -> float | int:
    left, right = _number(value), _number(by)
    return left // right if isinstance(left, int) and isinstance(right, int) else left / right


def _round(value: Any, digits: Any = 0) -> float | int:
    places = int(_number(digits))
    number = math.floor(abs(_number(value)) * 10**places + 0.5) / 10**places * (1 if _number(value) >= 0 else -1)
    return number if places else int(number)


def _slice(value: Any, begin: Any, length: Any = 1) -> Any:
    start, count = int(_number(begin)), int(_number(length))
    source = value if isinstance(value, list) else _text(value)
    start = max(start + len(source), 0) if start < 0 else start
    return source[start : start + count]


def _truncate(value: Any, length: Any = 50, ending: Any = "...") -> str:
    text, most, end = _text(value), int(_number(length)), _text(ending)
    return text if len(text) <= most else text[: max(most - len(end), 0)] + end


def _truncate_words(value: Any, count: Any = 15, ending: Any = "...") -> str:
    words = _text(value).split()
    most = int(_number(count))
    return _text(value) if len(words) <= most else " ".join(words[:most]) + _text(ending)


def _map(value: Any, name: Any) -> list[Any]:
    return [item.get(_text(name)) if isinstance(item, Mapping) else None for item in _list(value)]


def _sort(value: Any, name: Any = None) -> list[Any]:
    def key(item: Any) -> tuple[bool, str]:
        one = item.get(_text(name)) if name is not None and isinstance(item, Mapping) else item
        number = isinstance(one, int | float) and not isinstance(one, bool)
        return not number, f"{one:030.9f}" if number else _text(one)

    return sorted(_list(value), key=key)


def _uniq(value: Any) -> list[Any]:
    kept: list[Any] = []
    for item in _list(value):
        if item not in kept:
            kept.append(item)
    return kept


def _edge(index: int) -> Callable[[Any], Any]:
    return lambda value: _list(value)[index] if _list(value) else None


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda v: abs(_number(v)),
    "append": lambda v, more: _text(v) + _text(more),
    "atleast": lambda v, least: max(_number(v), _number(least)),
    "atmost": lambda v, most: min(_number(v), _number(most)),
    "capitalize": lambda v: _text(v)[:1].upper() + _text(v)[1:],
    "ceil": lambda v: math.ceil(_number(v)),
    "compact": lambda v: [item for item in _list(v) if item is not None],
    "concat": lambda v, more: [*_list(v), *_list(more)],
    "currency": lambda v, culture="en-US": f"${_number(v):,.2f}",
    "date": _date,
    "default": lambda v, other: other if v in (None, False, "", [], {}) else v,
    "dividedby": _divided,
    "downcase": lambda v: _text(v).lower(),
    "escape": lambda v: html.escape(_text(v)),
    "first": _edge(0),
    "floor": lambda v: math.floor(_number(v)),
    "h": lambda v: html.escape(_text(v)),
    "join": lambda v, glue=" ": _text(glue).join(_text(item) for item in _list(v)),
    "last": _edge(-1),
    "lstrip": lambda v: _text(v).lstrip(),
    "map": _map,
    "minus": lambda v, other: _number(v) - _number(other),
    "modulo": lambda v, other: _number(v) % _number(other),
    "newlinetobr": lambda v: _text(v).replace("\n", "<br />\n"),
    "plus": lambda v, other: _number(v) + _number(other),
    "prepend": lambda v, more: _text(more) + _text(v),
    "remove": lambda v, part: _text(v).replace(_text(part), ""),
    "removefirst": lambda v, part: _text(v).replace(_text(part), "", 1),
    "replace": lambda v, old, new="": _text(v).replace(_text(old), _text(new)),
    "replacefirst": lambda v, old, new="": _text(v).replace(_text(old), _text(new), 1),
    "round": _round,
    "rstrip": lambda v: _text(v).rstrip(),
    "size": lambda v: len(v) if isinstance(v, list | str | Mapping) else 0,
    "slice": _slice,
    "sort": _sort,
    "split": lambda v, by: list(_text(v).split(_text(by) or None)),
    "strip": lambda v: _text(v).strip(),
    "striphtml": lambda v: re.sub(r"<[^<>]*>", "", _text(v)),
    "stripnewlines": lambda v: re.sub(r"[\r\n]+", "", _text(v)),
    "times": lambda v, other: _number(v) * _number(other),
    "truncate": _truncate,
    "truncatewords": _truncate_words,
    "uniq": _uniq,
    "upcase": lambda v: _text(v).upper(),
    "urldecode": lambda v: unquote_plus(_text(v)),
    "urlencode": lambda v: quote_plus(_text(v)),
}
