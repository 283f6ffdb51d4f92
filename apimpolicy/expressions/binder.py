"""Expressions: from syntax nodes to bound expressions.

The receiver of `?.` is evaluated once into a slot of its own; the rest of the chain runs only when it is not null,
which is how C# reads `a?.b.c(d)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.calls import Calls
from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.expression_parser import Syn
from apimpolicy.expressions.expression_parser import SyntaxNode as Node
from apimpolicy.expressions.literals import Literals, unescape
from apimpolicy.expressions.nodes import (
    Argument,
    Bound,
    Ex,
    Frame,
    LocalFunction,
    MethodGroup,
    Namespace,
    OutArgument,
    Run,
    ThrowExpression,
    TypeName,
    UnboundLambda,
    Variable,
    constant,
)
from apimpolicy.expressions.runtime_types import instance_check, is_exception
from apimpolicy.expressions.text import align, format_value
from apimpolicy.expressions.types import (
    BOOL,
    DEFINITIONS,
    INT,
    NULL,
    OBJECT,
    REFUSED,
    STRING,
    VOID,
    CType,
    array_of,
    canonical_name,
    make,
    named,
    nullable,
    reference_convertible,
    strip_nullable,
)
from apimpolicy.expressions.values import Anonymous, CsArray, ValueTuple, check_items, check_text

MAX_DEPTH: Final = 120
_CHAIN: Final = frozenset(
    {"member_access_expression", "invocation_expression", "element_access_expression", "conditional_access_expression"}
)
_GRAMMAR_NODES: Final = frozenset({"interpolated_string_expression", "initializer_expression"})
_TOO_NEW: Final[dict[str, str]] = {
    "switch_expression": "a switch expression needs C# 8; policy expressions are C# 7",
    "range_expression": "a range needs C# 8; policy expressions are C# 7",
    "implicit_object_creation_expression": "new() without a type needs C# 9; policy expressions are C# 7",
    "with_expression": "'with' needs C# 9; policy expressions are C# 7",
    "collection_expression": "a collection expression needs C# 12; policy expressions are C# 7",
    "await_expression": "await is not available in policy expressions",
    "query_expression": "a query expression (from ... select) is not modelled; write it with Where and Select",
    "typeof_expression": "typeof is not modelled: policy expressions have no reflection",
    "ref_expression": "ref is not modelled",
    "stackalloc_expression": "stackalloc is not available in policy expressions",
    "makeref_expression": "__makeref is not available in policy expressions",
}
_NAMESPACES: Final = frozenset(
    {
        "System",
        "System.Collections",
        "System.Collections.Generic",
        "System.Linq",
        "System.Text",
        "System.Net",
        "System.IO",
        "System.Text.RegularExpressions",
        "System.Security",
        "System.Security.Cryptography",
        "System.Globalization",
        "System.Security.Cryptography.X509Certificates",
        "System.Xml",
        "System.Xml.Linq",
        "Newtonsoft",
        "Newtonsoft.Json",
        "Newtonsoft.Json.Linq",
    }
)


class Binder(Calls, Literals):
    """Binds expressions; `statements.StatementBinder` adds the rest."""

    def value(self, node: Node) -> Ex:
        """Bind `node` and insist on a value."""
        return self.as_value(node, self.bind(node))

    def as_value(self, node: Node, bound: Bound) -> Ex:
        if isinstance(bound, Ex):
            return bound
        if isinstance(bound, MethodGroup):
            raise self.error(node, f"'{bound.name}' is a method: call it")
        if isinstance(bound, TypeName):
            raise self.error(node, f"'{bound.type}' is a type, not a value")
        if isinstance(bound, ThrowExpression):
            return Ex(NULL, bound.run)
        if isinstance(bound, UnboundLambda):
            raise self.error(node, "a lambda needs a delegate type here")
        raise self.error(node, f"'{self.text(node)}' is not a value")

    def bind(self, node: Node) -> Bound:
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise self.error(node, "the expression is nested too deeply")
            if not isinstance(node, Syn) and node.type not in _GRAMMAR_NODES:
                node = self.parsed(node)
            if node.type in _CHAIN:
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

    # -- names -----------------------------------------------------------------------------------------------

    def _identifier(self, node: Node) -> Bound:
        name = self.text(node).lstrip("@")
        found = self.scope.find(name)
        if isinstance(found, Variable):
            if isinstance(found.constant, Ex):
                return found.constant
            return Ex(found.type, self.load(found))
        if isinstance(found, LocalFunction):
            return MethodGroup(name, node, None, None, (), found)
        if name == "context":
            return Ex(make("IProxyRequestContext"), lambda f: f[0].context)
        if name in REFUSED:
            raise self.error(node, f"{REFUSED[name]} is not modelled")
        type_name = canonical_name(name)
        if type_name in DEFINITIONS and DEFINITIONS[type_name].name != "null":
            return TypeName(make(type_name))
        if name in _NAMESPACES:
            return Namespace(name)
        raise self.error(node, f"the name '{name}' does not exist here, or policy expressions may not use it")

    def _predefined(self, node: Node) -> Bound:
        return TypeName(self.bind_type(node))

    def _generic(self, node: Node) -> Bound:
        found = self.scope.find(self.text(self.children(node)[0]))
        if isinstance(found, LocalFunction):
            raise self.error(node, "generic local functions are not modelled")
        return TypeName(self.bind_type(node))

    def bind_type(self, node: Node) -> CType:
        kind = node.type
        if kind == "predefined_type":
            return make(self.text(node)) if self.text(node) != "dynamic" else self._refuse(node, "dynamic")
        if kind == "array_type":
            rank = self.text(self.field(node, "rank"))
            if "," in rank:
                self._refuse(node, "a multidimensional array")
            return array_of(self.bind_type(self.field(node, "type")))
        if kind == "nullable_type":
            return nullable(self.bind_type(self.field(node, "type")))
        if kind == "qualified_name":
            return self.bind_type(self.field(node, "name"))
        if kind in ("alias_qualified_name", "member_access_expression"):
            return self.bind_type(self.field(node, "name"))
        if kind == "generic_name":
            parts = self.children(node)
            return self._type_named(node, self.text(parts[0]), self.type_arguments(parts[1]))
        if kind == "tuple_type":
            return self._tuple_type(node)
        if kind == "identifier":
            return self._type_named(node, self.text(node).lstrip("@"), ())
        raise self.error(node, f"the type '{self.text(node)}' is not modelled")

    def _refuse(self, node: Node, what: str) -> CType:
        raise self.error(node, f"{what} is not modelled")

    def type_arguments(self, node: Node) -> tuple[CType, ...]:
        return tuple(self.bind_type(child) for child in self.children(node))

    def _type_named(self, node: Node, name: str, args: tuple[CType, ...]) -> CType:
        if name in REFUSED:
            self._refuse(node, REFUSED[name])
        if name == "dynamic":
            self._refuse(node, "dynamic")
        name = canonical_name(name)
        if name in ("Predicate", "Comparison", "Converter"):
            return named(name, args)
        definition = DEFINITIONS.get(name)
        if definition is None or name == "null":
            raise self.error(node, f"the type '{name}' does not exist, or policy expressions may not use it")
        variable = name in ("Func", "Action", "Tuple", "ValueTuple")
        if not variable and len(definition.parameters) != len(args):
            raise self.error(node, f"the type '{name}' takes {len(definition.parameters)} type arguments")
        return make(name, *args)

    def _tuple_type(self, node: Node) -> CType:
        elements = self.children(node)
        types = tuple(self.bind_type(self.field(one, "type")) for one in elements)
        labels = []
        for index, one in enumerate(elements):
            name = one.child_by_field_name("name")
            labels.append(self.text(name) if name is not None else f"Item{index + 1}")
        return make("ValueTuple", *types, labels=tuple(labels))

    # -- chains ----------------------------------------------------------------------------------------------

    def _innermost_conditional(self, node: Node) -> Node | None:
        """The first `?.` on the spine of this chain that is not being handled already."""
        found: Node | None = None
        current: Node | None = node
        while current is not None and current.type in _CHAIN:
            if current.type == "conditional_access_expression":
                if current.id not in self.resolved:
                    found = current
                current = self.field(current, "condition")
            elif current.type == "invocation_expression":
                current = self.field(current, "function")
            else:
                current = self.field(current, "expression")
        return found

    def _null_propagation(self, node: Node, conditional: Node) -> Bound:
        receiver = self.value(self.field(conditional, "condition"))
        if receiver.type.is_value and receiver.type.name != "Nullable":
            raise self.error(conditional, f"operator '?' cannot be applied to '{receiver.type}'")
        slot = self.frame.slot()
        self.resolved[conditional.id] = Ex(strip_nullable(receiver.type), lambda f: f[slot])
        try:
            rest = self.bind(node)
        finally:
            del self.resolved[conditional.id]
        if isinstance(rest, MethodGroup):
            raise self.error(node, f"'{rest.name}' is a method: call it")
        rest_value = self.as_value(node, rest)
        run, after = receiver.run, rest_value.run

        def propagate(f: Frame) -> Any:
            target = run(f)
            if target is None:
                return None
            f[slot] = target
            return after(f)

        kind = rest_value.type
        return Ex(nullable(kind) if kind is not VOID else VOID, propagate)

    def _conditional_access(self, node: Node) -> Bound:
        receiver = self.resolved[node.id]
        binding = self.children(node)[1]
        if binding.type == "member_binding_expression":
            name, types = self._name_of(self.field(binding, "name"))
            return self.member(binding, receiver, name, types, self.called == node.id)
        if binding.type == "element_binding_expression":
            return self._index_value(binding, receiver, self._arguments(binding))
        raise self.error(node, "this use of '?.' is not modelled")

    def _name_of(self, node: Node) -> tuple[str, tuple[CType, ...]]:
        if node.type == "generic_name":
            parts = self.children(node)
            return self.text(parts[0]), self.type_arguments(parts[1])
        return self.text(node).lstrip("@"), ()

    def _member_access(self, node: Node) -> Bound:
        left = self.field(node, "expression")
        name_node = self.field(node, "name")
        if left.type == "identifier" and self.text(left) == "global":
            return self.bind(name_node)
        name, types = self._name_of(name_node)
        called = self.called == node.id
        bound = self.bind(left)
        if isinstance(bound, Namespace):
            path = f"{bound.path}.{name}"
            return Namespace(path) if path in _NAMESPACES else self.bind(name_node)
        if isinstance(bound, TypeName):
            return self.static_member(name_node, bound.type, name, types)
        return self.member(name_node, self.as_value(left, bound), name, types, called)

    def _alias_qualified(self, node: Node) -> Bound:
        return self.bind(self.field(node, "name"))

    def _invocation(self, node: Node) -> Bound:
        function = self.field(node, "function")
        if function.type == "identifier" and self.text(function) == "nameof":
            inside = self.children(self.children(self.field(node, "arguments"))[0])[0]
            return constant(STRING, self.text(inside).rsplit(".", 1)[-1])
        outer, self.called = self.called, function.id
        try:
            target = self.bind(function)
        finally:
            self.called = outer
        arguments = self._arguments(self.field(node, "arguments"))
        if isinstance(target, MethodGroup):
            return self.invoke(node, target, arguments)
        callee = self.as_value(function, target)
        if callee.type.name in ("Func", "Action"):
            return self._invoke_delegate(node, callee, arguments)
        raise self.error(node, f"a value of type '{callee.type}' cannot be called")

    def _invoke_delegate(self, node: Node, callee: Ex, arguments: list[Argument]) -> Ex:
        is_func = callee.type.name == "Func"
        wanted = callee.type.args[:-1] if is_func else callee.type.args
        if len(wanted) != len(arguments):
            raise self.error(node, f"'{callee.type}' takes {len(wanted)} arguments")
        runs: list[Run] = []
        for argument, kind in zip(arguments, wanted, strict=True):
            one = self.implicit(argument.value, kind)
            if one is None:
                raise self.error(argument.node, f"this argument is not a '{kind}'")
            runs.append(one.run)
        run = callee.run

        def call(f: Frame) -> Any:
            target = run(f)
            if target is None:
                raise CsException("NullReferenceException", "Object reference not set to an instance of an object.")
            return target(*[one(f) for one in runs])

        return Ex(callee.type.args[-1] if is_func else VOID, call)

    def _arguments(self, node: Node) -> list[Argument]:
        result: list[Argument] = []
        for child in self.children(node):
            name = child.child_by_field_name("name")
            inside = [one for one in self.children(child) if name is None or one.id != name.id][-1]
            words = {one.type for one in child.children if not one.is_named}
            if "out" in words:
                result.append(Argument(child, self._out_argument(inside), None))
                continue
            if words & {"ref", "in"}:
                raise self.error(child, "ref and in arguments are not modelled")
            bound = self.bind(inside)
            if isinstance(bound, (TypeName, Namespace)):
                raise self.error(inside, f"'{self.text(inside)}' is a type, not a value")
            result.append(Argument(inside, bound, self.text(name) if name is not None else None))
        return result

    def _out_argument(self, node: Node) -> OutArgument:
        if node.type == "declaration_expression":
            type_node = self.field(node, "type")
            declared = None if type_node.type == "implicit_type" else self.bind_type(type_node)
            name_node = self.field(node, "name")
            name = self.text(name_node)
            if name == "_":
                return OutArgument(node, declared, lambda kind: lambda f, v: None)
            variable = self.declare(name_node, name, declared or OBJECT)

            def settle(kind: CType) -> Callable[[Frame, Any], None]:
                variable.type = kind
                return self.store(variable)

            return OutArgument(node, declared, settle)
        if node.type == "identifier" and self.text(node) == "_" and self.scope.find("_") is None:
            return OutArgument(node, None, lambda kind: lambda f, v: None)
        target = self.scope.find(self.text(node)) if node.type == "identifier" else None
        if not isinstance(target, Variable):
            raise self.error(node, "out needs a variable")
        store = self.store(target)
        return OutArgument(node, target.type, lambda kind: store)

    def _element_access(self, node: Node) -> Bound:
        receiver = self.value(self.field(node, "expression"))
        return self._index_value(node, receiver, self._arguments(self.field(node, "subscript")))

    def _index_value(self, node: Node, receiver: Ex, arguments: list[Argument]) -> Ex:
        return self.index(node, receiver, arguments)[1]

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

    # -- creation --------------------------------------------------------------------------------------------

    def _object_creation(self, node: Node) -> Bound:
        kind = self.bind_type(self.field(node, "type"))
        listed = node.child_by_field_name("arguments")
        arguments = self._arguments(listed) if listed is not None else []
        if kind.is_value and not arguments and not kind.definition.members.get("new"):
            made = Ex(kind, lambda f: default_of(kind))
        else:
            made = self.construct(node, kind, arguments)
        initializer = node.child_by_field_name("initializer")
        return made if initializer is None else self._initialized(made, initializer)

    def _initialized(self, made: Ex, node: Node) -> Ex:
        """new T { ... }: elements by Add, members by assignment, indexes by the indexer."""
        slot = self.frame.slot()
        held = Ex(made.type, lambda f: f[slot])
        actions: list[Run] = []
        for child in self.children(node):
            actions.append(self._initializer_action(held, child))
        run = made.run

        def create(f: Frame) -> Any:
            value = run(f)
            f[slot] = value
            for action in actions:
                action(f)
                f[slot] = value
            return value

        return Ex(made.type, create)

    def _initializer_action(self, held: Ex, child: Node) -> Run:
        if child.type == "assignment_expression":
            left, right = self.field(child, "left"), self.field(child, "right")
            if left.type == "element_binding_expression":
                return self.assign_index(child, held, self._arguments(left), self.bind(right))
            if right.type == "initializer_expression":
                target = self.as_value(left, self.member(left, held, self.text(left), ()))
                return self._initialized(target, right).run
            return self.assign_member(child, held, self.text(left), self.bind(right))
        if child.type == "initializer_expression":
            arguments = [Argument(one, self._argument_value(one), None) for one in self.children(child)]
        else:
            arguments = [Argument(child, self._argument_value(child), None)]
        add = self.member(child, held, "Add", ())
        if not isinstance(add, MethodGroup):
            raise self.error(child, f"'{held.type}' has no Add method")
        return self.invoke(child, add, arguments).run

    def _argument_value(self, node: Node) -> Any:
        bound = self.bind(node)
        if isinstance(bound, (TypeName, Namespace)):
            raise self.error(node, f"'{self.text(node)}' is a type, not a value")
        return bound

    def assign_index(self, node: Node, receiver: Ex, arguments: list[Argument], value: Bound) -> Run:
        raise NotImplementedError

    def assign_member(self, node: Node, receiver: Ex, name: str, value: Bound) -> Run:
        raise NotImplementedError

    def _array_creation(self, node: Node) -> Bound:
        kind = self.bind_type(self.field(node, "type"))
        initializers = [child for child in self.children(node) if child.type == "initializer_expression"]
        if initializers:
            return self.array_literal(initializers[0], kind)
        sizes = self.children(self.field(self.field(node, "type"), "rank"))
        innermost = self.field(node, "type")
        while not sizes and self.field(innermost, "type").type == "array_type":
            innermost = self.field(innermost, "type")
            sizes = self.children(self.field(innermost, "rank"))
        if len(sizes) != 1:
            raise self.error(node, "an array needs a size or an initializer")
        size = self.implicit(self.value(sizes[0]), INT)
        if size is None:
            raise self.error(node, "the size of an array is an int")
        run, element = size.run, kind.args[0]

        def create(f: Frame) -> Any:
            count = run(f)
            if count < 0:
                raise CsException("OverflowException", "Arithmetic operation resulted in an overflow.")
            check_items(count)
            f[0].charge(count >> 4)
            return CsArray([default_of(element)] * count, element)

        return Ex(kind, create)

    def array_literal(self, node: Node, kind: CType) -> Ex:
        element = kind.args[0]
        runs: list[Run] = []
        for child in self.children(node):
            if child.type == "initializer_expression" and element.name == "[]":
                runs.append(self.array_literal(child, element).run)
                continue
            one = self.implicit(self.bind(child), element)
            if one is None:
                raise self.error(child, f"this element is not a '{element}'")
            runs.append(one.run)
        return Ex(kind, lambda f: CsArray([run(f) for run in runs], element))

    def _implicit_array(self, node: Node) -> Bound:
        initializer = next(child for child in self.children(node) if child.type == "initializer_expression")
        best: CType | None = None
        for child in self.children(initializer):
            bound = self.bind(child)
            if isinstance(bound, Ex) and bound.type is not NULL:
                best = bound.type if best is None else self.common_type(best, bound.type)
                if best is None:
                    break
        if best is None or best is VOID:
            raise self.error(node, "the elements of this array have no common type")
        return self.array_literal(initializer, array_of(best))

    def _anonymous(self, node: Node) -> Bound:
        names: list[str] = []
        values: list[Ex] = []
        pending: str | None = None
        parts = [child for child in node.children if child.type not in ("comment", "new", "{", "}")]
        index = 0
        while index < len(parts):
            part = parts[index]
            if part.type == ",":
                index += 1
                continue
            if index + 1 < len(parts) and parts[index + 1].type == "=":
                pending = self.text(part)
                index += 2
                continue
            inside = part
            if part.type == "assignment_expression":
                pending, inside = self.text(self.field(part, "left")), self.field(part, "right")
            names.append(pending or self._projected_name(inside))
            values.append(self.value(inside))
            pending = None
            index += 1
        for name, value, part in zip(names, values, parts * 2, strict=False):
            if value.type in (NULL, VOID):
                raise self.error(part, f"the property '{name}' of an anonymous object has no type")
        labels = tuple(names)
        if len(set(labels)) != len(labels):
            raise self.error(node, "an anonymous object names one property twice")
        from apimpolicy.expressions.conversions import box

        runs = [box(one).run for one in values]
        kind = make("anonymous", *(one.type for one in values), labels=labels)
        return Ex(kind, lambda f: Anonymous(labels, tuple([run(f) for run in runs])))

    def _projected_name(self, node: Node) -> str:
        if node.type == "identifier":
            return self.text(node)
        if node.type == "member_access_expression":
            return self.text(self.field(node, "name"))
        if node.type == "conditional_access_expression":
            return self.text(self.children(self.children(node)[1])[0])
        raise self.error(node, "this property of an anonymous object needs a name")

    def _tuple(self, node: Node) -> Bound:
        parts = self.children(node)
        values = [self.value(self.children(part)[-1]) for part in parts]
        labels: list[str] = []
        for index, part in enumerate(parts):
            name = part.child_by_field_name("name")
            labels.append(self.text(name) if name is not None else f"Item{index + 1}")
        runs = [one.run for one in values]
        kind = make("ValueTuple", *(one.type for one in values), labels=tuple(labels))
        return Ex(kind, lambda f: ValueTuple([run(f) for run in runs]))

    # -- strings and lambdas -----------------------------------------------------------------------------------

    def _interpolated(self, node: Node) -> Bound:
        start = self.text(node.children[0])
        verbatim = "@" in start
        if '"""' in self.text(node)[:8]:
            raise self.error(node, "raw string literals need C# 11; policy expressions are C# 7")
        runs: list[Callable[[Frame], str]] = []
        literal = ""
        # The grammar gives no node to {{ and }}: whatever lies between nodes is text too.
        for kind, content in self._interpolation_parts(node, verbatim):
            if kind == "text":
                literal += content
                continue
            if literal:
                runs.append((lambda s: lambda f: s)(literal))
                literal = ""
            runs.append(self._hole(content))
        if literal or not runs:
            runs.append((lambda s: lambda f: s)(literal))

        def join(f: Frame) -> str:
            text = "".join([run(f) for run in runs])
            if len(text) > 4096:
                check_text(len(text))
                f[0].charge(len(text) >> 10)
            return text

        return Ex(STRING, join)

    def _interpolation_parts(self, node: Node, verbatim: bool) -> list[tuple[str, Any]]:
        source = self.tree.source
        opening = self.text(node).index('"') + 1
        at = node.start_byte + opening
        end = node.end_byte - 1
        parts: list[tuple[str, Any]] = []

        def add(piece: bytes) -> None:
            text = piece.decode("utf-8").replace("{{", "{").replace("}}", "}")
            try:
                parts.append(("text", text.replace('""', '"') if verbatim else unescape(text)))
            except ValueError as error:
                raise self.error(node, str(error)) from None

        for child in node.children:
            if child.type == "interpolation":
                add(source[at : child.start_byte])
                parts.append(("hole", child))
                at = child.end_byte
        add(source[at:end])
        return parts

    def _hole(self, node: Node) -> Callable[[Frame], str]:
        width: int | None = None
        pattern: str | None = None
        inside: Node | None = None
        for child in self.children(node):
            if child.type == "interpolation_alignment_clause":
                one = self.value(self.children(child)[0])
                if not one.is_constant or one.type is not INT:
                    raise self.error(child, "an alignment is a constant int")
                width = one.constant
            elif child.type == "interpolation_format_clause":
                pattern = self.text(child)[1:]
            elif child.type != "interpolation_brace":
                inside = child
        if inside is None:
            raise self.error(node, "an interpolation needs an expression")
        value = self.value(inside)
        if value.type is VOID:
            raise self.error(inside, "a void call has no value")
        if pattern:
            from apimpolicy.expressions.conversions import box

            boxed, fixed = box(value).run, pattern
            text: Callable[[Frame], str] = lambda f: format_value(boxed(f), fixed)  # noqa: E731
        else:
            text = self.text_run(value)
        if width is None:
            return text
        columns, plain = width, text
        return lambda f: align(plain(f), columns)

    def _lambda(self, node: Node) -> Bound:
        parameters = self.field(node, "parameters")
        if parameters.type in ("implicit_parameter", "identifier"):
            names, declared = (self.text(parameters),), (None,)
            return UnboundLambda(node, names, declared, self.field(node, "body"))
        names_list: list[str] = []
        declared_list: list[CType | None] = []
        for child in self.children(parameters):
            kind = child.child_by_field_name("type")
            names_list.append(self.text(self.field(child, "name")))
            declared_list.append(None if kind is None else self.bind_type(kind))
        return UnboundLambda(node, tuple(names_list), tuple(declared_list), self.field(node, "body"))

    def _anonymous_method(self, node: Node) -> Bound:
        parameters = node.child_by_field_name("parameters")
        if parameters is None:
            raise self.error(node, "an anonymous method needs its parameters")
        body = next(child for child in self.children(node) if child.type == "block")
        listed = self.children(parameters)
        names = tuple(self.text(self.field(child, "name")) for child in listed)
        return UnboundLambda(node, names, tuple(self.bind_type(self.field(c, "type")) for c in listed), body)

    def _assignment(self, node: Node) -> Bound:
        return self.assignment(node)

    def assignment(self, node: Node) -> Ex:
        raise NotImplementedError


def default_of(kind: CType) -> Any:
    """default(T)."""
    if not kind.is_value or kind.name == "Nullable":
        return None
    if kind.name == "bool":
        return False
    if kind.name in ("double", "float"):
        return 0.0
    special = DEFAULTS.get(kind.name)
    if special is not None:
        return special(kind)
    if kind.definition.kind == "enum":
        from apimpolicy.expressions.types import enum_value

        return enum_value(kind.definition, 0)
    return 0


DEFAULTS: Final[dict[str, Callable[[CType], Any]]] = {}


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
