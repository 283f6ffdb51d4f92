"""The whole way on the embedded Azure, over its wire: from an edited file to the traffic and back.

Time passes only when the desk waits. Rehearsals are held against what the gateway then really does.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.azure.entities import ServiceEntities
from console.commands.fragments_writing import Choices, run_deploy, run_rollback
from console.operations.fragments.compare import SyncState
from console.operations.fragments.desk import FragmentDesk
from console.operations.fragments.documents import Kind, Place
from console.operations.fragments.history import History
from console.operations.fragments.plan import DeployPlan, Wanted, plan_deploy
from console.operations.fragments.rehearse import fetch_description, parse_result, run_rehearsal
from simulator import rehearsal
from simulator.topology_policies import API_POLICY
from simulator.world import World
from tests.simulated_gateway import engine_on, make_world

BAD_LINE = '<set-variable name="tenant" value="@(context.Request.Headers["x-tenant"].First().ToLower())" />'
SETTLE_SECONDS = 30.0


@asynccontextmanager
async def desk_on(world: World, folder: Path) -> AsyncIterator[FragmentDesk]:
    """A desk whose waiting lets the world's time pass."""
    async with engine_on(world) as (engine, _):
        await engine.session.open()

        async def pause(seconds: float) -> None:
            world.advance(seconds)

        yield FragmentDesk(engine, folder / "gateway", "me", folder / "journal.jsonl", pause)


def real_shares(world: World, since: float, until: float) -> tuple[dict[str, float], float, float]:
    """Shares by backend of the last attempt, callers' 429s and failures, from the ground truth."""
    rows = world.truth.as_json(int(since), int(until))["gateway"]
    total = sum(row["requests"] for row in rows)
    assert total > 100
    shares: dict[str, float] = {}
    for row in rows:
        shares[row["backend"]] = shares.get(row["backend"], 0.0) + row["requests"] / total
    return shares, sum(r["throttled"] for r in rows) / total, sum(r["failed"] for r in rows) / total


