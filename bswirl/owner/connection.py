"""Serving one connection: hello, then requests one after the other, replies, and events on demand."""

from __future__ import annotations

import json
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

import duckdb

from bswirl import __version__
from bswirl.errors import BswirlError, UsageError
from bswirl.owner.events import Hub, Subscriber
from bswirl.owner.methods_read import READING, STREAMS
from bswirl.owner.methods_write import UPLOADS, WRITING
from bswirl.owner.session import OwnerParts, Session
from bswirl.protocol import PROTOCOL_VERSION, encode, encode_value, error_message
from bswirl.store.database import Cursor
from bswirl.store.fields import Fields, RowError

LONGEST_LINE = 64 << 20
MEMORY_FOR_UPLOADS = 32 << 20  # bytes; longer ones go to a nameless file
PART_BYTES = 1 << 19  # of a streamed reply

_FULL_DISK = ("No space left", "Disk quota exceeded", "File too large")
_METHODS = {**READING, **WRITING}
_log = logging.getLogger(__name__)


class Owner(OwnerParts, Protocol):
    """What connections use of an owner."""

    hub: Hub

    def cursor(self) -> Cursor:
        """A cursor of one's own."""

    def request_stop(self) -> None:
        """Begins to end the owner."""


class _GoneError(Exception):
    """The other side takes nothing any more."""


