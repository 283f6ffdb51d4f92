"""scripts/deploy-bicep.sh, driven for real with a stub `az` on PATH that records what it was called with.

The stub answers from files and keeps every argument vector (NUL-separated) and the parameters file it was handed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.accelerator.accelerator_files import ROOT, compiled_template

SCRIPT = ROOT / "scripts" / "deploy-bicep.sh"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
SERVICE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-genaigw/providers/Microsoft.ApiManagement/service/apim-1"
GOOD = {
    "--username": "amira",
    "--location": "swedencentral",
    "--ptuEndpoint1": "https://contoso-ptu.openai.azure.com",
    "--paygEndpoint1": "https://contoso-weu.openai.azure.com/",
    "--paygEndpoint2": "https://contoso-frc.openai.azure.com",
    "--policyFragment": "retry-with-payg",
}
STUB = """#!{python} -IS
import json, os, pathlib, shutil, sys
folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
number = len(list(folder.glob("call-*")))
(folder / f"call-{{number:02}}").write_bytes(b"\\0".join(os.fsencode(a) for a in arguments))
for argument in arguments:
    if argument.startswith("@"):
        shutil.copy(argument[1:], folder / f"parameters-{{number:02}}")
answers = json.loads((folder / "answers.json").read_text())
line = " ".join(arguments)
for words, answer in answers:
    if line.startswith(words):
        sys.stdout.write(answer.get("out", ""))
        sys.stderr.write(answer.get("err", ""))
        sys.exit(answer.get("code", 0))
