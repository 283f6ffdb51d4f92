"""A console as a real process, and a door before the embedded Azure that ends it after the write one chooses."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web

from console.profile import write_profile
from simulator.__main__ import endpoints
from simulator.embedded import build_world
from simulator.server import Server

ROOT = Path(__file__).resolve().parents[2]
CHILD_DEADLINE_SECONDS = 60.0


class LaterClock:
    """Two minutes from now: what another console left behind is no longer fresh."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC) + timedelta(minutes=2)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(slots=True)
class Door:
    """Forwards everything to Azure and counts the writes; behind write `kill_after` it kills the console."""

    target: str
    kill_after: int | None = None
    writes: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    was_killed: bool = False
    _client: aiohttp.ClientSession | None = None

    async def forward(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._client is not None
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("content-length", "connection")}
        async with self._client.request(
            request.method, self.target + request.raw_path, data=body, headers=headers, allow_redirects=False
        ) as answer:
            content = await answer.read()
            kept = {k: v for k, v in answer.headers.items() if k.lower() in _KEPT}
            status = answer.status
        if request.method in ("PUT", "DELETE", "PATCH"):
            self.writes.append(f"{request.method} {request.raw_path.rpartition('/service/')[2].partition('?')[0]}")
            if len(self.writes) == self.kill_after and self.process is not None:
                os.kill(self.process.pid, signal.SIGKILL)
                await self.process.wait()
                self.was_killed = True
        return web.Response(status=status, body=content, headers=kept)


_KEPT = (
    *("content-type", "etag", "location", "azure-asyncoperation", "retry-after", "server", "x-ms-request-id"),
    "x-ms-ratelimit-remaining-subscription-reads",
)


@dataclass(slots=True)
class Azure:
    """A served world, the door before it and a folder with the console's profile."""

    server: Server
    door: Door
    folder: Path

    async def console(self, *arguments: str, kill_after: int | None = None, owner: str = "ana@contoso") -> int:
        """Run the command line as a process of its own. Returns its exit code; -9 when it was killed."""
        self.door.kill_after, self.door.was_killed = kill_after, False
        self.door.writes.clear()
        environment = {
            **os.environ,
            "GENAIGW_OWNER": owner,
            "GENAIGW_JOURNAL": str(self.folder / "journal.jsonl"),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from console.cli import main; main()",
            "--profile-file",
            str(self.folder / "profiles.toml"),
            *arguments,
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=(self.folder / "stderr.txt").open("wb"),
        )
        self.door.process = process
        try:
            return await asyncio.wait_for(process.wait(), CHILD_DEADLINE_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def azure_with_a_door(folder: Path) -> AsyncIterator[Azure]:
    """A demonstration gateway without callers, on the machine's own time, reached only through the door."""
    world = build_world("calm", now=time.time(), history_seconds=0.0, traffic=False)
    async with Server(world, driven=False) as server, aiohttp.ClientSession(auto_decompress=False) as client:
        door = Door(server.base_url, _client=client)
        runner = web.ServerRunner(web.Server(door.forward, access_log=None), shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            ready = endpoints(world, server.base_url)
            resolve = dict(ready["resolve"])
            resolve["management.azure.com"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            values = {
                **{key: ready[key] for key in ("subscription_id", "resource_group", "service_name", "workspace_id")},
                "credential": "managed-identity",
                "identity_endpoint": ready["identity_endpoint"],
                "identity_header": ready["identity_header"],
                "resolve": resolve,
            }
            write_profile(folder / "profiles.toml", "simulated", values, make_default=True)
            yield Azure(server, door, folder)
        finally:
            await runner.cleanup()
