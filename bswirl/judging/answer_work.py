"""The answer actions of a judging run, whichever judge it is for."""

from __future__ import annotations

import time

from bswirl.judging.answer_check import check_answer
from bswirl.judging.books import Books
from bswirl.judging.catalogue import ANSWER_CHECK
from bswirl.judging.judgement import Outcome
from bswirl.judging.pending import pending_answers
from bswirl.runs.context import RunContext


def check_answers(context: RunContext, books: Books) -> None:
    """Compares every pending answer with gold. May take seconds for one (`bswirl.answers.compare`)."""
    for question, action in pending_answers(context.input_rows(), books.done):
        started = time.monotonic()
        judgement = check_answer(action.text, question.gold)
        books.settle(action, ANSWER_CHECK, Outcome(judgement, seconds=time.monotonic() - started))
        if books.flush_if_due():
            context.check_cancelled()