sys.stderr.write("the stub knows no " + line)
sys.exit(90)
"""


@dataclass
class Ran:
    code: int
    out: str
    err: str
    calls: list[list[str]]
    parameters: dict[str, Any] | None
    folder: Path

    def call(self, *words: str) -> list[str] | None:
        return next((call for call in self.calls if call[: len(words)] == list(words)), None)


class Azure:
    """The stub and what it answers; a test changes one answer and runs the script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.cwd = folder / "some where"
        self.cwd.mkdir()
        self.answers: dict[str, dict[str, Any]] = {
            "account show": {"out": json.dumps({"id": SUBSCRIPTION, "name": "Contoso AI", "state": "Enabled"})},
            "account list-locations": {"out": json.dumps([{"name": "swedencentral"}, {"name": "westeurope"}])},
            f"rest --method get --url /subscriptions/{SUBSCRIPTION}/providers": {"out": json.dumps({"value": []})},
            "bicep version": {"code": 1, "err": "Bicep CLI not found."},
            "deployment sub what-if": {"out": "Resource changes: 60 to create.\n"},
            "deployment sub create": {"out": json.dumps({"properties": {"outputs": OUTPUTS}})},
        }
        stub = self.bin / "az"
        stub.write_text(STUB.format(python=sys.executable, folder=str(folder)))
        stub.chmod(0o755)
        # the machine's python3 may be a slow shim: the script calls it a dozen times
        (self.bin / "python3").symlink_to(Path(sys.executable).resolve())

    def run(self, *arguments: str, stdin: str = "", path: str | None = None) -> Ran:
        (self.folder / "answers.json").write_text(json.dumps(list(self.answers.items())))
        environment = dict(os.environ, PATH=path or f"{self.bin}{os.pathsep}{os.environ['PATH']}")
        run = subprocess.run(
            [str(SCRIPT), *arguments],
            cwd=self.cwd,
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        calls = [
            [os.fsdecode(part) for part in file.read_bytes().split(b"\0")]
            for file in sorted(self.folder.glob("call-*"))
        ]
        files = sorted(self.folder.glob("parameters-*"))
        parameters = None
        if files:
            document = json.loads(files[-1].read_text(encoding="utf-8"))
            parameters = {name: entry["value"] for name, entry in document["parameters"].items()}
        return Ran(run.returncode, run.stdout, run.stderr, calls, parameters, self.cwd)


OUTPUTS = {
    "gatewayUrl": {"type": "String", "value": "https://apim-1.azure-api.net"},
    "apimServiceName": {"type": "String", "value": "apim-1"},
    "resourceGroupName": {"type": "String", "value": "rg-genaigw"},
    "workspaceId": {"type": "String", "value": "11111111-0000-0000-0000-000000000000"},
}


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    return Azure(tmp_path)


def options(**changed: str | None) -> list[str]:
    chosen = GOOD | {f"--{name}": value for name, value in changed.items()}
    return [part for name, value in chosen.items() if value is not None for part in (name, value)]


def assert_nothing_happened(ran: Ran) -> None:
    assert ran.code == 2
    assert not ran.call("deployment", "sub", "what-if")
    assert not ran.call("deployment", "sub", "create")
    assert not list(ran.folder.iterdir())
    assert len(ran.err.strip().splitlines()) <= 2, ran.err


def test_the_documented_command_deploys_and_writes_the_outputs_where_it_was_called(azure: Azure) -> None:
    ran = azure.run(*options(), "--yes")
    assert ran.code == 0, ran.err
    written = json.loads((ran.folder / "output.json").read_text())
    assert written == {name: entry["value"] for name, entry in OUTPUTS.items()}
    assert ran.parameters is not None
    assert ran.parameters["ptuEndpoint1"] == "https://contoso-ptu.openai.azure.com"
    assert ran.parameters["policyFragment"] == "retry-with-payg"
    assert ran.parameters["drainedBackends"] == "none"
    create = ran.call("deployment", "sub", "create")
    assert create is not None
    assert create[create.index("--location") + 1] == "swedencentral"
    assert "https://apim-1.azure-api.net" in ran.err
    assert "listSecrets" in ran.err


def test_the_parameters_are_ones_the_template_has(azure: Azure) -> None:
    ran = azure.run(*options(), "--yes", "--sku", "StandardV2", "--sku-capacity", "2", "--capability-apis")
    assert ran.parameters is not None
    declared = compiled_template()["parameters"]
    assert set(ran.parameters) <= set(declared)
    assert {n for n, p in declared.items() if "defaultValue" not in p} <= set(ran.parameters)
    assert ran.parameters["skuCapacity"] == 2
    assert ran.parameters["capabilityApis"] is True
    assert ran.parameters["deployOperatorRole"] is True


@pytest.mark.parametrize(
    "value",
    [
        "O'Brien",
        'the "quoted" one',
        "two  spaces ",
        "$HOME $(touch pwned) `touch pwned`",
        "back\\slash \\n \\u0041",
        "@/etc/passwd",
        "[concat('a')]",
        "{{x}} <b>&amp;",
        "naïve ünïcode 日本",
        "a=b",
        "*",
        "日" * 64,
    ],
)
def test_a_value_arrives_as_it_was_given_whatever_it_contains(azure: Azure, value: str) -> None:
    ran = azure.run(*options(username=value), "--publisher-name", value, "--yes")
    assert ran.code == 0, ran.err
    assert ran.parameters is not None
    assert ran.parameters["username"] == value
    assert ran.parameters["publisherName"] == value
    assert sorted(file.name for file in ran.folder.iterdir()) == ["output.json"]


@pytest.mark.parametrize("value", ["line one\nline two", "-starts-with-a-dash", "https://user:pw@contoso.com"])
def test_a_publisher_may_have_any_name(azure: Azure, value: str) -> None:
    ran = azure.run(*options(), "--publisher-name", value, "--yes")
    assert ran.code == 0, ran.err
    assert ran.parameters is not None
    assert ran.parameters["publisherName"] == value


def test_no_value_reaches_the_argument_vector_of_az_but_the_region(azure: Azure) -> None:
    ran = azure.run(*options(username="visible?"), "--yes")
    assert not [part for call in ran.calls for part in call if "visible?" in part or "openai.azure.com" in part]


def test_short_options_and_joined_values_mean_the_same(azure: Azure) -> None:
    short = ["-u", "amira", "-l", "swedencentral", "-p", GOOD["--ptuEndpoint1"], "-1", GOOD["--paygEndpoint1"]]
    ran = azure.run(*short, f"--paygEndpoint2={GOOD['--paygEndpoint2']}", "-f", "retry-with-payg", "-y")
    assert ran.code == 0, ran.err
    assert ran.parameters is not None
    assert ran.parameters["paygEndpoint2"] == GOOD["--paygEndpoint2"]


def test_account_ids_become_a_list(azure: Azure) -> None:
    ids = [
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/{name}"
        for name in ("one", "two")
    ]
    ran = azure.run(*options(), "-a", ids[0], "-a", ids[1], "--yes")
    assert ran.parameters is not None
    assert ran.parameters["accountResourceIds"] == ids


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_option_is_named(azure: Azure, missing: str) -> None:
    ran = azure.run(*options(**{missing.removeprefix("--"): None}), "--yes")
    assert_nothing_happened(ran)
    assert missing in ran.err
    assert not ran.calls


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--bogus", "1"], "--bogus"),
        (["-x"], "-x"),
        (["stray"], "stray"),
        (["--sku"], "--sku needs a value"),
        (["--sku", "--yes"], "--sku needs a value"),
        (["--publisher-name", ""], "--publisher-name needs a value"),
        (["--yes=no"], "--yes takes no value"),
        (["--sku", "Consumption"], "Developer"),
        (["--sku-capacity", "many"], "--sku-capacity"),
        (["--account-id", "contoso"], "--account-id"),
        (["--output", "no/such/folder/output.json"], "--output"),
    ],
)
def test_a_wrong_option_is_refused_by_name(azure: Azure, extra: list[str], words: str) -> None:
    ran = azure.run(*options(), *extra)
    assert_nothing_happened(ran)
    assert words in ran.err
    assert not ran.calls