class Connection:
    """One client. `serve` returns when it is gone."""

    def __init__(self, owner: Owner, raw: socket.socket, peer_uid: int) -> None:
        self._owner = owner
        self._socket = raw
        self._sending = threading.Lock()
        self._peer_uid = peer_uid
        self._session: Session | None = None
        self._subscriber: Subscriber | None = None
        self._upload: _Upload | None = None
        self.busy = False

    def serve(self) -> None:
        """Answers until the other side closes the connection or breaks the protocol."""
        try:
            with self._socket.makefile("rb") as lines:
                while (line := lines.readline(LONGEST_LINE + 1)).endswith(b"\n"):
                    self.busy = True
                    self._handle(line)
                    self.busy = False
                if len(line) > LONGEST_LINE:
                    words = f"a message is longer than {LONGEST_LINE >> 20} MB"
                    self._send(encode(error_message(None, UsageError(words, "send it in parts"))))
        except (OSError, _GoneError) as error:
            _log.debug("connection lost: %s", error)
        finally:
            self._end()

    def close(self) -> None:
        """Ends the connection from any thread, and the query it may be at."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self.busy and self._session is not None:
            self._session.cursor.interrupt()

    def _send(self, line: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(line)
        except OSError as error:
            raise _GoneError(str(error)) from error

    def _send_event(self, event: dict[str, Any]) -> None:
        with suppress(_GoneError):
            self._send(encode(event))

    def _end(self) -> None:
        self.busy = False
        if self._subscriber is not None:
            self._owner.hub.remove(self._subscriber)
        if self._upload is not None:
            self._upload.close()
        if self._session is not None:
            with suppress(duckdb.Error):
                self._session.cursor.close()
        self._socket.close()

    def _handle(self, line: bytes) -> None:
        """Answers one line, whatever it holds. Raises _GoneError alone."""
        request_id: Any = None
        try:
            message = _decode(line)
            request_id = message.get("id")
            if "rows" in message:
                self._take_part(request_id, line)
            else:
                self._answer(request_id, message)
        except _GoneError:
            raise
        except BswirlError as error:
            self._send(encode(error_message(request_id, error)))
        except RowError as error:
            problem = UsageError(f"the owner cannot use this request: {error}", "see docs/protocol.md")
            self._send(encode(error_message(request_id, problem)))
        except Exception as error:  # noqa: BLE001 - the connection lives on
            _log.exception("a request failed")
            self._send(encode(error_message(request_id, self._unexpected(error))))

    def _unexpected(self, error: Exception) -> BswirlError:
        if any(words in str(error) for words in _FULL_DISK):
            return BswirlError("the project's disk is full: nothing was stored", "free some space, try again")
        return BswirlError(
            f"the owner failed at this ({type(error).__name__})", f"see {self._owner.project.owner_log}"
        )

    def _answer(self, request_id: Any, message: dict[str, Any]) -> None:
        method, params = message.get("method"), Fields(message.get("params") or {}, "params")
        if method == "hello":
            self._reply(request_id, self._hello(params))
            return
        if self._session is None:
            raise UsageError("the first request must be `hello`", "see docs/protocol.md")
        if method in _METHODS:
            self._reply(request_id, _METHODS[method](self._session, params))
        elif method in STREAMS:
            self._stream(request_id, method, params)
        elif method in UPLOADS:
            with self._taken_upload(request_id) as upload:
                self._reply(request_id, UPLOADS[method](self._session, params, upload.rows()))
        elif method == "subscribe":
            self._reply(request_id, {"told": self._subscribe()})
        elif method == "ping":
            self._reply(request_id, {"pid": os.getpid(), "version": __version__})
        elif method == "stop":
            self._reply(request_id, {"stopping": True})
            self._owner.request_stop()
        else:
            raise UsageError(
                f"the owner knows no method `{method}`", "stop the old owner: `bswirl owner stop`"
            )

    def _reply(self, request_id: Any, result: Any) -> None:
        self._send(encode({"id": request_id, "result": result}))

    def _hello(self, params: Fields) -> dict[str, Any]:
        protocol = params.optional_integer("protocol")
        if protocol != PROTOCOL_VERSION:
            raise BswirlError(
                f"the running owner speaks protocol {PROTOCOL_VERSION} (bswirl {__version__}), this client"
                f" {protocol} (bswirl {params.optional_text('version')})",
                "stop the old owner with `bswirl owner stop`",
            )
        if self._session is None:
            auditor = params.optional_text("auditor") or ""
            self._session = Session(self._owner, self._owner.cursor(), self._peer_uid, auditor)
        return {
            "protocol": PROTOCOL_VERSION,
            "version": __version__,
            "pid": os.getpid(),
            "project": str(self._owner.project.root),
            "told": self._owner.hub.told(),
        }

    def _subscribe(self) -> dict[str, int]:
        if self._subscriber is not None:
            return self._owner.hub.told()
        self._subscriber = Subscriber(self._send_event)
        return self._owner.hub.add(self._subscriber)

    def _stream(self, request_id: Any, method: str, params: Fields) -> None:
        """Sends the rows in parts of about half a megabyte, then the result."""
        if self._session is None:
            return
        rows = STREAMS[method](self._session, params)
        head = b'{"id":' + encode_value(request_id) + b',"rows":['
        part: list[bytes] = []
        size = 0
        try:
            while True:
                try:
                    row = encode_value(next(rows))
                except StopIteration as stop:
                    if part:
                        self._send(head + b",".join(part) + b"]}\n")
                    self._reply(request_id, stop.value)
                    return
                part.append(row)
                size += len(row)
                if size >= PART_BYTES:
                    self._send(head + b",".join(part) + b"]}\n")
                    part, size = [], 0
        finally:
            rows.close()

    def _take_part(self, request_id: Any, line: bytes) -> None:
        if self._session is None:
            raise UsageError("the first request must be `hello`", "see docs/protocol.md")
        if self._upload is None or self._upload.request_id != request_id:
            if self._upload is not None:
                self._upload.close()
            self._upload = _Upload(request_id, str(self._owner.project.state_folder))
        self._upload.add(line)

    def _taken_upload(self, request_id: Any) -> _Upload:
        upload, self._upload = self._upload, None
        if upload is not None and upload.request_id == request_id:
            return upload
        if upload is not None:
            upload.close()
        return _Upload(request_id, str(self._owner.project.state_folder))


class _Upload:
    """The parts of an upload, kept until their request comes."""

    def __init__(self, request_id: Any, folder: str) -> None:
        self.request_id = request_id
        self._parts = tempfile.SpooledTemporaryFile(max_size=MEMORY_FOR_UPLOADS, dir=folder)  # noqa: SIM115

    def __enter__(self) -> _Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, line: bytes) -> None:
        self._parts.write(line)

    def rows(self) -> Iterator[Any]:
        """All rows of all parts. Raises RowError where a part holds no list."""
        self._parts.seek(0)
        for line in self._parts:
            rows = json.loads(line)["rows"]
            if not isinstance(rows, list):
                raise RowError("`rows` must be a list")
            yield from rows

    def close(self) -> None:
        self._parts.close()


def _decode(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RowError(f"not valid JSON: {error}") from error
    if not isinstance(message, dict):
        raise RowError("a message must be a JSON object")
    return message
