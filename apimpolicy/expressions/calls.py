"""Members, overload resolution, generic inference, and the closures that call into the library tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apimpolicy.expressions.errors import CsException, null_reference
from apimpolicy.expressions.nodes import (
    Argument,
    Ex,
    Frame,
    LocalFunction,
    MethodGroup,
    OutArgument,
    Run,
    UnboundLambda,
    constant,
)
from apimpolicy.expressions.operators import Operators
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    EXTENSIONS,
    NULL,
    OBJECT,
    STRING,
    VOID,
    CType,
    Member,
    array_of,
    extension_members,
    find_members,
    find_super,
    reference_convertible,
    strip_nullable,
    substitute,
)
from apimpolicy.expressions.values import CsArray, check_text

BODY_TYPES: Final = frozenset(
    {
        "string",
        "object",
        "byte[]",
        "JObject",
        "JArray",
        "JToken",
        "JValue",
        "JContainer",
        "XElement",
        "XDocument",
        "XNode",
    }
)
"""What Body.As<T> can give."""
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


class Calls(Operators):
    """Finds members and builds calls."""

    # -- members ---------------------------------------------------------------------------------------------

    def member(
        self, node: Node, receiver: Ex, name: str, type_arguments: tuple[CType, ...], called: bool = False
    ) -> Ex | MethodGroup:
        """`receiver.name`: a property's value, or a method group. When `called`, a property must hold a delegate."""
        owner = receiver.type
        if owner is NULL or owner is VOID:
            raise self.error(node, f"operator '.' cannot be applied to '{owner}'")
        if owner.name == "anonymous":
            return self._anonymous_member(node, receiver, name)
        if owner.name == "ValueTuple" and name in owner.labels:
            name = f"Item{owner.labels.index(name) + 1}"
        found = find_members(owner, name)
        if owner.name == "[]":  # an array implements its interfaces explicitly: Count and Add are not its members
            found = [(m, b) for m, b in found if m.owner.name in ("[]", "object")]
        properties = [(m, b) for m, b in found if m.kind == "property" and not m.static]
        if called and (name in EXTENSIONS or any(m.kind == "method" for m, _ in found)):
            properties = [(m, b) for m, b in properties if m.returns.name in ("Func", "Action")]
        if properties:
            member, bound = properties[0]
            return Ex(substitute(member.returns, bound), self._property_run(receiver, member))
        if any(m.kind == "method" for m, _ in found) or name in EXTENSIONS:
            return MethodGroup(name, node, receiver, owner, type_arguments)
        raise self.error(node, self.unknown_member(owner, name))

    def unknown_member(self, owner: CType, name: str) -> str:
        return f"'{owner}' has no member '{name}' that policy expressions may use"

    def _anonymous_member(self, node: Node, receiver: Ex, name: str) -> Ex | MethodGroup:
        if name in receiver.type.labels:
            index = receiver.type.labels.index(name)
            run = receiver.run
            return Ex(receiver.type.args[index], lambda f: run(f).values[index])
        if find_members(OBJECT, name) or name in EXTENSIONS:
            return MethodGroup(name, node, receiver, receiver.type, ())
        raise self.error(node, self.unknown_member(receiver.type, name))

    def _property_run(self, receiver: Ex, member: Member) -> Run:
        run, get = receiver.run, member.call
        if member.needs_runtime:
            return _guarded_runtime(run, get)
        if member.null_ok or (receiver.type.is_value and receiver.type.name != "Nullable"):
            return lambda f: get(run(f))
        if receiver.constant is not None and receiver.is_constant:
            return lambda f: get(receiver.constant)

        def read(f: Frame) -> Any:
            target = run(f)
            if target is None:
                raise null_reference()
            return get(target)

        return read

    def static_member(self, node: Node, owner: CType, name: str, type_arguments: tuple[CType, ...]) -> Ex | MethodGroup:
        """`Type.name`."""
        if owner.definition.kind == "enum":
            value = owner.definition.values.get(name)
            if value is not None:
                return constant(owner, value)
        for member in owner.definition.members.get(name, ()):
            if member.kind == "property" and member.static:
                if member.call is None:
                    return constant(member.returns, member.constant)
                get = member.call
                if member.needs_runtime:
                    return Ex(member.returns, lambda f: get(f[0]))  # noqa: B023 - returned at once
                return Ex(member.returns, lambda f: get())  # noqa: B023 - returned at once
            if member.kind == "method" and member.static:
                return MethodGroup(name, node, None, owner, type_arguments)
        if any(m.static for m, _ in find_members(owner, name)):
            return MethodGroup(name, node, None, owner, type_arguments)
        if find_members(owner, name):
            raise self.error(node, f"'{owner}.{name}' needs an object: it is not static")
        raise self.error(node, self.unknown_member(owner, name))

    # -- invocations -----------------------------------------------------------------------------------------

    def invoke(self, node: Node, group: MethodGroup, arguments: list[Argument]) -> Ex:
        """The call of a method group with these arguments."""
        if group.local is not None:
            return self._invoke_local(node, group.local, arguments)
        owner = group.owner
        assert owner is not None
        wants_static = group.receiver is None
        found = [(m, b) for m, b in find_members(owner, group.name) if m.kind == "method" and m.static is wants_static]
        if group.receiver is not None and owner.definition.kind == "interface":
            found += [(m, b) for m, b in find_members(OBJECT, group.name) if m.kind == "method"]
        chosen = self.resolve(node, found, arguments, group.type_arguments)
        if chosen is not None:
            if chosen.member.owner.name == "IMessageBody" and chosen.types and str(chosen.types[0]) not in BODY_TYPES:
                raise self.error(node, f"a message body read as '{chosen.types[0]}' is not modelled")
            return self._call(node, chosen, group.receiver)
        if group.receiver is not None and group.name in EXTENSIONS:
            receiver = Argument(node, group.receiver, None)
            extensions: list[Candidate] = [(m, {}) for m in extension_members(group.name)]
            chosen = self.resolve(node, extensions, [receiver, *arguments], group.type_arguments)
            if chosen is not None:
                return self._call(node, chosen, None)
        raise self.error(node, self._no_overload(owner, group.name, arguments))

    def _no_overload(self, owner: CType, name: str, arguments: Sequence[Argument]) -> str:
        shown = ", ".join(
            str(a.value.type) if isinstance(a.value, Ex) else "lambda" if isinstance(a.value, UnboundLambda) else "?"
            for a in arguments
        )
        return f"'{owner}.{name}' has no overload that takes ({shown})"

    def _invoke_local(self, node: Node, target: LocalFunction, arguments: list[Argument]) -> Ex:
        if len(arguments) > len(target.parameters):
            raise self.error(node, f"'{target.name}' takes {len(target.parameters)} arguments")
        converted: list[Ex] = []
        for argument, (_, wanted) in zip(arguments, target.parameters, strict=False):
            one = self.implicit(argument.value, wanted)
            if one is None or argument.name is not None:
                raise self.error(argument.node, f"this argument of '{target.name}' is not a '{wanted}'")
            converted.append(one)
        missing = len(target.parameters) - len(converted)
        defaults = target.defaults[len(converted) :]
        if missing and (len(defaults) != missing or any(d is Ellipsis for d in defaults)):
            raise self.error(node, f"'{target.name}' takes {len(target.parameters)} arguments")
        runs = [one.run for one in converted]
        hops = self.frame.depth - target.frame.depth

        def call(f: Frame) -> Any:
            home = f
            for _ in range(hops):
                home = home[1]
            assert target.call is not None
            return target.call(home, [run(f) for run in runs] + defaults)

        return Ex(target.returns, call)

    def construct(self, node: Node, owner: CType, arguments: list[Argument]) -> Ex:
        """new Owner(arguments)."""
        bound = dict(zip(owner.definition.parameters, owner.args, strict=False))
        found = [(m, bound) for m in owner.definition.members.get("new", ())]
        if not found:
            raise self.error(node, f"'{owner}' cannot be constructed in a policy expression")
        chosen = self.resolve(node, found, arguments, ())
        if chosen is None:
            shown = self._no_overload(owner, "new", arguments)
            raise self.error(node, shown)
        chosen.returns = owner
        if chosen.member.needs_types:
            chosen.types = owner.args
        return self._call(node, chosen, None)

    def index(self, node: Node, receiver: Ex, arguments: list[Argument]) -> tuple[Chosen, Ex]:
        """receiver[arguments]: the chosen indexer and the read."""
        found = [(m, b) for m, b in find_members(receiver.type, "this") if m.kind == "indexer"]
        if not found:
            raise self.error(node, f"'{receiver.type}' cannot be indexed")
        chosen = self.resolve(node, found, arguments, ())
        if chosen is None:
            raise self.error(node, self._no_overload(receiver.type, "this[]", arguments))
        return chosen, self._call(node, chosen, receiver)

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

    # -- closures --------------------------------------------------------------------------------------------

    def _call(self, node: Node, chosen: Chosen, receiver: Ex | None) -> Ex:
        member = chosen.member
        runs: list[Run] = []
        if member.needs_runtime:
            runs.append(lambda f: f[0])
        if member.needs_types:
            types = chosen.types or (receiver.type.args if receiver is not None else ())
            runs.append(lambda f: types)
        guard = -1
        if receiver is not None:
            if not member.null_ok and not (receiver.type.is_value and receiver.type.name != "Nullable"):
                guard = len(runs)
            from apimpolicy.expressions.conversions import box

            runs.append(box(receiver).run if member.owner.name == "object" else receiver.run)
        runs.extend(one.run for one in chosen.arguments)
        run = _call_run(member.call, runs, guard)
        if chosen.outs:
            run = _with_outs(run, chosen.outs)
        if chosen.returns is STRING or (receiver is not None and receiver.type is STRING):
            run = _measured(run)
        return Ex(chosen.returns, run)

    @property
    def error_type(self) -> type[Exception]:
        from apimpolicy.expressions.errors import ExpressionError

        return ExpressionError


