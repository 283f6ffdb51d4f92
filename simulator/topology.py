"""The demonstration gateway, written into the resource store as the ARM bodies an engineer would have deployed.

Two provisioned (PTU) and three pay-as-you-go backends, a chat pool that prefers the provisioned ones, a pool of
pay-as-you-go backends that refused calls spill to, an embeddings pool, and one backend that a fragment names past
every pool. This file only writes bodies; what they do is for the rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.names import (
    GATEWAY_HOST,
    GATEWAY_PRINCIPAL_ID,
    GROUP,
    REGION,
    SERVICE,
    SUBSCRIPTION,
    SUBSCRIPTION_ID,
    TENANT_ID,
    WORKSPACE,
    WORKSPACE_CUSTOMER_ID,
    account_host,
    account_id,
)
from simulator.topology_policies import (
    API_POLICY,
    AUTHENTICATE_FRAGMENT,
    EMBEDDINGS_POLICY,
    GLOBAL_POLICY,
    LEGACY_POLICY,
    OLD_ROUTE_FRAGMENT,
    SPILL_FRAGMENT,
)
from simulator.world import World

APIM = "Microsoft.ApiManagement/service"
CALLERS = ("app-support-bot", "app-search", "app-batch-summaries", "app-copilot-portal")


@dataclass(frozen=True, slots=True)
class ModelDeployment:
    """A model deployment to write: `capacity` in PTUs or thousands of tokens per minute, by `sku_name`."""

    name: str
    model_name: str
    model_version: str
    sku_name: str
    capacity: int
    spillover_to: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An Azure OpenAI account, its deployments and the gateway backend that points at it."""

    name: str
    location: str
    backend: str
    deployments: tuple[ModelDeployment, ...]


def _gpt(sku_name: str, capacity: int) -> ModelDeployment:
    return ModelDeployment("gpt-4o", "gpt-4o", "2024-11-20", sku_name, capacity)


def _embedding(capacity: int) -> ModelDeployment:
    return ModelDeployment("text-embedding-3-large", "text-embedding-3-large", "1", "Standard", capacity)


ACCOUNTS: tuple[Account, ...] = (
    Account("aoai-contoso-swc-ptu", "swedencentral", "ptu-swedencentral", (_gpt("ProvisionedManaged", 100),)),
    Account("aoai-contoso-eus2-ptu", "eastus2", "ptu-eastus2", (_gpt("ProvisionedManaged", 250),)),
    Account("aoai-contoso-swc", "swedencentral", "payg-swedencentral", (_gpt("Standard", 300), _embedding(350))),
    Account("aoai-contoso-wus", "westus", "payg-westus", (_gpt("Standard", 300), _embedding(350))),
    Account("aoai-contoso-frc", "francecentral", "payg-legacy", (_gpt("Standard", 100),)),
)

POOLS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "chat-pool": (
        ("ptu-swedencentral", 1, 50),
        ("ptu-eastus2", 1, 50),
        ("payg-swedencentral", 2, 50),
        ("payg-westus", 2, 50),
    ),
    "payg-pool": (("payg-swedencentral", 1, 50), ("payg-westus", 1, 50)),
    "embeddings-pool": (("payg-swedencentral", 1, 50), ("payg-westus", 1, 50)),
}
"""Pool name -> (backend, priority, weight)."""

FRAGMENTS: dict[str, tuple[str, str]] = {
    "authenticate-to-models": ("Swap the caller's key for the gateway's identity", AUTHENTICATE_FRAGMENT),
    "spill-to-payg": ("Retry refused calls on pay-as-you-go", SPILL_FRAGMENT),
    "old-route": ("Route of the first release, before there were pools", OLD_ROUTE_FRAGMENT),
}

OPERATIONS: tuple[tuple[str, str, str], ...] = (
    (
        "ChatCompletions_Create",
        "Creates a completion for the chat message",
        "/deployments/{deployment-id}/chat/completions",
    ),
    ("Completions_Create", "Creates a completion for the provided prompt", "/deployments/{deployment-id}/completions"),
    ("Embeddings_Create", "Get a vector representation of a given input", "/deployments/{deployment-id}/embeddings"),
    ("Responses_Create", "Creates a model response", "/responses"),
)


