"""What a team gets when it deploys infra/main.json, looked at resource by resource."""

from __future__ import annotations

from typing import Any

import pytest

from tests.accelerator.accelerator_files import POLICIES, compiled_template, policy_files
from tests.accelerator.arm_evaluation import Expanded, expand

ACCOUNT = (
    "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-models"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-ptu"
)
SERVICE = "Microsoft.ApiManagement/service"


def deployed(**given: Any) -> list[Expanded]:
    return expand(
        compiled_template(),
        {
            "username": "amira",
            "location": "swedencentral",
            "ptuEndpoint1": "https://contoso-ptu.openai.azure.com/",
            "paygEndpoint1": "https://contoso-weu.openai.azure.com",
            "paygEndpoint2": "https://contoso-frc.openai.azure.com",
            "policyFragment": "retry-with-payg",
        }
        | given,
    )


def only(resources: list[Expanded], kind: str) -> dict[str, dict[str, Any]]:
    """Properties by the name below the service."""
    return {r.name.partition("/")[2]: r.body.get("properties", {}) for r in resources if r.type == f"{SERVICE}/{kind}"}


def test_backends_take_scheme_and_host_of_the_endpoints_whatever_their_last_slash() -> None:
    urls = {name: p["url"] for name, p in only(deployed(), "backends").items() if p["type"] == "Single"}
    assert urls == {
        "ptuEndpoint1": "https://contoso-ptu.openai.azure.com/openai",
        "paygEndpoint1": "https://contoso-weu.openai.azure.com/openai",
        "paygEndpoint2": "https://contoso-frc.openai.azure.com/openai",
    }


def test_every_single_backend_has_one_breaker_rule_for_refusals_and_errors_that_honours_retry_after() -> None:
    for name, properties in only(deployed(), "backends").items():
        if properties["type"] == "Single":
            (rule,) = properties["circuitBreaker"]["rules"]
            ranges = rule["failureCondition"]["statusCodeRanges"]
            assert {(r["min"], r["max"]) for r in ranges} == {(429, 429), (500, 599)}, name
            assert rule["acceptRetryAfter"] is True


def test_pools_hold_the_members_priorities_and_weights_they_promise() -> None:
    pools = {
        name: [(m["id"].rpartition("/")[2], m["priority"], m["weight"]) for m in p["pool"]["services"]]
        for name, p in only(deployed(), "backends").items()
        if p["type"] == "Pool"
    }
    assert pools == {
        "chat-pool": [("ptuEndpoint1", 1, 100), ("paygEndpoint1", 2, 50), ("paygEndpoint2", 2, 50)],
        "round-robin-pool": [("ptuEndpoint1", 1, 1), ("paygEndpoint1", 1, 1), ("paygEndpoint2", 1, 1)],
        "weighted-pool": [("ptuEndpoint1", 1, 60), ("paygEndpoint1", 1, 30), ("paygEndpoint2", 1, 10)],
        "embeddings-pool": [("paygEndpoint1", 1, 50), ("paygEndpoint2", 1, 50)],
    }


@pytest.mark.parametrize(
    ("given", "deployed_value"), [("none", "none"), ("", "none"), ("ptuEndpoint1", "ptuEndpoint1")]
)
def test_a_redeployment_keeps_the_drained_backends_it_is_told(given: str, deployed_value: str) -> None:
    values = only(deployed(drainedBackends=given), "namedValues")
    assert values["drained-backends"]["value"] == deployed_value


def test_every_named_value_backend_and_pool_a_fragment_expects_is_deployed() -> None:
    resources = deployed()
    backends, values = only(resources, "backends"), only(resources, "namedValues")
    loggers = only(resources, "loggers")
    for fragment in policy_files("fragment"):
        header = fragment.header
        for name in header.get("expects-backend", ()):
            assert backends[name]["type"] == "Single", fragment.name
        for name in header.get("expects-pool", ()):
            assert backends[name]["type"] == "Pool", fragment.name
        assert set(header.get("expects-named-value", ())) <= set(values), fragment.name
        assert set(header.get("expects-logger", ())) <= set(loggers), fragment.name


def test_no_named_value_is_empty_because_the_gateway_refuses_that() -> None:
    for name, properties in only(deployed(), "namedValues").items():
        assert properties["value"], name
        assert properties["displayName"] == name


def test_all_fragments_are_deployed_raw_and_unchanged() -> None:
    fragments = only(deployed(), "policyFragments")
    assert {n: p["value"] for n, p in fragments.items()} == {f.name: f.text for f in policy_files("fragment")}
    assert {p["format"] for p in fragments.values()} == {"rawxml"}


def test_things_are_deployed_after_what_they_need() -> None:
    order = [resource.type.removeprefix(f"{SERVICE}/") for resource in deployed()]
    steps = ["namedValues", "backends", "policyFragments", "apis", "apis/operations", "apis/policies"]
    assert sorted(steps, key=order.index) == steps


@pytest.mark.parametrize("name", compiled_template()["parameters"]["policyFragment"]["allowedValues"])
def test_the_inference_api_has_the_policy_of_the_chosen_fragment(name: str) -> None:
    policies = only(deployed(policyFragment=name), "apis/policies")
    (file,) = POLICIES.glob(f"*/{name}.policy.xml")
    assert policies["azure-openai/policy"]["value"] == file.read_text(encoding="utf-8")


