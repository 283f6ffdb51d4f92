"""`doctor` tells what may not be read from what it therefore could not look at."""

from __future__ import annotations

from typing import Any

import pytest

from console.azure import access
from console.azure.access import Permission
from console.commands import doctor
from console.errors import ConsoleError, NotAllowed, SignInError, Unreachable
from console.profile import Profile

PROFILE = Profile("prod", "00000000-0000-0000-0000-000000000001", "rg", "apim")
NAMES = tuple(name for name, _ in doctor._CHECKS)


class Session:
    """A conversation that the checks of these tests never use."""

    def __init__(self, profile: Profile, clock: object) -> None:
        self.profile = profile

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""


async def examined(monkeypatch: pytest.MonkeyPatch, **errors: ConsoleError) -> tuple[dict[str, str], str, int]:
    """States by check, the printed lines, the exit code. `errors` by the first word of the check."""

    def check(name: str) -> Any:
        async def look(session: Session) -> str:
            error = errors.get(name.split("-")[0])
            if error is not None:
                raise error
            return "fine"

        return look

    monkeypatch.setattr("console.azure.session.AzureSession", Session)
    monkeypatch.setattr(doctor, "_CHECKS", tuple((name, check(name)) for name in NAMES))
    findings, exit_code = await doctor.examine(PROFILE)
    return {f.check: f.state for f in findings}, doctor.described(findings), exit_code


async def test_without_any_right_to_read_it_says_so_and_looks_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = NotAllowed("The gateway cannot be read: not allowed", remedy="Ask for the reader role.")
    states, text, exit_code = await examined(monkeypatch, sign=refused, permissions=refused)
    assert exit_code == 4
    assert [states[name] for name in NAMES] == ["failed", "failed", *["unverified"] * 4]
    assert "✗ permissions          may not read" in text
    assert "? logs                 not looked at: the gateway may not be read" in text
    assert "? metrics              not looked at: accounts could not be read" in text


async def test_permissions_that_may_not_be_listed_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    states, _, exit_code = await examined(monkeypatch, permissions=NotAllowed("no"))
    assert exit_code == 0
    assert [name for name in NAMES if states[name] != "ok"] == ["permissions"]
    assert states["permissions"] == "unverified"


async def test_what_rests_on_nothing_that_failed_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    states, _, exit_code = await examined(monkeypatch, accounts=Unreachable("no connection"))
    assert exit_code == 1
    assert [states[name] for name in NAMES] == ["ok", "ok", "failed", "unverified", "ok", "ok"]


async def test_without_sign_in_nothing_else_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    states, text, _ = await examined(monkeypatch, sign=SignInError("expired"))
    assert [states[name] for name in NAMES] == ["failed", *["unverified"] * 5]
    assert text.count("not looked at: there is no sign-in") == 5


async def test_roles_without_the_right_to_read_are_no_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(session: Session) -> list[Permission]:
        return [Permission(actions=["Microsoft.Storage/*"])]

    monkeypatch.setattr(access, "fetch_permissions", nothing)
    with pytest.raises(NotAllowed, match="no role here allows to read the gateway"):
        await doctor._permissions(Session(PROFILE, None))  # type: ignore[arg-type]
