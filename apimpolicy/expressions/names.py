"""Names, types, member access and calls: from syntax nodes to what they mean.

The receiver of `?.` is evaluated once into a slot of its own; the rest of the chain runs only when it is not null,
which is how C# reads `a?.b.c(d)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.calls import Calls
from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.literals import Literals
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
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    DEFINITIONS,
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
    strip_nullable,
)

_DELEGATES: Final = {"Predicate": 1, "Comparison": 1, "Converter": 2}
CHAIN: Final = frozenset(
    {"member_access_expression", "invocation_expression", "element_access_expression", "conditional_access_expression"}
)
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


class Names(Calls, Literals):
    """Binds names and chains."""

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
        if name in _DELEGATES:
            if len(args) != _DELEGATES[name]:
                raise self.error(node, f"the type '{name}' takes {_DELEGATES[name]} type arguments")
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
        while current is not None and current.type in CHAIN:
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
            given = self.children(self.field(node, "arguments"))
            if len(given) != 1:
                raise self.error(node, "nameof takes one name")
            inside = self.children(given[0])[0]
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
