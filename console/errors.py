"""What the console can fail at, and how a command ends because of it.

    ConsoleError                    1   something could not be done
    ├── UsageError                  2   the command or the profile says something impossible
    │   └── ProfileError            2   profiles.toml is malformed, or names what does not exist
    ├── GuardRefusal                3   a rule that protects callers said no
    ├── NotAllowed                  4   Azure knows who asks, and refuses
    │   └── SignInError             4   Azure does not know who asks: no login, or an expired one
    ├── DeadlineExceeded            5   nobody answered in the time given
    ├── NotFound                    1   the named thing does not exist
    ├── Unreachable                 1   no connection to the host
    ├── Throttled                   1   Azure asks to come back later
    ├── Conflict                    1   somebody else changed it, or is changing it
    └── UnreadableAnswer            1   Azure answered something the console cannot read

Every error is one clear line: what went wrong, where, and what to do next. This room knows neither Azure nor screens.
"""

from __future__ import annotations

from typing import ClassVar


class ConsoleError(Exception):
    """An error an operator can act on.

    Args:
        what: what could not be done, a sentence without its full stop.
        where: the file, resource, host or workspace it happened at.
        remedy: what to do next, an imperative sentence.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what.rstrip(".")
        self.where = where
        self.remedy = remedy
        super().__init__(self.line)

    @property
    def line(self) -> str:
        """The whole error as one line of plain text."""
        text = self.what + (f" ({self.where})" if self.where else "")
        return f"{text}. {self.remedy}" if self.remedy else f"{text}."


class UsageError(ConsoleError):
    """The command or its configuration says something impossible."""

    exit_code: ClassVar[int] = 2


class ProfileError(UsageError):
    """The profile file is malformed, or a profile it names does not exist."""


class GuardRefusal(ConsoleError):
    """A rule that protects callers refuses; nothing was changed."""

    exit_code: ClassVar[int] = 3


class NotAllowed(ConsoleError):
    """Azure knows who asks and refuses."""

    exit_code: ClassVar[int] = 4


class SignInError(NotAllowed):
    """There is no login, or it has expired."""


class DeadlineExceeded(ConsoleError):
    """Nobody answered in the time given."""

    exit_code: ClassVar[int] = 5


class NotFound(ConsoleError):
    """The named thing does not exist."""


class Unreachable(ConsoleError):
    """There is no connection to the host."""


class Throttled(ConsoleError):
    """Azure asks to come back later. `retry_after_seconds` is what it asked for, None when it did not say."""

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", retry_after_seconds: float | None = None
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what, where=where, remedy=remedy)


class Conflict(ConsoleError):
    """Somebody else changed it since it was read, or is changing it now."""


class UnreadableAnswer(ConsoleError):
    """Azure answered something the console cannot read."""
