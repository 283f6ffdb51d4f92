"""Reading deployment bodies as Resource Manager does: JSON with comments and, from the Azure CLI, an unquoted key.

The CLI splices the template file's raw text behind a bare `template:` key, comments and all.
"""

from __future__ import annotations

import json
import re
from typing import Any

from simulator.deployments.language import TemplateError

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[^"/]+|/', re.DOTALL)
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_]\w*)(\s*):")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_MASK = "\x00"


def read_json(text: str) -> Any:
    """Parse JSON that may hold comments, bare keys and trailing commas; strings are left as they are.

    Raises:
        TemplateError: InvalidRequestContent, with line and column.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass  # not strict JSON: try again the way Resource Manager's own reader is lenient
    strings: list[str] = []
    parts: list[str] = []
    for match in _PIECE.finditer(text):
        piece = match.group(0)
        if piece.startswith('"'):
            strings.append(piece)
            parts.append(f'"{_MASK}{len(strings) - 1}{_MASK}"')
        elif piece.startswith(("//", "/*")):
            parts.append(" ")
        else:
            parts.append(piece)
    bare = _TRAILING_COMMA.sub(r"\1", _BARE_KEY.sub(r'\1"\2"\3:', "".join(parts)))
    whole = re.sub(f'"{_MASK}(\\d+){_MASK}"', lambda m: strings[int(m.group(1))], bare)
    try:
        return json.loads(whole)
    except json.JSONDecodeError as error:
        raise TemplateError(
            f"The request content was invalid and could not be deserialized: '{error.msg} "
            f"line {error.lineno}, position {error.colno}.'",
            code="InvalidRequestContent",
        ) from error
