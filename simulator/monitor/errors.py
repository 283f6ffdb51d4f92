"""What the metrics store refuses, in Azure's words.

Source: "Migrate to the metrics:getBatch API", error response changes: Resource Manager's metrics API answers `{"code",
"message"}` without an `error` wrapper, the batch host answers `{"error": {...}}`.
"""

from __future__ import annotations

from collections.abc import Iterable


class MetricsError(Exception):
    """A refusal; `status` is the HTTP status, `code` and `message` go into the body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def as_json(self) -> dict[str, str]:
        """The unwrapped body."""
        return {"code": self.code, "message": self.message}


def bad_request(message: str) -> MetricsError:
    """400 with Azure's usual code."""
    return MetricsError(400, "BadRequest", message)


def unknown_metric(resource_type: str, name: str, valid: Iterable[str]) -> MetricsError:
    """400 for a metric the resource type does not have.

    Source: Azure/azure-sdk-for-net discussion 29584, the service's text as customers saw it.
    """
    provider, _, kind = resource_type.partition("/")
    return bad_request(
        f"Failed to find metric configuration for provider: {provider}, resource Type: {kind}, metric: {name}, "
        f"Valid metrics: {','.join(valid)}"
    )


def unknown_dimensions(metric: str, wanted: Iterable[str], known: Iterable[str]) -> MetricsError:
    """400 for a filter on dimensions the metric does not have. Source: as the module (its example body)."""
    return bad_request(
        f"Metric: {metric} does not support requested dimension combination: {','.join(wanted)}, "
        f"supported ones are: {','.join(known)}"
    )


def invalid_time_grain(text: str) -> MetricsError:
    """400 for an interval that is not offered. Assumed: the wording."""
    return bad_request(
        f"Detect invalid time grain input: {text}, supported ones are: "
        "00:01:00,00:05:00,00:15:00,00:30:00,01:00:00,06:00:00,12:00:00,1.00:00:00"
    )


def region_down(region: str) -> MetricsError:
    """503 while a region's metrics are out."""
    return MetricsError(
        503, "ServiceUnavailable", f"The metrics service in region '{region}' is temporarily unavailable."
    )
