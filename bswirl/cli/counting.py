"""How far a command's own work is, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bswirl.cli.output import note
from bswirl.cli.waiting import QUIET_SECONDS, progress_bar, time_left

Told = Callable[[int, int], None]  # hears how much is done, and of how much

WINDOW_SECONDS = 60.0  # over which the pace is measured: what came before says little of a server's load now
SHOWN_SECONDS = 0.5  # between two changes of the bar


@contextmanager
def counted(what: str) -> Iterator[Told]:
    """Something to tell of progress; `what` is counted: `steps`. Nothing of it stays on a terminal."""
    if not sys.stderr.isatty():
        yield _Teller(what, QUIET_SECONDS, lambda words, _done, _total: note(words))
        return
    with progress_bar() as bar:
        task = bar.add_task("judging", total=None, state="")
        yield _Teller(
            what,
            SHOWN_SECONDS,
            lambda words, done, total: bar.update(task, completed=done, total=total, state=words),
        )


class _Teller:
    """Shows words at most every so many seconds."""

    def __init__(self, what: str, every: float, show: Callable[[str, int, int], None]) -> None:
        self._what = what
        self._every = every
        self._show = show
        self._said = time.monotonic()
        self._pace = Pace(self._said)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        left = self._pace.seconds_left(done, total, now)
        if now - self._said >= self._every:
            self._said = now
            words = f"{done}/{total} {self._what}"
            self._show(words if left is None else f"{words}, {time_left(left)}", done, total)


class Pace:
    """How fast work gets done, over the last minute."""

    def __init__(self, now: float) -> None:
        self._seen: deque[tuple[float, int]] = deque([(now, 0)])

    def seconds_left(self, done: int, total: int, now: float) -> float | None:
        """How long the rest takes at this pace; None where there is none yet."""
        if now - self._seen[-1][0] >= 1:
            self._seen.append((now, done))
        while len(self._seen) > 1 and now - self._seen[1][0] >= WINDOW_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        if now - since < 1 or done <= before:
            return None
        return (total - done) * (now - since) / (done - before)
