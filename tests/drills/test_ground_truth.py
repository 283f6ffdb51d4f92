"""What the console shows is what happened: its figures against the simulator's own ground truth, for the same minutes.

The truth is counted at the source and comes through the control door; the console sees only Monitor and Logs.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from console.domain.load import Figure, Window
from console.domain.snapshot import BackendStatus, GatewaySnapshot
from simulator.server import Server
from tests.simulated_gateway import engine_on, make_world

TOLERANCE = 0.001
"""A tenth of a percentage point."""


async def fetch_truth(server: Server, window: Window) -> dict[str, Any]:
    """The ground truth of a window, through the control door."""
    parameters = {"start": str(window.start_at.timestamp()), "end": str(window.end_at.timestamp())}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.base_url}/_control/truth", params=parameters) as answer,
    ):
        assert answer.status == 200
        truth: dict[str, Any] = await answer.json()
        return truth


def window_of(figure: Figure) -> Window:
    assert figure.window is not None
    return figure.window


def counted(rows: list[dict[str, Any]], column: str) -> float:
    return float(sum(row[column] for row in rows))


async def hold_models_to_truth(server: Server, status: BackendStatus) -> None:
    """Requests, model 429s, tokens and utilization of one backend."""
    assert status.account is not None
    window = window_of(status.load.requests_per_minute)
    truth = await fetch_truth(server, window)
    rows = [r for r in truth["models"] if r["account_id"] == status.account.resource_id.lower()]
    requests = counted(rows, "requests")
    assert requests > 0, f"{status.name}: nothing happened in the window, the comparison would prove nothing"
    assert status.load.requests_per_minute.value == pytest.approx(requests / window.minutes, abs=1e-9)
    assert sum(d.requests.total(window) or 0 for d in status.load.deployments) == requests
    assert sum(d.throttled.total(window) or 0 for d in status.load.deployments) == counted(rows, "throttled")
    assert status.load.model_throttled_ratio.value == pytest.approx(
        counted(rows, "throttled") / requests, abs=TOLERANCE
    )
    tokens = counted(rows, "prompt_tokens") + counted(rows, "completion_tokens")
    assert status.load.tokens_per_minute.value == pytest.approx(tokens / window.minutes, abs=1e-6)
    shares = [r["utilization_ratio"] for r in rows if r["utilization_ratio"] is not None]
    if status.kind.value == "ptu":
        assert len(shares) == window.minutes
        assert status.load.utilization_ratio.value == pytest.approx(sum(shares) / len(shares), abs=TOLERANCE)
    else:
        assert shares == []


async def hold_callers_to_truth(server: Server, snapshot: GatewaySnapshot, status: BackendStatus) -> None:
    """Requests and caller 429s of one backend, attributed to the backend of the last attempt."""
    window = window_of(status.load.caller_throttled_ratio)
    rows = [r for r in (await fetch_truth(server, window))["gateway"] if r["backend"] == status.name]
    requests, throttled = counted(rows, "requests"), counted(rows, "throttled")
    assert requests > 0, f"{status.name}: no caller reached it in the window"
    assert status.load.caller_throttled_ratio.value == pytest.approx(throttled / requests, abs=TOLERANCE)
    assert status.load.caller_throttled is not None
    assert status.load.caller_throttled.total(window) == throttled
    assert status.load.error_ratio.value == pytest.approx(counted(rows, "failed") / requests, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("scenario", "lag"), [("ptu-saturation", "brisk"), ("ptu-saturation", "real"), ("payg-quota", "brisk")]
)
async def test_every_figure_of_every_backend_is_what_happened(scenario: str, lag: str) -> None:
    world = make_world(scenario, minutes=14, traffic=True, lag=lag)
    async with engine_on(world) as (engine, server):
        snapshot = await engine.fetch_once(60)
        assert snapshot.problems == ()
        assert len(snapshot.backends) == 5
        for status in snapshot.backends:
            await hold_models_to_truth(server, status)
            await hold_callers_to_truth(server, snapshot, status)


async def test_the_figures_stay_true_while_time_goes_on() -> None:
    """Refreshes read only the newest minutes again; what they are put over must not drift from the truth."""
    world = make_world(minutes=12, traffic=True)
    async with engine_on(world) as (engine, server):
        await engine.fetch_once(60)
        for _ in range(4):
            world.advance(95.0)
            snapshot = await engine.fetch_once(60)
        for status in snapshot.backends:
            await hold_models_to_truth(server, status)
            await hold_callers_to_truth(server, snapshot, status)
            series = status.load.requests
            assert series is not None
            whole = Window(datetime.fromtimestamp(0, UTC), series.end_at)
            truth = await fetch_truth(server, whole)
            account_id = status.account.resource_id.lower() if status.account else ""
            rows = [r for r in truth["models"] if r["account_id"] == account_id]
            assert series.total(whole) == counted(rows, "requests")


async def test_all_callers_together_are_what_happened() -> None:
    world = make_world("payg-quota", minutes=14, traffic=True)
    async with engine_on(world) as (engine, server):
        snapshot = await engine.fetch_once(60)
        assert snapshot.callers is not None
        window = window_of(snapshot.callers.requests_per_minute)
        rows = (await fetch_truth(server, window))["gateway"]
    requests = counted(rows, "requests")
    assert snapshot.callers.requests_per_minute.value == pytest.approx(requests / window.minutes)
    assert snapshot.callers.throttled_ratio.value == pytest.approx(counted(rows, "throttled") / requests, abs=TOLERANCE)


async def test_the_verdict_of_the_default_scenario_names_ptu_since_spill_and_callers() -> None:
    world = make_world(minutes=40, traffic=True)
    async with engine_on(world) as (engine, _):
        verdict = (await engine.fetch_once(60)).verdict
    assert verdict.level.value == "warning"
    assert re.search(r"PTU saturated since 15:(39|40|41) in swedencentral", verdict.text)
    assert "ptu-swedencentral" in verdict.text
    assert "spills to PAYG" in verdict.text
    assert "callers OK" in verdict.text
