"""The functions of the ARM template language that need nothing but their arguments.

Names are lower-case here. What a deployment or a resource must be asked for (parameters, reference, resourceId...)
is in `scope.py`. A function missing from both is refused by name.
Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

from __future__ import annotations

import base64
import copy
import hashlib
import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urljoin

from simulator.deployments.language import TemplateError

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _unique_string(*parts: Any) -> str:
    """13 characters that depend on the arguments alone. Assumed: Azure does not publish its hash, only its shape."""
    digest = hashlib.sha256("-".join(str(p) for p in parts).encode()).digest()
    return "".join(_ALPHABET[byte % 32] for byte in digest[:13])


def _format(template: str, *arguments: Any) -> str:
    def fill(match: re.Match[str]) -> str:
        text = match.group(0)
        if text in ("{{", "}}"):
            return text[0]
        index, spec = int(match.group(1)), match.group(2)
        if index >= len(arguments):
            raise TemplateError(f"The template function 'format' has no argument {{{index}}}.")
        value = arguments[index]
        if spec and isinstance(value, int):
            if re.fullmatch(r"0+", spec):
                return f"{value:0{len(spec)}d}"
            if re.fullmatch(r"[DdXx]\d*", spec):
                width = spec[1:] or "0"
                return f"{value:0{width}{'d' if spec[0] in 'Dd' else spec[0]}}"
        return to_text(value)

    return re.sub(r"\{\{|\}\}|\{(\d+)(?::([^}]*))?\}", fill, template)


def to_text(value: Any) -> str:
    """A value as ARM writes it into a string: True and False capitalised, objects as JSON, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def _union(*parts: Any) -> Any:
    if all(isinstance(p, list) for p in parts):
        result: list[Any] = []
        for part in parts:
            result.extend(item for item in part if item not in result)
        return result
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            known = merged.get(key)
            merged[key] = _union(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _intersection(*parts: Any) -> Any:
    first, *rest = parts
    if isinstance(first, list):
        return [item for item in first if all(item in other for other in rest)]
    return {k: v for k, v in first.items() if all(_equal(other.get(k), v) for other in rest)}


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, str):
        return to_text(item) in container
    if isinstance(container, dict):
        return str(item).lower() in {key.lower() for key in container}
    return any(_equal(entry, item) for entry in container)


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _take(value: Any, count: int) -> Any:
    return value[: max(0, count)]


def _skip(value: Any, count: int) -> Any:
    return value[max(0, count) :]


def _split(text: str, separators: Any) -> list[str]:
    marks = separators if isinstance(separators, list) else [separators]
    return re.split("|".join(re.escape(mark) for mark in marks), text)


def _substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start + length
    if start < 0 or end > len(text):
        raise TemplateError("The template language function 'substring' parameters are out of the string's range.")
    return text[start:end]


def _index_from(value: str | list[Any], item: Any) -> int:
    if isinstance(value, str):
        return value.lower().find(str(item).lower())
    return next((i for i, entry in enumerate(value) if _equal(entry, item)), -1)


def _last_index_from(value: str | list[Any], item: Any) -> int:
    if isinstance(value, str):
        return value.lower().rfind(str(item).lower())
    return next((i for i in range(len(value) - 1, -1, -1) if _equal(value[i], item)), -1)


def _try_get(value: Any, *path: Any) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = next((v for k, v in value.items() if k.lower() == str(step).lower()), None)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def _create_object(*pairs: Any) -> dict[str, Any]:
    return {str(pairs[i]): pairs[i + 1] for i in range(0, len(pairs), 2)}


