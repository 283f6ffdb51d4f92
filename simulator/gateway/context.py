"""The `context` of policy expressions, as live views of the exchange: built once a request, read only when asked.

The views hold nothing of their own: a header set by a statement is what the next expression sees. Only bodies remember
that they were consumed, and what is sent on afterwards is then empty.
Source: Microsoft Learn "API Management policy expressions", context variable.
Assumed: `context.Request.Url` has the gateway's host and the path below the API's own, as rewritten so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from apimpolicy.expressions.context import (
    Api,
    Body,
    Deployment,
    Headers,
    LastError,
    Operation,
    PolicyContext,
    Product,
    Request,
    Response,
    Subscription,
    Url,
    User,
)
from simulator.gateway.errors import reason_phrase

if TYPE_CHECKING:
    from simulator.gateway.configuration import ApiConfig
    from simulator.gateway.errors import PolicyFailure
    from simulator.gateway.exchange import Exchange
    from simulator.network import HttpResponse


class LiveHeaders(Headers):
    """A dict of lower-case names as `Headers`, without a copy. Several values of one name are one, joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @property
    def index(self) -> dict[str, tuple[str, list[str]]]:
        """lower-case name -> (name, values)."""
        return {name: (name, [value]) for name, value in self._values.items()}

    def values(self, name: str) -> list[str] | None:
        """The values of a header, None when it is missing."""
        found = self._values.get(name.lower())
        return None if found is None else [found]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of a header, or `default`."""
        return self._values.get(name.lower(), default)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class LiveRequest(Request):
    """The request as it stands."""

    __slots__ = ("_body", "_exchange", "_url")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._body: Body | None = None
        self._url: Url | None = None

    @property
    def method(self) -> str:  # type: ignore[override]
        """Its method, as set so far."""
        return self._exchange.method

    @property
    def headers(self) -> Headers:  # type: ignore[override]
        """Its headers, as set so far."""
        return LiveHeaders(self._exchange.headers)

    @property
    def url(self) -> Url:  # type: ignore[override]
        """Its URL, as rewritten so far."""
        exchange, known = self._exchange, self._url
        query = f"?{exchange.query}" if exchange.query else ""
        if known is None or known.path != exchange.path or known.query_string != query:
            known = self._url = Url("https", exchange.host, 443, exchange.path, query)
        return known

    @property
    def original_url(self) -> Url:  # type: ignore[override]
        """The URL the caller used."""
        incoming = self._exchange.incoming
        return Url("https", incoming.host, 443, incoming.path, f"?{incoming.query}" if incoming.query else "")

    @property
    def body(self) -> Body:  # type: ignore[override]
        """Its body; a new one when a statement replaced the bytes."""
        known, content = self._body, self._exchange.body
        if known is None or known.content is not content:
            known = self._body = Body(content)
        return known

    @property
    def ip_address(self) -> str:  # type: ignore[override]
        """Where the caller calls from."""
        return self._exchange.caller_ip

    @property
    def matched_parameters(self) -> dict[str, str]:  # type: ignore[override]
        """The template's parameters."""
        return self._exchange.parameters

    @property
    def certificate(self) -> None:  # type: ignore[override]
        """No caller presents one here."""
        return None

    @property
    def private_endpoint(self) -> None:  # type: ignore[override]
        """No caller comes through one here."""
        return None


class LiveResponse(Response):
    """The response as it stands."""

    __slots__ = ("_body", "of")

    def __init__(self, of: HttpResponse) -> None:
        self.of = of
        self._body: Body | None = None

    @property
    def status_code(self) -> int:  # type: ignore[override]
        """Its status."""
        return self.of.status

    @property
    def status_reason(self) -> str:  # type: ignore[override]
        """Its reason phrase."""
        return self.of.reason or reason_phrase(self.of.status)

    @property
    def headers(self) -> Headers:  # type: ignore[override]
        """Its headers, as set so far."""
        return LiveHeaders(self.of.headers)

    @property
    def body(self) -> Body:  # type: ignore[override]
        """Its body; reading it makes a stream one piece."""
        known, content = self._body, self.of.body
        if known is None or known.content is not content:
            known = self._body = Body(content)
            self.of.chunks = None
        return known