def test_an_unknown_fragment_is_answered_with_those_there_are(azure: Azure) -> None:
    ran = azure.run(*options(policyFragment="round-robbin"))
    assert_nothing_happened(ran)
    for name in compiled_template()["parameters"]["policyFragment"]["allowedValues"]:
        assert name in ran.err


@pytest.mark.parametrize("name", ["ptuEndpoint1", "paygEndpoint1", "paygEndpoint2"])
@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.openai.azure.com",
        "contoso.openai.azure.com",
        "https://contoso.openai.azure.com/openai",
        "https://contoso.openai.azure.com?x=1",
        "https://user@contoso.openai.azure.com",
        "https://",
        "https://contoso.openai.azure.com/\nhttps://other",
        "https://$(id)",
    ],
)
def test_an_endpoint_that_is_no_https_host_is_refused(azure: Azure, name: str, url: str) -> None:
    ran = azure.run(*options(**{name: url}))
    assert ran.code == 2
    assert f"--{name}" in ran.err
    assert not ran.calls
    assert not list(ran.folder.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        options(username="-u"),
        options(username="x" * 65),
        options(username="two\nlines"),
        options(username="tab\tbed"),
        options(username="bell\x07"),
        options(username="next\x85line"),
        options(username="no\udcfftext"),
        options(ptuEndpoint1="https://contoso.openai.azure.com:0"),
        options(paygEndpoint1="https://contoso.openai.azure.com:65536"),
        options(paygEndpoint1="https://contoso.openai.azure.com:999999999999"),
        options(paygEndpoint2="https://contoso.openai.azure.com:"),
        options(paygEndpoint2="https://contoso.openai.azure.com:-1"),
        *([*options(), "--publisher-email", value] for value in ("amira", "@contoso.com", "a@b", "a b@contoso.com")),
        [*options(), "--publisher-email", "a@contoso.com\n"],
        [*options(), "--publisher-email", "a" * 100 + "@contoso.com"],
        *([*options(), "--resource-group", value] for value in ("rg.", "rg/one", "r g", "r" * 91, "rg\n", "$(id)")),
        *([*options(), "--drained-backends", value] for value in (",a", "a,", "a,,b", "a b", "a;b", "a,b\n", "*")),
    ],
    ids=repr,
)
def test_a_value_that_cannot_be_right_is_refused_before_anything_is_asked(azure: Azure, arguments: list[str]) -> None:
    ran = azure.run(*arguments, "--yes")
    assert_nothing_happened(ran)
    changed = [name for name, value in GOOD.items() if arguments[arguments.index(name) + 1] != value]
    assert ran.err.startswith(f"deploy-bicep: {(changed or arguments[-2:])[0]}")
    assert len(ran.err.splitlines()) == 1
    assert not ran.calls


