"""API Management as configured: the service, its backends and pools, named values, policies and fragments.

Reads through Microsoft's client and parses to the domain. Source: Microsoft.ApiManagement REST, api-version 2024-05-01.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from console.azure.session import AzureSession
from console.domain.gateway import Backend, CircuitBreakerRule, Gateway, Pool, PoolMember
from console.errors import NotFound

if TYPE_CHECKING:
    from azure.mgmt.apimanagement import models

T = TypeVar("T")

READ_ROLE = "Ask for the role API Management Service Reader Role on the service."
DRAINED_NAMED_VALUE = "drained-backends"
CONCURRENT_READS = 6
"""Policy documents read at once: a gateway may have hundreds, and Resource Manager's bucket holds 250 reads."""
POLICY_DOCUMENTS_LIMIT = 150
"""Policy documents read in one go; what is left out is said, not hidden."""


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A named value; `value` is None when it is secret. Policies reference `display_name`, the API keys on `name`."""

    name: str
    display_name: str
    value: str | None
    is_secret: bool


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One policy document or fragment in raw policy text.

    `scope`: "global", "api NAME", "operation API/NAME", "product NAME" or "fragment NAME"; `api`: the API it belongs
    to.
    """

    resource_id: str
    scope: str
    text: str
    api: str | None = None


async def fetch_gateway(session: AzureSession) -> tuple[Gateway, list[NamedValue]]:
    """The service with its backends, pools, API names and drained backends, and the named values beside it.

    Routes of policies are read separately.

    Raises:
        ConsoleError: the service cannot be read at all.
    """
    service, contracts, named_values, apis = await asyncio.gather(
        _fetch_service(session), _fetch_backends(session), fetch_named_values(session), _fetch_api_names(session)
    )
    drained = next((n.value for n in named_values if n.display_name == DRAINED_NAMED_VALUE), None)
    gateway = Gateway(
        name=str(service.name or session.profile.service_name),
        resource_id=str(service.id or session.profile.service_id),
        region=str(service.location or "").replace(" ", "").lower(),
        gateway_url=str(service.gateway_url or ""),
        sku_name=str(service.sku.name) if service.sku else "",
        capacity=service.sku.capacity if service.sku else None,
        provisioning_state=str(service.provisioning_state or ""),
        backends=tuple(sorted((parse_backend(c) for c in contracts if not is_pool(c)), key=lambda b: b.name)),
        pools=tuple(sorted((parse_pool(c) for c in contracts if is_pool(c)), key=lambda p: p.name)),
        api_names=tuple(sorted(apis)),
        drained_backends=parse_drained(drained),
    )
    return gateway, named_values


async def _fetch_service(session: AzureSession) -> models.ApiManagementServiceResource:
    profile = session.profile
    return await session.call(
        session.apim.api_management_service.get(profile.resource_group, profile.service_name),
        what="The gateway cannot be read",
        where=profile.service_id,
        remedy=READ_ROLE,
    )


async def _fetch_backends(session: AzureSession) -> list[models.BackendContract]:
    profile = session.profile
    return await session.call(
        collect(session.apim.backend.list_by_service(profile.resource_group, profile.service_name)),
        what="The backends cannot be listed",
        where=profile.service_id,
        remedy=READ_ROLE,
    )


async def _fetch_api_names(session: AzureSession) -> list[str]:
    profile = session.profile
    contracts = await session.call(
        collect(session.apim.api.list_by_service(profile.resource_group, profile.service_name)),
        what="The APIs cannot be listed",
        where=profile.service_id,
        remedy=READ_ROLE,
    )
    return [str(c.name) for c in contracts if ";rev=" not in str(c.name)]


async def fetch_named_values(session: AzureSession) -> list[NamedValue]:
    """Every named value. Secret ones come without their value; it is not asked for.

    Raises:
        ConsoleError: they cannot be listed.
    """
    profile = session.profile
    contracts = await session.call(
        collect(session.apim.named_value.list_by_service(profile.resource_group, profile.service_name)),
        what="The named values cannot be listed",
        where=profile.service_id,
        remedy=READ_ROLE,
    )
    return [
        NamedValue(
            name=str(c.name),
            display_name=str(c.display_name or c.name),
            value=None if c.secret or c.key_vault else c.value,
            is_secret=bool(c.secret),
        )
        for c in contracts
    ]


async def collect(pager: AsyncIterable[T]) -> list[T]:
    """All items of all pages."""
    return [item async for item in pager]


def is_pool(contract: models.BackendContract) -> bool:
    """Whether a backend contract is a pool."""
    return str(contract.type_properties_type or "").lower() == "pool"


def parse_backend(contract: models.BackendContract) -> Backend:
    """A backend of type Single."""
    rules = contract.circuit_breaker.rules if contract.circuit_breaker else None
    return Backend(
        name=str(contract.name),
        resource_id=str(contract.id),
        url=str(contract.url or ""),
        title=contract.title,
        description=contract.description,
        breaker=tuple(_parse_rule(rule) for rule in rules or ()),
    )


