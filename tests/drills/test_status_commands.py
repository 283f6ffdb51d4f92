"""The command line as a person or a script meets it: real processes, the real simulator, no terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from console.cli import main
from console.profile import write_profile
from console.simulator_process import SimulatorOptions, SimulatorProcess, profile_values


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def environment_of(home: Path) -> dict[str, str]:
    """This environment without anything of this user's."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GENAIGW_", "AZURE_", "IDENTITY_"))}
    return {**clean, "XDG_CONFIG_HOME": str(home), "HOME": str(home)}


def run_process(*arguments: str, home: Path) -> Ended:
    """Run the console as a process of its own, without a terminal."""
    result = subprocess.run(
        [sys.executable, "-m", "console.cli", *arguments],
        env=environment_of(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(result.returncode, result.stdout, result.stderr)


def run(*arguments: str, home: Path) -> Ended:
    """Run a command in this process, which spares the imports."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment_of(home), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ending,
    ):
        main(list(arguments))
    return Ended(int(ending.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration folder whose default profile leads to a running embedded Azure."""
    home = tmp_path_factory.mktemp("home")
    with SimulatorProcess(SimulatorOptions(seed=7, history="10m")) as process:
        values = profile_values(process.start())
        write_profile(home / "genaigw-console" / "profiles.toml", "simulated", values, make_default=True)
        yield home


def one_error(result: Ended) -> str:
    """The only line on standard error."""
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_demo_prints_one_snapshot_of_every_backend_and_exits_well(tmp_path: Path) -> None:
    result = run_process("demo", "--history", "8m", home=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("ptu-swedencentral", "ptu-eastus2", "payg-swedencentral", "payg-westus", "payg-legacy"):
        assert name in result.stdout
    assert "SIMULATED" in result.stdout
    assert result.stderr == ""
    assert not (tmp_path / "genaigw-console").exists()


def test_equal_seeds_give_equal_backends_and_the_same_verdict(tmp_path: Path) -> None:
    documents: list[dict[str, Any]] = []
    for _ in range(2):
        result = run_process("demo", "--json", "--seed", "7", "--history", "25m", home=tmp_path)
        assert result.returncode == 0, result.stderr
        documents.append(json.loads(result.stdout))
    first, second = documents
    assert [(b["name"], b["kind"], b["health"]["state"]) for b in first["backends"]] == [
        (b["name"], b["kind"], b["health"]["state"]) for b in second["backends"]
    ]
    assert first["verdict"]["level"] == second["verdict"]["level"] == "warning"
    clock = re.compile(r"\d\d:\d\d")
    assert clock.sub("HH:MM", first["verdict"]["text"]) == clock.sub("HH:MM", second["verdict"]["text"])
    assert "ptu-swedencentral" in first["verdict"]["text"]


def test_without_a_terminal_and_a_command_the_default_profile_is_shown_once(simulated: Path) -> None:
    result = run(home=simulated)
    assert result.returncode == 0, result.stderr
    assert "apim-contoso-prod" in result.stdout
    assert "payg-legacy" in result.stdout


def test_status_json_is_what_a_program_can_read(simulated: Path) -> None:
    result = run("status", "--json", home=simulated)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["gateway"]["simulated"] is True
    assert len(document["backends"]) == 5
    assert document["problems"] == []
    assert document["budget"]["arm_reads_remaining"] > 0


def test_doctor_finds_everything_in_place(simulated: Path) -> None:
    result = run("doctor", "--json", home=simulated)
    assert result.returncode == 0, result.stdout
    assert {c["state"] for c in json.loads(result.stdout)["checks"]} == {"ok"}


def test_a_debug_log_holds_requests_and_no_token(simulated: Path, tmp_path: Path) -> None:
    log = tmp_path / "debug.log"
    assert run_process("--debug-log", str(log), "status", home=simulated).returncode == 0
    text = log.read_text(encoding="utf-8")
    assert "/service/apim-contoso-prod" in text
    assert "eyJ" not in text
    header = re.search(r'identity_header = "(.+)"', (simulated / "genaigw-console/profiles.toml").read_text())
    assert header is not None
    assert header.group(1) not in text
    assert log.stat().st_mode & 0o077 == 0


def test_without_a_profile_it_says_how_to_get_one(tmp_path: Path) -> None:
    result = run("status", home=tmp_path)
    assert result.returncode == 2
    assert "genaigw-console demo" in one_error(result)


def test_an_unknown_profile_key_is_named_with_the_closest_one(tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text('[profiles.p]\nsubscripton_id = "x"\n', encoding="utf-8")
    result = run("--profile-file", str(file), "status", home=tmp_path)
    assert result.returncode == 2
    assert 'Did you mean "subscription_id"?' in one_error(result)


def test_a_gateway_that_does_not_exist_is_one_clear_line(simulated: Path, tmp_path: Path) -> None:
    text = (simulated / "genaigw-console/profiles.toml").read_text(encoding="utf-8")
    file = tmp_path / "profiles.toml"
    file.write_text(text.replace('"apim-contoso-prod"', '"apim-nobody"'), encoding="utf-8")
    result = run("--profile-file", str(file), "status", home=tmp_path)
    assert result.returncode == 1
    assert "apim-nobody" in one_error(result)


def test_an_azure_that_is_not_there_is_one_clear_line(simulated: Path, tmp_path: Path) -> None:
    text = (simulated / "genaigw-console/profiles.toml").read_text(encoding="utf-8")
    file = tmp_path / "profiles.toml"
    file.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", text), encoding="utf-8")
    result = run("--profile-file", str(file), "status", home=tmp_path)
    assert result.returncode in (1, 4)
    assert one_error(result).startswith("Error: The gateway cannot be read")


def test_an_unknown_scenario_is_one_clear_line(tmp_path: Path) -> None:
    result = run("demo", "--scenario", "no-such-drill", home=tmp_path)
    assert result.returncode in (1, 2)
    assert "no-such-drill" in one_error(result)


def test_a_wrong_command_suggests_the_right_one(tmp_path: Path) -> None:
    result = run("statsu", home=tmp_path)
    assert result.returncode == 2
    assert "Did you mean 'status'?" in result.stderr


def test_profiles_can_be_added_chosen_and_shown_without_their_secret(simulated: Path, tmp_path: Path) -> None:
    names = (
        "--subscription-id",
        "0a1b2c3d-0000-4000-8000-00000000c0de",
        "--resource-group",
        "rg",
        "--service-name",
        "a",
    )
    assert run("profiles", "add", "one", *names, home=tmp_path).returncode == 0
    assert run("profiles", "add", "two", *names, home=tmp_path).returncode == 0
    assert run("profiles", "add", "two", *names, home=tmp_path).returncode == 2
    assert run("profiles", "use", "two", home=tmp_path).returncode == 0
    listed = json.loads(run("profiles", "list", "--json", home=tmp_path).stdout)
    assert [(p["name"], p["default"]) for p in listed["profiles"]] == [("one", False), ("two", True)]
    shown = run("profiles", "show", home=simulated).stdout
    assert "identity_header: (set)" in shown
    assert "read_only: false" in shown
    assert "is_read_only" not in shown
    lost = run("simulate", "--port", "0", "--profile-out", str(tmp_path / "nowhere" / "p.toml"), home=tmp_path)
    assert lost.returncode == 2
    assert "does not exist" in lost.stderr
    assert not (tmp_path / "nowhere").exists()


def test_watching_prints_one_line_a_snapshot_until_interrupted(simulated: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "console.cli", "status", "--watch", "--json"],
        env=environment_of(simulated),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        document = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=20) == 130
        assert "Traceback" not in watching.stderr.read()
    assert len(document["backends"]) == 5


def test_the_environment_stands_in_for_options(simulated: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "console.cli", "status"],
        env={**environment_of(simulated), "GENAIGW_PROFILE": "nobody"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert '"nobody"' in result.stderr
