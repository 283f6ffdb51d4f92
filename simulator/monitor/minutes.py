"""Samples by minute: what happened, folded into sums per resource and dimension tuple as it becomes visible.

A fact waits until the metrics store would show it (`lag_seconds` after it happened), then joins its minute; that is
why the newest minute is incomplete. Facts themselves are not kept. Minutes older than the retention are dropped.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, MutableSequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from simulator.telemetry import EventHubRecord, GatewayCall, ModelCall, UtilizationSample

if TYPE_CHECKING:
    from simulator.monitor.settings import MonitorSettings
    from simulator.world import World

T = TypeVar("T")
Key: TypeAlias = tuple[str, ...]
"""The dimension values of one tuple, in the order of the family's `*_FIELDS`."""
Sums: TypeAlias = MutableSequence[float]
Minutes: TypeAlias = dict[int, dict[Key, Sums]]
"""Minute (epoch seconds of its start) -> dimension tuple -> sums."""

MODEL_FIELDS = (
    "modeldeploymentname",
    "modelname",
    "modelversion",
    "region",
    "apiname",
    "operationname",
    "streamtype",
    "statuscode",
    "isspillover",
    "provisioned",
)
UTILIZATION_FIELDS = ("modeldeploymentname", "modelname", "modelversion", "region")
GATEWAY_FIELDS = ("location", "hostname", "lasterrorreason", "backendresponsecode", "gatewayresponsecode", "apiid")
CAPACITY_FIELDS = ("location",)
EVENT_FIELDS = ("location",)

# Positions in a model tuple's sums; a statistic takes four: sum, count, minimum, maximum.
REQUESTS, SERVER_ERRORS, ANSWERED, PROMPT, CACHED, COMPLETION = range(6)
FIRST_BYTE, LAST_BYTE, NORMALIZED_FIRST_BYTE, BETWEEN_TOKENS, TOKENS_PER_SECOND, CACHE_MATCH, ACTIVE = range(6, 34, 4)
_MODEL_WIDTH = 34
# Positions in a gateway tuple's sums.
GATEWAY_REQUESTS, DURATION, BACKEND_DURATION = 0, 1, 5
_GATEWAY_WIDTH = 9

FOLD_EVERY = 5_000
"""Facts that may wait before they are folded without anybody asking: bounds memory while history runs."""
PACK_AFTER_SECONDS = 600


def _note(sums: Sums, at: int, value: float) -> None:
    if sums[at + 1] == 0:
        sums[at + 2] = sums[at + 3] = value
    elif value < sums[at + 2]:
        sums[at + 2] = value
    elif value > sums[at + 3]:
        sums[at + 3] = value
    sums[at] += value
    sums[at + 1] += 1