def _parse_rule(rule: models.CircuitBreakerRule) -> CircuitBreakerRule:
    condition = rule.failure_condition
    ranges = (condition.status_code_ranges if condition else None) or ()
    return CircuitBreakerRule(
        name=str(rule.name or ""),
        interval_seconds=_seconds(condition.interval if condition else None),
        trip_duration_seconds=_seconds(rule.trip_duration),
        accept_retry_after=bool(rule.accept_retry_after),
        failure_count=condition.count if condition else None,
        failure_percentage=condition.percentage if condition else None,
        status_code_ranges=tuple((int(r.min or 0), int(r.max or r.min or 0)) for r in ranges),
        error_reasons=tuple((condition.error_reasons if condition else None) or ()),
    )


def _seconds(duration: timedelta | None) -> float:
    return 0.0 if duration is None else duration.total_seconds()


def parse_pool(contract: models.BackendContract) -> Pool:
    """A backend of type Pool. Members are named by full ARM id or as `/backends/NAME`; the name is what counts."""
    services = (contract.pool.services if contract.pool else None) or ()
    return Pool(
        name=str(contract.name),
        resource_id=str(contract.id),
        members=tuple(PoolMember(str(s.id).rstrip("/").rsplit("/", 1)[-1], s.priority, s.weight) for s in services),
        description=contract.description,
    )


def parse_drained(value: str | None) -> tuple[str, ...]:
    """Backend names in the named value `drained-backends` (comma-separated; `none` stands for nothing)."""
    names = (part.strip() for part in (value or "").split(","))
    return tuple(sorted(name for name in names if name and name.lower() != "none"))


# -- policies --------------------------------------------------------------------------------------------------


async def fetch_policies(session: AzureSession) -> tuple[list[PolicyText], int]:
    """All policy documents and fragments as raw text, and how many documents were left out by the limit.

    Source: `allPolicies` names the documents that exist; each is read with `format=rawxml`, because the list form is
    escaped.

    Raises:
        ConsoleError: the documents cannot be listed.
    """
    documents, fragments = await asyncio.gather(_fetch_policy_ids(session), _fetch_fragment_names(session))
    places = [parse_scope(resource_id) for resource_id in documents]
    wanted = [p for p in places if p is not None][:POLICY_DOCUMENTS_LIMIT]
    left_out = sum(p is not None for p in places) - len(wanted)
    gate = asyncio.Semaphore(CONCURRENT_READS)

    async def read(place: PolicyPlace) -> PolicyText | None:
        async with gate:
            return await _fetch_policy(session, place)

    places_of_fragments = [PolicyPlace(f"fragment {name}", ("fragment", name)) for name in fragments]
    texts = await asyncio.gather(*(read(place) for place in (*wanted, *places_of_fragments)))
    return [text for text in texts if text is not None], left_out


@dataclass(frozen=True, slots=True)
class PolicyPlace:
    """Where a policy document hangs: its scope in words, and the names the client asks for."""

    scope: str
    names: tuple[str, ...]
    api: str | None = None


def parse_scope(policy_id: str) -> PolicyPlace | None:
    """The place of a policy document by its ARM id; None for kinds that route nothing here (workspaces, resolvers)."""
    _, _, below = policy_id.partition("/providers/Microsoft.ApiManagement/service/")
    match below.split("/")[1:]:
        case ["policies", "policy"]:
            return PolicyPlace("global", ("global",))
        case ["apis", api, "policies", "policy"]:
            return PolicyPlace(f"api {api}", ("api", api), api)
        case ["apis", api, "operations", operation, "policies", "policy"]:
            return PolicyPlace(f"operation {api}/{operation}", ("operation", api, operation), api)
        case ["products", product, "policies", "policy"]:
            return PolicyPlace(f"product {product}", ("product", product))
    return None


async def _fetch_policy_ids(session: AzureSession) -> list[str]:
    profile = session.profile
    entries = await session.call(
        collect(session.apim.all_policies.list_by_service(profile.resource_group, profile.service_name)),
        what="The policies cannot be listed",
        where=profile.service_id,
        remedy=READ_ROLE,
    )
    return sorted({str(e.reference_policy_id) for e in entries if e.reference_policy_id})


async def _fetch_fragment_names(session: AzureSession) -> list[str]:
    profile = session.profile
    entries = await session.call(
        collect(session.apim.policy_fragment.list_by_service(profile.resource_group, profile.service_name)),
        what="The policy fragments cannot be listed",
        where=profile.service_id,
        remedy=READ_ROLE,
    )
    return sorted(str(e.name) for e in entries)


async def _fetch_policy(session: AzureSession, place: PolicyPlace) -> PolicyText | None:
    """The raw text of one document, None when it was deleted since it was listed."""
    try:
        contract = await session.call(
            _ask_policy(session, place.names),
            what=f"The policy of {place.scope} cannot be read",
            where=session.profile.service_id,
            remedy=READ_ROLE,
        )
    except NotFound:
        return None
    return PolicyText(str(contract.id or ""), place.scope, str(contract.value or ""), place.api)


def _ask_policy(session: AzureSession, names: tuple[str, ...]) -> Any:
    client, place = session.apim, (session.profile.resource_group, session.profile.service_name)
    match names:
        case ("api", api):
            return client.api_policy.get(*place, api, "policy", format="rawxml")
        case ("operation", api, operation):
            return client.api_operation_policy.get(*place, api, operation, "policy", format="rawxml")
        case ("product", product):
            return client.product_policy.get(*place, product, "policy", format="rawxml")
        case ("fragment", fragment):
            return client.policy_fragment.get(*place, fragment, format="rawxml")
    return client.policy.get(*place, "policy", format="rawxml")
