"""An operator's own `az` on the embedded Azure: it lists, measures, queries and deploys. Opt-in: `make test-az`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.az_cloud import Cloud, az_cloud, az_is_wanted

pytestmark = az_is_wanted

GROUP = "rg-genai-gateway"
TEMPLATE = """{
  // az sends comments as they stand
  "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"name": {"type": "string"}, "location": {"type": "string", "defaultValue": "swedencentral"}},
  "resources": [
    {
      "type": "Microsoft.Resources/resourceGroups",
      "apiVersion": "2024-03-01",
      "name": "[parameters('name')]",
      "location": "[parameters('location')]",
      "tags": {"made-by": "a drill"}
    },
    {
      "type": "Microsoft.Resources/deployments",
      "apiVersion": "2024-03-01",
      "name": "inner",
      "resourceGroup": "[parameters('name')]",
      "dependsOn": ["[resourceId('Microsoft.Resources/resourceGroups', parameters('name'))]"],
      "properties": {
        "mode": "Incremental",
        "expressionEvaluationOptions": {"scope": "inner"},
        "parameters": {"location": {"value": "[parameters('location')]"}},
        "template": {
          "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
          "contentVersion": "1.0.0.0",
          "parameters": {"location": {"type": "string"}},
          "resources": [
            {
              "type": "Microsoft.ApiManagement/service",
              "apiVersion": "2024-05-01",
              "name": "[concat('apim-drill-', uniqueString(resourceGroup().id))]",
              "location": "[parameters('location')]",
              "sku": {"name": "Developer", "capacity": 1},
              "properties": {"publisherEmail": "ops@contoso.com", "publisherName": "Contoso"}
            }
          ]
        }
      }
    }
  ],
  "outputs": {"group": {"type": "string", "value": "[parameters('name')]"}}
}
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with az_cloud(tmp_path_factory.mktemp("az"), "--scenario", "ptu-saturation", "--history", "20m") as there:
        (there.folder / "template.json").write_text(TEMPLATE)
        yield there


def test_login_shows_the_subscription(cloud: Cloud) -> None:
    account = cloud.az_json("account", "show")
    assert account["id"] == cloud.ready["subscription_id"]
    assert account["state"] == "Enabled"


def test_backends_are_listed(cloud: Cloud) -> None:
    """`az apim backend` exists in newer releases only; the others reach the same operation by `az rest`."""
    service = cloud.ready["service_name"]
    listed = cloud.run("apim", "backend", "list", "--resource-group", GROUP, "--service-name", service)
    if listed.returncode == 0:
        names = {backend["name"] for backend in json.loads(listed.stdout)}
    else:
        assert "misspelled or not recognized" in listed.stderr, listed.stderr
        path = f"/subscriptions/{cloud.ready['subscription_id']}/resourceGroups/{GROUP}/providers"
        path += f"/Microsoft.ApiManagement/service/{service}/backends?api-version=2024-05-01"
        names = {backend["name"] for backend in cloud.az_json("rest", "--url", path)["value"]}
    assert {"ptu-swedencentral", "ptu-eastus2", "payg-swedencentral", "payg-westus", "chat-pool"} <= names


def test_the_service_and_its_apis_are_shown(cloud: Cloud) -> None:
    service = cloud.ready["service_name"]
    shown = cloud.az_json("apim", "show", "--resource-group", GROUP, "--name", service)
    apis = cloud.az_json("apim", "api", "list", "--resource-group", GROUP, "--service-name", service)
    values = cloud.az_json("apim", "nv", "list", "--resource-group", GROUP, "--service-name", service)
    assert shown["gatewayUrl"] == f"https://{service}.azure-api.net"
    assert {"azure-openai", "legacy-chat"} <= {api["name"] for api in apis}
    assert "drained-backends" in {value["name"] for value in values}


