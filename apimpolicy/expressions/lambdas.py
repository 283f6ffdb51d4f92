"""Lambdas, anonymous methods and local functions: bodies with frames of their own, and the delegates made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.assignments import Assignments
from apimpolicy.expressions.errors import ExpressionError
from apimpolicy.expressions.nodes import (
    Ex,
    Frame,
    FrameScope,
    FunctionState,
    LocalFunction,
    MethodGroup,
    Run,
    Scope,
    UnboundLambda,
)
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import (
    NULL,
    OBJECT,
    VOID,
    CType,
)
from apimpolicy.expressions.values import Runtime

RETURN: Final = "return"
LambdaBody = tuple[list[Any], Callable[..., Run], Scope]
"""(results, a maker of the delegate for a return type, the scope of the body)."""


class Lambdas(Assignments):
    """Binds functions inside an expression."""

    # -- lambdas ---------------------------------------------------------------------------------------------

    def bind_lambda(self, one: UnboundLambda, parameters: tuple[CType, ...], returns: CType | None) -> Run | None:
        """A delegate maker for the lambda, or None when its body does not fit."""
        bound = self._lambda_body(one, parameters)
        if bound is None:
            return None
        results, finish, inner = bound
        if returns is None or returns is VOID:
            return finish(None)
        if not results:
            return None
        if returns.is_open:
            return finish(results[0].type if isinstance(results[0], Ex) else OBJECT)
        if self._inside(inner, lambda: any(self.implicit(result, returns) is None for result in results)):
            return None
        return finish(returns)

    def lambda_return(self, one: UnboundLambda, inputs: tuple[CType, ...]) -> CType | None:
        bound = self._lambda_body(one, inputs)
        if bound is None:
            return None
        best: CType | None = None
        for result in bound[0]:
            if not isinstance(result, Ex) or result.type is NULL:
                continue
            best = result.type if best is None else self.common_type(best, result.type)
            if best is None:
                return None
        return VOID if best is None and not bound[0] else best

    def _lambda_body(self, one: UnboundLambda, inputs: tuple[CType, ...]) -> LambdaBody | None:
        """(results, finish): `finish(returns)` makes the delegate. Bound once for each set of parameter types."""
        key = (one.node.id, inputs, id(self.scope))
        if key in self.lambdas:
            known: LambdaBody | ExpressionError = self.lambdas[key]
            if isinstance(known, ExpressionError):
                self.lambda_error = known
                return None
            return known
        self.alive.append(self.scope)
        try:
            found = self._bind_lambda_body(one, inputs)
        except ExpressionError as error:
            self.lambdas[key] = error
            self.lambda_error = error
            return None
        self.lambdas[key] = found
        return found

    lambda_error: ExpressionError | None = None

    def _bind_lambda_body(self, one: UnboundLambda, inputs: tuple[CType, ...]) -> LambdaBody:
        saved = self.frame, self.scope, self.function
        self.frame = FrameScope(self.frame)
        self.scope = Scope(self.scope, self.frame)
        self.function = FunctionState(None)
        scope, inner, function = self.frame, self.scope, self.function
        try:
            for name, kind, declared in zip(one.names, inputs, one.declared, strict=True):
                if declared is not None and declared is not kind:
                    raise self.error(one.node, f"the lambda's parameter '{name}' is not a '{kind}'")
                if name == "_" and name in self.scope.names:
                    self.frame.slot()
                    continue
                self.declare(one.node, name, kind)
            if one.body.type == "block":
                body = self.statement(one.body)
                finish = lambda returns: self._block_delegate(body, scope, function, returns)  # noqa: E731
                return function.returned, finish, inner
            result = self.bind(one.body)
            if isinstance(result, MethodGroup):
                raise self.error(one.body, f"'{result.name}' is a method: call it")
            return [result], lambda returns: self._expression_delegate(result, scope, returns, inner), inner
        finally:
            self.frame, self.scope, self.function = saved

    def _expression_delegate(self, result: Any, scope: FrameScope, returns: CType | None, inner: Scope) -> Run:
        converted = result if returns is None else self._inside(inner, lambda: self.implicit(result, returns))
        run: Run = converted.run
        return _delegate(run, scope)

    def _inside(self, scope: Scope, work: Callable[[], Any]) -> Any:
        saved = self.frame, self.scope
        self.frame, self.scope = scope.frame, scope
        try:
            return work()
        finally:
            self.frame, self.scope = saved

    def _block_delegate(self, body: Run, scope: FrameScope, function: FunctionState, returns: CType | None) -> Run:
        """The delegate of a lambda with a block; each `return` converts to the delegate's type in its own way."""
        converters: list[Run | None] = []
        if returns is not None and returns is not VOID:
            for result in function.returned:
                same = not isinstance(result, Ex) or result.type is returns
                converters.append(None if same else self._converter(result, returns))

        def run(f: Frame) -> Any:
            if body(f) is not RETURN:
                return None
            runtime: Runtime = f[0]
            convert = converters[runtime.returned] if converters else None
            return runtime.value if convert is None else convert([runtime.value])

        return _delegate(run, scope)

    def _converter(self, result: Any, returns: CType) -> Run:
        converted = self.implicit(Ex(result.type, lambda f: f[0], result.constant), returns)
        assert converted is not None
        return converted.run

    # -- local functions ---------------------------------------------------------------------------------------

    def _declare_function(self, node: Node) -> None:
        name = self.text(self.field(node, "name"))
        if node.child_by_field_name("type_parameters") is not None:
            raise self.error(node, "generic local functions are not modelled")
        parameters: list[tuple[str, CType]] = []
        defaults: list[Any] = []
        for child in self.children(self.field(node, "parameters")):
            kind = self.bind_type(self.field(child, "type"))
            parameter = self.field(child, "name")
            parameters.append((self.text(parameter), kind))
            rest = [one for one in self.children(child) if one.id not in (parameter.id, self.field(child, "type").id)]
            if rest and rest[-1].type == "modifier":
                raise self.error(child, "ref, out and params parameters of local functions are not modelled")
            defaults.append(self.converted(rest[-1], self.bind(rest[-1]), kind).constant if rest else Ellipsis)
        returns = self.bind_type(self.field(node, "type"))
        if name in self.scope.names:
            raise self.error(node, f"'{name}' is already defined here")
        self.scope.names[name] = LocalFunction(name, parameters, returns, self.frame, defaults)

    def _local_function(self, node: Node) -> Run:
        target = self.scope.names[self.text(self.field(node, "name"))]
        assert isinstance(target, LocalFunction)
        saved = self.frame, self.scope, self.function
        self.frame = FrameScope(self.frame)
        self.scope = Scope(self.scope, self.frame)
        self.function = FunctionState(None if target.returns is VOID else target.returns)
        frame = self.frame
        try:
            for name, kind in target.parameters:
                self.declare(node, name, kind)
            body_node = self.field(node, "body")
            if body_node.type == "arrow_expression_clause":
                inside = self.children(body_node)[0]
                bound = self.bind(inside)
                if target.returns is VOID:
                    body = self.as_value(inside, bound).run
                else:
                    body = self.return_run(inside, bound)
            else:
                body = self.statement(body_node)
        finally:
            self.frame, self.scope, self.function = saved

        def call(home: Frame, arguments: list[Any]) -> Any:
            home[0].step()
            inner = [home[0], home, *arguments, *([None] * (frame.size - 2 - len(arguments)))]
            return home[0].value if body(inner) is RETURN else None

        target.call = call
        return lambda f: None


def _delegate(run: Run, scope: FrameScope) -> Run:
    def build(f: Frame) -> Any:
        runtime: Runtime = f[0]
        pad: list[Any] = []

        def call(*values: Any) -> Any:
            runtime.step()
            if not pad:
                pad.extend([None] * (scope.size - 2 - len(values)))
            return run([runtime, f, *values, *pad])

        return call

    return build
