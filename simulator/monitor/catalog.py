"""The metrics that exist, by resource type: names, units, aggregations and dimensions. Data only; no sample lives here.

Source: "Supported metrics with Azure Monitor", Microsoft.CognitiveServices/accounts, Microsoft.ApiManagement/service.
Metrics of features that the simulator does not model (images, audio, fine-tuning, realtime) are defined and stay empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from simulator.resources.store import Resource

Family = Literal["model", "utilization", "gateway", "capacity", "events", "none"]

ACCOUNTS = "Microsoft.CognitiveServices/accounts"
SERVICES = "Microsoft.ApiManagement/service"

_A = ("Region", "ModelDeploymentName", "ModelName", "ModelVersion")
_B = ("ApiName", "OperationName", "Region", "StreamType", "ModelDeploymentName", "ModelName", "ModelVersion")
_T = ("ApiName", "ModelDeploymentName", "FeatureName", "UsageChannel", "Region", "ModelVersion")
_REQUEST = (*_B, "StatusCode", "IsSpillover", "ServiceTierRequest", "ServiceTierResponse")
_UTILIZATION = ("Region", "StreamType", "ModelDeploymentName", "ModelName", "ModelVersion")
_GATEWAY_REQUEST = (
    "Location",
    "Hostname",
    "LastErrorReason",
    "BackendResponseCode",
    "GatewayResponseCode",
    "BackendResponseCodeCategory",
    "GatewayResponseCodeCategory",
    "ApiId",
)
_TOTAL = ("Total",)
_STATISTICS = ("Average", "Minimum", "Maximum")


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric. `measure` names what is read from a minute of `family`; `aggregations[0]` is the primary."""

    name: str
    title: str
    unit: str
    aggregations: tuple[str, ...]
    dimensions: tuple[str, ...]
    family: Family
    measure: str
    category: str
    exportable: bool = True
    provisioned_only: bool = False

    @property
    def description(self) -> str:
        """What `displayDescription` says."""
        return f"{self.title}."


def _openai() -> list[MetricDefinition]:
    requests, usage, latency = "Azure OpenAI - HTTP Requests", "Azure OpenAI - Usage", "Azure OpenAI - Latency"
    m = MetricDefinition
    return [
        m("AzureOpenAIRequests", "Azure OpenAI Requests", "Count", _TOTAL, _REQUEST, "model", "requests", requests),
        m(
            "AzureOpenAIAvailabilityRate",
            "Azure OpenAI AvailabilityRate",
            "Percent",
            ("Average", "Minimum", "Maximum"),
            _B,
            "model",
            "availability",
            requests,
            False,
        ),
        m(
            "AzureOpenAIProvisionedManagedUtilizationV2",
            "Provisioned-managed Utilization V2",
            "Percent",
            _STATISTICS,
            _UTILIZATION,
            "utilization",
            "utilization",
            usage,
            False,
        ),
        m(
            "AzureOpenAIProvisionedManagedUtilization",
            "Provisioned-managed Utilization (deprecated)",
            "Percent",
            _STATISTICS,
            _UTILIZATION,
            "utilization",
            "utilization",
            usage,
            False,
        ),
        m(
            "AzureOpenAITimeToResponse",
            "Time to Response",
            "MilliSeconds",
            _STATISTICS,
            (*_B, "StatusCode"),
            "model",
            "first_byte",
            latency,
        ),
        m("AzureOpenAITTLTInMS", "Time to Last Byte", "MilliSeconds", _STATISTICS, _A, "model", "last_byte", latency),
        m(
            "AzureOpenAINormalizedTTFTInMS",
            "Normalized Time to First Byte",
            "MilliSeconds",
            _STATISTICS,
            _A,
            "model",
            "normalized_first_byte",
            latency,
        ),
        m(
            "AzureOpenAINormalizedTBTInMS",
            "Normalized Time Between Tokens",
            "MilliSeconds",
            _STATISTICS,
            _A,
            "model",
            "between_tokens",
            latency,
        ),
        m(
            "AzureOpenAITokenPerSecond",
            "Tokens Per Second",
            "Count",
            _STATISTICS,
            _A,
            "model",
            "tokens_per_second",
            latency,
        ),
        m(
            "AzureOpenAIContextTokensCacheMatchRate",
            "Prompt Token Cache Match Rate",
            "Percent",
            _STATISTICS,
            _A,
            "model",
            "cache_match",
            usage,
            False,
            True,
        ),
        m(
            "ActiveTokens",
            "Active Tokens",
            "Count",
            ("Total", "Average", "Minimum", "Maximum"),
            _A,
            "model",
            "active_tokens",
            usage,
            True,
            True,
        ),
        m("ProcessedPromptTokens", "Processed Prompt Tokens", "Count", _TOTAL, _T, "model", "prompt_tokens", usage),
        m("GeneratedTokens", "Generated Completion Tokens", "Count", _TOTAL, _T, "model", "completion_tokens", usage),
        m("TokenTransaction", "Processed Inference Tokens", "Count", _TOTAL, _T, "model", "all_tokens", usage),
        m("AudioPromptTokens", "Audio Prompt Tokens", "Count", _TOTAL, _A, "none", "", usage),
        m("AudioCompletionTokens", "Audio Completion Tokens", "Count", _TOTAL, _A, "none", "", usage),
        m("FineTunedTrainingHours", "Processed FineTuned Training Hours", "Count", _TOTAL, _A, "none", "", usage),
        m(
            "RAITotalRequests",
            "RAI Total Requests",
            "Count",
            _TOTAL,
            (*_A, "ApiName"),
            "model",
            "answered",
            "ContentSafety - Usage",
        ),
        m(
            "RAIRejectedRequests",
            "RAI Rejected Requests",
            "Count",
            _TOTAL,
            (*_A, "ApiName", "TextType", "Category"),
            "none",
            "",
            "ContentSafety - Usage",
        ),
        m(
            "RAIHarmfulRequests",
            "RAI Harmful Requests",
            "Count",
            _TOTAL,
            (*_A, "ApiName", "TextType", "Category", "Severity"),
            "none",
            "",
            "ContentSafety - Usage",
        ),
    ]


