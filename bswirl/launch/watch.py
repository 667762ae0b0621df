"""Following a run that is under way: how it stands, and its log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bswirl.client import Client
from bswirl.records import LIVE_STATUSES, Run
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import lock_holder

_POLL_SECONDS = 0.5
_FIRST_POLL_SECONDS = 0.05
_START_SECONDS = 20.0
_BLOCK = 1 << 16


def watch_run(client: Client, run_id: int) -> Iterator[Run]:
    """The run now and whenever it changed, seen at most twice a second; the last one has ended.

    A run has ended once the owner has taken in everything its worker wrote.
    """
    pause = _FIRST_POLL_SECONDS
    seen: Run | None = None
    while True:
        run = client.run(run_id)
        if run != seen:
            seen = run
            yield run
        if run.status not in LIVE_STATUSES:
            return
        time.sleep(pause)
        pause = min(_POLL_SECONDS, pause * 1.5)


def wait_run(client: Client, run_id: int, on_progress: Callable[[Run], None] | None = None) -> Run:
    """Waits until the run has ended and returns it; `on_progress` gets it whenever it changed."""
    for run in watch_run(client, run_id):
        if on_progress is not None:
            on_progress(run)
    return run


def tail_log(run: Run, lines: int = 100, follow: bool = False) -> Iterator[str]:
    """The last lines of a run's log, without line ends; with `follow` also those to come till its end.

    Text is as the worker wrote it: make it safe before it is shown.
    """
    folder = RunFolder(Path(run.folder))
    alive = _Liveness(folder, expected=run.status in LIVE_STATUSES) if follow else None
    while not folder.log_file.exists():
        if alive is None or not alive():
            return
        time.sleep(_POLL_SECONDS)
    with folder.log_file.open("rb") as log:
        yield from _last_lines(log, lines)
        if alive is not None:
            yield from _new_lines(log, alive)


class _Liveness:
    """Whether a run's worker lives or is about to start."""

    def __init__(self, folder: RunFolder, *, expected: bool) -> None:
        self._folder = folder
        self._until = time.monotonic() + (_START_SECONDS if expected else 0.0)

    def __call__(self) -> bool:
        if lock_holder(self._folder.lock_file) is not None:
            self._until = 0.0  # it was seen alive: from now on a free lock means that it ended
            return True
        return time.monotonic() < self._until


def _last_lines(log: IO[bytes], count: int) -> Iterator[str]:
    """The last `count` whole lines; leaves the file at the end of the last one."""
    end = log.seek(0, 2)
    start, data = end, b""
    while start > 0 and data.count(b"\n") <= count:
        step = min(_BLOCK, start)
        start -= step
        log.seek(start)
        data = log.read(step) + data
    whole = data.rfind(b"\n") + 1
    log.seek(end - len(data) + whole)
    for line in deque(data[:whole].splitlines(), maxlen=count):
        yield line.decode("utf-8", "replace")


def _new_lines(log: IO[bytes], alive: Callable[[], bool]) -> Iterator[str]:
    rest = b""
    while True:
        living = alive()
        rest += log.read()
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
        if not living:
            if rest:
                yield rest.decode("utf-8", "replace")
            return
        time.sleep(_POLL_SECONDS / 2)
