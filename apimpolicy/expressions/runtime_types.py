"""What a value is at run time: for casts, `is`, `as`, and the names in exception messages.

Library modules register the Python class behind each of their types in `CLASSES`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.types import DEFINITIONS, OBJECT, CType, EnumValue, make, reference_convertible
from apimpolicy.expressions.values import (
    BOXES,
    Anonymous,
    Char,
    Comparer,
    CsArray,
    CsDict,
    CsList,
    CsQueue,
    CsSet,
    CsStack,
    CsTuple,
    Grouping,
    KeyValuePair,
    Ordered,
    Sequence,
    ValueTuple,
)

CLASSES: Final[dict[str, type]] = {
    "string": str,
    "bool": bool,
    "int": int,
    "double": float,
    "decimal": Decimal,
    "char": Char,
    **BOXES,
    "StringComparer": Comparer,
}
"""C# type name -> the Python class whose instances (exactly, or subclasses registered elsewhere) are of that type."""
_EXACT: Final = frozenset({"string", "bool", "int", "double", "decimal", "char", *BOXES})
_GENERIC: Final[dict[str, tuple[type, ...]]] = {
    "[]": (CsArray,),
    "List": (CsList,),
    "Dictionary": (CsDict,),
    "HashSet": (CsSet,),
    "Queue": (CsQueue,),
    "Stack": (CsStack,),
    "KeyValuePair": (KeyValuePair,),
    "Tuple": (CsTuple,),
    "ValueTuple": (ValueTuple,),
    "IGrouping": (Grouping,),
    "IOrderedEnumerable": (Ordered,),
}


@lru_cache(maxsize=1024)
def instance_check(target: CType) -> Callable[[Any], bool]:
    """A test whether a non-null value is a `target`."""
    name = target.name
    if target is OBJECT:
        return lambda v: True
    if name in _EXACT:
        wanted = CLASSES[name]
        return lambda v: type(v) is wanted
    if target.definition.kind == "enum":
        definition = target.definition
        return lambda v: isinstance(v, EnumValue) and v.definition is definition
    if is_exception(target):
        return lambda v: isinstance(v, CsException) and exception_is(v.type_name, name)
    python = CLASSES.get(name)
    if python is not None:
        found = python
        return lambda v: isinstance(v, found)
    if name == "IComparable":
        return lambda v: isinstance(v, (str, bool, int, float, Decimal))

    def by_type(value: Any) -> bool:
        return reference_convertible(runtime_type(value), target)

    if name in _GENERIC and any(arg is OBJECT for arg in target.args):
        classes = _GENERIC[name]
        return lambda v: type(v) in classes and (by_type(v) or runtime_type(v) is OBJECT)
    return by_type


def is_exception(one: CType) -> bool:
    return any(base.name == "Exception" for base in one.supers)


def exception_is(name: str, wanted: str) -> bool:
    """Whether the exception type `name` is `wanted` or derives from it."""
    current: str | None = name
    while current is not None:
        if current == wanted:
            return True
        definition = DEFINITIONS.get(current)
        if definition is None:
            return wanted == "Exception"
        current = definition.bases[0] if definition.bases else None
    return False


def runtime_type(value: Any) -> CType:
    """The dynamic type of a value; object for what only C#'s compiler could name."""
    kind = type(value)
    for name in _EXACT:
        if kind is CLASSES[name]:
            return make(name)
    if isinstance(value, EnumValue):
        return make(value.definition.name)
    if kind is CsArray:
        return make("[]", value.element or OBJECT)
    for name, classes in _GENERIC.items():
        if kind in classes and hasattr(value, "element"):
            return make(name, value.element or OBJECT)
    if kind is CsDict:
        return make("Dictionary", value.key or OBJECT, value.value or OBJECT)
    if kind is CsSet:
        return make("HashSet", value.element or OBJECT)
    if kind is KeyValuePair:
        return make("KeyValuePair", OBJECT if value.key is None else runtime_type(value.key), runtime_type(value.value))
    if kind is CsTuple:
        return make("Tuple", *(runtime_type(item) for item in value))
    if isinstance(value, Sequence):
        return make("IEnumerable", OBJECT)
    if isinstance(value, CsException) and value.type_name in DEFINITIONS:
        return make(value.type_name)
    best: CType | None = None
    for name, python in CLASSES.items():
        if kind is python and name in DEFINITIONS:
            return make(name)
        if isinstance(value, python) and name not in _EXACT and name in DEFINITIONS and best is None:
            best = make(name)
    return best or OBJECT


def dotnet_name(one: CType) -> str:
    """`System.String`, `System.Collections.Generic.List`1[System.Int32]`, `System.Int32[]`."""
    names = {
        "string": "String",
        "object": "Object",
        "bool": "Boolean",
        "int": "Int32",
        "long": "Int64",
        "short": "Int16",
        "byte": "Byte",
        "sbyte": "SByte",
        "uint": "UInt32",
        "ulong": "UInt64",
        "ushort": "UInt16",
        "char": "Char",
        "double": "Double",
        "float": "Single",
        "decimal": "Decimal",
    }
    if one.name in names:
        return f"System.{names[one.name]}"
    if one.name == "[]":
        return f"{dotnet_name(one.args[0])}[]"
    if one.args:
        inner = ",".join(map(dotnet_name, one.args))
        return f"{one.definition.full_name}`{len(one.args)}[{inner}]"
    return one.definition.full_name


def describe(value: Any) -> str:
    if isinstance(value, Anonymous):
        return "<>__AnonType0"
    return dotnet_name(runtime_type(value))
