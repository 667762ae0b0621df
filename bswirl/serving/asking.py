"""One call, asked until there is an answer, and written down whatever came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from bswirl.serving.budget import Budget
from bswirl.serving.calls import Call, CostLimitError, Failure, Reply, ServedModel
from bswirl.serving.ending import Ending
from bswirl.serving.landing import land
from bswirl.serving.ledger import BROKEN_OFF, Ledger, failure_row
from bswirl.serving.limits import Gate
from bswirl.serving.patience import Effort, Persistence
from bswirl.serving.request import INSTEAD, encode_call
from bswirl.serving.sending import Answer, BrokenOffError, Sender
from bswirl.serving.setbacks import Setback

_BYTES_A_TOKEN = 4  # as a rule; a cost limit counts on one
_MEMORY = 0.95  # of the running mean of completions' lengths


class Asker:
    """Asks the server, within what money, rates and room allow."""

    def __init__(
        self,
        model: ServedModel,
        sender: Sender,
        ledger: Ledger,
        gate: Gate,
        budget: Budget,
        persistence: Persistence,
        ending: Ending,
    ) -> None:
        self._model = model
        self._sender = sender
        self._ledger = ledger
        self._gate = gate
        self._budget = budget
        self._persistence = persistence
        self._ending = ending
        self._without: frozenset[str] = frozenset({"n"} if ledger.has_parts else ())
        self._mean_completion: float | None = None

    async def ask(self, call: Call, key: str, *, is_part: bool) -> Reply | Failure | None:
        """The reply or the failure; None where the server gives one choice at a time and `n` are wanted."""
        effort = Effort()
        try:
            with self._persistence.asking():
                return await self._insist(call, key, is_part, effort)
        except BaseException:
            if effort.cost or effort.uncertain:
                with suppress(OSError):
                    self._write_failure(key, BROKEN_OFF, "the run ended before the answer came", effort)
            raise

    async def _insist(self, call: Call, key: str, is_part: bool, effort: Effort) -> Reply | Failure | None:
        """See `ask`; what it takes is added to `effort`."""
        while call.n == 1 or "n" not in self._without:
            self._ending.check()
            found = await self._attempt(call, key, is_part, effort)
            if not isinstance(found, Setback):
                return found
            if found.then == "without":
                self._do_without(found.without, f"says: {found.message}")
                continue
            failure = await self._persistence.after(found, effort)
            if failure is not None:
                self._write_failure(key, failure.kind, failure.message, effort)
                return failure
        return None

    async def _attempt(self, call: Call, key: str, is_part: bool, effort: Effort) -> Reply | Setback | None:
        """Sends one request when its turn has come, and counts what it cost."""
        without = self._without
        body = encode_call(call, self._model, without)
        worst = self._model.cost(len(body), call.max_tokens * call.n)
        tokens = self._expected_tokens(call, body)
        try:
            await self._budget.set_aside(worst)
        except CostLimitError as error:
            self._ending.end(error)
            raise
        try:
            epoch = await self._gate.enter(tokens)
            try:
                if without is not self._without:  # learned while this one waited
                    without = self._without
                    if call.n > 1 and "n" in without:
                        return None
                    body = encode_call(call, self._model, without)
                effort.attempts += 1
                found = await self._sender.send(call, body, without)
                if isinstance(found, Answer):
                    self._note_answer(found, tokens)
                    return self._write(call, key, is_part, found, effort)
                self._count_loss(found, effort, worst)
                if found.is_load:
                    self._persistence.slow_down(found, epoch)
            except BrokenOffError:
                self._note_uncertain(effort, worst)
                self._ending.check()
                raise
            except asyncio.CancelledError:
                self._note_uncertain(effort, worst)
                raise
            else:
                return found
            finally:
                self._gate.leave()
        finally:
            self._budget.give_back(worst)

    def _note_answer(self, answer: Answer, tokens: float) -> None:
        read = answer.reading
        self._persistence.answered()
        self._gate.answered(read.prompt_tokens + read.completion_tokens - tokens)
        self._gate.pause(answer.wait)
        mean = self._mean_completion
        new = read.completion_tokens
        self._mean_completion = new if mean is None else _MEMORY * mean + (1 - _MEMORY) * new
        if read.estimated:
            self._persistence.say_once(
                "usage", "the server does not count tokens: they are estimated, and so is the cost"
            )

    def _write(self, call: Call, key: str, is_part: bool, answer: Answer, effort: Effort) -> Reply | None:
        """Writes a reply down; None where it has too few choices, which are then kept as single calls."""
        read = answer.reading
        reply = Reply(
            read.choices,
            read.prompt_tokens + effort.prompt_tokens,
            read.completion_tokens + effort.completion_tokens,
            self._model.cost(read.prompt_tokens, read.completion_tokens) + effort.cost,
            answer.latency,
            effort.attempts,
        )
        more: dict[str, Any] = {}
        if effort.uncertain:
            more["uncertain"] = effort.uncertain
        if self._without:
            more["without"] = sorted(self._without)
        self._budget.note_unwritten(-effort.cost - effort.uncertain)
        if len(read.choices) != call.n:
            self._do_without({"n"}, f"gave {len(read.choices)} of {call.n} choices")
        return land(self._ledger, self._model, call, key, reply, read, more, is_part=is_part)

    def _write_failure(self, key: str, kind: str, message: str, effort: Effort) -> None:
        self._budget.note_unwritten(-effort.cost - effort.uncertain)
        spent = {
            "prompt_tokens": effort.prompt_tokens,
            "completion_tokens": effort.completion_tokens,
            "cost": effort.cost,
            "uncertain": effort.uncertain,
        }
        more = {name: value for name, value in spent.items() if value}
        self._ledger.append(failure_row(key, self._model.model, kind, message, effort.attempts, **more))

    def _count_loss(self, setback: Setback, effort: Effort, worst: float) -> None:
        """Counts what a request without a usable answer cost, or may have cost."""
        if setback.tokens is not None:
            cost = self._model.cost(*setback.tokens)
            effort.prompt_tokens += setback.tokens[0]
            effort.completion_tokens += setback.tokens[1]
            effort.cost += cost
            self._budget.note_unwritten(cost)
        elif setback.may_cost:
            self._note_uncertain(effort, worst)

    def _note_uncertain(self, effort: Effort, worst: float) -> None:
        effort.uncertain += worst
        self._budget.note_unwritten(worst)

    def _do_without(self, names: Iterable[str], why: str) -> None:
        for name in sorted(set(names) - self._without):
            words = INSTEAD.get(name, f"the server does not take `{name}`, which is left out from now on")
            self._persistence.say_once(name, f"{words}; it {why}")
        if not self._without.issuperset(names):
            self._without |= frozenset(names)

    def _expected_tokens(self, call: Call, body: bytes) -> float:
        completion = call.max_tokens if self._mean_completion is None else self._mean_completion
        return len(body) / _BYTES_A_TOKEN + call.n * completion
