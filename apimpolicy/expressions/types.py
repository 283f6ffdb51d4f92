"""C#'s static types as far as policies need them, and the tables that say which members they have.

A type is an interned `CType`; what it can do stands in its `TypeDef`, filled by the modules of `library/` with
signatures written the way C# writes them. Members exist only when a table names them: no attribute of a Python
object is ever reached by a name out of a policy. This room knows nothing of syntax trees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final


class CType:
    """One closed (or, inside signatures, open) type. Identity is equality."""

    __slots__ = ("_supers", "args", "definition", "labels", "name", "names")

    def __init__(self, name: str, args: tuple[CType, ...], definition: TypeDef, labels: tuple[str, ...] = ()) -> None:
        self.name = name
        self.args = args
        self.definition = definition
        self.labels = labels
        self._supers: tuple[CType, ...] | None = None

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        if self.name == "[]":
            return f"{self.args[0]}[]"
        if self.name == "Nullable":
            return f"{self.args[0]}?"
        if self.name == "anonymous":
            return "<anonymous type>"
        if self.args:
            return f"{self.name}<{', '.join(map(str, self.args))}>"
        return self.name

    @property
    def is_value(self) -> bool:
        return self.definition.kind in ("struct", "enum")

    @property
    def is_open(self) -> bool:
        return self.definition.kind == "parameter" or any(arg.is_open for arg in self.args)

    @property
    def supers(self) -> tuple[CType, ...]:
        """This type, then every base class and interface, nearest first."""
        if self._supers is None:
            found: dict[CType, None] = {self: None}
            bound = dict(zip(self.definition.parameters, self.args, strict=False))
            for text in self.definition.bases:
                for one in substitute(parse_type(text, self.definition.parameters), bound).supers:
                    found.setdefault(one)
            if self.definition.kind != "parameter":
                found.setdefault(OBJECT_BOX[0]) if OBJECT_BOX else None
            self._supers = tuple(found)
        return self._supers


@dataclass(slots=True)
class Param:
    """One parameter of a signature."""

    name: str
    type: CType
    default: Any
    optional: bool
    is_out: bool
    is_params: bool


@dataclass(slots=True)
class Member:
    """One overload. `call` takes (runtime?, type arguments?, self?, *arguments) as the flags say."""

    name: str
    kind: str  # method, property, indexer, constructor
    static: bool
    returns: CType
    parameters: list[Param]
    type_parameters: tuple[str, ...]
    call: Callable[..., Any]
    setter: Callable[..., Any] | None
    needs_runtime: bool
    needs_types: bool
    null_ok: bool
    constant: Any
    owner: TypeDef


class TypeDef:
    """The definition behind a type name: kind, bases, and the table of members."""

    __slots__ = ("_members", "bases", "full_name", "kind", "name", "parameters", "tables", "values")

    def __init__(
        self, name: str, kind: str, parameters: tuple[str, ...], bases: tuple[str, ...], full_name: str
    ) -> None:
        self.name = name
        self.kind = kind
        self.parameters = parameters
        self.bases = bases
        self.full_name = full_name
        self.tables: list[Mapping[str, Any]] = []
        self.values: dict[str, EnumValue] = {}
        self._members: dict[str, list[Member]] | None = None

    @property
    def members(self) -> dict[str, list[Member]]:
        if self._members is None:
            self._members = {}
            for table in self.tables:
                for signature, implementation in table.items():
                    member = parse_signature(signature, implementation, self)
                    self._members.setdefault(member.name, []).append(member)
        return self._members

    def add(self, table: Mapping[str, Any]) -> None:
        self.tables.append(table)
        self._members = None


class EnumValue(int):
    """A value of a C# enum; it compares as its number and prints as its name."""

    definition: TypeDef
    label: str


DEFINITIONS: Final[dict[str, TypeDef]] = {}
EXTENSIONS: Final[dict[str, list[tuple[str, Any]]]] = {}
"""Extension methods by name: (signature, implementation)."""
OBJECT_BOX: Final[list[CType]] = []
REFUSED: Final[dict[str, str]] = {}
"""Type names APIM may know but this library does not model: name -> the word used to refuse it."""

_INTERNED: Final[dict[tuple[str, tuple[CType, ...], tuple[str, ...]], CType]] = {}
_PARAMETERS: Final[dict[str, CType]] = {}


