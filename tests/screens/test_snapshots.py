"""How the screens look, as drawings: a change of these files is a change of the console's face."""

from __future__ import annotations

from typing import Any

import pytest

from screens.app import ConsoleApp
from tests.screens.made_up import StillClock, StoreEngine, demo_snapshot

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


@SIZES
def test_fleet(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(ConsoleApp(StoreEngine(demo_snapshot()), clock=StillClock()), terminal_size=size)


@SIZES
def test_backend(snap_compare: Any, size: tuple[int, int]) -> None:
    app = ConsoleApp(StoreEngine(demo_snapshot()), clock=StillClock())
    assert snap_compare(app, terminal_size=size, press=["down", "enter"])


def test_welcome(snap_compare: Any) -> None:
    app = ConsoleApp(None, clock=StillClock(), profile_path="~/.config/genaigw-console/profiles.toml")
    assert snap_compare(app, terminal_size=(80, 24))


def test_production(snap_compare: Any) -> None:
    snapshot = demo_snapshot(is_production=True, is_read_only=True, simulated=False)
    assert snap_compare(ConsoleApp(StoreEngine(snapshot), clock=StillClock()), terminal_size=(120, 36))
