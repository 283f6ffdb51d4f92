"""What is wrong with a policy document, in API Management's words.

Source: error frame "Error in element 'x' on line L, column C: ..." (API Management `ValidationError` details).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.apim.policy_language import PARSER
from simulator.resources.ids import ResourcePath

if TYPE_CHECKING:
    from simulator.world import World


def document_problems(world: World, service_id: str, path: ResourcePath, text: str, kind: str) -> list[tuple[str, str]]:
    """(target, message) of everything API Management would refuse the document for."""
    root = "fragment" if kind == "fragment" else "policies"
    if PARSER is None:
        return [] if f"<{root}" in text else [(root, f"The document must have the root element <{root}>.")]
    return PARSER.problems(world, service_id, path, text, kind)
