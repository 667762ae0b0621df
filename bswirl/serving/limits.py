"""How many requests may be under way, how fast they go out, and when all of them wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

_START_SHARE = 0.75  # of its requests: what a run begins with
_SMALLEST_START = 8
_NEAR = 0.9
_BEYOND = 1.25
_LATER_GROWTH = 0.25  # of the window, in a round trip
_FIRST_PAUSE = 0.5  # seconds
_LONGEST_PAUSE = 60.0


class Window:
    """How many requests may be under way: doubles each round trip, halves when the server has too many.

    How many the server did take then is remembered: near that number the window grows by one a round trip,
    and beyond it by a quarter.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = float(min(most, max(_SMALLEST_START, int(most * _START_SHARE))))
        self._taken = float("inf")

    def grow(self) -> None:
        """One request was answered while all of the window was in use."""
        if self.size >= self.most:
            return
        if self.size < _NEAR * self._taken:
            more = 1.0
        elif self.size <= _BEYOND * self._taken:
            more = 1 / self.size
        else:  # it has more room than it had
            more = _LATER_GROWTH
        self.size = min(float(self.most), self.size + more)

    def shrink(self, others: int, *, again: bool = False) -> None:
        """The server had too many, with `others` under way beside the one that it refused.

        `again`: one more was refused of those that were out together.
        """
        if again:
            self._taken = max(self.size, min(self._taken, others))
        else:
            self.size = max(1.0, min(self.size / 2, others))
            self._taken = max(self.size, others)


class Bucket:
    """A rate a minute, held evenly: a second's worth may go at once. What is taken may leave it in debt."""

    def __init__(self, per_minute: float, now: float) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate)
        self._level = self._most
        self._at = now

    def ready_at(self, now: float) -> float:
        """When the next may go."""
        self._fill(now)
        return now if self._level >= 1 - 1e-9 else now + (1 - self._level) / self._rate

    def take(self, amount: float, now: float) -> None:
        """Takes an amount out; a negative one puts it back."""
        self._fill(now)
        self._level = min(self._most, self._level - amount)

    def _fill(self, now: float) -> None:
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now


class Gate:
    """Lets requests out one by one, in order, as window, rates and the pause that all share allow."""

    def __init__(
        self,
        most: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.window = Window(most)
        self.in_flight = 0
        self.paused_until = float("-inf")
        self._clock = clock
        self._requests = Bucket(requests_per_minute, clock()) if requests_per_minute else None
        self._tokens = Bucket(tokens_per_minute, clock()) if tokens_per_minute else None
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._epoch = 0  # how often the window shrank
        self._refusals = 0  # since the last answer, each at a smaller window
        self._closed: BaseException | None = None

    async def enter(self, tokens: float) -> int:
        """Waits for leave to send a request of about that many tokens; `leave` must follow.

        Returns the epoch, for `too_many`. Raises what the gate was closed with.
        """
        if self._closed is not None:
            raise self._closed
        if not self._waiting and self._is_open():
            self._take(tokens)
            return self._epoch
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((future, tokens))
        self._arm()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.leave()  # it was let out in the same moment
            raise
        return self._epoch

    def leave(self) -> None:
        """A request has ended."""
        self.in_flight -= 1
        self._let_out()

    def answered(self, tokens_off: float = 0.0) -> None:
        """The server keeps up. `tokens_off`: how many tokens more than was said on entering."""
        self._refusals = 0
        if self._tokens is not None and tokens_off:
            self._tokens.take(tokens_off, self._clock())
        if self._waiting or self.in_flight >= int(self.window.size):
            self.window.grow()

    def too_many(self, epoch: int, wait: float | None) -> float | None:
        """A request, before it leaves, was one too many. Returns the pause in seconds, if that brings one.

        `epoch` is that of the request which was told so: of those out together only the first counts.
        """
        self.window.shrink(self.in_flight - 1, again=epoch != self._epoch)
        if epoch != self._epoch:
            return self.pause(wait)
        self._epoch += 1
        self._refusals += 1
        if wait is None and self._refusals > 1:
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._refusals - 2))
            wait = random.uniform(longest / 2, longest)
        return self.pause(wait)

    def pause(self, seconds: float | None) -> float | None:
        """Lets nothing out for so long. None where that is already so."""
        if seconds is None or seconds <= 0:
            return None
        until = self._clock() + seconds
        if until <= self.paused_until:
            return None
        self.paused_until = until
        return seconds

    def close(self, reason: BaseException) -> None:
        """Whoever waits, and whoever comes, gets `reason` raised."""
        self._closed = reason
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(reason)

    def _is_open(self) -> bool:
        return self.in_flight < int(self.window.size) and self._opens_at() <= self._clock()

    def _opens_at(self) -> float:
        """When the pause is over and the rates allow one more."""
        now = self._clock()
        at = max(now, self.paused_until)
        for bucket in (self._requests, self._tokens):
            if bucket is not None:
                at = max(at, bucket.ready_at(now))
        return at

    def _take(self, tokens: float) -> None:
        self.in_flight += 1
        if self._requests is not None:
            self._requests.take(1, self._clock())
        if self._tokens is not None:
            self._tokens.take(tokens, self._clock())

    def _let_out(self) -> None:
        while self._waiting and self._is_open():
            future, tokens = self._waiting.popleft()
            if not future.done():
                self._take(tokens)
                future.set_result(None)
        self._arm()

    def _arm(self) -> None:
        """Where only time is in the way, comes back when it has passed."""
        if self._waiting and self._timer is None and self.in_flight < int(self.window.size):
            delay = max(0.0, self._opens_at() - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._let_out()
