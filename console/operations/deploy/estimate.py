"""How long a deployment may still take, as an honest range. Pure.

Source: "Create an API Management instance": 30 to 40 minutes for the classic tiers, less for the v2 tiers.
Assumed: the ranges of the v2 tiers and of everything beside the service itself.
"""

from __future__ import annotations

from dataclasses import dataclass

_MINUTES_BY_SKU = {
    "developer": (30, 45),
    "basic": (30, 45),
    "standard": (30, 45),
    "premium": (30, 60),
    "basicv2": (3, 15),
    "standardv2": (3, 15),
}
_REST_MINUTES = (2, 6)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A range of seconds, from the start of the deployment to its end."""

    low_seconds: float
    high_seconds: float

    def remaining(self, elapsed_seconds: float) -> str:
        """What is left in words; what takes longer than expected says so."""
        low, high = self.low_seconds - elapsed_seconds, self.high_seconds - elapsed_seconds
        if high <= 0:
            return f"longer than the {_minutes(self.high_seconds)} it usually takes at most"
        if low <= 60:
            return f"up to {_minutes(high)} left"
        return f"{_minutes(low, bare=True)} to {_minutes(high)} left"

    @property
    def text(self) -> str:
        """`32 to 51 min`."""
        return f"{_minutes(self.low_seconds, bare=True)} to {_minutes(self.high_seconds)}"


def estimate(sku: str, *, is_new: bool) -> Estimate:
    """What a deployment of this tier usually takes; an existing gateway of the same tier is not created anew."""
    low, high = _MINUTES_BY_SKU.get(sku.lower(), (30, 60)) if is_new else (0, 0)
    return Estimate((low + _REST_MINUTES[0]) * 60.0, (high + _REST_MINUTES[1]) * 60.0)


def _minutes(seconds: float, *, bare: bool = False) -> str:
    count = max(1, round(seconds / 60))
    return str(count) if bare else f"{count} min"


def span_words(seconds: float | None) -> str:
    """`–`, `12 s`, `3:05`, `1:02:11`."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
