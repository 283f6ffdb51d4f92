"""The `context` a policy expression sees: one request on its way through the gateway.

The gateway fills these plain classes; nothing is parsed or converted before an expression asks for it. Members follow
Microsoft's list of context variables. They hold Python values (bytes, str, datetime, dict); the member tables in
`library/gateway.py` turn them into C#'s.

Source: learn.microsoft.com/azure/api-management/api-management-policy-expressions (Context variable).
"""

from __future__ import annotations

import random as random_module
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apimpolicy.expressions.types import STRING
from apimpolicy.expressions.values import CsArray, KeyValuePair


class MultiMap:
    """Names to lists of values, names compared without case: headers and query parameters.

    Built from (name, value) pairs; indexed on first use.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs: list[tuple[str, str]] | None = list(pairs)
        self._index: dict[str, tuple[str, list[str]]] = {}

    @property
    def index(self) -> dict[str, tuple[str, list[str]]]:
        """lower-case name -> (name as first written, values)."""
        if self._pairs is not None:
            pairs, self._pairs = self._pairs, None
            index = self._index
            for name, value in pairs:
                key = name.lower()
                known = index.get(key)
                if known is None:
                    index[key] = (name, [value])
                else:
                    known[1].append(value)
        return self._index

    def values(self, name: str) -> list[str] | None:
        found = self.index.get(name.lower())
        return None if found is None else found[1]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The values joined by a comma, as GetValueOrDefault gives them."""
        found = self.values(name)
        if found is None:
            return default
        return found[0] if len(found) == 1 else ",".join(found)

    def set(self, name: str, *values: str) -> None:
        self.index[name.lower()] = (name, list(values))

    def append(self, name: str, *values: str) -> None:
        known = self.index.get(name.lower())
        if known is None:
            self.set(name, *values)
        else:
            known[1].extend(values)

    def delete(self, name: str) -> None:
        self.index.pop(name.lower(), None)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.index

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.index.values())

    def __len__(self) -> int:
        return len(self.index)

    def cs_iterate(self) -> Iterator[KeyValuePair]:
        """What foreach in a policy sees."""
        return iter([KeyValuePair(name, CsArray(values, STRING)) for name, values in self.index.values()])

    def cs_properties(self) -> list[tuple[str, Any]]:
        """What JSON made of it shows: a list of values for every name."""
        return [(name, CsArray(values, STRING)) for name, values in self.index.values()]

    def pairs(self) -> list[tuple[str, str]]:
        return [(name, value) for name, values in self.index.values() for value in values]

    def copy(self) -> MultiMap:
        return type(self)(self.pairs())


class Headers(MultiMap):
    """HTTP headers of a request or response."""

    __slots__ = ()


class Query(MultiMap):
    """Query parameters, decoded."""

    __slots__ = ()


class Url:
    """A request URL in its parts; `path` includes the leading slash, `query_string` the question mark."""

    __slots__ = ("_query", "host", "path", "port", "query_string", "scheme")

    def __init__(self, scheme: str, host: str, port: int, path: str, query_string: str = "") -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.query_string = query_string
        self._query: Query | None = None

    @classmethod
    def parse(cls, text: str) -> Url:
        """An absolute URL taken apart. Raises ValueError."""
        parts = urllib.parse.urlsplit(text)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(
            parts.scheme, parts.hostname or "", port, parts.path or "/", f"?{parts.query}" if parts.query else ""
        )

    @property
    def query(self) -> Query:
        if self._query is None:
            self._query = Query(urllib.parse.parse_qsl(self.query_string.lstrip("?"), keep_blank_values=True))
        return self._query

    def __str__(self) -> str:
        standard = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{self.host}{'' if standard else f':{self.port}'}{self.path}{self.query_string}"


class Body:
    """A message body. Reading it without `preserveContent` consumes it; a second read then finds nothing."""

    __slots__ = ("consumed", "content")

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.consumed = False

    def read(self, preserve: bool) -> bytes | None:
        """The bytes, or None when they have been consumed before."""
        if self.consumed:
            return None
        self.consumed = not preserve
        return self.content if self.content is not None else b""


@dataclass(slots=True)
class Certificate:
    """A client certificate, as far as policies look at one."""

    thumbprint: str = ""
    subject: str = ""
    issuer: str = ""
    serial_number: str = ""
    friendly_name: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    is_valid: bool = True


@dataclass(slots=True)
class Request:
    method: str
    url: Url
    headers: Headers
    body: Body | None = None
    original_url: Url | None = None
    ip_address: str = ""
    matched_parameters: Mapping[str, str] = field(default_factory=dict)
    certificate: Certificate | None = None
    private_endpoint: str | None = None


