"""Walking and changing JSON trees: indexers, siblings, paths, Add, Remove, Replace, Merge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apimpolicy.expressions.errors import (
    CsException,
    argument,
    argument_null,
    invalid_operation,
    out_of_range,
)
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
    value_json,
)
from apimpolicy.expressions.library.json_conversions import class_name, value_as
from apimpolicy.expressions.library.strings import fold
from apimpolicy.expressions.runtime_types import dotnet_name
from apimpolicy.expressions.types import (
    CType,
    make,
)
from apimpolicy.expressions.values import (
    Char,
    CsArray,
    CsSet,
    Sequence,
)


def member_value(types: tuple[CType, ...], token: JToken, key: Any) -> Any:
    return value_as(token_get(token, key), types[0])


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
    raise invalid_operation(f"Cannot set child value on Newtonsoft.Json.Linq.{class_name(token)}.")


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
        parent.properties = {sibling.name: sibling for sibling in entries}
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
        raise argument(f"Can not add {dotnet_name(make(class_name(to_child(value))))} to Newtonsoft.Json.Linq.JObject.")
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


class MergeSettings:
    """JsonMergeSettings: what becomes of arrays that meet (0 concat, 1 union, 2 replace, 3 merge by index)."""

    __slots__ = ("handling",)

    def __init__(self) -> None:
        self.handling: int = 0


def merge(token: JContainer, content: Any, settings: MergeSettings | None = None) -> None:
    """JContainer.Merge: objects merge by name, arrays as the settings say."""
    handling = 0 if settings is None else int(settings.handling)
    if isinstance(token, JObject) and isinstance(content, JObject):
        for theirs in content.properties.values():
            mine = token.get(theirs.name)
            if isinstance(mine, (JObject, JArray)) and type(mine) is type(theirs.value):
                merge(mine, theirs.value, settings)
            elif not (isinstance(theirs.value, JValue) and theirs.value.value is None and mine is not None):
                token.put(theirs.name, clone(theirs.value))
    elif isinstance(token, JArray) and isinstance(content, JArray):
        if handling == 2:
            _clear(token)
        for index, item in enumerate(content.items):
            if handling == 3 and index < len(token.items):
                _merge_item(token, index, item, settings)
            elif handling != 1 or not any(deep_equals(item, mine) for mine in token.items):
                token.add(clone(item))


def _merge_item(token: JArray, index: int, item: JToken, settings: MergeSettings | None) -> None:
    mine = token.items[index]
    if isinstance(mine, JContainer) and type(mine) is type(item):
        merge(mine, item, settings)
    elif not (isinstance(item, JValue) and item.value is None):
        array_set(token, index, clone(item))
