"""The one thread that writes: what people wait for goes first and is committed together."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bswirl.errors import BswirlError
from bswirl.store.database import FATAL_ERRORS
from bswirl.store.writing import Changes, StoreWriter

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    work: Callable[[StoreWriter], Any]
    future: Future[Any] = field(default_factory=Future)


class WriterThread:
    """Runs functions that write. `publish` hears of every commit; `on_fatal` of a store that broke."""

    def __init__(
        self, store: StoreWriter, publish: Callable[[Changes], None], on_fatal: Callable[[str], None]
    ) -> None:
        self._store = store
        self._publish = publish
        self._on_fatal = on_fatal
        self._condition = threading.Condition()
        self._urgent: deque[_Job] = deque()
        self._bulk: deque[_Job] = deque()
        self._stopping = False
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)

    @property
    def has_stale_statistics(self) -> bool:
        """Whether some question changed since it was counted."""
        return self._store.has_stale_statistics

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finishes what is queued and ends."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join()

    def write(self, work: Callable[[StoreWriter], T]) -> T:
        """Runs `work` soon, in a transaction that others may share; returns its result once it is durable.

        `work` may run twice: when another one's failure takes the transaction down, each is run alone.
        """
        return self._wait(self._urgent, work)

    def write_bulk(self, work: Callable[[StoreWriter], T]) -> T:
        """Runs `work` outside any transaction (it opens its own), behind everything urgent."""
        return self._wait(self._bulk, work)

    def _wait(self, queue: deque[_Job], work: Callable[[StoreWriter], T]) -> T:
        job = _Job(work)
        with self._condition:
            if self._broken or self._stopping:
                raise BswirlError(self._broken or "the owner is ending", "try again")
            queue.append(job)
            self._condition.notify()
        result: T = job.future.result()
        return result

    def _loop(self) -> None:
        while (taken := self._next()) is not None:
            self._run(*taken)

    def _next(self) -> tuple[list[_Job], bool] | None:
        """What to do next, and whether in one transaction; None at the end."""
        with self._condition:
            while True:
                if self._urgent:
                    jobs = list(self._urgent)
                    self._urgent.clear()
                    return jobs, True
                if self._bulk:
                    return [self._bulk.popleft()], False
                if self._stopping:
                    return None
                self._condition.wait()

    def _run(self, jobs: list[_Job], together: bool) -> None:
        try:
            if together:
                with self._store.transaction():
                    results = [job.work(self._store) for job in jobs]
            else:
                results = [job.work(self._store) for job in jobs]
        except FATAL_ERRORS as error:
            self._break(jobs, error)
        except Exception as error:  # noqa: BLE001 - whoever waits for the job gets it
            if len(jobs) > 1:
                for job in jobs:
                    self._run([job], together)
            else:
                self._publish(self._store.take_changes())
                jobs[0].future.set_exception(error)
        else:
            self._publish(self._store.take_changes())
            for job, result in zip(jobs, results, strict=True):
                job.future.set_result(result)

    def _break(self, jobs: list[_Job], error: Exception) -> None:
        """The store can no longer be used: everyone who waits is told, and the owner ends."""
        _log.critical("the store failed", exc_info=error)
        reason = f"the store failed: {str(error).splitlines()[0]}"
        with self._condition:
            self._broken = reason
            waiting = [*jobs, *self._urgent, *self._bulk]
            self._urgent.clear()
            self._bulk.clear()
        for job in waiting:
            job.future.set_exception(BswirlError(reason, "check the disk's free space, then try again"))
        self._on_fatal(reason)