def measure(world: World, minutes: int) -> tuple[dict[str, float], float, float]:
    """Let whole minutes pass and say what happened in them."""
    start = (world.now // 60 + 1) * 60
    world.advance_to(start + minutes * 60 + 60)
    return real_shares(world, start, start + minutes * 60)


def edit(desk: FragmentDesk, name: str, old: str, new: str) -> None:
    assert desk.folder is not None
    file = next(desk.folder.rglob(name))
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


async def test_from_an_edited_file_to_the_traffic_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = make_world(minutes=20, traffic=True)
    async with desk_on(world, tmp_path) as desk:
        assert desk.folder is not None
        await desk.pull(desk.folder)
        edit(desk, "azure-openai.policy.xml", 'backend-id="chat-pool"', 'backend-id="payg-pool"')
        overview = await desk.overview()
        row = next(r for r in overview.rows if r.state is not SyncState.IN_SYNC)
        assert (row.place.handle, row.state) == ("api/azure-openai", SyncState.CHANGED_HERE)
        assert not any(f.is_error for f in desk.lint(overview))
        plan = desk.plan(overview, ["api/azure-openai"])
        assert plan.writes[0].summary == ("set-backend-service backend-id chat-pool -> payg-pool",)
        shares: list[float] = []
        result = await desk.rehearse(plan, overview.deployed, shares.append, minutes=10)
        assert shares[-1] == 1.0
        assert result.after.share("ptu-eastus2") == 0.0
        assert (result.before.share("ptu-eastus2") or 0.0) > 0.3
        assert result.observed["ptu-eastus2"] == pytest.approx(result.before.share("ptu-eastus2"), abs=0.03)

        assert (
            await run_deploy(desk, Choices(names=("api/azure-openai",), is_agreed=True, reason="try", watch="1m")) == 0
        )
        world.advance(SETTLE_SECONDS)
        moved, _, _ = measure(world, 3)
        assert "ptu-eastus2" not in moved
        snapshot = await desk.engine.fetch_once(60)
        status = snapshot.backend("ptu-eastus2")
        assert status is not None
        assert status.load.requests_per_minute.value is not None
        last = next(r.last for r in (await desk.overview()).rows if r.place.handle == "api/azure-openai")
        assert last is not None
        assert last.owner == "me"

        assert await run_rollback(desk, Choices(is_agreed=True, reason="back")) == 0
        world.advance(SETTLE_SECONDS)
        back, _, _ = measure(world, 3)
        assert back["ptu-eastus2"] > 0.3
    assert "ok API Management should accept every text" in capsys.readouterr().out


async def test_a_bad_fragment_goes_back_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = make_world("calm", minutes=12, traffic=True)
    async with desk_on(world, tmp_path) as desk:
        assert desk.folder is not None
        await desk.pull(desk.folder)
        edit(desk, "authenticate-to-models.fragment.xml", "<fragment>", f"<fragment>\n{BAD_LINE}")
        choices = Choices(
            names=("authenticate-to-models",), is_agreed=True, watch="5m", rollback_on="errors>2%", as_json=True
        )
        capsys.readouterr()
        assert await run_deploy(desk, choices) == 1
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert told["outcome"] == "rolled back"
        assert told["watch"]["limit"] == "errors>2.0%"
        assert told["watch"]["after"]["error_ratio"] > 0.5
        assert told["watch"]["before"]["error_ratio"] == 0.0
        assert told["rollback"]["error"] is None
        row = next(r for r in (await desk.overview()).rows if r.place.handle == "authenticate-to-models")
        assert row.deployed is not None
        assert "x-tenant" not in (row.deployed.text or "")
        world.advance(SETTLE_SECONDS)
        _, _, failed = measure(world, 2)
        assert failed == 0.0


async def test_the_bad_fragment_scenario_is_seen_and_goes_back_to_the_pulled_folder(tmp_path: Path) -> None:
    async with desk_on(make_world("calm"), tmp_path) as before:
        assert before.folder is not None
        await before.pull(before.folder)
    world = make_world("bad-fragment", minutes=12, traffic=True)
    _, _, failed = real_shares(world, world.now - 300, world.now)
    assert failed > 0.5
    async with desk_on(world, tmp_path) as desk:
        row = next(r for r in (await desk.overview()).rows if r.state is not SyncState.IN_SYNC)
        assert (row.place.handle, row.state) == ("authenticate-to-models", SyncState.CHANGED_THERE)
        assert row.last is not None
        assert row.last.source == "activity log"
        choices = Choices(to_folder=desk.folder, names=("authenticate-to-models",), is_agreed=True, watch="1m")
        assert await run_rollback(desk, choices) == 0
        world.advance(SETTLE_SECONDS)
        _, _, failed = measure(world, 2)
        assert failed == 0.0


# -- rehearsals against what happens ---------------------------------------------------------------------------------

FRAGMENT, POLICY = Kind.FRAGMENT, Kind.POLICY
TO_CHAT = '<set-backend-service backend-id="chat-pool" />'
DICE = (
    '<choose><when condition="@(new Random().Next(100) &lt; 40)"><set-backend-service backend-id="ptu-eastus2" />'
    f"</when><otherwise>{TO_CHAT}</otherwise></choose>"
)
LIMIT = '<base /><rate-limit-by-key calls="60" renewal-period="60" counter-key="@(context.Subscription.Id)" />'
CHANGES: dict[str, tuple[Kind, str, str]] = {
    "nothing is spilled": (
        FRAGMENT, "spill-to-payg", '<fragment><forward-request buffer-request-body="true" /></fragment>',
    ),
    "pay-as-you-go first": (POLICY, "api azure-openai", API_POLICY.replace("chat-pool", "payg-pool")),
    "four of ten past the pool": (POLICY, "api azure-openai", API_POLICY.replace(TO_CHAT, DICE)),
    "a limit a caller": (POLICY, "api azure-openai", API_POLICY.replace("<base />", LIMIT, 1)),
    "all to the small one": (POLICY, "api azure-openai", API_POLICY.replace("chat-pool", "payg-legacy")),
}  # fmt: skip


async def test_rehearsals_predict_shares_and_caller_429s_of_five_changes(tmp_path: Path) -> None:
    world = make_world(minutes=24, traffic=True)
    async with desk_on(world, tmp_path) as desk:
        await desk._know_gateway()
        entities = ServiceEntities(desk.engine.session)
        deployed = await desk.deployed()
        observed = desk.engine.observations
        assert observed.gateway is not None
        description = await fetch_description(
            entities, await desk._read_traffic(), observed.gateway, observed.accounts or (), deployed,
            desk.engine.clock.now(), minutes=16,
        )  # fmt: skip
        for words, (kind, name, text) in CHANGES.items():
            place = Place(kind, name)
            plan = plan_deploy([Wanted(place, text, words)], deployed, History())
            wire = msgspec.convert(description.wire(plan), rehearsal.Description)
            result = parse_result(msgspec.to_builtins(rehearsal.rehearse(wire)), description, plan)
            outcome = await desk.deploy(plan, words)
            assert outcome.error is None
            world.advance(60.0)
            shares, throttled, _ = measure(world, 10)
            for backend in sorted(set(shares) | set(result.after.backends)):
                predicted = result.after.share(backend) or 0.0
                assert predicted == pytest.approx(shares.get(backend, 0.0), abs=0.03), (words, backend)
            assert (result.after.caller_throttled_ratio or 0.0) == pytest.approx(throttled, abs=0.02), words
            assert result.before.caller_throttled_ratio == pytest.approx(0.0, abs=0.02)
            undone = await desk.undo(outcome.run_id, "next")
            assert undone.error is None
            world.advance(90.0)
            deployed = await desk.deployed()


async def test_a_rehearsal_holds_no_secret_and_says_what_it_takes_for_granted(tmp_path: Path) -> None:
    world = make_world(minutes=8, traffic=True)
    async with desk_on(world, tmp_path) as desk:
        entities = ServiceEntities(desk.engine.session)
        body = {"properties": {"displayName": "model-key", "value": "s3cr3t-value", "secret": True}}
        await entities.put("namedValues/model-key", body, if_match=None)
        backend = await entities.get("backends/payg-legacy")
        assert backend is not None
        keyed = {**backend.properties, "credentials": {"header": {"api-key": ["s3cr3t-value"]}}}
        await entities.put("backends/payg-legacy", {"properties": keyed}, if_match=backend.etag)
        await desk._know_gateway()
        observed = desk.engine.observations
        assert observed.gateway is not None
        deployed = await desk.deployed()
        description = await fetch_description(
            entities, await desk._read_traffic(), observed.gateway, observed.accounts or (), deployed,
            desk.engine.clock.now(), minutes=5,
        )  # fmt: skip
        nothing = DeployPlan((), (), (), ())
        wire = json.dumps(description.wire(nothing))
        keys = [
            secret
            for resource in world.store.of_type("Microsoft.ApiManagement/service/subscriptions")
            for secret in resource.hidden.values()
        ]
        assert keys
        assert not [k for k in (*keys, "s3cr3t-value") if k in wire]
        before = world.log.copy()
        result = await run_rehearsal(description, nothing)
        assert world.log == before
        assert result.before == result.after
        assert any("secret named values" in text and "model-key" in text for text in result.assumptions)
        assert any("replayed from the logs" in text for text in result.assumptions)
