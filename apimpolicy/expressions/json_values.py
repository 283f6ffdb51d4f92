"""Newtonsoft's JToken tree, with its parents, its conversions and its text.

Facts followed: a token that already has a parent is cloned when added elsewhere; an explicit null is a JValue of type
Null, not C#'s null; strings that look like ISO dates become dates when parsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions import dates
from apimpolicy.expressions.errors import CsException, argument
from apimpolicy.expressions.numbers import decimal_text, double_text, round_trip_text
from apimpolicy.expressions.text import FORMATS, TEXT, format_value, to_text
from apimpolicy.expressions.types import EnumValue
from apimpolicy.expressions.values import (
    Anonymous,
    Boxed,
    Char,
    CsArray,
    CsDict,
    CsSet,
    CsTuple,
    Grouping,
    KeyValuePair,
    Sequence,
    check_items,
    check_text,
    iterate,
)


class JToken:
    """Any node of a JSON tree."""

    __slots__ = ("parent",)
    parent: JToken | None

    def cs_iterate(self) -> Iterator[Any]:
        return iter(self.children())

    def children(self) -> list[JToken]:
        return []


class JValue(JToken):
    """A string, number, boolean, date or null."""

    __slots__ = ("kind", "value")

    def __init__(self, value: Any, kind: str | None = None) -> None:
        self.parent = None
        self.value = value
        self.kind = kind or kind_of(value)

    def cs_equals(self, other: Any) -> bool:
        return isinstance(other, JValue) and deep_equals(self, other)


class JContainer(JToken):
    __slots__ = ()


class JProperty(JContainer):
    __slots__ = ("name", "value")

    def __init__(self, name: str, value: JToken) -> None:
        self.parent = None
        self.name = name
        self.value = value
        value.parent = self

    def children(self) -> list[JToken]:
        return [self.value]

    def put(self, value: JToken) -> None:
        self.value.parent = None
        self.value = adopt(value, self)


class JObject(JContainer):
    __slots__ = ("properties",)

    def __init__(self) -> None:
        self.parent = None
        self.properties: dict[str, JProperty] = {}

    def children(self) -> list[JToken]:
        return list(self.properties.values())

    def cs_iterate(self) -> Iterator[Any]:
        properties = list(self.properties.values())
        return iter([KeyValuePair(one.name, one.value) for one in properties])

    def get(self, name: str) -> JToken | None:
        found = self.properties.get(name)
        return None if found is None else found.value

    def put(self, name: str, value: JToken) -> None:
        known = self.properties.get(name)
        if known is not None:
            known.put(value)
        else:
            self.attach(JProperty(name, adopt(value, None)))

    def attach(self, one: JProperty) -> None:
        if one.name in self.properties:
            raise argument(
                f"Can not add property {one.name} to Newtonsoft.Json.Linq.JObject. "
                "Property with the same name already exists on object."
            )
        if one.parent is not None:
            one = JProperty(one.name, clone(one.value))
        one.parent = self
        self.properties[one.name] = one
        check_items(len(self.properties))


class JArray(JContainer):
    __slots__ = ("items",)

    def __init__(self, items: list[JToken] | None = None) -> None:
        self.parent = None
        self.items: list[JToken] = []
        for one in items or ():
            self.items.append(adopt(one, self))

    def children(self) -> list[JToken]:
        return self.items

    def cs_iterate(self) -> Iterator[Any]:
        items, count = self.items, len(self.items)
        for item in items:
            yield item
            if len(items) != count:
                raise CsException(
                    "InvalidOperationException", "Collection was modified; enumeration operation may not execute."
                )

    def add(self, value: JToken) -> None:
        self.items.append(adopt(value, self))
        check_items(len(self.items))


_KINDS: Final[dict[type, str]] = {
    str: "String",
    Char: "String",
    bool: "Boolean",
    int: "Integer",
    float: "Float",
    Decimal: "Float",
    dates.DateTime: "Date",
    dates.DateTimeOffset: "Date",
    dates.TimeSpan: "TimeSpan",
    type(None): "Null",
}


def kind_of(value: Any) -> str:
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, (Boxed, EnumValue)):
        return "Integer"
    if isinstance(value, float):
        return "Float"
    if isinstance(value, CsArray):
        return "Bytes"
    return KIND_BY_CLASS.get(type(value), "String")


KIND_BY_CLASS: Final[dict[type, str]] = {}
"""Guid and Uri register here."""


def adopt(value: JToken, parent: JToken | None) -> JToken:
    if value.parent is not None:
        value = clone(value)
    value.parent = parent
    return value


def clone(token: JToken) -> JToken:
    if token is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: other")
    if isinstance(token, JValue):
        return JValue(token.value, token.kind)
    if isinstance(token, JObject):
        copy = JObject()
        for one in token.properties.values():
            copy.attach(JProperty(one.name, clone(one.value)))
        return copy
    if isinstance(token, JProperty):
        return JProperty(token.name, clone(token.value))
    assert isinstance(token, JArray)
    return JArray([clone(one) for one in token.items])


def token_of(value: Any) -> JToken:
    """The implicit conversion of a simple value to a JToken; a JToken is itself."""
    if isinstance(value, JToken):
        return value
    if type(value) is Char:
        return JValue(str(value), "String")
    return JValue(value)


def from_object(value: Any) -> JToken:
    """JToken.FromObject. Raises ArgumentException for what has no JSON form."""
    if value is None:
        return JValue(None)
    if isinstance(value, JToken):
        return clone(value)
    if isinstance(value, (str, bool, int, float, Decimal)) or type(value) in _KINDS or type(value) in KIND_BY_CLASS:
        return token_of(value)
    if isinstance(value, CsArray) and value.element is not None and value.element.name == "byte":
        return JValue(value, "Bytes")
    if isinstance(value, Anonymous):
        return _object_of(zip(value.names, value.values, strict=True))
    if isinstance(value, CsDict):
        return _object_of((to_text(key), item) for key, item in value.items.values())
    if isinstance(value, KeyValuePair):
        return _object_of([("Key", value.key), ("Value", value.value)])
    if isinstance(value, CsTuple):
        return _object_of((f"Item{i + 1}", item) for i, item in enumerate(value))
    if isinstance(value, (list, CsSet, Sequence, Grouping)):
        return JArray([from_object(item) for item in iterate(value)])
    if isinstance(value, CsException):
        return _object_of([("ClassName", f"System.{value.type_name}"), ("Message", value.text)])
    custom = getattr(value, "cs_properties", None)
    if custom is not None:
        return _object_of(custom())
    raise argument(f"an object of type '{to_text(value)}' has no JSON form here")


def _object_of(pairs: Any) -> JObject:
    made = JObject()
    for name, item in pairs:
        made.put(name, from_object(item))
    return made


# -- text ----------------------------------------------------------------------------------------------------


def parse(text: str | None) -> JToken:
    """JToken.Parse. Raises ArgumentNullException and JsonReaderException."""
    if text is None:
        raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: s")
    try:
        plain = _DECODER.decode(text)
    except ValueError:
        from apimpolicy.expressions.json_reader import LenientReader

        return LenientReader(text).document()
    return _from_python(plain)


class _Pairs(list[Any]):
    __slots__ = ()


def _number(text: str) -> float:
    return float(text)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_Pairs, strict=False, parse_float=_number, parse_int=int)


def _from_python(value: Any) -> JToken:
    kind = type(value)
    if kind is str:
        return string_token(value)
    if kind is _Pairs:
        made = JObject()
        properties = made.properties
        for name, item in value:
            known = properties.get(name)
            if known is not None:
                known.put(_from_python(item))
                continue
            one = JProperty(name, _from_python(item))
            one.parent = made
            properties[name] = one
        return made
    if kind is list:
        array = JArray()
        for item in value:
            token = _from_python(item)
            token.parent = array
            array.items.append(token)
        return array
    return JValue(value)


def string_token(text: str) -> JValue:
    """A parsed string; ISO dates become dates, as DateParseHandling.DateTime has it."""
    if 19 <= len(text) <= 40 and text[10] == "T" and text[4] == "-":
        found = dates.parse_iso(text)
        if found is not None:
            return JValue(found, "Date")
    return JValue(text, "String")


def quoted(text: str) -> str:
    result = json.dumps(text, ensure_ascii=False)
    if "\u2028" in text or "\u2029" in text or "\u0085" in text:
        result = result.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\u0085", "\\u0085")
    return result


def value_json(value: Any) -> str:
    """A simple value as JSON text."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_json(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        text = decimal_text(value)
        return text if "." in text else f"{text}.0"
    if isinstance(value, dates.DateTime):
        return f'"{value.iso()}"'
    if isinstance(value, dates.DateTimeOffset):
        return f'"{value.iso()}"'
    if isinstance(value, CsArray):
        import base64

        return f'"{base64.b64encode(bytes(value)).decode("ascii")}"'
    return quoted(to_text(value))


