"""One batch from its file to its replies in the ledger, from wherever an earlier attempt left it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bswirl.errors import BswirlError
from bswirl.serving.batch_api import OVER, BatchApi, Job, Pace
from bswirl.serving.batch_log import BatchLog, BatchRecord, Line
from bswirl.serving.batch_results import Outcome, read_results
from bswirl.serving.calls import Failure, RefusedError, Reply, ServedModel
from bswirl.serving.ending import Ending
from bswirl.serving.landing import land
from bswirl.serving.ledger import BROKEN_OFF, Ledger, failure_row
from bswirl.serving.reading import Reading
from bswirl.serving.request import part_of
from bswirl.serving.setbacks import Setback

_EMPTY_LOOKS = 5
_GROWTH = 1.5  # of the time between two looks at a job
_A_BREATH = 200  # lines after which others get their turn


@dataclass(slots=True)
class Collected:
    """What a batch brought."""

    settled: dict[str, Reply | Failure | None] = field(default_factory=dict)  # None: ask choice by choice
    again: list[tuple[Line, Setback]] = field(default_factory=list)  # worth another batch
    refused: list[tuple[Line, Setback]] = field(default_factory=list)  # not worth one
    without: set[str] = field(default_factory=set)  # parameters that the server does not take
    too_few: bool = False  # choices
    end: Setback | None = None  # no call has a chance


class BatchJobs:
    """Carries batches through; several at a time."""

    def __init__(
        self,
        model: ServedModel,
        api: BatchApi,
        log: BatchLog,
        ledger: Ledger,
        ending: Ending,
        pace: Pace,
        key: str | None,
        say: Callable[[str], None],
    ) -> None:
        self._model = model
        self._api = api
        self._log = log
        self._ledger = ledger
        self._ending = ending
        self._pace = pace
        self._key = key
        self._say = say
        self._waiting: dict[int, int] = {}  # calls that the server has not answered, by batch

    @property
    def in_flight(self) -> int:
        return sum(self._waiting.values())

    async def carry(self, batch: BatchRecord, lines: Mapping[str, Line]) -> Collected:
        """Takes a batch to its end. What it brought is in the ledger then, durably.

        Raises RefusedError where no batch can work, BswirlError where the server is lost, OSError.
        """
        self._waiting[batch.number] = batch.lines
        try:
            await self._submit(batch)
            job, seconds = await self._watch(batch)
            found = await self._collect(batch, lines, job, seconds)
            self._write_failures(found, lines)
            await asyncio.to_thread(self._ledger.sync)
            await asyncio.to_thread(self._log.ended, batch.number, job.status)
        finally:
            del self._waiting[batch.number]
        self._say(_summary(batch, job, found))
        self._check(found, lines, job)
        return found

    async def _submit(self, batch: BatchRecord) -> None:
        if batch.file_id is None:
            file_id = await self._api.upload(self._log.upload_file(batch.number))
            await asyncio.to_thread(self._log.uploaded, batch.number, file_id)
        if batch.job_id is None and batch.file_id is not None:
            job = await self._api.create(batch.file_id, self._log.known_jobs)
            await asyncio.to_thread(self._log.created, batch.number, job.job_id)
            self._say(f"batch {batch.number}: {batch.lines:,} calls are with the server as job {job.job_id}")

    async def _watch(self, batch: BatchRecord) -> tuple[Job, float]:
        """The job once it is over, and how many seconds that was watched."""
        started, wait = time.monotonic(), self._pace.first
        said, empty = "", 0
        while True:
            job = await self._api.job(batch.job_id or "")
            done = round(batch.lines * job.progress / 100)
            self._waiting[batch.number] = batch.lines - done
            if job.status == "COMPLETED" and job.output_file is None and job.error_file is None:
                empty += 1  # its files may be named a moment later; asking again would be paid again
                if empty > _EMPTY_LOOKS:
                    raise BswirlError(
                        f"batch job {job.job_id} is complete, and the server names no file with its replies",
                        "`bswirl runs resume` looks again",
                    )
            elif job.status in OVER:
                return job, time.monotonic() - started
            stage = job.status.lower().replace("_", " ")
            words = f"batch {batch.number}: {done:,} of {batch.lines:,} done, says the server ({stage})"
            if words != said:
                self._say(words)
                said = words
            await self._ending.sleep(wait)
            wait = min(self._pace.longest, wait * _GROWTH)

    async def _collect(
        self, batch: BatchRecord, lines: Mapping[str, Line], job: Job, seconds: float
    ) -> Collected:
        found, told = Collected(), set[str]()
        for what, file_id in (("output", job.output_file), ("errors", job.error_file)):
            if file_id is None:
                continue
            path = self._log.download_file(batch.number, what)
            if not await self._api.download(file_id, path):
                self._say(f"batch {batch.number}: the server has its {what} no longer (file {file_id})")
                continue
            for line, outcome in read_results(path, lines, self._model, batch.without, self._key):
                if line.key in told:
                    continue
                told.add(line.key)
                self._take(found, line, outcome, job, seconds)
                if len(told) % _A_BREATH == 0:
                    await asyncio.sleep(0)
        nothing = Setback("again", f"batch job {job.job_id} ({job.status.lower()}) has no reply to it")
        found.again += [(line, nothing) for key, line in lines.items() if key not in told]
        return found

    def _take(self, found: Collected, line: Line, outcome: Outcome, job: Job, seconds: float) -> None:
        """Writes one call's outcome down, unless an earlier attempt at the run has."""
        known = self._ledger.find(line.key)
        if known is not None:
            found.settled[line.key] = known
        elif isinstance(outcome, Reading):
            found.settled[line.key] = self._land(found, line, outcome, job, seconds)
        else:
            self._note_loss(line, outcome, job)
            if outcome.then == "end":
                found.end = outcome
            if outcome.then == "fail":
                found.refused.append((line, outcome))
            else:
                found.without |= outcome.without
                found.again.append((line, outcome))

    def _land(self, found: Collected, line: Line, read: Reading, job: Job, seconds: float) -> Reply | None:
        call = line.call
        found.too_few = found.too_few or len(read.choices) < call.n
        if call.n > 1 and self._ledger.holds(part_of(call, 0).key(self._model)):
            return None
        cost = self._model.cost(read.prompt_tokens, read.completion_tokens)
        reply = Reply(read.choices, read.prompt_tokens, read.completion_tokens, cost, seconds)
        more = {"batch": job.job_id}
        return land(self._ledger, self._model, call, line.key, reply, read, more, is_part=line.is_part)

    def _note_loss(self, line: Line, setback: Setback, job: Job) -> None:
        """Writes down what a reply cost, or may have, that cannot be used."""
        if setback.tokens is None and not setback.may_cost:
            return
        tokens = setback.tokens or (0, 0)
        self._ledger.append(
            failure_row(
                line.key,
                self._model.model,
                BROKEN_OFF,
                setback.message,
                1,
                batch=job.job_id,
                prompt_tokens=tokens[0],
                completion_tokens=tokens[1],
                cost=self._model.cost(*tokens),
                uncertain=self.worst(line) if setback.tokens is None else 0.0,
            )
        )

    def worst(self, line: Line) -> float:
        """The most that a call can cost, in dollars."""
        return self._model.cost(line.size, line.call.max_tokens * line.call.n)

    def _write_failures(self, found: Collected, lines: Mapping[str, Line]) -> None:
        """Gives up what the server refuses, unless it has refused all that it was ever asked."""
        if self._nothing_works(found, lines):
            return
        for line, setback in found.refused:
            found.settled[line.key] = self.give_up(line, setback)

    def give_up(self, line: Line, setback: Setback) -> Failure:
        """A failure for good, which is in the ledger. Raises OSError."""
        failure = Failure(setback.kind, setback.message)
        self._ledger.append(
            failure_row(line.key, self._model.model, failure.kind, failure.message, failure.attempts)
        )
        return failure

    def _nothing_works(self, found: Collected, lines: Mapping[str, Line]) -> bool:
        refused = [setback for _, setback in found.refused if setback.kind == "refused"]
        return bool(refused) and len(refused) == len(lines) and not self._ledger.spending.calls

    def _check(self, found: Collected, lines: Mapping[str, Line], job: Job) -> None:
        """Raises RefusedError where another batch would bring nothing, or is not wanted."""
        if found.end is not None:
            raise RefusedError(found.end.message, found.end.remedy)
        if self._nothing_works(found, lines):
            words = f"the server refuses every call of the batch: {found.refused[0][1].message}"
            raise RefusedError(words, "check the model and its settings in bswirl.toml")
        if job.status == "FAILED" and len(found.again) == len(lines):
            words = f"batch job {job.job_id} failed: {job.error or 'the server does not say why'}"
            raise RefusedError(words, "`bswirl runs resume` tries it with a new job")
        if job.status == "CANCELLED" and found.again:
            words = (
                f"batch job {job.job_id} was cancelled at the server, with {len(found.again):,} calls open"
            )
            raise RefusedError(words, "`bswirl runs resume` asks for them with a new job")


def _summary(batch: BatchRecord, job: Job, found: Collected) -> str:
    replies = sum(isinstance(outcome, Reply) for outcome in found.settled.values())
    more = f", {len(found.again):,} to be asked again" if found.again else ""
    more += f", {len(found.refused):,} refused" if found.refused else ""
    why = f": {job.error}" if job.error else ""
    return (
        f"batch {batch.number} is {job.status.lower()}: {replies:,} of {batch.lines:,} calls have a reply"
        f"{more}{why}"
    )
