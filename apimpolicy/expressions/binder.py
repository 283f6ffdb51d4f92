"""Expressions: operators, casts, patterns, and the table from node types to the methods that bind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.creation import Creation
from apimpolicy.expressions.defaults import default_of
from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.names import CHAIN
from apimpolicy.expressions.nodes import (
    Bound,
    Ex,
    Frame,
    MethodGroup,
    Run,
    ThrowExpression,
    TypeName,
    UnboundLambda,
    constant,
)
from apimpolicy.expressions.runtime_types import instance_check, is_exception
from apimpolicy.expressions.syntax_nodes import Syn
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    BOOL,
    NULL,
    OBJECT,
    CType,
    make,
    reference_convertible,
    strip_nullable,
)

MAX_DEPTH: Final = 120
_GRAMMAR_NODES: Final = frozenset({"interpolated_string_expression", "initializer_expression"})
_TOO_NEW: Final[dict[str, str]] = {
    "implicit_object_creation_expression": "new() without a type needs C# 9; policy expressions are C# 7",
    "with_expression": "'with' needs C# 9; policy expressions are C# 7",
    "collection_expression": "a collection expression needs C# 12; policy expressions are C# 7",
    "await_expression": "await is not available in policy expressions",
    "typeof_expression": "typeof is not modelled: policy expressions have no reflection",
    "ref_expression": "ref is not modelled",
    "stackalloc_expression": "stackalloc is not available in policy expressions",
    "makeref_expression": "__makeref is not available in policy expressions",
}


class Binder(Creation):
    """Binds expressions; `statements.StatementBinder` adds the rest."""

    def value(self, node: Node) -> Ex:
        """Bind `node` and insist on a value."""
        return self.as_value(node, self.bind(node))

    def bind(self, node: Node) -> Bound:
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise self.error(node, "the expression is nested too deeply")
            if not isinstance(node, Syn) and node.type not in _GRAMMAR_NODES:
                node = self.parsed(node)
            if node.type in CHAIN:
                conditional = self._innermost_conditional(node)
                if conditional is not None:
                    return self._null_propagation(node, conditional)
            return self._bind_one(node)
        finally:
            self.depth -= 1

    def _bind_one(self, node: Node) -> Bound:
        literal = self.bind_literal(node)
        if literal is not None:
            return literal
        method = _BINDERS.get(node.type)
        if method is None:
            shown = _TOO_NEW.get(node.type, f"'{node.type.replace('_', ' ')}' is not modelled")
            raise self.error(node, shown)
        result: Bound = method(self, node)
        return result

    # -- operators -------------------------------------------------------------------------------------------

    def _binary(self, node: Node) -> Bound:
        left_node, right_node = self.field(node, "left"), self.field(node, "right")
        symbol = self.text(self.field(node, "operator"))
        left = self.value(left_node)
        right = self.bind(right_node)
        if symbol == "??":
            second = right if isinstance(right, ThrowExpression) else self.as_value(right_node, right)
            return self.coalesce(node, left, second)
        second_value = self.as_value(right_node, right)
        if symbol in ("&&", "||"):
            return self.logical(node, symbol, left, second_value)
        if symbol == ">>>":
            raise self.error(node, "operator '>>>' needs C# 11; policy expressions are C# 7")
        return self.binary(node, symbol, left, second_value)

    def _prefix(self, node: Node) -> Bound:
        operand = self.children(node)[0]
        symbol = self.text(node)[: 2 if self.text(node)[:2] in ("++", "--") else 1]
        if symbol in ("++", "--"):
            return self.step_variable(node, operand, symbol, True)
        if symbol not in "+-!~":
            raise self.error(node, f"operator '{symbol}' is not available in policy expressions")
        if symbol == "-" and operand.type == "integer_literal":
            text = self.text(operand).rstrip("lL").replace("_", "")
            if text == "9223372036854775808":
                return constant(make("long"), -(2**63))
        return self.unary(node, symbol, self.value(operand))

    def _postfix(self, node: Node) -> Bound:
        operand = self.children(node)[0]
        symbol = self.text(node)[-2:]
        if symbol not in ("++", "--"):
            raise self.error(node, "the '!' suffix needs C# 8; policy expressions are C# 7")
        return self.step_variable(node, operand, symbol, False)

    def step_variable(self, node: Node, operand: Node, symbol: str, prefix: bool) -> Ex:
        raise NotImplementedError

    def _conditional(self, node: Node) -> Bound:
        test = self.implicit(self.value(self.field(node, "condition")), BOOL)
        if test is None:
            raise self.error(node, "the condition of '? :' is not a bool")
        yes, no = self.bind(self.field(node, "consequence")), self.bind(self.field(node, "alternative"))
        kind = self._conditional_type(node, yes, no)
        first, second = self.implicit(yes, kind), self.implicit(no, kind)
        if first is None or second is None:
            raise self.error(node, f"the two results of '? :' have no common type ({_show(yes)} and {_show(no)})")
        t, a, b = test.run, first.run, second.run
        return Ex(kind, lambda f: a(f) if t(f) else b(f))

    def _conditional_type(self, node: Node, yes: Bound, no: Bound) -> CType:
        if isinstance(yes, ThrowExpression) and isinstance(no, Ex):
            return no.type
        if isinstance(no, ThrowExpression) and isinstance(yes, Ex):
            return yes.type
        if isinstance(yes, Ex) and isinstance(no, Ex):
            if self.implicit(no, yes.type) is not None and (no.type is yes.type or self.implicit(yes, no.type) is None):
                return yes.type
            if self.implicit(yes, no.type) is not None:
                return no.type
        raise self.error(node, f"the two results of '? :' have no common type ({_show(yes)} and {_show(no)})")

    def _cast(self, node: Node) -> Bound:
        target = self.bind_type(self.field(node, "type"))
        inside = self.field(node, "value")
        bound = self.bind(inside)
        if isinstance(bound, (UnboundLambda, MethodGroup)):
            converted = self.implicit(bound, target)
            if converted is None:
                raise self.error(node, f"this cannot be cast to '{target}'")
            return converted
        source = self.as_value(inside, bound)
        self.check_constant_cast(node, source, target)
        result = self.explicit(source, target)
        if result is None:
            raise self.error(node, f"cannot convert '{source.type}' to '{target}'")
        return result

    def _as(self, node: Node) -> Bound:
        source = self.value(self.field(node, "left"))
        target = self.bind_type(self.field(node, "right"))
        if target.is_value and target.name != "Nullable":
            raise self.error(node, f"'as' needs a reference type or a nullable one, not '{target}'")
        self._check_possible(node, source.type, target)
        check, run = instance_check(strip_nullable(target)), source.run

        def test(f: Frame) -> Any:
            value = run(f)
            return value if value is not None and check(value) else None

        return Ex(target, test)

    def _check_possible(self, node: Node, source: CType, target: CType) -> None:
        a, b = strip_nullable(source), strip_nullable(target)
        if a is NULL or reference_convertible(a, b) or reference_convertible(b, a):
            return
        if "interface" in (a.definition.kind, b.definition.kind) and not (a.is_value or b.is_value):
            return
        raise self.error(node, f"a '{source}' is never a '{target}'")

    def _is(self, node: Node) -> Bound:
        source = self.value(self.field(node, "left"))
        return self.type_test(node, source, self.bind_type(self.field(node, "right")))

    def type_test(self, node: Node, source: Ex, target: CType) -> Ex:
        check, run = instance_check(strip_nullable(target)), source.run
        if source.type.is_value and strip_nullable(source.type) is strip_nullable(target):
            return Ex(BOOL, lambda f: run(f) is not None)
        from apimpolicy.expressions.conversions import box

        boxed = box(source).run
        return Ex(BOOL, lambda f: (v := boxed(f)) is not None and check(v))

    def _is_pattern(self, node: Node) -> Bound:
        source = self.value(self.field(node, "expression"))
        return self.pattern(self.field(node, "pattern"), source)

    def pattern(self, node: Node, source: Ex) -> Ex:
        """`source is <pattern>`, also for the labels of a switch."""
        if node.type == "constant_pattern":
            return self._constant_pattern(node, source)
        if node.type == "declaration_pattern":
            target = self.bind_type(self.field(node, "type"))
            test = self.type_test(node, source, target)
            name_node = self.field(node, "name")
            if name_node.type == "discard" or self.text(name_node) == "_":
                return test
            variable = self.declare(name_node, self.text(name_node), target)
            return self._capture(source, target, test, self.store(variable))
        if node.type == "var_pattern":
            name_node = self.children(node)[-1]
            variable = self.declare(name_node, self.text(name_node), source.type)
            store, run = self.store(variable), source.run
            return Ex(BOOL, lambda f: store(f, run(f)) is None)
        if node.type in ("type_pattern",):
            return self.type_test(node, source, self.bind_type(self.children(node)[0]))
        raise self.error(node, f"a {node.type.replace('_', ' ')} needs C# 8 or later; policy expressions are C# 7")

    def _capture(self, source: Ex, target: CType, test: Ex, store: Callable[[Frame, Any], None]) -> Ex:
        slot = self.frame.slot()
        held = Ex(source.type, lambda f: f[slot])
        check = self.type_test(None, held, target).run  # type: ignore[arg-type]
        converted = self.explicit(held, target) or held
        run, load = source.run, converted.run

        def match(f: Frame) -> bool:
            f[slot] = run(f)
            if not check(f):
                return False
            store(f, load(f))
            return True

        return Ex(BOOL, match)

    def _constant_pattern(self, node: Node, source: Ex) -> Ex:
        inside = self.children(node)[0]
        bound = self.bind(inside)
        if isinstance(bound, TypeName):
            return self.type_test(node, source, bound.type)
        wanted = self.as_value(inside, bound)
        if not wanted.is_constant:
            raise self.error(inside, "a constant value is expected")
        if wanted.type is NULL:
            return self.binary(node, "==", source, wanted)
        if source.type is OBJECT or source.type.definition.kind == "interface":
            from apimpolicy.expressions.conversions import box

            value, check, run = box(wanted).constant, instance_check(wanted.type), source.run
            return Ex(BOOL, lambda f: (v := run(f)) is not None and check(v) and v == value)
        return self.binary(node, "==", source, wanted)

    def _parenthesized(self, node: Node) -> Bound:
        bound = self.bind(self.children(node)[0])
        if isinstance(bound, TypeName):
            raise self.error(node, f"'{bound.type}' is a type, not a value")
        return bound

    def _default(self, node: Node) -> Bound:
        inside = node.child_by_field_name("type")
        if inside is None:
            raise self.error(node, "default without a type is not modelled")
        kind = self.bind_type(inside)
        return constant(kind, default_of(kind)) if not kind.is_value else Ex(kind, lambda f: default_of(kind))

    def _checked(self, node: Node) -> Bound:
        if self.text(node).startswith("checked"):
            raise self.error(node, "checked arithmetic is not modelled")
        outer, self.unchecked = self.unchecked, True
        try:
            return self.bind(self.children(node)[0])
        finally:
            self.unchecked = outer

    def _throw(self, node: Node) -> Bound:
        return ThrowExpression(self.throw_run(node, self.children(node)[0]))

    def throw_run(self, node: Node, inside: Node) -> Run:
        error = self.value(inside)
        if not is_exception(error.type):
            raise self.error(node, f"throw needs an exception, not '{error.type}'")
        run = error.run

        def throw(f: Frame) -> Any:
            value = run(f)
            raise (
                value
                if value is not None
                else CsException("NullReferenceException", "Object reference not set to an instance of an object.")
            )

        return throw

    def _assignment(self, node: Node) -> Bound:
        return self.assignment(node)

    def assignment(self, node: Node) -> Ex:
        raise NotImplementedError


def _show(bound: Bound) -> str:
    return str(bound.type) if isinstance(bound, Ex) else "?"


_BINDERS: Final[dict[str, Callable[[Binder, Node], Bound]]] = {
    "identifier": Binder._identifier,
    "predefined_type": Binder._predefined,
    "generic_name": Binder._generic,
    "array_type": Binder._predefined,
    "nullable_type": Binder._predefined,
    "qualified_name": Binder._predefined,
    "member_access_expression": Binder._member_access,
    "alias_qualified_name": Binder._alias_qualified,
    "invocation_expression": Binder._invocation,
    "element_access_expression": Binder._element_access,
    "conditional_access_expression": Binder._conditional_access,
    "binary_expression": Binder._binary,
    "prefix_unary_expression": Binder._prefix,
    "postfix_unary_expression": Binder._postfix,
    "conditional_expression": Binder._conditional,
    "cast_expression": Binder._cast,
    "as_expression": Binder._as,
    "is_expression": Binder._is,
    "is_pattern_expression": Binder._is_pattern,
    "parenthesized_expression": Binder._parenthesized,
    "default_expression": Binder._default,
    "checked_expression": Binder._checked,
    "throw_expression": Binder._throw,
    "object_creation_expression": Binder._object_creation,
    "array_creation_expression": Binder._array_creation,
    "implicit_array_creation_expression": Binder._implicit_array,
    "anonymous_object_creation_expression": Binder._anonymous,
    "tuple_expression": Binder._tuple,
    "interpolated_string_expression": Binder._interpolated,
    "lambda_expression": Binder._lambda,
    "anonymous_method_expression": Binder._anonymous_method,
    "assignment_expression": Binder._assignment,
}
