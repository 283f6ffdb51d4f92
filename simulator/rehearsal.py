"""A rehearsal: a private gateway from a description, the same traffic run before and after a change, and the counts.

`python -m simulator.rehearsal` reads one JSON description from standard input and prints lines of JSON: progress, then
the result. Nothing here listens on a port, knows an Azure or keeps a file; both runs have the same seed and requests.

Assumed: sizes of prompts vary by 40 % around their mean; a call's token limit is the mean answer over the share of its
limit that the simulated models use, because logs do not hold limits; a host that is no known account answers 200 after
100 ms; the identity of the gateway may call every account.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Mapping
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec

from simulator import gateway, openai
from simulator.network import ConnectionFailure, HttpRequest, HttpResponse
from simulator.telemetry import GatewayCall, ModelCall
from simulator.world import World

START = 1_795_363_200.0
"""When every rehearsal begins, epoch seconds: a whole minute, always the same, so that equal input repeats."""
MEAN_SHARE_OF_LIMIT = 0.53
"""Mean answer over token limit of the simulated models (`openai.deployment`)."""
PROMPT_SPREAD = 0.4
BODIES = 24
SETTLE_SECONDS = 120.0
"""After the last request, how long answers are waited for."""
SECRET = "rehearsal"
_SERVICE_TYPE = "Microsoft.ApiManagement/service"


class Deployment(msgspec.Struct):
    """A model deployment: `capacity` in PTUs or thousands of tokens a minute, by `sku_name`."""

    name: str
    model_name: str
    model_version: str
    sku_name: str
    capacity: int
    spillover_to: str | None = None


class Account(msgspec.Struct):
    """An Azure OpenAI account and the hosts it answers on."""

    resource_id: str
    region: str
    hosts: list[str]
    deployments: list[Deployment]


class Entity(msgspec.Struct):
    """Something below the service: its path there, its ARM type below the service's, and its properties."""

    path: str
    type: str
    properties: dict[str, Any]


class Stream(msgspec.Struct):
    """Requests of one kind: `minutes` says how many arrived in each minute of the span."""

    subscription: str
    method: str
    path: str
    query: str
    key_header: str
    minutes: list[int]
    prompt_tokens: float
    completion_tokens: float
    stream_ratio: float = 0.0


class Description(msgspec.Struct):
    """All a rehearsal is told. `changes` maps paths of documents to their new text, None takes one away.

    `counted_minutes`: figures are those of the last so many minutes; the rest fills buckets and trips breakers.
    """

    service_id: str
    host: str
    region: str
    capacity: int
    entities: list[Entity]
    accounts: list[Account]
    streams: list[Stream]
    changes: dict[str, str | None]
    named_values: dict[str, str] = {}
    changed_named_values: dict[str, str | None] = {}
    counted_minutes: int = 15
    seed: int = 7


class BackendCounts(msgspec.Struct):
    """One backend in one run: `answered` counts requests it answered last, `attempts` all forwards to it."""

    answered: int = 0
    attempts: int = 0
    model_throttled: int = 0
    model_calls: int = 0


class RunCounts(msgspec.Struct):
    """One run. Milliseconds and tokens a minute as callers and models see them; None without a request.

    `spill_base` counts requests that were for a model some provisioned deployment serves, `spilled` those of them that
    another than a provisioned one answered.
    """

    requests: int = 0
    caller_throttled: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    spill_base: int = 0
    spilled: int = 0
    backends: dict[str, BackendCounts] = {}
    error_reasons: dict[str, int] = {}


class Result(msgspec.Struct):
    """Both runs, and what this world did not model."""

    before: RunCounts
    after: RunCounts
    notes: list[str]


def rehearse(description: Description, on_progress: Callable[[float], None] = lambda share: None) -> Result:
    """Run the traffic twice, on the gateway as it is and as it would be.

    Raises:
        ValueError: the description names no service, or a document that does not parse.
    """
    notes: set[str] = set()
    before = _run(description, False, notes, lambda share: on_progress(share / 2))
    after = _run(description, True, notes, lambda share: on_progress(0.5 + share / 2))
    return Result(before, after, sorted(notes))


