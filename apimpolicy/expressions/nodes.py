"""What binding an expression produces: a static type and a closure over the frame.

A frame is a Python list: [0] the Runtime, [1] the enclosing frame (captured variables live there), then locals.
This room holds the shapes only; `conversions`, `calls`, `operators` and `statements` build them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from apimpolicy.expressions.errors import ExpressionError
from apimpolicy.expressions.syntax import SyntaxTree
from apimpolicy.expressions.syntax_nodes import ExpressionSyntaxError
from apimpolicy.expressions.syntax_nodes import SyntaxNode as Node
from apimpolicy.expressions.types import CType
from apimpolicy.position import Position

Frame = list[Any]
Run = Callable[[Frame], Any]


class _NotConstant:
    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT: Final = _NotConstant()


class Ex:
    """A bound expression: its static type, its closure, and its value when that is a compile-time constant."""

    __slots__ = ("constant", "run", "type")

    def __init__(self, type: CType, run: Run, constant: Any = NOT_CONSTANT) -> None:
        self.type = type
        self.run = run
        self.constant = constant

    @property
    def is_constant(self) -> bool:
        return self.constant is not NOT_CONSTANT


def constant(type: CType, value: Any) -> Ex:
    return Ex(type, lambda f: value, value)


@dataclass(slots=True)
class TypeName:
    """An expression that turned out to name a type."""

    type: CType


@dataclass(slots=True)
class Namespace:
    """`System.` or `System.Text.`: only good for naming a type after it."""

    path: str


@dataclass(slots=True)
class MethodGroup:
    """A method before its arguments are known."""

    name: str
    node: Node
    receiver: Ex | None
    owner: CType | None
    type_arguments: tuple[CType, ...]
    local: LocalFunction | None = None


@dataclass(slots=True)
class UnboundLambda:
    """A lambda that waits for the delegate type it must have."""

    node: Node
    names: tuple[str, ...]
    declared: tuple[CType | None, ...]
    body: Node


@dataclass(slots=True)
class OutArgument:
    """`out x`: `type` is None for `out var x`, whose type the chosen overload decides."""

    node: Node
    type: CType | None
    store: Callable[[CType], Callable[[Frame, Any], None]]


@dataclass(slots=True)
class ThrowExpression:
    """`throw ...` as an operand: it converts to anything."""

    run: Run


Bound = Ex | TypeName | Namespace | MethodGroup | UnboundLambda | OutArgument | ThrowExpression


@dataclass(slots=True)
class Argument:
    """One argument of a call."""

    node: Node
    value: Ex | MethodGroup | UnboundLambda | OutArgument | ThrowExpression
    name: str | None


class FrameScope:
    """One frame layout: how many slots it needs is known when its body is bound."""

    __slots__ = ("depth", "parent", "size")

    def __init__(self, parent: FrameScope | None) -> None:
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.size = 2

    def slot(self) -> int:
        self.size += 1
        return self.size - 1


@dataclass(slots=True)
class Variable:
    name: str
    type: CType
    frame: FrameScope
    index: int
    constant: Any = NOT_CONSTANT
    read_only: str = ""


@dataclass(slots=True)
class LocalFunction:
    """A local function; its closure is filled in when its body is bound."""

    name: str
    parameters: list[tuple[str, CType]]
    returns: CType
    frame: FrameScope
    defaults: list[Any] = field(default_factory=list)
    call: Callable[..., Any] | None = None


class Scope:
    """Names visible at one point; `frame` is where new variables go."""

    __slots__ = ("frame", "names", "parent")

    def __init__(self, parent: Scope | None, frame: FrameScope) -> None:
        self.parent = parent
        self.frame = frame
        self.names: dict[str, Variable | LocalFunction] = {}

    def find(self, name: str) -> Variable | LocalFunction | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None


@dataclass(slots=True)
class FunctionState:
    """What the body being bound may return: `expected` when known, else the returns are gathered."""

    expected: CType | None
    returned: list[Ex | ThrowExpression] = field(default_factory=list)
    is_root: bool = False


class BinderBase:
    """What every part of the binder shares: the text, the scopes, and how to complain."""

    def __init__(self, tree: SyntaxTree, start: Position | None) -> None:
        self.tree = tree
        self.start = start
        self.frame = FrameScope(None)
        self.scope = Scope(None, self.frame)
        self.function = FunctionState(None, is_root=True)
        self.depth = 0
        self.unchecked = False
        self.called = 0
        self.resolved: dict[int, Ex] = {}
        self.lambdas: dict[tuple[int, tuple[CType, ...], int], Any] = {}
        self.alive: list[Any] = []

    def text(self, node: Node) -> str:
        return self.tree.text_of(node)

    def error(self, node: Node, message: str) -> ExpressionError:
        return ExpressionError(message, self.tree.position_of(node, self.start))

    def parsed(self, node: Node) -> Node:
        """The expression at a node of the grammar, read by C#'s precedence."""
        try:
            return self.tree.expression(node)
        except ExpressionSyntaxError as error:
            raise ExpressionError(error.message, self.tree.position_at(error.offset, self.start)) from None

    def field(self, node: Node, name: str) -> Node:
        child = node.child_by_field_name(name)
        if child is None:
            raise self.error(node, f"this {node.type.replace('_', ' ')} is incomplete")
        return child

    def children(self, node: Node) -> list[Node]:
        return [child for child in node.named_children if child.type != "comment"]

    # Filled in by the later parts of the binder.
    def bind(self, node: Node) -> Bound:
        raise NotImplementedError

    def value(self, node: Node) -> Ex:
        raise NotImplementedError

    def statement(self, node: Node) -> Run:
        raise NotImplementedError

    def return_run(self, node: Node, bound: Bound) -> Run:
        raise NotImplementedError

    def bind_type(self, node: Node) -> CType:
        raise NotImplementedError

    def bind_lambda(self, one: UnboundLambda, parameters: tuple[CType, ...], returns: CType | None) -> Any:
        raise NotImplementedError

    def convert_group(self, group: MethodGroup, delegate: CType) -> Ex | None:
        raise NotImplementedError

    def declare(self, node: Node, name: str, type: CType, fixed: Any = NOT_CONSTANT) -> Variable:
        """A new variable in the current scope. Raises ExpressionError when the name is taken."""
        scope: Scope | None = self.scope
        while scope is not None:
            if name in scope.names:
                raise self.error(node, f"a variable named '{name}' is already defined here")
            scope = scope.parent
        variable = Variable(name, type, self.frame, self.frame.slot(), fixed)
        self.scope.names[name] = variable
        return variable

    def load(self, variable: Variable) -> Run:
        index = variable.index
        hops = self.frame.depth - variable.frame.depth
        if hops == 0:
            return itemgetter(index)
        if hops == 1:
            return lambda f: f[1][index]
        if hops == 2:
            return lambda f: f[1][1][index]

        def walk(f: Frame) -> Any:
            for _ in range(hops):
                f = f[1]
            return f[index]

        return walk

    def store(self, variable: Variable) -> Callable[[Frame, Any], None]:
        index = variable.index
        hops = self.frame.depth - variable.frame.depth

        def here(f: Frame, value: Any) -> None:
            f[index] = value

        def walk(f: Frame, value: Any) -> None:
            for _ in range(hops):
                f = f[1]
            f[index] = value

        return here if hops == 0 else walk