def test_the_inference_api_serves_what_the_clients_of_azure_openai_call() -> None:
    resources = deployed()
    assert only(resources, "apis")["azure-openai"]["path"] == "openai"
    assert only(resources, "apis")["azure-openai"]["subscriptionKeyParameterNames"]["header"] == "api-key"
    routes = {p["urlTemplate"] for n, p in only(resources, "apis/operations").items() if n.startswith("azure-openai/")}
    assert routes == {
        "/deployments/{deployment-id}/chat/completions",
        "/deployments/{deployment-id}/completions",
        "/deployments/{deployment-id}/embeddings",
        "/responses",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
    }


def test_capability_apis_come_only_on_request_one_for_each() -> None:
    assert not [name for name in only(deployed(), "apis") if name.startswith("capability-")]
    allowed = compiled_template()["parameters"]["policyFragment"]["allowedValues"]
    resources = deployed(capabilityApis=True)
    apis = only(resources, "apis")
    assert {p["path"] for n, p in apis.items() if n.startswith("capability-")} == {f"{n}/openai" for n in allowed}
    for name in allowed:
        (file,) = POLICIES.glob(f"*/{name}.policy.xml")
        policy = only(resources, "apis/policies")[f"capability-{name}/policy"]
        assert policy["value"] == file.read_text(encoding="utf-8")


def test_callers_of_the_models_cannot_set_the_latency_order() -> None:
    resources = deployed(capabilityApis=True)
    assert "latency-order" not in {name.rpartition("/")[2] for name in only(resources, "products/apis")}
    scope = only(resources, "subscriptions")["latency-order-operator"]["scope"]
    assert scope.endswith("/apis/latency-order")


def test_logs_go_to_the_resource_specific_tables_llm_logs_included() -> None:
    resources = deployed()
    (setting,) = [r for r in resources if r.type == "Microsoft.Insights/diagnosticSettings"]
    properties = setting.body["properties"]
    assert properties["logAnalyticsDestinationType"] == "Dedicated"
    assert {log["category"] for log in properties["logs"] if log["enabled"]} == {"GatewayLogs", "GatewayLlmLogs"}
    llm = only(resources, "apis/diagnostics")["azure-openai/azuremonitor"]
    assert llm["largeLanguageModel"]["logs"] == "enabled"
    # message texts stay out of the logs
    assert set(llm["largeLanguageModel"]) == {"logs"}


def test_the_gateway_may_call_each_given_account_where_it_lives() -> None:
    resources = deployed(accountResourceIds=[ACCOUNT])
    (role,) = [
        r
        for r in resources
        if r.type == "Microsoft.Authorization/roleAssignments" and "CognitiveServices" in r.body["scope"]
    ]
    assert (role.subscription, role.group) == ("00000000-0000-0000-0000-000000000002", "rg-models")
    assert role.body["scope"] == ACCOUNT
    assert role.body["properties"]["roleDefinitionId"].endswith("/5e0bd9bd-7b93-4f28-af87-19fc36ad61bd")


def test_alerts_watch_caller_429s_and_the_utilization_of_each_account() -> None:
    alerts = [r.body["properties"] for r in deployed(accountResourceIds=[ACCOUNT]) if r.type.endswith("/metricAlerts")]
    metrics = {criterion["metricName"] for alert in alerts for criterion in alert["criteria"]["allOf"]}
    assert metrics == {"Requests", "AzureOpenAIProvisionedManagedUtilizationV2"}
    assert [ACCOUNT] in [alert["scopes"] for alert in alerts]


def test_the_operator_role_can_drain_and_deploy_fragments_and_cannot_read_secrets_or_delete_backends() -> None:
    (role,) = [r.body["properties"] for r in deployed() if r.type == "Microsoft.Authorization/roleDefinitions"]
    (permissions,) = role["permissions"]
    actions = set(permissions["actions"])
    assert {f"{SERVICE}/backends/write", f"{SERVICE}/namedValues/write", f"{SERVICE}/policyFragments/write"} <= actions
    assert not [a for a in actions if "*" in a]
    assert not [a for a in actions if "listsecrets" in a.lower() or "listvalue" in a.lower() or "listkeys" in a.lower()]
    assert f"{SERVICE}/backends/delete" not in actions
    assert not permissions["dataActions"]
    assert not [r for r in deployed(deployOperatorRole=False) if r.type == "Microsoft.Authorization/roleDefinitions"]


def test_names_do_not_depend_on_what_characters_a_username_has() -> None:
    for username in ("amira", "o'brien", 'quo"te', "$(id)", "line\nbreak", "[concat('x')]"):
        resources = deployed(username=username)
        (service,) = [r for r in resources if r.type == SERVICE]
        assert service.name.replace("-", "").isalnum()
        assert len(service.name) <= 50
        assert service.body["tags"] == {"genaigw-username": username}


def test_outputs_tell_where_the_gateway_is_and_no_secret() -> None:
    assert set(compiled_template()["outputs"]) == {"gatewayUrl", "apimServiceName", "resourceGroupName", "workspaceId"}
    assert "listSecrets" not in str(compiled_template())
    assert "listKeys" not in str(compiled_template())
