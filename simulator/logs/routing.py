"""Where a fact's rows go: the diagnostic settings and API diagnostics that stand in the resource store.

Source: "Diagnostic settings in Azure Monitor" (Microsoft.Insights/diagnosticSettings, 2021-05-01-preview):
`logAnalyticsDestinationType` Dedicated means resource-specific tables, anything else AzureDiagnostics. API Management's
`diagnostics/azuremonitor` (`largeLanguageModel.logs`) must be enabled for the language-model log as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.resources.store import Resource

if TYPE_CHECKING:
    from simulator.world import World

SETTINGS = "Microsoft.Insights/diagnosticSettings"


@dataclass(frozen=True, slots=True)
class Destination:
    """One workspace that a resource sends to. `workspace_id` is the ARM id, lower-case."""

    workspace_id: str
    dedicated: bool
    categories: frozenset[str]
    metrics: bool

    def takes(self, category: str) -> bool:
        """Whether a log category (compared without case) is sent."""
        return category.lower() in self.categories or "alllogs" in self.categories


def destinations(world: World, resource_id: str) -> tuple[Destination, ...]:
    """The workspaces of a resource's diagnostic settings, in the order the settings were made."""
    found = []
    for setting in world.store.children(f"{resource_id}/providers/Microsoft.Insights", "diagnosticSettings"):
        properties = setting.properties
        workspace_id = str(properties.get("workspaceId") or "").lower()
        if not workspace_id:
            continue
        categories = {
            str(log.get("category") or log.get("categoryGroup") or "").lower()
            for log in properties.get("logs") or ()
            if log.get("enabled")
        }
        metrics = any(metric.get("enabled") for metric in properties.get("metrics") or ())
        dedicated = str(properties.get("logAnalyticsDestinationType") or "").lower() == "dedicated"
        found.append(Destination(workspace_id, dedicated, frozenset(categories), metrics))
    return tuple(found)


def language_model_rows(world: World, service_id: str, api_id: str) -> int:
    """Rows one request leaves in the language-model log: 0 when off, else 1 and one each for prompt and completion.

    The API's own diagnostic outranks the service's. Assumed: messages are logged unless switched off.
    """
    diagnostic = _diagnostic(world, f"{service_id}/apis/{api_id}") or _diagnostic(world, service_id)
    if diagnostic is None:
        return 0
    settings: dict[str, Any] = diagnostic.properties.get("largeLanguageModel") or {}
    if str(settings.get("logs", "")).lower() != "enabled":
        return 0
    return 1 + sum(
        str((settings.get(side) or {}).get("messages", "all")).lower() == "all" for side in ("requests", "responses")
    )


def _diagnostic(world: World, scope_id: str) -> Resource | None:
    return world.store.get(f"{scope_id}/diagnostics/azuremonitor")


def application_insights_workspaces(world: World, service_id: str) -> tuple[tuple[str, str], ...]:
    """(component id, workspace id lower-case) of the Application Insights loggers of a service."""
    found = []
    for logger in world.store.children(service_id, "loggers"):
        if str(logger.properties.get("loggerType", "")).lower() != "applicationinsights":
            continue
        component = world.store.get(str(logger.properties.get("resourceId") or ""))
        workspace_id = str(component.properties.get("WorkspaceResourceId") or "") if component is not None else ""
        if component is not None and workspace_id:
            found.append((component.id, workspace_id.lower()))
    return tuple(found)