def test_values_at_the_edge_of_the_rules_are_taken(azure: Azure) -> None:
    edge = {"--resource-group": "r_g.(1)-" + "x" * 82, "--publisher-email": "o'brien+x@mail.contoso.co.uk"}
    arguments = [part for pair in edge.items() for part in pair]
    endpoints = options(ptuEndpoint1="https://contoso.com:65535/", paygEndpoint1="https://contoso.com:1")
    ran = azure.run(*endpoints, *arguments, "--drained-backends", "ptuEndpoint1,payg_2.x-y", "--yes")
    assert ran.code == 0, ran.err
    assert ran.parameters is not None
    assert ran.parameters["resourceGroupName"] == edge["--resource-group"]
    assert ran.parameters["publisherEmail"] == edge["--publisher-email"]
    assert ran.parameters["drainedBackends"] == "ptuEndpoint1,payg_2.x-y"


@pytest.mark.parametrize("url", ["https://one.contoso.com", "https://ONE.contoso.com/", "https://one.contoso.com:443"])
@pytest.mark.parametrize(
    ("first", "second"),
    [("paygEndpoint1", "paygEndpoint2"), ("ptuEndpoint1", "paygEndpoint1"), ("ptuEndpoint1", "paygEndpoint2")],
)
def test_one_endpoint_is_not_taken_twice(azure: Azure, first: str, second: str, url: str) -> None:
    ran = azure.run(*options(**{first: "https://one.contoso.com/", second: url}), "--yes")
    assert_nothing_happened(ran)
    assert f"--{first}" in ran.err
    assert f"--{second}" in ran.err
    assert not ran.calls


SECRET = "pa55/w@rd"


@pytest.mark.parametrize(
    "arguments",
    [
        options(ptuEndpoint1=f"https://amira:{SECRET}@contoso.openai.azure.com"),
        options(paygEndpoint1=f"http://amira:{SECRET}@contoso.openai.azure.com/x"),
        options(paygEndpoint2=f"amira:{SECRET}@contoso.openai.azure.com"),
        options(username=f"-https://amira:{SECRET}@contoso.com"),
        options(location=f"https://amira:{SECRET}@contoso.com"),
        options(policyFragment=f"https://amira:{SECRET}@contoso.com"),
        [*options(), f"https://amira:{SECRET}@contoso.com"],
        [*options(), f"-p=https://amira:{SECRET}@contoso.com"],
        [*options(), f"--bogus=https://amira:{SECRET}@contoso.com"],
        [*options(), "--sku", f"--phttps://amira:{SECRET}@contoso.com"],
        *(
            [*options(), name, f"https://amira:{SECRET}@contoso.com"]
            for name in ("--sku", "--sku-capacity", "--account-id", "--drained-backends", "--publisher-email")
        ),
        *(
            [*options(), name, f"https://amira:{SECRET}@contoso.com"]
            for name in ("--resource-group", "--parameters", "-o")
        ),
    ],
    ids=range(18),
)
def test_the_password_in_a_url_is_never_shown(azure: Azure, arguments: list[str]) -> None:
    ran = azure.run(*arguments, "--yes")
    assert_nothing_happened(ran)
    assert "pa55" not in ran.out + ran.err
    assert "w@rd" not in ran.out + ran.err
    assert "amira" not in ran.out + ran.err


@pytest.mark.parametrize("answer", ["", " \n", "Logged in.", "[]", "null", "{}", '{"properties": null}'])
@pytest.mark.parametrize("asked", ["account show", "account list-locations", "rest", "deployment sub create"])
def test_an_answer_that_is_none_is_told_with_the_command_that_gave_it(azure: Azure, asked: str, answer: str) -> None:
    key = next(words for words in azure.answers if words.startswith(asked))
    azure.answers[key] = {"out": answer}
    ran = azure.run(*options(), "--yes")
    assert ran.code in (1, 2)
    told = ran.err.splitlines()[-1]
    if (asked, answer) in {("account list-locations", "[]"), ("account list-locations", "{}")}:
        assert "no region swedencentral" in told
    else:
        assert f"az {asked}" in told
    assert "Traceback" not in ran.err
    name = next((call[call.index("--name") + 1] for call in ran.calls if "--name" in call), "")
    running = f"the deployment may be running: az deployment sub show -n {name}"
    assert (running in told) is (asked == "deployment sub create")
    assert not list(ran.folder.iterdir())


def test_a_connection_lost_while_deploying_says_that_the_deployment_may_go_on(azure: Azure) -> None:
    azure.answers["deployment sub create"] = {"code": 1, "err": "ERROR: Connection aborted.\n"}
    ran = azure.run(*options(), "--yes")
    assert ran.code == 1
    assert "the deployment may be running: az deployment sub show -n genaigw-" in ran.err


