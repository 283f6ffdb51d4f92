"""Where in a policy document something stands, and the error that says so. Knows nothing of XML or C#."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; line and column count from 1, columns in characters."""

    line: int
    column: int


class PolicyError(Exception):
    """Something in a policy document is wrong; `expected` says what would have been right, if that is known."""

    def __init__(self, message: str, position: Position | None = None, expected: str | None = None) -> None:
        self.message = message
        self.position = position
        self.expected = expected
        super().__init__(message)

    def __str__(self) -> str:
        if self.position is None:
            return self.message
        return f"line {self.position.line}, column {self.position.column}: {self.message}"
