"""How long a drain made from the screens is announced for."""

from __future__ import annotations

from datetime import datetime, timedelta

EXPIRES_AFTER = timedelta(hours=24)
EXPIRY_WORDS = "  expires in 24 h"


def expires_at(now: datetime) -> datetime:
    """When a drain begun now is announced as past its time. Nothing is undone then."""
    return (now + EXPIRES_AFTER).replace(microsecond=0)