def test_accounts_and_their_model_deployments_are_listed(cloud: Cloud) -> None:
    accounts = cloud.az_json("cognitiveservices", "account", "list", "--resource-group", GROUP)
    where = ("--resource-group", GROUP, "--name", "aoai-contoso-swc-ptu")
    deployments = cloud.az_json("cognitiveservices", "account", "deployment", "list", *where)
    assert len(accounts) == 5
    assert [(d["name"], d["sku"]["name"]) for d in deployments] == [("gpt-4o", "ProvisionedManaged")]


def test_metrics_are_listed(cloud: Cloud) -> None:
    path = f"/subscriptions/{cloud.ready['subscription_id']}/resourceGroups/{GROUP}/providers"
    resource = f"{path}/Microsoft.CognitiveServices/accounts/aoai-contoso-swc-ptu"
    options = ("--metrics", "AzureOpenAIRequests", "--interval", "PT1M", "--aggregation", "Total", "--offset", "15m")
    answer = cloud.az_json("monitor", "metrics", "list", "--resource", resource, *options)
    points = [point for series in answer["value"][0]["timeseries"] for point in series["data"]]
    assert sum(point.get("total") or 0 for point in points) > 100


def test_logs_are_queried(cloud: Cloud) -> None:
    """`az monitor log-analytics query` is an extension from the web; without it, the request it makes."""
    query = "ApiManagementGatewayLogs | summarize requests = count() by ResponseCode | order by requests"
    workspace = cloud.ready["workspace_id"]
    extended = cloud.run("monitor", "log-analytics", "query", "--workspace", workspace, "--analytics-query", query)
    if extended.returncode == 0:
        first: Any = json.loads(extended.stdout)[0]["ResponseCode"]
    else:
        assert "misspelled or not recognized" in extended.stderr, extended.stderr
        body = json.dumps({"query": query, "timespan": "PT1H"})
        url = f"{cloud.base_url}/hosts/api.loganalytics.io/v1/workspaces/{workspace}/query"
        where = ("--url", url, "--resource", "https://api.loganalytics.io", "--body", body)
        first = cloud.az_json("rest", "--method", "post", *where)["tables"][0]["rows"][0][0]
    assert int(first) == 200


def test_a_subscription_deployment_is_foreseen_made_and_seen(cloud: Cloud) -> None:
    what = ("--name", "drill", "--location", "swedencentral", "--template-file", "template.json")
    named = ("--parameters", "name=rg-drill")
    foreseen = cloud.az_json("deployment", "sub", "what-if", *what, *named, "--no-pretty-print")
    kinds = {change["resourceId"].split("/")[-1].split("-")[0]: change["changeType"] for change in foreseen["changes"]}
    assert kinds["rg"] == "Create"
    cloud.az("rest", "--method", "post", "--url", f"{cloud.base_url}/_control/clock", "--body", '{"speed": 60}')
    made = cloud.az_json("deployment", "sub", "create", *what, *named)
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert made["properties"]["outputs"]["group"]["value"] == "rg-drill"
    operations = cloud.az_json("deployment", "operation", "sub", "list", "--name", "drill")
    assert {operation["properties"]["provisioningState"] for operation in operations} == {"Succeeded"}
    assert cloud.az_json("group", "show", "--name", "rg-drill")["tags"] == {"made-by": "a drill"}


def test_a_deployment_is_cancelled(cloud: Cloud) -> None:
    cloud.az("rest", "--method", "post", "--url", f"{cloud.base_url}/_control/clock", "--body", '{"speed": 1}')
    what = ("--name", "stopped", "--location", "swedencentral", "--template-file", "template.json")
    cloud.az("deployment", "sub", "create", *what, "--parameters", "name=rg-stopped", "--no-wait")
    cloud.az("deployment", "sub", "cancel", "--name", "stopped")
    shown = cloud.az_json("deployment", "sub", "show", "--name", "stopped")
    assert shown["properties"]["provisioningState"] == "Canceled"


def test_a_refusal_is_told_in_azures_words(cloud: Cloud) -> None:
    gone = cloud.run("apim", "show", "--resource-group", GROUP, "--name", "absent")
    assert gone.returncode != 0
    assert "ResourceNotFound" in gone.stderr
