"""Members and invocations: a bound name and its arguments become a closure that calls into the library tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from apimpolicy.expressions.call_runs import call_run, guarded_runtime, measured, with_outs
from apimpolicy.expressions.errors import null_reference
from apimpolicy.expressions.nodes import (
    Argument,
    Ex,
    Frame,
    LocalFunction,
    MethodGroup,
    Run,
    UnboundLambda,
    constant,
)
from apimpolicy.expressions.overloads import Candidate, Chosen, Overloads
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    EXTENSIONS,
    NULL,
    OBJECT,
    STRING,
    VOID,
    CType,
    Member,
    extension_members,
    find_members,
    substitute,
)

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


class Calls(Overloads):
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
            return guarded_runtime(run, get)
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
        run = call_run(member.call, runs, guard)
        if chosen.outs:
            run = with_outs(run, chosen.outs)
        if chosen.returns is STRING or (receiver is not None and receiver.type is STRING):
            run = measured(run)
        return Ex(chosen.returns, run)
