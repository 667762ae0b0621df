"""How clients and the owner talk: one JSON object a line over a Unix stream socket.

A request is `{"id", "method", "params"}`; upload rows may go before it as `{"id", "rows"}`. Replies are
`{"id", "result"}` or `{"id", "error"}`, streamed ones preceded by `{"id", "rows"}`; events carry no id.
docs/protocol.md describes the methods.
"""

from __future__ import annotations

import dataclasses
import json
import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NoReturn

from bswirl.errors import ERROR_KINDS, BswirlError, error_kind

PROTOCOL_VERSION = 1
CHUNK_ROWS = 500

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """One message as a line. Lone surrogates in text survive as JSON escapes."""
    return encode_value(message) + b"\n"


def encode_value(value: Any) -> bytes:
    """A part of a message as JSON without line ends; records become objects."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, default=_record).encode()


def _record(value: Any) -> dict[str, Any]:
    """A record's fields, for the JSON encoder, which goes on inside them."""
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"a {type(value).__name__} has no place in a message")
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def decode(line: bytes) -> Message:
    """The message of a line. Raises ValueError or TypeError where it is not a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise TypeError("a message must be a JSON object")
    return message


def error_message(request_id: Any, error: BswirlError) -> Message:
    """An error as a reply."""
    return {
        "id": request_id,
        "error": {"kind": error_kind(error), "message": error.message, "remedy": error.remedy},
    }


def raise_error(error: dict[str, str]) -> NoReturn:
    """Raises the error that a reply carries, as the class it was."""
    raise ERROR_KINDS.get(error.get("kind", ""), BswirlError)(
        error.get("message", ""), error.get("remedy", "")
    )


def chunks(rows: Iterable[Any], size: int = CHUNK_ROWS) -> Iterator[list[Any]]:
    """`rows` in lists of at most `size`."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


class LineSocket:
    """Messages over a connected stream socket. One thread at a time receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that hold no line end

    def send(self, message: Message) -> None:
        self.send_bytes(encode(message))

    def send_bytes(self, lines: bytes) -> None:
        """Sends messages that are encoded already."""
        self._connection.sendall(lines)

    def receive(self) -> Message:
        """The next message. Raises ConnectionError at the end of the stream, ValueError on a broken line."""
        while (line := self._next_line()) is None:
            self._fill()
        return decode(line)

    def wait(self, seconds: float) -> bool:
        """Whether a whole message is there, waiting for it at most about `seconds`. Raises as `receive`."""
        if self._has_line():
            return True
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if poll.poll(seconds * 1000):
            self._fill()
        return self._has_line()

    def close(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _fill(self) -> None:
        data = self._connection.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        self._buffer += data

    def _has_line(self) -> bool:
        return self._line_end() >= 0

    def _line_end(self) -> int:
        end = self._buffer.find(b"\n", self._searched)
        self._searched = end if end >= 0 else len(self._buffer)
        return end

    def _next_line(self) -> bytes | None:
        end = self._line_end()
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line
