"""Implicit and explicit conversions, as the C# specification lists them, plus those the libraries define.

A conversion takes a bound expression and a target type and gives a new bound expression, or None where C# has no
such conversion.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions.errors import invalid_cast, invalid_operation, null_reference
from apimpolicy.expressions.nodes import (
    BinderBase,
    Ex,
    Frame,
    MethodGroup,
    OutArgument,
    Run,
    ThrowExpression,
    UnboundLambda,
    constant,
)
from apimpolicy.expressions.numbers import fit_decimal, to_single, truncate_unchecked
from apimpolicy.expressions.runtime_types import describe, instance_check
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    INTEGRAL_RANGES,
    NULL,
    NUMERIC,
    OBJECT,
    WIDENING,
    CType,
    enum_value,
    reference_convertible,
    strip_nullable,
)
from apimpolicy.expressions.values import BOXES, WRAPS, Char

Convert = Callable[[Any], Any]
IMPLICIT: Final[dict[tuple[str, str], Convert]] = {}
"""User-defined implicit conversions: (source, target) as written -> function."""
EXPLICIT: Final[dict[tuple[str, str], Convert]] = {}
_BOXED: Final = frozenset(BOXES)


def _identity(value: Any) -> Any:
    return value


def numeric_conversion(source: str, target: str) -> Convert:
    """Between two numeric types (or char), unchecked."""
    if source == target:
        return _identity
    if target in ("double", "float"):
        narrow: Convert = float if target == "double" else to_single
        return (lambda v: float(ord(v))) if source == "char" else (lambda v: narrow(v))
    if target == "decimal":
        if source == "char":
            return lambda v: Decimal(ord(v))
        if source in ("double", "float"):
            digits = 15 if source == "double" else 7
            return lambda v: _to_decimal(v, digits)
        return lambda v: Decimal(v)
    if target == "char":
        if source in ("double", "float", "decimal"):
            return lambda v: Char(chr(truncate_unchecked(v, "ushort")))
        return lambda v: Char(chr(v & 0xFFFF))
    if source == "char":
        _low, high = INTEGRAL_RANGES[target]
        return ord if high >= 65535 else (lambda v: WRAPS[target](ord(v)))
    if source in ("double", "float", "decimal"):
        return lambda v: truncate_unchecked(v, target)
    if target in WIDENING.get(source, ()):
        return _identity
    return WRAPS[target]


def _to_decimal(value: float, digits: int) -> Decimal:
    if value != value or abs(value) == float("inf"):
        from apimpolicy.expressions.errors import overflow

        raise overflow("a Decimal")
    text = f"{value:.{digits - 1}e}"
    return fit_decimal(Decimal(text).normalize() if value else Decimal(0))


def lift(convert: Convert) -> Convert:
    """null stays null."""
    return lambda v: None if v is None else convert(v)


def apply(ex: Ex, target: CType, convert: Convert) -> Ex:
    if convert is _identity:
        return Ex(target, ex.run, ex.constant)
    if ex.is_constant and (target.is_value or target.name in ("string", "object")):
        return constant(target, convert(ex.constant))  # never a JToken: those can be changed, and have a parent
    run = ex.run
    return Ex(target, lambda f: convert(run(f)))


class Conversions(BinderBase):
    """Decides and builds conversions."""

    def implicit(self, ex: Any, target: CType) -> Ex | None:
        """`ex` as a `target` without a cast, or None."""
        if isinstance(ex, Ex):
            return self._implicit_value(ex, target)
        if isinstance(ex, ThrowExpression):
            return Ex(target, ex.run)
        if isinstance(ex, UnboundLambda):
            if target.name not in ("Func", "Action") or target.is_open:
                return None
            returns = target.args[-1] if target.name == "Func" else None
            parameters = target.args[:-1] if target.name == "Func" else target.args
            if len(parameters) != len(ex.names):
                return None
            bound = self.bind_lambda(ex, parameters, returns)
            return None if bound is None else Ex(target, bound)
        if isinstance(ex, MethodGroup):
            return self.convert_group(ex, target)
        if isinstance(ex, OutArgument):
            return None
        return None

    def _implicit_value(self, ex: Ex, target: CType) -> Ex | None:
        source = ex.type
        if source is target:
            return ex
        if target.name == "Nullable":
            return self._implicit_nullable(ex, target)
        if source.name in NUMERIC or source.name == "char":
            found = self._implicit_numeric(ex, target)
            if found is not None:
                return found
        if source is NULL:
            return Ex(target, ex.run, None) if not target.is_value else None
        if target.definition.kind == "enum" and ex.constant == 0 and source.name == "int":
            return constant(target, enum_value(target.definition, 0))
        if source.name == "void":
            return None
        if source.name == target.name == "ValueTuple" and source.args == target.args:
            return Ex(target, ex.run)
        if reference_convertible(source, target):
            return box(ex) if source.is_value or source.name == "Nullable" else Ex(target, ex.run, ex.constant)
        convert = user_defined(IMPLICIT, source, target)
        return apply(ex, target, convert) if convert is not None else None

    def _implicit_numeric(self, ex: Ex, target: CType) -> Ex | None:
        source = ex.type.name
        if target.name in WIDENING.get(source, ()):
            return apply(ex, target, numeric_conversion(source, target.name))
        if ex.is_constant and source in ("int", "long") and target.name in INTEGRAL_RANGES:
            low, high = INTEGRAL_RANGES[target.name]
            if (source == "int" or target.name == "ulong") and low <= ex.constant <= high:
                return Ex(target, ex.run, ex.constant)
        return None

    def _implicit_nullable(self, ex: Ex, target: CType) -> Ex | None:
        if ex.type is NULL:
            return constant(target, None)
        inner = target.args[0]
        if ex.type.name == "Nullable":
            convert = self._value_conversion(ex.type.args[0], inner)
            return None if convert is None else apply(ex, target, lift(convert))
        direct = self._implicit_value(ex, inner)
        return None if direct is None else Ex(target, direct.run)

    def _value_conversion(self, source: CType, target: CType) -> Convert | None:
        if source is target:
            return _identity
        if target.name in WIDENING.get(source.name, ()):
            return numeric_conversion(source.name, target.name)
        return user_defined(IMPLICIT, source, target)

    def can_convert(self, source: CType, target: CType) -> bool:
        """Whether a value of type `source` (not a constant) converts implicitly."""
        return self._implicit_value(Ex(source, lambda f: None), target) is not None

    def explicit(self, ex: Ex, target: CType) -> Ex | None:
        """The cast `(target)ex`, or None when C# allows none."""
        found = self.implicit(ex, target)
        if found is not None:
            return found
        source = ex.type
        if source.name in ("void",):
            return None
        both = strip_nullable(source), strip_nullable(target)
        convert = user_defined(EXPLICIT, source, target)
        if convert is not None:
            return apply(ex, target, convert)
        convert = self._explicit_numeric(*both)
        if convert is not None:
            return self._lifted(ex, target, convert)
        if source is OBJECT or source.definition.kind == "interface":
            return Ex(target, checked_cast(ex.run, target))
        if not source.is_value and reference_convertible(target, source):
            return Ex(target, checked_cast(ex.run, target))
        if target.definition.kind == "interface" and source.definition.kind == "class" and source.name != "string":
            return Ex(target, checked_cast(ex.run, target))
        if convert is None and target.name == "Nullable":
            inner = self.explicit(ex, target.args[0])
            return None if inner is None else Ex(target, inner.run)
        convert = user_defined(EXPLICIT, *both) or user_defined(IMPLICIT, *both)
        return self._lifted(ex, target, convert) if convert is not None else None

    def check_constant_cast(self, node: Node, source: Ex, target: CType) -> None:
        """A constant that does not fit its cast is an error outside `unchecked`."""
        if not source.is_constant or target.name not in INTEGRAL_RANGES or self.unchecked:
            return
        if source.type.name not in NUMERIC or source.constant != source.constant:
            return
        low, high = INTEGRAL_RANGES[target.name]
        if not low <= int(max(min(source.constant, 2**70), -(2**70))) <= high:
            raise self.error(node, f"the constant cannot be converted to '{target}' outside unchecked")

    def _lifted(self, ex: Ex, target: CType, convert: Convert) -> Ex:
        if ex.type.name != "Nullable":
            return apply(ex, target, convert)
        if target.name == "Nullable":
            return apply(ex, target, lift(convert))
        run = ex.run

        def unwrap(f: Frame) -> Any:
            value = run(f)
            if value is None:
                raise invalid_operation("Nullable object must have a value.")
            return convert(value)

        return Ex(target, unwrap)

    def _explicit_numeric(self, source: CType, target: CType) -> Convert | None:
        if source is target:
            return _identity
        number = NUMERIC | {"char"}
        if source.name in number and target.name in number:
            return numeric_conversion(source.name, target.name)
        if source.definition.kind == "enum" and target.name in INTEGRAL_RANGES:
            return int
        if target.definition.kind == "enum" and source.name in INTEGRAL_RANGES:
            definition = target.definition
            return lambda v: enum_value(definition, v)
        return None

    def common_type(self, left: CType, right: CType) -> CType | None:
        """The one of two types to which the other converts."""
        if left is right:
            return left
        if left is NULL and right.is_value:
            return None
        if self.can_convert(left, right):
            return right
        return left if self.can_convert(right, left) else None


