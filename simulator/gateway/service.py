"""One API Management service's data plane: its units, its configuration versions, and the course of a request.

inbound, backend, outbound; any failure goes to on-error. Publishes one `GatewayCall` a request.
Source: Microsoft Learn "Policies in API Management", "Error handling in API Management policies".
Assumed: how long a write takes to reach a unit (`PROPAGATION_SECONDS`); no figure is published.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from simulator.gateway.compiler import Compiler, Document, Plan
from simulator.gateway.configuration import (
    Configuration,
    ProductConfig,
    SubscriptionConfig,
    read_configuration,
)
from simulator.gateway.context import response_body_consumed
from simulator.gateway.elements.cache import GatewayCache
from simulator.gateway.elements.limits import FixedCounter, SlidingCounter
from simulator.gateway.errors import Finished, PolicyFailure, error_body, reason_phrase
from simulator.gateway.exchange import HOPS_HEADER, MAXIMUM_HOPS, Exchange
from simulator.gateway.steps import Block
from simulator.gateway.units import Unit
from simulator.network import HttpRequest, HttpResponse
from simulator.telemetry import GatewayCall, LastErrorFacts

if TYPE_CHECKING:
    from simulator.gateway.configuration import ApiConfig
    from simulator.world import World

PROPAGATION_SECONDS = (2.0, 6.0)
"""Least and most seconds from a write until a unit serves it, drawn per unit and write. Assumed."""

_MODEL_AUDIENCES = ("https://cognitiveservices.azure.com", "https://ai.azure.com")
STATUS_PATH = "/status-0123456789abcdef"


class GatewayService:
    """The gateway of one service. Entry: `handle`, a process that answers one HTTP request."""

    def __init__(self, world: World, service_id: str) -> None:
        self.world = world
        self.id = service_id
        self.propagation_seconds = PROPAGATION_SECONDS
        self.revoked_accounts: set[str] = set()
        self._version = 1
        self._noted: set[str] = set()
        self._ids = world.random("gateway/correlation")
        self._lots = world.random("gateway/units")
        self._delays = world.random("gateway/propagation")
        self._tokens: dict[str, str] = {}
        self._model_tokens: set[str] = set()
        configuration = read_configuration(world.store, service_id, 1)
        self.latest = configuration
        self.units = [Unit(world, number, configuration) for number in range(self._capacity())]
        self._dirty_at: float | None = None
        self._scaled = False
        self.cache = GatewayCache()
        self._sliding: dict[str, SlidingCounter] = {}
        self._fixed: dict[str, FixedCounter] = {}

    def sliding(self, key: str) -> SlidingCounter:
        """The counter of a rate, made when first asked for."""
        counter = self._sliding.get(key)
        if counter is None:
            counter = self._sliding[key] = SlidingCounter()
        return counter

    def fixed(self, key: str) -> FixedCounter:
        """The counter of a quota, made when first asked for."""
        counter = self._fixed.get(key)
        if counter is None:
            counter = self._fixed[key] = FixedCounter()
        return counter

    # -- configuration ---------------------------------------------------------------------------------------

    def configuration_changed(self, *, scaled: bool = False) -> None:
        """Something below the service was written: read it once and let it reach each unit in its own time.

        `scaled`: the service itself was written, and its number of units may differ.
        """
        self._scaled = self._scaled or scaled
        if self._dirty_at == self.world.now:
            return
        self._dirty_at = self.world.now
        self.world.call_at(self.world.now, self._publish)

    def _capacity(self) -> int:
        service = self.world.store.get(self.id)
        sku = (service.body.get("sku") or {}) if service is not None else {}
        return max(int(sku.get("capacity") or 1), 1)

    def _scale(self) -> None:
        """Follow the service's scale units: a new one begins with closed breakers, the last ones go first."""
        wanted = self._capacity()
        del self.units[wanted:]
        while len(self.units) < wanted:
            self.units.append(Unit(self.world, len(self.units), self.latest))

    def _publish(self) -> None:
        self._dirty_at = None
        scaled, self._scaled = self._scaled, False
        if self.world.store.get(self.id) is None:
            return
        self._version += 1
        configuration = read_configuration(self.world.store, self.id, self._version)
        self.latest = configuration
        if scaled:
            self._scale()
        for unit in self.units:
            delay = self._delays.uniform(*self.propagation_seconds)
            self.world.call_at(self.world.now + delay, lambda unit=unit: self._apply(unit, configuration))  # type: ignore[misc]

    @staticmethod
    def _apply(unit: Unit, configuration: Configuration) -> None:
        if configuration.version > unit.configuration.version:
            unit.apply(configuration)

    def plan(self, exchange: Exchange) -> Plan:
        """The compiled effective policy of a matched request, made once per configuration version."""
        configuration, api, operation = exchange.configuration, exchange.api, exchange.operation
        product = exchange.product
        key = (
            api.name if api is not None else "",
            operation.name if operation is not None else "",
            product.name if product is not None else "",
        )
        plan = configuration.plans.get(key)
        if plan is None:
            chain = [Document("global", "global policy", configuration.global_policy or _DEFAULT_POLICY)]
            if product is not None and product.policy:
                chain.append(Document("product", f"policy of product {product.name}", product.policy))
            if api is not None and api.policy:
                chain.append(Document("api", f"policy of API {api.name}", api.policy))
            if operation is not None and operation.policy:
                chain.append(Document("operation", f"policy of operation {operation.name}", operation.policy))
            plan = configuration.plans[key] = Compiler(configuration, self._note).plan(chain)
        return plan

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.world.note(text)

    # -- identity --------------------------------------------------------------------------------------------

    def identity_token(self, resource: str) -> str:
        """The managed identity's token for a resource, the same one for as long as the world lasts."""
        audience = resource.strip().rstrip("/").lower()
        token = self._tokens.get(audience)
        if token is None:
            chance = self.world.random("gateway/identity")
            token = self._tokens[audience] = f"mi.{chance.getrandbits(256):064x}"
            if audience in _MODEL_AUDIENCES:
                self._model_tokens.add(token)
        return token

    def accepts_identity(self, token: str, account_id: str) -> bool:
        """Whether `token` is this gateway's for models and its role on the account stands."""
        if token not in self._model_tokens:
            return False
        return not self.revoked_accounts or account_id.lower() not in self.revoked_accounts

    # -- one request -----------------------------------------------------------------------------------------

    def handle(self, request: HttpRequest) -> Generator[float, None, HttpResponse]:
        """Answer one request from outside."""
        if request.path == STATUS_PATH:
            return HttpResponse(200, {"content-type": "text/plain"}, b"Service Operational", "OK")
        units = self.units
        unit = units[int(self._lots.random() * len(units))] if len(units) > 1 else units[0]
        digits = f"{self._ids.getrandbits(128):032x}"
        correlation_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        exchange = Exchange(self, unit, request, correlation_id)
        plan: Plan | None = None
        try:
            self._admit(exchange)
            plan = self.plan(exchange)
            yield from self._course(exchange, plan)
        except Finished:
            pass
        except PolicyFailure as failure:
            plan = plan or self.plan(exchange)
            yield from self._on_error(exchange, plan, failure)
        response = exchange.response
        if response is None:
            response = exchange.answer(200, {}, b"", "OK")
        response = self._wind_up(exchange, response)
        if response_body_consumed(exchange):
            response.body, response.chunks = b"", None
        self._tell(exchange, response, plan)
        exchange.context = None  # the two point at each other: apart they are freed at once
        return response

    def _wind_up(self, exchange: Exchange, response: HttpResponse) -> HttpResponse:
        """Tell whoever counts calls and tokens. A condition that fails here counts nothing: the answer is made."""
        if exchange.on_response:
            exchange.on_outcome[:0] = exchange.on_response
            exchange.on_response = []
        for told in exchange.on_outcome:
            try:
                told(exchange)
            except PolicyFailure as failure:
                self._note(f"after the answer of {exchange.incoming.path}: {failure.message}")
        return exchange.response or response

    @staticmethod
    def _course(exchange: Exchange, plan: Plan) -> Generator[float, None, None]:
        for section, steps in (("inbound", plan.inbound), ("backend", plan.backend), ("outbound", plan.outbound)):
            exchange.section = section
            if steps.waits:
                yield from steps.run(exchange)
            else:
                steps.run(exchange)
            if section == "backend" and exchange.on_response:
                _settle(exchange)

    def _on_error(self, exchange: Exchange, plan: Plan, failure: PolicyFailure) -> Generator[float, None, None]:
        self._fail(exchange, failure)
        try:
            yield from _run(plan.on_error, exchange)
        except Finished:
            pass
        except PolicyFailure as second:
            self._fail(exchange, second)

    @staticmethod
    def _fail(exchange: Exchange, failure: PolicyFailure) -> None:
        exchange.failure = failure
        if failure.step is None:
            failure_section = exchange.section
        else:
            failure_section = failure.step.section
        exchange.section = failure_section
        headers = {"content-type": "application/json", **failure.headers}
        exchange.answer(
            failure.status, headers, error_body(failure.status, failure.body_message), reason_phrase(failure.status)
        )
        exchange.section = "on-error"

    def _admit(self, exchange: Exchange) -> None:
        """Find API, operation, subscription and product.

        Raises:
            PolicyFailure: 404 for a path nobody owns, 401 for a missing or unfit key, 500 for a request that went round
                in circles.
        """
        if HOPS_HEADER in exchange.headers and exchange.hops > MAXIMUM_HOPS:
            raise PolicyFailure("BackendConnectionFailure", "The request came back to the gateway too many times.")
        configuration = exchange.configuration
        match = configuration.match(exchange.method, exchange.path)
        if exchange.method == "OPTIONS" and (match is None or match.operation is None):
            # A browser's preflight belongs to the operation it asks about, and carries no key.
            wanted = exchange.headers.get("access-control-request-method", "")
            preflight = configuration.match(wanted, exchange.path) if wanted else None
            if preflight is not None and preflight.operation is not None:
                exchange.api, exchange.operation = preflight.api, preflight.operation
                exchange.parameters, exchange.path = preflight.parameters, preflight.rest
                return
        if match is None or match.operation is None:
            if match is not None:
                exchange.api = match.api
            raise PolicyFailure(
                "OperationNotFound",
                "Unable to match incoming request to an operation.",
                status=404,
                body_message="Resource not found",
                source="configuration",
            )
        api = match.api
        exchange.api, exchange.operation, exchange.parameters = api, match.operation, match.parameters
        exchange.path = match.rest
        key = exchange.headers.get(api.key_header) or _query_value(exchange.query, api.key_query)
        subscription = configuration.keys.get(key) if key else None
        if subscription is not None:
            exchange.product = _granted(configuration, api, subscription)
            covers = exchange.product is not None or subscription.product is None
            if covers and subscription.state == "active" and subscription.api in (None, api.name.lower()):
                exchange.subscription = subscription
                return
            exchange.product = None
        if not api.subscription_required:
            return
        open_product = next(
            (p for p in configuration.products.values() if not p.subscription_required and api.name.lower() in p.apis),
            None,
        )
        if key is None and open_product is not None:
            exchange.product = open_product
            return
        raise _key_failure(present=bool(key))

    def _tell(self, exchange: Exchange, response: HttpResponse, plan: Plan | None) -> None:
        world = self.world
        api, operation, product, subscription = (
            exchange.api,
            exchange.operation,
            exchange.product,
            exchange.subscription,
        )
        incoming = exchange.incoming
        total_ms = (world.now - exchange.started_at + exchange.streamed_seconds) * 1000.0
        failure = exchange.failure
        call = GatewayCall(
            exchange.started_at,
            world.now + exchange.streamed_seconds,
            self.id,
            exchange.configuration.region,
            exchange.unit.number,
            exchange.correlation_id,
            incoming.method,
            f"https://{incoming.host}{incoming.path}?{incoming.query}"
            if incoming.query
            else f"https://{incoming.host}{incoming.path}",
            api.name if api is not None else "",
            api.revision if api is not None else "",
            operation.name if operation is not None else "",
            operation.name if operation is not None else "",
            product.name if product is not None else "",
            subscription.user_id if subscription is not None else "",
            subscription.name if subscription is not None else "",
            exchange.caller_ip,
            response.status,
            len(incoming.body),
            len(response.body),
            total_ms,
            0.2,
            exchange.backend_ms,
            exchange.attempts,
            exchange.last_backend,
            exchange.method if exchange.attempts else "",
            None,
            exchange.llm,
            exchange.cache,
            exchange.trace,
            plan.fragments if plan is not None else (),
        )
        if failure is not None:
            step = failure.step
            call.last_error = LastErrorFacts(
                failure.reason,
                failure.message,
                failure.source or (step.name if step is not None else "configuration"),
                step.scope if step is not None else "",
                step.section if step is not None else "",
                total_ms,
            )
        if exchange.streamed_seconds:
            world.call_at(call.completed_at, lambda: world.telemetry.gateway_call(call))
        else:
            world.telemetry.gateway_call(call)


