"""A judging run whose judge is behind an endpoint: many steps at a time, answers beside them in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache

from bswirl.errors import InputError
from bswirl.judging.answer_work import check_answers
from bswirl.judging.books import SECONDS_A_BATCH, Books
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import StepToJudge
from bswirl.judging.pending import PendingStep, pending_steps, settle_all
from bswirl.judging.reference import ReferenceJudge
from bswirl.judging.served import ServedJudge
from bswirl.policies.served_run import other_ledgers
from bswirl.runs.context import RunContext
from bswirl.serving.calls import ServedModel
from bswirl.serving.keys import key_for
from bswirl.serving.opening import opener

_ONCE = "once"


async def judge_served(context: RunContext, spec: JudgeSpec, books: Books) -> None:
    """Gives every pending action an outcome. Raises as `open_engine` and `CallEngine.run_all`.

    A verdict is in the journal half a second after it is decided. The replies that it came from are in the
    run's ledger before: what is lost to a kill is decided again without a call.
    """
    model = served_model(spec)
    settings = context.settings
    steps = pending_steps(
        context.input_rows(), books.done, near_duplicates_once=settings.get("near_duplicates") == _ONCE
    )
    extra_votes = settings.get("extra_votes") or 0
    async with (
        opener(batch=bool(settings.get("batch")))(
            model,
            folder=context.folder.path,
            key=key_for(model),
            check=context.check_cancelled,
            log=context.log,
            on_spending=context.emit,
            cost_limit=context.max_cost,
            reuse=other_ledgers(context.folder.path) if settings.get("reuse") else (),
        ) as engine,
        _journaling(books),
        _answers_beside(context, books),
    ):
        judge = ServedJudge(spec, engine)

        async def decide(pending: PendingStep) -> None:
            said = reference_says(pending.step) if extra_votes else None
            outcome = await judge.judge(pending.step, reference=said, extra_votes=extra_votes)
            settle_all(books, spec, pending, outcome)

        await engine.run_all(steps, decide)


def served_model(spec: JudgeSpec) -> ServedModel:
    """The model behind a served judge. Raises InputError where its spec has none."""
    if spec.served is None:
        raise InputError(f"judge {spec.name} says no endpoint", "start a new run")
    return spec.served


def reference_says(step: StepToJudge) -> bool | None:
    """What the reference judge says of `correct`."""
    return _reference(step.question, step.solution).judge(step.prefix, step.action).correct


@lru_cache(maxsize=256)
def _reference(question: str, solution: str | None) -> ReferenceJudge:
    return ReferenceJudge(question, solution)


@asynccontextmanager
async def _journaling(books: Books) -> AsyncIterator[None]:
    """Writes what is decided every half second, in a thread, and the rest at the end, however it comes."""

    async def write() -> None:
        while True:
            await asyncio.sleep(SECONDS_A_BATCH)
            await asyncio.to_thread(books.flush)

    writer = asyncio.create_task(write())
    try:
        yield
    finally:
        writer.cancel()
        with suppress(asyncio.CancelledError):
            await writer
        books.flush()


@asynccontextmanager
async def _answers_beside(context: RunContext, books: Books) -> AsyncIterator[None]:
    """Checks the answers in a thread; the block's end waits for them, and raises what went wrong."""
    answers = asyncio.create_task(asyncio.to_thread(check_answers, context, books))
    try:
        yield
    except BaseException:
        context.stop()  # the thread hears of it, as it does of a cancelling
        with suppress(BaseException):
            await answers
        raise
    await answers
