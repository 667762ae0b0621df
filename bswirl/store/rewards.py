"""Effective rewards and advantages (docs/method.md) as SQL over any scope of questions.

The verdict in force is the newest one of the judge with the lowest rank, the label in force of each auditor
that of bswirl/store/in_force.py. The override is the newest adjudicating 0 or 1, else the 0 or 1 on which
all labels in force agree; where they disagree it is a conflict, and the verdict stands.
advantage = R − Σ n·R / Σ n over the rewarded actions of the state, n counting samples.
"""

from __future__ import annotations

from bswirl.store.in_force import PLACE

ANSWER_JUDGE = "answer-check"

RANGE = "question_id BETWEEN $low AND $high"  # scopes; a question is found by the blocks' minima and maxima
STALE = "question_id IN (SELECT question_id FROM stale_questions)"

_SAMPLED = """
sampled AS (
  SELECT action_id, count(*) AS samples, count(*) FILTER (is_backbone) AS backbone, avg(logprob) AS logprob,
    avg(n_tokens) AS n_tokens
  FROM samples WHERE {scope} GROUP BY action_id)"""
_CURRENT = (
    f"""{_SAMPLED},"""
    + """
verdict_in_force AS (
  SELECT v.action_id, arg_min(v.reward, j.rank::BIGINT * 1099511627776 - v.verdict_id) AS reward,
    arg_min(j.name, j.rank::BIGINT * 1099511627776 - v.verdict_id) AS judge,
    arg_min(j.judge_id, j.rank::BIGINT * 1099511627776 - v.verdict_id) AS judge_id,
    arg_min_null(v.progress, j.rank::BIGINT * 1099511627776 - v.verdict_id) AS judge_progress
  FROM verdicts v JOIN judges j USING (judge_id)
  WHERE v.{scope} AND j.rank IS NOT NULL AND v.status = 'judged' AND v.reward IS NOT NULL
  GROUP BY v.action_id),
withdrawn AS (SELECT withdraws AS client_uid FROM labels WHERE {scope} AND withdraws IS NOT NULL),
label_in_force AS (
  SELECT action_id, auditor, arg_max(value, {place}) AS value, arg_max(adjudicates, {place}) AS adjudicates,
    arg_max(label_id, {place}) AS label_id
  FROM labels ANTI JOIN withdrawn USING (client_uid)
  WHERE {scope} AND value <> 'withdrawn' GROUP BY action_id, auditor),
override AS (
  SELECT action_id, arg_max(value, {place}) AS label, count(*) AS labels,
    count(DISTINCT value) FILTER (value IN ('0', '1')) AS opinions,
    arg_max(value, label_id) FILTER (adjudicates AND value IN ('0', '1')) AS adjudicated,
    max(value) FILTER (value IN ('0', '1')) AS opinion
  FROM label_in_force GROUP BY action_id),
effective AS (
  SELECT a.action_id, a.state_id, a.question_id, a.depth, a.is_answer, a.text,
    coalesce(n.samples, 0) AS samples, coalesce(n.backbone, 0) AS backbone, n.logprob, n.n_tokens,
    v.reward AS judge_reward, v.judge, v.judge_id, v.judge_progress, o.label, coalesce(o.labels, 0) AS labels,
    o.adjudicated IS NULL AND coalesce(o.opinions, 0) > 1 AS conflict,
    coalesce(o.adjudicated, CASE WHEN o.opinions = 1 THEN o.opinion END)::DOUBLE AS human_reward,
    coalesce(human_reward, v.reward) AS reward,
    CASE WHEN human_reward IS NOT NULL THEN 'human' WHEN v.reward IS NULL THEN NULL
      WHEN v.judge = 'answer-check' THEN 'answer' ELSE 'judge' END AS source
  FROM actions a LEFT JOIN sampled n USING (action_id) LEFT JOIN verdict_in_force v USING (action_id)
    LEFT JOIN override o USING (action_id)
  WHERE a.{scope})"""
)


def effective_rewards(scope: str) -> str:
    """The common table expressions up to `effective`: a row an action of the scope, for behind WITH."""
    return _CURRENT.replace("{place}", PLACE).replace("{scope}", scope)


ACTION_COLUMNS = (
    "action_id",
    "state_id",
    "depth",
    "is_answer",
    "text",
    "samples",
    "backbone",
    "logprob",
    "n_tokens",
    "judge_reward",
    "judge",
    "judge_id",
    "judge_progress",
    "human_reward",
    "reward",
    "source",
    "conflict",
    "label",
)


def sampled_actions(scope: str) -> str:
    """A query for every action of the scope: its question and the first of ACTION_COLUMNS, by number.

    What judges and people said of them is not looked at.
    """
    return (
        f"WITH {_SAMPLED.replace('{scope}', scope)}"
        " SELECT question_id, action_id, state_id, depth, is_answer, text, coalesce(samples, 0),"
        " coalesce(backbone, 0), logprob, n_tokens"
        f" FROM actions LEFT JOIN sampled USING (action_id) WHERE {scope} ORDER BY action_id"
    )


def actions_with_advantage(scope: str) -> str:
    """A query for every action of the scope: its question, ACTION_COLUMNS, and the advantage, by number."""
    return (
        f"WITH {effective_rewards(scope)} SELECT question_id, {', '.join(ACTION_COLUMNS)},"
        " reward - sum(reward * samples) FILTER (reward IS NOT NULL) OVER state"
        " / nullif(sum(samples) FILTER (reward IS NOT NULL) OVER state, 0) AS advantage"
        " FROM effective WINDOW state AS (PARTITION BY state_id) ORDER BY action_id"
    )