def _spreads(value: Any, parameter: CType) -> bool:
    return isinstance(value, Ex) and find_super(value.type, parameter.name) is None


def _array_literal(element: CType, items: list[Ex]) -> Ex:
    runs = [one.run for one in items]
    return Ex(array_of(element), lambda f: CsArray([run(f) for run in runs], element))


def _guarded_runtime(run: Run, get: Callable[..., Any]) -> Run:
    def read(f: Frame) -> Any:
        target = run(f)
        if target is None:
            raise null_reference()
        return get(f[0], target)

    return read


def _measured(run: Run) -> Run:
    """Long strings cost steps, so that a loop over them cannot outrun the budget."""

    def call(f: Frame) -> Any:
        value = run(f)
        if type(value) is str and len(value) > 4096:
            check_text(len(value))
            f[0].charge(len(value) >> 10)
        return value

    return call


def _with_outs(run: Run, stores: list[Callable[[Frame, Any], None]]) -> Run:
    def call(f: Frame) -> Any:
        values = run(f)
        for store, value in zip(stores, values[1:], strict=True):
            store(f, value)
        return values[0]

    return call


def _from_null(error: Exception, values: Sequence[Any]) -> Exception:
    """What a library function's stumble over a null argument is in C#; any other error is ours and stays."""
    if any(value is None for value in values):
        return CsException("ArgumentNullException", "Value cannot be null.")
    return error