def define(
    declaration: str,
    *,
    kind: str = "class",
    bases: Iterable[str] = (),
    members: Mapping[str, Any] | None = None,
    namespace: str = "System",
) -> TypeDef:
    """Make a type known: `define("List<T>", bases=["IList<T>"], members={"int Count": len})`."""
    name, _, rest = declaration.partition("<")
    parameters = tuple(part.strip() for part in rest.rstrip(">").split(",")) if rest else ()
    definition = TypeDef(name, kind, parameters, tuple(bases), f"{namespace}.{name}" if namespace else name)
    DEFINITIONS[name] = definition
    if members:
        definition.add(members)
    return definition


def define_enum(name: str, values: Mapping[str, int], namespace: str = "System") -> TypeDef:
    definition = define(name, kind="enum", namespace=namespace)
    for label, number in values.items():
        value = EnumValue(number)
        value.definition = definition
        value.label = label
        definition.values[label] = value
    return definition


def enum_value(definition: TypeDef, number: int) -> EnumValue:
    for known in definition.values.values():
        if known == number:
            return known
    value = EnumValue(number)
    value.definition = definition
    value.label = ", ".join(k for k, v in definition.values.items() if v and number & v == v) or str(number)
    return value


_CALLED: Final = re.compile(r"(\w+)(?:<[\w, ]+>)?\(")
_EXTENSION_HOLDER: Final = TypeDef("extension", "static", (), (), "extension")
_EXTENSION_MEMBERS: Final[dict[str, list[Member]]] = {}


def extend(table: Mapping[str, Any]) -> None:
    """Add extension methods: the first parameter is the receiver. Signatures are read on first use."""
    for signature, implementation in table.items():
        found = _CALLED.search(signature)
        assert found is not None
        EXTENSIONS.setdefault(found[1], []).append((signature, implementation))
        _EXTENSION_MEMBERS.pop(found[1], None)


def extension_members(name: str) -> list[Member]:
    """Every extension method of that name."""
    known = _EXTENSION_MEMBERS.get(name)
    if known is None:
        known = [parse_signature(text, call, _EXTENSION_HOLDER) for text, call in EXTENSIONS.get(name, ())]
        _EXTENSION_MEMBERS[name] = known
    return known


def make(name: str, *args: CType, labels: tuple[str, ...] = ()) -> CType:
    key = (name, args, labels)
    known = _INTERNED.get(key)
    if known is None:
        known = CType(name, args, DEFINITIONS[name], labels)
        _INTERNED[key] = known
    return known


def type_parameter(name: str) -> CType:
    known = _PARAMETERS.get(name)
    if known is None:
        known = CType(name, (), TypeDef(name, "parameter", (), (), name))
        _PARAMETERS[name] = known
    return known


def array_of(element: CType) -> CType:
    return make("[]", element)


def nullable(inner: CType) -> CType:
    """`T?` for a value type, and T itself for anything that can be null already."""
    return make("Nullable", inner) if inner.is_value and inner.name != "Nullable" else inner


def strip_nullable(one: CType) -> CType:
    return one.args[0] if one.name == "Nullable" else one


def substitute(one: CType, bound: Mapping[str, CType]) -> CType:
    """`one` with its type parameters replaced; unknown parameters stay."""
    if one.definition.kind == "parameter":
        return bound.get(one.name, one)
    if not one.args:
        return one
    args = tuple(substitute(arg, bound) for arg in one.args)
    return one if args == one.args else make(one.name, *args, labels=one.labels)


_TOKEN: Final = re.compile(r"\s*([A-Za-z_][A-Za-z_0-9.]*|[<>,?()]|\[\])")
_ALIASES: Final[dict[str, str]] = {
    "String": "string",
    "Object": "object",
    "Boolean": "bool",
    "Int32": "int",
    "Int64": "long",
    "Int16": "short",
    "Byte": "byte",
    "SByte": "sbyte",
    "UInt16": "ushort",
    "UInt32": "uint",
    "UInt64": "ulong",
    "Char": "char",
    "Double": "double",
    "Single": "float",
    "Decimal": "decimal",
    "Void": "void",
}


