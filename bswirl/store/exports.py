"""Samples on their way out, as rows of the `branched` format (docs/formats.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from bswirl.errors import InputError
from bswirl.interchange import SampleRow
from bswirl.records import Question, QuestionTree
from bswirl.store.database import Cursor
from bswirl.store.rewards import RANGE, effective_rewards
from bswirl.store.trees import QUESTIONS_A_BLOCK, read_trees

_SAMPLES = (
    "SELECT s.question_id, s.action_id, t.external_id, s.step, s.branch_id, s.is_backbone, s.logprob,"
    " s.n_tokens"
    " FROM samples s JOIN trajectories t USING (trajectory_id)"
    f" WHERE s.{RANGE} AND t.{RANGE} ORDER BY t.external_id, s.step, s.branch_id"
)
_RATIONALES = (
    "SELECT v.action_id, arg_min(coalesce(v.rationale, ''), j.rank::BIGINT * 1099511627776 - v.verdict_id)"
    " FROM verdicts v JOIN judges j USING (judge_id)"
    f" WHERE v.{RANGE} AND j.rank IS NOT NULL AND v.status = 'judged' AND v.reward IS NOT NULL"
    " GROUP BY v.action_id"
)
_AUDITORS = (
    f"WITH {effective_rewards(RANGE)} SELECT action_id, arg_max(auditor, label_id)"
    " FROM label_in_force l JOIN effective e USING (action_id)"
    " WHERE l.value IN ('0', '1') AND l.value = CASE e.human_reward WHEN 1 THEN '1' WHEN 0 THEN '0' END"
    " GROUP BY action_id"
)


def export_samples(cursor: Cursor, dataset: str | None = None) -> Iterator[SampleRow]:
    """Every sample, by dataset, question number, trajectory, step and branch.

    `reward`, `judge` and `rationale` are the verdict in force; `label` and `auditor` are the label that
    overrides it, absent where none does. Raises InputError on an unknown dataset.
    """
    rows = cursor.execute(
        "SELECT question_id, dataset, split, external_id, text, gold, solution FROM questions"
        " WHERE $dataset::VARCHAR IS NULL OR dataset = $dataset ORDER BY dataset, question_id",
        {"dataset": dataset},
    ).fetchall()
    if dataset is not None and not rows:
        raise InputError(f"there is no dataset `{dataset}`", "`bswirl stats` lists them")
    for _, group in groupby((Question(*row) for row in rows), key=lambda question: question.dataset):
        questions = list(group)
        for start in range(0, len(questions), QUESTIONS_A_BLOCK):
            yield from _block(cursor, questions[start : start + QUESTIONS_A_BLOCK])


def _block(cursor: Cursor, questions: Sequence[Question]) -> Iterator[SampleRow]:
    scope = {"low": questions[0].question_id, "high": questions[-1].question_id}
    samples: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for question_id, *rest in cursor.execute(_SAMPLES, scope).fetchall():
        samples[question_id].append(tuple(rest))
    if not samples:
        return
    rationales: dict[int, str] = dict(cursor.execute(_RATIONALES, scope).fetchall())
    auditors: dict[int, str] = dict(cursor.execute(_AUDITORS, scope).fetchall())
    sampled = [question for question in questions if question.question_id in samples]
    for tree in read_trees(cursor, sampled):
        yield from _rows(tree, samples[tree.question.question_id], rationales, auditors)


def _rows(
    tree: QuestionTree,
    samples: Sequence[tuple[Any, ...]],
    rationales: dict[int, str],
    auditors: dict[int, str],
) -> Iterator[SampleRow]:
    question = tree.question
    state_text = {
        state_id: "\n".join((question.text, *prefix)) for state_id, prefix in tree.prefixes().items()
    }
    actions = {action.action_id: action for action in tree.actions}
    for action_id, trajectory_id, step, branch_id, is_backbone, logprob, n_tokens in samples:
        action = actions[action_id]
        yield SampleRow(
            question_id=question.external_id,
            step=step,
            branch_id=branch_id,
            is_backbone=is_backbone,
            state=state_text[action.state_id],
            action=action.text,
            reward=action.judge_reward,
            dataset=question.dataset,
            split=question.split,
            gold=question.gold,
            solution=question.solution,
            trajectory_id=trajectory_id,
            judge=action.judge,
            rationale=rationales.get(action_id) or None,
            label=None if action.human_reward is None else str(int(action.human_reward)),
            auditor=auditors.get(action_id),
            logprob=logprob,
            n_tokens=n_tokens,
        )
