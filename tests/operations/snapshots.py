"""Snapshots for planning: the pools as they stand in a world, with loads that are given or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from console.domain.gateway import Backend, BackendKind, Gateway, Pool, PoolMember
from console.domain.health import Health, HealthState
from console.domain.load import BackendLoad, Figure
from console.domain.snapshot import BackendStatus, GatewaySnapshot, Level, Membership, Verdict
from simulator.names import SERVICE
from simulator.world import World

NOTHING = Figure(None, "metrics")
NO_LOAD = BackendLoad(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)


def gateway_of(world: World) -> Gateway:
    """The domain's view of the pools and backends in a world's store."""
    backends, pools = [], []
    for resource in world.store.children(SERVICE, "backends"):
        properties: Mapping[str, Any] = resource.properties
        if properties.get("type") == "Pool":
            members = tuple(
                PoolMember(entry["id"].rsplit("/", 1)[1], entry.get("priority"), entry.get("weight"))
                for entry in properties["pool"]["services"]
            )
            pools.append(Pool(resource.name, resource.id, members))
        else:
            backends.append(Backend(resource.name, resource.id, str(properties["url"])))
    listed = world.store.get(f"{SERVICE}/namedValues/drained-backends")
    value = str(listed.properties.get("value", "none")) if listed is not None else "none"
    drained = () if value == "none" else tuple(value.split(","))
    return Gateway(
        "apim", SERVICE, "swedencentral", "https://apim.azure-api.net", "Premium", 2, "Succeeded",
        backends=tuple(backends), pools=tuple(pools), drained_backends=drained,
    )  # fmt: skip


def snapshot_of(world: World, *, read_only: bool = False, failing: tuple[str, ...] = ()) -> GatewaySnapshot:
    """A snapshot with every backend healthy but those `failing`, and nothing known of their load."""
    gateway = gateway_of(world)
    statuses = tuple(
        BackendStatus(
            backend=backend,
            kind=BackendKind.UNKNOWN,
            kind_source="",
            region=None,
            memberships=tuple(Membership(p.name, m.priority, m.weight) for p, m in gateway.pools_of(backend.name)),
            routes=(),
            health=Health(HealthState.FAILING if backend.name in failing else HealthState.HEALTHY),
            load=NO_LOAD,
        )
        for backend in gateway.backends
    )
    return GatewaySnapshot(
        observed_at=datetime.fromtimestamp(world.now, UTC),
        profile_name="test",
        service_name="apim",
        subscription_id="s",
        cloud_name="AzureCloud",
        verdict=Verdict(Level.OK, ""),
        gateway=gateway,
        backends=statuses,
        is_read_only=read_only,
    )
