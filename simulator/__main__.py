"""`python -m simulator`: the embedded Azure as a process of its own.

Prints JSON lines on stdout and nothing else: `{"progress": 0.4}` while history runs, then one line that says where
everything is. Whoever started it reads that line and builds a profile from it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from simulator.embedded import build_world
from simulator.entra.tokens import entra
from simulator.resources.ids import parse_resource_path
from simulator.scenarios import ScenarioError
from simulator.server import Server, resolve_table
from simulator.world import World

COLLECT_AFTER_OBJECTS = 50_000
"""New objects between two runs of Python's cycle collector. Requests leave no cycles behind; looking often is waste."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds of `90`, `90s`, `60m`, `2h` or `1d`.

    Raises:
        ValueError: anything else.
    """
    unit = UNITS.get(text[-1:].lower())
    seconds = float(text[:-1] if unit is not None else text) * (unit or 1.0)
    if not 0 <= seconds <= 7 * 86400:
        raise ValueError(f"{text} is not between 0 and 7 days")
    return seconds


def endpoints(world: World, base_url: str) -> dict[str, Any]:
    """Where everything is, as plain data: the ready line."""
    services = list(world.store.of_type("Microsoft.ApiManagement/service"))
    workspaces = list(world.store.of_type("Microsoft.OperationalInsights/workspaces"))
    groups = list(world.store.of_type("Microsoft.Resources/resourceGroups"))
    anchor = parse_resource_path((services or groups)[0].id)
    if anchor is None:
        raise ValueError("the world has no resource group")
    identities = entra(world)
    return {
        "base_url": base_url,
        "subscription_id": anchor.subscription_id,
        "tenant_id": identities.default.tenant_id,
        "resource_group": anchor.resource_group or anchor.name,
        "service_name": services[0].name if services else None,
        "workspace_id": workspaces[0].properties.get("customerId") if workspaces else None,
        "workspace_resource_id": workspaces[0].id if workspaces else None,
        "resolve": resolve_table(world, base_url),
        "identity_endpoint": f"{base_url}/msi/token",
        "identity_header": identities.identity_header,
        "control": f"{base_url}/_control",
        "seed": world.seed,
        "now": world.now,
    }


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="An Azure on loopback.")
    parser.add_argument("--scenario", default="ptu-saturation", help="a scenario's name or the path of its file")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--history", type=parse_duration, default=parse_duration("60m"), help="such as 60m or 2h")
    parser.add_argument("--lag", choices=("brisk", "real"), default="brisk", help="how late logs are")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per real second")
    parser.add_argument("--no-traffic", action="store_true", help="leave the synthetic callers out")
    parser.add_argument("--ready-file", type=Path, help="write the ready line there too")
    parser.add_argument("--print-endpoints", action="store_true", help="the ready line in a form for people, on stderr")
    parser.add_argument("--tls-certificate", type=Path, help="a PEM file with certificate and key: serve https")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when stdin closes")
    return parser.parse_args(argv)


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _make_world(options: argparse.Namespace, seed: int, *, tell: bool) -> World:
    return build_world(
        options.scenario,
        seed=seed,
        history_seconds=options.history,
        now=time.time() // 60 * 60,  # on a whole minute, so that equal seeds fill equal minutes
        lag=options.lag,
        on_progress=(lambda share: _say({"progress": round(share, 3)})) if tell else None,
        traffic=not options.no_traffic,
    )


async def _run(options: argparse.Namespace) -> None:
    gc.freeze()  # modules and classes stay for good: no need to look through them again
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 10, 10)
    world = _make_world(options, options.seed, tell=True)
    world.advance_to(time.time())  # what building took has passed in the world too
    tls = None
    if options.tls_certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_certificate)
    server = Server(
        world,
        options.port,
        tls,
        speed=options.speed,
        rebuild=lambda seed: _make_world(options, seed, tell=False),
    )
    await server.start()
    try:
        ready = endpoints(world, server.base_url)
        if options.ready_file is not None:
            options.ready_file.write_text(json.dumps(ready) + "\n")
        if options.print_endpoints:
            for name, value in ready.items():
                print(f"{name}: {value}", file=sys.stderr)
        _say(ready)
        await _until_told(options.exit_with_stdin)
    finally:
        await server.stop()
        gc.unfreeze()  # so that the end of the process frees everything in its order


async def _until_told(with_stdin: bool) -> None:
    """Wait for SIGINT, SIGTERM or, when asked, the end of stdin."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    reading: asyncio.Task[None] | None = None
    if with_stdin:

        async def wait_for_end() -> None:
            reader = asyncio.StreamReader()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            while await reader.read(4096):
                continue
            told.set()

        reading = asyncio.create_task(wait_for_end())
    await told.wait()
    if reading is not None:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop. Returns the process's exit code."""
    options = _arguments(argv)
    try:
        asyncio.run(_run(options))
    except ScenarioError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
