"""Microsoft's own monitoring clients, over HTTP, against the embedded Azure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsQueryStatus
from azure.monitor.query.aio import LogsQueryClient
from azure.monitor.querymetrics.aio import MetricsClient

from simulator.entra.principals import BUILT_IN_ROLES, Assignment
from simulator.entra.tokens import entra
from simulator.names import GROUP, WORKSPACE_CUSTOMER_ID, account_id
from simulator.server import Server
from simulator.world import World
from tests.simulator.arm_world import LoopbackAuthentication, UnusedCredential
from tests.simulator.monitoring_world import (
    ACCOUNTS,
    MINUTE,
    PTU,
    REGION_HOST,
    gateway_call,
    logs_room,
    make_world,
    model_call,
    utilization,
)


@asynccontextmanager
async def served(world: World) -> AsyncIterator[Server]:
    """A server whose clock nobody drives."""
    async with Server(world, driven=False) as server:
        yield server


def metrics_client(server: Server, host: str = REGION_HOST) -> MetricsClient:
    """The batch client of one region."""
    return MetricsClient(
        f"{server.base_url}/hosts/{host}",
        UnusedCredential(),
        authentication_policy=LoopbackAuthentication(server.world),
        retry_total=0,
    )


def logs_client(server: Server) -> LogsQueryClient:
    """The logs client."""
    return LogsQueryClient(
        UnusedCredential(),
        endpoint=f"{server.base_url}/hosts/api.loganalytics.io",
        authentication_policy=LoopbackAuthentication(server.world),
        retry_total=0,
    )


def span() -> tuple[datetime, datetime]:
    """The ten minutes around what the tests tell."""
    start = datetime.fromtimestamp(MINUTE - 300, UTC)
    return start, start + timedelta(minutes=10)


async def test_the_batch_client_reads_utilization_and_requests() -> None:
    world = make_world()
    world.telemetry.model_call(model_call(MINUTE + 1, 429))
    world.telemetry.utilization(utilization(MINUTE, 1.01, 1.4, 0.8))
    world.advance(120)
    async with served(world) as server, metrics_client(server) as client:
        [result] = await client.query_resources(
            resource_ids=[PTU],
            metric_namespace=ACCOUNTS,
            metric_names=["AzureOpenAIRequests", "AzureOpenAIProvisionedManagedUtilizationV2"],
            timespan=span(),
            granularity=timedelta(minutes=1),
            aggregations=["Total", "Average"],
            filter="ModelDeploymentName eq '*'",
        )
    requests, used = result.metrics
    assert result.resource_region == "swedencentral"
    assert requests.timeseries[0].metadata_values == {"modeldeploymentname": "gpt-4o"}
    assert [(point.timestamp.minute, point.total) for point in requests.timeseries[0].data if point.total] == [(6, 1.0)]
    assert [point.average for point in used.timeseries[0].data if point.average is not None] == [101.0]


async def test_rights_on_the_group_alone_do_not_open_the_batch() -> None:
    world = make_world()
    entra(world).default.assignments[:] = [Assignment(BUILT_IN_ROLES["Monitoring Reader"], GROUP)]
    async with served(world) as server, metrics_client(server) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.query_resources(
                resource_ids=[PTU], metric_namespace=ACCOUNTS, metric_names=["AzureOpenAIRequests"]
            )
    assert refused.value.status_code == 403


async def test_the_client_tells_why_a_batch_is_refused() -> None:
    world = make_world()
    async with served(world) as server, metrics_client(server) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.query_resources(
                resource_ids=[account_id("aoai-contoso-wus")],
                metric_namespace=ACCOUNTS,
                metric_names=["AzureOpenAIRequests"],
            )
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "BadRequest"
    assert "westus" in str(refused.value.error.message)


async def query(world: World, text: str, **options: Any) -> Any:
    """One query by the real client."""
    async with served(world) as server, logs_client(server) as client:
        return await client.query_workspace(WORKSPACE_CUSTOMER_ID, text, timespan=timedelta(hours=1), **options)


async def test_the_logs_client_reads_typed_cells() -> None:
    world = make_world()
    world.telemetry.gateway_call(gateway_call(world.now, 429))
    world.advance(60)
    result = await query(
        world,
        "ApiManagementGatewayLogs | summarize n = count(), p95 = percentile(TotalTime, 95), last = max(TimeGenerated) "
        "by bin(TimeGenerated, 1m), ResponseCode",
        include_statistics=True,
        include_visualization=True,
    )
    assert result.status == LogsQueryStatus.SUCCESS
    [table] = result.tables
    assert table.columns == ["TimeGenerated", "ResponseCode", "n", "p95", "last"]
    assert table.columns_types == ["datetime", "int", "long", "long", "datetime"]
    assert list(table.rows[0]) == [
        datetime(2026, 11, 18, 11, 7, tzinfo=UTC),
        429,
        1,
        1_001,
        datetime(2026, 11, 18, 11, 7, 19, tzinfo=UTC),
    ]
    assert result.statistics["query"]["executionTime"] >= 0
    assert result.visualization["visualization"] == "table"


async def test_the_logs_client_tells_what_is_wrong_with_a_query() -> None:
    with pytest.raises(HttpResponseError) as refused:
        await query(make_world(), "ApiManagementGatewayLogs | where Nope == 1")
    assert refused.value.status_code == 400
    assert "Failed to resolve column or scalar expression named 'Nope'" in str(refused.value)


async def test_a_partial_answer_is_a_result_of_its_own_kind() -> None:
    world = make_world()
    logs_room(world).settings.partial_errors = 1
    result = await query(world, "print x = 1")
    assert result.status == LogsQueryStatus.PARTIAL
    assert result.partial_data[0].rows[0][0] == 1
    assert result.partial_error.code == "PartialError"


async def test_throttling_and_timeouts_are_errors_with_their_status() -> None:
    world = make_world()
    logs_room(world).settings.timed_out_queries = 1
    with pytest.raises(HttpResponseError) as late:
        await query(world, "print x = 1", server_timeout=5)
    logs_room(world).settings.throttled_queries = 1
    with pytest.raises(HttpResponseError) as throttled:
        await query(world, "print x = 1")
    assert (late.value.status_code, throttled.value.status_code) == (504, 429)
