"""What follows from a setback: ask again and when, give the call up, or end the run."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bswirl.serving.calls import Failure, RefusedError, ServedModel
from bswirl.serving.ending import Ending
from bswirl.serving.limits import Gate
from bswirl.serving.setbacks import Setback

_WORTH_SAYING = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is asked again."""

    attempts: int = 6  # requests for one call
    load_attempts: int = 40  # the same, of those that the server had no room for
    first_delay: float = 0.5  # seconds; the k-th wait is a random part of 2^k times that
    longest_delay: float = 30.0
    unreached: float = 10.0  # seconds for which nothing may listen at the address at first
    lost: float = 300.0  # the same, once it has answered
    hopeless: float = 900.0  # seconds without a single answer for which it may have no room
    refused: int = 8  # calls, the first ones and all of them, after which none is expected to work


@dataclass(slots=True)
class Effort:
    """What a call has taken so far; money and tokens are those of answers that could not be used."""

    attempts: int = 0
    tries: int = 0  # attempts that failed on their own
    loads: int = 0  # attempts that the server had no room for
    unreached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    uncertain: float = 0.0


class Persistence:
    """Decides for all calls to one server, by what happened to any of them."""

    def __init__(
        self,
        model: ServedModel,
        patience: Patience,
        gate: Gate,
        ending: Ending,
        log: Callable[[str], None],
        *,
        works: bool,
    ) -> None:
        """`works`: the server has answered before."""
        self._model = model
        self._patience = patience
        self._gate = gate
        self._ending = ending
        self._log = log
        self._said: set[str] = set()
        self._works = works
        self._answered_at = time.monotonic()
        self._unreached_since: float | None = None
        self._asking = 0
        self._refused: list[asyncio.Future[None]] = []  # calls that wait for a sign that any can work
        self._refusal = ""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around all attempts at one call."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            self._look_at_refused()

    def answered(self) -> None:
        """A call got its reply."""
        self._answered_at, self._unreached_since = time.monotonic(), None
        if not self._works:
            self._works = True
            self._look_at_refused()

    async def after(self, setback: Setback, effort: Effort) -> Failure | None:
        """A failure, or None, perhaps after a while, where the call is to be asked again.

        Raises RefusedError, here and for every other call, where no call has a chance.
        """
        if setback.then == "end":
            self._end(setback.message, setback.remedy)
        if setback.then == "fail":
            await self._fail(setback)
            return Failure(setback.kind, setback.message, effort.attempts)
        if setback.is_unreachable:
            await self._wait_for_server(setback, effort)
            return None
        self._unreached_since = None
        if setback.is_load:
            effort.loads += 1
            given_up = effort.loads >= self._patience.load_attempts
        else:
            effort.tries += 1
            given_up = effort.tries >= self._patience.attempts
        if given_up:
            words = f"{setback.message} (asked {effort.attempts} times)"
            return Failure(setback.kind, words, effort.attempts)
        if not setback.is_load:
            self._gate.pause(setback.wait)
            await self._sleep(effort.tries)
        return None

    def say_once(self, about: str, text: str) -> None:
        """A line in the log, the first time that it is about that."""
        if about not in self._said:
            self._said.add(about)
            self._log(text)

    def slow_down(self, setback: Setback, epoch: int) -> None:
        """The server had no room for a request, which has not left the gate yet.

        Raises RefusedError where it has had room for none for too long.
        """
        pause = self._gate.too_many(epoch, setback.wait)
        silent = time.monotonic() - self._answered_at
        if silent > self._patience.hopeless:
            words = f"the server has had no room for {silent / 60:.0f} minutes: {setback.message}"
            self._end(words, "resume the run later")
        if pause is not None and pause >= _WORTH_SAYING:
            self._log(f"all calls wait for {pause:.0f} seconds: {setback.message}")
        self.say_once(
            "load", f"the server has no room at times, and fewer calls go out then: {setback.message}"
        )

    async def _wait_for_server(self, setback: Setback, effort: Effort) -> None:
        now = time.monotonic()
        if self._unreached_since is None:
            self._unreached_since = now
        if now - self._unreached_since >= (self._patience.lost if self._works else self._patience.unreached):
            remedy = f"start the server, or correct `url` of [endpoints.{self._model.endpoint}]; then resume"
            self._end(setback.message, remedy)
        self.say_once("server", f"{setback.message}; asking again")
        effort.unreached += 1
        await self._sleep(min(effort.unreached, 4))

    async def _fail(self, setback: Setback) -> None:
        """A call that is refused before any worked waits for one that does."""
        if setback.kind != "refused":
            self._works = True  # the server understood what it was asked
        if self._works:
            self._look_at_refused()
            return
        future = asyncio.get_running_loop().create_future()
        self._refused.append(future)
        self._refusal = setback.message
        self._look_at_refused()
        await asyncio.wait([future, self._ending.future], return_when=asyncio.FIRST_COMPLETED)
        self._ending.check()

    def _look_at_refused(self) -> None:
        if not self._refused:
            return
        if self._works:
            while self._refused:
                future = self._refused.pop()
                if not future.done():
                    future.set_result(None)
        elif len(self._refused) >= min(self._patience.refused, self._asking):
            words = f"the server refuses every call: {self._refusal}"
            self._ending.end(RefusedError(words, "check the model and its settings in bswirl.toml"))

    def _end(self, message: str, remedy: str) -> None:
        """Raises RefusedError, here and for every other call."""
        self._ending.end(RefusedError(message, remedy))
        self._ending.check()

    async def _sleep(self, turn: int) -> None:
        """Full jitter: a random part of a wait that doubles."""
        longest = min(self._patience.longest_delay, self._patience.first_delay * 2**turn)
        await self._ending.sleep(random.uniform(0, longest))
