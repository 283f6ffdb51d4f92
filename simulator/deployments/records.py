"""What Resource Manager remembers of a deployment: its state, its operations, its outputs, as the API tells them.

Source: Microsoft.Resources deployments REST, api-version 2024-07-01 (shapes), azure-rest-api-specs resources.json.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TERMINAL = frozenset({"Succeeded", "Failed", "Canceled"})


def iso_instant(at: float) -> str:
    """Epoch seconds as Azure writes an instant, with seven decimals."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}0Z"


def iso_duration(seconds: float) -> str:
    """Seconds as an ISO 8601 duration: `PT12.4S`, `PT31M4.2S`."""
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.7f}".rstrip("0").rstrip(".")
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + f"{text}S"


@dataclass(slots=True)
class Operation:
    """One step of a deployment. `target_id` None: the step that evaluates the outputs. `visible_at` lags behind."""

    operation_id: str
    provisioning_operation: str
    started_at: float
    visible_at: float
    target_id: str | None = None
    target_type: str = ""
    target_name: str = ""
    symbolic_name: str | None = None
    state: str = "Running"
    ended_at: float | None = None
    status_code: str = "Accepted"
    error: dict[str, Any] | None = None

    def as_json(self, deployment_id: str, now: float) -> dict[str, Any]:
        """The wire form at `now`."""
        ended = self.ended_at if self.ended_at is not None else now
        properties: dict[str, Any] = {
            "provisioningOperation": self.provisioning_operation,
            "provisioningState": self.state,
            "timestamp": iso_instant(ended),
            "duration": iso_duration(ended - self.started_at),
            "trackingId": self.operation_id,
            "serviceRequestId": self.operation_id,
            "statusCode": self.status_code,
        }
        if self.error is not None:
            properties["statusMessage"] = {"status": "Failed", "error": self.error}
        if self.target_id is not None:
            target = {"id": self.target_id, "resourceType": self.target_type, "resourceName": self.target_name}
            if self.symbolic_name:
                target["symbolicName"] = self.symbolic_name
            properties["targetResource"] = target
        return {
            "id": f"{deployment_id}/operations/{self.operation_id}",
            "operationId": self.operation_id,
            "properties": properties,
        }


@dataclass(slots=True)
class DeploymentRecord:
    """One deployment. `shown_parameters` has types and values, secure values left out."""

    id: str
    name: str
    location: str | None
    mode: str
    correlation_id: str
    caller: str
    started_at: float
    template_hash: str
    tags: dict[str, str] = field(default_factory=dict)
    shown_parameters: dict[str, Any] = field(default_factory=dict)
    template: dict[str, Any] = field(default_factory=dict)
    state: str = "Accepted"
    ended_at: float | None = None
    error: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    output_resource_ids: list[str] = field(default_factory=list)
    providers: list[dict[str, Any]] = field(default_factory=list)
    dependencies: list[dict[str, Any]] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    cancel_requested: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in TERMINAL

    def end(self, state: str, now: float, error: dict[str, Any] | None = None) -> None:
        """Close the deployment."""
        self.state, self.ended_at, self.error = state, now, error

    def as_json(self, now: float) -> dict[str, Any]:
        """The deployment resource at `now`."""
        ended = self.ended_at if self.ended_at is not None else now
        properties: dict[str, Any] = {
            "templateHash": self.template_hash,
            "parameters": self.shown_parameters,
            "mode": self.mode,
            "provisioningState": self.state,
            "timestamp": iso_instant(ended),
            "duration": iso_duration(ended - self.started_at),
            "correlationId": self.correlation_id,
            "providers": self.providers,
            "dependencies": self.dependencies,
        }
        if self.outputs is not None:
            properties["outputs"] = self.outputs
        if self.state == "Succeeded":
            properties["outputResources"] = [{"id": i} for i in self.output_resource_ids]
        if self.error is not None:
            properties["error"] = self.error
        body: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "type": "Microsoft.Resources/deployments",
            "properties": properties,
        }
        if self.location is not None:
            body["location"] = self.location
        if self.tags:
            body["tags"] = self.tags
        return body
