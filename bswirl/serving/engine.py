"""Calls to a served model: many at a time, each paid once, as fast as the server lets them through."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from bswirl.errors import UsageError
from bswirl.serving.budget import Budget
from bswirl.serving.calls import Call, CostLimitError, Failure, RefusedError, Reply, ServedModel
from bswirl.serving.client import open_client
from bswirl.serving.ledger import BROKEN_OFF, LEDGER, Ledger, failure_row, reply_row
from bswirl.serving.limits import Gate
from bswirl.serving.request import encode_call, part_of
from bswirl.serving.sending import Answer, BrokenOffError, Sender
from bswirl.serving.setbacks import Setback

T = TypeVar("T")
Row = dict[str, Any]

_TICK_SECONDS = 0.1
_SPENDING_SECONDS = 1.0
_SYNC_SECONDS = 0.5
_GRACE_SECONDS = 2.0  # for what is under way when a run ends early: it will be charged
_BYTES_A_TOKEN = 4  # as a rule; a cost limit counts on one


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
class _Effort:
    """What a call has taken so far."""

    attempts: int = 0
    tries: int = 0  # those that failed on their own
    loads: int = 0  # those that the server had no room for
    unreached: int = 0
    prompt_tokens: int = 0  # of replies that could not be used
    completion_tokens: int = 0
    cost: float = 0.0
    uncertain: float = 0.0

    def row(self) -> Row:
        """The entries of a ledger's row that most rows do not have."""
        return {"uncertain": self.uncertain} if self.uncertain else {}


