"""The tables of a workspace and their columns, typed as Log Analytics documents them. Data only.

Source: Azure Monitor Logs reference: ApiManagementGatewayLogs, ApiManagementGatewayLlmLog, AppMetrics, AzureMetrics,
AzureActivity, AzureDiagnostics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SQL_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "string": "VARCHAR",
        "int": "INTEGER",
        "long": "BIGINT",
        "real": "DOUBLE",
        "bool": "BOOLEAN",
        "datetime": "TIMESTAMP",
        "dynamic": "JSON",
        "guid": "UUID",
        "timespan": "INTERVAL",
    }
)


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table: columns as (name, Kusto type) in the order `getschema` lists them."""

    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [name for name, _ in self.columns]

    def type_of(self, column: str) -> str:
        """The Kusto type of a column.

        Raises:
            KeyError: there is no such column.
        """
        return dict(self.columns)[column]


def _table(name: str, **typed: str) -> TableSchema:
    columns = [(column, kind) for kind, names in typed.items() for column in names.split()]
    return TableSchema(name, tuple(columns))


_STANDARD = " _ResourceId _SubscriptionId _IsBillable SourceSystem TenantId Type"

GATEWAY_LOGS = _table(
    "ApiManagementGatewayLogs",
    datetime="TimeGenerated Timestamp",
    string=(
        "CorrelationId Method Url ApiId ApiRevision OperationId OperationName ProductId UserId "
        "ApimSubscriptionId WorkspaceId CallerIpAddress ClientProtocol ClientTlsVersion Region Category Cache "
        "BackendId BackendMethod BackendProtocol BackendUrl RequestBody ResponseBody BackendRequestBody "
        "BackendResponseBody LastErrorMessage LastErrorReason LastErrorScope LastErrorSection LastErrorSource"
        + _STANDARD
    ),
    int="ResponseCode RequestSize ResponseSize BackendResponseCode",
    bool="IsRequestSuccess IsTraceAllowed IsTraceExpired IsTraceRequested IsMasterTrace",
    long="TotalTime ClientTime BackendTime CacheTime LastErrorElapsed",
    real="_BilledSize",
    dynamic="RequestHeaders ResponseHeaders BackendRequestHeaders BackendResponseHeaders Errors TraceRecords",
)
LLM_LOGS = _table(
    "ApiManagementGatewayLlmLog",
    datetime="TimeGenerated",
    string="CorrelationId ApiVersion DeploymentName ModelName OperationName Region RequestId " + _STANDARD,
    int="PromptTokens CompletionTokens TotalTokens SequenceNumber",
    bool="IsStreamCompletion",
    real="_BilledSize",
    dynamic="RequestMessages ResponseMessages",
)
APP_METRICS = _table(
    "AppMetrics",
    datetime="TimeGenerated",
    string=(
        "Name AppRoleName AppRoleInstance AppVersion OperationId OperationName ParentId SDKVersion IKey "
        "ClientType ClientIP ClientCity ClientCountryOrRegion ResourceGUID" + _STANDARD
    ),
    real="Sum Min Max _BilledSize",
    int="ItemCount",
    dynamic="Properties",
)
AZURE_METRICS = _table(
    "AzureMetrics",
    datetime="TimeGenerated",
    string="MetricName TimeGrain UnitName Resource ResourceGroup ResourceId ResourceProvider SubscriptionId "
    + _STANDARD,
    real="Average Count Maximum Minimum Total _BilledSize",
)
AZURE_ACTIVITY = _table(
    "AzureActivity",
    datetime="TimeGenerated EventSubmissionTimestamp",
    string=(
        "OperationNameValue ActivityStatusValue ActivitySubstatusValue CategoryValue Level Caller "
        "CallerIpAddress Authorization Claims HTTPRequest Properties CorrelationId EventDataId OperationId "
        "ResourceProviderValue ResourceGroup Hierarchy SubscriptionId" + _STANDARD
    ),
    real="_BilledSize",
    dynamic="Authorization_d Claims_d Properties_d",
)
AZURE_DIAGNOSTICS = _table(
    "AzureDiagnostics",
    datetime="TimeGenerated",
    string=(
        "Category OperationName ResultSignature ResultType ResultDescription CallerIPAddress CorrelationId "
        "Level Resource ResourceGroup ResourceId ResourceProvider ResourceType SubscriptionId properties_s "
        "method_s url_s apiId_s operationId_s productId_s subscriptionId_s backendId_s backendUrl_s cache_s "
        "lastError_reason_s lastError_message_s Tenant_s location_s event_s" + _STANDARD
    ),
    long="DurationMs",
    real="responseCode_d backendResponseCode_d backendTime_d clientTime_d requestSize_d responseSize_d _BilledSize",
    bool="isRequestSuccess_b",
    dynamic="AdditionalFields",
)

TABLES: Mapping[str, TableSchema] = MappingProxyType(
    {
        table.name: table
        for table in (GATEWAY_LOGS, LLM_LOGS, APP_METRICS, AZURE_METRICS, AZURE_ACTIVITY, AZURE_DIAGNOSTICS)
    }
)
