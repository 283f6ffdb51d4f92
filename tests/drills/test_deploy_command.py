"""`deploy` as a pipeline runs it: what-if, deployment, proof and profile, with exit codes and one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.profile import load_profiles, write_profile
from console.simulator_process import SimulatorOptions, SimulatorProcess, profile_values
from tests.drills.test_status_commands import run

ANSWERS = [
    "--username",
    "amira",
    "--location",
    "swedencentral",
    "--ptuEndpoint1",
    "https://aoai-contoso-swc-ptu.openai.azure.com",
    "--paygEndpoint1",
    "https://aoai-contoso-swc.openai.azure.com",
    "--paygEndpoint2",
    "https://aoai-contoso-wus.openai.azure.com",
    "--policyFragment",
    "retry-with-payg",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user whose profile leads to a running, empty subscription."""
    folder = tmp_path_factory.mktemp("home")
    with SimulatorProcess(SimulatorOptions("empty-subscription", 7, "1m")) as process:
        ready = process.start()
        path = folder / "genaigw-console" / "profiles.toml"
        write_profile(path, "new", profile_values(ready), make_default=True)
        yield folder


def test_what_if_as_json_changes_nothing(home: Path) -> None:
    ended = run("deploy", *ANSWERS, "--what-if", "--json", home=home)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["outcome"] == "what-if"
    assert document["what_if"]["counts"]["Create"] > 60
    assert {check["state"] for check in document["preflight"]} == {"passing"}
    assert "deployment" not in document
    assert list(load_profiles(home / "genaigw-console" / "profiles.toml").profiles) == ["new"]


def test_a_missing_answer_is_a_usage_error(home: Path) -> None:
    assert run("deploy", "--username", "amira", home=home).returncode == 2


def test_without_yes_and_without_a_terminal_nothing_is_deployed(home: Path) -> None:
    ended = run("deploy", *ANSWERS, home=home)
    assert ended.returncode == 2
    assert "--yes" in ended.stderr


def test_a_failing_check_is_a_refusal(home: Path) -> None:
    wrong = [part.replace("swc-ptu", "frc") for part in ANSWERS]
    ended = run("deploy", *wrong, "--yes", "--json", home=home)
    assert ended.returncode == 3
    document = json.loads(ended.stdout)
    assert "no provisioned throughput" in document["error"]["cause"]
    assert document["error"]["remedy"]
