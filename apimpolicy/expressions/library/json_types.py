"""JToken, JObject, JArray, JProperty, JValue and JsonConvert: the member tables over `json_values`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions import dates
from apimpolicy.expressions.binder import default_of
from apimpolicy.expressions.conversions import EXPLICIT, IMPLICIT
from apimpolicy.expressions.errors import (
    CsException,
    argument,
    argument_null,
    invalid_cast,
    invalid_operation,
    out_of_range,
)
from apimpolicy.expressions.json_path import select
from apimpolicy.expressions.json_values import (
    JArray,
    JContainer,
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
    token_of,
    token_text,
    value_json,
)
from apimpolicy.expressions.library import numeric
from apimpolicy.expressions.library.strings import fold
from apimpolicy.expressions.numbers import to_single
from apimpolicy.expressions.runtime_types import CLASSES, describe, dotnet_name, instance_check
from apimpolicy.expressions.text import format_value, to_text
from apimpolicy.expressions.types import (
    INTEGRAL_RANGES,
    CType,
    define,
    define_enum,
    extend,
    make,
    strip_nullable,
)
from apimpolicy.expressions.values import (
    Char,
    CsArray,
    CsDict,
    CsList,
    CsSet,
    Runtime,
    Sequence,
)

TOKEN_TYPES: Final = define_enum(
    "JTokenType",
    {
        "None": 0,
        "Object": 1,
        "Array": 2,
        "Constructor": 3,
        "Property": 4,
        "Comment": 5,
        "Integer": 6,
        "Float": 7,
        "String": 8,
        "Boolean": 9,
        "Null": 10,
        "Undefined": 11,
        "Date": 12,
        "Raw": 13,
        "Bytes": 14,
        "Guid": 15,
        "Uri": 16,
        "TimeSpan": 17,
    },
    "Newtonsoft.Json.Linq",
)
define_enum("Formatting", {"None": 0, "Indented": 1}, "Newtonsoft.Json")
_LINQ: Final = "Newtonsoft.Json.Linq"
CLASSES.update(JToken=JToken, JContainer=JContainer, JObject=JObject, JArray=JArray, JProperty=JProperty, JValue=JValue)
numeric.CONVERTIBLE[JValue] = lambda token: token.value


def type_of(token: JToken) -> Any:
    if isinstance(token, JValue):
        return TOKEN_TYPES.values[token.kind]
    name = "Object" if isinstance(token, JObject) else "Array" if isinstance(token, JArray) else "Property"
    return TOKEN_TYPES.values[name]


# -- explicit conversions: (int)token and the like ----------------------------------------------------------------


def _simple(token: JToken, target: str) -> Any:
    """The value inside a JValue (or of a property). Raises ArgumentException for objects and arrays."""
    if isinstance(token, JProperty):
        token = token.value
    if not isinstance(token, JValue):
        raise argument(f"Can not convert {type_of(token).label} to {target}.")
    return token.value


def _converter(
    target: str, convert: Callable[[Any], Any], optional: bool, refused: tuple[type, ...]
) -> Callable[[Any], Any]:
    def run(token: JToken | None) -> Any:
        if token is None:
            if optional:
                return None
            raise argument_null("value")
        value = _simple(token, target)
        if value is None:
            if optional:
                return None
            raise argument(f"Can not convert Null to {target}.")
        if isinstance(value, refused):
            raise argument(f"Can not convert {type_of(token).label} to {target}.")
        return convert(value)

    return run


def to_date(value: Any) -> dates.DateTime:
    from apimpolicy.expressions.library.times import parse_date

    if isinstance(value, dates.DateTimeOffset):
        return dates.DateTime(value.utc, dates.UTC_KIND)
    if isinstance(value, dates.DateTime):
        return value
    if isinstance(value, str):
        return parse_date(value)
    raise argument(f"Can not convert {to_text(value)} to DateTime.")


def to_moment(value: Any) -> dates.DateTimeOffset:
    from apimpolicy.expressions.library.times import parse_offset

    if isinstance(value, dates.DateTime):
        return dates.DateTimeOffset(value.ticks)
    if isinstance(value, str):
        return parse_offset(value)
    if isinstance(value, dates.DateTimeOffset):
        return value
    raise argument(f"Can not convert {to_text(value)} to DateTimeOffset.")


def to_guid(value: Any) -> Any:
    from apimpolicy.expressions.library.values_of_system import Guid, parse_guid

    return value if isinstance(value, Guid) else parse_guid(to_text(value))


def to_uri(value: Any) -> Any:
    from apimpolicy.expressions.library.values_of_system import Uri, new_uri

    return value if isinstance(value, Uri) else new_uri(to_text(value))


def to_span(value: Any) -> Any:
    from apimpolicy.expressions.library.times import parse_span

    return value if isinstance(value, dates.TimeSpan) else parse_span(to_text(value))


def _bytes(value: Any) -> CsArray:
    return value if isinstance(value, CsArray) else numeric.from_base64(value)


_DATES: Final = (dates.DateTime, dates.DateTimeOffset, dates.TimeSpan, CsArray)
_NUMBERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "double": ("Double", numeric.change_to_double),
    "decimal": ("Decimal", numeric.change_to_decimal),
    "bool": ("Boolean", numeric.change_to_bool),
    "float": ("Single", lambda v: to_single(numeric.change_to_double(v))),
}
for _kind in INTEGRAL_RANGES:
    _NUMBERS[_kind] = (dotnet_name(make(_kind))[7:], (lambda k: lambda v: numeric.change_to_integer(v, k))(_kind))
for _kind, (_label, _convert) in _NUMBERS.items():
    EXPLICIT[("JToken", _kind)] = _converter(_label, _convert, False, _DATES)
    EXPLICIT[("JToken", f"{_kind}?")] = _converter(_label, _convert, True, _DATES)
for _kind, _convert in {"DateTime": to_date, "DateTimeOffset": to_moment, "Guid": to_guid, "TimeSpan": to_span}.items():
    EXPLICIT[("JToken", _kind)] = _converter(_kind, _convert, False, (int, float, bool, Decimal, CsArray))
    EXPLICIT[("JToken", f"{_kind}?")] = _converter(_kind, _convert, True, (int, float, bool, Decimal, CsArray))
EXPLICIT[("JToken", "Uri")] = _converter("Uri", to_uri, True, (int, float, bool, Decimal))
EXPLICIT[("JToken", "byte[]")] = _converter("Byte[]", _bytes, True, (int, float, bool))
EXPLICIT[("JToken", "char")] = _converter("Char", lambda v: numeric._to_char(v), False, _DATES)


def token_string(token: JToken | None) -> str | None:
    """(string)token."""
    if token is None:
        return None
    value = _simple(token, "String")
    if value is None:
        return None
    if isinstance(value, CsArray):
        return numeric.to_base64(value)
    return to_text(value)


EXPLICIT[("JToken", "string")] = token_string
for _kind in (
    "string",
    "bool",
    "int",
    "long",
    "double",
    "decimal",
    "float",
    "char",
    "DateTime",
    "DateTimeOffset",
    "TimeSpan",
    "Guid",
    "Uri",
    "byte[]",
    *INTEGRAL_RANGES,
):
    IMPLICIT[(_kind, "JToken")] = token_of
    if _kind not in ("string", "Uri", "byte[]"):
        IMPLICIT[(f"{_kind}?", "JToken")] = token_of


# -- Value<T>, ToObject<T> ---------------------------------------------------------------------------------------


def change_type(value: Any, target: CType) -> Any:
    """Convert.ChangeType for what a JValue can hold."""
    inner = strip_nullable(target)
    if value is None:
        if target.is_value and target.name != "Nullable":
            raise invalid_cast("null", dotnet_name(target))
        return None
    if inner.name in INTEGRAL_RANGES:
        return numeric.change_to_integer(value, inner.name)
    convert = _CHANGES.get(inner.name)
    if convert is None:
        raise invalid_cast(describe(value), dotnet_name(target))
    return convert(value)


_CHANGES: Final[dict[str, Callable[[Any], Any]]] = {
    "string": to_text,
    "double": numeric.change_to_double,
    "float": lambda v: to_single(numeric.change_to_double(v)),
    "decimal": numeric.change_to_decimal,
    "bool": numeric.change_to_bool,
    "DateTime": to_date,
    "DateTimeOffset": to_moment,
    "Guid": to_guid,
    "Uri": to_uri,
    "TimeSpan": to_span,
    "char": lambda v: numeric._to_char(v),
}


def value_as(token: JToken | None, target: CType) -> Any:
    """token.Value<T>() seen from its parent: null when there is no token."""
    if token is None:
        return default_of(target)
    if target.name == "object" or instance_check(target)(token):
        return token
    if isinstance(token, JProperty):
        token = token.value
    if not isinstance(token, JValue):
        raise CsException(
            "InvalidCastException",
            f"Cannot cast {dotnet_name(make(_class_name(token)))} to Newtonsoft.Json.Linq.JToken.",
        )
    if token.value is None:
        if target.is_value and target.name != "Nullable":
            raise invalid_cast("null", dotnet_name(target))
        return None
    if isinstance(token.value, str) and target.name == "string":
        return token.value
    return change_type(token.value, target)


def _class_name(token: JToken) -> str:
    return type(token).__name__


def member_value(types: tuple[CType, ...], token: JToken, key: Any) -> Any:
    return value_as(token_get(token, key), types[0])


def to_object(token: JToken | None, target: CType) -> Any:
    """token.ToObject<T>() for simple types, JSON types, lists, arrays and dictionaries."""
    inner = strip_nullable(target)
    if token is None or (isinstance(token, JValue) and token.value is None):
        if inner.name in ("JToken", "JValue", "object"):
            return token if inner.name != "object" else None
        if target.is_value and target.name != "Nullable":
            raise CsException(
                "JsonSerializationException", f"Error converting value {{null}} to type '{dotnet_name(target)}'."
            )
        return None
    if inner.name in CLASSES and isinstance(token, CLASSES[inner.name]):
        return token
    if inner.name == "object":
        return token.value if isinstance(token, JValue) else token
    if inner.name in (
        "[]",
        "List",
        "IEnumerable",
        "IList",
        "ICollection",
        "IReadOnlyList",
        "HashSet",
        "IReadOnlyCollection",
    ):
        if not isinstance(token, JArray):
            raise _not_deserialized(token, target, "array")
        items = [to_object(one, inner.args[0]) for one in token.items]
        if inner.name == "HashSet":
            made = CsSet(inner.args[0])
            for one in items:
                made.add(one)
            return made
        return CsArray(items, inner.args[0]) if inner.name == "[]" else CsList(items, inner.args[0])
    if inner.name in ("Dictionary", "IDictionary", "IReadOnlyDictionary"):
        if not isinstance(token, JObject):
            raise _not_deserialized(token, target, "object")
        table = CsDict(inner.args[0], inner.args[1])
        for name, one in token.properties.items():
            table.set(change_type(name, inner.args[0]), to_object(one.value, inner.args[1]))
        return table
    if not isinstance(token, JValue):
        raise _not_deserialized(token, target, "simple value")
    if inner.definition.kind == "enum" and isinstance(token.value, str) and token.value in inner.definition.values:
        return inner.definition.values[token.value]
    return change_type(token.value, target)


def _not_deserialized(token: JToken, target: CType, wanted: str) -> CsException:
    return CsException(
        "JsonSerializationException",
        f"Cannot deserialize the current JSON {type_of(token).label.lower()} into type '{dotnet_name(target)}' because "
        f"the type requires a JSON {wanted} to deserialize correctly.",
    )


# -- navigation and change -----------------------------------------------------------------------------------------


def token_get(token: JToken, key: Any) -> JToken | None:
    """token[key]: by name on objects, by index on arrays."""
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise argument(
                f"Accessed JObject values with invalid key value: {value_json(key)}. Object property name expected."
            )
        return token.get(key)
    if isinstance(token, JArray):
        if isinstance(key, bool) or not isinstance(key, int):
            raise argument(
                f"Accessed JArray values with invalid key value: {value_json(key)}. Int32 array index expected."
            )
        return array_get(token, key)
    if isinstance(token, JProperty):
        raise invalid_operation("Cannot access child value on Newtonsoft.Json.Linq.JProperty.")
    raise invalid_operation("Cannot access child value on Newtonsoft.Json.Linq.JValue.")


def token_set(token: JToken, key: Any, value: JToken | None) -> None:
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise argument(
                f"Set JObject values with invalid key value: {value_json(key)}. Object property name expected."
            )
        token.put(key, value if value is not None else JValue(None))
        return
    if isinstance(token, JArray):
        if isinstance(key, bool) or not isinstance(key, int):
            raise argument(
                f"Set JArray values with invalid key value: {value_json(key)}. Array position index expected."
            )
        array_set(token, key, value)
        return
    raise invalid_operation(f"Cannot set child value on Newtonsoft.Json.Linq.{_class_name(token)}.")


def array_get(token: JArray, index: int) -> JToken:
    if not 0 <= index < len(token.items):
        raise out_of_range(
            "index", "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    return token.items[index]


def array_set(token: JArray, index: int, value: JToken | None) -> None:
    array_get(token, index).parent = None
    token.items[index] = adopt(value if value is not None else JValue(None), token)


def child_values(token: JToken) -> list[JToken]:
    return list(token.children())


def siblings(token: JToken) -> list[JToken]:
    return token.parent.children() if token.parent is not None else []


def neighbour(token: JToken, step: int) -> JToken | None:
    around = siblings(token)
    index = next((i for i, one in enumerate(around) if one is token), -1)
    return around[index + step] if index >= 0 and 0 <= index + step < len(around) else None


def root_of(token: JToken) -> JToken:
    while token.parent is not None:
        token = token.parent
    return token


def path_of(token: JToken) -> str:
    """JToken.Path."""
    parts: list[str] = []
    current: JToken | None = token
    while current is not None and current.parent is not None:
        parent = current.parent
        if isinstance(parent, JArray):
            index = next(i for i, one in enumerate(parent.items) if one is current)
            parts.append(f"[{index}]")
        elif isinstance(current, JProperty):
            name = current.name
            special = any(c in name for c in " ./[]()'\"")
            parts.append(f"['{name}']" if special else f".{name}")
        current = parent
    return "".join(reversed(parts)).lstrip(".")


def remove(token: JToken) -> None:
    """token.Remove(): a value inside a property cannot leave it; the property can."""
    parent = token.parent
    if parent is None:
        raise invalid_operation("The parent is missing.")
    if isinstance(parent, JProperty):
        raise CsException("JsonException", "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty.")
    if isinstance(parent, JObject):
        assert isinstance(token, JProperty)
        del parent.properties[token.name]
    else:
        assert isinstance(parent, JArray)
        del parent.items[next(i for i, one in enumerate(parent.items) if one is token)]
    token.parent = None


def replace(token: JToken, value: JToken | None) -> None:
    parent = token.parent
    fresh = value if value is not None else JValue(None)
    if parent is None:
        raise invalid_operation("The parent is missing.")
    if isinstance(parent, JProperty):
        parent.put(fresh)
    elif isinstance(parent, JArray):
        array_set(parent, next(i for i, one in enumerate(parent.items) if one is token), fresh)
    elif isinstance(parent, JObject) and isinstance(token, JProperty) and isinstance(fresh, JProperty):
        entries = [fresh if one is token else one for one in parent.properties.values()]
        parent.properties.clear()
        for one in entries:
            one.parent = None
            parent.attach(one)
    else:
        raise argument("Can not add Newtonsoft.Json.Linq.JValue to Newtonsoft.Json.Linq.JObject.")


def _add_beside(token: JToken, value: Any, shift: int) -> None:
    parent = token.parent
    if isinstance(parent, JArray):
        index = next(i for i, one in enumerate(parent.items) if one is token)
        parent.items.insert(index + shift, adopt(to_child(value), parent))
    elif isinstance(parent, JObject) and isinstance(value, JProperty):
        entries: list[JProperty] = list(parent.properties.values())
        index = next(i for i, sibling in enumerate(entries) if sibling is token)
        parent.attach(value)
        entries.insert(index + shift, parent.properties[value.name])
        parent.properties = {one.name: one for one in entries}
    else:
        raise invalid_operation("The parent is missing.")


def to_child(value: Any) -> JToken:
    """What JArray.Add(object) and new JArray(object) make of an argument."""
    if isinstance(value, JToken):
        return value
    if isinstance(value, Char):
        return JValue(str(value), "String")
    return JValue(value)


def add_content(container: JToken, value: Any) -> None:
    """JContainer.Add(object): sequences spread, everything else is one child."""
    if isinstance(container, JArray):
        if isinstance(value, (list, CsSet, Sequence)) and not _is_bytes(value):
            for one in list(value.items if isinstance(value, CsSet) else value):
                add_content(container, one)
            return
        container.add(to_child(value))
        return
    if isinstance(container, JObject):
        if isinstance(value, JProperty):
            container.attach(value)
            return
        if isinstance(value, (list, Sequence)):
            for one in list(value):
                add_content(container, one)
            return
        if value is None:
            return
        raise argument(
            f"Can not add {dotnet_name(make(_class_name(to_child(value))))} to Newtonsoft.Json.Linq.JObject."
        )
    assert isinstance(container, JProperty)
    if not (isinstance(container.value, JValue) and container.value.value is None):
        raise CsException("JsonException", "Newtonsoft.Json.Linq.JProperty cannot have multiple values.")
    container.put(to_child(value))


def _is_bytes(value: Any) -> bool:
    return isinstance(value, CsArray) and value.element is not None and value.element.name == "byte"


def new_object(*content: Any) -> JObject:
    made = JObject()
    for one in content:
        add_content(made, one)
    return made


def new_array(*content: Any) -> JArray:
    made = JArray()
    for one in content:
        add_content(made, one)
    return made


def property_value(content: Any) -> JToken:
    if isinstance(content, (list, CsSet, Sequence)) and not _is_bytes(content):
        return new_array(content)
    return adopt(to_child(content), None)


def new_property(name: str | None, content: Any) -> JProperty:
    if name is None:
        raise argument_null("name")
    return JProperty(name, property_value(content))


def object_property(token: JObject, name: str, comparison: int = 4) -> JProperty | None:
    found = token.properties.get(name) if name is not None else None
    if found is None and comparison in (1, 3, 5):
        wanted = fold(name)
        found = next((one for one in token.properties.values() if fold(one.name) == wanted), None)
    return found


def _get_value(token: JObject, name: str | None, comparison: int = 4) -> JToken | None:
    if name is None:
        return None
    found = object_property(token, name, comparison)
    return None if found is None else found.value


def _try_get(token: JObject, name: str, *rest: Any) -> tuple[bool, Any]:
    found = _get_value(token, name, *rest)
    return found is not None, found


def _object_add(token: JObject, name: str, value: JToken | None) -> None:
    token.attach(JProperty(name, adopt(value if value is not None else JValue(None), None)))


def _object_remove(token: JObject, name: str) -> bool:
    if name is None:
        raise argument_null("propertyName")
    found = token.properties.pop(name, None)
    if found is not None:
        found.parent = None
    return found is not None


def _array_position(token: JArray, wanted: Any) -> int:
    return next((i for i, one in enumerate(token.items) if one is wanted), -1)


def _array_insert(token: JArray, index: int, value: JToken | None) -> None:
    if not 0 <= index <= len(token.items):
        raise out_of_range("index", "Index must be within the bounds of the List.")
    token.items.insert(index, adopt(value if value is not None else JValue(None), token))


def _array_remove(token: JArray, wanted: Any) -> bool:
    index = _array_position(token, wanted)
    if index >= 0:
        token.items.pop(index).parent = None
    return index >= 0


def _array_remove_at(token: JArray, index: int) -> None:
    array_get(token, index).parent = None
    del token.items[index]


def _clear(token: JToken) -> None:
    for one in token.children():
        one.parent = None
    if isinstance(token, JArray):
        token.items.clear()
    elif isinstance(token, JObject):
        token.properties.clear()


def descendants(token: JToken) -> Iterator[JToken]:
    for one in token.children():
        yield one
        yield from descendants(one)


def merge(token: JContainer, content: Any, handling: int = 0) -> None:
    """JContainer.Merge: objects merge by name; arrays are concatenated (or replaced, united, merged by index)."""
    if isinstance(token, JObject) and isinstance(content, JObject):
        for one in content.properties.values():
            mine = token.get(one.name)
            if isinstance(mine, (JObject, JArray)) and type(mine) is type(one.value):
                merge(mine, one.value, handling)
            elif not (isinstance(one.value, JValue) and one.value.value is None and mine is not None):
                token.put(one.name, clone(one.value))
    elif isinstance(token, JArray) and isinstance(content, JArray):
        if handling == 2:
            _clear(token)
        for one in content.items:
            if handling != 1 or not any(deep_equals(one, mine) for mine in token.items):
                token.add(clone(one))


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
    item = starts.get(_class_name(token)) or type_of(token).label
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
    "void Merge(object, JsonMergeSettings)": lambda t, v, s: merge(t, v, s),
}
define_enum("MergeArrayHandling", {"Concat": 0, "Union": 1, "Replace": 2, "Merge": 3}, _LINQ)
define("JsonMergeSettings", namespace=_LINQ)
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
