"""What each model costs and how fast it answers: figures only.

Source: Microsoft Learn "Provisioned throughput units (PTU) onboarding" (input tokens per minute per PTU, output weight,
latency target) and "Azure OpenAI quotas and limits" (requests per minute per 1,000 tokens per minute).
Assumed: everything named `idle_` or `first_token_`; Azure publishes targets, not speeds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One base model.

    `input_tokens_per_minute_per_ptu` and `output_weight` (input tokens one output token counts for) price provisioned
    throughput; `requests_per_1000_tokens` sets the request window of pay-as-you-go.
    """

    name: str
    kind: str
    input_tokens_per_minute_per_ptu: float
    output_weight: float
    target_tokens_per_second: float
    requests_per_1000_tokens: float = 6.0
    context_tokens: int = 128_000
    first_token_seconds: float = 0.22
    idle_speed_factor: float = 6.0
    dimensions: int = 0

    @property
    def is_embedding(self) -> bool:
        """Whether the model embeds instead of completing."""
        return self.kind == "embeddings"


def _chat(name: str, input_tpm: float, weight: float, target: float, requests: float = 6.0) -> ModelFacts:
    return ModelFacts(name, "chat", input_tpm, weight, target, requests)


def _embed(name: str, dimensions: int) -> ModelFacts:
    return ModelFacts(name, "embeddings", 0.0, 0.0, 0.0, 6.0, 8_192, 0.03, 1.0, dimensions)


MODELS: dict[str, ModelFacts] = {
    facts.name: facts
    for facts in (
        _chat("gpt-5.4", 2_400, 6, 50),
        _chat("gpt-5.3-codex", 3_400, 8, 50),
        _chat("gpt-5.2", 3_400, 8, 50),
        _chat("gpt-5.2-codex", 3_400, 8, 50),
        _chat("gpt-5.1", 4_750, 8, 50),
        _chat("gpt-5.1-codex", 4_750, 8, 50),
        _chat("gpt-5", 4_750, 8, 50),
        _chat("gpt-5-mini", 23_750, 8, 80),
        _chat("gpt-4.1", 3_000, 4, 80),
        _chat("gpt-4.1-mini", 14_900, 4, 90),
        _chat("gpt-4.1-nano", 59_400, 4, 100),
        _chat("o3", 3_000, 4, 80, 1.0),
        _chat("o4-mini", 5_400, 4, 90, 1.0),
        _chat("gpt-4o", 2_500, 4, 25),
        _chat("gpt-4o-mini", 37_000, 4, 33),
        _chat("o3-mini", 2_500, 4, 66, 0.1),
        _chat("o1", 230, 4, 25, 1.0 / 6.0),
        _embed("text-embedding-3-large", 3_072),
        _embed("text-embedding-3-small", 1_536),
        _embed("text-embedding-ada-002", 1_536),
    )
}

UNLISTED = _chat("unlisted", 2_500, 4, 50)
"""Stands in for a model the table does not hold. Assumed: priced like gpt-4o, at a middling speed."""


def facts_of(model_name: str) -> ModelFacts:
    """The figures of a base model; those of `UNLISTED` when it is not in the table."""
    return MODELS.get(model_name, UNLISTED)
