"""What one can tune about the embedded Resource Manager: how long things take and what Azure leaves undocumented.

Values that no public source confirms are marked `Assumed:`. The control door changes them while the world runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(slots=True)
class ArmSettings:
    """Seconds are simulated ones.

    Assumed: every default duration below; public documents give minutes to hours for services, nothing for entities.
    """

    entity_seconds: float = 2.0
    """A fragment, named value or API write, until its operation succeeds."""
    api_delete_seconds: float = 2.0
    deployment_seconds: float = 8.0
    """A model deployment write (really one to several minutes)."""
    service_seconds: dict[str, float] = field(
        default_factory=lambda: {
            "Developer": 30.0,
            "Basic": 60.0,
            "Standard": 60.0,
            "Premium": 90.0,
            "Consumption": 15.0,
            "BasicV2": 20.0,
            "StandardV2": 20.0,
            "PremiumV2": 30.0,
        }
    )
    """Creating a service, by SKU: compressed from the documented 30 to 40 minutes of classic tiers."""
    retry_after_seconds: float = 1.0
    """`Retry-After` of long-running answers."""
    polls_wait: bool = False
    """Whether a poll of a running operation waits for its end (for a clock that nobody drives)."""
    page_size: int = 100
    """Assumed: entities per page when `$top` is not given."""
    put_requires_if_match: bool = False
    """Assumed: a PUT on an existing entity without If-Match is accepted. The reference calls it required."""
    activity_lag_seconds: float = 20.0
    """How late the activity log shows an event. Source: "Azure Monitor activity log": 3 to 20 minutes; compressed."""
    health_lag_seconds: float = 60.0
    """How late Resource Health notices. Assumed."""
    throttling: bool = True
    """Whether Resource Manager's token buckets refuse."""


def arm_settings(world: World) -> ArmSettings:
    """The world's settings, made on first use and kept as `world.rooms["arm-settings"]`."""
    settings = world.rooms.setdefault("arm-settings", ArmSettings())
    assert isinstance(settings, ArmSettings)
    return settings