@dataclass(slots=True)
class Response:
    """A response, from the backend or from send-request."""

    status_code: int
    status_reason: str
    headers: Headers
    body: Body | None = None


@dataclass(slots=True)
class Workspace:
    id: str = ""
    name: str = ""


@dataclass(slots=True)
class Api:
    id: str = ""
    name: str = ""
    path: str = ""
    revision: str = "1"
    version: str | None = None
    protocols: tuple[str, ...] = ("https",)
    service_url: Url | None = None
    is_current_revision: bool = True
    subscription_key_header: str = "Ocp-Apim-Subscription-Key"
    subscription_key_query: str = "subscription-key"
    workspace: Workspace | None = None


@dataclass(slots=True)
class Operation:
    id: str = ""
    name: str = ""
    method: str = ""
    url_template: str = ""


@dataclass(slots=True)
class Group:
    id: str = ""
    name: str = ""


@dataclass(slots=True)
class Product:
    id: str = ""
    name: str = ""
    approval_required: bool = False
    subscription_required: bool = True
    subscription_limit: int | None = None
    is_published: bool = True
    groups: tuple[Group, ...] = ()
    apis: tuple[Api, ...] = ()
    workspace: Workspace | None = None


@dataclass(slots=True)
class Subscription:
    id: str = ""
    name: str = ""
    key: str = ""
    primary_key: str = ""
    secondary_key: str = ""
    created_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(slots=True)
class UserIdentity:
    id: str = ""
    provider: str = ""


@dataclass(slots=True)
class User:
    id: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    note: str = ""
    registered_at: datetime | None = None
    groups: tuple[Group, ...] = ()
    identities: tuple[UserIdentity, ...] = ()


@dataclass(slots=True)
class Deployment:
    region: str = ""
    service_name: str = ""
    service_id: str = ""
    gateway_id: str = "managed"
    gateway_instance_id: str = ""
    is_managed: bool = True
    certificates: Mapping[str, Certificate] = field(default_factory=dict)


@dataclass(slots=True)
class LastError:
    source: str = ""
    reason: str = ""
    message: str = ""
    scope: str = ""
    section: str = ""
    path: str = ""
    policy_id: str = ""


class PolicyContext:
    """The root object.

    `clock` answers the time of `DateTime.UtcNow` (an aware datetime), `random` feeds Random and Guid, `trace` receives
    what `context.Trace` writes; without a clock or a source, expressions that need one fail.
    """

    __slots__ = (
        "api",
        "clock",
        "deployment",
        "elapsed",
        "last_error",
        "operation",
        "product",
        "random",
        "request",
        "request_id",
        "response",
        "subscription",
        "timestamp",
        "trace",
        "tracing",
        "user",
        "variables",
        "workspace",
    )

    def __init__(
        self,
        request: Request,
        *,
        response: Response | None = None,
        variables: dict[str, Any] | None = None,
        api: Api | None = None,
        operation: Operation | None = None,
        product: Product | None = None,
        subscription: Subscription | None = None,
        user: User | None = None,
        deployment: Deployment | None = None,
        last_error: LastError | None = None,
        request_id: UUID | str = "00000000-0000-0000-0000-000000000000",
        timestamp: datetime | None = None,
        elapsed: timedelta | Callable[[], timedelta] = timedelta(0),
        tracing: bool = False,
        workspace: Workspace | None = None,
        clock: Callable[[], datetime] | None = None,
        random: random_module.Random | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.request = request
        self.response = response
        self.variables: dict[str, Any] = {} if variables is None else variables
        self.api = api
        self.operation = operation
        self.product = product
        self.subscription = subscription
        self.user = user
        self.deployment = deployment
        self.last_error = last_error
        self.request_id = request_id
        self.timestamp = timestamp
        self.elapsed = elapsed
        self.tracing = tracing
        self.workspace = workspace
        self.clock = clock
        self.random = random
        self.trace = trace


@dataclass(slots=True)
class Jwt:
    """A decoded token; `claims` maps a name to its values. The signature is not checked here."""

    header: dict[str, Any]
    payload: dict[str, Any]
    claims: dict[str, list[str]]


@dataclass(slots=True)
class BasicCredentials:
    user_id: str
    password: str


@dataclass(slots=True)
class Authorization:
    """What get-authorization-context puts into a variable."""

    access_token: str
    claims: dict[str, Any] = field(default_factory=dict)
