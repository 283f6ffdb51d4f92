"""Guards: the rules that stand between a plan and a write, the same for every command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from console.errors import GuardRefusal


class GuardVerdict(StrEnum):
    """What a guard says."""

    PASSED = "passed"
    WARNING = "warning"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule and its outcome. `is_forceable`: whether a typed reason may overrule a refusal."""

    name: str
    verdict: GuardVerdict
    text: str
    is_forceable: bool = True


def refusals_of(guards: Iterable[Guard]) -> tuple[Guard, ...]:
    """The guards that say no."""
    return tuple(g for g in guards if g.verdict is GuardVerdict.REFUSED)


def can_be_forced(guards: Iterable[Guard]) -> bool:
    """Whether a typed reason would be enough to overrule every refusal."""
    return all(g.is_forceable for g in refusals_of(guards))


def require_permission(guards: Iterable[Guard], *, refused: str, force_reason: str | None) -> None:
    """Go on only when no guard refuses, or all that do may be overruled and a reason is given.

    Args:
        refused: the beginning of the refusal ("payg-westus is not drained").

    Raises:
        GuardRefusal: says which guards refuse and whether force would help.
    """
    standing = refusals_of(guards)
    forceable = can_be_forced(standing)
    if not standing or (force_reason and forceable):
        return
    remedy = "Give --force and --reason to do it all the same." if forceable else ""
    raise GuardRefusal(f"{refused}: " + "; ".join(g.text for g in standing), remedy=remedy)
