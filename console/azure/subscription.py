"""What a subscription is and offers: regions, providers, SKUs and names of API Management, gateways that stand there.

Reads only. Source: Resource Manager "Subscriptions" 2022-12-01, "Providers" 2021-04-01; Microsoft.ApiManagement
2024-05-01: SKUs - List, Deleted Services - List By Subscription, API Management Service - List and - Check Name
Availability.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from console.azure.access import Permission
from console.azure.arm import decode, fetch_list
from console.azure.session import AzureSession

APIM_VERSION = "2024-05-01"
READ_ROLE = "Ask for the role Reader on the subscription."


class Subscription(msgspec.Struct, rename="camel"):
    """A subscription as its owner sees it."""

    display_name: str = ""
    state: str = ""
    tenant_id: str = ""


class Region(msgspec.Struct, rename="camel"):
    """A region: `swedencentral`, "Sweden Central"."""

    name: str
    display_name: str = ""


class Provider(msgspec.Struct, rename="camel"):
    """A resource provider's registration."""

    namespace: str
    registration_state: str = ""


class RestrictionInfo(msgspec.Struct):
    """Where a restriction holds."""

    locations: list[str] | None = None


class Restriction(msgspec.Struct, rename="camel"):
    """Why a SKU cannot be used; `values` are regions for the type Location."""

    type: str = ""
    values: list[str] | None = None
    reason_code: str = ""
    restriction_info: RestrictionInfo | None = None


class OfferedSku(msgspec.Struct, rename="camel"):
    """A SKU of API Management and where it can be had."""

    name: str = ""
    locations: list[str] | None = None
    restrictions: list[Restriction] | None = None


class DeletedProperties(msgspec.Struct, rename="camel"):
    """When a soft-deleted gateway goes for good."""

    service_id: str = ""
    scheduled_purge_date: str = ""


class DeletedService(msgspec.Struct):
    """A soft-deleted gateway."""

    name: str
    location: str = ""
    properties: DeletedProperties = msgspec.field(default_factory=DeletedProperties)


class NameAnswer(msgspec.Struct, rename="camel"):
    """Whether a name is free, and why not."""

    name_available: bool = False
    reason: str = ""
    message: str = ""


class ServiceSku(msgspec.Struct):
    """The tier a gateway has."""

    name: str = ""


class Service(msgspec.Struct):
    """A gateway in the subscription."""

    id: str
    name: str
    location: str = ""
    tags: dict[str, str] | None = None
    sku: ServiceSku = msgspec.field(default_factory=ServiceSku)


def base(session: AzureSession) -> str:
    """The subscription's resource id."""
    return f"/subscriptions/{session.profile.subscription_id}"


async def fetch_subscription(session: AzureSession) -> Subscription:
    """The subscription itself. Raises ConsoleError when it cannot be read."""
    what = "The subscription cannot be read"
    body = await session.get_arm(base(session), api_version="2022-12-01", what=what, remedy=READ_ROLE)
    return decode(body, Subscription, what=what, where=base(session))


async def fetch_regions(session: AzureSession) -> list[Region]:
    """The regions open to the subscription. Raises ConsoleError when they cannot be listed."""
    path = f"{base(session)}/locations"
    return await fetch_list(session, path, Region, api_version="2022-12-01", what="The regions cannot be listed")


async def fetch_providers(session: AzureSession) -> dict[str, str]:
    """Registration state by provider namespace (lower-case). Raises ConsoleError when they cannot be listed."""
    path = f"{base(session)}/providers"
    found = await fetch_list(session, path, Provider, api_version="2021-04-01", what="The providers cannot be listed")
    return {entry.namespace.lower(): entry.registration_state for entry in found}


async def fetch_subscription_permissions(session: AzureSession) -> list[Permission]:
    """What the caller may do on the whole subscription. Raises ConsoleError when it cannot be read."""
    path = f"{base(session)}/providers/Microsoft.Authorization/permissions"
    return await fetch_list(session, path, Permission, api_version="2022-04-01", what="The permissions cannot be read")


async def fetch_skus(session: AzureSession) -> list[OfferedSku]:
    """SKUs of API Management with their restrictions. Raises ConsoleError when they cannot be listed."""
    path = f"{base(session)}/providers/Microsoft.ApiManagement/skus"
    return await fetch_list(
        session, path, OfferedSku, api_version=APIM_VERSION, what="The tiers cannot be listed", remedy=READ_ROLE
    )


async def fetch_deleted_services(session: AzureSession) -> list[DeletedService]:
    """Soft-deleted gateways. Raises ConsoleError when they cannot be listed."""
    path = f"{base(session)}/providers/Microsoft.ApiManagement/deletedservices"
    return await fetch_list(
        session,
        path,
        DeletedService,
        api_version=APIM_VERSION,
        what="Soft-deleted gateways cannot be listed",
        remedy=READ_ROLE,
    )


async def fetch_services(session: AzureSession) -> list[Service]:
    """Gateways of the subscription. Raises ConsoleError when they cannot be listed."""
    path = f"{base(session)}/providers/Microsoft.ApiManagement/service"
    return await fetch_list(
        session, path, Service, api_version=APIM_VERSION, what="The gateways cannot be listed", remedy=READ_ROLE
    )


async def fetch_name_answer(session: AzureSession, name: str) -> NameAnswer:
    """Whether a gateway's name is free. Raises ConsoleError when nobody says."""
    path = f"{base(session)}/providers/Microsoft.ApiManagement/checkNameAvailability"
    what = "Whether the name is free cannot be asked"
    body = await _post(session, path, {"name": name}, what)
    return decode(body, NameAnswer, what=what, where=path)


async def fetch_subscription_key(session: AzureSession, service_id: str, subscription_name: str) -> str:
    """The primary key of a product's subscription. It is for sending, never for showing.

    Raises:
        ConsoleError: it cannot be read.
    """
    path = f"{service_id}/subscriptions/{subscription_name}/listSecrets"
    body = await _post(session, path, None, "The subscription's key cannot be read")
    answer: dict[str, Any] = json.loads(body)
    return str(answer.get("primaryKey") or "")


async def _post(session: AzureSession, path: str, content: Any, what: str) -> bytes:
    from azure.core.exceptions import HttpResponseError
    from azure.core.rest import HttpRequest

    url = f"https://{session.cloud.arm_host}{path}"
    request = HttpRequest("POST", url, params={"api-version": APIM_VERSION}, json=content)

    async def exchange() -> bytes:
        response = await session.arm.send_request(request, stream=True)
        body: bytes = await response.read()
        if response.status_code >= 300:
            raise HttpResponseError(response=response)
        return body

    return await session.call(exchange(), what=what, where=path, remedy=READ_ROLE)
