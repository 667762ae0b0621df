"""Calls to a served model: many at a time, each paid once, as fast as the server lets them through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from bswirl.serving.answering import Answering, Row, check_prices
from bswirl.serving.asking import Asker
from bswirl.serving.budget import Budget
from bswirl.serving.calls import ServedModel
from bswirl.serving.client import open_client
from bswirl.serving.ending import Ending
from bswirl.serving.ledger import LEDGER, Ledger
from bswirl.serving.limits import Gate
from bswirl.serving.patience import Patience, Persistence
from bswirl.serving.sending import Sender

T = TypeVar("T")
_GRACE_SECONDS = 2.0  # for what is under way when a run ends early: it will be charged
_LAST_SECONDS = 0.5  # for what is broken off then


class CallEngine(Answering):
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
        super().__init__(model, ledger, asker, ending, on_spending)
        self._sender = sender
        self._gate = gate

    @property
    def in_flight(self) -> int:
        return self._gate.in_flight

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

    def _keep_up(self) -> None:
        if self._ending.is_over and self._ending.seconds_ago >= _GRACE_SECONDS:
            self._sender.break_off()
        self._sender.sweep()


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
    check_prices(model, cost_limit)
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
            async with engine.kept(check):
                yield engine
    finally:
        ledger.close()
