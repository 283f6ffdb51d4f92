"""Pay-as-you-go limits: tokens in a minute and requests in ten seconds.

Source: Microsoft Learn "Manage Azure OpenAI quota": the token counter adds an estimate on arrival (prompt plus
max_tokens) and resets each minute; requests per minute are enforced over 1 or 10 second windows; requests that fail
can count.
Assumed: the ten-second window, and that a window begins with the first call after the last one ended.
"""

from __future__ import annotations

from dataclasses import dataclass

REQUEST_WINDOW_SECONDS = 10.0
TOKEN_WINDOW_SECONDS = 60.0


@dataclass(slots=True)
class Refusal:
    """Why a call was refused (`what`: "token rate limit" or "call rate limit") and for how many seconds."""

    what: str
    retry_after_seconds: float


class StandardLimits:
    """The two counters of one pay-as-you-go deployment.

    `limit_factor` below 1 is the service lowering the effective limit for a while, as it may.
    """

    __slots__ = (
        "_requests",
        "_requests_until",
        "_tokens",
        "_tokens_until",
        "limit_factor",
        "requests_per_window",
        "tokens_per_minute",
    )

    def __init__(self, tokens_per_minute: float, requests_per_minute: float) -> None:
        self.tokens_per_minute = tokens_per_minute
        self.requests_per_window = max(requests_per_minute * REQUEST_WINDOW_SECONDS / 60.0, 1.0)
        self.limit_factor = 1.0
        self._tokens = 0.0
        self._tokens_until = 0.0
        self._requests = 0
        self._requests_until = 0.0

    def admit(self, now: float, estimate: float) -> Refusal | None:
        """Count a call of `estimate` tokens; None when it may go on."""
        if now >= self._requests_until:
            self._requests = 0
            self._requests_until = now + REQUEST_WINDOW_SECONDS
        if now >= self._tokens_until:
            self._tokens = 0.0
            self._tokens_until = now + TOKEN_WINDOW_SECONDS
        self._requests += 1
        if self._requests > self.requests_per_window * self.limit_factor:
            return Refusal("call rate limit", self._requests_until - now)
        if self._tokens + estimate > self.tokens_per_minute * self.limit_factor:
            return Refusal("token rate limit", self._tokens_until - now)
        self._tokens += estimate
        return None

    def load_ratio(self, now: float) -> float:
        """Share of the minute's tokens already counted, 0 to 1."""
        if now >= self._tokens_until or not self.tokens_per_minute:
            return 0.0
        return min(self._tokens / self.tokens_per_minute, 1.0)

    def headers(self, now: float) -> dict[str, str]:
        """The `x-ratelimit-*` headers of an answer at `now`."""
        tokens = int(self.tokens_per_minute * self.limit_factor)
        requests = int(self.requests_per_window * self.limit_factor * 60.0 / REQUEST_WINDOW_SECONDS)
        window_left = max(int(self.requests_per_window * self.limit_factor) - self._requests, 0)
        return {
            "x-ratelimit-limit-requests": str(requests),
            "x-ratelimit-limit-tokens": str(tokens),
            "x-ratelimit-remaining-requests": str(window_left),
            "x-ratelimit-remaining-tokens": str(max(int(tokens - self._tokens), 0)),
            "x-ratelimit-reset-requests": str(max(int(self._requests_until - now + 0.999), 0)),
            "x-ratelimit-reset-tokens": str(max(int(self._tokens_until - now + 0.999), 0)),
        }
