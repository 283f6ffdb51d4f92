"""Simulated time in the forms Resource Manager writes it."""

from __future__ import annotations

from datetime import UTC, datetime


def wire_time(at: float) -> str:
    """Epoch seconds as `2026-11-22T12:00:00.1234567Z` (seven digits, as .NET writes them)."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0Z"


def parse_wire_time(text: str) -> float:
    """Epoch seconds of an ISO-8601 time; without an offset it is UTC.

    Raises:
        ValueError: the text is no time.
    """
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
