"""Calls that survive a broken connection and a dead owner."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from bswirl.client.connection import Connection
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl.protocol import CHUNK_ROWS, Message

_ATTEMPTS = 4
_EVENT_POLL_SECONDS = 0.25
_RETRY_SECONDS = 2.0
_SPOOL_BYTES = 8 << 20
_PART_BYTES = 4 << 20

T = TypeVar("T")


class Session:
    """Calls to a project's owner over one connection, from any thread, one at a time.

    A call whose connection breaks is repeated on a new one, and a dead owner is started again: every method
    may be repeated without harm. `auditor` is the name under which labels are set.
    """

    def __init__(self, project: Project, auditor: str, *, start: bool = True) -> None:
        self.project = project
        self.auditor = auditor
        self._start = start
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connects now rather than at the first call. Raises BswirlError where no owner can be had."""
        self._perform(lambda connection: connection)

    def close(self) -> None:
        """Ends the connection; a later call makes a new one."""
        with self._lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    @property
    def owner(self) -> dict[str, Any]:
        """What the owner said of itself at hello: protocol, version, pid, project."""
        return self._perform(lambda connection: connection.owner)

    def call(self, method: str, **params: Any) -> Any:
        """The result of a request. Raises the error that the owner answers with."""
        return self._perform(lambda connection: connection.call(method, params))

    def stream(self, method: str, **params: Any) -> Generator[Any, None, Any]:
        """The rows of a long reply, over a connection of its own; the generator returns the reply's result.

        Closing it ends the request. Raises BswirlError where the connection breaks between two rows.
        """
        for attempt in range(_ATTEMPTS):
            begun = False
            try:
                with closing(self._connect()) as connection:
                    rows = connection.stream(method, params)
                    while True:
                        try:
                            row = next(rows)
                        except StopIteration as end:
                            return end.value
                        begun = True
                        yield row
            except OSError as error:
                if begun:
                    raise BswirlError(
                        f"the owner went away during `{method}`", "run the command again"
                    ) from error
                self._before_retry(attempt, error)
        raise AssertionError("unreachable")

    def upload(self, method: str, rows: Iterable[Any], **params: Any) -> Any:
        """The result of a request with rows sent ahead of it; they are spooled so that it can be repeated."""
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            for part in _parts(rows):
                spool.write(part + b"\n")
            return self._perform(lambda connection: connection.upload(method, _lines(spool), params))

    def events(self, stop: threading.Event) -> Iterator[Message]:
        """The owner's events until `stop` is set, over a connection of its own.

        `{"event": "connected", "pid", "told"}` comes first and after every reconnection: what was known
        before may be out of date; `told` is as at hello. `{"event": "disconnected", "message": words}` comes
        when the owner goes away.
        """
        known_lost = False
        while not stop.is_set():
            try:
                connection = self._connect()
            except (BswirlError, OSError) as error:
                if not known_lost:
                    known_lost = True
                    yield {"event": "disconnected", "message": str(error)}
                stop.wait(_RETRY_SECONDS)
                continue
            known_lost = False
            try:
                begun = connection.call("subscribe", {})
                yield {"event": "connected", "pid": connection.owner["pid"], "told": begun.get("told", {})}
                while not stop.is_set():
                    if connection.wait(_EVENT_POLL_SECONDS):
                        message = connection.receive()
                        if "event" in message:
                            yield message
            except OSError as error:
                known_lost = True
                yield {"event": "disconnected", "message": f"the owner went away: {error}"}
            finally:
                connection.close()

    def _perform(self, work: Callable[[Connection], T]) -> T:
        with self._lock:
            for attempt in range(_ATTEMPTS):
                try:
                    if self._connection is None:
                        self._connection = self._connect()
                    return work(self._connection)
                except BswirlError:
                    raise  # a whole reply: the connection is in order
                except OSError as error:
                    self.close()
                    self._before_retry(attempt, error)
                except BaseException:
                    self.close()  # a reply may still be on its way
                    raise
        raise AssertionError("unreachable")

    def _connect(self) -> Connection:
        return Connection(self.project, self.auditor, start=self._start)

    def _before_retry(self, attempt: int, error: OSError) -> None:
        if attempt + 1 == _ATTEMPTS:
            raise BswirlError(
                f"the project's owner keeps going away: {error}", f"see {self.project.owner_log}"
            ) from error
        time.sleep(0.05 * 4**attempt)


def _parts(rows: Iterable[Any]) -> Iterator[bytes]:
    """Rows as encoded JSON lists of a bounded size."""
    part: list[bytes] = []
    size = 0
    for row in rows:
        encoded = json.dumps(row, separators=(",", ":")).encode()
        part.append(encoded)
        size += len(encoded)
        if len(part) >= CHUNK_ROWS or size >= _PART_BYTES:
            yield b"[" + b",".join(part) + b"]"
            part, size = [], 0
    if part:
        yield b"[" + b",".join(part) + b"]"


def _lines(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    for line in spool:
        yield line.rstrip(b"\n")
