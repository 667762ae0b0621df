"""A large store of made-up trees, written inside DuckDB: `python -m bswirl.store.synthetic PROJECT N`.

Each of N questions has one trajectory: two steps and an answer, with five candidates at each step;
their groups are live. For benchmarks; the owner of the project must not be running.
"""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

from bswirl.project import Project
from bswirl.store.database import open_database
from bswirl.store.judges import find_or_add_judge
from bswirl.store.mirror import Mirror
from bswirl.store.runs import register_run
from bswirl.store.statistics import refresh_statistics
from bswirl.store.writing import StoreWriter

CANDIDATES = 5
ACTIONS = 2 * CANDIDATES + 1  # of a question
_STATES = 3

_QUESTIONS = """
INSERT INTO questions (question_id, dataset, split, external_id, text, gold, solution)
SELECT q, 'made', 'train', format('q{}', q),
  format('A shop has {} boxes with {} pens in each, and sells 4 pens. How many pens are left?',
         q % 90 + 2, q % 70 + 3),
  format('{}', (q % 90 + 2) * (q % 70 + 3) - 4), NULL
FROM range(1, ? + 1) AS numbers(q)
"""
_TRAJECTORIES = """
INSERT INTO trajectories (trajectory_id, question_id, run_id, number, external_id, policy, answer, is_correct)
SELECT q, q, $run, 1, format('t{}', q), 'made', format('{}', (q % 90 + 2) * (q % 70 + 3) - 4), q % 3 = 0
FROM range(1, $questions + 1) AS numbers(q)
"""
_STATE_ROWS = f"""
INSERT INTO states (state_id, question_id, depth, parent_state_id, via_action_id)
SELECT (q - 1) * {_STATES} + d + 1, q, d, CASE WHEN d > 0 THEN (q - 1) * {_STATES} + d END,
  CASE WHEN d > 0 THEN (q - 1) * {ACTIONS} + (d - 1) * {CANDIDATES} + 1 END
FROM range(1, $questions + 1) AS numbers(q), range({_STATES}) AS depths(d) ORDER BY q, d
"""
_ACTION_ROWS = f"""
INSERT INTO actions (action_id, state_id, question_id, depth, is_answer, text)
SELECT (q - 1) * {ACTIONS} + k + 1, (q - 1) * {_STATES} + k // {CANDIDATES} + 1, q, k // {CANDIDATES} + 1,
  k = {ACTIONS - 1},
  CASE WHEN k = {ACTIONS - 1} THEN format('Answer: {{}}', (q % 90 + 2) * (q % 70 + 3) - 4)
  ELSE format('Step {{}}: the crates hold {{}}*{{}}={{}} pens in all, of which some are sold later on.',
              k // {CANDIDATES} + 1, q % 90 + 2 + k % {CANDIDATES}, q % 70 + 3,
              (q % 90 + 2 + k % {CANDIDATES}) * (q % 70 + 3)) END
FROM range(1, $questions + 1) AS numbers(q), range({ACTIONS}) AS places(k) ORDER BY q, k
"""
_SAMPLES = f"""
INSERT INTO samples (action_id, question_id, trajectory_id, step, branch_id, is_backbone, run_id, n_tokens,
                     logprob)
SELECT action_id, question_id, question_id, depth, (action_id - 1) % {ACTIONS} % {CANDIDATES},
  (action_id - 1) % {ACTIONS} % {CANDIDATES} = 0, $run, 24, -0.5 - (action_id % 40) / 10.0
FROM actions ORDER BY action_id
"""
_VERDICTS = f"""
INSERT INTO verdicts (verdict_id, action_id, question_id, run_id, judge_id, status, correct, progress, reward,
                      rationale, created_at)
SELECT action_id, action_id, question_id, $run, $judge, 'judged', action_id % {CANDIDATES} < 2, true,
  CAST(action_id % {CANDIDATES} < 2 AS DOUBLE), 'the operation is looked up in the gold solution',
  TIMESTAMP '2026-01-01 00:00:00'
FROM actions ORDER BY action_id
"""


def make_store(project: Project, questions: int) -> None:
    """Fills an empty project's store. Raises InputError where the store is open elsewhere."""
    database = open_database(project.store_file, project.state_folder / "tmp")
    mirrors = Mirror(project.labels_file), Mirror(project.draws_file)
    writer = StoreWriter(database, *mirrors)
    with writer.transaction():
        run = register_run(
            writer,
            run_uid=str(uuid.uuid4()),
            kind="import",
            name="made",
            config={},
            input_sha=None,
            created_by="bench",
            status="done",
        )
        judge = find_or_add_judge(writer, "reference")
        values = {"questions": questions, "run": run}
        writer.cursor.execute(_QUESTIONS, [questions])
        writer.cursor.execute(_TRAJECTORIES, values)
        writer.cursor.execute(_STATE_ROWS, {"questions": questions})
        writer.cursor.execute(_ACTION_ROWS, {"questions": questions})
        writer.cursor.execute(_SAMPLES, {"run": run})
        writer.cursor.execute(_VERDICTS, {"run": run, "judge": judge})
        writer.touch_everything("questions")
    refresh_statistics(writer)
    writer.cursor.close()
    database.close()
    for mirror in mirrors:
        mirror.close()


if __name__ == "__main__":
    make_store(Project.open(Path(sys.argv[1])), int(sys.argv[2]))
