"""What a new run would work on: questions to sample or answer, trees to judge or to train on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bswirl.errors import InputError, UsageError
from bswirl.records import SPLITS, Action, FrozenTree, Question, QuestionTree
from bswirl.selections import Filters, Selection, SelectionCounts
from bswirl.store.database import Cursor
from bswirl.store.filters import Left, apply_filters, count_left, left_out, questions_left, read_left
from bswirl.store.rewards import ANSWER_JUDGE, RANGE, effective_rewards
from bswirl.store.trees import QUESTIONS_A_BLOCK, read_trees

PROBE_NEEDS = 5  # questions
_NO_FILTERS = Filters()
_ALL = {"low": 0, "high": 2**31 - 1}


@dataclass(slots=True)
class Outcome:
    """How a selection went; complete once its rows were read."""

    rows: int = 0
    considered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """As the protocol says it."""
        left_out = {reason: count for reason, count in self.reasons.items() if count}
        return {"rows": self.rows, "considered": self.considered, "reasons": left_out}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which questions a selection looks at. `splits` empty: all of them."""

    dataset: str | None = None
    splits: tuple[str, ...] = ()
    limit: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError on a split that cannot exist or a limit below 1."""
        for split in self.splits:
            if split not in SPLITS:
                raise UsageError(f"`{split}` is no split", f"splits are {', '.join(SPLITS)}")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"a limit of {self.limit} leaves nothing", "give a limit of at least 1")


def select_questions(
    cursor: Cursor, scope: Scope, outcome: Outcome, *, prefer_test: bool = False
) -> Iterator[Question]:
    """Questions in the order of their numbers.

    With `prefer_test` and no split asked for, only those of test splits where there are any. Raises
    InputError on an unknown dataset.
    """
    found = _questions(cursor, scope, outcome, prefer_test=prefer_test)
    chosen = found if scope.limit is None else found[: scope.limit]
    outcome.reasons["beyond the limit"] += len(found) - len(chosen)
    outcome.rows = len(chosen)
    yield from chosen


def select_to_judge(
    cursor: Cursor,
    scope: Scope,
    outcome: Outcome,
    *,
    judge: str,
    model: str | None = None,
    prompt_sha: str | None = None,
    again: bool = False,
    runs: Sequence[int] | None = None,
) -> Iterator[FrozenTree]:
    """Trees with the actions that the judge has not judged; answer actions are for the answer check alone.

    With `runs` only what these runs sampled. `scope.limit` counts actions. Raises InputError on an unknown
    dataset.
    """
    left = scope.limit
    questions = _questions(cursor, scope, Outcome())
    for start in range(0, len(questions), QUESTIONS_A_BLOCK):
        block = questions[start : start + QUESTIONS_A_BLOCK]
        judged = set() if again else _judged(cursor, block, judge, model, prompt_sha)
        sampled = None if runs is None else _sampled_by(cursor, block, runs)
        for tree in read_trees(cursor, block):
            open_actions = []
            for action in tree.actions:
                if judge == ANSWER_JUDGE and not action.is_answer:
                    continue
                if sampled is not None and action.action_id not in sampled:
                    continue
                outcome.considered += 1
                reason = _left_alone(action, tree.question, judged)
                if reason:
                    outcome.reasons[reason] += 1
                else:
                    open_actions.append(action.action_id)
            selected = open_actions if left is None else open_actions[:left]
            outcome.reasons["beyond the limit"] += len(open_actions) - len(selected)
            left = None if left is None else left - len(selected)
            if selected:
                outcome.rows += 1
                yield FrozenTree(tree, tuple(selected))


def select_to_train(
    cursor: Cursor,
    scope: Scope,
    outcome: Outcome,
    *,
    probe_fraction: float = 0.0,
    seed: int = 0,
    filters: Filters = _NO_FILTERS,
) -> Iterator[FrozenTree]:
    """Trees with the actions that have an effective reward and a sample, some questions held out as a probe.

    Filters choose among what is not held out, so that runs with other filters have the same probe; where they
    leave nothing, there is no row. Raises UsageError on a fraction that is none, InputError on an unknown
    dataset.
    """
    if not 0 <= probe_fraction < 1:
        raise UsageError(f"a probe fraction of {probe_fraction} makes no sense", "give one from 0 to below 1")
    chosen = _to_train(cursor, scope, outcome)
    probe = held_out(chosen, probe_fraction, seed)
    if filters.active:
        rows = _filtered(cursor, chosen, probe, filters, outcome)
    else:
        rows = (_whole(tree, probe) for tree in read_trees(cursor, chosen))
    for row in rows:
        outcome.rows += 1
        yield row


def count_selection(cursor: Cursor, selection: Selection) -> SelectionCounts:
    """What a selection leaves, nothing held out. Raises UsageError where it makes no sense, InputError on an
    unknown dataset.
    """
    outcome, filters = Outcome(), selection.filters
    chosen = [question.question_id for question in _to_train(cursor, _scope(selection), outcome)]
    _apply(cursor, chosen, filters, outcome)
    told = outcome.to_json()
    return SelectionCounts(**count_left(cursor), considered=told["considered"], reasons=told["reasons"])


def check_scope(cursor: Cursor, selection: Selection) -> None:
    """Raises UsageError on a split or limit that cannot be, InputError on an unknown dataset."""
    _questions(cursor, _scope(selection), Outcome())


def _scope(selection: Selection) -> Scope:
    return Scope(selection.dataset, (selection.split,), selection.limit)


def _to_train(cursor: Cursor, scope: Scope, outcome: Outcome) -> list[Question]:
    """The questions of the scope that have a reward, the first `scope.limit` of them."""
    counts = _rewarded(cursor)
    chosen = []
    for question in _questions(cursor, scope, outcome):
        actions, rewarded = counts.get(question.question_id, (0, 0))
        outcome.reasons["not sampled"] += actions == 0
        outcome.reasons["without a reward"] += actions - rewarded
        if rewarded:
            chosen.append(question)
    if scope.limit is not None:
        outcome.reasons["beyond the limit"] += len(chosen[scope.limit :])
        chosen = chosen[: scope.limit]
    return chosen


def _whole(tree: QuestionTree, probe: set[int]) -> FrozenTree:
    return FrozenTree(tree, _trainable(tree), probe=tree.question.question_id in probe)


def _trainable(tree: QuestionTree) -> tuple[int, ...]:
    return tuple(
        action.action_id for action in tree.actions if action.reward is not None and action.samples > 0
    )


def _apply(cursor: Cursor, question_ids: Sequence[int], filters: Filters, outcome: Outcome) -> set[int]:
    """Filters those questions; returns of which something is left."""
    apply_filters(cursor, question_ids, filters)
    left = questions_left(cursor)
    outcome.reasons.update(left_out(cursor, filters))
    outcome.reasons["questions with nothing left"] += len(question_ids) - len(left)
    return left


def _filtered(
    cursor: Cursor, chosen: Sequence[Question], probe: set[int], filters: Filters, outcome: Outcome
) -> Iterator[FrozenTree]:
    """Of questions to train on what the filters leave; those of the probe as they are."""
    trained = [question.question_id for question in chosen if question.question_id not in probe]
    left = _apply(cursor, trained, filters, outcome)
    if not left:
        return
    remaining = [question for question in chosen if question.question_id in left | probe]
    for start in range(0, len(remaining), QUESTIONS_A_BLOCK):
        block = remaining[start : start + QUESTIONS_A_BLOCK]
        found = read_left(cursor, block[0].question_id, block[-1].question_id)
        for tree in read_trees(cursor, block):
            number = tree.question.question_id
            yield _whole(tree, probe) if number in probe else _narrowed(tree, found[number], filters)


def _narrowed(tree: QuestionTree, left: Left, filters: Filters) -> FrozenTree:
    states, whole = set(left.states), set(_trainable(tree))
    selected = (a.action_id for a in tree.actions if a.state_id in states and a.action_id in whole)
    return FrozenTree(
        tree,
        tuple(selected),
        states=tuple(left.states),
        kept=None if filters.filter == "none" else tuple(left.kept),
    )


def held_out(questions: Sequence[Question], fraction: float, seed: int) -> set[int]:
    """The questions kept for the probe, by a hash of seed and address: adding questions moves no other.

    None below five questions or without a fraction; else at least one, and never all.
    """
    if fraction <= 0 or len(questions) < PROBE_NEEDS:
        return set()
    place = {question.question_id: _hash(seed, question.address) for question in questions}
    ordered = sorted(place, key=lambda number: (place[number], number))
    below = sum(1 for value in place.values() if value < fraction)
    return set(ordered[: max(1, min(below, len(questions) - 1))])


def _hash(seed: int, address: str) -> float:
    """A place in [0, 1)."""
    digest = hashlib.sha256(f"{seed}:{address}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _questions(
    cursor: Cursor, scope: Scope, outcome: Outcome, *, prefer_test: bool = False
) -> list[Question]:
    """The questions of the scope, its limit aside, in the order of their numbers."""
    rows = cursor.execute(
        "SELECT question_id, dataset, split, external_id, text, gold, solution FROM questions"
        " ORDER BY question_id"
    ).fetchall()
    if scope.dataset is not None and not any(row[1] == scope.dataset for row in rows):
        names = ", ".join(sorted({row[1] for row in rows})) or "none: import one first"
        raise InputError(f"there is no dataset `{scope.dataset}`", f"datasets are {names}")
    outcome.considered = len(rows)
    fitting = [row for row in rows if scope.dataset in (None, row[1])]
    outcome.reasons["other dataset"] += len(rows) - len(fitting)
    splits = scope.splits
    if prefer_test and not splits and any(row[2] == "test" for row in fitting):
        splits = ("test",)
    chosen = [Question(*row) for row in fitting if not splits or row[2] in splits]
    outcome.reasons["other split"] += len(fitting) - len(chosen)
    return chosen


def _left_alone(action: Action, question: Question, judged: set[int]) -> str | None:
    """Why an action needs no verdict; None where it does."""
    if action.action_id in judged:
        return "already judged"
    return "no gold answer" if action.is_answer and question.gold is None else None


def _judged(
    cursor: Cursor, block: Sequence[Question], judge: str, model: str | None, prompt_sha: str | None
) -> set[int]:
    """The actions of a block of questions that have a verdict of the judge, or of the answer check."""
    rows = cursor.execute(
        "SELECT DISTINCT v.action_id FROM verdicts v JOIN judges j USING (judge_id)"
        f" JOIN actions a USING (action_id) WHERE v.{RANGE} AND a.{RANGE} AND v.status = 'judged'"
        " AND CASE WHEN a.is_answer THEN j.name = $answer ELSE j.name = $judge"
        " AND ($model::VARCHAR IS NULL OR j.model = $model)"
        " AND ($prompt_sha::VARCHAR IS NULL OR j.prompt_sha = $prompt_sha) END",
        {
            "low": block[0].question_id,
            "high": block[-1].question_id,
            "answer": ANSWER_JUDGE,
            "judge": judge,
            "model": model,
            "prompt_sha": prompt_sha,
        },
    ).fetchall()
    return {action_id for (action_id,) in rows}


def _sampled_by(cursor: Cursor, block: Sequence[Question], runs: Sequence[int]) -> set[int]:
    """The actions of a block of questions that one of those runs sampled."""
    rows = cursor.execute(
        f"SELECT DISTINCT action_id FROM samples WHERE {RANGE}"
        " AND run_id IN (SELECT unnest($runs::INTEGER[]))",
        {"low": block[0].question_id, "high": block[-1].question_id, "runs": list(runs)},
    ).fetchall()
    return {action_id for (action_id,) in rows}


def _rewarded(cursor: Cursor) -> dict[int, tuple[int, int]]:
    """For each sampled question its numbers of actions and of rewarded ones, those with samples alone."""
    rows = cursor.execute(
        f"WITH {effective_rewards(RANGE)} SELECT question_id, count(*), count(reward) FROM effective"
        " WHERE samples > 0 GROUP BY question_id",
        _ALL,
    ).fetchall()
    return {question_id: (actions, rewarded) for question_id, actions, rewarded in rows}
