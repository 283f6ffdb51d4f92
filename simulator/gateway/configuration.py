"""One version of a gateway's configuration, read from the resource store and never changed afterwards.

A unit serves every request from the version it holds; a write makes a new version that reaches the units later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from simulator.gateway.breakers import BreakerRule, parse_rule
from simulator.gateway.pools import Member

if TYPE_CHECKING:
    from simulator.gateway.compiler import Plan
    from simulator.resources.store import Resource, ResourceStore


@dataclass(frozen=True, slots=True, eq=False)
class OperationConfig:
    """One operation of an API. `segments` is its template split, `{name}` parts included."""

    name: str
    display_name: str
    method: str
    url_template: str
    segments: tuple[str, ...]
    policy: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ApiConfig:
    """One API (current revision). `path` has no slashes around it; `segments` is it, split."""

    name: str
    display_name: str
    path: str
    segments: tuple[str, ...]
    revision: str
    version: str
    subscription_required: bool
    key_header: str
    key_query: str
    service_url: str | None
    protocols: tuple[str, ...]
    operations: tuple[OperationConfig, ...]
    policy: str | None


@dataclass(frozen=True, slots=True, eq=False)
class BackendConfig:
    """A single backend: where it is, what is sent along, its breaker."""

    name: str
    url: str
    host: str
    base_path: str
    headers: dict[str, str]
    query: str
    rule: BreakerRule | None


@dataclass(frozen=True, slots=True, eq=False)
class ProductConfig:
    """A product: which APIs it grants, whether a subscription is needed, its policy."""

    name: str
    display_name: str
    subscription_required: bool
    published: bool
    apis: frozenset[str]
    policy: str | None


@dataclass(frozen=True, slots=True, eq=False)
class SubscriptionConfig:
    """A subscription as the gateway checks it. `api` and `product` None: not limited to one."""

    name: str
    display_name: str
    key: str
    primary_key: str
    secondary_key: str
    state: str
    user_id: str
    created: str
    product: str | None
    api: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What a path leads to. `rest` is the path after the API's own; `operation` None when none fits."""

    api: ApiConfig
    operation: OperationConfig | None
    parameters: dict[str, str]
    rest: str


@dataclass(slots=True, eq=False)
class Configuration:
    """Everything a unit needs to serve requests. Names of backends, pools and fragments are keys in lower case."""

    version: int
    service_id: str
    service_name: str
    region: str
    global_policy: str | None
    apis: tuple[ApiConfig, ...]
    backends: dict[str, BackendConfig]
    pools: dict[str, tuple[Member, ...]]
    fragments: dict[str, str]
    named_values: dict[str, str]
    products: dict[str, ProductConfig]
    keys: dict[str, SubscriptionConfig]
    loggers: frozenset[str]
    plans: dict[tuple[str, str, str], Plan] = field(default_factory=dict)
    context_objects: dict[str, Any] = field(default_factory=dict)
    _matches: dict[tuple[str, str], Match | None] = field(default_factory=dict)

    def match(self, method: str, path: str) -> Match | None:
        """The API and operation of a request; None when no API owns the path. Answers are remembered."""
        key = (method, path)
        if key in self._matches:
            return self._matches[key]
        if len(self._matches) > 4096:
            self._matches.clear()
        found = self._matches[key] = self._find(method, path)
        return found

    def _find(self, method: str, path: str) -> Match | None:
        parts = [part for part in path.split("/") if part]
        lowered = [part.lower() for part in parts]
        owner: Match | None = None
        for api in self.apis:
            size = len(api.segments)
            if tuple(lowered[:size]) != api.segments:
                continue
            rest = parts[size:]
            match = Match(api, None, {}, "/" + "/".join(rest))
            for operation in api.operations:
                if operation.method not in (method, "*"):
                    continue
                parameters = _fit(operation.segments, rest)
                if parameters is not None:
                    return Match(api, operation, parameters, match.rest)
            owner = owner or match
        return owner


