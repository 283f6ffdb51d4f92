"""scripts/deploy-bicep.sh with the real Azure CLI against the embedded Azure over TLS: what-if, then create.

Opt-in, because the CLI is large and slow: set GENAIGW_AZ to the path of an `az` (2.91 was tried). Nothing here leaves
loopback: the CLI's cloud, its login and its certificate authority are all the test's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.accelerator.accelerator_files import ROOT

AZ = os.environ.get("GENAIGW_AZ")
pytestmark = [
    pytest.mark.opt_in,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not AZ, reason="GENAIGW_AZ does not name an az to drive"),
]
DEADLINE_SECONDS = 300
COMMAND = {
    "--username": 'o\'brien "the" $HOME',
    "--location": "swedencentral",
    "--ptuEndpoint1": "https://aoai-contoso-swc-ptu.openai.azure.com",
    "--paygEndpoint1": "https://aoai-contoso-swc.openai.azure.com",
    "--paygEndpoint2": "https://aoai-contoso-wus.openai.azure.com",
    "--policyFragment": "retry-with-payg",
}


@dataclass
class Cloud:
    """A running embedded Azure and an environment in which `az` is logged in to it."""

    ready: dict[str, Any]
    environment: dict[str, str]
    folder: Path

    def az(self, *arguments: str) -> str:
        run = subprocess.run(
            [str(AZ), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert run.returncode == 0, f"az {' '.join(arguments)}: {run.stderr[-2000:]}"
        return run.stdout

    def script(self, *extra: str) -> subprocess.CompletedProcess[str]:
        arguments = [part for pair in COMMAND.items() for part in pair]
        return subprocess.run(
            [str(ROOT / "scripts" / "deploy-bicep.sh"), *arguments, *extra],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("az")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    command = [sys.executable, "-m", "simulator", "--scenario", "calm", "--no-traffic", "--history", "60s"]
    command += ["--speed", "600", "--tls-certificate", str(folder / "server.pem"), "--exit-with-stdin"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = next(line for line in map(json.loads, process.stdout) if "base_url" in line)
            (folder / "bin").mkdir()
            (folder / "bin" / "az").symlink_to(Path(str(AZ)).resolve())
            environment = dict(
                os.environ,
                PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                AZURE_CONFIG_DIR=str(folder / "config"),
                AZURE_CORE_COLLECT_TELEMETRY="false",
                REQUESTS_CA_BUNDLE=str(folder / "ca.pem"),
                IDENTITY_ENDPOINT=ready["identity_endpoint"],
                IDENTITY_HEADER=ready["identity_header"],
            )
            there = Cloud(ready, environment, folder / "here")
            there.folder.mkdir()
            base_url = ready["base_url"].replace("127.0.0.1", "localhost")
            there.az("cloud", "register", "--name", "Embedded", "--endpoint-resource-manager", base_url)
            there.az("cloud", "set", "--name", "Embedded")
            there.az("config", "set", "core.instance_discovery=false", "--only-show-errors")
            there.az("login", "--identity")
            yield there
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_what_if_shows_the_whole_gateway_and_deploys_nothing(cloud: Cloud) -> None:
    ran = cloud.script("--what-if")
    assert ran.returncode == 0, ran.stderr
    assert "policyFragments/retry-with-payg" in ran.stdout
    assert not list(cloud.folder.iterdir())


def test_the_gateway_is_deployed_and_its_outputs_written(cloud: Cloud) -> None:
    ran = cloud.script("--yes")
    assert ran.returncode == 0, ran.stderr
    outputs = json.loads((cloud.folder / "output.json").read_text())
    assert set(outputs) == {"gatewayUrl", "apimServiceName", "resourceGroupName", "workspaceId"}
    path = (
        f"/subscriptions/{cloud.ready['subscription_id']}/resourceGroups/{outputs['resourceGroupName']}"
        f"/providers/Microsoft.ApiManagement/service/{outputs['apimServiceName']}"
    )
    service = json.loads(cloud.az("rest", "--method", "get", "--url", f"{path}?api-version=2024-05-01"))
    assert service["tags"]["genaigw-username"] == COMMAND["--username"]


def test_a_redeployment_keeps_what_was_drained_meanwhile(cloud: Cloud) -> None:
    assert cloud.script("--yes").returncode == 0
    outputs = json.loads((cloud.folder / "output.json").read_text())
    value = (
        f"/subscriptions/{cloud.ready['subscription_id']}/resourceGroups/{outputs['resourceGroupName']}"
        f"/providers/Microsoft.ApiManagement/service/{outputs['apimServiceName']}/namedValues/drained-backends"
        "?api-version=2024-05-01"
    )
    body = json.dumps({"properties": {"displayName": "drained-backends", "value": "paygEndpoint2", "secret": False}})
    cloud.az("rest", "--method", "put", "--url", value, "--headers", "If-Match=*", "--body", body)
    ran = cloud.script("--yes")
    assert ran.returncode == 0, ran.stderr
    assert "paygEndpoint2" in ran.stderr
    kept = json.loads(cloud.az("rest", "--method", "get", "--url", value))
    assert kept["properties"]["value"] == "paygEndpoint2"