def write_demo(world: World) -> None:
    """Write the whole demonstration world: subscription, group, workspace, accounts and the gateway."""
    write_platform(world)
    write_accounts(world)
    write_gateway(world)


def write_platform(world: World) -> None:
    """The subscription, the resource group and the Log Analytics workspace."""
    put = world.store.put
    put(
        SUBSCRIPTION,
        "Microsoft.Resources/subscriptions",
        {
            "subscriptionId": SUBSCRIPTION_ID,
            "tenantId": TENANT_ID,
            "displayName": "Contoso Production",
            "state": "Enabled",
            "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "spendingLimit": "Off"},
        },
    )
    put(
        GROUP,
        "Microsoft.Resources/resourceGroups",
        {"location": REGION, "tags": {"environment": "production"}, "properties": {"provisioningState": "Succeeded"}},
    )
    put(
        WORKSPACE,
        "Microsoft.OperationalInsights/workspaces",
        {
            "location": REGION,
            "properties": {
                "customerId": WORKSPACE_CUSTOMER_ID,
                "provisioningState": "Succeeded",
                "sku": {"name": "PerGB2018"},
                "retentionInDays": 30,
            },
        },
    )


def write_accounts(world: World, accounts: Sequence[Account] = ACCOUNTS) -> None:
    """The Azure OpenAI accounts with their model deployments. Keys are hidden, as Azure hides them."""
    keys = world.random("account-keys")
    for account in accounts:
        resource_id = account_id(account.name)
        world.store.put(
            resource_id,
            "Microsoft.CognitiveServices/accounts",
            {
                "location": account.location,
                "kind": "OpenAI",
                "sku": {"name": "S0"},
                "properties": {
                    "provisioningState": "Succeeded",
                    "endpoint": f"https://{account_host(account.name)}/",
                    "customSubDomainName": account.name,
                    "publicNetworkAccess": "Enabled",
                    "disableLocalAuth": False,
                },
            },
            hidden={"key1": f"{keys.getrandbits(128):032x}", "key2": f"{keys.getrandbits(128):032x}"},
        )
        for deployment in account.deployments:
            write_deployment(world, account.name, deployment)


def write_deployment(world: World, account_name: str, deployment: ModelDeployment) -> None:
    """One model deployment, as `GET .../deployments/{name}` shows it."""
    provisioned = "Provisioned" in deployment.sku_name
    limits = [{"key": "request", "renewalPeriod": 10, "count": deployment.capacity if not provisioned else 100}]
    if not provisioned:
        limits.append({"key": "token", "renewalPeriod": 60, "count": deployment.capacity * 1000})
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "model": {"format": "OpenAI", "name": deployment.model_name, "version": deployment.model_version},
        "versionUpgradeOption": "NoAutoUpgrade",
        "currentCapacity": deployment.capacity,
        "raiPolicyName": "Microsoft.DefaultV2",
        "rateLimits": limits,
    }
    if deployment.spillover_to is not None:
        properties["spilloverDeploymentName"] = deployment.spillover_to
    world.store.put(
        f"{account_id(account_name)}/deployments/{deployment.name}",
        "Microsoft.CognitiveServices/accounts/deployments",
        {"sku": {"name": deployment.sku_name, "capacity": deployment.capacity}, "properties": properties},
    )


def write_gateway(world: World) -> None:
    """The API Management service and everything below it."""
    _write_service(world)
    _write_backends(world)
    _write_policies(world)
    _write_consumers(world)
    _write_diagnostics(world)


