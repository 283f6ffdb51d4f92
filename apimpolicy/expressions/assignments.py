"""Assignment in all its forms: =, +=, ++, to variables, properties and elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apimpolicy.expressions.binder import Binder
from apimpolicy.expressions.errors import null_reference
from apimpolicy.expressions.nodes import Argument, Bound, Ex, Frame, Run, TypeName, Variable, constant
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import INT, NUMERIC, CType, find_members, strip_nullable, substitute
from apimpolicy.expressions.values import wrap_int


class Place:
    """Something that can be assigned: `prepare` evaluates its parts once, `get` and `set` use them."""

    __slots__ = ("get", "prepare", "set", "type")

    def __init__(
        self, type: CType, prepare: Run, get: Callable[[Frame, Any], Any], set: Callable[[Frame, Any, Any], None]
    ) -> None:
        self.type = type
        self.prepare = prepare
        self.get = get
        self.set = set


class Assignments(Binder):
    """Binds assignments."""

    def converted(self, node: Node, value: Bound, target: CType) -> Ex:
        """`value` as a `target`, or the error C# gives."""
        if isinstance(value, TypeName):
            raise self.error(node, f"'{value.type}' is a type, not a value")
        result = self.implicit(value, target)
        if result is None:
            shown = f"'{value.type}'" if isinstance(value, Ex) else "this"
            hint = "; a cast is missing" if isinstance(value, Ex) and self.explicit(value, target) else ""
            raise self.error(node, f"cannot convert {shown} to '{target}' implicitly{hint}")
        return result

    def assignment(self, node: Node) -> Ex:
        left, right = self.field(node, "left"), self.field(node, "right")
        symbol = self.text(self.field(node, "operator"))
        if symbol == "??=":
            raise self.error(node, "operator '??=' needs C# 8; policy expressions are C# 7")
        if symbol == "=":
            return self._simple(node, left, right)
        return self._compound(node, left, right, symbol[:-1])

    def _simple(self, node: Node, left: Node, right: Node) -> Ex:
        if left.type in ("tuple_expression", "tuple_pattern", "declaration_expression"):
            raise self.error(node, "deconstruction into existing variables is not modelled")
        if left.type == "identifier" and self.text(left) == "_" and self.scope.find("_") is None:
            return self.value(right)
        variable = self._variable(left)
        if variable is not None:
            value = self.converted(right, self.bind(right), variable.type)
            store, run = self.store(variable), value.run

            def assign(f: Frame) -> Any:
                result = run(f)
                store(f, result)
                return result

            return Ex(variable.type, assign)
        place = self.place(left)
        value = self.converted(right, self.bind(right), place.type)
        prepare, run, put = place.prepare, value.run, place.set

        def write(f: Frame) -> Any:
            state = prepare(f)
            result = run(f)
            put(f, state, result)
            return result

        return Ex(place.type, write)

    def _variable(self, node: Node) -> Variable | None:
        while node.type == "parenthesized_expression":
            node = self.children(node)[0]
        if node.type != "identifier":
            return None
        found = self.scope.find(self.text(node).lstrip("@"))
        if not isinstance(found, Variable):
            return None
        if found.read_only or isinstance(found.constant, Ex):
            raise self.error(node, f"'{found.name}' cannot be assigned: it is {found.read_only or 'a constant'}")
        return found

    def place(self, node: Node) -> Place:
        """An assignable property or element. Raises ExpressionError when it is read-only."""
        variable = self._variable(node)
        if variable is not None:
            load, store = self.load(variable), self.store(variable)
            return Place(variable.type, lambda f: None, lambda f, s: load(f), lambda f, s, v: store(f, v))
        if node.type == "element_access_expression":
            receiver = self.value(self.field(node, "expression"))
            return self._element(node, receiver, self._arguments(self.field(node, "subscript")))
        if node.type == "member_access_expression":
            receiver_bound = self.bind(self.field(node, "expression"))
            name = self.text(self.field(node, "name"))
            if isinstance(receiver_bound, TypeName):
                raise self.error(node, f"'{receiver_bound.type}.{name}' cannot be assigned")
            return self._member_place(node, self.as_value(node, receiver_bound), name)
        raise self.error(node, "the left-hand side of an assignment must be a variable, property or indexer")

    def _member_place(self, node: Node, receiver: Ex, name: str) -> Place:
        for member, bound in find_members(receiver.type, name):
            if member.kind == "property" and not member.static:
                if member.setter is None:
                    raise self.error(node, f"'{receiver.type}.{name}' is read-only")
                get, put = member.call, member.setter  # this loop ends here: the closures keep these two
                return Place(
                    substitute(member.returns, bound),
                    _not_null(receiver.run),
                    lambda f, target: get(target),  # noqa: B023
                    lambda f, target, value: put(target, value),  # noqa: B023
                )
        raise self.error(node, self.unknown_member(receiver.type, name))

    def _element(self, node: Node, receiver: Ex, arguments: list[Argument]) -> Place:
        chosen, read = self.index(node, receiver, arguments)
        member = chosen.member
        if member.setter is None:
            raise self.error(node, f"the elements of '{receiver.type}' are read-only")
        get, put = member.call, member.setter
        target, runs = _not_null(receiver.run), [one.run for one in chosen.arguments]
        if len(runs) == 1:
            (single,) = runs
            return Place(
                read.type,
                lambda f: (target(f), single(f)),
                lambda f, state: get(state[0], state[1]),
                lambda f, state, value: put(state[0], state[1], value),
            )
        raise self.error(node, "an indexer with several arguments is not modelled")

    def _compound(self, node: Node, left: Node, right: Node, symbol: str) -> Ex:
        place = self.place(left)
        slot, state_slot = self.frame.slot(), self.frame.slot()
        current = Ex(place.type, lambda f: f[slot])
        addend = self.value(right)
        combined = self.binary(node, symbol, current, addend)
        result = self.implicit(combined, place.type)
        if result is None and (self.implicit(addend, place.type) is not None or symbol in ("<<", ">>")):
            result = self.explicit(combined, place.type)
        if result is None:
            raise self.error(node, f"cannot convert '{combined.type}' to '{place.type}' implicitly")
        run, prepare, get, put = result.run, place.prepare, place.get, place.set

        def assign(f: Frame) -> Any:
            state = prepare(f)
            f[state_slot] = state
            f[slot] = get(f, state)
            value = run(f)
            put(f, f[state_slot], value)
            return value

        return Ex(place.type, assign)

    def step_variable(self, node: Node, operand: Node, symbol: str, prefix: bool) -> Ex:
        """++ and --."""
        change = 1 if symbol == "++" else -1
        variable = self._variable(operand)
        if variable is not None and variable.type is INT and variable.frame is self.frame:
            index = variable.index

            def quick(f: Frame) -> int:
                before: int = f[index]
                after = before + change
                if not -2147483648 <= after <= 2147483647:
                    after = wrap_int(after)
                f[index] = after
                return after if prefix else before

            return Ex(INT, quick)
        place = self.place(operand)
        value_type = strip_nullable(place.type)
        if value_type.name not in NUMERIC and value_type.name != "char":
            raise self.error(node, f"operator '{symbol}' cannot be applied to '{place.type}'")
        slot = self.frame.slot()
        current = Ex(place.type, lambda f: f[slot])
        changed = self.explicit(self.binary(node, symbol[0], current, constant(INT, 1)), place.type)
        assert changed is not None
        run, prepare, get, put = changed.run, place.prepare, place.get, place.set

        def step(f: Frame) -> Any:
            state = prepare(f)
            before = get(f, state)
            f[slot] = before
            after = run(f)
            put(f, state, after)
            return after if prefix else before

        return Ex(place.type, step)

    def assign_index(self, node: Node, receiver: Ex, arguments: list[Argument], value: Bound) -> Run:
        return self._write(node, self._element(node, receiver, arguments), value)

    def assign_member(self, node: Node, receiver: Ex, name: str, value: Bound) -> Run:
        return self._write(node, self._member_place(node, receiver, name), value)

    def _write(self, node: Node, place: Place, value: Bound) -> Run:
        run = self.converted(node, value, place.type).run
        prepare, put = place.prepare, place.set

        def write(f: Frame) -> None:
            state = prepare(f)
            put(f, state, run(f))

        return write


def _not_null(run: Run) -> Run:
    def check(f: Frame) -> Any:
        target = run(f)
        if target is None:
            raise null_reference()
        return target

    return check