def test_a_region_that_does_not_exist_is_refused(azure: Azure) -> None:
    ran = azure.run(*options(location="swedencentra"), "--yes")
    assert_nothing_happened(ran)
    assert "swedencentra" in ran.err
    assert "swedencentral" in ran.err


def test_a_region_may_be_written_as_the_portal_does(azure: Azure) -> None:
    ran = azure.run(*options(location="Sweden Central"), "--yes")
    assert ran.code == 0
    assert ran.parameters is not None
    assert ran.parameters["location"] == "swedencentral"


def test_no_login_is_said_in_one_line(azure: Azure) -> None:
    azure.answers["account show"] = {"code": 1, "err": "ERROR: Please run 'az login' to setup account.\n"}
    ran = azure.run(*options(), "--yes")
    assert_nothing_happened(ran)
    assert "az login" in ran.err


def test_a_disabled_subscription_is_refused(azure: Azure) -> None:
    azure.answers["account show"] = {"out": json.dumps({"id": SUBSCRIPTION, "name": "Old", "state": "Disabled"})}
    ran = azure.run(*options(), "--yes")
    assert_nothing_happened(ran)
    assert "Disabled" in ran.err


def test_no_az_is_said_in_one_line(azure: Azure, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "python3", "dirname", "paste", "env"):
        found = shutil.which(tool)
        assert found
        program = sys.executable if tool == "python3" else found
        (tools / tool).write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        (tools / tool).chmod(0o755)
    ran = azure.run(*options(), "--yes", path=str(tools))
    assert_nothing_happened(ran)
    assert "az" in ran.err


def test_what_if_shows_and_stops(azure: Azure) -> None:
    ran = azure.run(*options(), "--what-if")
    assert ran.code == 0
    assert "60 to create" in ran.out
    assert not ran.call("deployment", "sub", "create")
    assert not list(ran.folder.iterdir())


