"""One request and its answer, in time or not at all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import together

from bswirl.serving.calls import Call, ServedModel
from bswirl.serving.client import Client
from bswirl.serving.headers import asked_wait
from bswirl.serving.reading import MalformedError, Reading, read_reply
from bswirl.serving.setbacks import Setback, malformed, of_exception, of_status, timed_out


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that can be used. `wait`: seconds that the server asks to wait before the next."""

    reading: Reading
    latency: float
    wait: float | None


@dataclass(slots=True)
class _UnderWay:
    task: asyncio.Task[Any]
    deadline: float
    is_late: bool = False


class BrokenOffError(Exception):
    """The request was given up, because the run ends."""


class Sender:
    """Sends requests and reads what comes. One sweep now and then keeps the time for all of them."""

    def __init__(self, model: ServedModel, client: Client, key: str | None) -> None:
        self._model = model
        self._client = client
        self._key = key
        self._under_way: dict[int, _UnderWay] = {}  # by deadline, as all have the same time
        self._count = 0
        self._is_over = False

    async def send(self, call: Call, body: bytes, without: frozenset[str]) -> Answer | Setback:
        """Raises BrokenOffError where `break_off` came before the answer."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines of asyncio run in tasks
        started = time.monotonic()
        self._count = number = self._count + 1
        here = self._under_way[number] = _UnderWay(task, started + self._model.timeout)
        try:
            response = await self._client.ask(body)
        except asyncio.CancelledError:
            if not here.is_late or task.uncancel() > 0:
                raise
            if self._is_over:
                raise BrokenOffError from None
            return timed_out(self._model)
        except together.APIStatusError as error:
            refused = error.response
            return of_status(
                refused.status_code,
                refused.content,
                refused.headers.raw,
                call,
                self._model,
                without,
                self._key,
                time.time(),
            )
        except (together.TogetherError, OSError, ValueError) as error:
            return of_exception(error, self._model, self._key)
        finally:
            del self._under_way[number]
        latency = time.monotonic() - started
        try:
            reading = read_reply(response.content, call, len(body), self._key)
        except MalformedError as error:
            return malformed(str(error), error.tokens, self._key)
        return Answer(reading, latency, asked_wait(response.headers.raw, time.time()))

    def sweep(self) -> None:
        """Ends the requests whose time is over; call it now and then."""
        now = time.monotonic()
        for request in list(self._under_way.values()):
            if request.deadline > now:
                break
            self._cut(request)

    def break_off(self) -> None:
        """Ends all requests, these and those to come."""
        self._is_over = True
        for request in list(self._under_way.values()):
            self._cut(request)

    def _cut(self, request: _UnderWay) -> None:
        if not request.is_late:
            request.is_late = True
            request.task.cancel()