def canonical_name(name: str) -> str:
    """C#'s keyword for a framework type name: Int32 -> int."""
    return _ALIASES.get(name, name)


_PARSED: Final[dict[tuple[str, tuple[str, ...]], CType]] = {}


def parse_type(text: str, parameters: tuple[str, ...] = ()) -> CType:
    """A type as written in a signature table."""
    key = (text, parameters)
    known = _PARSED.get(key)
    if known is None:
        known, _rest = _parse(_TOKEN.findall(text), 0, parameters)
        _PARSED[key] = known
    return known


def _parse(tokens: list[str], at: int, parameters: tuple[str, ...]) -> tuple[CType, int]:
    name = tokens[at]
    at += 1
    args: list[CType] = []
    if at < len(tokens) and tokens[at] == "<":
        while tokens[at] != ">":
            arg, at = _parse(tokens, at + 1, parameters)
            args.append(arg)
        at += 1
    result = type_parameter(name) if name in parameters else named(name, tuple(args))
    while at < len(tokens) and tokens[at] in ("[]", "?"):
        result = array_of(result) if tokens[at] == "[]" else nullable_open(result)
        at += 1
    return result, at


def nullable_open(inner: CType) -> CType:
    return make("Nullable", inner) if inner.definition.kind == "parameter" else nullable(inner)


def named(name: str, args: tuple[CType, ...]) -> CType:
    """The type of that name, with delegate shorthands written as Func."""
    if name == "Predicate":
        return make("Func", args[0], BOOL)
    if name == "Comparison":
        return make("Func", args[0], args[0], INT)
    if name == "Converter":
        return make("Func", *args)
    return make(canonical_name(name), *args)


_SIGNATURE: Final = re.compile(
    r"(?P<flags>[!^~]*)(?P<static>static )?(?P<returns>[^()]+?) (?P<name>[A-Za-z_]\w*)"
    r"(?:<(?P<generic>[\w, ]+)>)?(?P<call>\((?P<params>.*)\)|\[(?P<index>.*)\])?$"
)


def parse_signature(text: str, implementation: Any, owner: TypeDef) -> Member:
    """Read one signature.

    Flags before it: `!` the implementation wants the runtime first, `^` it wants the type arguments, `~` it
    takes a null receiver. A property that can be set has a (get, set) pair for implementation. `new(...)` as
    name is a constructor, `this[...]` an indexer.
    """
    match = _SIGNATURE.match(text)
    if match is None:
        raise ValueError(f"unreadable signature {text!r}")
    generic = tuple(part.strip() for part in (match["generic"] or "").split(",") if part.strip())
    scope = owner.parameters + generic
    name = match["name"]
    inside = match["index"] if match["index"] is not None else match["params"]
    parameters = [_parse_param(part, scope) for part in _split(inside)] if inside else []
    if name == "this":
        kind = "indexer"
    elif name == "new":
        kind = "constructor"
    else:
        kind = "method" if match["call"] else "property"
    call, setter = implementation if isinstance(implementation, tuple) else (implementation, None)
    constant = None
    if kind == "property" and match["static"] and not callable(call):
        constant, call = call, None
    return Member(
        name=name,
        kind=kind,
        static=bool(match["static"]) or kind == "constructor",
        returns=parse_type(match["returns"], scope),
        parameters=parameters,
        type_parameters=generic,
        call=call,
        setter=setter,
        needs_runtime="!" in match["flags"],
        needs_types="^" in match["flags"],
        null_ok="~" in match["flags"],
        constant=constant,
        owner=owner,
    )


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char == "<") - (char == ">")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


_DEFAULTS: Final[dict[str, Any]] = {"false": False, "true": True, "null": None, "0": 0}


def _parse_param(text: str, scope: tuple[str, ...]) -> Param:
    body, has_default, default = text.strip().partition("=")
    words = body.strip()
    is_out = words.startswith("out ")
    is_params = words.startswith("params ")
    if is_out or is_params:
        words = words.split(" ", 1)[1]
    type_text, name = words, ""
    match = re.match(r"^(.*[\w>\]?]) ([A-Za-z_]\w*)$", words)
    if match:
        type_text, name = match[1], match[2]
    return Param(
        name, parse_type(type_text, scope), _DEFAULTS.get(default.strip()), bool(has_default), is_out, is_params
    )


