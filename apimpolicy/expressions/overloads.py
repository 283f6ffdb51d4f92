"""Which overload a call means: applicability, inference of type arguments, and which conversion is better.

Source: the C# language specification, "Overload resolution" and "Type inference". Nothing is called here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apimpolicy.expressions.nodes import (
    Argument,
    Ex,
    Frame,
    MethodGroup,
    OutArgument,
    UnboundLambda,
    constant,
)
from apimpolicy.expressions.operators import Operators
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    NULL,
    CType,
    Member,
    array_of,
    find_super,
    reference_convertible,
    strip_nullable,
    substitute,
)
from apimpolicy.expressions.values import CsArray

Candidate = tuple[Member, dict[str, CType]]


@dataclass(slots=True)
class Chosen:
    """An applicable overload with its arguments converted."""

    member: Member
    returns: CType
    arguments: list[Ex]
    outs: list[Callable[[Frame, Any], None]]
    wanted: list[CType | None]
    expanded: bool
    defaults: int
    types: tuple[CType, ...]
    generic: bool


class Overloads(Operators):
    """Overload resolution on top of the operators' conversions."""

    def invoke(self, node: Node, group: MethodGroup, arguments: list[Argument]) -> Ex:
        """The call of a method group."""
        raise NotImplementedError

    @property
    def error_type(self) -> type[Exception]:
        from apimpolicy.expressions.errors import ExpressionError

        return ExpressionError

    # -- overload resolution -----------------------------------------------------------------------------------

    def resolve(
        self, node: Node, candidates: Sequence[Candidate], arguments: list[Argument], types: tuple[CType, ...]
    ) -> Chosen | None:
        """The best applicable overload, or None."""
        applicable: list[Chosen] = []
        for member, bound in candidates:
            for expanded in (False, True):
                if expanded and not (member.parameters and member.parameters[-1].is_params):
                    continue
                one = self._applicable(member, dict(bound), arguments, types, expanded)
                if one is not None:
                    applicable.append(one)
                    break
        if not applicable:
            return None
        best = applicable[0]
        for other in applicable[1:]:
            if self._better(other, best, arguments) > 0:
                best = other
        return best

    def _applicable(
        self,
        member: Member,
        bound: dict[str, CType],
        arguments: list[Argument],
        types: tuple[CType, ...],
        expanded: bool,
    ) -> Chosen | None:
        slots = self._map(member, arguments, expanded)
        if slots is None:
            return None
        if types:
            if len(types) != len(member.type_parameters):
                return None
            bound.update(zip(member.type_parameters, types, strict=True))
        elif member.type_parameters and not self._infer(member, bound, slots, arguments):
            return None
        if any(name not in bound for name in member.type_parameters):
            return None
        converted: list[Ex] = []
        outs: list[Callable[[Frame, Any], None]] = []
        wanted: list[CType | None] = [None] * len(arguments)
        defaults = 0
        spread: list[Ex] = []
        for index, source in slots:
            parameter = member.parameters[index]
            target = substitute(parameter.type, bound)
            last = expanded and index == len(member.parameters) - 1
            if last:
                target = target.args[0]
            if source is None:
                if not last:
                    defaults += 1
                    converted.append(constant(target, parameter.default))
                continue
            wanted[source] = target
            value = arguments[source].value
            if parameter.is_out or isinstance(value, OutArgument):
                if not (parameter.is_out and isinstance(value, OutArgument)) or value.type not in (None, target):
                    return None
                outs.append(value.store(target))
                continue
            one = self.implicit(value, target)
            if one is None:
                return None
            (spread if last else converted).append(one)
        if expanded:
            converted.append(_array_literal(substitute(member.parameters[-1].type, bound).args[0], spread))
        result = substitute(member.returns, bound)
        chosen_types = tuple(bound[name] for name in member.type_parameters)
        return Chosen(
            member, result, converted, outs, wanted, expanded, defaults, chosen_types, bool(member.type_parameters)
        )

    def _map(self, member: Member, arguments: list[Argument], expanded: bool) -> list[tuple[int, int | None]] | None:
        """(parameter index, argument index or None for its default) in parameter order."""
        count = len(member.parameters)
        taken: dict[int, int] = {}
        extra: list[tuple[int, int | None]] = []
        for position, argument in enumerate(arguments):
            if argument.name is not None:
                index = next((i for i, p in enumerate(member.parameters) if p.name == argument.name), -1)
            elif expanded and position >= count - 1:
                extra.append((count - 1, position))
                continue
            else:
                index = position
            if not 0 <= index < count or index in taken:
                return None
            taken[index] = position
        slots: list[tuple[int, int | None]] = []
        for index, parameter in enumerate(member.parameters):
            if index in taken:
                slots.append((index, taken[index]))
            elif expanded and index == count - 1:
                slots.extend(extra or [(index, None)])
            elif parameter.optional:
                slots.append((index, None))
            else:
                return None
        return slots

    def _infer(
        self, member: Member, bound: dict[str, CType], slots: list[tuple[int, int | None]], arguments: list[Argument]
    ) -> bool:
        """Type inference: values first, then lambdas in order, each with the parameter types known by then."""
        names = set(member.type_parameters)
        later: list[tuple[CType, Any]] = []
        for index, source in slots:
            if source is None:
                continue
            value = arguments[source].value
            parameter = member.parameters[index].type
            if len(slots) > len(member.parameters) or (
                member.parameters[index].is_params and _spreads(value, parameter)
            ):
                parameter = parameter.args[0] if member.parameters[index].is_params else parameter
            if isinstance(value, Ex):
                if not self._unify(parameter, value.type, bound, names) and parameter.definition.kind != "parameter":
                    continue
            elif isinstance(value, OutArgument) and value.type is not None:
                self._unify(parameter, value.type, bound, names)
            else:
                later.append((parameter, value))
        for parameter, value in later:
            if parameter.name not in ("Func", "Action"):
                continue
            inputs = tuple(
                substitute(a, bound) for a in (parameter.args[:-1] if parameter.name == "Func" else parameter.args)
            )
            if any(one.is_open for one in inputs):
                if isinstance(value, UnboundLambda) and all(t is not None for t in value.declared):
                    for one, declared in zip(inputs, value.declared, strict=False):
                        assert declared is not None
                        self._unify(one, declared, bound, names)
                    inputs = tuple(substitute(one, bound) for one in inputs)
                if any(one.is_open for one in inputs):
                    return False
            if parameter.name == "Func":
                returned = self._return_type(value, inputs)
                if returned is None:
                    return False
                self._unify(parameter.args[-1], returned, bound, names)
        return True

    def _return_type(self, value: Any, inputs: tuple[CType, ...]) -> CType | None:
        if isinstance(value, UnboundLambda):
            if len(inputs) != len(value.names):
                return None
            found = self.lambda_return(value, inputs)
            return None if found is NULL else found
        if isinstance(value, MethodGroup):
            chosen = self._group_call(value, inputs)
            return None if chosen is None else chosen[1]
        return None

    def lambda_return(self, one: UnboundLambda, inputs: tuple[CType, ...]) -> CType | None:
        raise NotImplementedError

    def _unify(self, parameter: CType, given: CType, bound: dict[str, CType], names: set[str]) -> bool:
        if parameter.definition.kind == "parameter":
            if parameter.name not in names:
                return True
            known = bound.get(parameter.name)
            if given is NULL:
                return False
            if known is None or known is given or self.can_convert(known, given):
                bound[parameter.name] = given
            return True
        if not parameter.args:
            return True
        if parameter.name == "Nullable":
            return self._unify(parameter.args[0], strip_nullable(given), bound, names)
        found = find_super(given, parameter.name)
        if found is None or len(found.args) != len(parameter.args):
            return False
        return all(self._unify(p, g, bound, names) for p, g in zip(parameter.args, found.args, strict=True))

    def _better(self, one: Chosen, other: Chosen, arguments: list[Argument]) -> int:
        wins = losses = 0
        for argument, a, b in zip(arguments, one.wanted, other.wanted, strict=True):
            score = 0 if a is None or b is None else self._better_conversion(argument, a, b)
            wins += score > 0
            losses += score < 0
        if wins and not losses:
            return 1
        if losses:
            return -1
        order = (
            (other.generic, one.generic),
            (other.expanded, one.expanded),
            (other.defaults, one.defaults),
        )
        for theirs, ours in order:
            if theirs != ours:
                return 1 if theirs > ours else -1
        return 0

    def _better_conversion(self, argument: Argument, a: CType, b: CType) -> int:
        if a is b:
            return 0
        value = argument.value
        if isinstance(value, Ex):
            if value.type is a:
                return 1
            if value.type is b:
                return -1
        if a.name == b.name in ("Func", "Action") and len(a.args) == len(b.args):
            return self._better_delegate(argument, a, b)
        forth, back = self._converts(a, b), self._converts(b, a)
        if forth != back:
            return 1 if forth else -1
        signed = {"sbyte", "short", "int", "long"}
        unsigned = {"byte", "ushort", "uint", "ulong"}
        if a.name in signed and b.name in unsigned:
            return 1
        return -1 if a.name in unsigned and b.name in signed else 0

    def _better_delegate(self, argument: Argument, a: CType, b: CType) -> int:
        inputs = a.args[:-1] if a.name == "Func" else a.args
        returned = self._return_type(argument.value, inputs)
        first, second = a.args[-1], b.args[-1]
        if returned is first:
            return 1
        if returned is second:
            return -1
        forth, back = self._converts(first, second), self._converts(second, first)
        return 0 if forth == back else 1 if forth else -1

    def _converts(self, source: CType, target: CType) -> bool:
        return reference_convertible(source, target) or self.can_convert(source, target)

    # -- method groups as delegates --------------------------------------------------------------------------

    def _group_call(self, group: MethodGroup, inputs: tuple[CType, ...]) -> tuple[Callable[[Frame], Any], CType] | None:
        """A delegate over the group for those input types, and its return type."""
        from apimpolicy.expressions.nodes import FrameScope, Scope

        saved = self.frame, self.scope
        self.frame = FrameScope(self.frame)
        self.scope = Scope(self.scope, self.frame)
        try:
            slots = [self.frame.slot() for _ in inputs]
            arguments = [
                Argument(group.node, Ex(kind, (lambda i: lambda f: f[i])(slot)), None)
                for kind, slot in zip(inputs, slots, strict=True)
            ]
            outer = group
            if group.receiver is not None:
                inner = group.receiver.run
                shifted = Ex(group.receiver.type, lambda f: inner(f[1]))
                outer = MethodGroup(group.name, group.node, shifted, group.owner, group.type_arguments, group.local)
            try:
                body = self.invoke(group.node, outer, arguments)
            except self.error_type:
                return None
            run = body.run
            scope = self.frame

            def build(f: Frame) -> Any:
                def call(*values: Any) -> Any:
                    f[0].step()
                    return run([f[0], f, *values, *([None] * (scope.size - 2 - len(values)))])

                return call

            return build, body.type
        finally:
            self.frame, self.scope = saved

    def convert_group(self, group: MethodGroup, delegate: CType) -> Ex | None:
        if delegate.name not in ("Func", "Action"):
            return None
        inputs = delegate.args[:-1] if delegate.name == "Func" else delegate.args
        built = self._group_call(group, inputs)
        if built is None:
            return None
        if delegate.name == "Func":
            wanted = delegate.args[-1]
            if wanted is not built[1] and not (reference_convertible(built[1], wanted) and not built[1].is_value):
                return None
        return Ex(delegate, built[0])


def _spreads(value: Any, parameter: CType) -> bool:
    return isinstance(value, Ex) and find_super(value.type, parameter.name) is None


def _array_literal(element: CType, items: list[Ex]) -> Ex:
    runs = [one.run for one in items]
    return Ex(array_of(element), lambda f: CsArray([run(f) for run in runs], element))
