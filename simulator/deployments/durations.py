"""How long Azure takes to create what has no long-running operation of its own here, in simulated seconds.

API Management services, APIs, fragments and named values bring their durations with their type rules, by SKU. These
are for the rest of what a gateway's template names, compressed to a few seconds.
Assumed: every figure; no SLA is published.
"""

from __future__ import annotations

_SECONDS_BY_TYPE: dict[str, float] = {
    "microsoft.resources/resourcegroups": 1.0,
    "microsoft.operationalinsights/workspaces": 4.0,
    "microsoft.insights/components": 2.0,
    "microsoft.eventhub/namespaces": 6.0,
    "microsoft.eventhub/namespaces/eventhubs": 1.0,
    "microsoft.authorization/roleassignments": 1.0,
    "microsoft.authorization/roledefinitions": 1.0,
}
_OTHERWISE_SECONDS = 0.4


def provisioning_seconds(resource_type: str) -> float:
    """Simulated seconds for one write of this type."""
    return _SECONDS_BY_TYPE.get(resource_type.lower(), _OTHERWISE_SECONDS)
