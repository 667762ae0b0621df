"""What all engines share: a call is answered from the record, from the same one under way, or by asking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from bswirl.errors import UsageError
from bswirl.serving.calls import Call, Failure, Reply, ServedModel
from bswirl.serving.ending import Ending
from bswirl.serving.ledger import Ledger
from bswirl.serving.request import part_of

Row = dict[str, Any]

_TICK_SECONDS = 0.1
_SPENDING_SECONDS = 1.0
_SYNC_SECONDS = 0.5


def check_prices(model: ServedModel, cost_limit: float | None) -> None:
    """Raises UsageError for a limit on a model without both prices."""
    if cost_limit is not None and None in (model.price_in, model.price_out):
        raise UsageError(
            f"{model.model} has no prices for both ways, so a cost limit cannot be held to",
            "set price_in and price_out, in dollars a million tokens",
        )


class Asks(Protocol):
    """Whoever gets a call answered that is in no record."""

    async def ask(self, call: Call, key: str, *, is_part: bool) -> Reply | Failure | None:
        """The outcome, which is in the ledger by then; None where `n` choices are to be asked for singly."""
        ...


class Answering:
    """The part of an engine that knows the ledger. It lives in one event loop."""

    def __init__(
        self,
        model: ServedModel,
        ledger: Ledger,
        asker: Asks,
        ending: Ending,
        on_spending: Callable[[Row], None],
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._asker = asker
        self._ending = ending
        self._on_spending = on_spending
        self._flying: dict[str, asyncio.Future[Reply | Failure]] = {}
        self._recorded = 0
        self._told: Row | None = None

    @asynccontextmanager
    async def kept(self, check: Callable[[], None]) -> AsyncIterator[None]:
        """Around all calls: looks after cancellation, time-outs, spending and the disk."""
        beside = [asyncio.create_task(self.keep_time(check)), asyncio.create_task(self.keep_durable())]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self.tell_spending()

    @property
    def in_flight(self) -> int:
        """Calls that the server has and has not answered."""
        raise NotImplementedError

    @property
    def model(self) -> ServedModel:
        return self._model

    async def call(self, call: Call) -> Reply | Failure:
        """See `Caller`. The same call several times at once is sent once."""
        outcome = await self._answer(call, call.key(self._model))
        if isinstance(outcome, Reply) and outcome.recorded:
            self._recorded += 1
        return outcome

    def tell_spending(self) -> None:
        """Says what the run has cost so far, if that is news."""
        row = {"t": "spending", **self._ledger.spending.to_json(), "in_flight": self.in_flight}
        row["recorded"] += self._recorded
        if row != self._told:
            self._told = row
            self._on_spending(row)

    async def _answer(self, call: Call, key: str, *, is_part: bool = False) -> Reply | Failure:
        """From the record, from the same call under way, or from the server."""
        while True:
            known = self._ledger.find(key)
            if known is not None:
                return known
            flying = self._flying.get(key)
            if flying is None:
                break
            await asyncio.wait([flying])
            if not flying.cancelled():
                outcome = flying.result()
                return replace(outcome, recorded=True) if isinstance(outcome, Reply) else outcome
        self._ending.check()
        future = self._flying[key] = asyncio.get_running_loop().create_future()
        try:
            if self._has_parts_of(call):
                outcome = await self._singly(call)
            else:
                outcome = await self._asker.ask(call, key, is_part=is_part) or await self._singly(call)
            future.set_result(outcome)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # looked at, in case that nobody else waits for it
            raise
        finally:
            del self._flying[key]
        return outcome

    def _has_parts_of(self, call: Call) -> bool:
        """Whether another run's record has the call's choices one by one."""
        if call.n == 1 or not self._ledger.has_parts_elsewhere:
            return False
        return all(self._ledger.holds(part_of(call, index).key(self._model)) for index in range(call.n))

    async def _singly(self, call: Call) -> Reply | Failure:
        """`n` choices by as many calls, each with a key of its own."""
        parts = [part_of(call, index) for index in range(call.n)]
        found = await asyncio.gather(
            *(self._answer(part, part.key(self._model), is_part=True) for part in parts)
        )
        replies: list[Reply] = []
        for outcome in found:
            if isinstance(outcome, Failure):
                return outcome
            replies.append(outcome)
        return Reply(
            tuple(reply.choices[0] for reply in replies),
            sum(reply.prompt_tokens for reply in replies),
            sum(reply.completion_tokens for reply in replies),
            sum(reply.cost for reply in replies),
            max(reply.latency for reply in replies),
            sum(reply.attempts for reply in replies),
            all(reply.recorded for reply in replies),
        )

    async def keep_time(self, check: Callable[[], None]) -> None:
        """Runs beside the calls: cancellation, time-outs and spending."""
        spending_at = 0.0
        while True:
            try:
                if not self._ending.is_over:
                    check()
                self._keep_up()
                if time.monotonic() >= spending_at:
                    spending_at = time.monotonic() + _SPENDING_SECONDS
                    self.tell_spending()
            except Exception as error:  # noqa: BLE001 - whatever it is, the run ends with it
                self._ending.end(error)
            await asyncio.sleep(_TICK_SECONDS)

    async def keep_durable(self) -> None:
        """Runs beside the calls: what was written goes to the disk, in batches."""
        while True:
            try:
                if self._ledger.is_dirty:
                    await asyncio.to_thread(self._ledger.sync)
            except OSError as error:
                self._ending.end(error)
            await asyncio.sleep(_SYNC_SECONDS)

    def _keep_up(self) -> None:
        """Called ten times a second."""
