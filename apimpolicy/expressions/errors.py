"""The errors of policy expressions: refused before it runs, failed while it ran, or ran too long.

    PolicyError
      ExpressionError          the text is not C#, or names a type or member that APIM (or this library) has not
      EvaluationError          a C# exception left the expression; `.exception_type` is its full .NET name
        BudgetExceeded         the evaluation took more steps, time or memory than it was given

`CsException` is the C# exception while it travels inside an evaluation; it never leaves this package.
"""

from __future__ import annotations

from typing import Any

from apimpolicy.position import PolicyError, Position


class ExpressionError(PolicyError):
    """The expression cannot be compiled; the message names what is wrong."""


class EvaluationError(PolicyError):
    """A C# exception that the expression did not catch."""

    def __init__(self, exception_type: str, message: str, position: Position | None = None) -> None:
        super().__init__(message, position, None)
        self.exception_type = exception_type

    def __str__(self) -> str:
        where = "" if self.position is None else f"line {self.position.line}, column {self.position.column}: "
        return f"{where}{self.exception_type}: {self.message}"


class BudgetExceeded(EvaluationError):
    """More steps, time or memory than the budget allows; C# `catch` blocks do not see it."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__("BudgetExceeded", message, position)


class CsException(Exception):
    """A C# exception object: `type_name` is the short .NET name that `catch` clauses match on."""

    def __init__(self, type_name: str, message: str, inner: CsException | None = None) -> None:
        super().__init__(message)
        self.type_name = type_name
        self.text = message
        self.inner = inner
        self.extra: dict[str, Any] = {}


def null_reference() -> CsException:
    return CsException("NullReferenceException", "Object reference not set to an instance of an object.")


def invalid_cast(source: str, target: str) -> CsException:
    return CsException("InvalidCastException", f"Unable to cast object of type '{source}' to type '{target}'.")


def format_error(message: str = "Input string was not in a correct format.") -> CsException:
    return CsException("FormatException", message)


def overflow(target: str) -> CsException:
    return CsException("OverflowException", f"Value was either too large or too small for {target}.")


def out_of_range(parameter: str, message: str) -> CsException:
    return CsException("ArgumentOutOfRangeException", f"{message}\nParameter name: {parameter}")


def argument_null(parameter: str) -> CsException:
    return CsException("ArgumentNullException", f"Value cannot be null.\nParameter name: {parameter}")


def argument(message: str) -> CsException:
    return CsException("ArgumentException", message)


def invalid_operation(message: str) -> CsException:
    return CsException("InvalidOperationException", message)
