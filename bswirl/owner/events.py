"""Telling those who look on what changed, joined so that nobody is flooded and a slow one holds nobody up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bswirl.store.writing import Changes

INTERVAL_SECONDS = 0.1


class Subscriber:
    """One connection that wants events; a thread of its own sends them."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._condition = threading.Condition()
        self._pending = Changes()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="events", daemon=True)
        self._thread.start()

    def add(self, changes: Changes) -> None:
        """Notes changes to be sent; returns at once."""
        with self._condition:
            self._pending.merge(changes)
            self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()

    def _loop(self) -> None:
        with suppress(OSError):
            while (changes := self._next()) is not None:
                self._send(_event(changes))
                with self._condition:
                    self._condition.wait_for(lambda: self._closed, INTERVAL_SECONDS)

    def _next(self) -> Changes | None:
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._pending.topics)
            if self._closed:
                return None
            taken, self._pending = self._pending, Changes()
            return taken


class Hub:
    """All subscribers of an owner."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._told: Counter[str] = Counter()

    def told(self) -> dict[str, int]:
        """How often each topic changed since the owner began: by it a client sees what it missed."""
        with self._lock:
            return dict(self._told)

    def add(self, subscriber: Subscriber) -> dict[str, int]:
        """Tells it from now on what changes; returns how often each topic did before."""
        with self._lock:
            self._subscribers.append(subscriber)
            return dict(self._told)

    def remove(self, subscriber: Subscriber) -> None:
        subscriber.close()
        with self._lock, suppress(ValueError):
            self._subscribers.remove(subscriber)

    def publish(self, changes: Changes) -> None:
        """Passes on what a transaction changed."""
        if not changes.topics:
            return
        with self._lock:
            self._told.update(changes.topics)
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.add(changes)


def _event(changes: Changes) -> dict[str, Any]:
    return {
        "event": "changed",
        "topics": sorted(changes.topics),
        "questions": None if changes.questions is None else sorted(changes.questions),
        "runs": None if changes.runs is None else sorted(changes.runs),
    }