def float_json(value: float) -> str:
    if value != value or abs(value) == float("inf"):
        return quoted(double_text(value)) if value == value else '"NaN"'
    text = round_trip_text(value)
    return text if "." in text or "E" in text else f"{text}.0"


def serialize(token: JToken, indented: bool) -> str:
    """Formatting.None or Formatting.Indented."""
    parts: list[str] = []
    _write(token, parts, "\r\n" if False else "\n" if indented else "", "  " if indented else "")
    text = "".join(parts)
    check_text(len(text))
    return text


def _write(token: JToken, parts: list[str], line: str, indent: str) -> None:
    """`line` is the newline with the current indentation, empty for Formatting.None."""
    if isinstance(token, JValue):
        parts.append(token.value if token.kind == "Raw" else value_json(token.value))
        return
    if isinstance(token, JProperty):
        parts.append(f"{quoted(token.name)}:{' ' if line else ''}")
        _write(token.value, parts, line, indent)
        return
    opening, closing = ("{", "}") if isinstance(token, JObject) else ("[", "]")
    children = token.children()
    parts.append(opening)
    inner = line + indent if line else ""
    for index, child in enumerate(children):
        parts.append(f",{inner}" if index else inner)
        _write(child, parts, inner, indent)
    parts.append(f"{line}{closing}" if children else closing)


