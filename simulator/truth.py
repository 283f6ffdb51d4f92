"""The ground truth: what really happened, minute by minute, counted at the source.

Tests and drills hold the console's figures against this. It never passes through Monitor or Logs, and no
Azure API serves it: only the control door does. A model call counts in the minute it was answered, a gateway
request in the minute it began, as Azure's own metrics and logs do.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from simulator.telemetry import GatewayCall, ModelCall, Telemetry, UtilizationSample


@dataclass(slots=True)
class ModelMinute:
    """One minute of one model deployment. Counts; `utilization_ratio` None until the minute is complete or for PAYG."""

    requests: int = 0
    throttled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    utilization_ratio: float | None = None


@dataclass(slots=True)
class GatewayMinute:
    """One minute of the callers' view, attributed to the backend of the last attempt ("" when none was reached)."""

    requests: int = 0
    throttled: int = 0
    failed: int = 0


class GroundTruth:
    """Counts by minute (epoch seconds of its start).

    `models[minute][(account_id lower-case, deployment)]`, `gateway[minute][(service_id lower-case, backend_name)]`,
    `attempts[minute][(service_id lower-case, backend_name)]` = requests forwarded, whatever became of them.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self.models: dict[int, dict[tuple[str, str], ModelMinute]] = defaultdict(lambda: defaultdict(ModelMinute))
        self.gateway: dict[int, dict[tuple[str, str], GatewayMinute]] = defaultdict(lambda: defaultdict(GatewayMinute))
        self.attempts: dict[int, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
        telemetry.on_model_call.append(self._count_model_call)
        telemetry.on_utilization.append(self._note_utilization)
        telemetry.on_gateway_call.append(self._count_gateway_call)

    def _count_model_call(self, call: ModelCall) -> None:
        minute = self.models[int(call.completed_at // 60) * 60][(call.account_id.lower(), call.deployment)]
        minute.requests += 1
        if call.status == 429:
            minute.throttled += 1
        elif call.status >= 500:
            minute.failed += 1
        elif call.status < 300:
            minute.prompt_tokens += call.prompt_tokens
            minute.completion_tokens += call.completion_tokens

    def _note_utilization(self, sample: UtilizationSample) -> None:
        self.models[sample.minute][
            (sample.account_id.lower(), sample.deployment)
        ].utilization_ratio = sample.average_ratio

    def _count_gateway_call(self, call: GatewayCall) -> None:
        service = call.service_id.lower()
        last = call.attempts[-1].backend_name if call.attempts else ""
        minute = self.gateway[int(call.started_at // 60) * 60][(service, last)]
        minute.requests += 1
        if call.response_code == 429:
            minute.throttled += 1
        elif call.response_code >= 500:
            minute.failed += 1
        for attempt in call.attempts:
            self.attempts[int(attempt.started_at // 60) * 60][(service, attempt.backend_name)] += 1

    def as_json(self, start: int, end: int) -> dict[str, Any]:
        """Minutes in [start, end) as plain data for the control door: lists of rows, stable order."""
        return {
            "models": [
                {"minute": minute, "account_id": key[0], "deployment": key[1], **asdict(counts)}
                for minute in sorted(self.models)
                if start <= minute < end
                for key, counts in sorted(self.models[minute].items())
            ],
            "gateway": [
                {
                    "minute": minute,
                    "service_id": key[0],
                    "backend": key[1],
                    "requests": counts.requests,
                    "throttled": counts.throttled,
                    "failed": counts.failed,
                }
                for minute in sorted(self.gateway)
                if start <= minute < end
                for key, counts in sorted(self.gateway[minute].items())
            ],
            "attempts": [
                {"minute": minute, "service_id": key[0], "backend": key[1], "requests": count}
                for minute in sorted(self.attempts)
                if start <= minute < end
                for key, count in sorted(self.attempts[minute].items())
            ],
        }
