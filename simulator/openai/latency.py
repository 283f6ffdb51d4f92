"""How long a model takes: a first token, then a speed that sinks as the deployment fills.

Assumed throughout; Azure publishes latency targets per model, not a curve. The shape keeps three truths: longer
answers take longer, a full deployment is slower than an idle one, and no two calls take the same time.
"""

from __future__ import annotations

from random import Random

from simulator.openai.models import ModelFacts

PAYG_SPEED_FACTOR = 0.75
"""Pay-as-you-go capacity is shared: slower than idle provisioned capacity. Assumed."""


def answer_seconds(
    model: ModelFacts, *, prompt_tokens: int, output_tokens: int, load_ratio: float, provisioned: bool, chance: Random
) -> tuple[float, float]:
    """(seconds to the first token, seconds to the last) of one call. `load_ratio` 0 idle to 1 full."""
    load = load_ratio if load_ratio < 1.0 else 1.0
    spread = 0.75 + 0.5 * chance.random()
    if chance.random() < 0.02:
        spread *= 2.5
    first = (model.first_token_seconds + prompt_tokens * 4e-5) * (1.0 + 1.5 * load * load) * spread
    if model.is_embedding:
        return first, first
    if not provisioned:
        first *= 1.4
    speed = model.target_tokens_per_second * (model.idle_speed_factor * (1.0 - load) + 3.0 * load)
    if not provisioned:
        speed *= PAYG_SPEED_FACTOR
    return first, first + output_tokens / speed * spread
