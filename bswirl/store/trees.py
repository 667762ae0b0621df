"""Reading trees: a question's, a block of questions', and everything about one action."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from bswirl.errors import InputError
from bswirl.records import Action, ActionDetail, Question, QuestionTree, Sample, State, Verdict
from bswirl.store.certificates import newest_certificates
from bswirl.store.database import Cursor, iso
from bswirl.store.labels import newest_labels
from bswirl.store.rewards import RANGE, actions_with_advantage, sampled_actions

QUESTIONS_A_BLOCK = 64

VERDICTS = (
    "verdict_id, action_id, run_id, name, model, prompt_sha, status, correct, progress, reward, rationale,"
    " raw, created_at, votes, cost, prompt_tokens, completion_tokens, duplicate_of"
    " FROM verdicts JOIN judges USING (judge_id)"
)
SAMPLES = (
    "action_id, s.run_id, trajectory_id, t.external_id, step, branch_id, is_backbone, n_tokens,"
    " logprob, finish_reason,"
    " CASE WHEN s.run_id = t.run_id THEN policy ELSE coalesce(r.name, policy) END{more}"
    " FROM samples s JOIN trajectories t USING (trajectory_id, question_id)"
    " LEFT JOIN runs r ON r.run_id = s.run_id WHERE question_id = ? AND action_id = ?"
)
_QUESTION = "question_id, dataset, split, external_id, text, gold, solution"
_ACTIONS = actions_with_advantage(RANGE)
_UNREWARDED_ACTIONS = sampled_actions(RANGE)


def find_question(cursor: Cursor, address: int | str) -> Question:
    """A question by number or `dataset:id`. Raises InputError where there is none."""
    row = None
    if isinstance(address, str) and address.isdecimal() and address.isascii():
        address = int(address[:18])
    if isinstance(address, int):
        row = cursor.execute(
            f"SELECT {_QUESTION} FROM questions WHERE question_id = ?::BIGINT", [address]
        ).fetchone()
    else:
        for cut in (index for index, letter in enumerate(address) if letter == ":"):
            row = cursor.execute(
                f"SELECT {_QUESTION} FROM questions WHERE dataset = ? AND external_id = ?",
                [address[:cut], address[cut + 1 :]],
            ).fetchone()
            if row:
                break
    if row is None:
        raise InputError(
            f"there is no question `{address}`",
            "name one by its number or as `dataset:id`; see `bswirl stats`",
        )
    return Question(*row)


def read_tree(cursor: Cursor, address: int | str) -> QuestionTree:
    """A question's tree. Raises InputError where there is no such question."""
    question = find_question(cursor, address)
    return next(_block(cursor, [question]))


def read_trees(cursor: Cursor, questions: Sequence[Question]) -> Iterator[QuestionTree]:
    """The trees of those questions, which must come in the order of their numbers."""
    for start in range(0, len(questions), QUESTIONS_A_BLOCK):
        yield from _block(cursor, questions[start : start + QUESTIONS_A_BLOCK])


def _block(cursor: Cursor, questions: Sequence[Question], query: str = _ACTIONS) -> Iterator[QuestionTree]:
    scope = {"low": questions[0].question_id, "high": questions[-1].question_id}
    states: dict[int, list[State]] = defaultdict(list)
    for row in cursor.execute(
        "SELECT state_id, question_id, depth, parent_state_id, via_action_id FROM states"
        f" WHERE {RANGE} ORDER BY depth, state_id",
        scope,
    ).fetchall():
        states[row[1]].append(State(*row))
    actions: dict[int, list[Action]] = defaultdict(list)
    for question_id, *values in cursor.execute(query, scope).fetchall():
        actions[question_id].append(Action(*values))
    for question in questions:
        number = question.question_id
        yield QuestionTree(question, tuple(states[number]), tuple(actions[number]))


def read_action(cursor: Cursor, action_id: int) -> ActionDetail:
    """Everything about an action. Raises InputError where there is none of that number."""
    question_id = _question_of(cursor, action_id)
    tree = next(_block(cursor, [find_question(cursor, question_id)]))
    verdicts = _verdicts(cursor, action_id, question_id)
    return dataclasses.replace(
        _detail(cursor, tree, action_id),
        verdicts=verdicts,
        labels=tuple(newest_labels(cursor, 1000, action_id=action_id)),
        certificates=newest_certificates(
            cursor, {(verdict.judge, verdict.model, verdict.prompt_sha) for verdict in verdicts}
        ),
    )


def read_unrewarded(cursor: Cursor, action_id: int, question_id: int) -> ActionDetail:
    """An action of that question as if nobody had judged or labelled it: what is not read cannot be shown."""
    tree = next(_block(cursor, [find_question(cursor, question_id)], _UNREWARDED_ACTIONS))
    return _detail(cursor, tree, action_id)


def _question_of(cursor: Cursor, action_id: int) -> int:
    row = cursor.execute(
        "SELECT question_id FROM actions WHERE action_id = ?::BIGINT", [action_id]
    ).fetchone()
    if row is None:
        raise InputError(f"there is no action {action_id}", "`bswirl tree QUESTION` shows the numbers")
    return int(row[0])


def _detail(cursor: Cursor, tree: QuestionTree, action_id: int) -> ActionDetail:
    """An action with what stands around it, without what was said of it."""
    action = next(action for action in tree.actions if action.action_id == action_id)
    return ActionDetail(
        question=tree.question,
        prefix=tree.prefixes()[action.state_id],
        action=action,
        siblings=tuple(
            other
            for other in tree.actions
            if other.state_id == action.state_id and other.action_id != action_id
        ),
        verdicts=(),
        labels=(),
        samples=_samples(cursor, action_id, tree.question.question_id),
    )


def _verdicts(cursor: Cursor, action_id: int, question_id: int) -> tuple[Verdict, ...]:
    rows = cursor.execute(
        f"SELECT {VERDICTS} WHERE question_id = ? AND action_id = ? ORDER BY verdict_id DESC",
        [question_id, action_id],
    ).fetchall()
    return tuple(verdict_of(row) for row in rows)


def verdict_of(row: tuple[Any, ...]) -> Verdict:
    """The verdict of a row of VERDICTS."""
    votes = None if row[13] is None else json.loads(row[13])
    return Verdict(*(*row[:12], iso(row[12]), votes, *row[14:]))


def _samples(cursor: Cursor, action_id: int, question_id: int) -> tuple[Sample, ...]:
    rows = cursor.execute(
        f"SELECT {SAMPLES.format(more='')} ORDER BY trajectory_id, branch_id", [question_id, action_id]
    ).fetchall()
    return tuple(Sample(*row) for row in rows)
