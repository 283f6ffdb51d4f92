"""What can go wrong with a template."""

from __future__ import annotations


class LiquidError(Exception):
    """A template that cannot be read, or that takes more steps than it may."""
