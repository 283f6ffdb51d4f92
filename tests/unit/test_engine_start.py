"""What an operator sees before the first answer, and what it must not wait for."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

from console.domain.compose import compose
from console.engine import open_engine
from console.profile import profile_from_table
from tests.unit.gateways import NOW

PROFILE = {
    "subscription_id": "0a1b2c3d-0000-4000-8000-00000000c0de",
    "resource_group": "rg-genai-gateway",
    "service_name": "apim-contoso-prod",
    "read_only": True,
}


class StillClock:
    """Time stands."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def test_the_first_snapshot_is_what_composing_nothing_gives() -> None:
    engine = open_engine(profile_from_table("prod", PROFILE, "a test"), StillClock())
    assert engine.store.current == compose(engine._observations, NOW)
    assert engine.store.current.is_read_only


def test_the_first_paint_loads_neither_clients_nor_rules() -> None:
    code = (
        "import sys, console.cli, console.engine, screens.app, screens.fleet.screen;"
        "print(*(m for m in sys.modules if m.startswith(('azure', 'aiohttp', 'duckdb', 'simulator', 'tree_sitter',"
        " 'console.feeds', 'console.triage', 'console.domain.compose', 'console.operations'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
