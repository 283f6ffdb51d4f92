"""The control door, `/_control/...`: what drills and tests may do behind Azure's back.

No Azure API leads here, and nothing here changes a figure a console sees except through what really happens in the
world.

GET  truth?start=&end=   ground truth of [start, end): epoch seconds or ISO times
GET  clock | faults | log | state
POST advance {"seconds"}            let time pass
POST clock   {"speed"?, "paused"?}  how fast the live clock runs
POST fault   {"kind", "host"?, "method"?, "path"?, "count"?, "ratio"?, "status"?, ...} at the door, see `RouteFault`
             {"network_host", ...HostFault fields, or "clear": true} on the way to a host
DELETE fault[?id=]                  take faults away
POST reset {"seed"?}  |  POST seed {"seed"}   a new world
POST tokens {"action": "expire"}    every token given so far is refused
POST principal {"name"?, "assignments": [{"role", "scope"}]}   what the caller may do
POST throttle {"drain_ratio"}       empty Resource Manager's buckets
POST provider {"subscription_id", "namespace", "registered"}
POST deployments {"denied_types"?, "failing_types"?, "unavailable_skus"?, "service_limit"?, "history_limit"?}
             what template deployments meet; see `DeploymentRoom`
POST settings {...}                 fields of `ArmSettings`
POST models {"latency_factor"}      how long models take: 1 as modelled, 0 no time at all
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

from simulator.entra.principals import BUILT_IN_ROLES, Assignment
from simulator.entra.tokens import entra
from simulator.network import HostFault, HttpResponse
from simulator.openai.settings import model_settings
from simulator.resources.faults import fault_table
from simulator.resources.settings import arm_settings
from simulator.resources.subscriptions import provider_states
from simulator.resources.throttling import throttle
from simulator.resources.wire_time import parse_wire_time, wire_time

if TYPE_CHECKING:
    from simulator.deployments.engine import DeploymentRoom
    from simulator.front_door import Incoming
    from simulator.world import World


class Clockwork(Protocol):
    """What the control door needs of the server that drives the world."""

    @property
    def world(self) -> World:
        """The world in charge now."""

    def jump(self, seconds: float) -> None:
        """Let simulated time pass at once."""

    def set_speed(self, speed: float) -> None:
        """Simulated seconds per real second; 0 pauses."""

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""

    def rebuild(self, seed: int | None) -> None:
        """Replace the world by a new one. Raises ValueError when nobody told how."""


class _Refused(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def answer_control(clockwork: Clockwork, incoming: Incoming) -> HttpResponse:
    """Answer a request whose path begins with `/_control/`."""
    verb = incoming.raw_path.removeprefix("/_control/").strip("/")
    query = dict(parse_qsl(incoming.query))
    try:
        fields = json.loads(incoming.body) if incoming.body.strip() else {}
        if not isinstance(fields, dict):
            raise _Refused("a JSON object is expected")
        result = _dispatch(clockwork, incoming.method, verb, query, fields)
    except _Refused as refusal:
        return _json(refusal.status, {"error": str(refusal)})
    except (ValueError, TypeError, KeyError) as error:
        return _json(400, {"error": f"{type(error).__name__}: {error}"})
    return _json(200, result)


def _dispatch(
    clockwork: Clockwork, method: str, verb: str, query: dict[str, str], fields: dict[str, Any]
) -> dict[str, Any]:
    world = clockwork.world
    match method, verb:
        case "GET", "truth":
            start, end = _time(query.get("start", "0")), _time(query.get("end", str(world.now)))
            return world.truth.as_json(int(start), int(end))
        case "GET", "clock":
            return _clock(clockwork)
        case "GET", "faults":
            hosts = {host: _plain_fault(fault) for host, fault in world.network.faults.items()}
            return {"routes": fault_table(world).as_json(), "hosts": hosts}
        case "GET", "log":
            return {"lines": [{"at": wire_time(at), "text": text} for at, text in world.log[-1_000:]]}
        case "GET", "state":
            return {"seed": world.seed, "rooms": sorted(world.rooms), "settings": asdict(arm_settings(world))}
        case "POST", "advance":
            clockwork.jump(_seconds(fields.get("seconds")))
            return _clock(clockwork)
        case "POST", "clock":
            speed = 0.0 if fields.get("paused") else float(fields.get("speed", 1.0))
            if not 0.0 <= speed <= 10_000.0:
                raise _Refused("speed must be between 0 and 10000")
            clockwork.set_speed(speed)
            return _clock(clockwork)
        case "POST", "fault":
            return _set_fault(world, fields)
        case "DELETE", "fault":
            fault_table(world).clear(int(query["id"]) if "id" in query else None)
            if "id" not in query:
                world.network.faults.clear()
            return {"routes": fault_table(world).as_json()}
        case "POST", "reset" | "seed":
            clockwork.rebuild(int(fields["seed"]) if "seed" in fields else None)
            return _clock(clockwork)
        case "POST", "tokens":
            if fields.get("action") not in ("expire", "revoke"):
                raise _Refused("action must be expire or revoke")
            entra(world).revoke_all()
            return {"expired": True}
        case "POST", "principal":
            return _set_principal(world, fields)
        case "POST", "throttle":
            throttle(world).drain(float(fields.get("drain_ratio", 1.0)))
            return {"drained": True}
        case "POST", "provider":
            states = provider_states(world)
            change = states.register if fields.get("registered") else states.unregister
            change(str(fields["subscription_id"]), str(fields["namespace"]))
            return {"registered": bool(fields.get("registered"))}
        case "POST", "deployments":
            return _change_deployments(world, fields)
        case "POST", "settings":
            return _change_settings(world, fields)
        case "POST", "models":
            return _change_models(world, fields)
    raise _Refused(f"the control door knows no {method} {verb}", 404)


def _clock(clockwork: Clockwork) -> dict[str, Any]:
    world = clockwork.world
    return {"now": world.now, "now_at": wire_time(world.now), "speed": clockwork.speed, "seed": world.seed}


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return parse_wire_time(text)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _Refused("seconds must be a number of at least 0")
    return float(value)


def _plain_fault(fault: HostFault) -> dict[str, Any]:
    return {**asdict(fault), "body": fault.body.decode(errors="replace")}


def _set_fault(world: World, fields: dict[str, Any]) -> dict[str, Any]:
    host = fields.pop("network_host", None)
    if host is None:
        return asdict(fault_table(world).add(fields))
    if fields.pop("clear", False):
        world.network.faults.pop(str(host).lower(), None)
        return {"host": host, "cleared": True}
    if "body" in fields:
        fields["body"] = str(fields["body"]).encode()
    fault = HostFault(**fields)
    world.network.faults[str(host).lower()] = fault
    return {"host": host, **_plain_fault(fault)}


def _set_principal(world: World, fields: dict[str, Any]) -> dict[str, Any]:
    identities = entra(world)
    who = identities.principal(str(fields["name"])) if "name" in fields else identities.default
    if who is None:
        raise _Refused(f"no principal {fields['name']!r}", 404)
    assignments = []
    for entry in fields.get("assignments", [{"role": fields.get("role", "Owner"), "scope": "/"}]):
        role = BUILT_IN_ROLES.get(entry["role"])
        if role is None:
            raise _Refused(f"no role {entry['role']!r}; known: {', '.join(BUILT_IN_ROLES)}")
        assignments.append(Assignment(role, str(entry.get("scope", "/"))))
    who.assignments = assignments
    return {"name": who.name, "assignments": [{"role": a.role.name, "scope": a.scope} for a in assignments]}


def _change_deployments(world: World, fields: dict[str, Any]) -> dict[str, Any]:
    room: DeploymentRoom = world.rooms["deployments"]
    for name, value in fields.items():
        match name:
            case "denied_types":
                room.denied_types = {str(kind).lower(): str(policy) for kind, policy in value.items()}
            case "failing_types":
                room.failing_types = {str(k).lower(): (str(code), str(text)) for k, (code, text) in value.items()}
            case "unavailable_skus":
                room.unavailable_skus = {(str(region).lower(), str(sku).lower()) for region, sku in value}
            case "service_limit":
                room.service_limit = None if value is None else int(value)
            case "history_limit":
                room.history_limit = int(value)
            case _:
                raise _Refused(f"deployments have no {name!r}")
    return {
        "denied_types": room.denied_types,
        "failing_types": {kind: list(refusal) for kind, refusal in room.failing_types.items()},
        "unavailable_skus": sorted(list(pair) for pair in room.unavailable_skus),
        "service_limit": room.service_limit,
        "history_limit": room.history_limit,
    }


def _change_settings(world: World, fields: dict[str, Any]) -> dict[str, Any]:
    settings = arm_settings(world)
    for name, value in fields.items():
        if not hasattr(settings, name):
            raise _Refused(f"no setting {name!r}")
        current = getattr(settings, name)
        if isinstance(current, bool) != isinstance(value, bool):
            raise _Refused(f"{name} wants a {type(current).__name__}")
        if not isinstance(value, int | float | dict):
            raise _Refused(f"{name} wants a {type(current).__name__}")
        setattr(settings, name, type(current)(value))
    return asdict(settings)


def _change_models(world: World, fields: dict[str, Any]) -> dict[str, Any]:
    settings = model_settings(world)
    if fields.keys() != {"latency_factor"}:
        raise _Refused("models take latency_factor and nothing else")
    factor = fields["latency_factor"]
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0.0 <= factor <= 1_000.0:
        raise _Refused("latency_factor must be a number from 0 to 1000")
    settings.latency_factor = float(factor)
    return asdict(settings)


def _json(status: int, body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json; charset=utf-8"}, json.dumps(body).encode())
