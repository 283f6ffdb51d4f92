"""The embedded Azure as a child process: started, waited for with progress, stopped by its own handle.

It is told to end when its standard input closes, so that it never outlives the console, however that ends.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import msgspec

from console.clock import Clock, SystemClock
from console.errors import ConsoleError, DeadlineExceeded, UsageError

START_DEADLINE_SECONDS = 90.0
STOP_DEADLINE_SECONDS = 5.0
NO_GATEWAY_YET = "apim-not-deployed-yet"
"""A profile names a gateway; a world that has none yet gets this name."""


class ReadyLine(msgspec.Struct):
    """What the simulator says of itself when it is ready. `service_name` None: the world has no gateway yet."""

    base_url: str
    subscription_id: str
    resource_group: str
    service_name: str | None
    resolve: dict[str, str]
    identity_endpoint: str
    identity_header: str
    tenant_id: str = ""
    workspace_id: str | None = None
    control: str = ""


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """What to simulate. None and "" leave the simulator's own choice."""

    scenario: str = ""
    seed: int | None = None
    history: str = ""
    lag: str = ""
    port: int | None = None
    tls_certificate: Path | None = None

    def arguments(self) -> list[str]:
        """As command line arguments."""
        given = {
            "--scenario": self.scenario,
            "--seed": "" if self.seed is None else str(self.seed),
            "--history": self.history,
            "--lag": self.lag,
            "--port": "" if self.port is None else str(self.port),
            "--tls-certificate": "" if self.tls_certificate is None else str(self.tls_certificate),
        }
        return [part for name, value in given.items() if value for part in (name, value)]


class SimulatorProcess:
    """A running embedded Azure. A context manager: leaving it stops the process."""

    def __init__(self, options: SimulatorOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def start(self, on_progress: Callable[[float], None] = lambda share: None) -> ReadyLine:
        """Start and wait until it is ready. `on_progress` gets the share of the history that is done, 0 to 1.

        Raises:
            UsageError: it refuses its options.
            ConsoleError: it ended before it was ready.
            DeadlineExceeded: it is not ready in time.
        """
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (read after the process ended)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--exit-with-stdin", *self._options.arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process,), name="simulator output", daemon=True).start()
        deadline = self._clock.monotonic() + START_DEADLINE_SECONDS
        while True:
            left = deadline - self._clock.monotonic()
            try:
                line = self._lines.get(timeout=max(0.0, left))
            except queue.Empty:
                self.stop()
                raise DeadlineExceeded(
                    f"The embedded Azure is not ready after {START_DEADLINE_SECONDS:.0f} s",
                    remedy="Try a shorter --history.",
                ) from None
            if line is None:
                raise self._ended()
            message = _decode(line)
            if "progress" in message:
                on_progress(float(message["progress"]))
            elif "base_url" in message:
                return msgspec.convert(message, ReadyLine)

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Hand lines over until the output ends; keeps reading after the ready line, so that the pipe never fills."""
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _ended(self) -> ConsoleError:
        assert self._process is not None
        assert self._errors is not None
        code = self._process.wait(timeout=STOP_DEADLINE_SECONDS)
        self._errors.seek(0)
        said = [line.strip() for line in self._errors.read().splitlines() if line.strip()]
        reason = _reason(said) or f"exit code {code}"
        self.stop()
        if code == 2:
            return UsageError(
                f"The embedded Azure refuses its options: {reason}", remedy="See `genaigw-console simulate --help`."
            )
        return ConsoleError(
            f"The embedded Azure ended before it was ready: {reason}", remedy="Try another --port or --scenario."
        )

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to end, then make it. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=STOP_DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=STOP_DEADLINE_SECONDS)
        errors, self._errors = self._errors, None
        if errors is not None:
            errors.close()

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _reason(said: list[str]) -> str:
    """What the process said was wrong; its last line when it did not say it in its own words."""
    for line in reversed(said):
        for mark in ("simulator: ", "__main__.py: error: "):
            if line.startswith(mark):
                return line.removeprefix(mark)
    return said[-1] if said else ""


def _decode(line: str) -> dict[str, Any]:
    """A line of JSON; anything else it prints is passed over."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def profile_values(ready: ReadyLine) -> dict[str, Any]:
    """The profile table that leads a console to this embedded Azure."""
    values: dict[str, Any] = {
        "subscription_id": ready.subscription_id,
        "resource_group": ready.resource_group,
        "service_name": ready.service_name or NO_GATEWAY_YET,
        "credential": "managed-identity",
        "identity_endpoint": ready.identity_endpoint,
        "identity_header": ready.identity_header,
        "resolve": dict(sorted(ready.resolve.items())),
    }
    if ready.tenant_id:
        values["tenant_id"] = ready.tenant_id
    if ready.workspace_id:
        values["workspace_id"] = ready.workspace_id
    return values
