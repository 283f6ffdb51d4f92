"""Screenshots are taken of every screen at every size, from whatever engine stands behind."""

from __future__ import annotations

from pathlib import Path

from screens.screenshots import SHOTS, SIZES, take_screenshots
from tests.screens.made_up import StoreEngine, demo_snapshot


async def test_every_screen_at_every_size(tmp_path: Path) -> None:
    written = await take_screenshots(StoreEngine(demo_snapshot()), tmp_path)
    assert len(written) == len(SHOTS) * len(SIZES) + 1
    assert len({path.name for path in written}) == len(written)
    backend = (tmp_path / "backend-160x48.svg").read_text(encoding="utf-8")
    assert "MODEL&#160;DEPLOYMENTS" in backend
    assert "ptu-swedencentral" in backend