def _fit(template: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for index, piece in enumerate(template):
        if piece == "*" or piece.startswith("{*"):
            if piece != "*":
                parameters[piece[2:-1]] = "/".join(parts[index:])
            return parameters
        if index >= len(parts):
            return None
        if piece.startswith("{") and piece.endswith("}"):
            parameters[piece[1:-1]] = unquote(parts[index])
        elif "{" in piece:
            match = _piece_pattern(piece).fullmatch(parts[index])
            if match is None:
                return None
            names = re.findall(r"\{([^}]+)\}", piece)
            parameters.update(zip(names, (unquote(value) for value in match.groups()), strict=True))
        elif piece.lower() != parts[index].lower():
            return None
    return parameters if len(parts) == len(template) else None


def _piece_pattern(piece: str) -> re.Pattern[str]:
    literal = re.split(r"\{[^}]+\}", piece)
    return re.compile("(.+?)".join(re.escape(part) for part in literal), re.IGNORECASE)


def policy_text(resource: Resource | None) -> str | None:
    """The raw text of a policy or fragment resource, as its author wrote it; None when there is none."""
    if resource is None:
        return None
    text = resource.hidden.get("value") or resource.properties.get("value")
    return None if text is None else str(text)


def read_configuration(store: ResourceStore, service_id: str, version: int) -> Configuration:
    """Read a service and everything below it from the store."""
    service = store.get(service_id)
    if service is None:
        raise LookupError(f"{service_id} does not exist")
    backends: dict[str, BackendConfig] = {}
    pools: dict[str, tuple[Member, ...]] = {}
    for backend in store.children(service_id, "backends"):
        if str(backend.properties.get("type", "Single")).lower() == "pool":
            pools[backend.name.lower()] = _members(backend)
        else:
            backends[backend.name.lower()] = _backend(backend)
    named_values = {
        str(value.properties.get("displayName", value.name)): str(
            value.hidden.get("value") if value.hidden.get("value") is not None else value.properties.get("value") or ""
        )
        for value in store.children(service_id, "namedValues")
    }
    fragments = {
        fragment.name.lower(): policy_text(fragment) or "<fragment />"
        for fragment in store.children(service_id, "policyFragments")
    }
    return Configuration(
        version=version,
        service_id=service_id,
        service_name=service.name,
        region=str(service.body.get("location", "")).lower().replace(" ", ""),
        global_policy=policy_text(store.get(f"{service_id}/policies/policy")),
        apis=_apis(store, service_id),
        backends=backends,
        pools=pools,
        fragments=fragments,
        named_values=named_values,
        products={p.name.lower(): _product(store, p) for p in store.children(service_id, "products")},
        keys=_keys(store.children(service_id, "subscriptions"), service_id),
        loggers=frozenset(logger.name.lower() for logger in store.children(service_id, "loggers")),
    )


def _backend(resource: Resource) -> BackendConfig:
    properties = resource.properties
    url = str(properties.get("url") or "").rstrip("/")
    parts = urlsplit(url)
    credentials = properties.get("credentials") or {}
    headers = {str(name).lower(): ",".join(values) for name, values in (credentials.get("header") or {}).items()}
    authorization = credentials.get("authorization")
    if authorization:
        headers["authorization"] = f"{authorization.get('scheme', '')} {authorization.get('parameter', '')}".strip()
    query = "&".join(f"{name}={value}" for name, values in (credentials.get("query") or {}).items() for value in values)
    rules = (properties.get("circuitBreaker") or {}).get("rules") or []
    return BackendConfig(
        name=resource.name,
        url=url,
        host=(parts.hostname or "").lower(),
        base_path=parts.path,
        headers=headers,
        query=query,
        rule=parse_rule(rules[0]) if rules else None,
    )


def _members(resource: Resource) -> tuple[Member, ...]:
    services = (resource.properties.get("pool") or {}).get("services") or []
    return tuple(
        Member(
            backend=str(service["id"]).rstrip("/").rsplit("/", 1)[1].lower(),
            priority=int(service["priority"]) if service.get("priority") is not None else 0,
            weight=int(service["weight"]) if service.get("weight") is not None else 0,
        )
        for service in services
    )


def _apis(store: ResourceStore, service_id: str) -> tuple[ApiConfig, ...]:
    apis = []
    for api in store.children(service_id, "apis"):
        properties = api.properties
        if properties.get("isCurrent") is False:
            continue
        path = str(properties.get("path") or "").strip("/")
        version = str(properties.get("apiVersion") or "")
        version_set = store.get(str(properties.get("apiVersionSetId") or ""))
        if version and version_set is not None and version_set.properties.get("versioningScheme") == "Segment":
            path = f"{path}/{version}".strip("/")
        keys = properties.get("subscriptionKeyParameterNames") or {}
        operations = sorted(
            (_operation(store, operation) for operation in store.children(api.id, "operations")),
            key=lambda operation: sum("{" in s or "*" in s for s in operation.segments),
        )
        apis.append(
            ApiConfig(
                name=api.name,
                display_name=str(properties.get("displayName", api.name)),
                path=path,
                segments=tuple(part.lower() for part in path.split("/") if part),
                revision=str(properties.get("apiRevision", "1")),
                version=version,
                subscription_required=properties.get("subscriptionRequired") is not False,
                key_header=str(keys.get("header") or "Ocp-Apim-Subscription-Key").lower(),
                key_query=str(keys.get("query") or "subscription-key"),
                service_url=properties.get("serviceUrl") or None,
                protocols=tuple(properties.get("protocols") or ("https",)),
                operations=tuple(operations),
                policy=policy_text(store.get(f"{api.id}/policies/policy")),
            )
        )
    return tuple(sorted(apis, key=lambda api: -len(api.segments)))


def _operation(store: ResourceStore, resource: Resource) -> OperationConfig:
    properties = resource.properties
    template = str(properties.get("urlTemplate") or "/")
    return OperationConfig(
        name=resource.name,
        display_name=str(properties.get("displayName", resource.name)),
        method=str(properties.get("method", "GET")).upper(),
        url_template=template,
        segments=tuple(part for part in template.split("?")[0].split("/") if part),
        policy=policy_text(store.get(f"{resource.id}/policies/policy")),
    )


def _product(store: ResourceStore, resource: Resource) -> ProductConfig:
    properties = resource.properties
    return ProductConfig(
        name=resource.name,
        display_name=str(properties.get("displayName", resource.name)),
        subscription_required=properties.get("subscriptionRequired") is not False,
        published=properties.get("state", "published") == "published",
        apis=frozenset(api.name.lower() for api in _links(store, resource.id)),
        policy=policy_text(store.get(f"{resource.id}/policies/policy")),
    )


def _links(store: ResourceStore, product_id: str) -> Iterable[Any]:
    yield from store.children(product_id, "apis")
    for link in store.children(product_id, "apiLinks"):
        api = store.get(str(link.properties.get("apiId", "")))
        if api is not None:
            yield api


def _keys(subscriptions: Iterable[Resource], service_id: str) -> dict[str, SubscriptionConfig]:
    keys: dict[str, SubscriptionConfig] = {}
    for subscription in subscriptions:
        properties = subscription.properties
        scope = str(properties.get("scope") or "")
        parts = scope.rstrip("/").split("/")
        kind = parts[-2].lower() if len(parts) > 1 else ""
        for secret in ("primaryKey", "secondaryKey"):
            key = subscription.hidden.get(secret) or properties.get(secret)
            if key:
                keys[str(key)] = SubscriptionConfig(
                    name=subscription.name,
                    display_name=str(properties.get("displayName", subscription.name)),
                    key=str(key),
                    primary_key=str(subscription.hidden.get("primaryKey") or properties.get("primaryKey") or ""),
                    secondary_key=str(subscription.hidden.get("secondaryKey") or properties.get("secondaryKey") or ""),
                    state=str(properties.get("state", "active")),
                    user_id=str(properties.get("ownerId") or "").rsplit("/", 1)[-1],
                    created=str(properties.get("createdDate") or ""),
                    product=parts[-1].lower() if kind == "products" else None,
                    api=parts[-1].lower() if kind == "apis" and scope.lower() != f"{service_id}/apis".lower() else None,
                )
    return keys
