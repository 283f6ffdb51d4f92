"""The terminal is given back: whoever ends the console finds the shell as it was."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.screens.looking import console_on
from tests.screens.made_up import demo_snapshot

ROOT = Path(__file__).resolve().parents[2]
ENTER_ALTERNATE, LEAVE_ALTERNATE = b"\x1b[?1049h", b"\x1b[?1049l"
SCRIPT = "from screens.app import run_app; raise SystemExit(run_app())"
DEADLINE_SECONDS = 30.0


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    """What the terminal got, up to `wanted` or the end of what is written."""
    ends_at = time.monotonic() + DEADLINE_SECONDS
    got = b""
    while wanted not in got and time.monotonic() < ends_at:
        if not select.select([descriptor], [], [], 0.2)[0]:
            continue
        try:
            got += os.read(descriptor, 65536)
        except OSError:  # the other side is closed
            break
    return got


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(number: signal.Signals) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        drawn = _read_until(ours, b"genaigw")
        assert ENTER_ALTERNATE in drawn
        process.send_signal(number)
        assert LEAVE_ALTERNATE in _read_until(ours, LEAVE_ALTERNATE)
        _read_until(ours, b"nothing more: to the end")
        assert process.wait(DEADLINE_SECONDS) == 128 + number
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


async def test_ctrl_c_tells_the_key_that_leaves() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert [notification.message for notification in app._notifications] == ["q leaves"]
