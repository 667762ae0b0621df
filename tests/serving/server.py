"""A real HTTP server on loopback that answers as told: well, badly, late, in halves, or not at all.

    with FaultServer(reply=lambda request: "Correct: yes", faults={3: status(429), 5: DROP}) as server:
        ... ServedModel(endpoint="test", url=server.url, model="m") ...
        assert server.paid() == Counter({...: 1})

It runs in a thread of the test. A call is *completed* once a whole reply that is no fault was handed to the
system: nobody should have to ask for it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    index: int  # of the chat requests, from 0; -1 for anything else
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    raw: bytes
    at: float  # time.monotonic()

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw or b"{}")
        return body

    @property
    def content(self) -> str:
        """What is asked, the same text for the same body."""
        return json.dumps(self.body, sort_keys=True)

    @property
    def prompt(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"])

    @property
    def n(self) -> int:
        return int(self.body.get("n") or 1)


@dataclass(frozen=True)
class Fault:
    """An answer that is not the usual one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None  # bytes of the body that are sent before the connection is closed
    delay: float = 0.0  # seconds before the first byte
    hangs: bool = False  # nothing is sent, and the connection stays open
    drops: bool = False  # nothing is sent, and the connection is closed
    is_reply: bool = False  # no fault at all


def status(code: int, message: str = "", /, headers: Mapping[str, str] | None = None, **error: Any) -> Fault:
    """An error as OpenAI-compatible servers send it."""
    body = {"error": {"message": message or f"scripted {code}", "type": "scripted", **error}}
    return Fault(code, json.dumps(body).encode(), headers or {})


def raw(body: bytes | str, code: int = 200) -> Fault:
    """Any body at all."""
    return Fault(code, body.encode() if isinstance(body, str) else body)


def redirect(url: str, code: int = 307) -> Fault:
    return Fault(code, b"", {"location": url})


HANG = Fault(hangs=True)
DROP = Fault(drops=True)
HALF = Fault(body=b'{"id": "x", "choices": [{"index": 0, "message": {"content": "half of th', sent=40)
INVALID_JSON = raw("<html>It works!</html>")
EMPTY_CHOICES = raw('{"id": "x", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}')


def completion(
    texts: Sequence[str],
    *,
    prompt_tokens: int = 10,
    completion_tokens: int | None = None,
    finish: str = "stop",
    logprobs: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """An OpenAI-shaped chat completion with these texts; `logprobs` one a choice."""
    choices: list[dict[str, Any]] = [
        {"index": index, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        for index, text in enumerate(texts)
    ]
    for choice, probs in zip(choices, logprobs or (), strict=False):
        choice["logprobs"] = probs
    if completion_tokens is None:
        completion_tokens = sum(max(1, len(text) // 4) for text in texts)
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


Answer = str | Sequence[str] | dict[str, Any] | Fault
Faults = Mapping[int, Fault] | Sequence[Fault | None] | Callable[[Request], Fault | None]


def echo(request: Request) -> str:
    """The usual reply: something that depends on the prompt alone."""
    return f"reply to: {request.prompt[-60:]}"


class FaultServer:
    """A context manager; `url` holds with the version in it. `faults` go by the index of the chat request.

    `reply` computes what is answered where no fault is scripted: a text (given `n` times), the texts of the
    choices, a whole body, or a Fault. It runs in the server's thread, one call at a time. Requests beyond
    `most_in_flight` are answered with 429. `port` makes it come back at an address that it had before.
    """

    def __init__(
        self,
        reply: Callable[[Request], Answer] = echo,
        faults: Faults = (),
        *,
        latency: float = 0.0,
        most_in_flight: int | None = None,
        models: Sequence[str] = ("served",),
        port: int = 0,
    ) -> None:
        self.reply = reply
        self.faults = faults
        self.latency = latency
        self.limit = most_in_flight
        self.models = models
        self.port = port
        self.requests: list[Request] = []
        self.completed: list[Request] = []  # answered as `reply` says, whole
        self.others: list[Request] = []  # whatever was not a chat request
        self.in_flight = 0
        self.most_seen = 0  # requests that were in flight at once
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def paid(self) -> Counter[str]:
        """How often each content was answered whole."""
        return Counter(request.content for request in self.completed)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        self._tasks: set[asyncio.Task[None] | None] = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in self._tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in self._tasks if task), return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        is_chat = path.endswith("/chat/completions")
        request = Request(
            len(self.requests) if is_chat else -1, method, path, headers, body, time.monotonic()
        )
        (self.requests if is_chat else self.others).append(request)
        self.in_flight += 1
        self.most_seen = max(self.most_seen, self.in_flight)
        try:
            return await self._answer(request, reader, writer)
        finally:
            self.in_flight -= 1

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        fault = self._choose(request)
        if fault.hangs:
            await reader.read(1)  # until the client gives up
            return False
        if fault.drops:
            return False
        if fault.delay or self.latency:
            await asyncio.sleep(fault.delay or self.latency)
        headers = {
            "content-type": "application/json",
            "content-length": str(len(fault.body)),
            **fault.headers,
        }
        lines = [
            f"HTTP/1.1 {fault.status} Scripted",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        whole = fault.sent is None
        if fault.is_reply and not reader.at_eof():
            self.completed.append(request)  # before it is sent: whoever has the reply finds it here
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + fault.body[: fault.sent])
        await writer.drain()
        return whole

    def _choose(self, request: Request) -> Fault:
        if request.index < 0:
            return self._models(request)
        if self.limit is not None and self.in_flight > self.limit:
            return status(429, "too many requests in flight")
        fault = self._scripted(request)
        if fault is not None:
            return fault
        answer = self.reply(request)
        if isinstance(answer, Fault):
            return answer
        if isinstance(answer, str):
            answer = [answer] * request.n
        if not isinstance(answer, dict):
            answer = completion(answer)
        return Fault(body=json.dumps(answer).encode(), is_reply=True)

    def _scripted(self, request: Request) -> Fault | None:
        if callable(self.faults):
            return self.faults(request)
        if isinstance(self.faults, Mapping):
            return self.faults.get(request.index)
        return self.faults[request.index] if request.index < len(self.faults) else None

    def _models(self, request: Request) -> Fault:
        if request.path.endswith("/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            return Fault(body=json.dumps(listed).encode())
        return status(404, f"no such path: {request.path}")
