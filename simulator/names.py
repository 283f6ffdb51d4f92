"""The names of the demonstration world: ids, hosts and places that several rooms must agree on.

Every id is a made-up constant; nothing here reads state.
"""

from __future__ import annotations

SUBSCRIPTION_ID = "0a1b2c3d-0000-4000-8000-00000000c0de"
TENANT_ID = "0a1b2c3d-0000-4000-8000-0000000000ff"
RESOURCE_GROUP = "rg-genai-gateway"
SERVICE_NAME = "apim-contoso-prod"
REGION = "swedencentral"
WORKSPACE_NAME = "log-contoso-genai"
WORKSPACE_CUSTOMER_ID = "0a1b2c3d-0000-4000-8000-00000000109a"
GATEWAY_PRINCIPAL_ID = "0a1b2c3d-0000-4000-8000-0000000a91d1"

SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
SERVICE = f"{GROUP}/providers/Microsoft.ApiManagement/service/{SERVICE_NAME}"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/{WORKSPACE_NAME}"
GATEWAY_HOST = f"{SERVICE_NAME}.azure-api.net"


def account_id(name: str) -> str:
    """The ARM id of an Azure OpenAI account of the demonstration world."""
    return f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/{name}"


def account_host(name: str) -> str:
    """The data-plane host of an account."""
    return f"{name}.openai.azure.com"
