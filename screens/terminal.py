"""Leaving when the terminal goes.

A closed window or a lost connection hangs up the terminal. Textual's writer then stops for ever and its reader
spins: a console would stay behind at full speed. This watch waits for the hang-up, at no cost, and ends the process
as the signal of that name would.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading

GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


def leave_with_terminal() -> threading.Thread | None:
    """Start the watch on standard input's terminal. None where there is no terminal, or no way to wait for one."""
    if sys.__stdin__ is None or not hasattr(select, "poll") or not hasattr(signal, "SIGHUP"):
        return None
    descriptor = sys.__stdin__.fileno()
    if not os.isatty(descriptor):
        return None
    watch = threading.Thread(target=_wait, args=(descriptor,), name="terminal watch", daemon=True)
    watch.start()
    return watch


def _wait(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # hang-ups and errors are reported without being asked for
    while not any(event & GONE for _, event in poll.poll()):
        continue
    os.kill(os.getpid(), signal.SIGHUP)
