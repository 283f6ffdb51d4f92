"""Azure OpenAI accounts and their model deployments, as Resource Manager lists them. Reads only, asks for no keys.

Source: Microsoft.CognitiveServices REST, api-version 2025-09-01: accounts by subscription, deployments by account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import msgspec

from console.azure.arm import fetch_list
from console.azure.session import AzureSession
from console.domain.gateway import Account, ModelDeployment
from console.errors import ConsoleError, NotAllowed, SignInError

API_VERSION = "2025-09-01"
READ_ROLE = "Ask for the role Reader on the subscription or on the accounts."
CONCURRENT_READS = 8


class AccountProperties(msgspec.Struct, rename="camel"):
    """What is read of an account's properties."""

    endpoint: str | None = None
    custom_sub_domain_name: str | None = None
    endpoints: dict[str, Any] | None = None


class AccountResource(msgspec.Struct, rename="camel"):
    """An item of the accounts list."""

    id: str
    name: str
    location: str = ""
    kind: str = ""
    properties: AccountProperties = msgspec.field(default_factory=AccountProperties)


class Sku(msgspec.Struct, rename="camel"):
    """A SKU; `capacity` in PTUs or thousands of tokens a minute, by its name."""

    name: str = ""
    capacity: int | None = None


class Model(msgspec.Struct, rename="camel"):
    """Which model is deployed."""

    name: str = ""
    version: str | None = None


class RateLimit(msgspec.Struct, rename="camel"):
    """`count` a `renewal_period` (seconds); `key` is "token" or "request"."""

    key: str = ""
    renewal_period: float = 0
    count: float = 0


class DeploymentProperties(msgspec.Struct, rename="camel"):
    """What is read of a deployment's properties."""

    provisioning_state: str = ""
    model: Model = msgspec.field(default_factory=Model)
    rate_limits: list[RateLimit] | None = None
    spillover_deployment_name: str | None = None


class DeploymentResource(msgspec.Struct, rename="camel"):
    """An item of an account's deployments list."""

    name: str
    sku: Sku = msgspec.field(default_factory=Sku)
    properties: DeploymentProperties = msgspec.field(default_factory=DeploymentProperties)


async def fetch_accounts(session: AzureSession) -> tuple[list[Account], ConsoleError | None]:
    """Every account of the subscription that serves models, without its deployments.

    Where the subscription may not be listed, those of the gateway's resource group, and the refusal beside them.

    Raises:
        ConsoleError: neither can be listed.
    """
    subscription = f"/subscriptions/{session.profile.subscription_id}"
    try:
        return await _list_accounts(session, subscription), None
    except SignInError:
        raise
    except NotAllowed as refusal:
        accounts = await _list_accounts(session, f"{subscription}/resourceGroups/{session.profile.resource_group}")
        return accounts, NotAllowed(
            "Only the accounts of the gateway's resource group are known: the subscription may not be listed",
            where=refusal.where,
            remedy=READ_ROLE,
        )


async def _list_accounts(session: AzureSession, scope: str) -> list[Account]:
    resources = await fetch_list(
        session,
        f"{scope}/providers/Microsoft.CognitiveServices/accounts",
        AccountResource,
        api_version=API_VERSION,
        what="The Azure OpenAI accounts cannot be listed",
        remedy=READ_ROLE,
    )
    return sorted((parse_account(r) for r in resources if r.kind in ("OpenAI", "AIServices", "")), key=lambda a: a.name)


def parse_account(resource: AccountResource) -> Account:
    """An account with every host it answers to."""
    urls = [resource.properties.endpoint, *(resource.properties.endpoints or {}).values()]
    hosts = {(urlsplit(url).hostname or "").lower() for url in urls if isinstance(url, str)}
    name = (resource.properties.custom_sub_domain_name or "").lower()
    if name:
        hosts |= {f"{name}.openai.azure.com", f"{name}.cognitiveservices.azure.com", f"{name}.services.ai.azure.com"}
    return Account(
        resource_id=resource.id,
        name=resource.name,
        region=resource.location.replace(" ", "").lower(),
        hosts=tuple(sorted(host for host in hosts if host)),
    )


async def fetch_deployments(
    session: AzureSession, accounts: Collection[Account]
) -> tuple[dict[str, tuple[ModelDeployment, ...]], list[ConsoleError]]:
    """Model deployments by account id, and what went wrong for the accounts that are missing there."""
    gate = asyncio.Semaphore(CONCURRENT_READS)
    found: dict[str, tuple[ModelDeployment, ...]] = {}
    errors: list[ConsoleError] = []

    async def read(account: Account) -> None:
        async with gate:
            try:
                resources = await fetch_list(
                    session,
                    f"{account.resource_id}/deployments",
                    DeploymentResource,
                    api_version=API_VERSION,
                    what=f"The model deployments of {account.name} cannot be listed",
                    remedy=READ_ROLE,
                )
            except ConsoleError as error:
                errors.append(error)
                return
        found[account.resource_id] = tuple(sorted((parse_deployment(r) for r in resources), key=lambda d: d.name))

    await asyncio.gather(*(read(account) for account in accounts))
    return found, errors


def parse_deployment(resource: DeploymentResource) -> ModelDeployment:
    """A model deployment. Limits are per minute; a window shorter than a minute is scaled up."""
    limits = {
        limit.key: round(limit.count * 60 / limit.renewal_period)
        for limit in resource.properties.rate_limits or ()
        if limit.renewal_period
    }
    return ModelDeployment(
        name=resource.name,
        model_name=resource.properties.model.name,
        model_version=resource.properties.model.version or "",
        sku_name=resource.sku.name,
        capacity=resource.sku.capacity,
        provisioning_state=resource.properties.provisioning_state,
        spillover_deployment_name=resource.properties.spillover_deployment_name,
        tokens_per_minute_limit=limits.get("token"),
        requests_per_minute_limit=limits.get("request"),
    )
