"""A judging run as a worker does it: every selected action of the frozen trees gets a verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bswirl.judging.answer_check import check_answer
from bswirl.judging.catalogue import ANSWER_CHECK, JudgeSpec, resolve_judge
from bswirl.judging.judgement import Judgement
from bswirl.judging.reference import ReferenceJudge
from bswirl.records import Action, FrozenTree, from_json
from bswirl.runs.context import RunContext

_ROWS_A_BATCH = 200
_SECONDS_A_BATCH = 1.0

Row = dict[str, Any]


def run(context: RunContext) -> Row:
    """Judges what the journal does not have yet and returns the whole run's summary.

    Answer actions are compared with gold whichever judge was asked for; the judge `answer-check` leaves all
    others alone. Raises CancelledError (resumable) and UsageError for a judge that does not exist.
    """
    spec = resolve_judge(context.settings["judge"])
    tally = _Tally()
    done: set[int] = set()
    for row in context.journal_rows():
        if row["t"] == "verdict":
            done.add(row["action_id"])
            tally.add(row)
    total = sum(len(line["selected"]) for line in context.input_rows())
    passed = len(done)
    batch: list[Row] = []
    flushed = time.monotonic()
    for line in context.input_rows():
        frozen = from_json(FrozenTree, line)
        passed += sum(1 for action_id in frozen.selected if action_id not in done)
        for row in _judge_tree(frozen, spec, done):
            batch.append(row)
            tally.add(row)
        if len(batch) >= _ROWS_A_BATCH or time.monotonic() - flushed >= _SECONDS_A_BATCH:
            context.emit(*batch)
            batch, flushed = [], time.monotonic()
            context.progress(passed, total, "actions")
            context.check_cancelled()
    context.emit(*batch)
    context.progress(total, total, "actions")
    return tally.summary()


def _judge_tree(frozen: FrozenTree, spec: JudgeSpec, done: set[int]) -> Iterator[Row]:
    question, prefixes = frozen.tree.question, frozen.tree.prefixes()
    judge = ReferenceJudge(question.text, question.solution)
    actions = {action.action_id: action for action in frozen.tree.actions}
    for action_id in frozen.selected:
        action = actions[action_id]
        if action_id in done or (spec == ANSWER_CHECK and not action.is_answer):
            continue
        started = time.monotonic()
        if action.is_answer:
            judgement = check_answer(action.text, question.gold)
        else:
            judgement = judge.judge(prefixes[action.state_id], action.text)
        yield _verdict(
            action, ANSWER_CHECK if action.is_answer else spec, judgement, time.monotonic() - started
        )


def _verdict(action: Action, spec: JudgeSpec, judgement: Judgement, seconds: float) -> Row:
    return {
        "t": "verdict",
        "action_id": action.action_id,
        "judge": spec.name,
        "model": spec.model,
        "prompt_sha": spec.prompt_sha,
        "status": judgement.status,
        "correct": judgement.correct,
        "progress": judgement.progress,
        "reward": judgement.reward,
        "rationale": judgement.rationale,
        "raw": None,
        "latency_ms": round(1000 * seconds),
    }


class _Tally:
    """Counts over all verdicts of a run."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._reward = 0.0

    def add(self, verdict: Row) -> None:
        self._counts["verdicts"] += 1
        self._counts[verdict["status"]] += 1
        self._counts["answers"] += verdict["judge"] == ANSWER_CHECK.name
        self._counts["correct"] += bool(verdict["correct"])
        self._counts["progress"] += bool(verdict["progress"])
        self._reward += verdict["reward"] or 0.0

    def summary(self) -> Row:
        counts = self._counts
        return {
            **{
                name: counts[name]
                for name in ("verdicts", "judged", "unjudged", "answers", "correct", "progress")
            },
            "mean_reward": self._reward / counts["judged"] if counts["judged"] else None,
        }