def _run(
    description: Description, is_changed: bool, notes: set[str], on_progress: Callable[[float], None]
) -> RunCounts:
    world = World(seed=description.seed, now=START)
    _write(world, description, description.changes if is_changed else {})
    _write_named_values(world, description, description.changed_named_values if is_changed else {})
    openai.attach(world)
    gateway.attach(world)
    _answer_unknown_hosts(world, description, notes)
    _note_unmodelled(world, notes)
    minutes = max((len(stream.minutes) for stream in description.streams), default=0)
    tally = _Tally(world, description, START + 60.0 * max(0, minutes - description.counted_minutes))
    for number, stream in enumerate(description.streams):
        _Replay(world, description.host, stream, number).begin()
    for minute in range(minutes):
        world.advance(60.0)
        on_progress((minute + 1) / (minutes + 1))
    world.advance(SETTLE_SECONDS)
    on_progress(1.0)
    return tally.counts()


# -- the world -----------------------------------------------------------------------------------------------------


def _write(world: World, description: Description, changes: Mapping[str, str | None]) -> None:
    service = description.service_id
    put = world.store.put
    put(
        service,
        _SERVICE_TYPE,
        {
            "location": description.region,
            "sku": {"name": "Premium", "capacity": description.capacity},
            "properties": {"gatewayUrl": f"https://{description.host}", "provisioningState": "Succeeded"},
        },
    )
    for entity in description.entities:
        properties = _as_changed(entity, changes)
        if properties is not None:
            put(f"{service}/{entity.path}", f"{_SERVICE_TYPE}/{entity.type}", {"properties": properties})
    known = {entity.path for entity in description.entities}
    for path, text in changes.items():
        if path not in known and text is not None:
            kinds = "/".join(path.split("/")[::2])
            put(f"{service}/{path}", f"{_SERVICE_TYPE}/{kinds}", {"properties": {"format": "rawxml", "value": text}})
    for subscription in {stream.subscription for stream in description.streams} - {""}:
        path = f"{service}/subscriptions/{subscription}"
        known_one = world.store.get(path)
        body = (
            known_one.body if known_one is not None else {"properties": {"scope": f"{service}/apis", "state": "active"}}
        )
        put(path, f"{_SERVICE_TYPE}/subscriptions", body, hidden={"primaryKey": _key(subscription)})
    for account in description.accounts:
        _write_account(world, account)


def _write_named_values(world: World, description: Description, changed: Mapping[str, str | None]) -> None:
    for name, value in {**description.named_values, **changed}.items():
        if value is not None:
            world.store.put(
                f"{description.service_id}/namedValues/{name}",
                f"{_SERVICE_TYPE}/namedValues",
                {"properties": {"displayName": name, "value": value, "secret": False}},
            )


def _as_changed(entity: Entity, changes: Mapping[str, str | None]) -> dict[str, Any] | None:
    if entity.path not in changes:
        return entity.properties
    text = changes[entity.path]
    return None if text is None else {**entity.properties, "format": "rawxml", "value": text}


def _write_account(world: World, account: Account) -> None:
    name = account.resource_id.rsplit("/", 1)[1]
    world.store.put(
        account.resource_id,
        "Microsoft.CognitiveServices/accounts",
        {"location": account.region, "kind": "OpenAI", "properties": {"customSubDomainName": name}},
        hidden={"key1": SECRET},
    )
    for deployment in account.deployments:
        properties: dict[str, Any] = {
            "provisioningState": "Succeeded",
            "model": {"format": "OpenAI", "name": deployment.model_name, "version": deployment.model_version},
        }
        if deployment.spillover_to:
            properties["spilloverDeploymentName"] = deployment.spillover_to
        world.store.put(
            f"{account.resource_id}/deployments/{deployment.name}",
            "Microsoft.CognitiveServices/accounts/deployments",
            {"sku": {"name": deployment.sku_name, "capacity": deployment.capacity}, "properties": properties},
        )


def _key(subscription: str) -> str:
    return f"{SECRET}-{subscription}"