def _coalesce(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def _guid(*parts: Any) -> str:
    return str(uuid.uuid5(_GUID_NAMESPACE, "-".join(str(p) for p in parts)))


def _pad_left(value: Any, width: int, fill: str = " ") -> str:
    return to_text(value).rjust(width, fill)


def _date_add(base: str, duration: str, _format: str | None = None) -> str:
    match = re.fullmatch(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", duration)
    if match is None:
        raise TemplateError(f"The template function 'dateTimeAdd' cannot read the duration '{duration}'.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    moment = datetime.fromisoformat(base.replace("Z", "+00:00")) + (-span if match.group(1) else span)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cidr_subnet(network: str, prefix: int, index: int) -> str:
    subnets = ipaddress.ip_network(network, strict=False).subnets(new_prefix=prefix)
    for position, subnet in enumerate(subnets):
        if position == index:
            return str(subnet)
    raise TemplateError(f"The template function 'cidrSubnet' has no subnet {index} in '{network}'.")


def _numeric(name: str, operate: Callable[[int, int], int]) -> Callable[..., int]:
    def apply(left: Any, right: Any) -> int:
        if not isinstance(left, int) or not isinstance(right, int):
            raise TemplateError(f"The template language function '{name}' expects integers.")
        if name in ("div", "mod") and right == 0:
            raise TemplateError(f"The template language function '{name}' cannot divide by zero.")
        return operate(left, right)

    return apply


def _flat(values: Sequence[Any]) -> list[Any]:
    return list(values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)


def _to_bool(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1")


def _range(start: int, count: int) -> list[int]:
    return list(range(start, start + count))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    # logic
    "and": lambda *v: all(v),
    "or": lambda *v: any(v),
    "not": lambda v: not v,
    "equals": _equal,
    "greater": lambda a, b: a > b,
    "greaterorequals": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "lessorequals": lambda a, b: a <= b,
    "true": lambda: True,
    "false": lambda: False,
    "null": lambda: None,
    "bool": _to_bool,
    "coalesce": _coalesce,
    # text
    "format": _format,
    "concat": lambda *v: [i for p in v for i in p] if v and isinstance(v[0], list) else "".join(to_text(p) for p in v),
    "tolower": lambda s: s.lower(),
    "toupper": lambda s: s.upper(),
    "trim": lambda s: s.strip(),
    "replace": lambda s, old, new: s.replace(old, new),
    "split": _split,
    "join": lambda items, mark: mark.join(to_text(i) for i in items),
    "substring": _substring,
    "startswith": lambda s, part: s.lower().startswith(part.lower()),
    "endswith": lambda s, part: s.lower().endswith(part.lower()),
    "indexof": _index_from,
    "lastindexof": _last_index_from,
    "padleft": _pad_left,
    "string": to_text,
    "int": lambda v: int(v),
    "float": lambda v: float(v),
    "uniquestring": _unique_string,
    "guid": _guid,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64tostring": lambda s: base64.b64decode(s).decode(),
    "base64tojson": lambda s: json.loads(base64.b64decode(s)),
    "datauri": lambda s: "data:text/plain;charset=utf8;base64," + base64.b64encode(s.encode()).decode(),
    "uri": lambda base, rest: urljoin(base, rest),
    "uricomponent": lambda s: quote(s, safe=""),
    "uricomponenttostring": lambda s: unquote(s),
    "datetimeadd": _date_add,
    # arrays and objects
    "array": lambda v: v if isinstance(v, list) else [v],
    "createarray": lambda *v: list(v),
    "createobject": _create_object,
    "contains": _contains,
    "empty": _empty,
    "first": lambda v: v[0] if v else ("" if isinstance(v, str) else None),
    "last": lambda v: v[-1] if v else ("" if isinstance(v, str) else None),
    "length": lambda v: len(v),
    "take": _take,
    "skip": _skip,
    "union": _union,
    "intersection": _intersection,
    "range": _range,
    "flatten": lambda v: [i for part in v for i in part],
    "items": lambda v: [{"key": key, "value": v[key]} for key in sorted(v)],
    "objectkeys": lambda v: sorted(v),
    "shallowmerge": lambda parts: {k: v for part in parts for k, v in part.items()},
    "json": lambda s: json.loads(s),
    "tryget": _try_get,
    "tryindexfromend": lambda v, i: v[-i] if 0 < i <= len(v) else None,
    "indexfromend": lambda v, i: v[-i],
    # numbers
    "add": _numeric("add", lambda a, b: a + b),
    "sub": _numeric("sub", lambda a, b: a - b),
    "mul": _numeric("mul", lambda a, b: a * b),
    "div": _numeric("div", lambda a, b: int(a / b)),
    "mod": _numeric("mod", lambda a, b: a - b * int(a / b)),
    "min": lambda *v: min(_flat(v)),
    "max": lambda *v: max(_flat(v)),
    # networks
    "cidrsubnet": _cidr_subnet,
}


def call_function(name: str, arguments: list[Any]) -> Any:
    """Apply a pure function.

    Raises:
        TemplateError: unknown function, or arguments it does not take.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise TemplateError(f"The template function '{name}' is not valid.")
    try:
        return copy.deepcopy(function(*arguments))
    except TemplateError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise TemplateError(
            f"Unable to process template language expressions: the function '{name}' does not take "
            f"({', '.join(type(a).__name__ for a in arguments)})."
        ) from error
