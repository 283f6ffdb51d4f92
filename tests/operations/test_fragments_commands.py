"""The command line of fragments, against the embedded Azure as a process: what it prints and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from console.cli import main
from console.simulator_process import SimulatorOptions, SimulatorProcess, profile_values

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def profile_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A profile file of a served gateway without traffic."""
    path = tmp_path_factory.mktemp("profile") / "profiles.toml"
    with SimulatorProcess(SimulatorOptions(scenario="calm", history="1m", port=0)) as process:
        values = profile_values(process.start())
        path.write_text(tomlkit.dumps({"default": "here", "profiles": {"here": values}}))
        yield path


@pytest.fixture
def command(
    profile_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `fragments ...` and gives exit code, output and errors."""
    monkeypatch.setenv("GENAIGW_JOURNAL", str(tmp_path / "journal.jsonl"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("GENAIGW_POLICIES", raising=False)

    def run(*arguments: str, globally: tuple[str, ...] = ()) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main(["--profile-file", str(profile_file), *globally, "fragments", *arguments])
        out, err = capsys.readouterr()
        return int(leaving.value.code or 0), out, err

    return run


def document(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    return found


def test_pull_edit_diff_deploy_and_back(command: Run, tmp_path: Path) -> None:
    gateway = tmp_path / "gw"
    code, out, _ = command("pull", str(gateway), "--json")
    assert (code, len(document(out)["written"])) == (0, 8)
    policies = ("--policies", str(gateway))
    assert document(command("diff", *policies, "--json")[1])["differences"] == []
    file = gateway / "fragments" / "spill-to-payg.fragment.xml"
    file.write_text(file.read_text().replace('count="2"', 'count="3"'))
    code, out, _ = command("diff", *policies, "--exit-code")
    assert code == 1
    assert "retry count 2 -> 3" in out
    assert "changed here (used by api azure-openai)" in out
    assert "|" in command("diff", *policies, "--side-by-side")[1]
    listed = document(command("list", *policies, "--json")[1])
    states = {d["handle"]: d["state"] for d in listed["documents"]}
    assert states["spill-to-payg"] == "changed here"
    assert states["global"] == "in sync"
    code, out, _ = command("deploy", *policies, "--dry-run", "--json")
    planned = document(out)
    assert (code, planned["outcome"]) == (0, "planned")
    assert [w["handle"] for w in planned["plan"]["writes"]] == ["spill-to-payg"]
    code, out, _ = command("deploy", *policies, "--yes", "--reason", "a try", "--json")
    assert (code, document(out)["outcome"]) == (0, "deployed")
    versions = document(command("show", "spill-to-payg", "--versions", "--json")[1])["versions"]
    assert len(versions) == 2
    assert 'count="3"' in command("show", "spill-to-payg", "--deployed")[1]
    code, out, _ = command("rollback", "--yes", "--json")
    assert (code, document(out)["outcome"]) == (0, "rolled back")
    assert 'count="2"' in command("show", "spill-to-payg", "--deployed")[1]


def test_wrong_names_and_wrong_texts_end_with_their_own_codes(command: Run, tmp_path: Path) -> None:
    gateway = tmp_path / "gw"
    command("pull", str(gateway))
    policies = ("--policies", str(gateway))
    code, _, err = command("deploy", "spil-to-payg", *policies)
    assert code == 1
    assert "Did you mean spill-to-payg?" in err
    code, _, err = command("show", "spil-to-payg", *policies)
    assert (code, "Did you mean spill-to-payg?" in err) == (1, True)
    file = gateway / "fragments" / "spill-to-payg.fragment.xml"
    file.write_text("<fragment>\n    <retry\n</fragment>\n")
    code, out, _ = command("lint", *policies)
    assert code == 1
    assert "fragments/spill-to-payg.fragment.xml:" in out
    code, out, err = command("deploy", *policies, "--yes")
    assert code == 3
    assert "Nothing is deployed" in err
    code, out, err = command("deploy", *policies, "--yes", "--force")
    assert (code, "needs a reason" in err) == (2, True)
    code, _, err = command("deploy", *policies, "--yes", "--watch", "soon")
    assert (code, "no duration" in err) == (2, True)
    code, _, err = command("list", "--policies", str(tmp_path / "nowhere"))
    assert (code, "no such folder" in err) == (2, True)
    code, _, err = command("rollback", "--yes")
    assert (code, "no deployment that stands" in err) == (1, True)
    code, _, err = command("deploy", "--named-value", "region", *policies)
    assert (code, "NAME=VALUE" in err) == (2, True)


def test_read_only_refuses_and_nobody_to_ask_refuses(command: Run, tmp_path: Path) -> None:
    gateway = tmp_path / "gw"
    command("pull", str(gateway))
    file = gateway / "fragments" / "spill-to-payg.fragment.xml"
    file.write_text(file.read_text().replace('count="2"', 'count="3"'))
    policies = ("--policies", str(gateway))
    code, _, err = command("deploy", *policies, "--yes", globally=("--read-only",))
    assert (code, "read-only" in err) == (3, True)
    code, _, err = command("deploy", *policies)
    assert (code, "--yes" in err) == (2, True)


def test_the_bundled_policies_are_linted_without_a_gateway_and_deployed_with_their_template(command: Run) -> None:
    code, out, _ = command("lint", "--offline", "--json")
    assert (code, document(out)["error"]) == (0, 0)
    code, out, _ = command(
        "deploy", "resilient-pool", "managed-identity", "--api-policy", "azure-openai=resilient-pool", "--dry-run",
        "--json",
    )  # fmt: skip
    planned = document(out)
    assert code == 0
    assert [w["handle"] for w in planned["plan"]["writes"]] == [
        "managed-identity", "resilient-pool", "api/azure-openai",
    ]  # fmt: skip
    code, out, _ = command("deploy", "--api-policy", "azure-opnai=resilient-pool", "--dry-run", "--json")
    refused = [g["text"] for g in document(out)["plan"]["guards"] if g["verdict"] == "refused"]
    assert code == 3
    assert "there is no API azure-opnai; there is azure-openai" in refused
    code, _, err = command("deploy", "--api-policy", "azure-openai=resilient-pol")
    assert (code, "Did you mean resilient-pool?" in err) == (1, True)
