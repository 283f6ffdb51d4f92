"""Compile once, evaluate often: the two doors of this package.

`compile_expression` gives the same object for the same text; `CompiledExpression.evaluate` runs it against one
request's context under a budget. Nothing here performs I/O or reads a clock of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from apimpolicy.expressions import library
from apimpolicy.expressions.errors import BudgetExceeded, CsException, EvaluationError, ExpressionError
from apimpolicy.expressions.lambdas import RETURN
from apimpolicy.expressions.nodes import Frame, Run
from apimpolicy.expressions.runtime_types import describe
from apimpolicy.expressions.statements import StatementBinder
from apimpolicy.expressions.syntax import SyntaxTree
from apimpolicy.expressions.types import OBJECT, VOID, CType
from apimpolicy.expressions.values import Runtime
from apimpolicy.position import Position

DEFAULT_STEPS: Final = 500_000
MAX_SOURCE: Final = 200_000
"""Longest expression that is compiled, in characters; a whole policy document may not exceed 256 KB."""

library.load()


@dataclass(frozen=True, slots=True)
class Budget:
    """What one evaluation may use: `steps` always, `seconds` when a `monotonic` clock is given."""

    steps: int = DEFAULT_STEPS
    seconds: float | None = None
    monotonic: Callable[[], float] | None = None


_DEFAULT_BUDGET: Final = Budget()


class CompiledExpression:
    """A policy expression ready to run. `type_name` is its static C# type."""

    __slots__ = ("_pad", "_run", "constant_value", "is_constant", "kind", "position", "text", "type_name")

    def __init__(self, text: str, kind: str, position: Position | None, run: Run, size: int, type: CType) -> None:
        self.text = text
        self.kind = kind
        self.position = position
        self.type_name = str(type)
        self.is_constant = False
        self.constant_value: Any = None
        self._run = run
        self._pad: list[Any] = [None] * (size - 1)

    def evaluate(self, context: Any, *, budget: Budget | None = None) -> Any:
        """The expression's value: None, str, bool, int, float, Decimal or an object of this package.

        `context` is a `PolicyContext`. Raises EvaluationError for a C# exception that was not caught, and its
        subclass BudgetExceeded when the budget runs out. Every evaluation starts with a full budget.
        """
        limits = budget or _DEFAULT_BUDGET
        deadline = None
        if limits.seconds is not None and limits.monotonic is not None:
            deadline = limits.monotonic() + limits.seconds
        frame: Frame = [Runtime(context, limits.steps, deadline, limits.monotonic), *self._pad]
        try:
            return self._run(frame)
        except CsException as error:
            raise EvaluationError(describe(error), error.text, self.position) from None
        except BudgetExceeded as error:
            error.position = self.position
            raise
        except RecursionError:
            raise BudgetExceeded("the expression recursed too deeply", self.position) from None
        except (MemoryError, OverflowError):
            raise BudgetExceeded("the expression made a value too large to hold", self.position) from None

    def __repr__(self) -> str:
        return f"CompiledExpression({self.kind}, {self.text[:60]!r})"


_CACHE_SIZE: Final = 8192
_cache: OrderedDict[tuple[str, str], CompiledExpression] = OrderedDict()


def compile_expression(text: str, *, kind: str, position: Position | None = None) -> CompiledExpression:
    """Compile the C# `text` of `@(text)` (kind "inline") or `@{text}` (kind "block").

    Raises ExpressionError (with a position relative to `position`, the place of the text's first character) for a
    syntax error, an unknown type or member, or something this library does not model. Results are cached by
    (text, kind); a cached result keeps the position it was first compiled with.
    """
    key = (text, kind)
    known = _cache.get(key)
    if known is not None:
        return known
    compiled = _compile(text, kind, position)
    _cache[key] = compiled
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return compiled


