"""Liquid templates of set-body: read once, rendered per message. The one door to the rooms behind it.

Source: Microsoft Learn "set-body policy" (DotLiquid in C# mode: filter names in Pascal case, the objects `body` and
`context`); the language itself as Shopify documents it. What is not covered is refused by name when it is read.
"""

from __future__ import annotations

from simulator.gateway.liquid.errors import LiquidError
from simulator.gateway.liquid.template import Template, parse_template

__all__ = ["LiquidError", "Template", "parse_template"]
