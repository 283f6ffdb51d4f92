"""The activity log: what was written in the resource groups that matter, one change per correlation. Reads only.

Source: Microsoft.Insights/eventtypes/management/values, api-version 2015-04-01 ("Activity Logs - List"): `$filter`
needs a start time; a write gives several events with one correlationId; events appear minutes after they happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from console.azure.arm import fetch_list
from console.azure.refusal import one_line
from console.azure.session import AzureSession
from console.domain.change import Change, ChangeKind

API_VERSION = "2015-04-01"
SELECT = "eventTimestamp,correlationId,operationName,status,caller,resourceId,category"
ROLE = "Ask for the role Monitoring Reader (Microsoft.Insights/eventtypes/values/read) on the resource group."

_VERBS = {
    "write": "written",
    "delete": "deleted",
    "regeneratekey/action": "regenerated",
    "action": "acted on",
}
_KINDS: tuple[tuple[str, ChangeKind], ...] = (
    ("microsoft.apimanagement/service/policyfragments", ChangeKind.FRAGMENT),
    ("microsoft.apimanagement/service/backends", ChangeKind.BACKEND),
    ("microsoft.apimanagement/service/namedvalues", ChangeKind.NAMED_VALUE),
    ("microsoft.apimanagement/service", ChangeKind.GATEWAY),
    ("microsoft.cognitiveservices/accounts/deployments", ChangeKind.MODEL_DEPLOYMENT),
    ("microsoft.cognitiveservices/accounts/regeneratekey", ChangeKind.KEYS),
    ("microsoft.cognitiveservices/accounts", ChangeKind.ACCOUNT),
    ("microsoft.authorization/roleassignments", ChangeKind.ROLE),
    ("microsoft.insights/diagnosticsettings", ChangeKind.DIAGNOSTICS),
    ("microsoft.resources/deployments", ChangeKind.ARM_DEPLOYMENT),
)


class LocalizableName(msgspec.Struct):
    """A name as the log gives it."""

    value: str = ""


class ActivityRow(msgspec.Struct, rename="camel"):
    """What is read of an event."""

    event_timestamp: datetime
    operation_name: LocalizableName
    status: LocalizableName
    correlation_id: str = ""
    caller: str | None = None
    resource_id: str | None = None


async def fetch_changes(session: AzureSession, since_at: datetime) -> tuple[Change, ...]:
    """Changes since `since_at`, newest first, one per correlation and resource.

    Raises:
        ConsoleError: the log cannot be read.
    """
    stamp = f"{since_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    rows = await fetch_list(
        session,
        f"/subscriptions/{session.profile.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values",
        ActivityRow,
        api_version=API_VERSION,
        what="The activity log cannot be read",
        remedy=ROLE,
        query={"$filter": f"eventTimestamp ge '{stamp}'", "$select": SELECT},
    )
    return group_changes(rows)


def group_changes(rows: Iterable[ActivityRow]) -> tuple[Change, ...]:
    """Events to changes: the earliest event gives the time, the latest the outcome."""
    groups: dict[tuple[str, str], list[ActivityRow]] = {}
    for row in rows:
        groups.setdefault((row.correlation_id, (row.resource_id or "").lower()), []).append(row)
    changes = [_change(group) for group in groups.values()]
    return tuple(sorted(changes, key=lambda c: (c.at, c.resource_id), reverse=True))


def _change(group: Sequence[ActivityRow]) -> Change:
    ordered = sorted(group, key=lambda row: row.event_timestamp)
    first, last = ordered[0], ordered[-1]
    final = next((row for row in reversed(ordered) if row.status.value not in ("Started", "Accepted")), last)
    resource_id = first.resource_id or ""
    operation = first.operation_name.value
    return Change(
        at=first.event_timestamp.astimezone(UTC),
        kind=kind_of(operation),
        name=name_of(resource_id),
        verb=_verb(operation),
        resource_id=resource_id,
        caller=one_line(first.caller, 80) if first.caller else "",
        status=final.status.value,
        correlation_id=first.correlation_id,
        events=len(group),
    )


def kind_of(operation: str) -> ChangeKind:
    """What an operation changes, by its name."""
    lowered = operation.lower()
    if lowered.startswith("microsoft.apimanagement/service/") and "/policies/" in lowered:
        return ChangeKind.POLICY
    if lowered.startswith("microsoft.apimanagement/service/apis"):
        return ChangeKind.API
    return next((kind for start, kind in _KINDS if lowered.startswith(start)), ChangeKind.OTHER)


def _verb(operation: str) -> str:
    lowered = operation.lower()
    return next((verb for end, verb in _VERBS.items() if lowered.endswith(end)), "changed")


def name_of(resource_id: str) -> str:
    """The name people know: a policy's scope, a deployment with its account, else the last part of the id."""
    parts = [part for part in resource_id.split("/") if part]
    lowered = [part.lower() for part in parts]
    if len(parts) >= 2 and lowered[-2] == "policies":
        scope = parts[parts.index(parts[lowered.index("service") + 1]) + 1 : -2] if "service" in lowered else []
        return "/".join(scope) or "global"
    if len(parts) >= 4 and lowered[-2] == "deployments" and lowered[-4] == "accounts":
        return f"{parts[-1]} of {parts[-3]}"
    return parts[-1] if parts else ""
