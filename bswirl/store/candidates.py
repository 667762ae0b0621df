"""What siblings are compared by, beside their rewards: verdicts in force, log-prob shifts, prompts."""

from __future__ import annotations

from bswirl.records import ActionShift, QuestionShifts, StoredPrompt, Verdict
from bswirl.store.database import Cursor
from bswirl.store.trees import VERDICTS, verdict_of

_IN_FORCE = f"""
SELECT {VERDICTS} WHERE question_id = $question AND action_id IN
  (SELECT action_id FROM actions WHERE question_id = $question AND state_id = $state)
  AND rank IS NOT NULL AND status = 'judged' AND reward IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY action_id ORDER BY rank, verdict_id DESC) = 1
ORDER BY action_id"""
_MEASURED = """
WITH here AS (SELECT action_id FROM actions WHERE question_id = $question)
SELECT run_id, max(step) FROM shifts
WHERE action_id BETWEEN (SELECT min(action_id) FROM here) AND (SELECT max(action_id) FROM here)
  AND action_id IN (FROM here)
GROUP BY run_id ORDER BY run_id DESC"""
_SHIFTS = """
SELECT action_id, shift, n_tokens FROM shifts
WHERE run_id = $run AND step = $step
  AND action_id IN (SELECT action_id FROM actions WHERE question_id = $question)
ORDER BY action_id"""


def read_group_verdicts(cursor: Cursor, action_id: int) -> list[Verdict]:
    """The verdicts in force on an action and its siblings, by action; none for an unknown action."""
    place = cursor.execute(
        "SELECT question_id, state_id FROM actions WHERE action_id = ?::BIGINT", [action_id]
    ).fetchone()
    if place is None:
        return []
    rows = cursor.execute(_IN_FORCE, {"question": place[0], "state": place[1]}).fetchall()
    return [verdict_of(row) for row in rows]


def read_question_shifts(cursor: Cursor, question_id: int, run_id: int | None = None) -> QuestionShifts:
    """The last log-prob shifts of a question's actions by that run; by the newest that measured any."""
    last = dict(cursor.execute(_MEASURED, {"question": question_id}).fetchall())
    chosen = next(iter(last), None) if run_id is None else run_id
    if chosen not in last:
        return QuestionShifts(runs=tuple(last))
    found = cursor.execute(_SHIFTS, {"question": question_id, "run": chosen, "step": last[chosen]}).fetchall()
    return QuestionShifts(chosen, last[chosen], tuple(ActionShift(*row) for row in found), tuple(last))


def read_prompt(cursor: Cursor, sha: str) -> StoredPrompt | None:
    """The prompt of that hash, where a run stored it."""
    row = cursor.execute("SELECT sha, purpose, text FROM prompts WHERE sha = ?", [sha]).fetchone()
    return StoredPrompt(*row) if row else None
