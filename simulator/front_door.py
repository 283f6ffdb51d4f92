"""The front door: everything an HTTP request passes on its way to a room, as one flat chain.

Control door, host routing, then for Resource Manager: request ids, faults, authentication, api-version, throttling,
permission, route. Errors become ARM bodies here. It knows no web server: requests and answers are plain values.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from simulator.entra.endpoints import LOGIN_HOSTS, answer_identity, answer_login
from simulator.entra.principals import Principal
from simulator.entra.tokens import entra
from simulator.network import ConnectionFailure, HttpRequest, HttpResponse
from simulator.resources.api_versions import check_api_version
from simulator.resources.errors import ArmError
from simulator.resources.faults import MANAGEMENT_HOST, RouteFault, fault_table
from simulator.resources.ids import parse_resource_path, required_action
from simulator.resources.router import ArmRequest, ArmResponse, QueryParameters, arm_router
from simulator.resources.throttling import throttle

if TYPE_CHECKING:
    from simulator.world import World

MONITOR_SUFFIXES = (".metrics.monitor.azure.com",)
LOGS_HOSTS = ("api.loganalytics.io", "api.loganalytics.azure.com")
OPEN_PATHS = ("/metadata/endpoints",)
"""Paths of Resource Manager that need no token."""


@dataclass(slots=True)
class Incoming:
    """One HTTP request as it arrived. `raw_path` is percent-encoded, without query; header names are lower-case."""

    method: str
    raw_path: str
    query: str
    headers: dict[str, str]
    body: bytes
    base_url: str


@dataclass(slots=True)
class Answer:
    """One HTTP answer and how it travels: `reset` sends nothing, `cut_ratio` below 1 breaks off after that share."""

    response: HttpResponse
    reset: bool = False
    cut_ratio: float = 1.0


@dataclass(slots=True)
class _Visit:
    """What the chain gathers about one Resource Manager request."""

    incoming: Incoming
    path: str
    query: QueryParameters
    request_id: str
    correlation_id: str
    headers: dict[str, str] = field(default_factory=dict)
    principal: Principal | None = None


def data_plane_host(world: World, incoming: Incoming) -> tuple[str, str] | None:
    """The simulated host a request is for and the path there; None for Resource Manager.

    `/hosts/{host}/...` names it; so does a `Host` header that a room or a login host answers to.
    """
    raw_path = incoming.raw_path
    if raw_path.startswith("/hosts/"):
        host, _, rest = raw_path[7:].partition("/")
        return unquote(host).lower(), "/" + rest
    host = incoming.headers.get("host", "").rsplit(":", 1)[0].lower()
    network = world.network
    if host in network.hosts or host in LOGIN_HOSTS or any(host.endswith(suffix) for suffix in network.suffix_hosts):
        return host, raw_path
    return None


def answer_incoming(world: World, incoming: Incoming) -> Generator[float, None, Answer]:
    """Answer one request (the control door excepted, which the server asks first)."""
    target = data_plane_host(world, incoming)
    if target is None:
        return (yield from _answer_management(world, incoming, incoming.raw_path))
    host, raw_path = target
    if host == MANAGEMENT_HOST:
        return (yield from _answer_management(world, incoming, raw_path))
    if host in LOGIN_HOSTS:
        return Answer(answer_login(world, incoming.method, unquote(raw_path), incoming.body))
    return (yield from _answer_host(world, incoming, host, raw_path))


# -- other hosts ---------------------------------------------------------------------------------------------


def _answer_host(world: World, incoming: Incoming, host: str, raw_path: str) -> Generator[float, None, Answer]:
    path = unquote(raw_path) if "%" in raw_path else raw_path
    faults = fault_table(world).take(host, incoming.method, path)
    struck = yield from _strike(faults)
    if struck is not None:
        return struck
    headers = incoming.headers
    if host in LOGS_HOSTS or host.endswith(MONITOR_SUFFIXES):
        try:
            _admit_monitor(world, host, path, headers)
        except ArmError as error:
            return Answer(_error_response(error))
    request = HttpRequest(incoming.method, host, path, incoming.query, headers, incoming.body, "outside")
    try:
        response = yield from world.network.send(request)
    except ConnectionFailure as failure:
        # The client asked this server for a host that cannot be reached: no HTTP answer exists, so none is made up.
        world.note(f"connection from outside failed: {failure.message}")
        return Answer(HttpResponse(503), reset=True)
    except ArmError as error:
        response = _error_response(error)
    return _damage(Answer(response), faults)


def _admit_monitor(world: World, host: str, path: str, headers: dict[str, str]) -> None:
    """Bearer token and, for the metrics batch, the right to read metrics of the whole subscription.

    Source: "Metrics - Batch" (2024-02-01): the caller needs Monitoring Reader on the subscription.
    """
    audience = "loganalytics" if host in LOGS_HOSTS else "metrics.monitor"
    principal = entra(world).authenticate(headers.get("authorization"), audiences=(audience,))
    parts = path.strip("/").split("/")
    if host not in LOGS_HOSTS and len(parts) > 1 and parts[0].lower() == "subscriptions":
        _permit(principal, "Microsoft.Insights/metrics/read", f"/subscriptions/{parts[1]}")
    if host in LOGS_HOSTS and len(parts) > 2 and parts[1].lower() == "workspaces":
        _permit_query(world, principal, parts[2])


def _permit_query(world: World, principal: Principal, customer_id: str) -> None:
    """Source: "Log Analytics API errors": 403 `InsufficientAccessError`; the right is `workspaces/query/read`.

    Raises:
        ArmError: 403. A workspace that does not exist is for the logs room to refuse.
    """
    for workspace in world.store.of_type("Microsoft.OperationalInsights/workspaces"):
        if str(workspace.properties.get("customerId", "")).lower() != customer_id.lower():
            continue
        if not principal.may("Microsoft.OperationalInsights/workspaces/query/read", workspace.id):
            raise ArmError(
                403,
                "InsufficientAccessError",
                "The provided credentials have insufficient access to perform the requested operation",
            )


# -- Resource Manager ----------------------------------------------------------------------------------------


def _answer_management(world: World, incoming: Incoming, raw_path: str) -> Generator[float, None, Answer]:
    path = "/" + "/".join(unquote(part) for part in raw_path.split("/") if part)
    pairs = parse_qsl(incoming.query, keep_blank_values=True)
    identity = answer_identity(world, incoming.method, path, dict(pairs), incoming.headers)
    if identity is not None:
        return Answer(identity)
    random = world.random("request-ids")
    request_id = _guid(random.getrandbits(128))
    visit = _Visit(
        incoming,
        path,
        QueryParameters(pairs),
        request_id,
        incoming.headers.get("x-ms-correlation-request-id") or request_id,
    )
    faults = fault_table(world).take(MANAGEMENT_HOST, incoming.method, path)
    struck = yield from _strike(faults)
    if struck is None:
        try:
            response = yield from _route(world, visit, faults)
        except ArmError as error:
            response = _error_response(error)
        struck = _damage(Answer(response), faults)
    _sign(world, visit, struck.response)
    return struck


def _route(world: World, visit: _Visit, faults: list[RouteFault]) -> Generator[float, None, HttpResponse]:
    incoming = visit.incoming
    if visit.path.lower() not in OPEN_PATHS:
        if any(fault.kind == "expired-token" for fault in faults):
            raise entra(world).expired()
        visit.principal = entra(world).authenticate(incoming.headers.get("authorization"), audiences=("management.",))
    principal = visit.principal or entra(world).default
    parts = parse_resource_path(visit.path)
    provider = parts if parts and parts.types != ("register",) else None  # Resource Manager's own, not the provider's
    check_api_version(
        visit.query.get("api-version"),
        provider.namespace if provider else "",
        "/".join(provider.types) if provider else "",
    )
    visit.headers.update(
        throttle(world).admit(principal.object_id, parts.subscription_id if parts else "", incoming.method)
    )
    match = arm_router(world).find(incoming.method, visit.path)
    needed = required_action(incoming.method, visit.path)
    if needed is not None and not (match is not None and match.route.action == ""):
        action, scope = needed
        _permit(principal, match.route.action if match is not None and match.route.action else action, scope)
    headers = incoming.headers
    if any(fault.kind == "stale-etag" for fault in faults) and incoming.method in ("PUT", "PATCH", "DELETE"):
        headers = {**headers, "if-match": '"stale"'}
    request = ArmRequest(
        method=incoming.method,
        path=visit.path,
        query=visit.query,
        headers=headers,
        body=incoming.body,
        world=world,
        principal=principal,
        base_url=incoming.base_url,
        request_id=visit.request_id,
        correlation_id=visit.correlation_id,
    )
    answer = yield from arm_router(world).answer(request)
    return _to_http(answer, incoming.method)


def _permit(principal: Principal, action: str, scope: str) -> None:
    """Source: Azure RBAC error `AuthorizationFailed`.

    Raises:
        ArmError: 403.
    """
    if not principal.may(action, scope):
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{principal.name}' with object id '{principal.object_id}' does not have "
            f"authorization to perform "
            f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
            "refresh your credentials.",
        )


def _to_http(answer: ArmResponse, method: str) -> HttpResponse:
    headers = dict(answer.headers)
    if isinstance(answer.body, bytes):
        body = answer.body
    elif answer.body is None:
        body = b""
    else:
        body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers.setdefault("content-type", "application/json; charset=utf-8")
    return HttpResponse(answer.status, headers, b"" if method == "HEAD" else body)


def _error_response(error: ArmError) -> HttpResponse:
    headers = {"content-type": "application/json; charset=utf-8", **error.headers}
    return HttpResponse(error.status, headers, json.dumps(error.as_json(), ensure_ascii=False).encode())


def _sign(world: World, visit: _Visit, response: HttpResponse) -> None:
    """Azure's bookkeeping headers, and the one that says this is no Azure."""
    moment = datetime.fromtimestamp(world.now, UTC)
    signed = {
        "x-ms-request-id": visit.request_id,
        "x-ms-correlation-request-id": visit.correlation_id,
        "x-ms-routing-request-id": f"SWEDENCENTRAL:{moment:%Y%m%dT%H%M%SZ}:{visit.request_id}",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
        "server": "genaigw-simulator",
        **visit.headers,
    }
    client_request_id = visit.incoming.headers.get("x-ms-client-request-id")
    if client_request_id and visit.incoming.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        signed["x-ms-client-request-id"] = client_request_id
    for name, value in signed.items():
        response.headers.setdefault(name, value)


def _guid(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# -- injected faults -----------------------------------------------------------------------------------------


def _strike(faults: list[RouteFault]) -> Generator[float, None, Answer | None]:
    """Wait where a fault delays; the answer, where a fault gives one before any room is asked."""
    for fault in faults:
        if fault.delay_seconds > 0:
            yield fault.delay_seconds
        if fault.kind == "reset":
            return Answer(HttpResponse(503), reset=True)
        if fault.kind == "status":
            return Answer(_error_response(ArmError(fault.status, fault.code, fault.message)))
        if fault.kind == "throttle":
            seconds = {"retry-after": f"{fault.retry_after_seconds:g}"} if fault.retry_after_seconds > 0 else {}
            message = "Number of requests for the operation type exceeded its limit. Please try again later."
            return Answer(_error_response(ArmError(429, "TooManyRequests", message, headers=seconds)))
    return None


def _damage(answer: Answer, faults: list[RouteFault]) -> Answer:
    """Spoil an answer that a room gave."""
    for fault in faults:
        if fault.kind == "truncate":
            answer.cut_ratio = 0.5
        elif fault.kind == "wrong-json":
            answer.response = HttpResponse(
                200, {"content-type": "application/json"}, b'{"value": [{"name": "half a value",'
            )
    return answer
