"""The policy elements the gateway executes, one file per subject. Importing this package fills the registry."""

from __future__ import annotations

from simulator.gateway.elements import (
    access,
    backend,
    cache,
    control,
    edits,
    events,
    identity,
    limits,
    messages,
    requests,
    safety,
    tokens,
    tokens_of_callers,
    variables,
)

__all__ = [
    "access",
    "backend",
    "cache",
    "control",
    "edits",
    "events",
    "identity",
    "limits",
    "messages",
    "requests",
    "safety",
    "tokens",
    "tokens_of_callers",
    "variables",
]
