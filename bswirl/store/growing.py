"""Which states get more samples: those whose group is neither live nor, as far as can be told, dead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from bswirl.branching import Group, Rule, fit_prior
from bswirl.records import GrowingState, Question, QuestionTree
from bswirl.store.database import Cursor
from bswirl.store.rewards import RANGE, effective_rewards
from bswirl.store.selection import Outcome, Scope, select_questions
from bswirl.store.trees import QUESTIONS_A_BLOCK, read_trees

Groups = dict[int, Group]  # by state

_GROUPS = (
    f"WITH {effective_rewards(RANGE)} SELECT question_id, state_id,"
    " coalesce(sum(samples) FILTER (reward >= 0.5), 0), coalesce(sum(samples) FILTER (reward < 0.5), 0),"
    " sum(samples) FROM effective WHERE samples > 0 GROUP BY ALL"
)


def select_to_grow(
    cursor: Cursor,
    scope: Scope,
    outcome: Outcome,
    *,
    runs: Sequence[int],
    round_size: int,
    most: int,
    dead_below: float,
) -> Iterator[GrowingState]:
    """The undecided states that those runs sampled at, each with how many samples it gets next.

    A group may have `most` samples. `outcome.considered` counts states, its reasons say how the others stand.
    The prior is fitted to the states of those runs. Raises InputError on an unknown dataset.
    """
    questions = list(select_questions(cursor, scope, Outcome()))
    found: dict[int, Groups] = {}
    for block in _blocks(questions):
        found.update(_groups(cursor, block, runs))
    prior = fit_prior(group for groups in found.values() for group in groups.values())
    chosen = _chosen(found, outcome, Rule(most, dead_below, prior))
    for block in _blocks([question for question in questions if chosen.get(question.question_id)]):
        homes = _homes(cursor, block)
        for tree in read_trees(cursor, block):
            for state in _growing(tree, chosen[tree.question.question_id], homes, round_size, most):
                outcome.rows += 1
                yield state


def _blocks(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    for start in range(0, len(questions), QUESTIONS_A_BLOCK):
        yield questions[start : start + QUESTIONS_A_BLOCK]


def _range(block: Sequence[Question]) -> dict[str, int]:
    return {"low": block[0].question_id, "high": block[-1].question_id}


def _groups(cursor: Cursor, block: Sequence[Question], runs: Sequence[int]) -> dict[int, Groups]:
    """The groups of the states that the runs sampled at, by question."""
    asked = {question.question_id for question in block}
    sampled = {
        state_id
        for (state_id,) in cursor.execute(
            "SELECT DISTINCT state_id FROM samples s JOIN actions a USING (action_id)"
            f" WHERE s.{RANGE} AND a.{RANGE} AND s.run_id IN (SELECT unnest($runs::INTEGER[]))",
            {**_range(block), "runs": list(runs)},
        ).fetchall()
    }
    found: dict[int, Groups] = defaultdict(dict)
    for question_id, state_id, *counts in cursor.execute(_GROUPS, _range(block)).fetchall():
        if question_id in asked and state_id in sampled:
            found[question_id][state_id] = Group(*map(int, counts))
    return found


def _chosen(found: dict[int, Groups], outcome: Outcome, rule: Rule) -> dict[int, Groups]:
    """The undecided groups; how the others stand goes into the outcome."""
    chosen: dict[int, Groups] = defaultdict(dict)
    for question_id, groups in found.items():
        for state_id, group in groups.items():
            outcome.considered += 1
            standing = rule.standing(group)
            if standing == "undecided":
                chosen[question_id][state_id] = group
            else:
                outcome.reasons[standing] += 1
    return chosen


def _homes(cursor: Cursor, block: Sequence[Question]) -> dict[int, str]:
    """For each sampled state the portable id of the first trajectory that was sampled there."""
    rows = cursor.execute(
        "SELECT state_id, arg_min(external_id, t.trajectory_id) FROM samples s"
        " JOIN actions a USING (action_id) JOIN trajectories t USING (trajectory_id)"
        f" WHERE s.{RANGE} AND a.{RANGE} AND t.{RANGE} GROUP BY state_id",
        _range(block),
    ).fetchall()
    return dict(rows)


def _growing(
    tree: QuestionTree, groups: Groups, homes: dict[int, str], round_size: int, most: int
) -> Iterator[GrowingState]:
    prefixes = tree.prefixes()
    for state in tree.states:
        group = groups.get(state.state_id)
        if group is not None:
            more = min(round_size, most - group.samples)
            yield GrowingState(
                tree.question, state.state_id, prefixes[state.state_id], homes[state.state_id], more
            )
