"""One connection to the owner: hello, requests, replies."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from typing import Any

from bswirl import __version__
from bswirl.client.start import reach_owner
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl.protocol import PROTOCOL_VERSION, LineSocket, Message, encode, raise_error

HELLO_SECONDS = 30.0


class Connection:
    """A connection that has said hello. Not thread-safe."""

    def __init__(self, project: Project, auditor: str, *, start: bool) -> None:
        """Raises BswirlError where no owner can be had or its protocol is another, OSError where it dies."""
        raw = reach_owner(project, start=start)
        self._lines = LineSocket(raw)
        self._numbers = itertools.count(1)
        try:
            raw.settimeout(HELLO_SECONDS)
            self.owner: dict[str, Any] = self.call(
                "hello", {"protocol": PROTOCOL_VERSION, "version": __version__, "auditor": auditor}
            )
            raw.settimeout(None)
        except TimeoutError as error:
            self.close()
            raise BswirlError(
                "the project's owner does not answer",
                f"see {project.owner_log}; `bswirl owner stop` ends it, the next command starts another",
            ) from error
        except BaseException:
            self.close()
            raise

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Sends a request and returns its result. Raises the error that the reply carries."""
        number = self.request(method, params)
        while True:
            reply = self.reply(number)
            if "rows" not in reply:
                return reply.get("result")

    def stream(self, method: str, params: dict[str, Any]) -> Generator[Any, None, Any]:
        """The rows of a streamed reply as they come; the generator returns the reply's result."""
        number = self.request(method, params)
        while "rows" in (reply := self.reply(number)):
            yield from reply["rows"]
        return reply.get("result")

    def upload(self, method: str, chunks: Iterator[bytes], params: dict[str, Any]) -> Any:
        """Sends rows (each chunk an encoded JSON list), then the request, and returns its result."""
        number = next(self._numbers)
        for chunk in chunks:
            self._lines.send_bytes(b'{"id":%d,"rows":%s}\n' % (number, chunk))
        self._lines.send({"id": number, "method": method, "params": params})
        while True:
            reply = self.reply(number)
            if "rows" not in reply:
                return reply.get("result")

    def request(self, method: str, params: dict[str, Any]) -> int:
        """Sends a request; returns its number."""
        number = next(self._numbers)
        self._lines.send_bytes(encode({"id": number, "method": method, "params": params}))
        return number

    def reply(self, number: int) -> Message:
        """The next reply to that request. Raises the error it carries, OSError where the owner is gone."""
        while True:
            message = self.receive()
            if message.get("id") == number:
                if "error" in message:
                    raise_error(message["error"])
                return message
            if "event" not in message:
                raise ConnectionError(f"a reply to nothing: {str(message)[:80]}")

    def receive(self) -> Message:
        """The next message of any sort. Raises ConnectionError where the owner is gone or talks nonsense."""
        try:
            return self._lines.receive()
        except (ValueError, TypeError) as error:
            raise ConnectionError(f"not a message: {error}") from error

    def wait(self, seconds: float) -> bool:
        """Whether a message is there within about `seconds`."""
        return self._lines.wait(seconds)

    def close(self) -> None:
        self._lines.close()