class MinuteStore:
    """Minutes by family and resource id (lower-case)."""

    def __init__(self, world: World, settings: MonitorSettings) -> None:
        self._world = world
        self._settings = settings
        self.model: dict[str, Minutes] = {}
        self.utilization: dict[str, Minutes] = {}
        self.gateway: dict[str, Minutes] = {}
        self.capacity: dict[str, Minutes] = {}
        self.events: dict[str, Minutes] = {}
        self._model_calls: list[ModelCall] = []
        self._samples: list[UtilizationSample] = []
        self._gateway_calls: list[GatewayCall] = []
        self._records: list[EventHubRecord] = []
        self._hostnames: dict[str, str] = {}
        self._tended_until = 0
        telemetry = world.telemetry
        telemetry.on_model_call.append(self._hold_model_call)
        telemetry.on_utilization.append(self._samples.append)
        telemetry.on_gateway_call.append(self._hold_gateway_call)
        telemetry.on_event_hub_record.append(self._records.append)

    def _hold_model_call(self, call: ModelCall) -> None:
        self._model_calls.append(call)
        if len(self._model_calls) % FOLD_EVERY == 0:
            self.fold()

    def _hold_gateway_call(self, call: GatewayCall) -> None:
        self._gateway_calls.append(call)
        if len(self._gateway_calls) % FOLD_EVERY == 0:
            self.fold()

    def minutes(self, family: str, resource_id: str) -> Minutes:
        """The minutes of one family for one resource; empty when it has none. Call `fold` first."""
        store: dict[str, Minutes] = getattr(self, family, {})
        return store.get(resource_id.lower(), {})

    def fold(self) -> None:
        """Let what has become visible join its minutes."""
        visible = self._world.now - self._settings.lag_seconds
        _fold(self._model_calls, lambda call: call.completed_at <= visible, self._fold_model_call)
        _fold(self._samples, lambda sample: sample.minute + 60 <= visible, self._fold_utilization)
        _fold(self._gateway_calls, lambda call: call.completed_at <= visible, self._fold_gateway_call)
        _fold(self._records, lambda record: record.at <= visible, self._fold_record)
        minute = int(self._world.now // 60) * 60
        if minute >= self._tended_until + PACK_AFTER_SECONDS:
            self._tend(minute)

    def _fold_model_call(self, call: ModelCall) -> None:
        minutes = self.model.setdefault(call.account_id.lower(), {})
        tuples = minutes.setdefault(int(call.completed_at // 60) * 60, {})
        key = (
            call.deployment,
            call.model_name,
            call.model_version,
            call.region,
            call.api_name,
            call.operation_name,
            "Streaming" if call.is_stream else "Non-Streaming",
            str(call.status),
            "True" if call.is_spillover else "False",
            "True" if "Provisioned" in call.sku_name else "",
        )
        sums = tuples.get(key)
        if sums is None:
            sums = tuples[key] = [0.0] * _MODEL_WIDTH
        sums[REQUESTS] += 1
        if call.status >= 500:
            sums[SERVER_ERRORS] += 1
        if call.status >= 300:
            return
        sums[ANSWERED] += 1
        prompt, output = call.prompt_tokens, call.completion_tokens
        sums[PROMPT] += prompt
        sums[CACHED] += call.cached_tokens
        sums[COMPLETION] += output
        first, last = call.time_to_first_byte_ms, call.time_to_last_byte_ms
        _note(sums, FIRST_BYTE, first)
        _note(sums, LAST_BYTE, last)
        _note(sums, ACTIVE, prompt + output - call.cached_tokens)
        if prompt:
            _note(sums, NORMALIZED_FIRST_BYTE, first / prompt)
            _note(sums, CACHE_MATCH, 100.0 * call.cached_tokens / prompt)
        if output > 1 and last > first:
            _note(sums, BETWEEN_TOKENS, (last - first) / (output - 1))
        if output and last > 0:
            _note(sums, TOKENS_PER_SECOND, output * 1000.0 / last)

    def _fold_utilization(self, sample: UtilizationSample) -> None:
        minutes = self.utilization.setdefault(sample.account_id.lower(), {})
        key = (sample.deployment, sample.model_name, sample.model_version, sample.region)
        average, low, high = sample.average_ratio, sample.minimum_ratio, sample.maximum_ratio
        minutes.setdefault(sample.minute, {})[key] = array("d", (average * 100.0, 1.0, low * 100.0, high * 100.0))

    def _fold_gateway_call(self, call: GatewayCall) -> None:
        # Assumed: a request counts in the minute it began, as its log row does.
        service, minute = call.service_id.lower(), int(call.started_at // 60) * 60
        tuples = self.gateway.setdefault(service, {}).setdefault(minute, {})
        self.capacity.setdefault(service, {}).setdefault(minute, {}).setdefault((call.region,), [0.0])[0] += 1
        attempts = call.attempts
        status = attempts[-1].status if attempts else None
        key = (
            call.region,
            self._hostname(call.url),
            call.last_error.reason if call.last_error is not None else "None",
            str(status) if status is not None else "0",
            str(call.response_code),
            call.api_id,
        )
        sums = tuples.get(key)
        if sums is None:
            sums = tuples[key] = [0.0] * _GATEWAY_WIDTH
        sums[GATEWAY_REQUESTS] += 1
        _note(sums, DURATION, call.total_ms)
        if attempts:
            _note(sums, BACKEND_DURATION, call.backend_ms)

    def _hostname(self, url: str) -> str:
        host = self._hostnames.get(url)
        if host is None:
            if len(self._hostnames) > 2_000:
                self._hostnames.clear()
            host = self._hostnames[url] = url.partition("://")[2].partition("/")[0].lower()
        return host

    def _fold_record(self, record: EventHubRecord) -> None:
        resource = self._world.store.get(record.service_id)
        location = str(resource.body.get("location", "")) if resource is not None else ""
        tuples = self.events.setdefault(record.service_id.lower(), {}).setdefault(int(record.at // 60) * 60, {})
        sums = tuples.setdefault((location,), [0.0, 0.0])
        sums[0] += 1
        sums[1] += len(record.message.encode())

    def _tend(self, minute: int) -> None:
        """Pack minutes that hardly change any more and drop those past the retention."""
        oldest = minute - int(self._settings.retention_seconds)
        packed_before = minute - PACK_AFTER_SECONDS
        for store in (self.model, self.utilization, self.gateway, self.capacity, self.events):
            for minutes in store.values():
                for at in [at for at in minutes if at < oldest]:
                    del minutes[at]
                for at, tuples in minutes.items():
                    if self._tended_until - PACK_AFTER_SECONDS <= at < packed_before:
                        for key, sums in tuples.items():
                            if isinstance(sums, list):
                                tuples[key] = array("d", sums)
        self._tended_until = minute


def _fold(waiting: list[T], is_visible: Callable[[T], bool], take: Callable[[T], None]) -> None:
    late: list[T] = []
    for fact in waiting:
        if is_visible(fact):
            take(fact)
        else:
            late.append(fact)
    waiting[:] = late
