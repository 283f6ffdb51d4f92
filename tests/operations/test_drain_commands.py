"""drain, restore, drains and journal as scripts use them: exit codes, JSON, and nothing done without consent."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from console.operations.drain import desk as desk_room
from console.profile import load_profiles, write_profile
from simulator.__main__ import endpoints
from simulator.entra.principals import BUILT_IN_ROLES, Assignment
from simulator.entra.tokens import entra
from simulator.names import SERVICE
from simulator.server import Server
from simulator.world import World
from tests.operations.desks import SimulatedClock
from tests.simulated_gateway import make_world

BACKEND = "payg-westus"


@dataclass(slots=True)
class CommandLine:
    """The command line on a served world, run beside the server's event loop; time passes when it waits."""

    server: Server
    folder: Path
    capture: pytest.CaptureFixture[str]

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""

        def call() -> int:
            try:
                main(["--profile-file", str(self.folder / "profiles.toml"), *arguments])
            except SystemExit as leaving:
                return int(leaving.code or 0)
            raise AssertionError("main always ends the process")

        self.capture.readouterr()
        code = await asyncio.to_thread(call)
        told = self.capture.readouterr()
        return code, told.out, told.err

    async def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = await self.run(*arguments, "--json")
        document: dict[str, Any] = json.loads(out)
        return code, document

    @property
    def world(self) -> World:
        return self.server.world


@pytest.fixture
def open_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[World], Any]:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened(world: World) -> AsyncIterator[CommandLine]:
        loop = asyncio.get_running_loop()

        async def let_time_pass(seconds: float) -> None:
            async def advance() -> None:
                world.advance(seconds)

            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(advance(), loop))

        class Desk(desk_room.DrainDesk):
            def __init__(self, engine: Any) -> None:
                super().__init__(engine, pause=let_time_pass)

        monkeypatch.setattr("console.engine.SystemClock", lambda: SimulatedClock(world))
        monkeypatch.setattr(desk_room, "DrainDesk", Desk)
        monkeypatch.setenv("GENAIGW_JOURNAL", str(tmp_path / "journal.jsonl"))
        monkeypatch.setenv("GENAIGW_OWNER", "ana@contoso")
        async with Server(world, driven=False) as server:
            ready = endpoints(world, server.base_url)
            names = ("subscription_id", "resource_group", "service_name", "workspace_id", "resolve")
            values = {
                **{name: ready[name] for name in names},
                "credential": "managed-identity",
                "identity_endpoint": ready["identity_endpoint"],
                "identity_header": ready["identity_header"],
            }
            write_profile(tmp_path / "profiles.toml", "simulated", values, make_default=True)
            yield CommandLine(server, tmp_path, capsys)

    return opened


async def test_drained_with_proof_then_listed_then_restored(open_line: Any) -> None:
    async with open_line(make_world("calm", minutes=6, traffic=True)) as line:
        code, document = await line.json("drain", BACKEND, "--yes", "--reason", "INC-4411", "--expires", "2h")
        assert code == 0
        assert document["outcome"] == "drained"
        assert document["exit_code"] == 0
        assert document["proof"]["proof"]["is_drained"]
        assert [s["source"] for s in document["proof"]["proof"]["sources"]] == ["model metrics", "gateway logs"]
        assert document["looks"][-1]["requests_last_minute"] == 0
        assert [s["what"] for s in document["steps"]][:2] == [
            f"recorded as drain of {BACKEND}",
            "listed in drained-backends",
        ]
        code, listed = await line.json("drains")
        assert code == 0
        (drain,) = listed["drains"]
        assert (drain["owner"], drain["reason"], drain["condition"]) == ("ana@contoso", "INC-4411", "in place")
        assert drain["health"] == "Drained"
        assert drain["expires_at"] is not None
        code, again = await line.json("drain", BACKEND, "--yes")
        assert code == 3
        assert "ana@contoso" in again["error"]["what"]
        code, other = await line.json("drain", "ptu-eastus2", "--yes")
        assert code == 3
        assert other["plan"]["can_be_forced"]
        code, restored = await line.json("restore", BACKEND, "--yes")
        assert code == 0
        assert {p["state"] for p in restored["done"]["pools"]} == {"put back"}
        assert (await line.json("drains"))[1] == {"drains": [], "listed_without_record": []}
        code, out, _ = await line.run("journal", "--json")
        entries = [json.loads(text) for text in out.splitlines()]
        assert {e["operation"] for e in entries} == {"drain", "restore"}
        assert "INC-4411" in (await line.run("journal"))[1]


