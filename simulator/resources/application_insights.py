"""Application Insights components as Resource Manager shows them: the ids the service gives a new component.

Source: Microsoft.Insights/components, api-version 2020-02-02 (InstrumentationKey, AppId and ConnectionString are
read-only and made by the service).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from simulator.resources.errors import ArmError
from simulator.resources.writing import TypeRules, WriteContext, type_registry

if TYPE_CHECKING:
    from simulator.world import World

COMPONENTS = "Microsoft.Insights/components"
_MADE_BY_THE_SERVICE = ("InstrumentationKey", "AppId", "ConnectionString")


def register_application_insights(world: World) -> None:
    """Register the type."""
    type_registry(world).register(TypeRules(COMPONENTS, prepare=_prepare))


def _prepare(context: WriteContext) -> None:
    if not context.body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    properties = context.properties
    if context.existing is not None:
        for name in _MADE_BY_THE_SERVICE:
            properties[name] = context.existing.properties.get(name)
    else:
        random = context.world.random("application-insights-ids")
        key, application = (str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(2))
        properties["InstrumentationKey"], properties["AppId"] = key, application
        properties["ConnectionString"] = f"InstrumentationKey={key};ApplicationId={application}"
    properties["provisioningState"] = "Succeeded"
