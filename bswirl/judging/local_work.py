"""A judging run whose judge is a model on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from bswirl.errors import InputError
from bswirl.judging.answer_work import check_answers
from bswirl.judging.books import Books
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.local_chat import LocalChatJudge
from bswirl.judging.pending import pending_steps, settle_all
from bswirl.policies.catalogue import require_extra
from bswirl.policies.devices import resolve_device
from bswirl.policies.local import load_model
from bswirl.runs.context import RunContext

_BATCHES_A_CHUNK = 4


def judge_locally(context: RunContext, spec: JudgeSpec, books: Books) -> None:
    """Gives every pending action an outcome: first the answers, then the steps, a batch at a time."""
    try:
        check_answers(context, books)
        steps = pending_steps(context.input_rows(), books.done, near_duplicates_once=_once(context))
        first = next(steps, None)
        if first is None:
            return
        with _judge(context, spec) as judge:
            chunk = [first]
            while chunk:
                chunk += islice(steps, judge.batch_size * _BATCHES_A_CHUNK - len(chunk))
                for place, outcome in judge.judge([one.step for one in chunk], context.check_cancelled):
                    settle_all(books, spec, chunk[place], outcome)
                    books.flush_if_due()
                chunk = list(islice(steps, 1))
    finally:
        books.flush()


def _once(context: RunContext) -> bool:
    return context.settings.get("near_duplicates") == "once"


@contextmanager
def _judge(context: RunContext, spec: JudgeSpec) -> Iterator[LocalChatJudge]:
    """The judge, loaded on its device, which it holds for the block."""
    if spec.local is None:
        raise InputError(f"judge {spec.name} names no model", "start a new run")
    require_extra()
    settings = context.settings
    device = str(resolve_device(settings.get("device", "auto")))
    with context.device_lock(device):
        context.log(f"loading {spec.model} on {device}")
        loaded = load_model(
            spec.local,
            device=device,
            load_in_4bit=settings.get("load_in_4bit", False),
            log=context.log,
        )
        yield LocalChatJudge(spec, loaded, batch_size=settings.get("batch_size", 16))
