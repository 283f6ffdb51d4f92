"""Rehearsing a change: a description of the gateway as it is, for a private copy, and what the copy answered.

Only reads from Azure, and never a secret: no key, no credential, no secret named value is in a description. The copy
runs in a process of its own that ends with the rehearsal.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from console.azure.entities import Entities, RawEntity
from console.azure.policy_traffic import CallerStream, PolicyTraffic, TrafficShape
from console.domain.gateway import Account, Gateway
from console.domain.history import floor_minute
from console.domain.load import Window, ratio
from console.errors import ConsoleError, DeadlineExceeded
from console.operations.fragments.deployed import Deployed
from console.operations.fragments.documents import Kind
from console.operations.fragments.plan import DeployPlan

REHEARSAL_MODULE = "simulator.rehearsal"
DEADLINE_SECONDS = 180.0
REPLAYED_MINUTES = 60
COUNTED_MINUTES = 15
MOST_REQUESTS = 60_000
"""More than this is not replayed: the oldest minutes are left out."""
SETTLED_SECONDS = 60.0
"""The newest minute of the logs may still miss rows: it is left out."""
_CREDENTIALS = ("credentials", "proxy")
STANDS_FOR_SECRET = "rehearsal"


class BackendCounts(msgspec.Struct):
    """One backend in one run."""

    answered: int = 0
    attempts: int = 0
    model_throttled: int = 0
    model_calls: int = 0


class RunCounts(msgspec.Struct):
    """One run as the private gateway counted it; see `simulator.rehearsal`."""

    requests: int = 0
    caller_throttled: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    spill_base: int = 0
    spilled: int = 0
    backends: dict[str, BackendCounts] = {}
    error_reasons: dict[str, int] = {}

    def share(self, backend: str) -> float | None:
        """The share of all requests that a backend answered last, 0 to 1."""
        counts = self.backends.get(backend)
        return ratio(float(counts.answered if counts else 0), self.requests)

    @property
    def caller_throttled_ratio(self) -> float | None:
        """Callers' 429s over requests."""
        return ratio(float(self.caller_throttled), self.requests)

    @property
    def error_ratio(self) -> float | None:
        """Callers' other refusals and failures over requests."""
        return ratio(float(self.errors), self.requests)

    @property
    def model_throttled_ratio(self) -> float | None:
        """Models' 429s over calls of models; accounts behind several backends count once a backend."""
        calls = sum(b.model_calls for b in self.backends.values())
        return ratio(float(sum(b.model_throttled for b in self.backends.values())), calls)

    @property
    def spilled_ratio(self) -> float | None:
        """The share answered elsewhere of what provisioned deployments could have answered."""
        return ratio(float(self.spilled), self.spill_base)


class _Result(msgspec.Struct):
    before: RunCounts
    after: RunCounts
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure before and after. `unit`: "ratio", "ms" or "count"; None where there is no figure."""

    name: str
    unit: str
    before: float | None
    after: float | None
    observed: float | None = None

    @property
    def difference(self) -> float | None:
        """After minus before."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A rehearsal's result. `observed` shares come from the gateway's own logs of the counted minutes."""

    before: RunCounts
    after: RunCounts
    observed: Mapping[str, float]
    counted: Window
    assumptions: tuple[str, ...] = field(default=())

    @property
    def rows(self) -> tuple[Row, ...]:
        """The table: callers first, then the share of every backend."""
        a, b = self.before, self.after
        rows = [
            Row("requests", "count", float(a.requests), float(b.requests)),
            Row("caller 429s", "ratio", a.caller_throttled_ratio, b.caller_throttled_ratio),
            Row("errors", "ratio", a.error_ratio, b.error_ratio),
            Row("model 429s", "ratio", a.model_throttled_ratio, b.model_throttled_ratio),
            Row("spill", "ratio", a.spilled_ratio, b.spilled_ratio),
            Row("p50", "ms", a.p50_ms, b.p50_ms),
            Row("p95", "ms", a.p95_ms, b.p95_ms),
        ]
        for name in sorted(set(a.backends) | set(b.backends), key=lambda n: (n == "", n)):
            observed = self.observed.get(name.lower(), 0.0) if self.observed else None
            rows.append(Row(name or "no backend", "ratio", a.share(name), b.share(name), observed))
        return tuple(rows)


def replay_windows(now: datetime, minutes: int = REPLAYED_MINUTES) -> tuple[Window, Window]:
    """The span to replay and the minutes at its end that are counted, on whole minutes, newest rows settled."""
    end = floor_minute(now - timedelta(seconds=SETTLED_SECONDS))
    counted = min(COUNTED_MINUTES, minutes)
    return Window(end - timedelta(minutes=minutes), end), Window(end - timedelta(minutes=counted), end)


