"""A server on loopback that answers judge calls after a fixed time, as a process of its own.

`python -m bswirl.bench.calls_server LATENCY IN_FLIGHT` prints its port, serves until its stdin is closed, and
then prints one JSON object with what it saw. It reads no more of a request than its length, to be fast.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass

_REPLY = (
    "The step takes the number of boxes from the question and the number in each from the step before. "
    "24 * 15 is done again: 20 * 15 = 300 and 4 * 15 = 60, together 360, as the step says. The product was "
    "not there before, and what is asked for is found from it.\nCorrect: yes\nProgress: yes"
)
_LENGTH = b"content-length:"
_END = b"\r\n\r\n"


@dataclass(slots=True)
class Seen:
    """What the server saw."""

    answered: int = 0
    refused: int = 0
    in_flight: int = 0
    most_in_flight: int = 0


def _response(status: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


_ANSWER = _response(
    "200 OK",
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "judge",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _REPLY}}
        ],
        "usage": {"prompt_tokens": 1900, "completion_tokens": 90, "total_tokens": 1990},
    },
)
_REFUSAL = _response("429 Too Many Requests", {"error": {"message": "too many requests in flight"}})


class Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, latency: float, allowed: int, seen: Seen) -> None:
        self._latency = latency
        self._allowed = allowed
        self._seen = seen
        self._parts: list[bytes] = []
        self._missing = -1  # bytes of the body; unknown before the head is whole
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._missing >= 0:
            self._missing -= len(data)
        else:
            self._parts.append(data)
            whole = b"".join(self._parts)
            end = whole.find(_END)
            if end < 0:
                return
            head = whole[:end].lower()
            at = head.find(_LENGTH)
            length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._missing = length - (len(whole) - end - len(_END))
        if self._missing <= 0:
            self._parts, self._missing = [], -1
            self._take()

    def _take(self) -> None:
        seen = self._seen
        if seen.in_flight >= self._allowed:
            seen.refused += 1
            self._write(_REFUSAL)
            return
        seen.in_flight += 1
        seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
        self._loop.call_later(self._latency, self._answer)

    def _answer(self) -> None:
        self._seen.in_flight -= 1
        self._seen.answered += 1
        self._write(_ANSWER)

    def _write(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)


async def serve(latency: float, allowed: int) -> Seen:
    """Serves until stdin is closed."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(latency, allowed, seen), "127.0.0.1", 0, backlog=4096
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    return seen


if __name__ == "__main__":
    found = asyncio.run(serve(float(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