class ExchangeContext(PolicyContext):
    """The root object of one request."""

    __slots__ = ("_exchange", "_request", "_response")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._request = LiveRequest(exchange)
        self._response: LiveResponse | None = None

    @property
    def request(self) -> LiveRequest:  # type: ignore[override]
        """The request."""
        return self._request

    @property
    def response(self) -> LiveResponse | None:  # type: ignore[override]
        """The response, None before there is one."""
        current = self._exchange.response
        if current is None:
            return None
        known = self._response
        if known is None or known.of is not current:
            known = self._response = LiveResponse(current)
        return known

    @property
    def variables(self) -> dict[str, Any]:  # type: ignore[override]
        """What set-variable set."""
        return self._exchange.variables

    @property
    def api(self) -> Api | None:  # type: ignore[override]
        """The API, None when none matched."""
        api = self._exchange.api
        return _remembered(self._exchange, f"api/{api.name}", lambda: _api(api)) if api is not None else None

    @property
    def operation(self) -> Operation | None:  # type: ignore[override]
        """The operation, None when none matched."""
        known = self._exchange.operation
        if known is None:
            return None
        return Operation(known.name, known.display_name, known.method, known.url_template)

    @property
    def product(self) -> Product | None:  # type: ignore[override]
        """The product the call came through, None without one."""
        known = self._exchange.product
        if known is None:
            return None
        return Product(known.name, known.display_name, False, known.subscription_required, None, known.published)

    @property
    def subscription(self) -> Subscription | None:  # type: ignore[override]
        """The subscription whose key was sent, None without one."""
        known = self._exchange.subscription
        if known is None:
            return None
        created = _instant(known.created)
        return Subscription(
            known.name, known.display_name, known.key, known.primary_key, known.secondary_key, created, created
        )

    @property
    def user(self) -> User | None:  # type: ignore[override]
        """The subscription's owner, None without one."""
        known = self._exchange.subscription
        return User(known.user_id) if known is not None and known.user_id else None

    @property
    def deployment(self) -> Deployment:  # type: ignore[override]
        """The gateway itself."""
        exchange = self._exchange
        known = exchange.configuration
        made: Deployment = _remembered(
            exchange, "deployment", lambda: Deployment(known.region, known.service_name, known.service_id)
        )
        return made

    @property
    def last_error(self) -> LastError | None:  # type: ignore[override]
        """What went wrong, None while nothing has."""
        failure = self._exchange.failure
        return _last_error(failure) if failure is not None else None

    @property
    def request_id(self) -> str:  # type: ignore[override]
        """The correlation id."""
        return self._exchange.correlation_id

    @property
    def timestamp(self) -> datetime:  # type: ignore[override]
        """When the request came in."""
        return datetime.fromtimestamp(self._exchange.started_at, UTC)

    @property
    def elapsed(self) -> timedelta:  # type: ignore[override]
        """Time since the request came in."""
        return timedelta(seconds=self._exchange.elapsed_seconds)

    @property
    def tracing(self) -> bool:  # type: ignore[override]
        """Nobody traces a request here."""
        return False

    @property
    def workspace(self) -> None:  # type: ignore[override]
        """Workspaces are not modelled."""
        return None

    def clock(self) -> datetime:
        """Simulated time."""
        return datetime.fromtimestamp(self._exchange.world.now, UTC)

    @property
    def random(self) -> Any:  # type: ignore[override]
        """The gateway's stream of chance for expressions."""
        return self._exchange.world.random("gateway/expressions")

    def trace(self, message: str) -> None:
        """`context.Trace`."""
        self._exchange.trace.append({"source": "context.Trace", "severity": "verbose", "message": message})


def context_of(exchange: Exchange) -> ExchangeContext:
    """The context of a request, made when first asked for."""
    known: ExchangeContext | None = exchange.context
    if known is None:
        known = exchange.context = ExchangeContext(exchange)
    return known


def request_body_consumed(exchange: Exchange) -> bool:
    """Whether an expression consumed the request's body as it stands."""
    context: ExchangeContext | None = exchange.context
    body = context.request._body if context is not None else None
    return body is not None and body.consumed and body.content is exchange.body


def response_body_consumed(exchange: Exchange) -> bool:
    """Whether an expression consumed the response's body as it stands."""
    context: ExchangeContext | None = exchange.context
    view = context._response if context is not None else None
    if view is None or view.of is not exchange.response or view._body is None:
        return False
    return view._body.consumed and view._body.content is view.of.body


def _remembered(exchange: Exchange, key: str, make: Any) -> Any:
    objects = exchange.configuration.context_objects
    known = objects.get(key)
    if known is None:
        known = objects[key] = make()
    return known


def _api(api: ApiConfig) -> Api:
    return Api(
        id=api.name,
        name=api.display_name,
        path=api.path,
        revision=api.revision,
        version=api.version or None,
        protocols=api.protocols,
        service_url=Url.parse(api.service_url) if api.service_url else None,
        is_current_revision=True,
        subscription_key_header=api.key_header,
        subscription_key_query=api.key_query,
    )


def _last_error(failure: PolicyFailure) -> LastError:
    step = failure.step
    return LastError(
        source=failure.source or (step.name if step is not None else "configuration"),
        reason=failure.reason,
        message=failure.message,
        scope=step.scope if step is not None else "",
        section=step.section if step is not None else "",
        path=step.path if step is not None else "",
        policy_id=step.policy_id if step is not None else "",
    )


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
