"""Leaving at once when the terminal goes away: a dropped line must leave no process that spins."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from textual.app import App

EXIT_CODE = 128 + signal.SIGHUP
PATIENCE_SECONDS = 1.0


@contextlib.contextmanager
def leave_when_terminal_is_gone(app: App[Any]) -> Iterator[None]:
    """Ends `app` on SIGHUP, SIGTERM and when stdin is hung up.

    It gets a moment to leave by itself; a terminal that is gone can block it in a write, and then the process
    ends all the same. Nothing is lost: an acknowledged label is on disk, runs have their own process.
    """
    leaving = threading.Event()

    def leave() -> None:
        if not leaving.is_set():
            leaving.set()
            threading.Thread(target=_end, args=(app,), name="bswirl-hangup", daemon=True).start()

    def told(_signal: int, _frame: FrameType | None) -> None:
        leave()

    before = {number: signal.signal(number, told) for number in (signal.SIGHUP, signal.SIGTERM)}
    threading.Thread(target=_watch, args=(sys.stdin.fileno(), leave), daemon=True).start()
    try:
        yield
    finally:
        if leaving.is_set():
            _write_nowhere()
        leaving.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_nowhere() -> None:
    """Takes stdout and stderr off a terminal that may be gone, where Python's last flush would fail."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _watch(descriptor: int, leave: Callable[[], None]) -> None:
    """Sleeps until the other end of the terminal is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)  # a hang-up is reported without being asked for
    with contextlib.suppress(OSError):
        while not poll.poll():
            pass
        leave()


def _end(app: App[Any]) -> None:
    with contextlib.suppress(Exception):
        app.call_later(app.exit, EXIT_CODE)
    time.sleep(PATIENCE_SECONDS)
    os._exit(EXIT_CODE)
