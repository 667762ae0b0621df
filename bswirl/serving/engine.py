"""Calls to a served model: many at a time, each paid once, as fast as the server lets them through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bswirl.errors import UsageError
from bswirl.serving.asking import Asker
from bswirl.serving.budget import Budget
from bswirl.serving.calls import Call, Failure, Reply, ServedModel
from bswirl.serving.client import open_client
from bswirl.serving.ending import Ending
from bswirl.serving.ledger import LEDGER, Ledger
from bswirl.serving.limits import Gate
from bswirl.serving.patience import Patience, Persistence
from bswirl.serving.request import part_of
from bswirl.serving.sending import Sender

T = TypeVar("T")
Row = dict[str, Any]

_TICK_SECONDS = 0.1
_SPENDING_SECONDS = 1.0
_SYNC_SECONDS = 0.5
_GRACE_SECONDS = 2.0  # for what is under way when a run ends early: it will be charged
_LAST_SECONDS = 0.5  # for what is broken off then


class CallEngine:
    """Makes calls. `open_engine` makes one; it lives in one event loop."""

    def __init__(
        self,
        model: ServedModel,
        ledger: Ledger,
        sender: Sender,
        gate: Gate,
        asker: Asker,
        ending: Ending,
        on_spending: Callable[[Row], None],
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._sender = sender
        self._gate = gate
        self._asker = asker
        self._ending = ending
        self._on_spending = on_spending
        self._flying: dict[str, asyncio.Future[Reply | Failure]] = {}
        self._recorded = 0
        self._told: Row | None = None

    @property
    def model(self) -> ServedModel:
        return self._model

    async def call(self, call: Call) -> Reply | Failure:
        """See `Caller`. The same call several times at once is sent once."""
        outcome = await self._answer(call, call.key(self._model))
        if isinstance(outcome, Reply) and outcome.recorded:
            self._recorded += 1
        return outcome

    async def run_all(self, items: Iterable[T], handle: Callable[[T], Awaitable[None]]) -> None:
        """Handles the items, begun in their order, with as many under way as fill the server.

        The first exception of a handler ends the engine: what is under way gets a moment to land, the rest
        is cancelled, and the exception is raised.
        """
        iterator = iter(items)

        async def work() -> None:
            for item in iterator:
                self._ending.check()
                await handle(item)

        width = self._model.in_flight + self._model.in_flight // 8 + 2
        workers = [asyncio.create_task(work()) for _ in range(width)]
        running: set[asyncio.Future[Any]] = set(workers)
        over = self._ending.future
        try:
            while running and not over.done():
                done, _ = await asyncio.wait({*running, over}, return_when=asyncio.FIRST_COMPLETED)
                running -= done
                for task in done - {over}:
                    if (error := task.exception()) is not None:
                        self._ending.end(error)
            if running:
                _, running = await asyncio.wait(running, timeout=_GRACE_SECONDS)
            if running:
                self._sender.break_off()
                await asyncio.wait(running, timeout=_LAST_SECONDS)
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        self._ending.check()

    def tell_spending(self) -> None:
        """Says what the run has cost so far, if that is news."""
        row = {"t": "spending", **self._ledger.spending.to_json(), "in_flight": self._gate.in_flight}
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
                elif self._ending.seconds_ago >= _GRACE_SECONDS:
                    self._sender.break_off()
                self._sender.sweep()
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


@asynccontextmanager
async def open_engine(
    model: ServedModel,
    *,
    folder: Path,
    key: str | None = None,
    check: Callable[[], None] = lambda: None,
    log: Callable[[str], None] = lambda _: None,
    on_spending: Callable[[Row], None] = lambda _: None,
    cost_limit: float | None = None,
    reuse: Sequence[Path] = (),
    patience: Patience | None = None,
) -> AsyncIterator[CallEngine]:
    """An engine whose ledger lies in `folder`. `cost_limit` is in dollars, for the run over all its attempts.

    `check` raises what ends the run (CancelledError); it is called ten times a second. `log` gets a line for
    people, `on_spending` a journal row with the run's totals at most once a second and at the end. `reuse`
    are folders of other runs whose replies may serve for the same calls. Raises UsageError for a limit on a
    model without both prices, OSError where the ledger cannot be written.
    """
    if cost_limit is not None and None in (model.price_in, model.price_out):
        raise UsageError(
            f"{model.model} has no prices for both ways, so a cost limit cannot be held to",
            "set price_in and price_out, in dollars a million tokens",
        )
    ledger = Ledger(folder / LEDGER, reuse)
    try:
        async with open_client(model, key) as client:
            ending = Ending()
            gate = Gate(model.in_flight, model.requests_per_minute, model.tokens_per_minute)
            budget = Budget(cost_limit, ledger.spending)
            ending.tell(gate.close)
            ending.tell(budget.close)
            works = ledger.spending.calls > 0
            persistence = Persistence(model, patience or Patience(), gate, ending, log, works=works)
            sender = Sender(model, client, key)
            asker = Asker(model, sender, ledger, gate, budget, persistence, ending)
            engine = CallEngine(model, ledger, sender, gate, asker, ending, on_spending)
            beside = [
                asyncio.create_task(engine.keep_time(check)),
                asyncio.create_task(engine.keep_durable()),
            ]
            try:
                yield engine
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                engine.tell_spending()
    finally:
        ledger.close()