def _compile(text: str, kind: str, position: Position | None) -> CompiledExpression:
    if len(text) > MAX_SOURCE:
        raise ExpressionError("the expression is too long", position)
    tree = SyntaxTree(text, kind)
    if tree.error is not None:
        message, offset = tree.error
        raise ExpressionError(message, tree.position_at(offset, position))
    binder = StatementBinder(tree, position)
    try:
        if kind == "inline":
            return _inline(binder, tree, position)
        return _block(binder, tree, position)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", position) from None


def _inline(binder: StatementBinder, tree: SyntaxTree, position: Position | None) -> CompiledExpression:
    assert tree.body is not None
    value = binder.value(tree.body)
    if value.type is VOID:
        raise binder.error(tree.body, "a call that returns nothing has no value")
    boxed = binder.implicit(value, OBJECT)
    assert boxed is not None
    compiled = CompiledExpression(tree.text, tree.kind, position, boxed.run, binder.frame.size, value.type)
    if boxed.is_constant:
        compiled.is_constant, compiled.constant_value = True, boxed.constant
    return compiled


def _block(binder: StatementBinder, tree: SyntaxTree, position: Position | None) -> CompiledExpression:
    assert tree.body is not None
    body = binder.statement(tree.body)
    if can_fall_through(binder, tree.body):
        raise binder.error(tree.body, "not all code paths return a value")
    types = {getattr(one, "type", None) for one in binder.function.returned}
    kind = next(iter(types)) if len(types) == 1 else OBJECT

    def run(f: Frame) -> Any:
        return f[0].value if body(f) is RETURN else None

    return CompiledExpression(tree.text, tree.kind, position, run, binder.frame.size, kind or OBJECT)


def can_fall_through(binder: StatementBinder, node: Any) -> bool:
    """Whether the end of a statement can be reached: C#'s reachability rule, for constants true and false only."""
    kind = node.type
    if kind in ("return_statement", "throw_statement", "break_statement", "continue_statement", "goto_statement"):
        return False
    parts = binder.children(node)
    if kind == "block":
        return all(can_fall_through(binder, child) for child in parts)
    if kind == "if_statement":
        no = node.child_by_field_name("alternative")
        return no is None or can_fall_through(binder, binder.field(node, "consequence")) or can_fall_through(binder, no)
    if kind in ("while_statement", "do_statement", "for_statement"):
        test = node.child_by_field_name("condition")
        endless = test is None or binder.text(test) == "true"
        body = binder.field(node, "body")
        if endless:
            return _breaks(body)
        return kind != "do_statement" or can_fall_through(binder, body)
    if kind == "try_statement":
        final = next((child for child in parts if child.type == "finally_clause"), None)
        if final is not None and not can_fall_through(binder, binder.children(final)[0]):
            return False
        bodies = [binder.field(node, "body")]
        bodies += [binder.field(child, "body") for child in parts if child.type == "catch_clause"]
        return any(can_fall_through(binder, body) for body in bodies)
    if kind == "switch_statement":
        return _switch_falls(binder, node)
    if kind in ("using_statement", "lock_statement", "checked_statement"):
        return can_fall_through(binder, parts[-1])
    return True


def _switch_falls(binder: StatementBinder, node: Any) -> bool:
    sections = binder.children(binder.field(node, "body"))
    if not any(child.type == "default" for section in sections for child in section.children):
        return True
    for section in sections:
        statements = [c for c in binder.children(section) if c.type.endswith("_statement") or c.type == "block"]
        if statements and all(can_fall_through(binder, one) for one in statements):
            return True
        if any(_breaks(one) for one in statements):
            return True
    return False


def _breaks(node: Any) -> bool:
    """Whether a `break` inside leaves this loop or switch."""
    if node.type == "break_statement":
        return True
    if node.type in ("while_statement", "do_statement", "for_statement", "foreach_statement", "switch_statement"):
        return False
    if node.type in ("lambda_expression", "anonymous_method_expression", "local_function_statement"):
        return False
    return any(_breaks(child) for child in node.named_children)