def _answer_unknown_hosts(world: World, description: Description, notes: set[str]) -> None:
    """Every host a backend leads to answers: accounts under all their names, strangers with a plain 200."""
    hosts = world.network.hosts
    for account in description.accounts:
        name = account.resource_id.rsplit("/", 1)[1].lower()
        known = hosts[f"{name}.openai.azure.com"]
        for host in account.hosts:
            hosts[host] = known
    for entity in description.entities:
        host = (urlsplit(str(entity.properties.get("url") or "")).hostname or "").lower()
        if entity.type == "backends" and host and host not in hosts:
            hosts[host] = _stranger
            notes.add(f"{host} is no Azure OpenAI account that can be read: it answers 200 after 100 ms here")


def _stranger(request: HttpRequest) -> Generator[float, None, HttpResponse]:
    yield 0.1
    return HttpResponse(200, {"content-type": "application/json"}, b"{}", "OK")


def _note_unmodelled(world: World, notes: set[str]) -> None:
    for resource in list(world.store.of_type(f"{_SERVICE_TYPE}/policyFragments")):
        _note_document(resource.name, str(resource.properties.get("value") or ""), notes)
    for kind in ("policies", "apis/policies", "apis/operations/policies", "products/policies"):
        for resource in list(world.store.of_type(f"{_SERVICE_TYPE}/{kind}")):
            _note_document("a policy", str(resource.properties.get("value") or ""), notes)


def _note_document(name: str, text: str, notes: set[str]) -> None:
    for element, _ in gateway.unmodelled(text):
        notes.add(f"<{element}> in {name} is not modelled: it is passed over")


# -- the traffic ---------------------------------------------------------------------------------------------------


class _Replay:
    """One stream, minute by minute: as many requests as were logged, at random moments of the minute."""

    def __init__(self, world: World, host: str, stream: Stream, number: int) -> None:
        self._world = world
        self._host = host
        self._stream = stream
        self._chance = world.random(f"rehearsal/{number}")
        self._headers = {"content-type": "application/json"}
        if stream.subscription:
            self._headers[stream.key_header.lower()] = _key(stream.subscription)
        self._plain = [_body(stream, self._chance, is_stream=False) for _ in range(BODIES)]
        self._streamed = [_body(stream, self._chance, is_stream=True) for _ in range(BODIES)]

    def begin(self) -> None:
        """Plan every minute."""
        for minute in range(len(self._stream.minutes)):
            self._world.call_at(START + 60.0 * minute, lambda minute=minute: self._plan(minute))  # type: ignore[misc]

    def _plan(self, minute: int) -> None:
        chance = self._chance
        for _ in range(self._stream.minutes[minute]):
            self._world.call_at(START + 60.0 * (minute + chance.random()), self._fire)

    def _fire(self) -> None:
        chance, stream = self._chance, self._stream
        bodies = self._streamed if chance.random() < stream.stream_ratio else self._plain
        body = bodies[int(chance.random() * BODIES)] if stream.method == "POST" else b""
        request = HttpRequest(stream.method, self._host, stream.path, stream.query, self._headers, body, "outside")
        self._world.spawn(self._call(request))

    def _call(self, request: HttpRequest) -> Generator[float, None, None]:
        try:
            yield from self._world.network.send(request)
        except ConnectionFailure as failure:
            raise ValueError(f"the gateway {request.host} does not answer: {failure.message}") from failure


def _body(stream: Stream, chance: Random, *, is_stream: bool) -> bytes:
    tokens = max(1, round(stream.prompt_tokens * (1.0 + PROMPT_SPREAD * (2.0 * chance.random() - 1.0))))
    limit = max(1, round(stream.completion_tokens / MEAN_SHARE_OF_LIMIT))
    path = stream.path.rstrip("/").lower()
    # Four characters a token; a chat message costs seven tokens more (`openai.prompts`).
    text = "word" * (max(1, tokens - 7) if path.endswith("chat/completions") else tokens)
    call: dict[str, Any]
    if path.endswith("embeddings"):
        call = {"input": text}
    elif path.endswith("responses"):
        call = {"input": text, "max_output_tokens": limit}
    elif path.endswith("chat/completions"):
        call = {"messages": [{"role": "user", "content": text}], "max_tokens": limit}
    else:
        call = {"prompt": text, "max_tokens": limit}
    if is_stream and not path.endswith("embeddings"):
        call["stream"] = True
        if path.endswith("chat/completions"):
            call["stream_options"] = {"include_usage": True}
    return json.dumps(call).encode()


