"""Scenarios staged so that their trouble lies ahead: the clock is advanced half a minute at a time, and what triage
says is written down. Shared by the drills and by the table in docs/triage.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from console.domain.finding import Finding
from console.engine import Engine
from simulator.embedded import build_world
from simulator.scenarios import Scenario, load_scenario, parse_offset, parse_scenario
from simulator.world import World
from tests.simulated_gateway import NOW, engine_on

STEP_SECONDS = 30.0
BEFORE_SECONDS = 10 * 60.0
LEAD_SECONDS = 60.0
HEALING_STEP_SECONDS = 60.0
WATCHED_FEEDS = ("metrics", "traffic", "consumers", "probes", "activity", "topology")


@dataclass(frozen=True)
class Drill:
    """What triage must say of a scenario. `onset`: index of the event that begins the trouble; `heals`: TOML events
    that end it; `subject` and `symptom` of the finding that ranks first; `action`: words of its first actions."""

    scenario: str
    subject: str
    symptom: str
    action: str
    onset: int = 0
    delay_seconds: float = 0.0
    heals: str = ""
    tolerance_seconds: float = 60.0


@dataclass
class Sighting:
    """What was seen: when the trouble began, when the right finding came first, what it said, when it was gone."""

    onset_at: datetime
    detected_at: datetime | None = None
    finding: Finding | None = None
    gone_after_seconds: float | None = None
    first_labels: list[str] = field(default_factory=list)
    last: tuple[Finding, ...] = ()

    @property
    def minutes_to_detect(self) -> float | None:
        """From onset to the first time it ranked first."""
        return None if self.detected_at is None else (self.detected_at - self.onset_at).total_seconds() / 60


def staged(name: str, onset: int) -> Scenario:
    """The scenario with its trouble one minute ahead of now, and what prepared it long ago."""
    plot = load_scenario(name)
    events = list(plot.events)
    shift = LEAD_SECONDS - parse_offset(events[onset].at) if events else 0.0
    moved = tuple(msgspec.structs.replace(e, at=f"{parse_offset(e.at) + shift:+.0f}s") for e in events)
    return msgspec.structs.replace(plot, events=moved)


def onset_of(world: World, drill: Drill) -> datetime:
    """When the trouble begins."""
    return datetime.fromtimestamp(NOW + LEAD_SECONDS + drill.delay_seconds, UTC)


async def step(engine: Engine, world: World, seconds: float = STEP_SECONDS) -> tuple[Finding, ...]:
    """Let time pass and fetch what a running console would have fetched."""
    world.advance(seconds)
    for feed in WATCHED_FEEDS:
        await engine.poll_now(feed)
    return tuple(f for f in engine.store.current.findings if f.is_active)


async def run_drill(drill: Drill, *, minutes: float = 4.0, heal_minutes: float = 0.0, **world_options: Any) -> Sighting:
    """Run one scenario to its detection, and on to its end when it is healed."""
    world = build_world(staged(drill.scenario, drill.onset), now=NOW, history_seconds=BEFORE_SECONDS, **world_options)
    async with engine_on(world) as (engine, _):
        sighting = Sighting(onset_of(world, drill))
        await engine.fetch_once(60)
        await _watch(engine, world, drill, sighting, minutes)
        sighting.last = engine.store.current.findings
        if heal_minutes and drill.heals:
            await _heal(engine, world, drill, sighting, heal_minutes)
    return sighting


async def _watch(engine: Engine, world: World, drill: Drill, sighting: Sighting, minutes: float) -> None:
    end = sighting.onset_at + timedelta(minutes=minutes)
    while world.now_at < end:
        active = await step(engine, world)
        sighting.first_labels.append(active[0].label if active else "-")
        right = active and (active[0].subject, active[0].symptom) == (drill.subject, drill.symptom)
        if right and sighting.detected_at is None:
            sighting.detected_at = world.now_at
        if right:
            sighting.finding = active[0]


async def _heal(engine: Engine, world: World, drill: Drill, sighting: Sighting, minutes: float) -> None:
    head = '[scenario]\nname = "healing"\ntitle = "t"\nstory = "s"\n'
    for event in parse_scenario(head + drill.heals, "healing").events:
        event.apply(world)
    healed_at = world.now_at
    while (world.now_at - healed_at).total_seconds() < minutes * 60:
        active = await step(engine, world, HEALING_STEP_SECONDS)
        if all(f.key != (drill.symptom, drill.subject) for f in active):
            sighting.gone_after_seconds = (world.now_at - healed_at).total_seconds()
            return


CALM = """
[[event]]
at = "0s"
kind = "traffic-rate"
caller = "app-batch-summaries"
requests_per_minute = 40.0

[[event]]
at = "0s"
kind = "traffic-rate"
caller = "app-support-bot"
requests_per_minute = 60.0
"""
SEARCH_CALM = """
[[event]]
at = "0s"
kind = "deployment-limit"
account = "aoai-contoso-wus"
deployment = "text-embedding-3-large"
factor = 1.0
"""
FAILURES_OVER = """
[[event]]
at = "0s"
kind = "deployment-failures"
account = "aoai-contoso-swc-ptu"
ratio = 0.0
"""
GOOD_FRAGMENT = '''
[[event]]
at = "0s"
kind = "fragment-deployed"
name = "authenticate-to-models"
text = """
<fragment>
    <set-header name="api-key" exists-action="delete" />
    <authentication-managed-identity resource="https://cognitiveservices.azure.com" />
</fragment>
"""
'''


def _healed(*accounts: str) -> str:
    return "".join(f'[[event]]\nat = "0s"\nkind = "host-healed"\naccount = "{account}"\n' for account in accounts)


ROLLED_BACK_ROUTE = '''
[[event]]
at = "0s"
kind = "fragment-deployed"
name = "old-route"
text = """
<fragment>
    <set-backend-service backend-id="chat-pool" />
</fragment>
"""
'''

DRILLS: tuple[Drill, ...] = (
    Drill("bad-fragment", "fragment authenticate-to-models", "failing", "roll back", heals=GOOD_FRAGMENT),
    Drill("breaker-flapping", "ptu-swedencentral", "flapping", "drain ptu-swedencentral", onset=1, heals=FAILURES_OVER),
    Drill("key-rotated", "payg-legacy", "unauthorized", "new key", onset=2, heals=ROLLED_BACK_ROUTE),
    Drill("log-lag", "ptu-swedencentral", "saturated", "ptu-eastus2", heals=CALM),
    Drill("model-retired", "payg-legacy", "deployment missing", "route", heals=ROLLED_BACK_ROUTE),
    Drill("noisy-neighbour", "app-batch-summaries", "flooding", "limit app-batch-summaries", heals=CALM),
    Drill("payg-quota", "payg-westus", "quota", "drain payg-westus", heals=SEARCH_CALM),
    Drill("ptu-saturation", "ptu-swedencentral", "saturated", "ptu-eastus2", delay_seconds=60, heals=CALM),
    Drill(
        "region-outage",
        "ptu-swedencentral",
        "unreachable",
        "drain ptu-swedencentral",
        heals=_healed("aoai-contoso-swc-ptu", "aoai-contoso-swc"),
    ),
    Drill("slow-backend", "ptu-eastus2", "slow", "ptu-swedencentral", heals=_healed("aoai-contoso-eus2-ptu")),
    Drill("spillover-native", "ptu-swedencentral", "saturated", "ptu-eastus2", onset=1, delay_seconds=60, heals=CALM),
)
