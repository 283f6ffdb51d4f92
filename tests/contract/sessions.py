"""Three courses of requests on served worlds: the console's own, the official examples, and plain ones for the rest.

Each is recorded and held to the descriptions; together they touch every described operation the embedded Azure has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.commands.doctor import examine
from console.operations.drain.desk import DrainDesk
from console.operations.drain.execute import DrainOrder
from console.operations.fragments.desk import FragmentDesk
from simulator.entra.tokens import entra
from simulator.names import GATEWAY_HOST, GROUP, SERVICE, SUBSCRIPTION
from simulator.resources.settings import arm_settings
from simulator.server import Server
from simulator.world import World
from tests.contract.official_examples import Rehearsal, body_of, in_order, missing_from, path_of, served_operations
from tests.contract.recording import Exchange, recording
from tests.simulated_gateway import engine_on, make_world
from tests.simulator.arm_world import Http

OPERATOR = "operator@contoso.com"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/aoai-contoso-swc"
DEPLOYMENTS = "/providers/Microsoft.Resources/deployments"
RESOURCES_VERSION = "2024-07-01"
COGNITIVE_VERSION = "2024-06-01-preview"
METRICS_VERSION = "2024-02-01"
HEALTH_VERSION = "2024-02-01"


# -- the console ---------------------------------------------------------------------------------------------


async def console_session(folder: Path) -> list[Exchange]:
    """Everything the console asks and writes: doctor, every feed, a drain and its restore, fragments there and back."""
    world = make_world(minutes=12, traffic=True)
    arm_settings(world).throttling = False

    async def pause(seconds: float) -> None:
        world.advance(seconds)

    with recording() as seen:
        async with engine_on(world) as (engine, _):
            await examine(engine.profile)
            desk = DrainDesk(engine, OPERATOR, folder / "journal.jsonl", pause)
            await desk.look()
            await desk.drain(desk.plan("payg-westus"), DrainOrder(OPERATOR, "a rehearsal", forced=True))
            world.advance(95.0)
            await desk.look()
            await desk.restore("payg-westus")
            await _deploy_a_fragment(FragmentDesk(engine, folder / "pulled", OPERATOR, folder / "journal.jsonl", pause))
    return seen


async def _deploy_a_fragment(desk: FragmentDesk) -> None:
    """Pull what stands, change one document, add another, deploy both, take them back."""
    assert desk.folder is not None
    await desk.pull(desk.folder)
    known = next(file for file in sorted(desk.folder.rglob("*.fragment.xml")))
    known.write_text(known.read_text().replace("<fragment>", "<fragment>\n  <!-- changed by a rehearsal -->", 1))
    (known.parent / "rehearsed.fragment.xml").write_text(
        '<fragment>\n  <set-variable name="a" value="b" />\n</fragment>\n'
    )
    overview = await desk.overview()
    handles = [known.name.removesuffix(".fragment.xml"), "rehearsed"]
    outcome = await desk.deploy(desk.plan(overview, handles), "a rehearsal")
    assert outcome.error is None, outcome
    outcome = await desk.deploy(await desk.plan_rollback(), "back again")
    assert outcome.error is None, outcome


# -- official examples ---------------------------------------------------------------------------------------


@dataclass
class ExampleRun:
    """How the official examples fared: accepted and refused by operation id, and what was not served back."""

    exchanges: list[Exchange] = field(default_factory=list)
    accepted: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)
    not_served_back: list[tuple[str, str, str]] = field(default_factory=list)


async def examples_session() -> ExampleRun:
    """Send every official example of API Management for what the embedded Azure has of it."""
    world = make_world()
    run = ExampleRun()
    async with quiet_server(world) as server:
        rehearsal = Rehearsal(world, Http(server))
        for operation in in_order([o for o in served_operations(world) if "Microsoft.ApiManagement" in o.file]):
            for example in operation.examples():
                with recording() as seen:
                    status, answer = await rehearsal.send(operation, example)
                run.exchanges += seen
                if status >= 400:
                    reason = json.dumps(answer.get("error", {}) if isinstance(answer, dict) else answer)
                    run.refused.setdefault(operation.id, []).append((example.name, status, reason))
                    continue
                run.accepted.setdefault(operation.id, []).append(example.name)
                body = body_of(operation, example)
                if operation.method == "put" and body is not None:
                    path = path_of(operation, example.parameters)
                    _, _, served = await rehearsal.http("GET", f"{path}?api-version={operation.version}")
                    run.not_served_back += [
                        (operation.id, example.name, difference) for difference in missing_from(body, served)
                    ]
    return run


# -- plain requests ------------------------------------------------------------------------------------------


class quiet_server(Server):
    """A server whose clock nobody drives and that never throttles."""

    def __init__(self, world: World) -> None:
        super().__init__(world, driven=False)
        arm_settings(world).throttling = False


def _template() -> dict[str, Any]:
    """A small template: a parameter, one resource, one output."""
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"text": {"type": "string"}},
        "resources": [
            {
                "type": "Microsoft.ApiManagement/service/namedValues",
                "apiVersion": "2024-05-01",
                "name": "apim-contoso-prod/from-template",
                "properties": {"displayName": "from-template", "value": "[parameters('text')]"},
            }
        ],
        "outputs": {"text": {"type": "string", "value": "[parameters('text')]"}},
    }


def _deployment(*, location: str | None = None) -> dict[str, Any]:
    properties = {"mode": "Incremental", "template": _template(), "parameters": {"text": {"value": "a"}}}
    if location is None:
        return {"properties": properties}
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": RESOURCES_VERSION,
        "name": "inner",
        "resourceGroup": GROUP.rsplit("/", 1)[1],
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": _template(),
            "parameters": {"text": {"value": "[parameters('text')]"}},
        },
    }
    outer = {**_template(), "resources": [nested]}
    outer["$schema"] = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"
    return {"location": location, "properties": {**properties, "template": outer}}


def _deployment_calls(scope: str, body: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    base, version = f"{scope}{DEPLOYMENTS}", f"?api-version={RESOURCES_VERSION}"
    yield "POST", f"{base}/try/validate{version}", body
    yield "POST", f"{base}/try/whatIf{version}", body
    yield "PUT", f"{base}/try{version}", body
    yield "GET", f"{base}/try{version}", None
    yield "HEAD", f"{base}/try{version}", None
    yield "GET", f"{base}/try/operations{version}", None
    yield "POST", f"{base}/try/exportTemplate{version}", None
    yield "GET", f"{base}{version}", None
    yield "PUT", f"{base}/cancelled{version}", body
    yield "POST", f"{base}/cancelled/cancel{version}", None
    yield "GET", f"{base}/absent{version}", None
    yield "PUT", f"{base}/broken{version}", {"properties": {"mode": "Incremental"}}
    yield "DELETE", f"{base}/try{version}", None


def _resource_calls() -> Iterator[tuple[str, str, Any]]:
    version = f"?api-version={RESOURCES_VERSION}"
    group = f"{SUBSCRIPTION}/resourceGroups/rg-new"
    yield "PUT", f"{group}{version}", {"location": "swedencentral", "tags": {"a": "b"}}
    yield "GET", f"{group}{version}", None
    yield "HEAD", f"{group}{version}", None
    yield "PATCH", f"{group}{version}", {"tags": {"a": "c"}}
    yield "GET", f"{SUBSCRIPTION}/resourceGroups{version}", None
    yield "GET", f"{GROUP}/resources{version}", None
    yield "GET", f"{SUBSCRIPTION}/resources{version}", None
    yield "DELETE", f"{group}{version}", None
    yield "DELETE", f"{group}{version}", None
    yield "GET", f"{SUBSCRIPTION}/providers{version}", None
    yield "GET", f"{SUBSCRIPTION}/providers/Microsoft.ApiManagement{version}", None
    yield "POST", f"{SUBSCRIPTION}/providers/Microsoft.ApiManagement/register{version}", None


def _account_calls() -> Iterator[tuple[str, str, Any]]:
    version = f"?api-version={COGNITIVE_VERSION}"
    accounts = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts"
    new = {"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"}, "properties": {}}
    model = {"format": "OpenAI", "name": "gpt-4o", "version": "2024-11-20"}
    deployment = {"sku": {"name": "Standard", "capacity": 10}, "properties": {"model": model}}
    yield "PUT", f"{accounts}/aoai-new{version}", new
    yield "GET", f"{accounts}/aoai-new{version}", None
    yield "PATCH", f"{accounts}/aoai-new{version}", {"tags": {"a": "b"}}
    yield "PUT", f"{accounts}/aoai-new/deployments/chat{version}", deployment
    yield "GET", f"{accounts}/aoai-new/deployments/chat{version}", None
    yield "PATCH", f"{accounts}/aoai-new/deployments/chat{version}", {"tags": {"a": "b"}}
    yield "GET", f"{accounts}/aoai-new/deployments{version}", None
    yield "DELETE", f"{accounts}/aoai-new/deployments/chat{version}", None
    yield "DELETE", f"{accounts}/aoai-new{version}", None
    yield "GET", f"{accounts}{version}", None
    yield "GET", f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts{version}", None
    yield "POST", f"{ACCOUNT}/listKeys{version}", None
    yield "POST", f"{ACCOUNT}/regenerateKey{version}", {"keyName": "Key2"}
    yield "GET", f"{ACCOUNT}/models{version}", None
    yield "GET", f"{ACCOUNT}/usages{version}", None
    place = f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/swedencentral"
    yield "GET", f"{place}/usages{version}", None
    yield "GET", f"{place}/models{version}", None
    yield "GET", f"{accounts}/absent{version}", None
    yield "PUT", f"{accounts}/aoai-new{version}", {"location": "swedencentral"}


def _monitor_calls() -> Iterator[tuple[str, str, Any]]:
    span = "2026-11-22T15:50:00Z/2026-11-22T16:00:00Z"
    for resource, name in ((ACCOUNT, "AzureOpenAIRequests"), (SERVICE, "Requests")):
        base, version = f"{resource}/providers/Microsoft.Insights", f"?api-version={METRICS_VERSION}"
        yield "GET", f"{base}/metricDefinitions{version}", None
        yield "GET", f"{base}/metricNamespaces{version}", None
        ask = f"{base}/metrics{version}&metricnames={name}&timespan={span}&interval=PT1M&aggregation=Total"
        yield "GET", ask, None
        yield "GET", f"{base}/metrics{version}&metricnames=Nonsense&timespan={span}", None
        yield "GET", f"{base}/metrics{version}&metricnames={name}&timespan=nonsense", None
    everywhere = f"{SUBSCRIPTION}/providers/Microsoft.Insights"
    more = "&region=swedencentral&metricnamespace=Microsoft.CognitiveServices/accounts"
    yield "GET", f"{everywhere}/metricDefinitions?api-version={METRICS_VERSION}{more}", None
    many = f"{more}&metricnames=AzureOpenAIRequests&timespan={span}&interval=PT1M&aggregation=Total"
    yield "GET", f"{everywhere}/metrics?api-version={METRICS_VERSION}{many}", None
    body = {
        "timespan": span,
        "interval": "PT1M",
        "metricNames": "AzureOpenAIRequests",
        "aggregation": "Total",
        "metricNamespace": "Microsoft.CognitiveServices/accounts",
    }
    yield "POST", f"{everywhere}/metrics?api-version={METRICS_VERSION}&region=swedencentral", body
    health = "/providers/Microsoft.ResourceHealth"
    for scope in (SERVICE, ACCOUNT, GROUP, SUBSCRIPTION):
        if scope in (SERVICE, ACCOUNT):
            yield "GET", f"{scope}{health}/availabilityStatuses/current?api-version={HEALTH_VERSION}", None
        yield "GET", f"{scope}{health}/availabilityStatuses?api-version={HEALTH_VERSION}", None
    yield "GET", f"{SUBSCRIPTION}{health}/events?api-version={HEALTH_VERSION}", None


def _host_calls(world: World) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Requests to the other hosts: (method, path, body, headers)."""

    def bearer(resource: str) -> dict[str, str]:
        return {"authorization": f"Bearer {entra(world).mint(resource)[0]}", "content-type": "application/json"}

    logs, metrics = bearer("https://api.loganalytics.io"), bearer("https://metrics.monitor.azure.com")
    workspace = next(iter(world.store.of_type("Microsoft.OperationalInsights/workspaces")))
    query = f"/hosts/api.loganalytics.io/v1/workspaces/{workspace.properties['customerId']}/query"
    yield "POST", query, {"query": "ApiManagementGatewayLogs | count", "timespan": "PT1H"}, logs
    yield "GET", f"{query}?query=ApiManagementGatewayLogs%20%7C%20count&timespan=PT1H", None, logs
    yield "POST", query, {"query": "Nonsense | count"}, logs
    yield "POST", query, {"query": "ApiManagementGatewayLogs | nonsense"}, logs
    yield "POST", "/hosts/api.loganalytics.io/v1/workspaces/absent/query", {"query": "print 1"}, logs
    batch = f"/hosts/swedencentral.metrics.monitor.azure.com{SUBSCRIPTION}/metrics:getBatch?api-version=2024-02-01"
    batch += "&metricnamespace=Microsoft.CognitiveServices/accounts&metricnames=AzureOpenAIRequests&interval=PT1M"
    yield "POST", batch, {"resourceids": [ACCOUNT]}, metrics
    yield "POST", batch, {"resourceids": []}, metrics
    models = bearer("https://cognitiveservices.azure.com")
    chat = {"messages": [{"role": "user", "content": "Name the causes."}], "max_tokens": 40}
    for host, prefix in (("aoai-contoso-swc.openai.azure.com", models), (GATEWAY_HOST, _key(world))):
        base, version = f"/hosts/{host}/openai/deployments", "?api-version=2024-06-01"
        yield "POST", f"{base}/gpt-4o/chat/completions{version}", chat, prefix
        yield "POST", f"{base}/text-embedding-3-large/embeddings{version}", {"input": ["one"]}, prefix
    base = "/hosts/aoai-contoso-swc.openai.azure.com/openai/deployments"
    yield "POST", f"{base}/absent/chat/completions?api-version=2024-06-01", chat, models
    yield "POST", f"{base}/gpt-4o/chat/completions?api-version=2024-06-01", {"max_tokens": 1}, models
    yield "POST", f"{base}/gpt-4o/chat/completions?api-version=2024-06-01", chat, {}