def user_defined(table: dict[tuple[str, str], Convert], source: CType, target: CType) -> Convert | None:
    wanted = str(target)
    for one in source.supers:
        found = table.get((str(one), wanted))
        if found is not None:
            return found
    return None


def box(ex: Ex) -> Ex:
    """`ex` as an object: numbers other than int and double take their tag along."""
    name = strip_nullable(ex.type).name
    if name not in _BOXED:
        return Ex(OBJECT, ex.run, ex.constant)
    wrap = BOXES[name]
    return apply(Ex(ex.type, ex.run, ex.constant), OBJECT, lift(wrap) if ex.type.name == "Nullable" else wrap)


def checked_cast(run: Run, target: CType) -> Run:
    """A downcast or an unboxing: InvalidCastException when the value is something else."""
    inner = strip_nullable(target)
    check = instance_check(inner)
    unbox: Convert | None = int if inner.name in INTEGRAL_RANGES and inner.name != "int" else None
    if inner.name == "float":
        unbox = float
    null_allowed = not target.is_value or target.name == "Nullable"

    def cast(f: Frame) -> Any:
        value = run(f)
        if value is None:
            if null_allowed:
                return None
            raise null_reference()
        if not check(value):
            raise invalid_cast(describe(value), describe_type(target))
        return value if unbox is None else unbox(value)

    return cast


def describe_type(one: CType) -> str:
    """The .NET name of a type, as exception messages give it."""
    from apimpolicy.expressions.runtime_types import dotnet_name

    return dotnet_name(one)