@pytest.mark.parametrize(
    ("answer", "deploys"), [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_it_shows_the_what_if_and_asks(azure: Azure, answer: str, deploys: bool) -> None:
    ran = azure.run(*options(), stdin=answer)
    names = [call[2] for call in ran.calls if call[:2] == ["deployment", "sub"]]
    assert names == (["what-if", "create"] if deploys else ["what-if"])
    assert ran.code == (0 if deploys else 1)
    assert (ran.folder / "output.json").exists() is deploys


def test_a_redeployment_keeps_what_is_drained(azure: Azure) -> None:
    listing = f"rest --method get --url /subscriptions/{SUBSCRIPTION}/providers"
    others = [{"id": "/other", "tags": None}, {"id": SERVICE, "tags": {"genaigw-username": "amira"}}]
    azure.answers[listing] = {"out": json.dumps({"value": others})}
    azure.answers[f"rest --method get --url {SERVICE}/namedValues/drained-backends"] = {
        "out": json.dumps({"properties": {"value": "ptuEndpoint1"}})
    }
    ran = azure.run(*options(), "--yes")
    assert ran.parameters is not None
    assert ran.parameters["drainedBackends"] == "ptuEndpoint1"


def test_it_does_not_deploy_when_it_cannot_see_what_is_drained(azure: Azure) -> None:
    azure.answers[f"rest --method get --url /subscriptions/{SUBSCRIPTION}/providers"] = {
        "code": 1,
        "err": "ERROR: Forbidden",
    }
    ran = azure.run(*options(), "--yes")
    assert ran.code == 1
    assert "--drained-backends" in ran.err
    assert not ran.call("deployment", "sub", "create")
    assert azure.run(*options(), "--yes", "--drained-backends", "none").code == 0


@pytest.mark.parametrize(("bicep", "file"), [(0, "main.bicep"), (1, "main.json")])
def test_it_says_which_template_it_uses(azure: Azure, bicep: int, file: str) -> None:
    azure.answers["bicep version"] = {"code": bicep}
    azure.answers["bicep build"] = {"out": "{}"}
    ran = azure.run(*options(), "--yes")
    create = ran.call("deployment", "sub", "create")
    assert create is not None
    assert create[create.index("--template-file") + 1] == str(ROOT / "infra" / file)
    assert f"infra/{file}" in ran.err


NESTED_ERROR = {
    "status": "Failed",
    "error": {
        "code": "DeploymentFailed",
        "target": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/genaigw",
        "message": "At least one resource deployment operation failed.",
        "details": [
            {
                "code": "ResourceDeploymentFailure",
                "target": f"{SERVICE}/policyFragments/token-limits",
                "message": "The resource write operation failed to complete successfully.",
                "details": [
                    {
                        "code": "ValidationError",
                        "target": "llm-token-limit",
                        "message": "Error in element 'llm-token-limit' on line 13, column 6: not in this tier.",
                    }
                ],
            }
        ],
    },
}


def test_a_failed_deployment_tells_the_innermost_cause_and_its_resource(azure: Azure) -> None:
    azure.answers["deployment sub create"] = {"code": 1, "err": f"ERROR: {json.dumps(NESTED_ERROR)}\n"}
    azure.answers["deployment sub show"] = {"code": 3, "err": "not found"}
    azure.answers["deployment operation sub list"] = {"out": "[]"}
    ran = azure.run(*options(), "--yes")
    assert ran.code == 1
    assert "cause: Error in element 'llm-token-limit' on line 13" in ran.err
    assert f"resource: {SERVICE}/policyFragments/token-limits" in ran.err
    assert "At least one" not in ran.err
    assert not list(ran.folder.iterdir())


def test_where_the_error_is_shallow_the_operations_of_the_module_tell_the_cause(azure: Azure) -> None:
    azure.answers["deployment sub create"] = {
        "code": 1,
        "err": "ERROR: (DeploymentFailed) At least one resource deployment operation failed.\nCode: DeploymentFailed\n",
    }
    azure.answers["deployment sub show"] = {
        "out": json.dumps({"properties": {"error": {"code": "DeploymentFailed", "message": "At least one failed."}}})
    }
    module = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-genaigw/providers/Microsoft.Resources/deployments/mod"
    azure.answers["deployment operation sub list"] = {
        "out": json.dumps([{"properties": {"provisioningState": "Failed", "targetResource": {"id": module}}}])
    }
    inner = {
        "provisioningState": "Failed",
        "targetResource": {"id": SERVICE},
        "statusMessage": {
            "status": "Failed",
            "error": {"code": "ServiceAlreadyExists", "message": "Soft-deleted: purge it."},
        },
    }
    azure.answers["deployment operation group list --resource-group rg-genaigw --name mod"] = {
        "out": json.dumps([{"properties": inner}])
    }
    ran = azure.run(*options(), "--yes")
    assert ran.code == 1
    assert "cause: Soft-deleted: purge it. (ServiceAlreadyExists)" in ran.err
    assert f"resource: {SERVICE}" in ran.err


def test_a_message_that_is_itself_json_is_opened(azure: Azure) -> None:
    hidden = json.dumps({"error": {"code": "InsufficientQuota", "message": "No quota left in swedencentral."}})
    wrapped = {
        "error": {"code": "DeploymentFailed", "message": "x", "details": [{"code": "Conflict", "message": hidden}]}
    }
    azure.answers["deployment sub what-if"] = {"code": 1, "err": "ERROR: " + json.dumps(wrapped)}
    azure.answers["deployment sub show"] = {"code": 3}
    azure.answers["deployment operation sub list"] = {"out": "[]"}
    ran = azure.run(*options(), "--yes")
    assert ran.code == 1
    assert "No quota left in swedencentral. (InsufficientQuota)" in ran.err


def test_a_failure_without_json_is_told_by_its_last_line(azure: Azure) -> None:
    azure.answers["deployment sub what-if"] = {"code": 1, "err": "WARNING: x\nERROR: Connection refused\n"}
    ran = azure.run(*options(), "--yes")
    assert ran.code == 1
    assert "cause: Connection refused" in ran.err


def test_help_names_every_option(azure: Azure) -> None:
    ran = azure.run("--help")
    assert ran.code == 0
    for option in (*GOOD, "--sku", "--what-if", "--yes", "--help", "--output", "--drained-backends", "--account-id"):
        assert option in ran.out
    assert not ran.calls


def test_it_is_clean_to_shellcheck() -> None:
    command = shutil.which("shellcheck") or str(Path(sys.executable).parent / "shellcheck")
    if not Path(command).exists():
        pytest.skip("shellcheck is not installed")
    run = subprocess.run([command, str(SCRIPT)], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout
