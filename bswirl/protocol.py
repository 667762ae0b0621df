"""How clients and the owner talk: one JSON object a line over a Unix stream socket.

A request is `{"id", "method", "params"}`; upload rows may go before it as `{"id", "rows"}`. Replies are
`{"id", "result"}` or `{"id", "error"}`, streamed ones preceded by `{"id", "rows"}`; events carry no id.
docs/formats.md describes the methods.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NoReturn

from bswirl.errors import ERROR_KINDS, BswirlError, error_kind

PROTOCOL_VERSION = 1
CHUNK_ROWS = 500
TOPICS = ("questions", "labels", "verdicts", "runs", "metrics")

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """One message as a line. Lone surrogates in text survive as JSON escapes."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


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
    """Messages over a connected stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")

    def send(self, message: Message) -> None:
        self._connection.sendall(encode(message))

    def receive(self) -> Message:
        """The next message. Raises ConnectionError at the end of the stream or on a torn line."""
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the other side closed the connection")
        return decode(line)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._connection.close()
