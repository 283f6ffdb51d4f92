"""Platform metrics exported to a workspace: the AzureMetrics table.

Source: "Diagnostic settings in Azure Monitor": only metrics marked exportable are sent, dimensions summed away, by the
minute; "Log data ingestion time": about three minutes after the metrics store has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.logs.database import FIELD_END, LogDatabase
from simulator.logs.routing import SETTINGS, destinations
from simulator.logs.schema import AZURE_METRICS
from simulator.monitor.catalog import CATALOG, MetricDefinition
from simulator.monitor.series import MEASURES, includes

if TYPE_CHECKING:
    from simulator.monitor import MonitorRoom
    from simulator.resources.store import Resource
    from simulator.world import World

EXPORT_SECONDS = 180.0
_COLUMNS = (
    *("TimeGenerated", "MetricName", "TimeGrain", "UnitName"),
    *("Resource", "ResourceGroup", "ResourceId", "ResourceProvider", "SubscriptionId"),
    *("Total", "Count", "Minimum", "Maximum", "Average", "_ResourceId"),
)


class MetricExports:
    """Remembers per resource up to which minute its metrics were sent."""

    def __init__(self, world: World, database: LogDatabase) -> None:
        self._world = world
        self._database = database
        self._sent: dict[str, int] = {}

    def write(self) -> None:
        """Send every minute that is complete and was not sent yet. Only minutes since the setting was first seen."""
        monitor: MonitorRoom | None = self._world.rooms.get("monitor")
        if monitor is None:
            return
        complete = int((self._world.now - monitor.settings.lag_seconds) // 60) * 60
        for resource in self._exporting():
            since = self._sent.setdefault(resource.id.lower(), complete)
            if since >= complete:
                continue
            self._sent[resource.id.lower()] = complete
            monitor.minutes.fold()
            self._send(monitor, resource, range(since, complete, 60))

    def _exporting(self) -> list[Resource]:
        found = {}
        for setting in self._world.store.of_type(SETTINGS):
            if any(metric.get("enabled") for metric in setting.properties.get("metrics") or ()):
                owner = setting.id.lower().rpartition("/providers/microsoft.insights/")[0]
                resource = self._world.store.get(owner)
                if resource is not None and resource.type.lower() in CATALOG:
                    found[owner] = resource
        return list(found.values())

    def _send(self, monitor: MonitorRoom, resource: Resource, minutes: range) -> None:
        parts = resource.id.split("/")
        place = (parts[8].upper(), parts[4].upper(), resource.id.upper(), parts[6].upper(), parts[2])
        lines = []
        for definition in CATALOG[resource.type.lower()].values():
            if not definition.exportable or definition.family == "none":
                continue
            for minute in minutes:
                sums = monitor.minutes.minutes(definition.family, resource.id).get(minute, {})
                point = _whole(definition, sums)
                if point is None:
                    continue
                ingested = int((minute + 60 + EXPORT_SECONDS) * 1e6)
                average = point[0] / point[1] if point[1] else 0.0
                figures = (minute * 1_000_000, definition.name, "PT1M", definition.unit, *place, *point, average)
                for destination in destinations(self._world, resource.id):
                    if destination.metrics:
                        fields = (destination.workspace_id, ingested, *figures, resource.id.lower())
                        lines.append(FIELD_END.join(str(field) for field in fields))
        if lines:
            self._database.load_flat_rows(AZURE_METRICS, _COLUMNS, lines)


def _whole(definition: MetricDefinition, tuples: dict[tuple[str, ...], Any]) -> list[float] | None:
    """All tuples of one minute as one point, None when there is none."""
    measure = MEASURES[definition.measure]
    whole: list[float] | None = None
    for key, sums in tuples.items():
        sample = measure(sums) if includes(definition, key) else None
        if sample is None:
            continue
        if whole is None:
            whole = list(sample)
        else:
            whole[0] += sample[0]
            whole[1] += sample[1]
            whole[2], whole[3] = min(whole[2], sample[2]), max(whole[3], sample[3])
    return whole
