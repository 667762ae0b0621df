"""A run's cost limit: money is set aside for a request before it goes out, by the most that it can cost."""

from __future__ import annotations

import asyncio
from collections import deque

from bswirl.serving.calls import CostLimitError
from bswirl.serving.ledger import Spending


class Budget:
    """Never lets what is spent and what is set aside exceed the limit together; there may be none.

    Spent is what the ledger says; requests that broke off and may be charged count at their worst.
    """

    def __init__(self, limit: float | None, spending: Spending) -> None:
        self._limit = limit
        self._spending = spending
        self._aside = 0.0
        self._unwritten = 0.0  # spent, and not in the ledger yet
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed: BaseException | None = None

    async def set_aside(self, amount: float, what: str = "one more call") -> None:
        """Waits until the amount fits. Raises CostLimitError where it does not with nothing under way."""
        if self._limit is None:
            return
        while self.spent + self._aside + amount > self._limit + 1e-12:
            if self._closed is not None:
                raise self._closed
            if self._aside <= 0:
                raise CostLimitError(
                    f"the run has cost ${self.spent:.4f}, and {what} could take it past "
                    f"its limit of ${self._limit:g}",
                    "what is done is kept; a new run with a higher limit can do the rest",
                )
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self._aside += amount

    def take(self, amount: float) -> None:
        """Sets aside, fitting or not, what an earlier attempt at the run has sent off."""
        if self._limit is not None:
            self._aside += amount

    def give_back(self, amount: float) -> None:
        """The request has landed, and what it cost has been said."""
        if self._limit is None:
            return
        self._aside -= amount
        if self._aside < 1e-12:  # what sums of floats leave over
            self._aside = 0.0
        self._wake()

    def note_unwritten(self, amount: float) -> None:
        """Money was spent on a call that is not over; a negative amount says that the ledger has it now."""
        self._unwritten += amount

    def close(self, reason: BaseException) -> None:
        """Whoever waits gets `reason` raised."""
        self._closed = reason
        self._wake()

    @property
    def spent(self) -> float:
        """Dollars, at worst."""
        return self._spending.cost + self._spending.uncertain + self._unwritten

    def _wake(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