for _name in (
    "bool",
    "char",
    "sbyte",
    "byte",
    "short",
    "ushort",
    "int",
    "uint",
    "long",
    "ulong",
    "float",
    "double",
    "decimal",
):
    define(_name, kind="struct", bases=["IComparable"])
define("object")
define("IComparable", kind="interface")
define("string", bases=["IEnumerable<char>", "IComparable"])
define("void", kind="void")
define("null", kind="null", namespace="")
define("Nullable<T>", kind="struct")
define("IEnumerable<T>", kind="interface", namespace="System.Collections.Generic")
define("[]<T>", bases=["IList<T>", "IReadOnlyList<T>"], namespace="")
define("Func", kind="delegate")
define("Action", kind="delegate")
define("anonymous", namespace="")
OBJECT: Final = make("object")
OBJECT_BOX.append(OBJECT)
STRING: Final = make("string")
BOOL: Final = make("bool")
CHAR: Final = make("char")
INT: Final = make("int")
UINT: Final = make("uint")
LONG: Final = make("long")
ULONG: Final = make("ulong")
FLOAT: Final = make("float")
DOUBLE: Final = make("double")
DECIMAL: Final = make("decimal")
VOID: Final = make("void")
NULL: Final = make("null")

INTEGRAL_RANGES: Final[dict[str, tuple[int, int]]] = {
    "sbyte": (-(2**7), 2**7 - 1),
    "byte": (0, 2**8 - 1),
    "short": (-(2**15), 2**15 - 1),
    "ushort": (0, 2**16 - 1),
    "int": (-(2**31), 2**31 - 1),
    "uint": (0, 2**32 - 1),
    "long": (-(2**63), 2**63 - 1),
    "ulong": (0, 2**64 - 1),
}
NUMERIC: Final = frozenset(INTEGRAL_RANGES) | {"float", "double", "decimal"}
WIDENING: Final[dict[str, frozenset[str]]] = {
    "sbyte": frozenset(["short", "int", "long", "float", "double", "decimal"]),
    "byte": frozenset(["short", "ushort", "int", "uint", "long", "ulong", "float", "double", "decimal"]),
    "short": frozenset(["int", "long", "float", "double", "decimal"]),
    "ushort": frozenset(["int", "uint", "long", "ulong", "float", "double", "decimal"]),
    "int": frozenset(["long", "float", "double", "decimal"]),
    "uint": frozenset(["long", "ulong", "float", "double", "decimal"]),
    "long": frozenset(["float", "double", "decimal"]),
    "ulong": frozenset(["float", "double", "decimal"]),
    "char": frozenset(["ushort", "int", "uint", "long", "ulong", "float", "double", "decimal"]),
    "float": frozenset(["double"]),
}
_COVARIANT: Final = frozenset(
    {"IEnumerable", "IReadOnlyList", "IReadOnlyCollection", "IGrouping", "IOrderedEnumerable"}
)


def reference_convertible(source: CType, target: CType) -> bool:
    """Whether an implicit identity or reference conversion leads from `source` to `target`."""
    if source is target or target is OBJECT:
        return True
    if source is NULL:
        return not target.is_value or target.name == "Nullable"
    for one in source.supers:
        if one is target:
            return True
        if one.name == target.name and one.args and len(one.args) == len(target.args):
            if one.name in _COVARIANT and all(
                a is b or (not a.is_value and reference_convertible(a, b))
                for a, b in zip(one.args, target.args, strict=True)
            ):
                return True
            if one.name == "[]" and not one.args[0].is_value and reference_convertible(one.args[0], target.args[0]):
                return True
    return False


def find_super(source: CType, name: str) -> CType | None:
    """The construction of the generic type `name` that `source` is or implements."""
    for one in source.supers:
        if one.name == name:
            return one
    return None


def find_members(owner: CType, name: str) -> list[tuple[Member, dict[str, CType]]]:
    """Every member called `name` of a type and its bases, with the owner's type arguments bound."""
    found: list[tuple[Member, dict[str, CType]]] = []
    for one in owner.supers:
        members = one.definition.members.get(name)
        if members:
            bound = dict(zip(one.definition.parameters, one.args, strict=False))
            found.extend((member, bound) for member in members)
    return found
