"""Named KQL, kept as data beside this file; loading one puts its parameters in front as `let` statements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Every named query."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.kql")))


@cache
def text(name: str) -> str:
    """The query as written, without its comment lines.

    Raises:
        FileNotFoundError: there is no query of that name.
    """
    lines = (_HERE / f"{name}.kql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//")).strip()


def load(name: str, parameters: Mapping[str, str | int | datetime]) -> str:
    """The query with its parameters as `let` statements in front."""
    lets = "".join(f"let {key} = {literal(value)};\n" for key, value in parameters.items())
    return lets + text(name)


def literal(value: str | int | datetime) -> str:
    """A KQL literal. Strings are quoted and escaped, datetimes written in UTC."""
    if isinstance(value, datetime):
        return f"datetime({value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ})"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