async def fetch_description(
    entities: Entities,
    traffic: PolicyTraffic,
    gateway: Gateway,
    accounts: Sequence[Account],
    deployed: Deployed,
    now: datetime,
    *,
    minutes: int = REPLAYED_MINUTES,
) -> Description:
    """Read what a private copy needs: entities below the service, accounts' capacities, the shape of the traffic.

    Raises:
        ConsoleError: something of it cannot be read, or there was no traffic.
    """
    window, counted = replay_windows(now, minutes)
    shape, backends, apis, products, subscriptions = await asyncio.gather(
        traffic.fetch_shape(window, counted),
        entities.list("backends"),
        entities.list("apis"),
        entities.list("products"),
        entities.list("subscriptions"),
    )
    current = [api for api in apis if ";rev=" not in _name(api)]
    operations = await asyncio.gather(*(entities.list(f"apis/{_name(api)}/operations") for api in current))
    links = await asyncio.gather(*(entities.list(f"products/{_name(p)}/apis") for p in products))
    found = [_entity(f"backends/{_name(e)}", "backends", e) for e in backends]
    found += [_entity(f"products/{_name(e)}", "products", e) for e in products]
    found += [_entity(f"apis/{_name(e)}", "apis", e) for e in current]
    for api, several in zip(current, operations, strict=True):
        found += [_entity(f"apis/{_name(api)}/operations/{_name(e)}", "apis/operations", e) for e in several]
    for product, several in zip(products, links, strict=True):
        found += [_entity(f"products/{_name(product)}/apis/{_name(e)}", "products/apis", e) for e in several]
    found += [_entity(f"subscriptions/{_name(e)}", "subscriptions", e) for e in subscriptions]
    headers = {_name(api).lower(): _key_header(api) for api in current}
    return Description(gateway, tuple(accounts), deployed, shape, counted, tuple(found), headers)


@dataclass(frozen=True, slots=True)
class Description:
    """A gateway as a private copy needs it. `entities` are (path, type, properties) without any secret."""

    gateway: Gateway
    accounts: tuple[Account, ...]
    deployed: Deployed
    shape: TrafficShape
    counted: Window
    entities: tuple[tuple[str, str, Mapping[str, Any]], ...]
    key_headers: Mapping[str, str]

    def wire(self, plan: DeployPlan, seed: int = 7) -> dict[str, Any]:
        """As `simulator.rehearsal` reads it, with the plan's writes as the change."""
        streams, _ = _kept_streams(self.shape)
        host = self.gateway.gateway_url.removeprefix("https://").rstrip("/").lower()
        values, _ = self._named_values()
        changed_values = {w.place.name: w.text for w in plan.writes if w.place.kind is Kind.NAMED_VALUE}
        changes: dict[str, str | None] = {w.path: w.text for w in plan.writes if w.place.kind is not Kind.NAMED_VALUE}
        return {
            "service_id": self.gateway.resource_id,
            "host": host,
            "region": self.gateway.region,
            "capacity": self.gateway.capacity or 1,
            "entities": [
                {"path": path, "type": kind, "properties": dict(properties)}
                for path, kind, properties in (*self.entities, *self._documents())
            ],
            "accounts": [_account(account) for account in self.accounts],
            "streams": [self._stream(stream) for stream in streams],
            "changes": changes,
            "named_values": values,
            "changed_named_values": changed_values,
            "counted_minutes": round(self.counted.minutes),
            "seed": seed,
        }

    def assumptions(self, plan: DeployPlan, notes: Sequence[str] = ()) -> tuple[str, ...]:
        """What the copy takes for granted, in sentences."""
        streams, left_out = _kept_streams(self.shape)
        window, counted = self.shape.window, self.counted
        found = [
            f"traffic of {window.start_at:%H:%M} to {window.end_at:%H:%M}Z replayed from the logs' aggregates, "
            f"{sum(s.requests for s in streams)} requests; figures of its last {counted.minutes:.0f} minutes",
            "callers send as they did, whatever they are answered: retries of theirs are in the log already",
            "prompt sizes vary 40 % around each caller's mean; token limits follow from mean answers (not logged)",
            "speed and admission of models follow published figures; the network costs nothing",
        ]
        if left_out:
            found.append(f"the first {left_out} minutes are left out: more than {MOST_REQUESTS} requests")
        guessed = sorted({s.caller or "(no subscription)" for s in streams if s.tokens_source != "logged"})
        if guessed:
            found.append(f"tokens guessed from request sizes for {', '.join(guessed)}")
        _, secrets = self._named_values()
        if secrets:
            found.append(f"secret named values stand as a placeholder: {', '.join(secrets)}")
        if not self.accounts:
            found.append("no Azure OpenAI account could be read: every backend answers at once")
        return (*found, *notes)

    def _stream(self, stream: CallerStream) -> dict[str, Any]:
        return {
            "subscription": stream.caller,
            "method": stream.method,
            "path": stream.path,
            "query": stream.query,
            "key_header": self.key_headers.get(stream.api.lower(), "ocp-apim-subscription-key"),
            "minutes": list(stream.minutes),
            "prompt_tokens": stream.prompt_tokens,
            "completion_tokens": stream.completion_tokens,
            "stream_ratio": stream.stream_ratio,
        }

    def _documents(self) -> list[tuple[str, str, dict[str, Any]]]:
        found = []
        for document in self.deployed.documents.values():
            if document.place.kind is not Kind.NAMED_VALUE and document.text is not None:
                kind = "/".join(document.path.split("/")[::2])
                found.append((document.path, kind, {"format": "rawxml", "value": document.text}))
        return found

    def _named_values(self) -> tuple[dict[str, str], list[str]]:
        values, secrets = {}, []
        for document in self.deployed.of_kind(Kind.NAMED_VALUE):
            values[document.place.name] = STANDS_FOR_SECRET if document.text is None else document.text
            if document.text is None:
                secrets.append(document.place.name)
        return values, secrets


