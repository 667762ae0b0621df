"""A run on a served policy: its engine, its journal rows as they come, and what could not be had."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bswirl.errors import BswirlError
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.served import ServedPolicy
from bswirl.runs.context import RunContext
from bswirl.runs.journal import Row
from bswirl.serving.calls import Failure, ServedModel
from bswirl.serving.keys import key_for
from bswirl.serving.opening import Engine, opener

_SECONDS_A_BATCH = 0.2  # rows are in the journal this long after their reply, which is in the ledger at once
_SAME_CALLS = 4  # so many without two different choices, and none with them, are no accident
_SAID = 5  # failures of one kind that get a line in the log each


class ServedRun:
    """What a served run works with; rows handed to `keep` reach the journal in order and in batches."""

    def __init__(self, context: RunContext, policy: ServedPolicy, engine: Engine) -> None:
        self.context = context
        self.policy = policy
        self.engine = engine
        self.failures: Counter[str] = Counter()  # by kind
        self.completion_tokens = 0  # of all attempts
        self._several = self._same = 0  # calls for several choices; those of them with one and the same text
        self._rows: list[Row] = []
        self._flushing = threading.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._last_message = ""

    def keep(self, row: Row) -> None:
        """Journals a row before long; at the latest when the run ends, however it does.

        Raises OSError where earlier rows could not be written.
        """
        self._rows.append(row)
        if self._writer is not None and self._writer.done():
            self._writer.result()

    def failed(self, what: str, failure: Failure) -> None:
        """Counts a call that brought nothing, and says so."""
        self.failures[failure.kind] += 1
        self._last_message = failure.message
        if self.failures[failure.kind] <= _SAID:
            self.context.log(f"{what}: {failure.kind}: {failure.message}")

    def drawn(self, texts: Collection[str]) -> None:
        """Counts the choices of a call that asked for several different ones."""
        if len(texts) > 1:
            self._several += 1
            self._same += len(set(texts)) == 1

    def close_books(self) -> None:
        """Warns of failed calls, and of a server that does not sample.

        Raises BswirlError where calls were given up that may yet be answered.
        """
        if self._same == self._several >= _SAME_CALLS:
            self.context.warn(
                f"all {self._same} calls for several choices brought one text each: "
                f"{self.policy.name} does not sample; its server may need telling (docs/endpoints.md)"
            )
        if not self.failures:
            return
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.failures.most_common())
        words = f"{self.failures.total()} calls brought nothing ({kinds}); the last: {self._last_message}"
        if self.failures["gave-up"]:
            raise BswirlError(words, f"`bswirl runs resume {self.context.run_id}` asks for them again")
        self.context.warn(words)

    @asynccontextmanager
    async def journaling(self) -> AsyncIterator[None]:
        """Writes kept rows now and then, and the rest at the end."""
        self._writer = asyncio.create_task(self._write())
        try:
            yield
        finally:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
            self._flush()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_A_BATCH)
            await asyncio.shield(asyncio.to_thread(self._flush))

    def _flush(self) -> None:
        with self._flushing:
            rows, self._rows = self._rows, []
            self.context.emit(*rows)


def run_served(
    context: RunContext, spec: PolicySpec, work: Callable[[ServedRun], Awaitable[None]]
) -> dict[str, int]:
    """Does `work` with the policy's server; returns how many calls brought nothing (`failed`), and the tokens
    of all that the server wrote for the run (`num_tokens`).

    Raises what `work` raises, as `open_engine`, and as `ServedRun.close_books`.
    """
    run = asyncio.run(_run(context, spec, work))
    run.close_books()
    return {"failed": run.failures.total(), "num_tokens": run.completion_tokens}


async def _run(
    context: RunContext, spec: PolicySpec, work: Callable[[ServedRun], Awaitable[None]]
) -> ServedRun:
    model = served_model(spec)
    spent: Row = {}

    def on_spending(row: Row) -> None:
        spent.update(row)
        context.emit(row)

    open_it = opener(batch=bool(context.settings.get("batch")))
    async with open_it(
        model,
        folder=context.folder.path,
        key=key_for(model),
        check=context.check_cancelled,
        log=context.log,
        on_spending=on_spending,
        cost_limit=context.max_cost,
        reuse=other_ledgers(context.folder.path) if context.settings.get("reuse") else (),
    ) as engine:
        run = ServedRun(context, ServedPolicy(spec, engine), engine)
        context.emit(*prompt_rows(context, run.policy))
        async with run.journaling():
            await work(run)
    run.completion_tokens = int(spent.get("completion_tokens") or 0)
    return run


def prompt_rows(context: RunContext, policy: ServedPolicy) -> list[Row]:
    """The prompts that the run asks with, where an earlier attempt has not journaled them."""
    known = {row["sha"] for row in context.journal_rows() if row.get("t") == "prompt"}
    return [
        {"t": "prompt", "sha": prompt.sha, "purpose": prompt.purpose, "text": prompt.text}
        for prompt in policy.prompts.values()
        if prompt.sha not in known
    ]


def served_model(spec: PolicySpec) -> ServedModel:
    """The model behind a served policy. Raises BswirlError where its spec has none."""
    if spec.served is None:
        raise BswirlError(f"policy {spec.name} says no endpoint", "start a new run")
    return spec.served


def other_ledgers(folder: Path) -> tuple[Path, ...]:
    """The folders beside a run's own that hold a record of calls, oldest first."""
    found = [path.parent for path in folder.parent.glob("*/calls.jsonl") if path.parent != folder]
    return tuple(sorted(found, key=lambda path: (len(path.name), path.name)))
