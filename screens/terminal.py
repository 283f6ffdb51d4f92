"""Leaving when the terminal goes, and leaving it as it was when told to.

A closed window or a lost connection hangs up the terminal. Textual's writer then stops for ever and its reader
spins: a console would stay behind at full speed. This watch waits for the hang-up, at no cost, and ends the process
at once with the exit code of that signal. A signal that comes while the terminal stands ends the app in order, so that
its driver gives the terminal back.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

SIGNALLED = 128
"""A shell's exit code for a process that a signal ended is this and the signal's number."""
LEAVING_SIGNALS = ("SIGTERM", "SIGHUP")
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
    # Not by way of the event loop: it may be stuck writing to the terminal that is gone.
    os._exit(SIGNALLED + signal.SIGHUP)


def leave_on_signals(app: App[Any]) -> None:
    """End the app in order when it is told to terminate. For the running event loop of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for name in LEAVING_SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, _leave, app, int(number))
        except NotImplementedError:  # an event loop without signals: the system's own way of ending holds
            return


def _leave(app: App[Any], number: int) -> None:
    app.exit(return_code=SIGNALLED + number)
