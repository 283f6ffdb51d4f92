"""The callers' side in detail: who asks how much, which errors they get and how long they wait, minute by minute.

From the gateway's logs. Counts per minute are floats; a minute inside the known window without a row had none.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.domain.load import Series, Window

CONNECTION_REASONS = frozenset({"BackendConnectionFailure"})
"""What the gateway calls a backend that could not be reached: DNS, TLS, network rules or a host that is down.

Source: "Error handling in API Management policies".
"""


@dataclass(frozen=True, slots=True)
class ErrorSeries:
    """One kind of error that callers got, by minute.

    `host` "" when no backend was reached; `backend` only on hosts that serve several. `backend_status_code` None: the
    backend of the last attempt gave no answer. `reason` and `section` are the gateway's own (`LastErrorReason`,
    `LastErrorSection`).
    """

    host: str
    backend: str
    api: str
    status_code: int
    backend_status_code: int | None
    reason: str
    section: str
    message: str
    counts: Series


@dataclass(frozen=True, slots=True)
class LatencySeries:
    """How long callers waited for one operation at one backend: the 75th percentile of each minute, milliseconds.

    None in minutes without an answer. `requests` are the answers that were measured.
    """

    host: str
    backend: str
    operation: str
    p75_ms: Series
    requests: Series


@dataclass(frozen=True, slots=True)
class ConsumerLoad:
    """What one consumer subscription asked and got; `name` "" for requests without a key.

    `tokens` None: the gateway does not log what models count.
    """

    name: str
    requests: Series
    throttled: Series
    failed: Series
    tokens: Series | None = None


@dataclass(frozen=True, slots=True)
class CallersDetail:
    """One reading. `window` ends where the logs are complete; `partial` says why it is incomplete, "" when it is whole.

    `are_consumers_cut`: there are more consumers than were read (the busiest ones were).
    """

    window: Window
    errors: tuple[ErrorSeries, ...] = ()
    latencies: tuple[LatencySeries, ...] = ()
    consumers: tuple[ConsumerLoad, ...] = ()
    partial: str = ""
    are_consumers_cut: bool = False
