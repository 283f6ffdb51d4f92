"""From JSON tokens to C# values: casts, Value<T>, ToObject<T>, with Newtonsoft's rules and errors."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions import dates
from apimpolicy.expressions.conversions import EXPLICIT, IMPLICIT
from apimpolicy.expressions.defaults import default_of
from apimpolicy.expressions.errors import (
    CsException,
    argument,
    argument_null,
    invalid_cast,
)
from apimpolicy.expressions.json_values import (
    JArray,
    JContainer,
    JObject,
    JProperty,
    JToken,
    JValue,
    token_of,
)
from apimpolicy.expressions.library import numeric
from apimpolicy.expressions.numbers import to_single
from apimpolicy.expressions.runtime_types import CLASSES, describe, dotnet_name, instance_check
from apimpolicy.expressions.text import to_text
from apimpolicy.expressions.types import (
    INTEGRAL_RANGES,
    CType,
    define_enum,
    make,
    strip_nullable,
)
from apimpolicy.expressions.values import (
    CsArray,
    CsDict,
    CsList,
    CsSet,
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
            f"Cannot cast {dotnet_name(make(class_name(token)))} to Newtonsoft.Json.Linq.JToken.",
        )
    if token.value is None:
        if target.is_value and target.name != "Nullable":
            raise invalid_cast("null", dotnet_name(target))
        return None
    if isinstance(token.value, str) and target.name == "string":
        return token.value
    return change_type(token.value, target)


def class_name(token: JToken) -> str:
    return type(token).__name__


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
