"""Who may not write learns which of the two forbids it: the way this console was started, or the profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.commands.setting import Setting
from console.domain.compose import compose
from console.errors import GuardRefusal
from console.operations.drain.plan import plan_drain
from console.profile import Profile
from tests.unit.gateways import NOW, spilling

PROFILE = Profile("prod", "00000000-0000-0000-0000-000000000001", "rg", "apim")


@pytest.mark.parametrize(
    ("is_option_given", "profile", "text"),
    [
        (True, PROFILE, "this console is read-only (--read-only)"),
        (False, replace(PROFILE, is_read_only=True), "this profile is read-only"),
        (True, replace(PROFILE, is_read_only=True), "this profile is read-only"),
    ],
)
def test_a_refusal_says_which_one_is_read_only(is_option_given: bool, profile: Profile, text: str) -> None:
    setting = Setting(read_only=is_option_given)
    adjusted = setting.adjusted(setting.adjusted(profile))
    with pytest.raises(GuardRefusal) as refused:
        adjusted.require_writes()
    assert refused.value.what.lower() == text
    assert ("--read-only" in (refused.value.remedy or "")) is ("console" in text)
    snapshot = compose(replace(spilling(), is_read_only=True), NOW)
    plan = plan_drain(snapshot, "ptu", read_only_text=adjusted.read_only_text)
    (guard,) = [g for g in plan.refusals if g.name == "read-only"]
    assert guard.text == text
    assert not guard.is_forceable


def test_who_may_write_is_let_on() -> None:
    assert Setting().adjusted(PROFILE).read_only_text == ""
    PROFILE.require_writes()
