"""Calls wait here for the batch that they go out with, and for the one that brings their replies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from bswirl.serving.batch_api import Pace
from bswirl.serving.batch_jobs import BatchJobs, Collected
from bswirl.serving.batch_log import BatchLog, BatchRecord, Line
from bswirl.serving.budget import Budget
from bswirl.serving.calls import Call, Failure, Reply, ServedModel
from bswirl.serving.ending import Ending
from bswirl.serving.request import INSTEAD, encode_call
from bswirl.serving.setbacks import Setback

MOST_LINES = 50_000  # of a batch, as Together takes it
MOST_BYTES = 90_000_000  # a little less than Together takes
_BYTES_AROUND = 100  # what a line has beside its request
_A_BREATH = 200


class Gatherer:
    """Answers calls that are in no record, batch by batch. `feeding`: more calls are about to come."""

    def __init__(
        self,
        model: ServedModel,
        jobs: BatchJobs,
        log: BatchLog,
        budget: Budget,
        ending: Ending,
        pace: Pace,
        say: Callable[[str], None],
        *,
        singly: bool,
    ) -> None:
        """`singly`: the server is known to give one choice at a time."""
        self.feeding = False
        self._model = model
        self._jobs = jobs
        self._log = log
        self._budget = budget
        self._ending = ending
        self._pace = pace
        self._say = say
        self._without: frozenset[str] = frozenset({"n"} if singly else ())
        self._asked: dict[str, asyncio.Future[Reply | Failure | None]] = {}
        self._parked: dict[str, Line] = {}
        self._size = 0  # bytes
        self._at_server: set[str] = set()  # keys of calls in a batch that is under way
        self._tries: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = log.next_number()
        self._news = asyncio.Event()
        ending.tell(self._end)

    async def ask(self, call: Call, key: str, *, is_part: bool) -> Reply | Failure | None:
        """See `Asks`. It may take hours; raises what the run ends with."""
        if call.n > 1 and "n" in self._without:
            return None
        future: asyncio.Future[Reply | Failure | None] = asyncio.get_running_loop().create_future()
        self._asked[key] = future
        if key not in self._at_server and key not in self._parked:
            self._park(call, key, is_part)
        try:
            return await future
        finally:
            self._asked.pop(key, None)

    def take_up(self) -> None:
        """Goes on with the batches that an earlier attempt at the run has left. Raises OSError."""
        for batch in self._log.open_batches:
            lines = self._log.lines(batch)
            begun = batch.file_id is not None or self._log.is_whole(batch)
            if not begun or len(lines) != batch.lines:
                where = f"; job {batch.job_id} stays at the server" if batch.job_id else ""
                self._say(f"batch {batch.number} is left aside, as its files were changed{where}")
                self._log.ended(batch.number, "damaged")
                continue
            where = f"as job {batch.job_id}" if batch.job_id else "not with the server yet"
            self._say(f"taking up batch {batch.number} of {batch.lines:,} calls, {where}")
            self._without |= batch.without
            self._budget.take(batch.worst)
            self._at_server.update(lines)
            self._start(self._carry(batch, lines))

    async def keep_gathering(self) -> None:
        """Runs beside the calls: sends them off once no other can come without a reply."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(self._pace.settle)
            if self.feeding:
                self._news.set()
            elif self._parked and not self._news.is_set():
                self._send_off()

    async def close(self) -> None:
        """Leaves the server's jobs alone, and says so."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for batch in self._log.open_batches:
            where = f"goes on at the server as job {batch.job_id}" if batch.job_id else "is not sent off yet"
            self._say(f"batch {batch.number} {where}; `bswirl runs resume` takes it up")

    def _park(self, call: Call, key: str, is_part: bool) -> None:
        size = len(encode_call(call, self._model, self._without))
        self._parked[key] = Line(key, call, is_part, size)
        self._size += size + _BYTES_AROUND
        self._news.set()
        if len(self._parked) >= MOST_LINES or self._size >= MOST_BYTES:
            self._send_off()

    def _send_off(self) -> None:
        if self._ending.is_over:
            return
        lines, self._parked, self._size = self._parked, {}, 0
        self._at_server.update(lines)
        number, self._number = self._number, self._number + 1
        self._start(self._send(number, lines))

    async def _send(self, number: int, lines: Mapping[str, Line]) -> None:
        without = self._without
        entries = [(line, encode_call(line.call, self._model, without)) for line in lines.values()]
        worst = sum(self._jobs.worst(line) for line in lines.values())
        what = f"the next batch of {len(lines):,} calls, ${worst:.2f} at most,"
        await self._budget.set_aside(worst, what)
        batch = await asyncio.to_thread(self._log.written, number, entries, worst, without)
        await self._carry(batch, lines)

    async def _carry(self, batch: BatchRecord, lines: Mapping[str, Line]) -> None:
        found = await self._jobs.carry(batch, lines)
        self._budget.give_back(batch.worst)
        self._at_server.difference_update(lines)
        self._learn(found)
        for line, setback in found.again:
            self._again(line, setback)
        for count, (key, outcome) in enumerate(found.settled.items()):
            self._settle(key, outcome)
            if count % _A_BREATH == 0:
                await asyncio.sleep(0)

    def _learn(self, found: Collected) -> None:
        names = found.without | ({"n"} if found.too_few else set())
        for name in sorted(names - self._without):
            words = INSTEAD.get(name, f"the server does not take `{name}`, which is left out from now on")
            self._say(words)
        self._without |= names

    def _again(self, line: Line, setback: Setback) -> None:
        """Into the next batch, so often as is worth it."""
        if setback.then != "without":
            self._tries[line.key] += 1
        if self._tries[line.key] >= self._pace.tries:
            self._settle(line.key, self._jobs.give_up(line, setback))
        elif line.call.n > 1 and "n" in self._without:
            self._settle(line.key, None)
        else:
            self._park(line.call, line.key, line.is_part)

    def _settle(self, key: str, outcome: Reply | Failure | None) -> None:
        future = self._asked.get(key)
        if future is not None and not future.done():
            future.set_result(outcome)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ending.end(error)

    def _end(self, reason: BaseException) -> None:
        _raise_in(self._asked.values(), reason)


def _raise_in(futures: Iterable[asyncio.Future[Any]], reason: BaseException) -> None:
    for future in list(futures):
        if not future.done():
            future.set_exception(reason)
