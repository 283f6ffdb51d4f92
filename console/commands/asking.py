"""Asking before something is written: on a terminal a question, elsewhere `--yes` or nothing is done."""

from __future__ import annotations

import re
import sys
from datetime import timedelta

import click

from console.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def require_consent(question: str, *, is_agreed: bool) -> bool:
    """Whether to go on: agreed beforehand, or asked and answered with yes.

    Raises:
        UsageError: nobody can be asked.
    """
    if is_agreed:
        return True
    if not is_terminal():
        raise UsageError("Nobody can be asked here: this is no terminal", remedy="Give --yes to go on unasked.")
    return click.confirm(question, err=True, default=False)


def ask_reason(question: str) -> str:
    """A typed reason, "" without a terminal or an answer."""
    if not is_terminal():
        return ""
    answer: str = click.prompt(question, default="", show_default=False, err=True)
    return answer.strip()


def parse_span(text: str) -> timedelta | None:
    """`30m`, `24h`, `7d`; None for `never`.

    Raises:
        UsageError: it is none of these.
    """
    if text.strip().lower() == "never":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no span of time", remedy="Write 30m, 24h, 7d or never.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
