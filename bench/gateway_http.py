"""How many chat completions a second the simulated gateway answers over HTTP. Target: 2,500.

The embedded Azure is a process of its own; this one is the client: keep-alive connections, each with one request under
way. The latency model is off and no deployment refuses; keys, pool, policy fragments, model calls, ground truth,
metrics and log rows are all at work, and the count is held against ground truth and logs afterwards. `busy` is the
simulator's CPU time over wall time: at 1.0 the figure is the process's own limit, below it the machine had other work.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 16
ROUNDS = 5
ROUND_SECONDS = 4.0
START_SECONDS = 60.0
BODY = json.dumps({"messages": [{"role": "user", "content": "x" * 400}], "max_tokens": 100}).encode()
PATH = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
ACCOUNTS = ("aoai-contoso-swc-ptu", "aoai-contoso-eus2-ptu", "aoai-contoso-swc", "aoai-contoso-wus")
SCENARIO = """
[scenario]
name = "gateway-load"
title = "Room for any load, and no callers but the benchmark"
story = "Every deployment is scaled so far that none refuses."

[traffic]
replace = true

[expect]
verdict = "ok"
callers_hurt = false
""" + "".join(
    f'\n[[event]]\nat = "-30s"\nkind = "deployment-capacity"\naccount = "{account}"\ncapacity = 100000000\n'
    for account in ACCOUNTS
)
TICKS = os.sysconf("SC_CLK_TCK")


class Simulator:
    """The embedded Azure as a child process. A context manager; it ends with its standard input."""

    def __init__(self, folder: Path) -> None:
        scenario = folder / "gateway-load.toml"
        scenario.write_text(SCENARIO)
        command = [
            sys.executable,
            "-m",
            "simulator",
            "--exit-with-stdin",
            "--history",
            "60s",
            "--scenario",
            str(scenario),
        ]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.ready: dict[str, Any] = {}
        for line in self._process.stdout:
            self.ready = json.loads(line)
            if "base_url" in self.ready:
                return
        raise SystemExit(f"the simulator ended with {self._process.wait()}")

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_seconds(self) -> float:
        """User and system time the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mebibytes(self) -> float:
        """The most memory it ever held."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise ValueError("the system does not tell a process's memory")

    def ask(self, method: str, url: str, body: object = None, **headers: str) -> Any:
        """One JSON request, its answer as plain data."""
        address = url if "://" in url else self.ready["base_url"] + url
        content = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
        request = urllib.request.Request(address, content, sent, method=method)
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            return json.load(answer)

    def token(self, resource: str) -> str:
        """A bearer token of the managed identity."""
        url = f"{self.ready['identity_endpoint']}?api-version=2019-08-01&resource={resource}"
        got = self.ask("GET", url, X_IDENTITY_HEADER=self.ready["identity_header"])
        return f"Bearer {got['access_token']}"

    def caller_key(self) -> str:
        """The subscription key of one application."""
        ready = self.ready
        url = (
            f"/subscriptions/{ready['subscription_id']}/resourceGroups/{ready['resource_group']}/providers/"
            f"Microsoft.ApiManagement/service/{ready['service_name']}/subscriptions/app-search/listSecrets"
        )
        token = self.token("https://management.azure.com")
        return str(self.ask("POST", f"{url}?api-version=2024-05-01", {}, authorization=token)["primaryKey"])


@dataclass(slots=True)
class Tally:
    """What the connections of one round have seen."""

    answered: int = 0
    refused: int = 0
    open: bool = True


class Connection(asyncio.Protocol):
    """One keep-alive connection: sends the same request again as soon as the answer is whole."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._missing = 0
        self._held = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._held += data
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._held.lower().find(b"content-length:", 0, end)
            if at < 0:
                raise ValueError(f"an answer without length: {self._held[:200]!r}")
            length = int(self._held[at + 15 : self._held.index(b"\r", at)])
            if self._held.startswith(b"HTTP/1.1 200 "):
                self._tally.answered += 1
            else:
                self._tally.refused += 1
            self._missing = length - (len(self._held) - end - 4)
            self._held = b""
        if self._missing == 0:
            if self._tally.open:
                self._transport.write(self._request)
            else:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(error)


async def load(base_url: str, request: bytes, seconds: float) -> Tally:
    """Keep every connection busy for some seconds; what was seen."""
    tally = Tally()
    where = urlsplit(base_url)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(request, tally), where.hostname or "", where.port or 80)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    tally.open = False
    await asyncio.wait_for(asyncio.gather(*(protocol.closed for _, protocol in made)), 10.0)
    return tally


def chat_request(simulator: Simulator) -> bytes:
    """The HTTP request as a client sends it."""
    where = urlsplit(simulator.ready["base_url"])
    gateway = next(host for host in simulator.ready["resolve"] if host.startswith("apim-"))
    lines = [
        f"POST /hosts/{gateway}{PATH} HTTP/1.1",
        f"Host: {where.netloc}",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        "User-Agent: genaigw-bench/1",
        f"api-key: {simulator.caller_key()}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + BODY


def logged_rows(simulator: Simulator) -> int:
    """How many gateway requests the workspace shows, once they have been taken in."""
    simulator.ask("POST", "/_control/advance", {"seconds": 120})
    host = simulator.ready["resolve"]["api.loganalytics.io"]
    url = f"{host}/v1/workspaces/{simulator.ready['workspace_id']}/query"
    token = simulator.token("https://api.loganalytics.io")
    body = {"query": "ApiManagementGatewayLogs | where ResponseCode == 200 | count"}
    return int(simulator.ask("POST", url, body, authorization=token)["tables"][0]["rows"][0][0])


def counted_requests(simulator: Simulator) -> int:
    """How many requests ground truth has."""
    return sum(row["requests"] for row in simulator.ask("GET", "/_control/truth")["gateway"])


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, Simulator(Path(folder)) as simulator:
        simulator.ask("POST", "/_control/models", {"latency_factor": 0})
        request = chat_request(simulator)
        base_url = simulator.ready["base_url"]
        answered = asyncio.run(load(base_url, request, 1.0)).answered
        rates, costs = [], []
        print(f"{CONNECTIONS} connections, {ROUNDS} rounds of {ROUND_SECONDS:g} s; CPU a request of server / client:")
        for _ in range(ROUNDS):
            server, client, began = simulator.cpu_seconds(), time.process_time(), time.perf_counter()
            tally = asyncio.run(load(base_url, request, ROUND_SECONDS))
            took = time.perf_counter() - began
            server, client = simulator.cpu_seconds() - server, time.process_time() - client
            if tally.refused or not tally.answered:
                raise SystemExit(f"{tally.refused} requests were refused, {tally.answered} answered")
            answered += tally.answered
            rates.append(tally.answered / took)
            costs.append(server / tally.answered)
            print(
                f"  {rates[-1]:6.0f}/s   busy {server / took:4.2f}   "
                f"{costs[-1] * 1e6:4.0f} µs / {client / tally.answered * 1e6:3.0f} µs"
            )
        told, logged = counted_requests(simulator), logged_rows(simulator)
        if not answered == told == logged:
            raise SystemExit(f"{answered} answered, {told} in ground truth, {logged} in the logs")
        print(
            f"chat completions a second over HTTP: best {max(rates):.0f}, median {sorted(rates)[ROUNDS // 2]:.0f}; "
            f"one CPU carries {1 / min(costs):.0f}"
        )
        print(f"{answered:,} answered, counted and logged; peak memory {simulator.peak_mebibytes():.0f} MiB")


if __name__ == "__main__":
    main()