def _models() -> list[MetricDefinition]:
    requests, usage, latency = "Models - HTTP Requests", "Models - Usage", "Models - Latency"
    tokens = ("ApiName", *_A)
    m = MetricDefinition
    return [
        m("ModelRequests", "Model Requests", "Count", _TOTAL, _REQUEST, "model", "requests", requests),
        m(
            "ModelAvailabilityRate",
            "Model Availability Rate",
            "Percent",
            _STATISTICS,
            _A,
            "model",
            "availability",
            requests,
            False,
        ),
        m(
            "TimeToResponse",
            "Time To Response",
            "MilliSeconds",
            _STATISTICS,
            (*_B, "StatusCode"),
            "model",
            "first_byte",
            latency,
        ),
        m("TimeToLastByte", "Time To Last Byte", "MilliSeconds", _STATISTICS, _B, "model", "last_byte", latency),
        m(
            "NormalizedTimeToFirstToken",
            "Normalized Time To First Token",
            "MilliSeconds",
            _STATISTICS,
            _B,
            "model",
            "normalized_first_byte",
            latency,
        ),
        m(
            "NormalizedTimeBetweenTokens",
            "Normalized Time Between Tokens",
            "MilliSeconds",
            _STATISTICS,
            _B,
            "model",
            "between_tokens",
            latency,
        ),
        m("TokensPerSecond", "Tokens Per Second", "Count", _STATISTICS, _B, "model", "tokens_per_second", latency),
        m("InputTokens", "Input Tokens", "Count", _TOTAL, tokens, "model", "prompt_tokens", usage),
        m("OutputTokens", "Output Tokens", "Count", _TOTAL, tokens, "model", "completion_tokens", usage),
        m("TotalTokens", "Total Tokens", "Count", _TOTAL, tokens, "model", "all_tokens", usage),
        m(
            "ProvisionedUtilization",
            "Provisioned Utilization",
            "Percent",
            _STATISTICS,
            _A,
            "utilization",
            "utilization",
            usage,
            False,
        ),
        m(
            "cacheReadInputTokens",
            "Cache Read Input Tokens",
            "Count",
            _TOTAL,
            (*tokens, "ContextLength"),
            "none",
            "",
            usage,
        ),
        m(
            "ephemeral5mInputTokens",
            "Ephemeral 5m Input Tokens",
            "Count",
            _TOTAL,
            (*tokens, "ContextLength"),
            "none",
            "",
            usage,
        ),
        m(
            "ephemeral1hInputTokens",
            "Ephemeral 1h Input Tokens",
            "Count",
            _TOTAL,
            (*tokens, "ContextLength"),
            "none",
            "",
            usage,
        ),
        m("GeneratedImages", "Generated Images", "Count", _TOTAL, tokens, "none", "", usage),
        m("AudioInputTokens", "Audio Input Tokens", "Count", _TOTAL, tokens, "none", "", usage),
        m("AudioOutputTokens", "Audio Output Tokens", "Count", _TOTAL, tokens, "none", "", usage),
    ]


