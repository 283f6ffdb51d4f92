"""JToken, JObject, JArray, JProperty, JValue and JsonConvert: the member tables over `json_values`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apimpolicy.expressions.errors import (
    CsException,
    argument,
    argument_null,
)
from apimpolicy.expressions.json_path import select
from apimpolicy.expressions.json_values import (
    JArray,
    JObject,
    JProperty,
    JToken,
    JValue,
    adopt,
    clone,
    deep_equals,
    from_object,
    parse,
    serialize,
    token_text,
    value_json,
)
from apimpolicy.expressions.library.json_conversions import (
    class_name,
    to_object,
    type_of,
    value_as,
)
from apimpolicy.expressions.library.json_edits import (
    MergeSettings,
    _add_beside,
    _array_insert,
    _array_position,
    _array_remove,
    _array_remove_at,
    _clear,
    _get_value,
    _object_add,
    _object_remove,
    _try_get,
    add_content,
    array_get,
    array_set,
    child_values,
    descendants,
    member_value,
    merge,
    neighbour,
    new_array,
    new_object,
    new_property,
    object_property,
    path_of,
    remove,
    replace,
    root_of,
    to_child,
    token_get,
    token_set,
)
from apimpolicy.expressions.runtime_types import CLASSES, instance_check
from apimpolicy.expressions.text import format_value
from apimpolicy.expressions.types import (
    CType,
    define,
    define_enum,
    extend,
    make,
)
from apimpolicy.expressions.values import (
    CsList,
    Runtime,
)

_LINQ: Final = "Newtonsoft.Json.Linq"


# -- parse and serialise -------------------------------------------------------------------------------------------


def _charged_parse(runtime: Runtime, text: str | None) -> JToken:
    runtime.charge(len(text or "") >> 6)
    return parse(text)


def parse_object(runtime: Runtime, text: str | None) -> JObject:
    token = _charged_parse(runtime, text)
    if not isinstance(token, JObject):
        raise _wrong_root("JObject", "an object", token)
    return token


def parse_array(runtime: Runtime, text: str | None) -> JArray:
    token = _charged_parse(runtime, text)
    if not isinstance(token, JArray):
        raise _wrong_root("JArray", "an array", token)
    return token


def _wrong_root(name: str, wanted: str, token: JToken) -> CsException:
    starts = {"JObject": "StartObject", "JArray": "StartArray"}
    item = starts.get(class_name(token)) or type_of(token).label
    return CsException(
        "JsonReaderException",
        f"Error reading {name} from JsonReader. Current JsonReader item is not {wanted}: {item}."
        " Path '', line 1, position 1.",
    )


def text_of(runtime: Runtime, token: JToken, formatting: int = 1, converters: Any = None) -> str:
    if isinstance(token, JValue) and formatting == 1:
        text = token_text(token) if converters is None else value_json(token.value)
    else:
        text = serialize(token, formatting == 1)
    runtime.charge(len(text) >> 8)
    return text


def _formatted(runtime: Runtime, token: JToken, formatting: int, converters: Any) -> str:
    text = serialize(token, formatting == 1)
    runtime.charge(len(text) >> 8)
    return text


def serialize_object(runtime: Runtime, value: Any, formatting: int = 0) -> str:
    token = value if isinstance(value, JToken) else from_object(value)
    text = serialize(token, formatting == 1)
    runtime.charge(len(text) >> 8)
    return text


def deserialize(runtime: Runtime, types: tuple[CType, ...], text: str | None) -> Any:
    if text is not None and not text.strip():
        return None
    return to_object(_charged_parse(runtime, text), types[0])


def _from_object(value: Any, wanted: type, name: str) -> Any:
    if value is None:
        raise argument_null("o")
    token = from_object(value)
    if not isinstance(token, wanted):
        raise argument(f"Object serialized to {type_of(token).label}. {name} instance expected.")
    return token


_SHARED: dict[str, Any] = {
    "JTokenType Type": type_of,
    "bool HasValues": lambda t: bool(t.children()),
    "JContainer Parent": lambda t: t.parent,
    "JToken Root": root_of,
    "string Path": path_of,
    "JToken First": lambda t: t.children()[0] if t.children() else None,
    "JToken Last": lambda t: t.children()[-1] if t.children() else None,
    "JToken Next": lambda t: neighbour(t, 1),
    "JToken Previous": lambda t: neighbour(t, -1),
    "JToken this[object]": (token_get, token_set),
    "^T Value<T>(object)": member_value,
    "IEnumerable<JToken> Children()": lambda t: CsList(child_values(t), make("JToken")),
    "^IEnumerable<T> Children<T>()": lambda types, t: CsList(
        [c for c in t.children() if instance_check(types[0])(c)], types[0]
    ),
    "^IEnumerable<T> Values<T>()": lambda types, t: CsList([value_as(c, types[0]) for c in t.children()], types[0]),
    "!JToken SelectToken(string)": lambda r, t, p: _select_one(r, t, p, False),
    "!JToken SelectToken(string, bool errorWhenNoMatch)": lambda r, t, p, e: _select_one(r, t, p, e),
    "!IEnumerable<JToken> SelectTokens(string)": lambda r, t, p: CsList(select(r, t, p), make("JToken")),
    "JToken DeepClone()": clone,
    "void Remove()": remove,
    "void Replace(JToken)": replace,
    "void AddAfterSelf(object)": lambda t, v: _add_beside(t, v, 1),
    "void AddBeforeSelf(object)": lambda t, v: _add_beside(t, v, 0),
    "^T ToObject<T>()": lambda types, t: to_object(t, types[0]),
    "!string ToString()": lambda r, t: text_of(r, t),
    "!string ToString(Formatting, params JsonConverter[])": _formatted,
    "IEnumerable<JToken> Ancestors()": lambda t: CsList(_ancestors(t), make("JToken")),
    "static bool DeepEquals(JToken, JToken)": deep_equals,
    "!static JToken Parse(string)": _charged_parse,
    "static JToken FromObject(object)": lambda v: _from_object(v, JToken, "JToken"),
}


def _ancestors(token: JToken) -> Iterator[JToken]:
    while token.parent is not None:
        token = token.parent
        yield token


def _select_one(runtime: Runtime, token: JToken, path: str, strict: bool) -> JToken | None:
    found = select(runtime, token, path)
    if len(found) > 1:
        raise CsException("JsonException", "Path returned multiple tokens.")
    if not found and strict:
        raise CsException("JsonException", f"Path '{path}' did not match any token.")
    return found[0] if found else None


define("JsonConverter", namespace="Newtonsoft.Json")
define("JToken", bases=["IEnumerable<JToken>"], namespace=_LINQ, members=_SHARED)
_CONTENT: dict[str, Any] = {
    "int Count": lambda t: len(t.children()),
    "void Add(object)": add_content,
    "void AddFirst(object)": lambda t, v: t.items.insert(0, adopt(to_child(v), t)),
    "void RemoveAll()": _clear,
    "IEnumerable<JToken> Descendants()": lambda t: CsList(descendants(t), make("JToken")),
    "IEnumerable<JToken> DescendantsAndSelf()": lambda t: CsList([t, *descendants(t)], make("JToken")),
    "void Merge(object)": merge,
    "void Merge(object, JsonMergeSettings)": merge,
}
define_enum("MergeArrayHandling", {"Concat": 0, "Union": 1, "Replace": 2, "Merge": 3}, _LINQ)
CLASSES.update(JsonMergeSettings=MergeSettings)
define(
    "JsonMergeSettings",
    namespace=_LINQ,
    members={
        "JsonMergeSettings new()": MergeSettings,
        "MergeArrayHandling MergeArrayHandling": (lambda s: s.handling, lambda s, v: setattr(s, "handling", v)),
    },
)
define("JContainer", bases=["JToken"], namespace=_LINQ, members=_CONTENT)

define(
    "JObject",
    bases=["JContainer"],
    namespace=_LINQ,
    members={
        "JObject new()": new_object,
        "JObject new(JObject)": clone,
        "JObject new(params object[])": lambda items: new_object(*items),
        "JToken this[string]": (lambda t, k: t.get(k), token_set),
        "JProperty Property(string)": object_property,
        "JProperty Property(string, StringComparison)": object_property,
        "IEnumerable<JProperty> Properties()": lambda t: CsList(t.properties.values(), make("JProperty")),
        "IEnumerable<JToken> PropertyValues()": lambda t: CsList(
            [p.value for p in t.properties.values()], make("JToken")
        ),
        "void Add(string, JToken)": _object_add,
        "bool Remove(string)": _object_remove,
        "bool ContainsKey(string)": lambda t, k: k in t.properties,
        "bool TryGetValue(string, out JToken)": _try_get,
        "bool TryGetValue(string, StringComparison, out JToken)": _try_get,
        "JToken GetValue(string)": _get_value,
        "JToken GetValue(string, StringComparison)": _get_value,
        "!static JObject Parse(string)": parse_object,
        "static JObject FromObject(object)": lambda v: _from_object(v, JObject, "JObject"),
        "JObject DeepClone()": clone,
    },
)
define(
    "JArray",
    bases=["JContainer", "IList<JToken>"],
    namespace=_LINQ,
    members={
        "JArray new()": JArray,
        "JArray new(JArray)": clone,
        "JArray new(object)": new_array,
        "JArray new(params object[])": lambda items: new_array(*items),
        "JToken this[int]": (array_get, array_set),
        "int Count": lambda t: len(t.items),
        "void Add(JToken)": lambda t, v: t.add(v if v is not None else JValue(None)),
        "void Add(object)": add_content,
        "void Insert(int, JToken)": _array_insert,
        "bool Remove(JToken)": _array_remove,
        "void RemoveAt(int)": _array_remove_at,
        "void Clear()": _clear,
        "bool Contains(JToken)": lambda t, v: _array_position(t, v) >= 0,
        "int IndexOf(JToken)": _array_position,
        "!static JArray Parse(string)": parse_array,
        "static JArray FromObject(object)": lambda v: _from_object(v, JArray, "JArray"),
        "JArray DeepClone()": clone,
    },
)


def _set_property(token: JProperty, value: JToken | None) -> None:
    token.put(value if value is not None else JValue(None))


def _set_value(token: JValue, value: Any) -> None:
    fresh = to_child(value)
    assert isinstance(fresh, JValue)
    token.value, token.kind = fresh.value, fresh.kind


define(
    "JProperty",
    bases=["JContainer"],
    namespace=_LINQ,
    members={
        "JProperty new(string, object)": new_property,
        "JProperty new(string, params object[])": lambda name, items: new_property(name, CsList(items)),
        "string Name": lambda t: t.name,
        "JToken Value": (lambda t: t.value, _set_property),
    },
)
define(
    "JValue",
    bases=["JToken", "IComparable"],
    namespace=_LINQ,
    members={
        "JValue new(object)": to_child,
        "JValue new(string)": JValue,
        "JValue new(JValue)": clone,
        "object Value": (lambda t: t.value, _set_value),
        "string ToString()": token_text,
        "string ToString(string)": lambda t, p: format_value(t.value, p),
        "string ToString(IFormatProvider)": lambda t, c: token_text(t),
        "static JValue CreateNull()": lambda: JValue(None),
        "static JValue CreateString(string)": lambda v: JValue(v, "String"),
        "bool Equals(JValue)": deep_equals,
        "bool Equals(object)": lambda t, o: isinstance(o, JValue) and deep_equals(t, o),
    },
)
define(
    "JsonConvert",
    kind="static",
    namespace="Newtonsoft.Json",
    members={
        "!static string SerializeObject(object)": serialize_object,
        "!static string SerializeObject(object, Formatting)": serialize_object,
        "!^static T DeserializeObject<T>(string)": deserialize,
        "!static object DeserializeObject(string)": lambda r, s: to_object(_charged_parse(r, s), make("object")),
        "static string ToString(object)": lambda v: value_json(v.value if isinstance(v, JValue) else v),
        "static string ToString(string)": value_json,
    },
)
extend(
    {
        "^T Value<T>(JToken)": lambda types, t: value_as(_not_null(t), types[0]),
        "^IEnumerable<T> Values<T>(IEnumerable<JToken>)": lambda types, items: CsList(
            [value_as(one, types[0]) for one in items], types[0]
        ),
        "IEnumerable<JToken> Values(IEnumerable<JToken>, object)": lambda items, k: CsList(
            [v for one in items if (v := token_get(one, k)) is not None], make("JToken")
        ),
        "IEnumerable<JToken> Children(IEnumerable<JToken>)": lambda items: CsList(
            [c for one in items for c in one.children()], make("JToken")
        ),
        "IEnumerable<JProperty> Properties(IEnumerable<JObject>)": lambda items: CsList(
            [p for one in items for p in one.properties.values()], make("JProperty")
        ),
    }
)


def _not_null(token: JToken | None) -> JToken:
    if token is None:
        raise argument_null("value")
    return token
