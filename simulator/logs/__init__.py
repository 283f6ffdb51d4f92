"""Log Analytics of the embedded Azure: rows made of telemetry, arriving late, answered in KQL.

`attach(world, lag=...)` makes the room, kept as `world.rooms["logs"]`. It sees only what telemetry tells it, and only
what a diagnostic setting sends to a workspace.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simulator.logs.database import LogDatabase, ReadScope
from simulator.logs.host import HOSTS, LogsHost
from simulator.logs.kql.engine import KqlEngine, QueryResult, Source
from simulator.logs.rows import RowWriter
from simulator.logs.schema import TABLES, TableSchema
from simulator.logs.settings import LAG_SECONDS, Lag, LogsSettings

if TYPE_CHECKING:
    from simulator.world import World

__all__ = ["LAG_SECONDS", "LogsRoom", "LogsSettings", "attach"]

WORKSPACES = "Microsoft.OperationalInsights/workspaces"


class LogsRoom:
    """The logs of one world."""

    def __init__(self, world: World, settings: LogsSettings) -> None:
        self.world = world
        self.settings = settings
        self.database = LogDatabase()
        self.writer = RowWriter(world, self.database, settings)
        self._engine = KqlEngine(self.database.connection)

    def set_lag(self, low_seconds: float, high_seconds: float) -> None:
        """Let rows of what happens from now on arrive this late. What happened before keeps its time of arrival."""
        self.writer.flush()
        self.settings.lag_seconds = (low_seconds, high_seconds)

    def workspace_id(self, name: str) -> str | None:
        """The ARM id (lower-case) of a workspace given as customer id, name or ARM id; None when there is none."""
        wanted = name.lower()
        for resource in self.world.store.of_type(WORKSPACES):
            if wanted in (
                resource.id.lower(),
                resource.name.lower(),
                str(resource.properties.get("customerId", "")).lower(),
            ):
                return resource.id.lower()
        return None

    def all_workspaces(self) -> list[str]:
        """The ARM ids (lower-case) of every workspace."""
        return [resource.id.lower() for resource in self.world.store.of_type(WORKSPACES)]

    def query(
        self,
        text: str,
        workspaces: list[str],
        *,
        resource_id: str = "",
        start: float | None = None,
        end: float | None = None,
    ) -> QueryResult | None:
        """Run a query over workspaces (ARM ids, lower-case); None when nothing was ever sent to them.

        Raises:
            KqlRefusal: the query is wrong.
        """
        self.writer.flush()
        if not self.writer.was_placed(workspaces):
            return None
        first = self.world.store.get(workspaces[0]) if workspaces else None
        customer_id = str(first.properties.get("customerId", "")) if first is not None else ""
        scope = ReadScope(tuple(workspaces), customer_id, self.world.now, start, end, resource_id)
        sources = {table.name: self._source(table, scope) for table in TABLES.values()}
        now = datetime.fromtimestamp(self.world.now, UTC)
        return self._engine.run(text, sources, now, row_limit=self.settings.row_limit)

    def _source(self, table: TableSchema, scope: ReadScope) -> Source:
        def select(with_ingestion_time: bool) -> str:
            return self.database.select(table, scope, with_ingestion_time=with_ingestion_time)

        return Source(tuple(table.names), select)


def attach(world: World, lag: Lag = "brisk") -> LogsRoom:
    """Make the room, subscribe it to telemetry and open the query API's hosts."""
    room = LogsRoom(world, LogsSettings(lag_seconds=LAG_SECONDS[lag]))
    world.rooms["logs"] = room
    host = LogsHost(room)
    for name in HOSTS:
        world.network.hosts[name] = host.handle
    return room
