"""Objects, arrays, anonymous objects, tuples, interpolated strings: whatever an expression makes anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apimpolicy.expressions.defaults import default_of
from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.literals import unescape
from apimpolicy.expressions.names import Names
from apimpolicy.expressions.nodes import (
    Argument,
    Bound,
    Ex,
    Frame,
    MethodGroup,
    Namespace,
    Run,
    TypeName,
    UnboundLambda,
)
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.text import align, format_value
from apimpolicy.expressions.types import (
    INT,
    NULL,
    STRING,
    VOID,
    CType,
    array_of,
    make,
)
from apimpolicy.expressions.values import Anonymous, CsArray, ValueTuple, check_items, check_text


class Creation(Names):
    """Binds creation expressions."""

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
