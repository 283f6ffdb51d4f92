"""How a request at the gateway ends other than by reaching its end, and the gateway's own error body.

Source: Microsoft Learn "Error handling in API Management policies" (sources, reasons, messages of predefined errors).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.gateway.steps import Step


class PolicyFailure(Exception):
    """Processing failed; the request goes on in `on-error`.

    `status` and `body_message` make the default answer; `headers` go with it; `step` is the statement that failed
    (set by whoever runs it), `source` overrides its name for failures outside any policy ("configuration",
    "authorization").
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int = 500,
        body_message: str | None = None,
        source: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.status = status
        self.body_message = (
            body_message if body_message is not None else ("Internal server error" if status == 500 else message)
        )
        self.source = source
        self.headers = headers or {}
        self.step: Step | None = None


class Finished(Exception):
    """The response is complete: nothing that follows in the pipeline runs (return-response and its like)."""


def error_body(status: int, message: str) -> bytes:
    """The gateway's own flat error body, unlike any model's: `{"statusCode", "message"}`."""
    return b'{ "statusCode": %d, "message": %s }' % (status, json.dumps(message).encode())


_REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    499: "Client Closed Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def reason_phrase(status: int) -> str:
    """The standard phrase of a status code, "" when there is none."""
    return _REASONS.get(status, "")