def _settle(exchange: Exchange) -> None:
    """Tell whoever counts tokens what the call came to, once."""
    waiting, exchange.on_response = exchange.on_response, []
    for told in waiting:
        told(exchange)


def _run(steps: Block, exchange: Exchange) -> Generator[float, None, None]:
    if steps.waits:
        yield from steps.run(exchange)
    else:
        steps.run(exchange)


def _query_value(query: str, name: str) -> str | None:
    if name not in query:
        return None
    values = parse_qs(query).get(name)
    return values[0] if values else None


def _granted(configuration: Configuration, api: ApiConfig, subscription: SubscriptionConfig) -> ProductConfig | None:
    """The product through which a product subscription grants the API, None when it does not."""
    if subscription.product is None:
        return None
    product = configuration.products.get(subscription.product)
    if product is None or not product.published or api.name.lower() not in product.apis:
        return None
    return product


def _key_failure(*, present: bool) -> PolicyFailure:
    if present:
        return PolicyFailure(
            "SubscriptionKeyInvalid",
            "Access denied due to invalid subscription key. "
            "Make sure to provide a valid key for an active subscription.",
            status=401,
            source="authorization",
            headers={"www-authenticate": 'AzureApiManagementKey realm="gateway"'},
        )
    return PolicyFailure(
        "SubscriptionKeyNotFound",
        "Access denied due to missing subscription key. "
        "Make sure to include subscription key when making requests to an API.",
        status=401,
        source="authorization",
        headers={"www-authenticate": 'AzureApiManagementKey realm="gateway"'},
    )


_DEFAULT_POLICY = "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>"