def _write_service(world: World) -> None:
    world.store.put(
        SERVICE,
        APIM,
        {
            "location": REGION,
            "sku": {"name": "Premium", "capacity": 2},
            "identity": {"type": "SystemAssigned", "principalId": GATEWAY_PRINCIPAL_ID, "tenantId": TENANT_ID},
            "properties": {
                "provisioningState": "Succeeded",
                "targetProvisioningState": "",
                "gatewayUrl": f"https://{GATEWAY_HOST}",
                "gatewayRegionalUrl": f"https://{GATEWAY_HOST.split('.')[0]}-{REGION}-01.regional.azure-api.net",
                "managementApiUrl": f"https://{GATEWAY_HOST.split('.')[0]}.management.azure-api.net",
                "publisherEmail": "genai-platform@contoso.example",
                "publisherName": "Contoso",
                "platformVersion": "stv2.1",
                "virtualNetworkType": "None",
                "publicNetworkAccess": "Enabled",
                "disableGateway": False,
                "createdAtUtc": "2025-03-04T08:12:31.0000000Z",
                "hostnameConfigurations": [
                    {
                        "type": "Proxy",
                        "hostName": GATEWAY_HOST,
                        "defaultSslBinding": True,
                        "certificateSource": "BuiltIn",
                    }
                ],
                "customProperties": {},
            },
        },
    )


def breaker(*, provisioned: bool) -> dict[str, Any]:
    """The breaker of a demo backend: one 429 opens it for as long as the model asks; server errors need three."""
    ranges = [{"min": 429, "max": 429}] if provisioned else [{"min": 429, "max": 429}, {"min": 500, "max": 503}]
    return {
        "rules": [
            {
                "name": "refused" if provisioned else "refused-or-failing",
                "failureCondition": {
                    "count": 1 if provisioned else 3,
                    "interval": "PT1M",
                    "statusCodeRanges": ranges,
                    "errorReasons": ["Server errors"],
                },
                "tripDuration": "PT10S" if provisioned else "PT30S",
                "acceptRetryAfter": True,
            }
        ]
    }


def _write_backends(world: World) -> None:
    put = world.store.put
    for account in ACCOUNTS:
        properties: dict[str, Any] = {
            "title": account.backend,
            "description": f"{account.deployments[0].sku_name} in {account.location}",
            "url": f"https://{account_host(account.name)}/openai",
            "protocol": "http",
            "type": "Single",
            "resourceId": f"https://management.azure.com{account_id(account.name)}",
            "tls": {"validateCertificateChain": True, "validateCertificateName": True},
        }
        if account.backend != "payg-legacy":
            properties["circuitBreaker"] = breaker(provisioned=account.backend.startswith("ptu-"))
        put(f"{SERVICE}/backends/{account.backend}", f"{APIM}/backends", {"properties": properties})
    for pool, members in POOLS.items():
        services = [
            {"id": f"{SERVICE}/backends/{backend}", "priority": priority, "weight": weight}
            for backend, priority, weight in members
        ]
        put(
            f"{SERVICE}/backends/{pool}",
            f"{APIM}/backends",
            {
                "properties": {
                    "title": None,
                    "description": f"Pool of {len(services)} backends",
                    "url": None,
                    "protocol": None,
                    "type": "Pool",
                    "pool": {"services": services},
                }
            },
        )
    put(
        f"{SERVICE}/namedValues/drained-backends",
        f"{APIM}/namedValues",
        {"properties": {"displayName": "drained-backends", "value": "none", "secret": False, "tags": []}},
    )


def _write_policies(world: World) -> None:
    put = world.store.put
    for name, (description, text) in FRAGMENTS.items():
        put(
            f"{SERVICE}/policyFragments/{name}",
            f"{APIM}/policyFragments",
            {"properties": {"description": description, "format": "rawxml", "value": text}},
        )
    put_policy(world, SERVICE, f"{APIM}/policies", GLOBAL_POLICY)
    _write_api(world, "azure-openai", "Azure OpenAI Service API", "openai", OPERATIONS)
    put_policy(world, f"{SERVICE}/apis/azure-openai", f"{APIM}/apis/policies", API_POLICY)
    put_policy(
        world,
        f"{SERVICE}/apis/azure-openai/operations/Embeddings_Create",
        f"{APIM}/apis/operations/policies",
        EMBEDDINGS_POLICY,
    )
    _write_api(world, "legacy-chat", "Chat, first release", "legacy", OPERATIONS[:1])
    put_policy(world, f"{SERVICE}/apis/legacy-chat", f"{APIM}/apis/policies", LEGACY_POLICY)


