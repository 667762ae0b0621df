"""Keeping the question statistics fresh: counted by whoever needs them, one at a time, beside the writer."""

from __future__ import annotations

import threading

from bswirl.owner.writer import WriterThread
from bswirl.store.database import Cursor
from bswirl.store.statistics import count_stale, put_counts


class Counting:
    """Counts stale questions on a cursor of its own, so that labels do not wait for it."""

    def __init__(self, cursor: Cursor, writer: WriterThread) -> None:
        self._cursor = cursor
        self._writer = writer
        self._lock = threading.Lock()

    def freshen(self) -> None:
        """Returns once the statistics cover everything that was committed before this call."""
        if not self._writer.has_stale_statistics:
            return
        with self._lock:
            if self._writer.has_stale_statistics:
                counts = count_stale(self._cursor)
                self._writer.write(lambda store: put_counts(store, counts))