def _kept_streams(shape: TrafficShape) -> tuple[list[CallerStream], int]:
    """The streams with as many of the newest minutes as may be replayed, and how many minutes are left out."""
    from dataclasses import replace

    length = max((len(s.minutes) for s in shape.streams), default=0)
    total, first = 0, length
    while first > 0:
        total += sum(s.minutes[first - 1] for s in shape.streams)
        if total > MOST_REQUESTS and first < length:
            break
        first -= 1
    return [replace(s, minutes=s.minutes[first:]) for s in shape.streams if sum(s.minutes[first:])], first


def _account(account: Account) -> dict[str, Any]:
    return {
        "resource_id": account.resource_id,
        "region": account.region,
        "hosts": list(account.hosts),
        "deployments": [
            {
                "name": d.name,
                "model_name": d.model_name,
                "model_version": d.model_version,
                "sku_name": d.sku_name,
                "capacity": d.capacity or 1,
                "spillover_to": d.spillover_deployment_name,
            }
            for d in account.deployments
        ],
    }


def _entity(path: str, kind: str, entity: RawEntity) -> tuple[str, str, dict[str, Any]]:
    properties = dict(entity.properties)
    credentials = properties.get("credentials")
    for name in (*_CREDENTIALS, "primaryKey", "secondaryKey"):
        properties.pop(name, None)
    if kind == "backends" and isinstance(credentials, Mapping) and credentials.get("header"):
        properties["credentials"] = {"header": {str(n): [STANDS_FOR_SECRET] for n in credentials["header"]}}
    return path, kind, properties


def _key_header(api: RawEntity) -> str:
    names = api.properties.get("subscriptionKeyParameterNames") or {}
    return str(names.get("header") or "ocp-apim-subscription-key").lower()


def _name(entity: RawEntity) -> str:
    return str(entity.body.get("name") or entity.resource_id.rstrip("/").rsplit("/", 1)[-1])


# -- the private copy ------------------------------------------------------------------------------------------------


async def run_rehearsal(
    description: Description,
    plan: DeployPlan,
    on_progress: Callable[[float], None] = lambda share: None,
    *,
    seed: int = 7,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Rehearsal:
    """Run the traffic on a private copy, before and after, in a process of its own.

    Raises:
        DeadlineExceeded: it took too long.
        ConsoleError: the copy could not be made.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", REHEARSAL_MODULE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )  # fmt: skip
    try:
        async with asyncio.timeout(deadline_seconds):
            result, errors = await asyncio.gather(
                _converse(process, description.wire(plan, seed), on_progress), _read_all(process.stderr)
            )
            await process.wait()
    except TimeoutError as error:
        raise DeadlineExceeded(
            f"The rehearsal is not done after {deadline_seconds:.0f} s", remedy="Replay fewer minutes."
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if result is None:
        said = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
        raise ConsoleError(
            f"The rehearsal ended without a result: {said[-1] if said else f'exit code {process.returncode}'}"
        )
    return parse_result(result, description, plan)


def parse_result(result: Mapping[str, Any], description: Description, plan: DeployPlan) -> Rehearsal:
    """What the copy answered, as a rehearsal."""
    counts = msgspec.convert(result, _Result)
    return Rehearsal(
        counts.before,
        counts.after,
        description.shape.shares,
        description.counted,
        description.assumptions(plan, counts.notes),
    )


async def _converse(
    process: asyncio.subprocess.Process, wire: Mapping[str, Any], on_progress: Callable[[float], None]
) -> dict[str, Any] | None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(wire))
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return None  # it ended before it listened: its own last words say why
    result: dict[str, Any] | None = None
    async for line in process.stdout:
        message = json.loads(line)
        if "progress" in message:
            on_progress(float(message["progress"]))
        result = message.get("result", result)
    return result


async def _read_all(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()
