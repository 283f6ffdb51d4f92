"""Azure Monitor metrics of the embedded Azure: a store fed by telemetry, and the APIs that read it.

`attach(world)` makes the room, kept as `world.rooms["monitor"]`. It sees only what telemetry tells it, and it
writes nothing but its own minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.monitor.batch import BatchHost
from simulator.monitor.catalog import CATALOG, region_of
from simulator.monitor.errors import region_down, unknown_metric
from simulator.monitor.minutes import MinuteStore
from simulator.monitor.query import MetricsQuery
from simulator.monitor.rendering import point_stamps, render_metric
from simulator.monitor.routes import register_routes
from simulator.monitor.series import build_series
from simulator.monitor.settings import LAG_SECONDS, Lag, MonitorSettings

if TYPE_CHECKING:
    from simulator.resources.store import Resource
    from simulator.world import World

__all__ = ["LAG_SECONDS", "MonitorRoom", "MonitorSettings", "attach"]


class MonitorRoom:
    """The metrics of one world."""

    def __init__(self, world: World, settings: MonitorSettings) -> None:
        self.world = world
        self.settings = settings
        self.minutes = MinuteStore(world, settings)

    def region_outage(self, region: str, *, down: bool) -> None:
        """Let the metrics of a region fail (503), or come back."""
        (self.settings.outages.add if down else self.settings.outages.discard)(region.lower())

    def read(self, resource: Resource, query: MetricsQuery, stamps: list[str] | None = None) -> list[dict[str, Any]]:
        """The `value` of a metrics answer for one resource.

        Raises:
            MetricsError: 400 for a metric or dimension the type does not have, 503 while the region is out.
        """
        self.check_region(resource)
        catalog = CATALOG.get(resource.type.lower(), {})
        names = query.names or (next(iter(catalog.values())).name,) if catalog else query.names
        wanted = []
        for name in names:
            definition = catalog.get(name.lower())
            if definition is None:
                raise unknown_metric(resource.type, name, (known.name for known in catalog.values()))
            wanted.append(definition)
        self.minutes.fold()
        stamps = stamps if stamps is not None else point_stamps(query)
        return [
            render_metric(
                resource.id,
                definition,
                build_series(definition, self.minutes.minutes(definition.family, resource.id), query),
                query,
                stamps,
            )
            for definition in wanted
        ]

    def check_region(self, resource: Resource) -> None:
        """Raise 503 when the resource's region is out."""
        region = region_of(resource)
        if region in self.settings.outages:
            raise region_down(region)


def attach(world: World, lag: Lag = "brisk") -> MonitorRoom:
    """Make the room, subscribe it to telemetry and open its routes and hosts."""
    room = MonitorRoom(world, MonitorSettings(lag_seconds=LAG_SECONDS[lag]))
    world.rooms["monitor"] = room
    register_routes(world, room)
    world.network.suffix_hosts[".metrics.monitor.azure.com"] = BatchHost(room).handle
    return room
