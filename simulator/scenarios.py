"""Scenarios as data: who calls how much, what goes wrong when, and what a good operator would see and do.

A scenario is a TOML file: one of those in the folder `scenarios/` by name, or a user's own by path. Unknown keys are
refused.

    [scenario]
    name = "ptu-saturation"          # lower-case letters, digits, dashes
    title = "..."                    # one line for people
    story = "..."                    # what happens, in a paragraph

    [world]                          # optional
    topology = "demo"                # "demo", or "accounts-only": endpoints are ready, no gateway yet
    log_lag_seconds = 600.0          # forces how late the logs are

    [traffic]                        # optional
    replace = false                  # true: only the callers below; false: they override or join the default ones
    [[traffic.callers]]
    name = "app-search"              # the subscription it calls with
    api = "openai"                   # path of the API: "openai" or "legacy"
    operation = "chat"               # chat, completions, embeddings or responses
    deployment = "gpt-4o"
    requests_per_minute = 60.0
    prompt_tokens = 900              # typical; every call varies around it
    max_tokens = 300
    stream_ratio = 0.0               # share of calls that stream
    daily_swing = 0.1                # strength of the daily rhythm, 0 to 1

    [[event]]                        # any number, in any order
    at = "-20m"                      # relative to the scenario's "now": sign, number, s, m or h
    kind = "traffic-rate"            # a kind of `simulator.scenario_events`
    ...                              # and that kind's own keys

    [expect]                         # what a drill holds an operator's tools to
    verdict = "warning"              # ok, warning, critical or unknown
    callers_hurt = false             # whether callers themselves get refusals or errors worth naming
    findings = ["..."]               # symptoms that must be named, as `backend: symptom` or `symptom`
    see = ["..."]                    # what a good operator sees
    do = ["..."]                     # what a good operator does
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from simulator.scenario_events import Event
from simulator.traffic import DEFAULT_CALLERS, Caller

FOLDER = Path(__file__).with_name("scenarios")
_OFFSET = re.compile(r"^([+-]?)(\d+(?:\.\d+)?)(s|m|h)$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class ScenarioError(Exception):
    """A scenario cannot be read. The message names the file, the place and what would be right."""


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a scenario is about."""

    name: str
    title: str
    story: str = ""


class WorldSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the world is like before anything happens."""

    topology: Literal["demo", "accounts-only"] = "demo"
    log_lag_seconds: float | None = None


class CallerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One caller; what is left out is as in `simulator.traffic.Caller`."""

    name: str
    api: str = "openai"
    operation: Literal["chat", "completions", "embeddings", "responses"] = "chat"
    deployment: str = "gpt-4o"
    requests_per_minute: float = 10.0
    prompt_tokens: int = 800
    max_tokens: int = 400
    stream_ratio: float = 0.0
    daily_swing: float = 0.1

    def caller(self) -> Caller:
        """The caller these settings describe."""
        return Caller(**msgspec.structs.asdict(self))


class TrafficSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who calls."""

    replace: bool = False
    callers: tuple[CallerSettings, ...] = ()


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a good operator sees and does, and what a drill asserts."""

    verdict: Literal["ok", "warning", "critical", "unknown"] = "ok"
    callers_hurt: bool = False
    findings: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    do: tuple[str, ...] = ()


class Scenario(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"about": "scenario", "events": "event"}
):
    """One scenario, checked."""

    about: About
    world: WorldSettings = WorldSettings()
    traffic: TrafficSettings = TrafficSettings()
    events: tuple[Event, ...] = ()
    expect: Expectation = Expectation()

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.about.name

    def callers(self) -> tuple[Caller, ...]:
        """All callers: the defaults, overridden and joined by the scenario's own."""
        own = [settings.caller() for settings in self.traffic.callers]
        if self.traffic.replace:
            return tuple(own)
        taken = {(c.name, c.api, c.operation) for c in own}
        kept = [c for c in DEFAULT_CALLERS if (c.name, c.api, c.operation) not in taken]
        return (*kept, *own)


def parse_offset(text: str) -> float:
    """Seconds of an offset like "-20m".

    Raises:
        ValueError: it is none.
    """
    match = _OFFSET.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an offset like '-20m', '+90s' or '0m'")
    seconds = float(match[2]) * _UNITS[match[3]]
    return -seconds if match[1] == "-" else seconds


def parse_scenario(text: str, where: str) -> Scenario:
    """Read a scenario from TOML text; `where` names it in errors.

    Raises:
        ScenarioError: not TOML, an unknown key or kind, a wrong type, or an offset that is none.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{where}: not TOML: {error}") from error
    try:
        scenario = msgspec.convert(raw, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{where}: {error}") from error
    for number, event in enumerate(scenario.events, 1):
        try:
            parse_offset(event.at)
        except ValueError as error:
            raise ScenarioError(f"{where}: event {number}: {error}") from error
    return scenario


def scenario_names() -> list[str]:
    """The names of the scenarios that come with the simulator, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """A scenario by name, or by path when it ends in `.toml` or holds a separator.

    Raises:
        ScenarioError: no such scenario or file, or it cannot be read.
    """
    text = str(name_or_path)
    path = Path(text) if text.endswith(".toml") or "/" in text else FOLDER / f"{text}.toml"
    if not path.is_file():
        raise ScenarioError(
            f"there is no scenario '{text}'; there are: {', '.join(scenario_names())}, or a path to a .toml file"
        )
    return parse_scenario(path.read_text("utf-8"), path.name)