def _gateway() -> list[MetricDefinition]:
    place = ("Location", "Hostname", "ApiId")
    m = MetricDefinition
    definitions = [
        m(
            "Requests",
            "Requests",
            "Count",
            ("Total", "Maximum", "Minimum"),
            _GATEWAY_REQUEST,
            "gateway",
            "requests",
            "Gateway Requests",
        ),
        m(
            "Duration",
            "Overall Duration of Gateway Requests",
            "MilliSeconds",
            ("Average", "Maximum", "Minimum"),
            place,
            "gateway",
            "duration",
            "Gateway Requests",
        ),
        m(
            "BackendDuration",
            "Duration of Backend Requests",
            "MilliSeconds",
            ("Average", "Maximum", "Minimum"),
            place,
            "gateway",
            "backend_duration",
            "Gateway Requests",
        ),
        m("Capacity", "Capacity", "Percent", ("Average", "Maximum"), ("Location",), "capacity", "capacity", "Capacity"),
        m(
            "NetworkConnectivity",
            "Network Connectivity Status of Resources",
            "Count",
            ("Average", "Total"),
            ("Location", "ResourceType"),
            "none",
            "",
            "Network Status",
        ),
    ]
    for name, title, measure in (
        ("EventHubTotalEvents", "Total EventHub Events", "events"),
        ("EventHubSuccessfulEvents", "Successful EventHub Events", "events"),
        ("EventHubTotalBytesSent", "Size of EventHub Events", "bytes"),
        ("EventHubTotalFailedEvents", "Failed EventHub Events", ""),
        ("EventHubRejectedEvents", "Rejected EventHub Events", ""),
        ("EventHubThrottledEvents", "Throttled EventHub Events", ""),
        ("EventHubTimedoutEvents", "Timed Out EventHub Events", ""),
        ("EventHubDroppedEvents", "Dropped EventHub Events", ""),
    ):
        unit = "Bytes" if measure == "bytes" else "Count"
        family: Family = "events" if measure else "none"
        definitions.append(m(name, title, unit, _TOTAL, ("Location",), family, measure, "EventHub Events"))
    for name, title, measure in (
        ("TotalRequests", "Total Gateway Requests (Deprecated)", "requests"),
        ("SuccessfulRequests", "Successful Gateway Requests (Deprecated)", "successful"),
        ("UnauthorizedRequests", "Unauthorized Gateway Requests (Deprecated)", "unauthorized"),
        ("FailedRequests", "Failed Gateway Requests (Deprecated)", "failed"),
        ("OtherRequests", "Other Gateway Requests (Deprecated)", "other"),
    ):
        dimensions = ("Location", "Hostname")
        definitions.append(m(name, title, "Count", _TOTAL, dimensions, "gateway", measure, "Gateway Requests"))
    return definitions


def _by_name(definitions: list[MetricDefinition]) -> Mapping[str, MetricDefinition]:
    return MappingProxyType({definition.name.lower(): definition for definition in definitions})


CATALOG: Mapping[str, Mapping[str, MetricDefinition]] = MappingProxyType(
    {ACCOUNTS.lower(): _by_name(_openai() + _models()), SERVICES.lower(): _by_name(_gateway())}
)
"""Resource type (lower-case) -> metric name (lower-case) -> definition, in the order Azure lists them."""

NAMESPACES: Mapping[str, str] = MappingProxyType({ACCOUNTS.lower(): ACCOUNTS, SERVICES.lower(): SERVICES})
"""Resource type (lower-case) -> metric namespace as Azure spells it."""


def region_of(resource: Resource) -> str:
    """The region as metrics name it: lower case, no blanks; `global` when the resource has none."""
    return str(resource.body.get("location") or "global").lower().replace(" ", "")
