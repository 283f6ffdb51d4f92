"""What happened, told once: the facts that the rooms publish and that metrics, logs and the ground truth keep.

Publishing costs a function call per subscriber. Nothing here aggregates, and nothing here is visible to a console:
it sees only what Monitor and Logs make of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ModelCall:
    """One request answered by a model deployment, refused ones included. Times are epoch seconds.

    `cost` is what a provisioned deployment was charged, in input-token equivalents (0 for pay-as-you-go).
    `status` 0 never occurs: a request that reached no model is no ModelCall.
    """

    arrived_at: float
    completed_at: float
    account_id: str
    region: str
    deployment: str
    model_name: str
    model_version: str
    sku_name: str
    api_name: str
    operation_name: str
    status: int
    is_stream: bool = False
    is_spillover: bool = False
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    time_to_first_byte_ms: float = 0.0
    time_to_last_byte_ms: float = 0.0
    cost: float = 0.0


@dataclass(slots=True)
class UtilizationSample:
    """Utilization of one provisioned deployment over one complete minute.

    `average_ratio` is the admitted cost of that minute over the minute's capacity (1.0 = 100 %); `minute` is its start.
    """

    minute: int
    account_id: str
    region: str
    deployment: str
    model_name: str
    model_version: str
    average_ratio: float
    maximum_ratio: float
    minimum_ratio: float


@dataclass(slots=True)
class LlmFacts:
    """What the gateway's language-model log knows of a call."""

    model_name: str
    deployment: str
    prompt_tokens: int
    completion_tokens: int
    is_stream: bool = False


@dataclass(slots=True)
class Attempt:
    """One forward of a gateway request to one backend. `status` None: no answer came."""

    backend_name: str
    backend_url: str
    status: int | None
    started_at: float
    milliseconds: float


@dataclass(slots=True)
class LastErrorFacts:
    """`context.LastError` as the gateway log keeps it."""

    reason: str
    message: str
    source: str
    scope: str
    section: str
    elapsed_ms: float


@dataclass(slots=True)
class GatewayCall:
    """One request at the gateway, whatever became of it. Times are epoch seconds, durations milliseconds.

    `attempts` is kept for the ground truth alone: the gateway's log has one row a request and names the last attempt.
    `response_code` 0: the caller went away.
    """

    started_at: float
    completed_at: float
    service_id: str
    region: str
    unit: int
    correlation_id: str
    method: str
    url: str
    api_id: str
    api_revision: str
    operation_id: str
    operation_name: str
    product_id: str
    user_id: str
    subscription_name: str
    caller_ip: str
    response_code: int
    request_size: int
    response_size: int
    total_ms: float
    client_ms: float
    backend_ms: float
    attempts: list[Attempt] = field(default_factory=list)
    backend_id: str = ""
    backend_method: str = ""
    last_error: LastErrorFacts | None = None
    llm: LlmFacts | None = None
    cache: str = "none"
    trace_records: list[dict[str, Any]] = field(default_factory=list)
    fragments: tuple[str, ...] = ()


@dataclass(slots=True)
class CustomMetric:
    """One value emitted by emit-metric or a token-metric policy to Application Insights."""

    at: float
    service_id: str
    namespace: str
    name: str
    value: float
    dimensions: dict[str, str]


@dataclass(slots=True)
class EventHubRecord:
    """One message a policy logged to an Event Hub."""

    at: float
    service_id: str
    logger_id: str
    message: str


@dataclass(slots=True)
class BreakerEvent:
    """A circuit breaker of one gateway unit opened or closed."""

    at: float
    service_id: str
    unit: int
    backend_name: str
    opened: bool
    until: float | None
    reason: str


@dataclass(slots=True)
class ActivityEvent:
    """One event of the activity log (control-plane write), as Resource Manager records it."""

    at: float
    operation_name: str
    status: str
    resource_id: str
    caller: str
    correlation_id: str
    properties: dict[str, Any] = field(default_factory=dict)


class Telemetry:
    """Subscribers by kind of fact. Append a callable to a list to be told, in order of subscription."""

    def __init__(self) -> None:
        self.on_model_call: list[Callable[[ModelCall], None]] = []
        self.on_utilization: list[Callable[[UtilizationSample], None]] = []
        self.on_gateway_call: list[Callable[[GatewayCall], None]] = []
        self.on_custom_metric: list[Callable[[CustomMetric], None]] = []
        self.on_event_hub_record: list[Callable[[EventHubRecord], None]] = []
        self.on_breaker_event: list[Callable[[BreakerEvent], None]] = []
        self.on_activity: list[Callable[[ActivityEvent], None]] = []

    def model_call(self, fact: ModelCall) -> None:
        """Tell of one model call."""
        for tell in self.on_model_call:
            tell(fact)

    def utilization(self, fact: UtilizationSample) -> None:
        """Tell of one minute of one provisioned deployment."""
        for tell in self.on_utilization:
            tell(fact)

    def gateway_call(self, fact: GatewayCall) -> None:
        """Tell of one gateway request."""
        for tell in self.on_gateway_call:
            tell(fact)

    def custom_metric(self, fact: CustomMetric) -> None:
        """Tell of one custom metric value."""
        for tell in self.on_custom_metric:
            tell(fact)

    def event_hub_record(self, fact: EventHubRecord) -> None:
        """Tell of one Event Hub message."""
        for tell in self.on_event_hub_record:
            tell(fact)

    def breaker_event(self, fact: BreakerEvent) -> None:
        """Tell of a breaker that opened or closed."""
        for tell in self.on_breaker_event:
            tell(fact)

    def activity(self, fact: ActivityEvent) -> None:
        """Tell of one control-plane write."""
        for tell in self.on_activity:
            tell(fact)
