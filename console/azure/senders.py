"""Who sends requests to one backend, from the gateway's logs. Reads only.

Source: Log Analytics table ApiManagementGatewayLogs (ApiId, ApimSubscriptionId, BackendUrl of the last attempt).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console import queries
from console.azure.logs import parse_moment, run_query
from console.azure.session import AzureSession
from console.azure.workspace import discover_workspace
from console.domain.load import Window


@dataclass(frozen=True, slots=True)
class Sender:
    """Requests of one consumer subscription through one API in a window; `subscription` "" without a key."""

    api: str
    subscription: str
    requests: int
    last_at: datetime


async def fetch_senders(
    session: AzureSession, host: str, window: Window, *, backend_id: str = ""
) -> tuple[Sender, ...]:
    """Who sent what ended at `host` in the window, most requests first. `backend_id`: only that backend's.

    Raises:
        ConsoleError: the logs cannot be queried.
    """
    workspace_id = session.profile.workspace_id or await discover_workspace(session)
    query = queries.load(
        "who_sends",
        {
            "service_id": session.profile.service_id.lower(),
            "backend_host": host.lower(),
            "backend_id": backend_id.lower(),
            "start_at": window.start_at,
            "end_at": window.end_at,
        },
    )
    table = await run_query(session, workspace_id, query, window)
    return tuple(
        Sender(
            api=str(row.get("ApiId") or ""),
            subscription=str(row.get("ApimSubscriptionId") or ""),
            requests=int(row["Requests"]),
            last_at=parse_moment(row["LastAt"]),
        )
        for row in table.rows
    )