async def test_a_dry_run_prints_the_plan_and_writes_nothing(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        code, out, _ = await line.run("drain", BACKEND, "--dry-run")
        assert code == 0
        assert "chat-pool priority 2" in out
        assert "payg-swedencentral 50, payg-westus 50  ->  payg-swedencentral 50" in out
        assert "✓ chat-pool keeps 3 routable members" in out
        code, document = await line.json("drain", BACKEND, "--dry-run")
        assert (code, document["outcome"]) == (0, "planned")
        assert line.world.store.get(f"{SERVICE}/namedValues/drain-{BACKEND}") is None
        assert not (line.folder / "journal.jsonl").exists()


async def test_without_a_terminal_nothing_is_done_unasked(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        code, _, err = await line.run("drain", BACKEND)
        assert code == 2
        assert "--yes" in err
        assert line.world.store.get(f"{SERVICE}/namedValues/drain-{BACKEND}") is None
        assert (await line.run("drain", BACKEND, "--yes", "--wait", "0"))[0] == 0
        code, _, err = await line.run("restore", BACKEND)
        assert code == 2
        assert line.world.store.get(f"{SERVICE}/namedValues/drain-{BACKEND}") is not None


async def test_guards_refuse_with_3_and_force_wants_a_reason(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        code, out, err = await line.run("drain", "payg-legacy", "--yes")
        assert code == 3
        assert "✗ refused: it is in no pool" in out
        assert "--force" in err
        assert (await line.run("drain", "payg-legacy", "--yes", "--force"))[0] == 2
        code, document = await line.json(
            "drain", "payg-legacy", "--yes", "--force", "--reason", "aware next", "--wait", "0"
        )
        assert (code, document["outcome"]) == (0, "draining")
        (drain,) = (await line.json("drains"))[1]["drains"]
        assert drain["reason"] == "aware next"


async def test_read_only_is_refused_with_3(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        code, _, err = await line.run("--read-only", "drain", BACKEND, "--yes", "--force", "--reason", "insisting")
        assert code == 3
        assert "read-only" in err
        assert (await line.run("--read-only", "restore", BACKEND, "--yes"))[0] == 3


async def test_who_may_only_read_is_told_with_4(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        entra(line.world).default.assignments = [Assignment(BUILT_IN_ROLES["Reader"], "/")]
        code, document = await line.json("drain", BACKEND, "--yes")
        assert code == 4
        assert document["error"]["remedy"]
        assert line.world.store.get(f"{SERVICE}/namedValues/drain-{BACKEND}") is None


async def test_traffic_that_does_not_stop_ends_with_5_and_who_sends(open_line: Any) -> None:
    async with open_line(make_world("calm", minutes=5, traffic=True)) as line:
        arguments = ("drain", "payg-legacy", "--yes", "--force", "--reason", "aware next", "--wait", "240")
        code, document = await line.json(*arguments)
        assert code == 5
        assert document["outcome"] == "timed out"
        assert document["proof"]["still_sending"][0]["api"] == "legacy-chat"
        assert document["proof"]["bypassing_routes"][0]["document"] == "fragment old-route"
        _, out, _ = await line.run("drains")
        assert "payg-legacy  Draining" in out


async def test_what_cannot_be_meant_ends_with_2_and_unknown_names_with_1(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        assert (await line.run("drain", BACKEND, "--yes", "--expires", "soon"))[0] == 2
        code, _, err = await line.run("drain", "nope", "--yes")
        assert code == 1
        assert "payg-swedencentral" in err
        code, _, err = await line.run("restore", BACKEND, "--yes")
        assert code == 1
        assert "no drain record" in err


async def test_production_wants_a_reason(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        file = line.folder / "profiles.toml"
        (name,) = load_profiles(file).profiles
        file.write_text(file.read_text().replace(f"[profiles.{name}]", f"[profiles.{name}]\nproduction = true", 1))
        code, _, err = await line.run("drain", BACKEND, "--yes", "--wait", "0")
        assert code == 2
        assert "On a production gateway a reason is needed" in err
        assert line.world.store.get(f"{SERVICE}/namedValues/drain-{BACKEND}") is None
        assert (await line.run("drain", BACKEND, "--dry-run"))[0] == 0
        assert (await line.run("drain", BACKEND, "--yes", "--wait", "0", "--reason", "INC-1"))[0] == 0


async def test_an_overwritten_drain_is_offered_at_start_and_resumed(open_line: Any) -> None:
    async with open_line(make_world("calm")) as line:
        pool = line.world.store.get(f"{SERVICE}/backends/chat-pool")
        assert pool is not None
        template = copy.deepcopy(pool.body)
        assert (await line.run("drain", BACKEND, "--yes", "--wait", "0"))[0] == 0
        line.world.store.put(f"{SERVICE}/backends/chat-pool", pool.type, template)
        _, out, _ = await line.run("drains")
        assert f"! {BACKEND}" in out
        assert f"`drain {BACKEND}`" in out
        assert "was overwritten" in (await line.run("status"))[1]
        line.world.advance(90)
        code, document = await line.json("drain", BACKEND, "--yes", "--wait", "0")
        assert code == 0
        assert document["resumed"]
        assert (await line.json("drains"))[1]["drains"][0]["condition"] == "in place"