class CallEngine:
    """Makes calls. `open_engine` makes one; it lives in one event loop."""

    def __init__(
        self,
        model: ServedModel,
        sender: Sender,
        ledger: Ledger,
        *,
        check: Callable[[], None],
        log: Callable[[str], None],
        on_spending: Callable[[Row], None],
        cost_limit: float | None,
        patience: Patience,
    ) -> None:
        self._model = model
        self._sender = sender
        self._ledger = ledger
        self._check = check
        self._log = log
        self._on_spending = on_spending
        self._patience = patience
        self._budget = Budget(cost_limit, ledger.spending)
        self._gate = Gate(model.in_flight, model.requests_per_minute, model.tokens_per_minute)
        self._flying: dict[str, asyncio.Future[Reply | Failure]] = {}
        self._fetching = 0
        self._refused: list[asyncio.Future[None]] = []  # calls that wait for a sign that any can work
        self._without: frozenset[str] = frozenset({"n"} if ledger.has_parts else ())
        self._said: set[str] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended_at = 0.0
        self._works = ledger.spending.calls > 0
        self._answered_at = time.monotonic()
        self._unreached_since: float | None = None
        self._mean_completion: float | None = None
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
        """Handles the items with as many under way as fill the server, begun in their order.

        The first exception of a handler ends the engine: what is under way gets a moment to land, the rest
        is cancelled, and the exception is raised.
        """
        iterator = iter(items)

        async def work() -> None:
            for item in iterator:
                self._raise_if_ended()
                await handle(item)

        width = self._model.in_flight + self._model.in_flight // 8 + 2
        workers = [asyncio.create_task(work()) for _ in range(width)]
        running: set[asyncio.Future[Any]] = set(workers)
        try:
            while running and not self._ended.done():
                done, _ = await asyncio.wait({*running, self._ended}, return_when=asyncio.FIRST_COMPLETED)
                running -= done
                for task in done - {self._ended}:
                    if (error := task.exception()) is not None:
                        self.end(error)
            if running:
                await asyncio.wait(running, timeout=_GRACE_SECONDS)
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        self._raise_if_ended()

    def end(self, reason: BaseException) -> None:
        """Sends nothing any more. Calls that wait, and calls to come, get `reason` raised."""
        if not self._ended.done():
            self._ended_at = time.monotonic()
            self._ended.set_exception(reason)
            self._ended.exception()  # looked at: asyncio need not complain that nobody did
            self._gate.close(reason)
            self._budget.close(reason)

    def _raise_if_ended(self) -> None:
        if self._ended.done():
            self._ended.result()

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
        self._raise_if_ended()
        future = self._flying[key] = asyncio.get_running_loop().create_future()
        try:
            outcome = await self._fetch(call, key, is_part) or await self._singly(call)
            future.set_result(outcome)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except BaseException as error:
            future.set_exception(error)
            future.exception()
            raise
        finally:
            del self._flying[key]
        return outcome

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

    async def _fetch(self, call: Call, key: str, is_part: bool) -> Reply | Failure | None:
        """Asks until there is an answer, or no more use in asking; None where it must be asked singly."""
        effort = _Effort()
        self._fetching += 1
        try:
            while call.n == 1 or "n" not in self._without:
                self._raise_if_ended()
                found, epoch = await self._attempt(call, key, is_part, effort)
                if not isinstance(found, Setback):
                    return found
                outcome = await self._after(found, epoch, effort)
                if outcome is not None:
                    self._write_failure(key, outcome.kind, outcome.message, effort)
                    return outcome
            return None
        finally:
            self._fetching -= 1
            self._look_at_refused()

    async def _attempt(
        self, call: Call, key: str, is_part: bool, effort: _Effort
    ) -> tuple[Reply | Setback | None, int]:
        """Sends one request, when money and server allow, and writes down what it brought."""
        body = encode_call(call, self._model, self._without)
        worst = self._model.cost(len(body), call.max_tokens * call.n)
        try:
            await self._budget.set_aside(worst)
        except CostLimitError as error:
            self.end(error)
            raise
        tokens = self._expected_tokens(call, body)
        try:
            epoch = await self._gate.enter(tokens)
            try:
                effort.attempts += 1
                found = await self._sender.send(call, body, self._without)
                if isinstance(found, Answer):
                    return self._take(call, key, is_part, found, effort, tokens), epoch
                self._count_loss(found, effort, worst)
            except BrokenOffError:
                effort.uncertain += worst
                self._write_failure(key, BROKEN_OFF, "the run ended before the answer came", effort)
                self._raise_if_ended()
                raise
            else:
                return found, epoch
            finally:
                self._gate.leave()
        finally:
            self._budget.give_back(worst)

    def _take(
        self, call: Call, key: str, is_part: bool, answer: Answer, effort: _Effort, tokens: float
    ) -> Reply | None:
        """Writes a reply down; None where it has too few choices, which are then kept as single calls."""
        read = answer.reading
        self._works, self._answered_at, self._unreached_since = True, time.monotonic(), None
        self._look_at_refused()
        self._gate.answered(read.prompt_tokens + read.completion_tokens - tokens)
        self._gate.pause(answer.wait)
        if self._model.tokens_per_minute is not None:
            mean = read.completion_tokens if self._mean_completion is None else self._mean_completion
            self._mean_completion = 0.95 * mean + 0.05 * read.completion_tokens
        if read.estimated:
            self._say_once(
                "usage", "the server does not count tokens: they are estimated, and so is the cost"
            )
        reply = Reply(
            read.choices,
            read.prompt_tokens + effort.prompt_tokens,
            read.completion_tokens + effort.completion_tokens,
            self._model.cost(read.prompt_tokens, read.completion_tokens) + effort.cost,
            answer.latency,
            effort.attempts,
        )
        more = effort.row()
        if read.estimated:
            more["estimated"] = True
        if is_part:
            more["part"] = True
        self._budget.note_unwritten(-effort.cost - effort.uncertain)
        if len(read.choices) == call.n:
            self._ledger.append(reply_row(key, self._model.model, reply, read.reasoning, **more))
            return reply
        self._do_without({"n"}, f"gave {len(read.choices)} of {call.n} choices")
        for index, choice in enumerate(read.choices):
            part = replace(reply, choices=(choice,))
            row = reply_row(part_of(call, index).key(self._model), self._model.model, part, **more, part=True)
            self._ledger.append(row)
            reply, more = replace(reply, prompt_tokens=0, completion_tokens=0, cost=0.0, attempts=0), {}
        return None

    def _count_loss(self, setback: Setback, effort: _Effort, worst: float) -> None:
        """Counts what a request without a usable answer cost, or may have cost."""
        if setback.tokens is not None:
            cost = self._model.cost(*setback.tokens)
            effort.prompt_tokens += setback.tokens[0]
            effort.completion_tokens += setback.tokens[1]
            effort.cost += cost
            self._budget.note_unwritten(cost)
        elif setback.may_cost:
            effort.uncertain += worst
            self._budget.note_unwritten(worst)

    async def _after(self, setback: Setback, epoch: int, effort: _Effort) -> Failure | None:
        """What follows from a setback: a failure, or None, perhaps after a while, where it is asked again."""
        if setback.then == "end":
            self._refuse(setback.message, setback.remedy)
        if setback.then == "without":
            self._do_without(setback.without, f"said: {setback.message}")
            return None
        if setback.then == "fail":
            if setback.kind == "refused" and not self._works:
                await self._wait_for_a_sign(setback)
            return Failure(setback.kind, setback.message, effort.attempts)
        if setback.is_unreachable:
            await self._wait_for_server(setback, effort)
            return None
        self._unreached_since = None
        if setback.is_load:
            effort.loads += 1
            self._slow_down(setback, epoch)
            given_up = effort.loads >= self._patience.load_attempts
        else:
            effort.tries += 1
            given_up = effort.tries >= self._patience.attempts
        if given_up:
            return Failure(
                setback.kind, f"{setback.message} (asked {effort.attempts} times)", effort.attempts
            )
        if not setback.is_load:
            self._gate.pause(setback.wait)
            await self._sleep(effort.tries)
        return None

    def _slow_down(self, setback: Setback, epoch: int) -> None:
        pause = self._gate.too_many(epoch, setback.wait)
        silent = time.monotonic() - self._answered_at
        if silent > self._patience.hopeless + (setback.wait or 0.0):
            self._refuse(
                f"the server has had no room for {silent / 60:.0f} minutes: {setback.message}",
                "resume the run later",
            )
        if pause is not None and pause >= 5.0:
            self._log(f"all calls wait {pause:.0f} s, as the server asks: {setback.message}")
        self._say_once(
            "load", f"the server has too many requests at times; fewer go out then: {setback.message}"
        )

    async def _wait_for_server(self, setback: Setback, effort: _Effort) -> None:
        """Waits before the next attempt where nothing listens. Raises RefusedError after too long."""
        now = time.monotonic()
        since = self._unreached_since = self._unreached_since or now
        if now - since >= (self._patience.lost if self._works else self._patience.unreached):
            self._refuse(
                setback.message,
                f"start the server, or correct `url` of [endpoints.{self._model.endpoint}]; then resume",
            )
        self._say_once("server", f"{setback.message}; asking again")
        effort.unreached += 1
        await self._sleep(min(effort.unreached, 4))

    async def _wait_for_a_sign(self, setback: Setback) -> None:
        """A first call that is refused waits until another works. Raises RefusedError where none does."""
        future = asyncio.get_running_loop().create_future()
        self._refused.append(future)
        if len(self._refused) >= min(self._patience.refused, self._fetching):
            self._refuse(
                f"the server refuses every call: {setback.message}", "correct the model or its settings"
            )
        await asyncio.wait([future, self._ended], return_when=asyncio.FIRST_COMPLETED)
        self._raise_if_ended()

    def _look_at_refused(self) -> None:
        """Lets refused calls fail once another worked; where all others are through, none will."""
        if self._refused and (self._works or len(self._refused) >= self._fetching):
            while self._refused:
                future = self._refused.pop()
                if not future.done():
                    future.set_result(None)

    def _refuse(self, message: str, remedy: str) -> None:
        """Raises RefusedError, here and for every other call."""
        error = RefusedError(message, remedy)
        self.end(error)
        raise error

    def _do_without(self, names: Iterable[str], why: str) -> None:
        for name in sorted(set(names) - self._without):
            self._say_once(
                name, f"the server does not take `{name}`, which is left out from now on: it {why}"
            )
        self._without |= set(names)

    def _write_failure(self, key: str, kind: str, message: str, effort: _Effort) -> None:
        self._budget.note_unwritten(-effort.cost - effort.uncertain)
        more = effort.row()
        if effort.cost or effort.prompt_tokens:
            more |= {
                "prompt_tokens": effort.prompt_tokens,
                "completion_tokens": effort.completion_tokens,
                "cost": effort.cost,
            }
        self._ledger.append(failure_row(key, self._model.model, kind, message, effort.attempts, **more))

    def _expected_tokens(self, call: Call, body: bytes) -> float:
        if self._model.tokens_per_minute is None:
            return 0.0
        completion = call.max_tokens if self._mean_completion is None else self._mean_completion
        return len(body) / _BYTES_A_TOKEN + call.n * completion

    async def _sleep(self, turn: int) -> None:
        """Full jitter: a random part of a wait that doubles."""
        longest = min(self._patience.longest_delay, self._patience.first_delay * 2**turn)
        await asyncio.wait([self._ended], timeout=random.uniform(0, longest))
        self._raise_if_ended()

    def _say_once(self, about: str, text: str) -> None:
        if about not in self._said:
            self._said.add(about)
            self._log(text)

    def tell_spending(self) -> None:
        """Says what the run has cost so far, if that is news."""
        row = {
            "t": "spending",
            **self._ledger.spending.to_json(),
            "in_flight": self._gate.in_flight,
        }
        row["recorded"] += self._recorded
        if row != self._told:
            self._told = row
            self._on_spending(row)

    async def tick(self) -> None:
        """Keeps the time for all calls: cancellation, time-outs, spending, and what goes to the disk."""
        spending_at = sync_at = 0.0
        while True:
            try:
                if not self._ended.done():
                    self._check()
                self._sender.sweep()
                now = time.monotonic()
                if self._ended.done() and now - self._ended_at >= _GRACE_SECONDS:
                    self._sender.break_off()
                if now >= spending_at:
                    spending_at = now + _SPENDING_SECONDS
                    self.tell_spending()
                if now >= sync_at and self._ledger.is_dirty:
                    sync_at = now + _SYNC_SECONDS
                    await asyncio.to_thread(self._ledger.sync)
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends the run and is raised there
                self.end(error)
            await asyncio.sleep(_TICK_SECONDS)


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
    model without prices, OSError where the ledger cannot be written.
    """
    if cost_limit is not None and model.price_in is None and model.price_out is None:
        raise UsageError(
            f"{model.model} has no prices, so a cost limit cannot be held to",
            "set price_in and price_out, in dollars a million tokens",
        )
    ledger = Ledger(folder / LEDGER, reuse)
    try:
        async with open_client(model, key) as client:
            engine = CallEngine(
                model,
                Sender(model, client, key),
                ledger,
                check=check,
                log=log,
                on_spending=on_spending,
                cost_limit=cost_limit,
                patience=patience or Patience(),
            )
            clock = asyncio.create_task(engine.tick())
            try:
                yield engine
            finally:
                clock.cancel()
                with suppress(asyncio.CancelledError):
                    await clock
                engine.tell_spending()
    finally:
        ledger.close()
