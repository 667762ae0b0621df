"""A judging run as a worker does it: every selected action of the frozen trees gets one outcome."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bswirl.judging.answer_check import check_answer
from bswirl.judging.books import Books, live_groups
from bswirl.judging.catalogue import ANSWER_CHECK, JudgeSpec, resolve_judge
from bswirl.judging.judgement import Outcome
from bswirl.judging.reference import ReferenceJudge
from bswirl.records import FrozenTree, from_json
from bswirl.runs.context import RunContext

Row = dict[str, Any]


def run(context: RunContext) -> Row:
    """Judges what the journal does not have yet and returns the whole run's summary.

    Answer actions are compared with gold whichever judge was asked for; the judge `answer-check` leaves all
    others alone. Raises CancelledError and CostLimitError (both resumable), RefusedError where the judge's
    server takes no call, UsageError for a judge that does not exist, and what loading a local one raises.
    """
    spec = judge_of(context)
    total = sum(len(line["selected"]) for line in context.input_rows())
    books = Books(context, total)
    if spec.kind == "rules":
        _by_rules(context, spec, books)
        return books.summary()
    if spec.prompt is not None and spec.prompt_sha not in books.prompts:
        context.emit({"t": "prompt", "sha": spec.prompt_sha, "purpose": "judge", "text": spec.prompt})
    if spec.kind == "served":
        from bswirl.judging.served_work import judge_served

        asyncio.run(judge_served(context, spec, books))
    else:
        from bswirl.judging.local_work import judge_locally

        judge_locally(context, spec, books)
    return {**books.summary(), **_per_live_group(context, books)}


def judge_of(context: RunContext) -> JudgeSpec:
    """The judge that the run was frozen with; runs of before judges were models name it alone."""
    frozen = context.config.get("judge")
    return JudgeSpec.from_json(frozen) if frozen else resolve_judge(context.settings["judge"])


def _by_rules(context: RunContext, spec: JudgeSpec, books: Books) -> None:
    for line in context.input_rows():
        _judge_tree(from_json(FrozenTree, line), spec, books)
        if books.flush_if_due():
            context.check_cancelled()
    books.flush()


def _judge_tree(frozen: FrozenTree, spec: JudgeSpec, books: Books) -> None:
    question, prefixes = frozen.tree.question, frozen.tree.prefixes()
    judge = ReferenceJudge(question.text, question.solution)
    actions = {action.action_id: action for action in frozen.tree.actions}
    for action_id in frozen.selected:
        action = actions[action_id]
        if action_id in books.done:
            continue
        if spec == ANSWER_CHECK and not action.is_answer:
            books.skip(1)
            continue
        started = time.monotonic()
        if action.is_answer:
            judgement = check_answer(action.text, question.gold)
        else:
            judgement = judge.judge(prefixes[action.state_id], action.text)
        outcome = Outcome(judgement, seconds=time.monotonic() - started)
        books.settle(action, ANSWER_CHECK if action.is_answer else spec, outcome)


def _per_live_group(context: RunContext, books: Books) -> Row:
    """How many groups this run's verdicts alone make live, and what each of them cost."""
    live = live_groups(context.input_rows(), books.rewards())
    cost = books.summary().get("cost") or 0.0
    return {"live_groups": live, **({"cost_per_live_group": cost / live} if live and cost else {})}
