"""Synthetic callers: applications that send requests through the gateway, as many as their rate says, at random
moments.

Each caller has its own stream of chance, a daily rhythm and a set of prepared bodies. It never looks at Azure from
behind: it gets an answer or an error, like any caller.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.network import ConnectionFailure, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.world import World

_BODIES = 24
_API_VERSION = "2024-10-21"
_PATHS = {
    "chat": "chat/completions",
    "completions": "completions",
    "embeddings": "embeddings",
}
_WORDS = [
    "the",
    "quarterly",
    "summary",
    "of",
    "open",
    "support",
    "tickets",
    "names",
    "causes",
    "owners",
    "and",
    "dates",
    "in",
    "plain",
    "words",
    "for",
    "the",
    "next",
    "review",
]


@dataclass(frozen=True, slots=True)
class Caller:
    """One stream of requests. `name` is the subscription whose key it sends.

    `daily_swing` 0 to 1 is how much the rate rises and falls over a day (highest at 14:00 UTC).
    """

    name: str
    api: str = "openai"
    operation: str = "chat"
    deployment: str = "gpt-4o"
    requests_per_minute: float = 10.0
    prompt_tokens: int = 800
    max_tokens: int = 400
    stream_ratio: float = 0.0
    daily_swing: float = 0.1
    key: str | None = None
    key_header: str = "api-key"


DEFAULT_CALLERS: tuple[Caller, ...] = (
    Caller("app-support-bot", requests_per_minute=62.0, prompt_tokens=900, max_tokens=420, stream_ratio=0.25),
    Caller("app-copilot-portal", requests_per_minute=58.0, prompt_tokens=700, max_tokens=480, stream_ratio=0.4),
    Caller("app-batch-summaries", requests_per_minute=40.0, prompt_tokens=1500, max_tokens=500),
    Caller(
        "app-search",
        operation="embeddings",
        deployment="text-embedding-3-large",
        requests_per_minute=120.0,
        prompt_tokens=220,
        max_tokens=0,
    ),
    Caller("app-search", api="legacy", requests_per_minute=10.0, prompt_tokens=400, max_tokens=250),
)


class CallerState:
    """A caller at work. `requests_per_minute` moves to what was last asked for, at once or over a while."""

    def __init__(self, world: World, host: str, caller: Caller, key: str) -> None:
        self.world = world
        self.caller = caller
        self.key = key
        self.host = host
        self.chance = world.random(f"traffic/{host}/{caller.name}/{caller.api}/{caller.operation}/{caller.deployment}")
        self.sent = 0
        self.answered: dict[int, int] = {}
        self.unanswered = 0
        self._from = self._to = caller.requests_per_minute
        self._ramp_at = self._ramp_end = world.now
        self._generation = 0
        self._bodies = [self._body(stream=False) for _ in range(_BODIES)]
        self._streams = [self._body(stream=True) for _ in range(_BODIES)] if caller.stream_ratio > 0 else []
        path = _PATHS.get(caller.operation)
        self.path = (
            f"/{caller.api}/{caller.operation}"
            if path is None
            else f"/{caller.api}/deployments/{caller.deployment}/{path}"
        )
        self._headers = {
            caller.key_header: key,
            "content-type": "application/json",
            "user-agent": f"{caller.name}/1.0",
            "x-forwarded-for": f"10.20.{sum(caller.name.encode()) % 200}.{len(caller.name)}",
        }
        self._schedule()

    def set_rate(self, requests_per_minute: float, over_seconds: float = 0.0) -> None:
        """Move to a new rate, evenly over `over_seconds`."""
        now = self.world.now
        self._from, self._to = self.base_rate(now), requests_per_minute
        self._ramp_at, self._ramp_end = now, now + over_seconds
        self._generation += 1
        self._schedule()

    def set_key(self, key: str) -> None:
        """Send another subscription key from now on."""
        self._headers = {**self._headers, self.caller.key_header: key}

    def base_rate(self, now: float) -> float:
        """Requests a minute before the daily rhythm."""
        if now >= self._ramp_end:
            return self._to
        share = (now - self._ramp_at) / (self._ramp_end - self._ramp_at)
        return self._from + (self._to - self._from) * share

    def _schedule(self) -> None:
        world = self.world
        now = world.now
        rate = self.base_rate(now)
        if now < self._ramp_end and rate < 1.0:
            rate = 1.0
        if rate <= 0:
            return
        swing = self.caller.daily_swing
        if swing:
            rate *= 1.0 + swing * math.cos((now % 86400.0 - 50400.0) / 86400.0 * 2.0 * math.pi)
        generation = self._generation
        world.call_at(now + self.chance.expovariate(rate / 60.0), lambda: self._fire(generation))

    def _fire(self, generation: int) -> None:
        if generation != self._generation:
            return
        chance = self.chance
        streams = self._streams
        bodies = streams if streams and chance.random() < self.caller.stream_ratio else self._bodies
        body = bodies[int(chance.random() * _BODIES)]
        request = HttpRequest(
            "POST", self.host, self.path, f"api-version={_API_VERSION}", self._headers, body, "outside"
        )
        self.sent += 1
        self.world.spawn(self._call(request))
        self._schedule()

    def _call(self, request: HttpRequest) -> Generator[float, None, None]:
        try:
            response: HttpResponse = yield from self.world.network.send(request)
        except ConnectionFailure:
            self.unanswered += 1
            return
        self.answered[response.status] = self.answered.get(response.status, 0) + 1

    def _body(self, *, stream: bool) -> bytes:
        caller = self.caller
        tokens = max(int(caller.prompt_tokens * (0.6 + 0.8 * self.chance.random())), 8)
        text = " ".join(self.chance.choice(_WORDS) for _ in range(tokens * 4 // 6))
        call: dict[str, object]
        if caller.operation == "embeddings":
            call = {"input": text}
        elif caller.operation == "responses":
            call = {"model": caller.deployment, "input": text, "max_output_tokens": caller.max_tokens}
        elif caller.operation == "completions":
            call = {"prompt": text, "max_tokens": caller.max_tokens}
        else:
            call = {"messages": [{"role": "user", "content": text}], "max_tokens": caller.max_tokens}
        if stream:
            call["stream"] = True
            if caller.operation == "chat":
                call["stream_options"] = {"include_usage": True}
        return json.dumps(call).encode()


class TrafficRoom:
    """All callers of the world."""

    def __init__(self, world: World, host: str, callers: Sequence[Caller]) -> None:
        self.world = world
        self.host = host
        self.callers: list[CallerState] = []
        for caller in callers:
            self.add(caller)

    def add(self, caller: Caller, host: str | None = None) -> CallerState:
        """Start a caller of `host` (the room's own when None); its key is its subscription's, unless it brings one."""
        key = caller.key
        if key is None:
            key = next(
                (
                    str(subscription.hidden.get("primaryKey", ""))
                    for subscription in self.world.store.of_type("Microsoft.ApiManagement/service/subscriptions")
                    if subscription.name == caller.name
                ),
                "",
            )
        state = CallerState(self.world, host or self.host, caller, key)
        self.callers.append(state)
        return state

    def named(self, name: str, operation: str | None = None, api: str | None = None) -> list[CallerState]:
        """The callers of a name, optionally of one operation or API path only."""
        return [
            state
            for state in self.callers
            if state.caller.name == name
            and (operation is None or state.caller.operation == operation)
            and (api is None or state.caller.api == api)
        ]


def attach(world: World, host: str, callers: Sequence[Caller] = DEFAULT_CALLERS) -> TrafficRoom:
    """Start the callers of a gateway host; kept as `world.rooms["traffic"]`."""
    room = TrafficRoom(world, host, callers)
    world.rooms["traffic"] = room
    return room
