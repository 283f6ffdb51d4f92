"""placeholder"""

from __future__ import annotations

from typing import Any

PARSER: Any = None
