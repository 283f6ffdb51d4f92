"""Which Log Analytics workspace a gateway writes to: its diagnostic settings lead there. Reads only.

Source: Microsoft.Insights/diagnosticSettings api-version 2021-05-01-preview; Microsoft.OperationalInsights/workspaces
api-version 2023-09-01.
"""

from __future__ import annotations

import msgspec

from console.azure.arm import decode, fetch_list
from console.azure.session import AzureSession
from console.errors import ConsoleError, NotFound

SETTINGS_API_VERSION = "2021-05-01-preview"
WORKSPACE_API_VERSION = "2023-09-01"
CATEGORY = "GatewayLogs"


class LogSetting(msgspec.Struct, rename="camel"):
    """One category of a diagnostic setting."""

    category: str | None = None
    category_group: str | None = None
    enabled: bool = False


class SettingProperties(msgspec.Struct, rename="camel"):
    """What is read of a diagnostic setting."""

    workspace_id: str | None = None
    log_analytics_destination_type: str | None = None
    logs: list[LogSetting] | None = None


class Setting(msgspec.Struct):
    """A diagnostic setting."""

    name: str
    properties: SettingProperties


class WorkspaceProperties(msgspec.Struct, rename="camel"):
    """What is read of a workspace."""

    customer_id: str = ""


class Workspace(msgspec.Struct):
    """A workspace."""

    properties: WorkspaceProperties


async def discover_workspace(session: AzureSession) -> str:
    """The customer id of the workspace that gets this gateway's logs in tables of their own.

    Raises:
        NotFound: no diagnostic setting sends gateway logs to a workspace, or only to the shared table.
        ConsoleError: it cannot be read.
    """
    service_id = session.profile.service_id
    settings = await fetch_list(
        session,
        f"{service_id}/providers/Microsoft.Insights/diagnosticSettings",
        Setting,
        api_version=SETTINGS_API_VERSION,
        what="The gateway's diagnostic settings cannot be read",
        remedy="Ask for the role Monitoring Reader on the gateway, or set workspace_id in the profile.",
    )
    senders = [s.properties for s in settings if s.properties.workspace_id and _sends_gateway_logs(s.properties)]
    if not senders:
        raise NotFound(
            "No diagnostic setting sends the gateway's logs to a Log Analytics workspace",
            where=service_id,
            remedy=f"Create one with category {CATEGORY}, resource-specific, or set workspace_id in the profile.",
        )
    dedicated = [p for p in senders if (p.log_analytics_destination_type or "").lower() == "dedicated"]
    if not dedicated:
        raise NotFound(
            "The gateway's logs go to the shared table AzureDiagnostics",
            where=service_id,
            remedy="Switch the diagnostic setting to resource-specific tables.",
        )
    body = await session.get_arm(
        str(dedicated[0].workspace_id),
        api_version=WORKSPACE_API_VERSION,
        what="The Log Analytics workspace cannot be read",
        remedy="Ask for the role Log Analytics Reader on it, or set workspace_id in the profile.",
    )
    customer_id = decode(body, Workspace, what="The workspace cannot be read", where=service_id).properties.customer_id
    if not customer_id:
        raise ConsoleError(
            "The workspace has no customer id",
            where=str(dedicated[0].workspace_id),
            remedy="Set workspace_id in the profile.",
        )
    return customer_id


def _sends_gateway_logs(properties: SettingProperties) -> bool:
    return any(
        log.enabled and (log.category == CATEGORY or (log.category_group or "").lower() == "alllogs")
        for log in properties.logs or ()
    )
