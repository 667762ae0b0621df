"""Reading the audit's record: every label and random draw, and what the labels did to the advantages."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from bswirl.audit.records import AuditedItem, AuditRecord, Effect, Judged, Said, Vote
from bswirl.store.database import Cursor
from bswirl.store.draws import random_turns
from bswirl.store.in_force import PLACE
from bswirl.store.judges import list_judges
from bswirl.store.rewards import effective_rewards

SHOWN_TEXT = 300  # characters of a step

_LABELLED = "question_id IN (SELECT question_id FROM labels)"
_ASKED = "question_id IN (SELECT question_id FROM labels UNION SELECT question_id FROM audit_draws)"
_ASKED_ACTIONS = "(SELECT action_id FROM labels UNION SELECT action_id FROM audit_draws WHERE way = 'random')"
_ITEMS = (
    f"WITH {effective_rewards(_ASKED)},"
    " drawn AS (SELECT DISTINCT action_id, true AS drawn FROM audit_draws WHERE way = 'random'),"
    " marks AS (SELECT action_id, min(verdict_id) AS mark FROM verdicts"
    f"  WHERE {_ASKED} AND status = 'judged' AND reward IS NOT NULL GROUP BY action_id)"
    " SELECT e.action_id, e.question_id, q.dataset || ':' || q.external_id, q.dataset, e.depth, e.is_answer,"
    f" left(e.text, {SHOWN_TEXT}), mark, coalesce(drawn, false), e.judge_id, e.human_reward, e.conflict"
    " FROM effective e JOIN questions q USING (question_id) LEFT JOIN drawn USING (action_id)"
    f" LEFT JOIN marks USING (action_id) WHERE e.action_id IN {_ASKED_ACTIONS} ORDER BY e.action_id"
)
_SAID = (
    "SELECT action_id, judge_id, arg_max(reward, verdict_id) FROM verdicts"
    f" WHERE {_ASKED} AND status = 'judged' AND reward IS NOT NULL AND action_id IN {_ASKED_ACTIONS}"
    " GROUP BY action_id, judge_id ORDER BY action_id, judge_id"
)
_VOTES = (
    "WITH gone AS (SELECT withdraws AS client_uid, true AS withdrawn FROM labels"
    "  WHERE withdraws IS NOT NULL)"
    " SELECT action_id, label_id, client_uid, auditor, value,"
    "  withdrawn IS NULL AND row_number() OVER (PARTITION BY action_id, auditor, withdrawn IS NULL"
    f"   ORDER BY {PLACE} DESC) = 1 AS newest,"
    "  coalesce(withdrawn, false), blind, adjudicates, draw_id, seconds, coalesce(after_reveal, false),"
    "  repeats"
    " FROM labels LEFT JOIN label_facts USING (client_uid) LEFT JOIN gone USING (client_uid)"
    " WHERE value <> 'withdrawn' ORDER BY label_id"
)
_EFFECT = f"""
WITH {effective_rewards(_LABELLED)},
advantages AS (
  SELECT state_id, samples, reward, judge_reward, human_reward,
    coalesce(reward - sum(reward * samples) FILTER (reward IS NOT NULL) OVER state
      / nullif(sum(samples) FILTER (reward IS NOT NULL) OVER state, 0), 0) AS after,
    coalesce(judge_reward - sum(judge_reward * samples) FILTER (judge_reward IS NOT NULL) OVER state
      / nullif(sum(samples) FILTER (judge_reward IS NOT NULL) OVER state, 0), 0) AS before
  FROM effective WINDOW state AS (PARTITION BY state_id)),
groups AS (
  SELECT coalesce(min(judge_reward) <> max(judge_reward), false) AS before,
    coalesce(min(reward) <> max(reward), false) AS after FROM advantages GROUP BY state_id),
of_actions AS (
  SELECT count(*) FILTER (human_reward IS NOT NULL AND judge_reward IS DISTINCT FROM human_reward)
      AS overruled,
    count(*) FILTER (abs(after - before) > 1e-9) AS changed,
    sum(abs(after - before) * samples) FILTER (abs(after - before) > 1e-9)
      / nullif(sum(samples) FILTER (abs(after - before) > 1e-9), 0) AS mean_change
  FROM advantages),
of_groups AS (
  SELECT count(*) FILTER (before) AS before, count(*) FILTER (after) AS after,
    count(*) FILTER (after AND NOT before) AS revived, count(*) FILTER (before AND NOT after) AS died
  FROM groups)
SELECT overruled, changed, mean_change, before, after, revived, died FROM of_actions, of_groups
"""


_JUDGED = (
    "WITH said AS (SELECT action_id, bitstring_agg(judge_id, {low}, {high})::VARCHAR AS judges FROM verdicts"
    "  WHERE status = 'judged' AND reward IS NOT NULL GROUP BY action_id)"
    " SELECT q.dataset, a.depth, a.is_answer, judges, count(*) FROM said JOIN actions a USING (action_id)"
    " JOIN questions q USING (question_id) GROUP BY ALL ORDER BY ALL"
)


def read_record(cursor: Cursor, judged: tuple[Judged, ...] | None = None) -> AuditRecord:
    """The whole record. Statistics must be fresh for the number of live groups without labels to be.

    `judged` is what `read_judged` found, where that is known.
    """
    votes: defaultdict[int, list[Vote]] = defaultdict(list)
    for action_id, *values in cursor.execute(_VOTES).fetchall():
        votes[action_id].append(Vote(*values))
    said: defaultdict[int, list[Said]] = defaultdict(list)
    for action_id, judge_id, reward in cursor.execute(_SAID).fetchall():
        said[action_id].append(Said(judge_id, reward))
    items = []
    for row in cursor.execute(_ITEMS).fetchall():
        item = AuditedItem(*row)
        items.append(
            dataclasses.replace(item, votes=tuple(votes[item.action_id]), said=tuple(said[item.action_id]))
        )
    return AuditRecord(
        tuple(items),
        tuple(random_turns(cursor)),
        tuple(list_judges(cursor)),
        read_effect(cursor),
        read_judged(cursor) if judged is None else judged,
    )


def read_judged(cursor: Cursor) -> tuple[Judged, ...]:
    """How many actions of the project have readable verdicts, by kind and by who gave them."""
    row = cursor.execute("SELECT min(judge_id), max(judge_id) FROM verdicts").fetchone()
    if row is None or row[0] is None:
        return ()
    low, high = row
    found = cursor.execute(_JUDGED.format(low=low, high=high)).fetchall()
    return tuple(
        Judged(dataset, depth, is_answer, _judges(bits, low), actions)
        for dataset, depth, is_answer, bits, actions in found
    )


def _judges(bits: str, low: int) -> tuple[int, ...]:
    """Whose bits are set, the first being that of judge `low`."""
    return tuple(low + place for place, bit in enumerate(bits) if bit == "1")


def read_effect(cursor: Cursor) -> Effect:
    """What the labels in force did; live groups are those of the whole project."""
    row = cursor.execute(_EFFECT).fetchone()
    rest = cursor.execute(
        f"SELECT coalesce(sum(live_groups), 0) FROM question_stats WHERE NOT {_LABELLED}"
    ).fetchone()
    if row is None or rest is None:
        return Effect()
    overruled, changed, mean_change, before, after, revived, died = row
    live = int(rest[0])  # a label may have come since the statistics: its question is counted here
    return Effect(overruled, changed, mean_change, live + before, live + after, revived, died)
