"""Every drill ships with what a good operator would see; the verdict must see it too."""

from __future__ import annotations

import pytest

from console.domain.snapshot import GatewaySnapshot
from simulator.scenarios import load_scenario
from tests.simulated_gateway import engine_on, make_world

MINUTES = 27
"""Long enough for every scenario's trouble to show, and for a breaker's rhythm to be seen."""


async def seen(scenario: str) -> GatewaySnapshot:
    """What the console shows of a scenario."""
    async with engine_on(make_world(scenario, minutes=MINUTES, traffic=True)) as (engine, _):
        return await engine.fetch_once(60)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("calm", "All 5 backends healthy"),
        ("noisy-neighbour", "mostly 503"),
        ("bad-fragment", "No request reaches a backend"),
        ("key-rotated", "callers of payg-legacy HURT"),
        ("model-retired", "mostly 404"),
        ("payg-quota", "payg-westus throttled"),
        ("region-outage", "payg-swedencentral, ptu-swedencentral unreachable"),
        ("slow-backend", "ptu-eastus2 slow"),
        ("spillover-native", "of ptu-swedencentral spills inside its account"),
        ("breaker-flapping", "ptu-swedencentral failing"),
        ("log-lag", "callers OK at "),
        ("private-endpoint", "All 5 backends healthy"),
    ],
)
async def test_the_verdict_sees_what_a_good_operator_would(scenario: str, words: str) -> None:
    verdict = (await seen(scenario)).verdict
    assert verdict.level.value == load_scenario(scenario).expect.verdict
    assert words in verdict.text
