"""What a selection's filters leave of some questions, computed for all of them at once.

The results lie in temporary tables, which end with the caller's transaction: `chosen_actions` (the questions'
sampled actions with their effective rewards), `chosen_trajectories` (why each is left out; null: it is kept),
`own_steps` (which actions kept trajectories took themselves, and how often) and `chosen_groups` (each state,
whether it is live, and why it is left out).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bswirl.selections import Filters
from bswirl.store.database import Cursor
from bswirl.store.rewards import RANGE, effective_rewards

_CHOSEN = "question_id IN (SELECT question_id FROM chosen_questions)"
_ROUNDING = 1e-9  # of means, against a range's ends

_QUESTIONS = "CREATE OR REPLACE TEMP TABLE chosen_questions AS SELECT unnest($ids::INTEGER[]) AS question_id"

_ACTIONS = f"""
CREATE OR REPLACE TEMP TABLE chosen_actions AS
WITH {effective_rewards(_CHOSEN)}
SELECT question_id, state_id, action_id, is_answer, samples, reward FROM effective
WHERE samples > 0 ORDER BY question_id, action_id
"""

# Good is an effective reward of 1. An answer without a reward is right where it matched gold when it came in.
_TRAJECTORIES = f"""
CREATE OR REPLACE TEMP TABLE chosen_trajectories AS
WITH paths AS (
  SELECT s.trajectory_id, count(*) FILTER (NOT a.is_answer) AS steps,
    count(*) FILTER (NOT a.is_answer AND a.reward < 1) AS bad,
    count(*) FILTER (NOT a.is_answer AND a.reward IS NULL) AS unjudged,
    count(*) FILTER (a.is_answer) AS answers,
    arg_max(a.reward, s.step) FILTER (a.is_answer) AS answer_reward
  FROM samples s JOIN chosen_actions a USING (action_id)
  WHERE s.is_backbone AND s.{_CHOSEN} GROUP BY s.trajectory_id),
outcomes AS (
  SELECT t.question_id, paths.*, coalesce(answer_reward, t.is_correct::DOUBLE) AS outcome
  FROM paths JOIN trajectories t USING (trajectory_id) WHERE t.{_CHOSEN}),
unread AS (
  SELECT DISTINCT trajectory_id, true AS unread FROM unparsed WHERE branch_id IS NULL AND {_CHOSEN})
SELECT question_id, trajectory_id, CASE
    WHEN $process AND bad > 0 THEN 'trajectories with a bad step'
    WHEN $process AND (unjudged > 0 OR unread) THEN 'trajectories with an unjudged step'
    WHEN $process AND steps = 0 THEN 'trajectories without a step before the answer'
    WHEN $outcome AND answers = 0 THEN 'trajectories without an answer'
    WHEN $outcome AND outcome < 1 THEN 'trajectories with a wrong answer'
    WHEN $outcome AND outcome IS NULL THEN 'trajectories with an unchecked answer'
  END AS reason
FROM outcomes LEFT JOIN unread USING (trajectory_id)
"""

_OWN_STEPS = f"""
CREATE OR REPLACE TEMP TABLE own_steps AS
SELECT s.question_id, any_value(a.state_id) AS state_id, s.action_id, count(*) AS kept
FROM samples s JOIN chosen_trajectories t USING (trajectory_id) JOIN chosen_actions a USING (action_id)
WHERE s.is_backbone AND t.reason IS NULL AND s.{_CHOSEN}
GROUP BY s.question_id, s.action_id ORDER BY s.question_id, s.action_id
"""

_GROUPS = """
CREATE OR REPLACE TEMP TABLE chosen_groups AS
WITH groups AS (
  SELECT question_id, state_id, count(reward) AS rewarded, min(reward) <> max(reward) AS live,
    sum(reward * samples) AS reward_sum, sum(samples) FILTER (reward IS NOT NULL) AS rewarded_samples
  FROM chosen_actions GROUP BY question_id, state_id),
means AS (
  SELECT *, CASE WHEN $by_question
      THEN sum(reward_sum) OVER (PARTITION BY question_id)
        / sum(rewarded_samples) OVER (PARTITION BY question_id)
      ELSE reward_sum / rewarded_samples END AS mean
  FROM groups)
SELECT question_id, state_id, rewarded, live, CASE
    WHEN $trajectories AND state_id NOT IN (SELECT state_id FROM own_steps) THEN 'no trajectory'
    WHEN NOT $difficulty THEN NULL
    WHEN mean IS NULL THEN 'no mean'
    WHEN mean < $low THEN 'hard'
    WHEN mean > $high THEN 'easy'
  END AS reason
