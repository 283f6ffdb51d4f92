"""scripts/deploy-bicep.sh with the real Azure CLI against the embedded Azure over TLS: what-if, then create.

Opt-in, because the CLI is large and slow: set GENAIGW_AZ to the path of an `az` (2.91 was tried). Nothing here leaves
loopback: the CLI's cloud, its login and its certificate authority are all the test's own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.accelerator.accelerator_files import ROOT
from tests.az_cloud import DEADLINE_SECONDS, Cloud, az_cloud, az_is_wanted

pytestmark = az_is_wanted
COMMAND = {
    "--username": 'o\'brien "the" $HOME',
    "--location": "swedencentral",
    "--ptuEndpoint1": "https://aoai-contoso-swc-ptu.openai.azure.com",
    "--paygEndpoint1": "https://aoai-contoso-swc.openai.azure.com",
    "--paygEndpoint2": "https://aoai-contoso-wus.openai.azure.com",
    "--policyFragment": "retry-with-payg",
}


def script(cloud: Cloud, *extra: str) -> subprocess.CompletedProcess[str]:
    arguments = [part for pair in COMMAND.items() for part in pair]
    return subprocess.run(
        [str(ROOT / "scripts" / "deploy-bicep.sh"), *arguments, *extra],
        cwd=cloud.folder,
        env=cloud.environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    options = ("--scenario", "calm", "--no-traffic", "--history", "60s", "--speed", "600")
    with az_cloud(tmp_path_factory.mktemp("az"), *options) as there:
        yield there


def test_what_if_shows_the_whole_gateway_and_deploys_nothing(cloud: Cloud) -> None:
    ran = script(cloud, "--what-if")
    assert ran.returncode == 0, ran.stderr
    assert "policyFragments/retry-with-payg" in ran.stdout
    assert not list(cloud.folder.iterdir())


def test_the_gateway_is_deployed_and_its_outputs_written(cloud: Cloud) -> None:
    ran = script(cloud, "--yes")
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
    assert script(cloud, "--yes").returncode == 0
    outputs = json.loads((cloud.folder / "output.json").read_text())
    value = (
        f"/subscriptions/{cloud.ready['subscription_id']}/resourceGroups/{outputs['resourceGroupName']}"
        f"/providers/Microsoft.ApiManagement/service/{outputs['apimServiceName']}/namedValues/drained-backends"
        "?api-version=2024-05-01"
    )
    body = json.dumps({"properties": {"displayName": "drained-backends", "value": "paygEndpoint2", "secret": False}})
    cloud.az("rest", "--method", "put", "--url", value, "--headers", "If-Match=*", "--body", body)
    ran = script(cloud, "--yes")
    assert ran.returncode == 0, ran.stderr
    assert "paygEndpoint2" in ran.stderr
    kept = json.loads(cloud.az("rest", "--method", "get", "--url", value))
    assert kept["properties"]["value"] == "paygEndpoint2"