def _call_run(work: Callable[..., Any], runs: list[Run], guard: int) -> Run:
    """A closure that evaluates `runs` in order and calls `work`; position `guard` must not be null."""
    if guard == 0:
        return _guarded_first(work, runs)
    if len(runs) == 0:
        return lambda f: work()
    if len(runs) == 1 and guard < 0:
        return _call_one(work, runs[0])

    def call(f: Frame) -> Any:
        values = [run(f) for run in runs]
        if guard >= 0 and values[guard] is None:
            raise null_reference()
        try:
            return work(*values)
        except (TypeError, AttributeError) as error:
            raise _from_null(error, values) from None

    return call


def _call_one(work: Callable[..., Any], a: Run) -> Run:
    def call(f: Frame) -> Any:
        value = a(f)
        try:
            return work(value)
        except (TypeError, AttributeError) as error:
            raise _from_null(error, (value,)) from None

    return call


def _guarded_first(work: Callable[..., Any], runs: list[Run]) -> Run:
    a = runs[0]
    if len(runs) == 1:

        def one(f: Frame) -> Any:
            target = a(f)
            if target is None:
                raise null_reference()
            return work(target)

        return one
    if len(runs) == 2:
        b = runs[1]

        def two(f: Frame) -> Any:
            target = a(f)
            argument = b(f)
            if target is None:
                raise null_reference()
            try:
                return work(target, argument)
            except (TypeError, AttributeError) as error:
                raise _from_null(error, (argument,)) from None

        return two
    rest = runs[1:]

    def many(f: Frame) -> Any:
        target = a(f)
        values = [run(f) for run in rest]
        if target is None:
            raise null_reference()
        try:
            return work(target, *values)
        except (TypeError, AttributeError) as error:
            raise _from_null(error, values) from None

    return many
