"""Errors as Resource Manager says them: one exception, one body.

Source: ARM common error format (`{"error": {"code", "message", "target", "details", "additionalInfo"}}`), Azure REST
"common-types/resource-management" v5 ErrorResponse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ErrorDetail:
    """One entry of `details`; details nest."""

    code: str
    message: str
    target: str | None = None
    details: Sequence[ErrorDetail] = ()

    def as_json(self) -> dict[str, Any]:
        """The wire form; absent parts are left out."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            body["target"] = self.target
        if self.details:
            body["details"] = [detail.as_json() for detail in self.details]
        return body


class ArmError(Exception):
    """A refusal with an ARM error body.

    Args:
        status: HTTP status, 400 to 599.
        code: the machine-readable reason, such as `ResourceNotFound`.
        message: one sentence for people.
        target: what the error is about, when it is one field or element.
        details: nested errors, as `ErrorDetail` or ready JSON objects.
        headers: extra response headers (`Retry-After`, `WWW-Authenticate`).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        target: str | None = None,
        details: Sequence[ErrorDetail | Mapping[str, Any]] = (),
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = tuple(details)
        self.headers: dict[str, str] = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """The body: `{"error": {...}}`."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details:
            error["details"] = [d.as_json() if isinstance(d, ErrorDetail) else dict(d) for d in self.details]
        return {"error": error}


@dataclass(slots=True)
class ValidationProblems:
    """Collects what is wrong with a body, then raises it all at once as API Management does.

    Source: API Management error responses: code `ValidationError`, message "One or more fields contain incorrect
    values:", the useful text in `details[]`.
    """

    details: list[ErrorDetail] = field(default_factory=list)

    def add(self, target: str, message: str) -> None:
        """Note one problem with one field."""
        self.details.append(ErrorDetail("ValidationError", message, target))

    def raise_if_any(self) -> None:
        """Raise 400 ValidationError when a problem was noted."""
        if self.details:
            raise ArmError(400, "ValidationError", "One or more fields contain incorrect values:", details=self.details)


def resource_not_found(resource_id: str) -> ArmError:
    """404 for a resource that does not exist.

    Source: Resource Manager's "ResourceNotFound" troubleshooting page (code and wording).
    """
    parts = resource_id.strip("/").split("/")
    lower = [part.lower() for part in parts]
    name = "/".join(parts[lower.index("providers") + 1 :]) if "providers" in lower else resource_id
    group = parts[lower.index("resourcegroups") + 1] if "resourcegroups" in lower[:-1] else ""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
