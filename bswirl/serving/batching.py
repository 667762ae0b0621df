"""Calls to a served model in batches: worked on for hours perhaps, and cheaper than single calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bswirl.serving.answering import Answering, Row, check_prices
from bswirl.serving.batch_api import BatchApi, Pace
from bswirl.serving.batch_jobs import BatchJobs
from bswirl.serving.batch_log import BatchLog
from bswirl.serving.budget import Budget
from bswirl.serving.calls import ServedModel
from bswirl.serving.client import open_client
from bswirl.serving.ending import Ending
from bswirl.serving.gathering import Gatherer
from bswirl.serving.ledger import LEDGER, Ledger

T = TypeVar("T")

MOST_ITEMS = 50_000  # under way at a time
_UNBOUNDED = 10**9  # calls that may be under way for all that a batch minds
_CONNECTIONS = 8
_A_BREATH = 100
DEFAULT_PACE = Pace()
_GRACE_SECONDS = 2.0  # for handlers to end in


class BatchEngine(Answering):
    """Makes calls in batches. `open_batch_engine` makes one; it lives in one event loop."""

    def __init__(
        self,
        model: ServedModel,
        ledger: Ledger,
        jobs: BatchJobs,
        gatherer: Gatherer,
        ending: Ending,
        on_spending: Callable[[Row], None],
    ) -> None:
        super().__init__(model, ledger, gatherer, ending, on_spending)
        self._jobs = jobs
        self._gatherer = gatherer

    @property
    def in_flight(self) -> int:
        return self._jobs.in_flight

    async def run_all(self, items: Iterable[T], handle: Callable[[T], Awaitable[None]]) -> None:
        """Handles the items, begun in their order, tens of thousands at a time.

        The first exception of a handler ends the engine, and is raised; jobs at the server go on.
        """
        running: set[asyncio.Task[None]] = set()
        news = asyncio.Event()
        self._ending.tell(lambda _: news.set())

        def over(task: asyncio.Task[None]) -> None:
            running.discard(task)
            news.set()
            if not task.cancelled() and (error := task.exception()) is not None:
                self._ending.end(error)

        async def until(most: int) -> None:
            """Waits until so many are left at most, or it is over."""
            while len(running) > most and not self._ending.is_over:
                news.clear()
                await news.wait()

        async def one(item: T) -> None:
            await handle(item)

        self._gatherer.feeding = True
        try:
            for count, item in enumerate(items):
                if len(running) >= MOST_ITEMS:
                    self._gatherer.feeding = False
                    await until(MOST_ITEMS - 1)
                    self._gatherer.feeding = True
                if self._ending.is_over:
                    break
                task = asyncio.create_task(one(item))
                running.add(task)
                task.add_done_callback(over)
                if count % _A_BREATH == 0:
                    await asyncio.sleep(0)
            self._gatherer.feeding = False
            await until(0)
            if running:
                await asyncio.wait(running, timeout=_GRACE_SECONDS)
        finally:
            self._gatherer.feeding = False
            left = list(running)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        self._ending.check()


@asynccontextmanager
async def open_batch_engine(
    model: ServedModel,
    *,
    folder: Path,
    key: str | None = None,
    check: Callable[[], None] = lambda: None,
    log: Callable[[str], None] = lambda _: None,
    on_spending: Callable[[Row], None] = lambda _: None,
    cost_limit: float | None = None,
    reuse: Sequence[Path] = (),
    pace: Pace | None = None,
) -> AsyncIterator[BatchEngine]:
    """An engine for Together's batch API, otherwise as `open_engine`; costs are at the batch price.

    It takes up what an earlier attempt in this folder has at the server. Raises also RefusedError where the
    endpoint has no batch API.
    """
    check_prices(model, cost_limit)
    priced = replace(model.at_batch_price(), in_flight=_UNBOUNDED)
    pace = pace or DEFAULT_PACE
    ledger = Ledger(folder / LEDGER, reuse)
    try:
        async with open_client(replace(model, in_flight=_CONNECTIONS), key) as client:
            ending = Ending()
            budget = Budget(cost_limit, ledger.spending)
            ending.tell(budget.close)
            api = BatchApi(priced, client, key, ending, pace)
            batches = BatchLog(folder)
            try:
                jobs = BatchJobs(priced, api, batches, ledger, ending, pace, key, log)
                gatherer = Gatherer(priced, jobs, batches, budget, ending, pace, log, singly=ledger.has_parts)
                engine = BatchEngine(priced, ledger, jobs, gatherer, ending, on_spending)
                async with engine.kept(check):
                    await _probe(api, ending)
                    gatherer.take_up()
                    gathering = asyncio.create_task(gatherer.keep_gathering())
                    try:
                        yield engine
                    finally:
                        gathering.cancel()
                        with suppress(asyncio.CancelledError):
                            await gathering
                        await gatherer.close()
            finally:
                batches.close()
    finally:
        ledger.close()


async def _probe(api: BatchApi, ending: Ending) -> None:
    """Raises RefusedError where there is no batch API, and what the run ends with meanwhile."""
    probe = asyncio.create_task(api.jobs())
    try:
        either: set[asyncio.Future[Any]] = {probe, ending.future}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        ending.check()
        await probe
    finally:
        probe.cancel()
