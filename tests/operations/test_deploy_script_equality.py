"""Script and console deploy the same template with the same parameters, under the same name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.errors import UsageError
from console.operations.deploy.parameters import (
    Choices,
    Offer,
    deployment_name,
    load_parameters,
    posix_checksum,
    problems_of,
    save_parameters,
)
from console.operations.deploy.template import bundled_template, request_body
from tests.accelerator.test_deploy_script import Azure
from tests.operations.deploy_bench import ANSWERS

FULL = replace(
    ANSWERS,
    username='o\'brien "the" $HOME',
    sku="StandardV2",
    sku_capacity=2,
    account_ids=(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/one",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/two",
    ),
    drained_backends="paygEndpoint2",
    has_capability_apis=True,
    has_operator_role=False,
    publisher_name="Contoso, naïve",
    publisher_email="ops@contoso.com",
    resource_group="rg-mine",
)


@pytest.mark.parametrize("choices", [ANSWERS, FULL], ids=["least", "all"])
def test_the_saved_answers_make_the_script_send_the_console_s_request(choices: Choices, tmp_path: Path) -> None:
    azure = Azure(tmp_path)
    file = tmp_path / "chosen.json"
    save_parameters(choices, file)
    ran = azure.run("--parameters", str(file), "--yes")
    assert ran.code == 0, ran.err
    create = ran.call("deployment", "sub", "create")
    assert create is not None
    script_template = json.loads(Path(create[create.index("--template-file") + 1]).read_text(encoding="utf-8"))
    # what the Azure CLI makes of it: location, mode, template and parameters, nothing else
    sent_by_script: dict[str, Any] = {
        "location": create[create.index("--location") + 1],
        "properties": {
            "mode": "Incremental",
            "template": script_template,
            "parameters": {name: {"value": value} for name, value in (ran.parameters or {}).items()},
        },
    }
    assert json.loads(request_body(bundled_template(), choices)) == sent_by_script
    assert create[create.index("--name") + 1] == deployment_name(choices)


def test_options_behind_the_file_have_the_last_word(tmp_path: Path) -> None:
    azure = Azure(tmp_path)
    save_parameters(ANSWERS, tmp_path / "chosen.json")
    ran = azure.run("--parameters", str(tmp_path / "chosen.json"), "--policyFragment", "resilient-pool", "--yes")
    assert ran.parameters is not None
    assert ran.parameters["policyFragment"] == "resilient-pool"


@pytest.mark.parametrize("content", ["", "{}", '{"parameters": {"nonsense": {"value": 1}}}', "[1]"])
def test_what_is_no_parameters_file_is_refused_by_both(content: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(content)
    ran = Azure(tmp_path).run("--parameters", str(file), "--yes")
    assert ran.code == 2
    assert not ran.call("deployment")
    if content != "{}":
        with pytest.raises(UsageError):
            load_parameters(file)


def test_answers_come_back_as_they_were_saved(tmp_path: Path) -> None:
    save_parameters(FULL, tmp_path / "p.json")
    assert load_parameters(tmp_path / "p.json") == FULL


@pytest.mark.parametrize(("text", "checksum"), [("amira", 2565770639), ("", 4294967295), ("o'brien", None)])
def test_the_checksum_is_that_of_cksum(text: str, checksum: int | None) -> None:
    import subprocess

    told = subprocess.run(["cksum"], input=text.encode(), capture_output=True, check=True).stdout.split()[0]
    assert posix_checksum(text.encode()) == int(told)
    assert checksum in (None, int(told))


@pytest.mark.parametrize(
    ("field_name", "value", "says"),
    [
        ("username", "", "missing"),
        ("location", "swedencentrl", "swedencentral"),
        ("ptu_endpoint", "http://x.openai.azure.com", "https://"),
        ("ptu_endpoint", "https://x.openai.azure.com/path", "host alone"),
        ("payg_endpoint_2", ANSWERS.payg_endpoint_1, "twice"),
        ("policy_fragment", "retry-with-pay", "retry-with-payg"),
        ("sku", "Consumption", "one of"),
        ("sku_capacity", 99, "1 to 31"),
        ("publisher_email", "nobody", "mail"),
        ("account_ids", ("/nonsense",), "resource id"),
        ("location", "sweden\x1bcentral", "control"),
    ],
)
def test_a_wrong_answer_is_told_as_it_is_typed(field_name: str, value: Any, says: str) -> None:
    offer: Offer = bundled_template().offer({"swedencentral": "Sweden Central"})
    assert says in problems_of(replace(ANSWERS, **{field_name: value}), offer)[field_name]
