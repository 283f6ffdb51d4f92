"""Statements.

A statement is a closure that returns None, or one of BREAK, CONTINUE, RETURN (the value then lies in the Runtime).
Every statement and every iteration counts as a step of the budget. A loop body that holds a lambda gets a frame of
its own per iteration, so that captured variables are fresh each time, as in C#.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.defaults import default_of
from apimpolicy.expressions.errors import CsException, ExpressionError
from apimpolicy.expressions.lambdas import RETURN, Lambdas
from apimpolicy.expressions.nodes import (
    Bound,
    Ex,
    Frame,
    FrameScope,
    MethodGroup,
    Run,
    Scope,
    ThrowExpression,
    TypeName,
    UnboundLambda,
)
from apimpolicy.expressions.runtime_types import exception_is, is_exception
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    BOOL,
    NULL,
    OBJECT,
    VOID,
    CType,
    find_super,
    make,
)
from apimpolicy.expressions.values import Runtime, iterate

BREAK: Final = "break"
CONTINUE: Final = "continue"
_LAMBDAS: Final = frozenset({"lambda_expression", "anonymous_method_expression", "local_function_statement"})


class StatementBinder(Lambdas):
    """The whole binder."""

    # -- blocks ----------------------------------------------------------------------------------------------

    def statement(self, node: Node) -> Run:
        """Bind one statement."""
        self.depth += 1
        try:
            method = _STATEMENTS.get(node.type)
            if method is None:
                raise self.error(node, f"'{node.type.replace('_', ' ')}' is not modelled")
            return method(self, node)
        finally:
            self.depth -= 1

    def _block(self, node: Node) -> Run:
        saved = self.scope
        self.scope = Scope(saved, self.frame)
        try:
            return self.sequence(list(self.children(node)))
        finally:
            self.scope = saved

    def sequence(self, nodes: list[Node]) -> Run:
        for node in nodes:
            if node.type == "local_function_statement":
                self._declare_function(node)
        runs = [self.statement(node) for node in nodes]
        if len(runs) == 1:
            return runs[0]
        if not runs:
            return lambda f: None

        def run_all(f: Frame) -> Any:
            for run in runs:
                signal = run(f)
                if signal is not None:
                    return signal
            return None

        return run_all

    def _expression_statement(self, node: Node) -> Run:
        inside = self.children(node)[0]
        if inside.type not in _ALLOWED_STATEMENTS:
            raise self.error(node, "only assignment, call, increment, decrement and new can stand as a statement")
        run = self.value(inside).run

        def execute(f: Frame) -> None:
            f[0].step()
            run(f)

        return execute

    def _declaration(self, node: Node) -> Run:
        modifiers = [self.text(child) for child in node.children if child.type == "modifier"]
        declaration = next(child for child in self.children(node) if child.type == "variable_declaration")
        return self.variables(declaration, fixed="const" in modifiers)

    def variables(self, node: Node, fixed: bool = False) -> Run:
        type_node = self.field(node, "type")
        implicit = type_node.type == "implicit_type"
        kind = None if implicit else self.bind_type(type_node)
        if kind is VOID:
            raise self.error(node, "a variable cannot be void")
        runs = [
            self._variable_declarator(child, kind, fixed)
            for child in self.children(node)
            if child.type == "variable_declarator"
        ]
        if len(runs) == 1:
            return runs[0]

        def execute(f: Frame) -> None:
            for run in runs:
                run(f)

        return execute

    def _variable_declarator(self, node: Node, kind: CType | None, fixed: bool) -> Run:
        parts = self.children(node)
        if parts[0].type == "tuple_pattern":
            return self._deconstruct(node, parts[0], parts[-1])
        name_node = self.field(node, "name")
        name = self.text(name_node).lstrip("@")
        values = [child for child in parts if child.id != name_node.id]
        if not values:
            if kind is None:
                raise self.error(node, f"'var {name}' needs a value to take its type from")
            variable = self.declare(name_node, name, kind)
            store, empty = self.store(variable), kind
            return lambda f: store(f, default_of(empty))
        value = self._initial_value(values[-1], kind)
        if value.type in (NULL, VOID) or (kind is None and value.type.name == "null"):
            raise self.error(node, f"'var {name}' cannot take its type from this value")
        if fixed:
            if not value.is_constant:
                raise self.error(node, f"the value of the constant '{name}' is not constant")
            self.declare(name_node, name, value.type, value)
            return lambda f: None
        variable = self.declare(name_node, name, kind or value.type)
        run, index = value.run, variable.index

        def execute(f: Frame) -> None:
            f[0].step()
            f[index] = run(f)

        return execute

    def _initial_value(self, node: Node, kind: CType | None) -> Ex:
        if node.type == "initializer_expression" and kind is not None and kind.name == "[]":
            return self.array_literal(node, kind)
        bound = self.bind(node)
        if kind is None:
            return self.as_value(node, bound)
        self.lambda_error = None
        try:
            return self.converted(node, bound, kind)
        except ExpressionError:
            if self.lambda_error is not None:
                raise self.lambda_error from None
            raise

    def _deconstruct(self, node: Node, pattern: Node, value_node: Node) -> Run:
        value = self.value(value_node)
        names = self.children(pattern)
        if value.type.name == "KeyValuePair" and len(names) == 2:
            read: Callable[[Any], Any] = lambda v: (v.key, v.value)  # noqa: E731
        elif value.type.name in ("ValueTuple", "Tuple") and len(value.type.args) == len(names):
            read = lambda v: v  # noqa: E731
        else:
            raise self.error(node, f"'{value.type}' cannot be deconstructed into {len(names)} variables")
        stores: list[Callable[[Frame, Any], None]] = []
        for one, kind in zip(names, value.type.args, strict=True):
            if self.text(one) == "_":
                stores.append(_discard)
            else:
                stores.append(self.store(self.declare(one, self.text(one), kind)))
        run = value.run

        def execute(f: Frame) -> None:
            for store, item in zip(stores, read(run(f)), strict=True):
                store(f, item)

        return execute

    # -- choices ---------------------------------------------------------------------------------------------

    def condition(self, node: Node) -> Run:
        test = self.implicit(self.value(node), BOOL)
        if test is None:
            raise self.error(node, "a condition must be a bool")
        return test.run

    def _if(self, node: Node) -> Run:
        test = self.condition(self.field(node, "condition"))
        yes = self._embedded(self.field(node, "consequence"))
        alternative = node.child_by_field_name("alternative")
        no = None if alternative is None else self._embedded(alternative)

        def execute(f: Frame) -> Any:
            f[0].step()
            if test(f):
                return yes(f)
            return None if no is None else no(f)

        return execute

    def _embedded(self, node: Node) -> Run:
        saved = self.scope
        self.scope = Scope(saved, self.frame)
        try:
            return self.statement(node)
        finally:
            self.scope = saved

    def _switch(self, node: Node) -> Run:
        value = self.value(self.field(node, "value"))
        slot = self.frame.slot()
        held = Ex(value.type, lambda f: f[slot])
        sections: list[tuple[list[Run], Run]] = []
        default: Run | None = None
        labels: list[Run] = []
        default_pending = False
        saved = self.scope
        self.scope = Scope(saved, self.frame)
        try:
            for section in self.children(self.field(node, "body")):
                tests, body, is_default = self._switch_section(section, held)
                labels += tests
                default_pending = default_pending or is_default
                if body is None:  # `case 1: case 2:` - the labels belong to the next section that has statements
                    continue
                sections.append((labels, body))
                if default_pending:
                    default = body
                labels, default_pending = [], False
        finally:
            self.scope = saved
        return _switch_run(value.run, slot, sections, default)

    def _switch_section(self, node: Node, held: Ex) -> tuple[list[Run], Run | None, bool]:
        tests: list[Run] = []
        statements: list[Node] = []
        outer = self.scope
        self.scope = Scope(outer, self.frame)
        try:
            for child in self.children(node):
                if child.type == "when_clause":
                    guard, inner = self.condition(self.children(child)[0]), tests.pop()
                    tests.append((lambda a, b: lambda f: a(f) and b(f))(inner, guard))
                elif child.type.endswith("_statement") or child.type == "block":
                    statements.append(child)
                elif child.type.endswith("_pattern"):
                    tests.append(self.pattern(child, held).run)
                else:
                    raise self.error(child, f"a {child.type.replace('_', ' ')} label is not modelled")
            is_default = any(child.type == "default" for child in node.children)
            return tests, self.sequence(statements) if statements else None, is_default
        finally:
            self.scope = outer

    # -- loops -----------------------------------------------------------------------------------------------

    def _loop_body(self, node: Node, prepare: Callable[[], None] | None = None) -> tuple[Run, FrameScope | None]:
        """The body, and the frame each iteration needs when a lambda inside captures its variables."""
        saved = self.frame, self.scope
        own = FrameScope(self.frame) if _holds_lambda(node) else None
        if own is not None:
            self.frame = own
        self.scope = Scope(self.scope, self.frame)
        try:
            if prepare is not None:
                prepare()
            body = self.statement(node)
        finally:
            self.frame, self.scope = saved
        if own is None:
            return body, None
        frame = own
        return lambda f: body([f[0], f, *([None] * (frame.size - 2))]), own

    def _while(self, node: Node) -> Run:
        test = self.condition(self.field(node, "condition"))
        body, _ = self._loop_body(self.field(node, "body"))

        def execute(f: Frame) -> Any:
            step = f[0].step
            while test(f):
                step()
                signal = body(f)
                if signal is not None:
                    if signal is BREAK:
                        return None
                    if signal is RETURN:
                        return signal
            return None

        return execute

    def _do(self, node: Node) -> Run:
        body, _ = self._loop_body(self.field(node, "body"))
        test = self.condition(self.field(node, "condition"))

        def execute(f: Frame) -> Any:
            step = f[0].step
            while True:
                step()
                signal = body(f)
                if signal is not None:
                    if signal is BREAK:
                        return None
                    if signal is RETURN:
                        return signal
                if not test(f):
                    return None

        return execute

    def _for(self, node: Node) -> Run:
        saved = self.scope
        self.scope = Scope(saved, self.frame)
        try:
            starts: list[Run] = []
            for child in node.children_by_field_name("initializer"):
                if not child.is_named:
                    continue
                starts.append(self.variables(child) if child.type == "variable_declaration" else self.value(child).run)
            condition = node.child_by_field_name("condition")
            test = self.condition(condition) if condition is not None else None
            updates = [self.value(child).run for child in node.children_by_field_name("update") if child.is_named]
            body, _ = self._loop_body(self.field(node, "body"))
        finally:
            self.scope = saved

        def execute(f: Frame) -> Any:
            step = f[0].step
            for start in starts:
                start(f)
            while test is None or test(f):
                step()
                signal = body(f)
                if signal is not None:
                    if signal is BREAK:
                        return None
                    if signal is RETURN:
                        return signal
                for update in updates:
                    update(f)
            return None

        return execute

    def _foreach(self, node: Node) -> Run:
        source = self.value(self.field(node, "right"))
        element = self.element_type(self.field(node, "right"), source.type)
        type_node = node.child_by_field_name("type")
        left = self.field(node, "left")
        if left.type == "tuple_pattern":
            raise self.error(left, "foreach over a tuple pattern is not modelled")
        declared = element if type_node is None or type_node.type == "implicit_type" else self.bind_type(type_node)
        item_slot: list[int] = []

        def prepare() -> None:
            variable = self.declare(left, self.text(left).lstrip("@"), declared)
            variable.read_only = "a foreach variable"
            item_slot.append(variable.index)

        saved = self.frame, self.scope
        body_node = self.field(node, "body")
        own = FrameScope(self.frame) if _holds_lambda(body_node) else None
        frame = own or self.frame
        self.frame = frame
        self.scope = Scope(self.scope, frame)
        try:
            prepare()
            body = self.statement(body_node)
        finally:
            self.frame, self.scope = saved
        convert = None
        if declared is not element:
            one = self.explicit(Ex(element, lambda f: f[0]), declared)
            if one is None:
                raise self.error(node, f"cannot convert '{element}' to '{declared}'")
            converting = one.run
            convert = lambda v: converting([v])  # noqa: E731
        return _foreach_run(source.run, body, item_slot[0], convert, own)

    def element_type(self, node: Node, kind: CType) -> CType:
        """What foreach over a `kind` yields."""
        if kind.name == "JObject":
            return make("KeyValuePair", make("string"), make("JToken"))
        found = find_super(kind, "IEnumerable")
        if found is None:
            found = find_super(kind, "IEnumerableOfObject")
            if found is not None:
                return OBJECT
            raise self.error(node, f"foreach cannot go over a '{kind}'")
        return found.args[0]

    def _break(self, node: Node) -> Run:
        return lambda f: BREAK

    def _continue(self, node: Node) -> Run:
        return lambda f: CONTINUE

    # -- return, throw, try ----------------------------------------------------------------------------------

    def _return(self, node: Node) -> Run:
        parts = self.children(node)
        if not parts:
            if self.function.is_root:
                raise self.error(node, "return needs a value: a policy expression has a result")

            def leave(f: Frame) -> Any:
                f[0].value = None
                return RETURN

            return leave
        bound = self.bind(parts[0])
        if isinstance(bound, (UnboundLambda, MethodGroup, TypeName)):
            raise self.error(node, "this cannot be returned")
        return self.return_run(parts[0], bound)

    def return_run(self, node: Node, bound: Bound) -> Run:
        result: Ex | ThrowExpression = bound if isinstance(bound, ThrowExpression) else self.as_value(node, bound)
        index = len(self.function.returned)
        if isinstance(result, Ex):
            if result.type is VOID:
                raise self.error(node, "a call that returns nothing has no value")
            if self.function.is_root:
                self.function.returned.append(result)
                converted = self.implicit(result, OBJECT)
                assert converted is not None
                return _return_run(converted.run, index)
            if self.function.expected is not None:
                result = self.converted(node, result, self.function.expected)
        self.function.returned.append(result)
        return _return_run(result.run, index)

    def _throw_statement(self, node: Node) -> Run:
        parts = self.children(node)
        if parts:
            return self.throw_run(node, parts[0])
        if not self.catching:
            raise self.error(node, "throw without an exception only stands in a catch block")
        slot = self.catching[-1]

        def again(f: Frame) -> Any:
            raise f[slot]

        return again

    catching: tuple[int, ...] = ()

    def _try(self, node: Node) -> Run:
        body = self.statement(self.field(node, "body"))
        clauses = [self._catch(child) for child in self.children(node) if child.type == "catch_clause"]
        final = next((child for child in self.children(node) if child.type == "finally_clause"), None)
        last = self.statement(self.children(final)[0]) if final is not None else None

        def attempt(f: Frame) -> Any:
            f[0].step()
            try:
                return body(f)
            except CsException as error:
                for wanted, store, test, handler, slot in clauses:
                    if wanted is None or exception_is(error.type_name, wanted):
                        f[slot] = error
                        if store is not None:
                            store(f, error)
                        if test is None or test(f):
                            return handler(f)
                raise

        if last is None:
            return attempt
        finish = last

        def with_finally(f: Frame) -> Any:
            runtime: Runtime = f[0]
            try:
                signal = attempt(f)
            except CsException:
                finish(f)
                raise
            kept = runtime.value, runtime.returned
            finish(f)
            runtime.value, runtime.returned = kept
            return signal

        return with_finally

    def _catch(self, node: Node) -> tuple[str | None, Any, Run | None, Run, int]:
        saved, outer = self.scope, self.catching
        self.scope = Scope(saved, self.frame)
        slot = self.frame.slot()
        self.catching = (*outer, slot)
        try:
            wanted: str | None = None
            store = None
            test: Run | None = None
            for child in self.children(node):
                if child.type == "catch_declaration":
                    kind = self.bind_type(self.field(child, "type"))
                    if not is_exception(kind):
                        raise self.error(child, f"'{kind}' is not an exception")
                    wanted = kind.name
                    name = child.child_by_field_name("name")
                    if name is not None:
                        store = self.store(self.declare(name, self.text(name), kind))
                elif child.type == "catch_filter_clause":
                    test = self.condition(self.children(child)[0])
            return wanted, store, test, self.statement(self.field(node, "body")), slot
        finally:
            self.scope, self.catching = saved, outer

    def _using(self, node: Node) -> Run:
        saved = self.scope
        self.scope = Scope(saved, self.frame)
        try:
            parts = self.children(node)
            body_node = self.field(node, "body")
            first = next(child for child in parts if child.id != body_node.id)
            start = self.variables(first) if first.type == "variable_declaration" else self.value(first).run
            body = self.statement(body_node)
        finally:
            self.scope = saved

        def execute(f: Frame) -> Any:
            start(f)
            return body(f)

        return execute

    def _lock(self, node: Node) -> Run:
        parts = self.children(node)
        self.value(parts[0])
        return self.statement(parts[-1])

    def _checked_statement(self, node: Node) -> Run:
        if self.text(node).startswith("checked"):
            raise self.error(node, "checked arithmetic is not modelled")
        outer, self.unchecked = self.unchecked, True
        try:
            return self.statement(self.children(node)[0])
        finally:
            self.unchecked = outer


def _discard(f: Frame, value: Any) -> None:
    """`_` takes anything."""


def _return_run(run: Run, index: int) -> Run:
    def leave(f: Frame) -> Any:
        value = run(f)
        runtime: Runtime = f[0]
        runtime.value = value
        runtime.returned = index
        return RETURN

    return leave


def _switch_run(run: Run, slot: int, sections: list[tuple[list[Run], Run]], default: Run | None) -> Run:
    def execute(f: Frame) -> Any:
        f[0].step()
        f[slot] = run(f)
        for tests, body in sections:
            for test in tests:
                if test(f):
                    signal = body(f)
                    return None if signal is BREAK else signal
        signal = None if default is None else default(f)
        return None if signal is BREAK else signal

    return execute


def _foreach_run(
    source: Run, body: Run, slot: int, convert: Callable[[Any], Any] | None, own: FrameScope | None
) -> Run:
    def execute(f: Frame) -> Any:
        step = f[0].step
        for raw in iterate(source(f)):
            step()
            item = raw if convert is None else convert(raw)
            if own is None:
                f[slot] = item
                signal = body(f)
            else:
                inner = [f[0], f, *([None] * (own.size - 2))]
                inner[slot] = item
                signal = body(inner)
            if signal is not None:
                if signal is BREAK:
                    return None
                if signal is RETURN:
                    return signal
        return None

    return execute


def _holds_lambda(node: Node) -> bool:
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type in _LAMBDAS:
            return True
        stack.extend(current.named_children)
    return False


_ALLOWED_STATEMENTS: Final = frozenset(
    {
        "assignment_expression",
        "invocation_expression",
        "postfix_unary_expression",
        "prefix_unary_expression",
        "object_creation_expression",
        "conditional_access_expression",
    }
)
_STATEMENTS: Final[dict[str, Callable[[StatementBinder, Node], Run]]] = {
    "block": StatementBinder._block,
    "expression_statement": StatementBinder._expression_statement,
    "local_declaration_statement": StatementBinder._declaration,
    "if_statement": StatementBinder._if,
    "switch_statement": StatementBinder._switch,
    "while_statement": StatementBinder._while,
    "do_statement": StatementBinder._do,
    "for_statement": StatementBinder._for,
    "foreach_statement": StatementBinder._foreach,
    "break_statement": StatementBinder._break,
    "continue_statement": StatementBinder._continue,
    "return_statement": StatementBinder._return,
    "throw_statement": StatementBinder._throw_statement,
    "try_statement": StatementBinder._try,
    "using_statement": StatementBinder._using,
    "lock_statement": StatementBinder._lock,
    "checked_statement": StatementBinder._checked_statement,
    "local_function_statement": StatementBinder._local_function,
    "empty_statement": lambda self, node: lambda f: None,
}
