"""Facts become rows: gateway requests, model calls, custom metrics, activity. Columnar text, loaded in bulk.

A fact waits as it is until somebody asks or enough of them wait; then one pass turns them all into rows. Each row
carries when it will have been ingested.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from simulator.logs.database import FIELD_END, LogDatabase
from simulator.logs.exports import MetricExports
from simulator.logs.routing import (
    SETTINGS,
    Destination,
    application_insights_workspaces,
    destinations,
    language_model_rows,
)
from simulator.logs.schema import APP_METRICS, AZURE_ACTIVITY, AZURE_DIAGNOSTICS
from simulator.telemetry import ActivityEvent, CustomMetric, GatewayCall, ModelCall

if TYPE_CHECKING:
    from simulator.logs.settings import LogsSettings
    from simulator.resources.store import Resource
    from simulator.world import World

LOAD_EVERY = 10_000
"""Facts that may wait before they are loaded without anybody asking: bounds memory while history runs."""
_NO_ERROR = ("", "", "", "", "", "")
_DIAGNOSTICS_COLUMNS = [
    "TimeGenerated",
    "Category",
    "OperationName",
    "ResultSignature",
    "ResultType",
    "CallerIPAddress",
    "CorrelationId",
    "Resource",
    "ResourceGroup",
    "ResourceId",
    "ResourceProvider",
    "ResourceType",
    "SubscriptionId",
    "properties_s",
    "DurationMs",
    "method_s",
    "url_s",
    "apiId_s",
    "backendUrl_s",
    "responseCode_d",
    "backendResponseCode_d",
    "isRequestSuccess_b",
    "_ResourceId",
]
_ACTIVITY_COLUMNS = [
    "TimeGenerated",
    "EventSubmissionTimestamp",
    "OperationNameValue",
    "ActivityStatusValue",
    "ActivitySubstatusValue",
    "CategoryValue",
    "Level",
    "Caller",
    "CorrelationId",
    "EventDataId",
    "OperationId",
    "ResourceProviderValue",
    "ResourceGroup",
    "SubscriptionId",
    "Properties",
    "Properties_d",
    "_ResourceId",
]
_METRIC_COLUMNS = [
    "TimeGenerated",
    "Name",
    "Sum",
    "Min",
    "Max",
    "ItemCount",
    "Properties",
    "AppRoleName",
    "_ResourceId",
]


_ACTIVITY_STATUS = {"Started": "Start", "Accepted": "Accept", "Succeeded": "Success", "Failed": "Failure"}


class RowWriter:
    """Holds facts, then writes them. `flush` makes everything told so far queryable (once it is ingested)."""

    def __init__(self, world: World, database: LogDatabase, settings: LogsSettings) -> None:
        self._world = world
        self._database = database
        self._settings = settings
        self._random = world.random("logs/ingestion")
        self._gateway_calls: list[GatewayCall] = []
        self._model_calls: list[ModelCall] = []
        self._metrics: list[CustomMetric] = []
        self._activity: list[ActivityEvent] = []
        self._routes: dict[str, tuple[Destination, ...]] = {}
        self._llm_rows: dict[tuple[str, str], int] = {}
        self._placed: set[str] = set()
        self._pruned_at = world.now
        self._exports = MetricExports(world, database)
        telemetry = world.telemetry
        telemetry.on_gateway_call.append(self._hold_gateway_call)
        telemetry.on_model_call.append(self._hold_model_call)
        telemetry.on_custom_metric.append(self._metrics.append)
        telemetry.on_activity.append(self._activity.append)
        world.store.on_change(self._forget_routes)

    def _hold_gateway_call(self, call: GatewayCall) -> None:
        # Looked up now: a change of the settings must not reroute what happened before it.
        self._destinations(call.service_id)
        self._language_model_rows(call)
        self._gateway_calls.append(call)
        if len(self._gateway_calls) >= LOAD_EVERY:
            self.flush()

    def _hold_model_call(self, call: ModelCall) -> None:
        if self._destinations(call.account_id):
            self._model_calls.append(call)

    def _forget_routes(self, resource_id: str, resource: Resource | None) -> None:
        lowered = resource_id.lower()
        if "/diagnostic" in lowered or "/loggers/" in lowered or resource is None:
            # What happened until now was routed by the settings of its time.
            self.flush()
            self._routes.clear()
            self._llm_rows.clear()

    def _destinations(self, resource_id: str) -> tuple[Destination, ...]:
        known = self._routes.get(resource_id)
        if known is None:
            known = self._routes[resource_id] = destinations(self._world, resource_id)
        return known

    def was_placed(self, workspaces: list[str]) -> bool:
        """Whether anything is, or was, sent to one of the workspaces (ARM ids, lower-case).

        Source: Log Analytics query API: a workspace that has never received data answers 204.
        """
        wanted = set(workspaces)
        if wanted & self._placed:
            return True
        for setting in self._world.store.of_type(SETTINGS):
            self._placed.add(str(setting.properties.get("workspaceId") or "").lower())
        return bool(wanted & self._placed)

    def flush(self) -> None:
        """Write every fact that waits."""
        self._write_gateway_calls()
        self._write_model_calls()
        self._write_metrics()
        self._write_activity()
        self._exports.write()
        if self._world.now - self._pruned_at > 3600.0:
            self._pruned_at = self._world.now
            self._database.prune(self._world.now - self._settings.retention_seconds)

    # -- gateway requests ------------------------------------------------------------------------------------

    def _write_gateway_calls(self) -> None:
        if not self._gateway_calls:
            return
        low, high = self._settings.lag_seconds
        uniform, shape_number = self._random.uniform, self._database.shape
        lines: list[str] = []
        flat: list[str] = []
        for call in self._gateway_calls:
            ingested = int((call.completed_at + uniform(low, high)) * 1e6)
            for destination in self._destinations(call.service_id):
                if not destination.dedicated:
                    if destination.takes("GatewayLogs"):
                        flat.append(_gateway_diagnostics(call, destination, ingested))
                    continue
                in_log = destination.takes("GatewayLogs")
                llm_rows = self._language_model_rows(call) if destination.takes("GatewayLlmLogs") else 0
                if not in_log and not llm_rows:
                    continue
                shape = shape_number(_shape(call, destination.workspace_id, in_log, llm_rows))
                lines.append(_line(call, ingested, shape))
        self._gateway_calls.clear()
        self._database.load_gateway_rows(lines)
        if flat:
            self._database.load_flat_rows(AZURE_DIAGNOSTICS, _DIAGNOSTICS_COLUMNS, flat)

    def _language_model_rows(self, call: GatewayCall) -> int:
        if call.llm is None:
            return 0
        key = (call.service_id, call.api_id)
        known = self._llm_rows.get(key)
        if known is None:
            known = self._llm_rows[key] = language_model_rows(self._world, *key)
        return known

    # -- the rest --------------------------------------------------------------------------------------------

    def _ingested(self, at: float) -> str:
        return str(int((at + self._random.uniform(*self._settings.lag_seconds)) * 1e6))

    def _write_model_calls(self) -> None:
        lines = []
        for call in self._model_calls:
            for destination in self._destinations(call.account_id):
                if destination.takes("RequestResponse"):
                    lines.append(_model_diagnostics(call, destination, self._ingested(call.completed_at)))
        self._model_calls.clear()
        if lines:
            self._database.load_flat_rows(AZURE_DIAGNOSTICS, _DIAGNOSTICS_COLUMNS, lines)

    def _write_metrics(self) -> None:
        """Custom metrics arrive summed up by minute and dimensions, as Application Insights pre-aggregates them."""
        minute = self._world.now // 60 * 60
        due = [fact for fact in self._metrics if fact.at < minute]
        if not due:
            return
        self._metrics[:] = [fact for fact in self._metrics if fact.at >= minute]
        sums: dict[tuple[Any, ...], list[float]] = {}
        for fact in due:
            key = (fact.at // 60 * 60, fact.service_id, fact.name, tuple(sorted(fact.dimensions.items())))
            entry = sums.setdefault(key, [0.0, fact.value, fact.value, 0.0])
            entry[0] += fact.value
            entry[1], entry[2] = min(entry[1], fact.value), max(entry[2], fact.value)
            entry[3] += 1
        lines = []
        for (at, service_id, name, dimensions), (total, low, high, count) in sums.items():
            for component_id, workspace_id in application_insights_workspaces(self._world, service_id):
                fields = (workspace_id, self._ingested(at + 60), _microseconds(at), name, total, low, high, int(count))
                properties = json.dumps(dict(dimensions))
                lines.append(_join(*fields, properties, service_id.rsplit("/", 1)[1], component_id.lower()))
        if lines:
            self._database.load_flat_rows(APP_METRICS, _METRIC_COLUMNS, lines)

    def _write_activity(self) -> None:
        lines = []
        for serial, event in enumerate(self._activity):
            parts = event.resource_id.split("/")
            if len(parts) < 3:
                continue
            for destination in self._destinations("/".join(parts[:3])):
                if destination.takes("Administrative"):
                    lines.append(_activity_line(event, serial, parts, destination, self._ingested(event.at)))
        self._activity.clear()
        if lines:
            self._database.load_flat_rows(AZURE_ACTIVITY, _ACTIVITY_COLUMNS, lines)


def _shape(call: GatewayCall, workspace_id: str, in_log: bool, llm_rows: int) -> tuple[Any, ...]:
    attempts, error, llm = call.attempts, call.last_error, call.llm
    url = attempts[-1].backend_url if attempts else ""
    said = _NO_ERROR
    if error is not None:
        details = json.dumps(
            [{"source": error.source, "reason": error.reason, "message": error.message, "section": error.section}]
        )
        said = (error.message, error.reason, error.scope, error.section, error.source, details)
    model = (
        (llm.model_name, llm.deployment, _api_version(call.url), llm.is_stream)
        if llm is not None
        else ("", "", "", False)
    )
    service_id = call.service_id.lower()
    return (
        workspace_id,
        in_log,
        llm_rows,
        call.method,
        call.url,
        call.api_id,
        call.api_revision,
        call.operation_id,
        call.operation_name,
        call.product_id,
        call.user_id,
        call.subscription_name,
        call.caller_ip,
        call.region,
        call.cache,
        call.backend_id,
        call.backend_method,
        "HTTP/1.1" if attempts else "",
        url,
        *said[:5],
        said[5] or None,
        service_id,
        service_id.split("/")[2] if service_id.count("/") > 2 else "",
        *model,
    )


def _api_version(url: str) -> str:
    return url.partition("api-version=")[2].partition("&")[0]


def _line(call: GatewayCall, ingested: int, shape: int) -> str:
    attempts, llm, error = call.attempts, call.llm, call.last_error
    status = attempts[-1].status if attempts else None
    elapsed = int(error.elapsed_ms) if error is not None else ""
    tokens = f"{llm.prompt_tokens}\x1f{llm.completion_tokens}" if llm is not None else "\x1f"
    trace = json.dumps(call.trace_records) if call.trace_records else ""
    return (
        f"{int(call.started_at * 1e6)}\x1f{ingested}\x1f{call.correlation_id}\x1f{shape}\x1f{call.response_code}\x1f"
        f"{'' if status is None else status}\x1f{call.request_size}\x1f{call.response_size}\x1f"
        f"{round(call.total_ms)}\x1f"
        f"{round(call.client_ms)}\x1f{round(call.backend_ms)}\x1f{elapsed}\x1f{tokens}\x1f{trace}"
    )


def _microseconds(at: float) -> str:
    return str(int(at * 1e6))


def _join(*fields: object) -> str:
    return FIELD_END.join("" if field is None else _clean(str(field)) for field in fields)


def _clean(text: str) -> str:
    return text.replace("\x1f", " ").replace("\x1e", " ")


def _place(resource_id: str) -> tuple[str, str, str, str, str, str]:
    """Resource, group, id, provider, type and subscription, as AzureDiagnostics spells them."""
    parts = resource_id.split("/")
    if len(parts) < 9:
        return (parts[-1].upper(), "", resource_id.upper(), "", "", parts[2] if len(parts) > 2 else "")
    return (parts[8].upper(), parts[4].upper(), resource_id.upper(), parts[6].upper(), parts[7].upper(), parts[2])


def _gateway_diagnostics(call: GatewayCall, destination: Destination, ingested: int) -> str:
    attempts = call.attempts
    status = attempts[-1].status if attempts else None
    return _join(
        destination.workspace_id,
        ingested,
        _microseconds(call.started_at),
        "GatewayLogs",
        "Microsoft.ApiManagement/GatewayLogs",
        "",
        "Succeeded" if call.response_code < 400 else "Failed",
        call.caller_ip,
        call.correlation_id,
        *_place(call.service_id),
        "",
        round(call.total_ms),
        call.method,
        call.url,
        call.api_id,
        attempts[-1].backend_url if attempts else "",
        call.response_code,
        status,
        str(200 <= call.response_code < 400).lower(),
        call.service_id.lower(),
    )


def _model_diagnostics(call: ModelCall, destination: Destination, ingested: str) -> str:
    properties = {
        "apiName": call.api_name,
        "modelDeploymentName": call.deployment,
        "modelName": call.model_name,
        "modelVersion": call.model_version,
        "streamType": "Streaming" if call.is_stream else "Non-Streaming",
    }
    return _join(
        destination.workspace_id,
        ingested,
        _microseconds(call.arrived_at),
        "RequestResponse",
        call.operation_name,
        call.status,
        "",
        "10.0.0.***",
        "",
        *_place(call.account_id),
        json.dumps(properties),
        round((call.completed_at - call.arrived_at) * 1000),
        *("" for _ in range(7)),
        call.account_id.lower(),
    )


def _activity_line(event: ActivityEvent, serial: int, parts: list[str], destination: Destination, ingested: str) -> str:
    provider = parts[parts.index("providers") + 1] if "providers" in parts else ""
    properties = json.dumps({key: value for key, value in event.properties.items() if value is not None})
    return _join(
        destination.workspace_id,
        ingested,
        _microseconds(event.at),
        ingested,
        event.operation_name.upper(),
        _ACTIVITY_STATUS.get(event.status, event.status),
        str(event.properties.get("statusCode", "")),
        "Administrative",
        "Error" if event.status == "Failed" else "Information",
        event.caller,
        event.correlation_id,
        f"{event.correlation_id}-{serial}",
        event.correlation_id,
        provider.upper(),
        parts[4].upper() if len(parts) > 4 else "",
        parts[2],
        properties,
        properties,
        event.resource_id.lower(),
    )