def _key(world: World) -> dict[str, str]:
    resource = world.store.get(f"{SERVICE}/subscriptions/app-support-bot")
    assert resource is not None
    return {"api-key": str(resource.hidden["primaryKey"]), "content-type": "application/json"}


def _error_calls() -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Refusals of every kind at operations in use: (method, path, body, headers)."""
    version = "?api-version=2024-05-01"
    backend = f"{SERVICE}/backends/chat-pool"
    body = {"properties": {"url": "https://a.example", "protocol": "http"}}
    yield "GET", f"{SERVICE}/backends{version}", None, {"authorization": ""}
    yield "GET", f"{SERVICE}/backends/absent{version}", None, {}
    yield "GET", f"{SERVICE}/backends?api-version=1999-01-01", None, {}
    yield "GET", f"{SERVICE}/backends{version}&$top=0", None, {}
    yield "PUT", f"{backend}{version}", body, {"if-match": '"stale"'}
    yield "PUT", f"{backend}{version}", {"properties": {"url": "nonsense"}}, {"if-match": "*"}
    yield "PUT", f"{backend}{version}", b"{", {"if-match": "*"}
    yield "DELETE", f"{backend}{version}", None, {}
    yield "PUT", f"{SERVICE}/namedValues/bad{version}", {"properties": {"displayName": "a b"}}, {}
    yield "PUT", f"{SERVICE}/policyFragments/bad{version}", {"properties": {"value": "<fragment"}}, {}
    yield "PUT", f"{SERVICE}/policies/policy{version}", {"properties": {"value": "<policies><x/></policies>"}}, {}


async def plain_session() -> list[Exchange]:
    """Requests of our own for every described operation that the official examples cannot show here."""
    world = make_world(minutes=12, traffic=True)
    with recording() as seen:
        async with quiet_server(world) as server:
            http = Http(server)
            calls = [*_resource_calls(), *_deployment_calls(GROUP, _deployment())]
            calls += [*_deployment_calls(SUBSCRIPTION, _deployment(location="swedencentral"))]
            calls += [*_account_calls(), *_monitor_calls()]
            for method, path, body in calls:
                await http(method, path, body)
                if method in ("PUT", "PATCH", "DELETE") and "/cancelled" not in path:
                    world.advance(60.0)
                await _follow(http, seen)
                address, _, query = path.partition("?")
                if address.endswith("/operations"):
                    first = json.loads(seen[-1].response.body)["value"][0]["id"]
                    await http("GET", f"{first}?{query}")
            for method, path, body, headers in (*_host_calls(world), *_error_calls()):
                await http(method, path, body, headers=headers)
    return seen


async def _follow(http: Http, seen: list[Exchange]) -> None:
    """Ask once for the operation that the last answer announced."""
    headers = {name.lower(): value for name, value in seen[-1].response.headers.items()}
    for name in ("azure-asyncoperation", "location"):
        if name in headers:
            await http("GET", "/" + headers[name].split("/", 3)[3])
