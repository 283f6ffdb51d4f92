"""C# policy expressions: parsed by tree-sitter, checked against APIM's types, compiled once, evaluated under a budget.

    compiled = compile_expression("context.Response.StatusCode == 429", kind="inline")
    compiled.evaluate(context)

This room may not open files or sockets and reads no clock: time and randomness come with the context.
"""

from __future__ import annotations

from apimpolicy.expressions.compiler import Budget, CompiledExpression, compile_expression
from apimpolicy.expressions.errors import BudgetExceeded, EvaluationError, ExpressionError
from apimpolicy.expressions.results import to_bool, to_policy_string
from apimpolicy.expressions.syntax import has_syntax_error

__all__ = [
    "Budget",
    "BudgetExceeded",
    "CompiledExpression",
    "EvaluationError",
    "ExpressionError",
    "compile_expression",
    "has_syntax_error",
    "to_bool",
    "to_policy_string",
]
