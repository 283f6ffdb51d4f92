"""The policy elements the gateway executes, one file per subject. Importing this package fills the registry."""

from __future__ import annotations

from simulator.gateway.elements import backend, control, headers, identity

__all__ = ["backend", "control", "headers", "identity"]
