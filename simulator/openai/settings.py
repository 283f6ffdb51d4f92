"""What one can tune about the models' data plane while the world runs; the control door does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(slots=True)
class ModelSettings:
    """`latency_factor` stretches the time an answer takes: 1 as modelled, 0 switches the latency model off."""

    latency_factor: float = 1.0


def model_settings(world: World) -> ModelSettings:
    """The world's settings, made on first use and kept as `world.rooms["model-settings"]`."""
    settings = world.rooms.setdefault("model-settings", ModelSettings())
    assert isinstance(settings, ModelSettings)
    return settings