def token_text(token: JToken) -> str:
    """JToken.ToString(): a value prints itself, a container prints indented JSON."""
    if isinstance(token, JValue):
        if isinstance(token.value, dates.DateTime | dates.DateTimeOffset):
            return token.value.text()
        return to_text(token.value)
    return serialize(token, True)


def deep_equals(left: JToken | None, right: JToken | None) -> bool:
    if left is None or right is None:
        return left is right
    if type(left) is not type(right):
        return False
    if isinstance(left, JValue) and isinstance(right, JValue):
        if left.kind != right.kind and {left.kind, right.kind} - {"Integer", "Float"}:
            return False
        return bool(left.value == right.value)
    if isinstance(left, JObject) and isinstance(right, JObject):
        if left.properties.keys() != right.properties.keys():
            return False
        return all(deep_equals(one.value, right.properties[name].value) for name, one in left.properties.items())
    if isinstance(left, JProperty) and isinstance(right, JProperty):
        return left.name == right.name and deep_equals(left.value, right.value)
    mine, theirs = left.children(), right.children()
    return len(mine) == len(theirs) and all(map(deep_equals, mine, theirs))


for _kind in (JToken, JValue, JProperty, JObject, JArray):
    TEXT[_kind] = token_text
FORMATS[JValue] = lambda token, pattern: format_value(token.value, pattern)