def put_policy(world: World, scope_id: str, resource_type: str, text: str) -> None:
    """Write the policy document of a scope."""
    world.store.put(f"{scope_id}/policies/policy", resource_type, {"properties": {"format": "rawxml", "value": text}})


def _write_api(world: World, name: str, title: str, path: str, operations: tuple[tuple[str, str, str], ...]) -> None:
    api_id = f"{SERVICE}/apis/{name}"
    world.store.put(
        api_id,
        f"{APIM}/apis",
        {
            "properties": {
                "displayName": title,
                "apiRevision": "1",
                "isCurrent": True,
                "subscriptionRequired": True,
                "path": path,
                "protocols": ["https"],
                "serviceUrl": None,
                "type": "http",
                "subscriptionKeyParameterNames": {"header": "api-key", "query": "subscription-key"},
            }
        },
    )
    for operation, display_name, template in operations:
        parameters = [{"name": "deployment-id", "type": "string", "required": True, "values": []}]
        world.store.put(
            f"{api_id}/operations/{operation}",
            f"{APIM}/apis/operations",
            {
                "properties": {
                    "displayName": display_name,
                    "method": "POST",
                    "urlTemplate": template,
                    "templateParameters": parameters if "{" in template else [],
                    "responses": [],
                }
            },
        )


def _write_consumers(world: World) -> None:
    put = world.store.put
    put(
        f"{SERVICE}/products/genai",
        f"{APIM}/products",
        {
            "properties": {
                "displayName": "GenAI",
                "description": "Chat and embeddings for Contoso's applications",
                "subscriptionRequired": True,
                "approvalRequired": True,
                "state": "published",
            }
        },
    )
    for api in ("azure-openai", "legacy-chat"):
        put(
            f"{SERVICE}/products/genai/apis/{api}",
            f"{APIM}/products/apis",
            {"properties": dict(world.store.get(f"{SERVICE}/apis/{api}").properties)},  # type: ignore[union-attr]
        )
    keys = world.random("subscription-keys")
    for caller in CALLERS:
        put(
            f"{SERVICE}/subscriptions/{caller}",
            f"{APIM}/subscriptions",
            {
                "properties": {
                    "scope": f"{SERVICE}/products/genai",
                    "displayName": caller,
                    "ownerId": f"{SERVICE}/users/1",
                    "state": "active",
                    "createdDate": "2025-03-05T10:00:00Z",
                    "allowTracing": False,
                }
            },
            hidden={"primaryKey": f"{keys.getrandbits(128):032x}", "secondaryKey": f"{keys.getrandbits(128):032x}"},
        )


def _write_diagnostics(world: World) -> None:
    put = world.store.put
    put(
        f"{SERVICE}/loggers/azuremonitor",
        f"{APIM}/loggers",
        {"properties": {"loggerType": "azureMonitor", "isBuffered": True}},
    )
    put(
        f"{SERVICE}/diagnostics/azuremonitor",
        f"{APIM}/diagnostics",
        {
            "properties": {
                "loggerId": f"{SERVICE}/loggers/azuremonitor",
                "alwaysLog": "allErrors",
                "sampling": {"samplingType": "fixed", "percentage": 100.0},
                "verbosity": "information",
                "logClientIp": True,
                "largeLanguageModel": {"logs": "enabled"},
            }
        },
    )
    put(
        f"{SERVICE}/providers/Microsoft.Insights/diagnosticSettings/to-log-analytics",
        "Microsoft.Insights/diagnosticSettings",
        {
            "properties": {
                "workspaceId": WORKSPACE,
                "logAnalyticsDestinationType": "Dedicated",
                "logs": [{"category": c, "enabled": True} for c in ("GatewayLogs", "GatewayLlmLogs")],
                "metrics": [{"category": "AllMetrics", "enabled": False}],
            }
        },
    )
