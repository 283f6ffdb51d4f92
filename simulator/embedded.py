"""Builds a whole embedded Azure: the world, its resources, every room, the callers, and its history up to now.

The composition of the simulator and nothing else: rooms know each other only through the world.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator import apim, gateway, logs, monitor, openai, topology
from simulator import traffic as callers
from simulator.deployments.routes import attach as attach_deployments
from simulator.logs.settings import Lag
from simulator.names import GATEWAY_HOST
from simulator.newcomers import Newcomers
from simulator.scenarios import Scenario, load_scenario, parse_offset
from simulator.world import World

DEFAULT_SCENARIO = "ptu-saturation"
PROGRESS_STEPS = 20


def build_world(
    scenario: str | Path | Scenario = DEFAULT_SCENARIO,
    *,
    seed: int = 7,
    history_seconds: float = 3600.0,
    now: float,
    lag: Lag = "brisk",
    on_progress: Callable[[float], None] | None = None,
    traffic: bool = True,
) -> World:
    """Build the world of a scenario and run its history.

    Args:
        scenario: a name, a path to a TOML file, or a scenario already read.
        seed: equal seeds give equal worlds.
        history_seconds: how much of the past is run before this returns.
        now: the scenario's "now", epoch seconds; the world's clock stands there on return.
        lag: how late the logs are, "brisk" or "real".
        on_progress: told shares from 0 to 1 while history runs.
        traffic: False leaves the synthetic callers out (events still happen).

    Raises:
        ScenarioError: the scenario cannot be read.
    """
    plot = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    world = World(seed=seed, now=now - history_seconds)
    if plot.world.topology == "accounts-only":
        topology.write_platform(world)
        topology.write_accounts(world)
    else:
        topology.write_demo(world)
    _attach_rooms(world, plot, lag)
    room = callers.attach(world, GATEWAY_HOST, plot.callers() if traffic and plot.world.topology == "demo" else ())
    if traffic:
        world.rooms["newcomers"] = Newcomers(world, room)
    world.rooms["scenario"] = plot
    _plan_events(world, plot, now)
    for step in range(1, PROGRESS_STEPS + 1):
        world.advance_to(now - history_seconds * (1.0 - step / PROGRESS_STEPS))
        if on_progress is not None:
            on_progress(step / PROGRESS_STEPS)
    return world


def _attach_rooms(world: World, plot: Scenario, lag: Lag) -> None:
    apim.attach(world)
    attach_deployments(world)
    openai.attach(world)
    gateway.attach(world)
    monitor.attach(world, lag)
    logs.attach(world, lag)
    if plot.world.log_lag_seconds is not None:
        world.rooms["logs"].set_lag(plot.world.log_lag_seconds, plot.world.log_lag_seconds)


def _plan_events(world: World, plot: Scenario, now: float) -> None:
    for event in plot.events:
        at = now + parse_offset(event.at)

        def happen(event: Any = event) -> None:
            event.apply(world)
            world.note(f"scenario {plot.name}: {type(event).__struct_config__.tag}")

        world.call_at(max(at, world.now), happen)