# -- the counts ----------------------------------------------------------------------------------------------------


class _Tally:
    """Counts what callers got and models answered, from a moment on."""

    def __init__(self, world: World, description: Description, since: float) -> None:
        self._since = since
        self._counts = RunCounts()
        self._latencies: list[float] = []
        self._provisioned = {
            deployment.name.lower()
            for account in description.accounts
            for deployment in account.deployments
            if "provisioned" in deployment.sku_name.lower()
        }
        self._accounts = {
            host: account.resource_id.lower() for account in description.accounts for host in account.hosts
        }
        self._provisioned_accounts = {
            account.resource_id.lower()
            for account in description.accounts
            if any("provisioned" in d.sku_name.lower() for d in account.deployments)
        }
        self._models: dict[str, tuple[int, int]] = {}
        self._hosts = {
            entity.path.rsplit("/", 1)[1]: (urlsplit(str(entity.properties.get("url") or "")).hostname or "").lower()
            for entity in description.entities
            if entity.type == "backends"
        }
        world.telemetry.on_gateway_call.append(self._count)
        world.telemetry.on_model_call.append(self._count_model)

    def _count(self, call: GatewayCall) -> None:
        if call.started_at < self._since:
            return
        counts = self._counts
        counts.requests += 1
        code = call.response_code
        counts.caller_throttled += code == 429
        if code >= 400 and code != 429:
            counts.errors += 1
            reason = call.last_error.reason if call.last_error is not None else f"HTTP {code}"
            counts.error_reasons[reason] = counts.error_reasons.get(reason, 0) + 1
        self._latencies.append(call.total_ms)
        for attempt in call.attempts:
            self._backend(attempt.backend_name).attempts += 1
        last = call.attempts[-1].backend_name if call.attempts else ""
        self._backend(last).answered += 1
        self._count_spill(call, last)

    def _count_spill(self, call: GatewayCall, last: str) -> None:
        path = urlsplit(call.url).path.lower()
        _, _, rest = path.partition("/deployments/")
        if not last or rest.partition("/")[0] not in self._provisioned:
            return
        self._counts.spill_base += 1
        account = self._accounts.get(self._hosts.get(last, ""))
        self._counts.spilled += account not in self._provisioned_accounts

    def _backend(self, name: str) -> BackendCounts:
        return self._counts.backends.setdefault(name, BackendCounts())

    def _count_model(self, call: ModelCall) -> None:
        if call.arrived_at >= self._since:
            requests, throttled = self._models.get(call.account_id.lower(), (0, 0))
            self._models[call.account_id.lower()] = (requests + 1, throttled + (call.status == 429))

    def counts(self) -> RunCounts:
        """All counts, once everything has been answered."""
        ordered = sorted(self._latencies)
        if ordered:
            self._counts.p50_ms = ordered[len(ordered) // 2]
            self._counts.p95_ms = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        for name, host in self._hosts.items():
            requests, throttled = self._models.get(self._accounts.get(host, ""), (0, 0))
            if requests:
                backend = self._backend(name)
                backend.model_calls, backend.model_throttled = requests, throttled
        return self._counts


def main() -> int:
    """Read a description, print progress and the result. Returns the exit code."""
    try:
        description = msgspec.json.decode(sys.stdin.buffer.read(), type=Description)
    except msgspec.MsgspecError as error:
        print(f"the description cannot be read: {error}", file=sys.stderr)
        return 2

    def tell(share: float) -> None:
        print(json.dumps({"progress": round(share, 3)}), flush=True)

    try:
        result = rehearse(description, tell)
    except (ValueError, LookupError) as error:
        print(str(error), file=sys.stderr)
        return 1
    print(json.dumps({"result": msgspec.to_builtins(result)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
