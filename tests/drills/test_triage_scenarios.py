"""Every scenario's trouble is found first, soon, with its beginning, backend and action; and is gone when over."""

from __future__ import annotations

import os

import pytest

from console.domain.finding import Severity
from simulator.embedded import build_world
from simulator.scenarios import load_scenario
from tests.drills.triage_drill import DRILLS, Drill, run_drill, step
from tests.simulated_gateway import NOW, engine_on

MINUTES_TO_DETECT = 2.0
GONE_AFTER_SECONDS = 330.0


@pytest.mark.parametrize("drill", DRILLS, ids=[d.scenario for d in DRILLS])
async def test_the_right_finding_comes_first_within_two_minutes_and_goes_when_over(drill: Drill) -> None:
    sighting = await run_drill(drill, minutes=2.5, heal_minutes=6)
    assert sighting.minutes_to_detect is not None, sighting.first_labels
    assert sighting.minutes_to_detect <= MINUTES_TO_DETECT, sighting.first_labels
    finding = sighting.finding
    assert finding is not None
    assert finding.since_at is not None
    assert abs((finding.since_at - sighting.onset_at).total_seconds()) <= drill.tolerance_seconds
    assert drill.action.lower() in " / ".join(a.text for a in finding.actions[:2]).lower()
    assert finding.evidence, "a finding without evidence convinces nobody"
    assert all(f.source for f in finding.evidence)
    assert sighting.gone_after_seconds is not None, "it is still told though it is over"
    assert sighting.gone_after_seconds <= GONE_AFTER_SECONDS


@pytest.mark.parametrize("scenario", ["calm", "private-endpoint"])
async def test_nothing_is_found_where_nothing_is_wrong(scenario: str) -> None:
    sighting = await run_drill(Drill(scenario, "", "", ""), minutes=3)
    assert [f.label for f in sighting.last if f.severity is not Severity.INFO] == []
    assert [f.label for f in sighting.last] == []


@pytest.mark.opt_in
@pytest.mark.skipif(not os.environ.get("GENAIGW_LONG_DRILLS"), reason="four minutes; set GENAIGW_LONG_DRILLS=1")
@pytest.mark.timeout(1800)
async def test_a_calm_day_yields_no_finding() -> None:
    world = build_world(load_scenario("calm"), now=NOW, history_seconds=15 * 60.0)
    seen: set[str] = set()
    async with engine_on(world) as (engine, _):
        await engine.fetch_once(60)
        for _ in range(24 * 30):
            await step(engine, world, 120.0)
            seen |= {f"{f.label} {f.since_at}" for f in engine.store.current.findings}
    assert seen == set()
