"""The web server and the live clock: HTTP in, simulated time along with real time.

The only place of the simulator that reads a real clock. Loopback only.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Generator
from typing import Any

from aiohttp import web

from simulator.control import answer_control
from simulator.front_door import Answer, Incoming, answer_incoming
from simulator.network import HttpResponse
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.world import World

LOG = logging.getLogger(__name__)
LONGEST_NAP_SECONDS = 0.1
LARGEST_BODY_BYTES = 16 * 1024 * 1024
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})
_ERROR_BODY = b'{"error":{"code":"InternalServerError","message":"The simulator failed; its log says why."}}'


class Server:
    """Serves one world on 127.0.0.1.

    Args:
        port: 0 picks a free one.
        tls: a server context to speak https (the `az` command line wants it).
        driven: whether simulated time follows real time. Without a driver a request that must wait moves the clock
            itself.
        speed: simulated seconds per real second.
        rebuild: makes a fresh world from a seed, for the control door's reset.
    """

    def __init__(
        self,
        world: World,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        *,
        driven: bool = True,
        speed: float = 1.0,
        rebuild: Callable[[int], World] | None = None,
    ) -> None:
        self._world = world
        self._port = port
        self._tls = tls
        self._driven = driven
        self._speed = speed
        self._rebuild = rebuild
        self._runner: web.ServerRunner | None = None
        self._driver: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()
        self._started_real = time.monotonic()
        self._started_simulated = world.now
        self.base_url = ""
        self._prepare_world()

    # -- life ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen and, when driven, let the clock run."""
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._tls, backlog=1024)
        await site.start()
        self._runner = runner
        port = runner.addresses[0][1]
        self.base_url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        self._anchor()
        if self._driven:
            self._driver = asyncio.create_task(self._drive())

    async def stop(self) -> None:
        """Stop the clock and close every connection."""
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
            self._driver = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- time ------------------------------------------------------------------------------------------------

    @property
    def world(self) -> World:
        """The world in charge now."""
        return self._world

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._speed

    def _prepare_world(self) -> None:
        settings = arm_settings(self._world)
        if not self._driven:
            settings.polls_wait = True
            settings.retry_after_seconds = 0.01

    def _anchor(self) -> None:
        self._started_real = time.monotonic()
        self._started_simulated = self._world.now
        self._wake.set()

    def _catch_up(self) -> None:
        """Bring simulated time to where real time says it is."""
        if self._driven:
            self._world.advance_to(self._started_simulated + (time.monotonic() - self._started_real) * self._speed)

    def jump(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass at once."""
        self._catch_up()
        self._world.advance(seconds)
        self._anchor()

    def set_speed(self, speed: float) -> None:
        """Change how fast simulated time runs; 0 pauses it."""
        self._catch_up()
        self._speed = speed
        self._anchor()

    def rebuild(self, seed: int | None) -> None:
        """Replace the world.

        Raises:
            ValueError: the server was not told how to make one.
        """
        if self._rebuild is None:
            raise ValueError("this server cannot make a new world")
        self._world = self._rebuild(self._world.seed if seed is None else seed)
        self._prepare_world()
        for future in self._waiting:  # what still waited in the old world will never be answered by it
            if not future.done():
                future.set_result(None)
        self._anchor()

    async def _drive(self) -> None:
        while True:
            self._wake.clear()
            try:
                self._catch_up()
            except Exception:
                LOG.exception("a process of the world failed")
                self._world.note("a process of the world failed; see the log")
            nap = LONGEST_NAP_SECONDS
            due_at = self._world.next_event_at
            if due_at is not None and self._speed > 0:
                nap = min(nap, max(0.0, (due_at - self._world.now) / self._speed))
            if nap <= 0.001:
                await asyncio.sleep(nap)
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), nap)
            except TimeoutError:
                continue

    async def _sleep_until(self, at: float) -> None:
        """Wait until simulated time is `at`; at once when nobody drives."""
        if not self._driven:
            return
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._world.call_at(at, lambda: None if reached.done() else reached.set_result(None))
        await self._wait(reached)

    async def _wait(self, future: asyncio.Future[None]) -> None:
        """Wait for simulated time to bring something; a new world ends the wait as well."""
        self._waiting.add(future)
        self._wake.set()
        try:
            await future
        finally:
            self._waiting.discard(future)

    async def _run(self, process: Generator[float, None, Answer]) -> Answer:
        """Run a process of the world to its end while real time goes on."""
        if not self._driven:
            return self._world.run(process)
        outcome: list[tuple[Any, BaseException | None]] = []
        waiting: list[asyncio.Future[None]] = []

        def done(result: Any, error: BaseException | None) -> None:
            outcome.append((result, error))
            for future in waiting:
                if not future.done():
                    future.set_result(None)

        self._world.spawn(process, done)
        if not outcome:
            waiting.append(asyncio.get_running_loop().create_future())
            await self._wait(waiting[0])
        if not outcome:
            return Answer(HttpResponse(503), reset=True)
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    # -- requests --------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw_path, _, query = request.raw_path.partition("?")
        if "://" in raw_path[:8]:
            raw_path = "/" + raw_path.split("://", 1)[1].partition("/")[2]
        body = await _read_body(request) if request.body_exists else b""
        if body is None:
            return web.Response(status=413, text="The request is larger than the embedded Azure takes.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        incoming = Incoming(request.method, raw_path, query, headers, body, self._links_base(headers))
        try:
            if raw_path.startswith("/_control/") and "origin" in headers:
                return web.Response(status=403, text="The control door is closed to web pages.")
            if raw_path.startswith("/_control/"):
                answer = Answer(answer_control(self, incoming))
            else:
                self._catch_up()
                answer = await self._run(answer_incoming(self._world, incoming))
        except Exception:
            LOG.exception("%s %s failed", request.method, raw_path)
            answer = Answer(HttpResponse(500, {"content-type": "application/json"}, _ERROR_BODY))
        return await self._send(request, answer)

    def _links_base(self, headers: dict[str, str]) -> str:
        host = headers.get("host")
        if not host:
            return self.base_url
        name = host.rsplit(":", 1)[0]
        if name in ("127.0.0.1", "localhost"):
            return f"{'https' if self._tls else 'http'}://{host}"
        return f"https://{host}"

    async def _send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        response = answer.response
        if answer.reset:
            return await _hang_up(request)
        headers = {name: value for name, value in response.headers.items() if name.lower() not in _OWN_HEADERS}
        headers.setdefault("server", "genaigw-simulator")
        if response.chunks is not None and request.method != "HEAD":
            return await self._send_over_time(request, response, headers)
        if answer.cut_ratio < 1.0 and response.body:
            cut = web.StreamResponse(status=response.status, headers=headers)
            cut.content_length = len(response.body)
            await cut.prepare(request)
            await cut.write(response.body[: int(len(response.body) * answer.cut_ratio)])
            return await _hang_up(request)
        return web.Response(status=response.status, reason=response.reason or None, headers=headers, body=response.body)

    async def _send_over_time(
        self, request: web.BaseRequest, response: HttpResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        stream = web.StreamResponse(status=response.status, reason=response.reason or None, headers=headers)
        await stream.prepare(request)
        started = self._world.now
        try:
            for after_seconds, piece in response.chunks or ():
                await self._sleep_until(started + after_seconds)
                await stream.write(piece)
            await stream.write_eof()
        except ConnectionResetError:
            LOG.debug("the caller went away in the middle of a stream")
        return stream


async def _read_body(request: web.BaseRequest) -> bytes | None:
    """The whole body, None when it is larger than allowed (a template may have 4 MB)."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > LARGEST_BODY_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)


async def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """Break the connection without (more of) an answer."""
    transport = request.transport
    if transport is not None:
        await asyncio.sleep(0.01)  # let what was written leave the socket
        transport.abort()
    return web.Response(status=503)


def resolve_table(world: World, base_url: str) -> dict[str, str]:
    """Azure's host names and the base URLs that stand in for them: what a profile's `[resolve]` holds."""
    table = {
        "management.azure.com": base_url,
        "login.microsoftonline.com": f"{base_url}/hosts/login.microsoftonline.com",
        # A gateway that is not deployed yet will answer at a name nobody knows now.
        "*.azure-api.net": f"{base_url}/hosts/{{host}}",
    }
    for host in sorted(world.network.hosts):
        table[host] = f"{base_url}/hosts/{host}"
    for suffix in sorted(world.network.suffix_hosts):
        for region in _regions(world):
            table.setdefault(f"{region}{suffix}", f"{base_url}/hosts/{region}{suffix}")
    return table


def _regions(world: World) -> list[str]:
    def places(resource: Resource) -> str:
        return str(resource.body.get("location") or "").replace(" ", "").lower()

    kinds = ("Microsoft.ApiManagement/service", "Microsoft.CognitiveServices/accounts")
    return sorted({places(resource) for kind in kinds for resource in world.store.of_type(kind)} - {""})


async def serve(world: World, port: int = 0, tls: ssl.SSLContext | None = None, **options: Any) -> Server:
    """Start a server for `world`; the caller stops it."""
    server = Server(world, port, tls, **options)
    await server.start()
    return server
