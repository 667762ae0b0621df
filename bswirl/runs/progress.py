"""How far a run is, written often enough to follow and seldom enough to cost nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

INTERVAL_SECONDS = 0.5


class ProgressMeter:
    """Turns many `update` calls into at most two rows a second, and one at the end.

    The rate is that of this attempt alone: units since the first update, by the time since then.
    """

    def __init__(
        self, write: Callable[[dict[str, Any]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._started: tuple[float, int] | None = None
        self._written_at = float("-inf")
        self._written: tuple[int, int, str] | None = None

    def update(self, done: int, total: int, unit: str = "") -> None:
        """Notes that `done` of `total` units are finished."""
        at = self._clock()
        if self._started is None:
            self._started = (at, done)
        standing = (done, total, unit)
        due = at - self._written_at >= INTERVAL_SECONDS or done >= total
        if due and standing != self._written:
            self._written, self._written_at = standing, at
            self._write(
                {"t": "progress", "done": done, "total": total, "unit": unit, "rate": self._rate(at, done)}
            )

    def _rate(self, at: float, done: int) -> float:
        assert self._started is not None  # noqa: S101 - set by update
        started_at, first = self._started
        elapsed = at - started_at
        return round((done - first) / elapsed, 6) if elapsed > 0 else 0.0
