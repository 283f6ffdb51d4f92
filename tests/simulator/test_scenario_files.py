"""What an operator relies on: scenarios are data that is checked, they repeat to the byte, and they do what they
say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.embedded import build_world
from simulator.names import SERVICE
from simulator.scenarios import Scenario, ScenarioError, load_scenario, parse_offset, parse_scenario, scenario_names
from simulator.world import World

NOW = 1_795_000_000.0
MINUTES = 420.0

HEAD = '[scenario]\nname = "mine"\ntitle = "My own"\n'


def truth(world: World) -> str:
    return json.dumps(world.truth.as_json(0, int(world.now) + 60), sort_keys=True)


def totals(world: World, seconds: float = 420.0) -> dict[str, tuple[int, int, int]]:
    """(requests, throttled, failed) by backend over the last complete minutes."""
    found: dict[str, tuple[int, int, int]] = {}
    for minute, backends in world.truth.gateway.items():
        if world.now - seconds - 60 <= minute < world.now - 60:
            for (_, backend), counts in backends.items():
                before = found.get(backend, (0, 0, 0))
                added = (counts.requests, counts.throttled, counts.failed)
                found[backend] = tuple(a + b for a, b in zip(before, added, strict=True))  # type: ignore[assignment]
    return found


def test_there_is_a_scenario_for_every_trouble_that_drills_need() -> None:
    assert set(scenario_names()) >= {
        "arm-throttled",
        "bad-fragment",
        "breaker-flapping",
        "calm",
        "empty-subscription",
        "key-rotated",
        "log-lag",
        "model-retired",
        "noisy-neighbour",
        "payg-quota",
        "private-endpoint",
        "ptu-saturation",
        "region-outage",
        "slow-backend",
        "spillover-native",
    }


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_reads_and_says_what_to_see_and_do(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.about.story.strip()
    assert scenario.expect.see
    assert scenario.expect.do


def test_one_seed_repeats_to_the_byte_and_two_seeds_differ() -> None:
    first = truth(build_world("ptu-saturation", seed=3, history_seconds=MINUTES, now=NOW))
    again = truth(build_world("ptu-saturation", seed=3, history_seconds=MINUTES, now=NOW))
    other = truth(build_world("ptu-saturation", seed=4, history_seconds=MINUTES, now=NOW))
    assert first == again
    assert first != other


def test_a_world_advanced_in_small_steps_is_the_same_world() -> None:
    one = build_world("calm", seed=3, history_seconds=300, now=NOW)
    two = build_world("calm", seed=3, history_seconds=300, now=NOW)
    one.advance(120)
    for _ in range(1200):
        two.advance(0.1)
    two.advance_to(one.now)
    assert truth(one) == truth(two)


def test_the_default_scenario_saturates_one_backend_spills_and_spares_callers() -> None:
    world = build_world("ptu-saturation", seed=7, history_seconds=1440, now=NOW)
    recent = [minute for minute in world.truth.models if NOW - 900 <= minute < NOW - 60]
    utilization: dict[str, list[float]] = {}
    throttled = dict.fromkeys(("aoai-contoso-swc-ptu", "aoai-contoso-eus2-ptu"), 0)
    for minute in recent:
        for (account_id, _), counts in world.truth.models[minute].items():
            account = account_id.rsplit("/", 1)[1]
            if counts.utilization_ratio is not None:
                utilization.setdefault(account, []).append(counts.utilization_ratio)
                throttled[account] += counts.throttled
    swc, eus2 = utilization["aoai-contoso-swc-ptu"], utilization["aoai-contoso-eus2-ptu"]
    assert 0.97 < sum(swc) / len(swc) < 1.1
    assert max(eus2) < 0.97
    assert throttled["aoai-contoso-swc-ptu"] > 100
    assert throttled["aoai-contoso-eus2-ptu"] == 0
    callers = totals(world)
    assert sum(counts[1] for counts in callers.values()) <= 0.005 * sum(counts[0] for counts in callers.values())
    spilled = sum(
        counts.requests
        for minute in recent
        for (account, deployment), counts in world.truth.models[minute].items()
        if deployment == "gpt-4o" and account.endswith(("aoai-contoso-swc", "aoai-contoso-wus"))
    )
    assert spilled > 100


def test_a_calm_hour_refuses_nobody() -> None:
    world = build_world("calm", seed=7, history_seconds=MINUTES, now=NOW)
    assert all(throttled == failed == 0 for _, throttled, failed in totals(world).values())


@pytest.mark.parametrize(
    ("name", "backend", "hurt"),
    [
        ("payg-quota", "payg-westus", False),
        ("region-outage", "ptu-eastus2", False),
        ("noisy-neighbour", "ptu-eastus2", True),
        ("breaker-flapping", "ptu-swedencentral", False),
        ("bad-fragment", "", True),
    ],
)
def test_what_a_scenario_says_of_callers_holds(name: str, backend: str, hurt: bool) -> None:
    world = build_world(name, seed=7, history_seconds=1080, now=NOW)
    assert load_scenario(name).expect.callers_hurt is hurt
    found = totals(world)
    assert backend in found
    refused = sum(throttled + failed for _, throttled, failed in found.values())
    share = refused / sum(requests for requests, _, _ in found.values())
    assert (share > 0.02) is hurt


def test_a_region_that_is_out_gets_attempts_and_answers_none() -> None:
    world = build_world("region-outage", seed=7, history_seconds=900, now=NOW)
    attempts = sum(
        counts.get((SERVICE.lower(), "ptu-swedencentral"), 0)
        for minute, counts in world.truth.attempts.items()
        if minute > NOW - 600
    )
    assert attempts > 10
    assert "ptu-swedencentral" not in totals(world)


def test_native_spillover_shows_no_429_anywhere() -> None:
    world = build_world("spillover-native", seed=7, history_seconds=1440, now=NOW)
    models = [
        (key[1], counts)
        for minute, found in world.truth.models.items()
        if minute > NOW - 600
        for key, counts in found.items()
    ]
    assert sum(counts.throttled for _, counts in models) == 0
    assert sum(counts.requests for name, counts in models if name == "gpt-4o-standard") > 50


def test_a_key_that_was_rotated_answers_401_and_a_retired_model_404() -> None:
    for name, status in (("key-rotated", 401), ("model-retired", 404)):
        world = build_world(name, seed=7, history_seconds=960, now=NOW)
        legacy = world.rooms["traffic"].named("app-search", api="legacy")[0]
        assert set(legacy.answered) == {200, status}


def test_without_a_gateway_there_are_accounts_and_nothing_else() -> None:
    world = build_world("empty-subscription", seed=7, history_seconds=60, now=NOW)
    assert not list(world.store.of_type("Microsoft.ApiManagement/service"))
    assert len(list(world.store.of_type("Microsoft.CognitiveServices/accounts"))) == 5
    assert world.truth.as_json(0, int(NOW) + 60)["gateway"] == []


def test_a_probe_from_outside_feels_a_private_endpoint_and_the_gateway_does_not() -> None:
    world = build_world("private-endpoint", seed=7, history_seconds=120, now=NOW)
    fault = world.network.faults["aoai-contoso-swc-ptu.openai.azure.com"]
    assert fault.outside_only
    assert all(failed == 0 for _, _, failed in totals(world).values())


def test_a_scenario_of_ones_own_works_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        HEAD
        + '[traffic]\nreplace = true\n[[traffic.callers]]\nname = "app-search"\nrequests_per_minute = 30.0\n'
        + '[[event]]\nat = "-1m"\nkind = "traffic-rate"\ncaller = "app-search"\nrequests_per_minute = 0.0\n'
    )
    world = build_world(path, seed=1, history_seconds=300, now=NOW)
    (caller,) = world.rooms["traffic"].callers
    assert 60 < caller.sent < 180
    assert caller.base_rate(world.now) == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEAD + "colour = 3\n", "colour"),
        (HEAD + '[[event]]\nat = "-1m"\nkind = "earthquake"\n', "earthquake"),
        (HEAD + '[[event]]\nat = "-1m"\nkind = "traffic-rate"\ncaller = "x"\nspeed = 3\n', "speed"),
        (HEAD + '[[event]]\nat = "yesterday"\nkind = "traffic-rate"\ncaller = "x"\n', "event 1"),
        (HEAD + '[expect]\nverdict = "fine"\n', "verdict"),
        ("nonsense", "not TOML"),
        ("", "scenario"),
    ],
)
def test_what_is_wrong_with_a_scenario_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        parse_scenario(text, "mine.toml")


def test_an_unknown_scenario_lists_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="calm"):
        load_scenario("earthquake")


def test_offsets_are_signed_spans() -> None:
    assert [parse_offset(text) for text in ("-20m", "+90s", "0m", "-1.5h")] == [-1200, 90, 0, -5400]


def test_scenarios_are_frozen() -> None:
    assert isinstance(load_scenario("calm"), Scenario)
    with pytest.raises(AttributeError):
        load_scenario("calm").expect = None  # type: ignore[misc]