FROM means ORDER BY question_id, state_id
"""

_GROUPS_LEFT = "(SELECT state_id FROM chosen_groups WHERE reason IS NULL AND rewarded > 0)"


@dataclass(frozen=True, slots=True)
class Left:
    """What filters leave of one question."""

    states: list[int] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)  # own steps at these states, how often each


def apply_filters(cursor: Cursor, question_ids: Sequence[int], filters: Filters) -> None:
    """Computes what the filters leave of those questions. Call it in a transaction."""
    low, high = filters.difficulty or (0.0, 0.0)
    cursor.execute(_QUESTIONS, {"ids": list(question_ids)})
    cursor.execute(_ACTIONS)
    cursor.execute(
        _TRAJECTORIES,
        {"process": filters.filter in ("process", "both"), "outcome": filters.filter in ("outcome", "both")},
    )
    cursor.execute(_OWN_STEPS)
    cursor.execute(
        _GROUPS,
        {
            "trajectories": filters.filter != "none",
            "difficulty": filters.difficulty is not None,
            "by_question": filters.difficulty_by == "question",
            "low": low - _ROUNDING,
            "high": high + _ROUNDING,
        },
    )


def questions_left(cursor: Cursor) -> set[int]:
    """The questions that have a rewarded action left."""
    rows = cursor.execute(
        "SELECT DISTINCT question_id FROM chosen_groups WHERE reason IS NULL AND rewarded > 0"
    ).fetchall()
    return {question_id for (question_id,) in rows}


def left_out(cursor: Cursor, filters: Filters) -> dict[str, int]:
    """Trajectories, groups and questions that the filters leave out, by the first reason for it."""
    reasons = dict(
        cursor.execute(
            "SELECT reason, count(*) FROM chosen_trajectories WHERE reason IS NOT NULL GROUP BY reason"
            " ORDER BY reason"
        ).fetchall()
    )
    by_question = filters.difficulty_by == "question"
    for reason, groups, questions in cursor.execute(
        "SELECT reason, count(*), count(DISTINCT question_id) FROM chosen_groups"
        " WHERE reason IS NOT NULL AND rewarded > 0 GROUP BY reason ORDER BY reason DESC"
    ).fetchall():
        if reason == "no trajectory":
            reasons["groups on no kept trajectory"] = groups
        elif by_question:
            reasons[f"questions too {reason}"] = questions
        else:
            reasons[f"groups too {reason}"] = groups
    return reasons


def count_left(cursor: Cursor) -> dict[str, int]:
    """What is left, as SelectionCounts has it."""
    groups = cursor.execute(
        "SELECT count(DISTINCT question_id), count(*), count(*) FILTER (live), count(*) FILTER (NOT live)"
        " FROM chosen_groups WHERE reason IS NULL AND rewarded > 0"
    ).fetchone()
    actions = cursor.execute(
        "SELECT count(*), coalesce(sum(samples), 0), count(kept), coalesce(sum(kept), 0)"
        f" FROM chosen_actions SEMI JOIN {_GROUPS_LEFT} USING (state_id)"
        " LEFT JOIN own_steps USING (action_id) WHERE reward IS NOT NULL"
    ).fetchone()
    trajectories = cursor.execute(
        "SELECT count(DISTINCT trajectory_id) FROM samples s JOIN chosen_trajectories t USING (trajectory_id)"
        " JOIN chosen_actions a USING (action_id)"
        f" WHERE s.is_backbone AND t.reason IS NULL AND s.{_CHOSEN}"
        f" AND a.state_id IN (SELECT state_id FROM {_GROUPS_LEFT})"
    ).fetchone()
    names = ("questions", "groups", "live_groups", "dead_groups")
    of_actions = ("actions", "samples", "own_actions", "own_samples")
    return {
        **dict(zip((*names, *of_actions), map(int, (*(groups or ()), *(actions or ()))), strict=True)),
        "trajectories": int(trajectories[0]) if trajectories else 0,
    }


def read_left(cursor: Cursor, low: int, high: int) -> dict[int, Left]:
    """What is left of each question from number `low` to `high`, where something is."""
    found: defaultdict[int, Left] = defaultdict(Left)
    scope: dict[str, Any] = {"low": low, "high": high}
    for question_id, state_id in cursor.execute(
        f"SELECT question_id, state_id FROM chosen_groups WHERE {RANGE} AND reason IS NULL ORDER BY state_id",
        scope,
    ).fetchall():
        found[question_id].states.append(state_id)
    for question_id, action_id, kept in cursor.execute(
        "SELECT question_id, action_id, kept FROM own_steps"
        f" SEMI JOIN (SELECT state_id FROM chosen_groups WHERE {RANGE} AND reason IS NULL) USING (state_id)"
        f" WHERE {RANGE} ORDER BY action_id",
        scope,
    ).fetchall():
        found[question_id].kept.append((action_id, kept))
    return dict(found)
