"""Every scenario's trouble is found first, soon, with its beginning, backend and action; and is gone when over."""

from __future__ import annotations

import pytest

from console.domain.finding import Severity
from tests.drills.triage_drill import DRILLS, Drill, run_drill

MINUTES_TO_DETECT = 2.0
GONE_AFTER_SECONDS = 300.0


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
