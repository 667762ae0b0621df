"""Journals into the store, exactly once: rows and the new byte offset land in one transaction."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from bswirl.store.bulk import insert_rows
from bswirl.store.database import FATAL_ERRORS, storable, utc_now
from bswirl.store.fields import INT64, Fields, RowError
from bswirl.store.forest import KnownTrajectory, KnownTree
from bswirl.store.journal_rows import (
    AnswerRow,
    BranchesRow,
    GrownRow,
    MetricsRow,
    PromptRow,
    ShiftsRow,
    TrajectoryRow,
    VerdictRow,
    parse_answer,
    parse_branches,
    parse_grown,
    parse_metrics,
    parse_prompt,
    parse_shifts,
    parse_trajectory,
    parse_verdict,
)
from bswirl.store.judges import find_or_add_judge
from bswirl.store.lookups import questions_of_actions
from bswirl.store.planting import Planter, SampleFacts
from bswirl.store.runs import save_standing, standing_of
from bswirl.store.standing import STANDING_ROWS, note_work
from bswirl.store.writing import StoreWriter

MAX_LINE_KEPT = 10_000  # characters of a bad line

Parsed = TrajectoryRow | BranchesRow | GrownRow | VerdictRow | MetricsRow | ShiftsRow | AnswerRow | PromptRow

_PARSERS: dict[str, Callable[[dict[str, Any]], Parsed]] = {
    "trajectory": parse_trajectory,
    "branches": parse_branches,
    "grown": parse_grown,
    "verdict": parse_verdict,
    "metrics": parse_metrics,
    "shifts": parse_shifts,
    "answer": parse_answer,
    "prompt": parse_prompt,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line of a journal, without its end, and where it begins."""

    offset: int
    data: bytes


def split_lines(data: bytes, offset: int) -> list[Line]:
    """The whole lines of a piece of a journal that begins at `offset`; a torn last one is left out."""
    lines = []
    for piece in data.split(b"\n")[:-1]:
        lines.append(Line(offset, piece))
        offset += len(piece) + 1
    return lines


def ingested_up_to(writer: StoreWriter, run_id: int) -> int:
    """The byte offset in the run's journal up to which it is in the store."""
    row = writer.cursor.execute(
        "SELECT byte_offset FROM ingest_offsets WHERE run_id = ?", [run_id]
    ).fetchone()
    return int(row[0]) if row else 0


def ingest(writer: StoreWriter, run_id: int, lines: Sequence[Line], end: int) -> None:
    """Stores lines of a run's journal and the offset `end` behind them; call it in no transaction.

    Does nothing where the store is not at the first of these lines. Lines that cannot be used go to
    ingest_errors and stop no other.
    """
    if not lines or ingested_up_to(writer, run_id) != lines[0].offset:
        return
    try:
        with writer.transaction():
            _Batch(writer, run_id).take(lines, end)
    except FATAL_ERRORS:
        raise
    except (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError) as error:
        if len(lines) == 1:
            _log.exception("run %d: journal line at byte %d", run_id, lines[0].offset)
            with writer.transaction():
                batch = _Batch(writer, run_id)
                batch.refuse(lines[0], f"the store refused it: {str(error).splitlines()[0]}")
                batch.finish(1, end)
            return
        ends = [line.offset for line in lines[1:]] + [end]
        for line, line_end in zip(lines, ends, strict=True):
            ingest(writer, run_id, [line], line_end)


class _Batch:
    """The lines of one transaction."""

    def __init__(self, writer: StoreWriter, run_id: int) -> None:
        self._writer = writer
        self._run_id = run_id
        self._now = utc_now()
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._planter = Planter(writer, run_id)
        self._standing = standing_of(writer.cursor, run_id)
        self._moved = False  # whether the standing changed
        self._trees: dict[int, KnownTree] = {}
        self._judged: set[int] = set()  # the actions that verdicts are about
        self._question_of: dict[int, int] = {}  # by action
        self._judges: dict[tuple[str, str, str], int] = {}

    def take(self, lines: Sequence[Line], end: int) -> None:
        read = [(line, *_read(line)) for line in lines if line.data.strip()]
        self._load([row for _, row, _ in read])
        for line, row, error in read:
            problem = error or self._problem_with(row)
            if problem:
                self.refuse(line, problem)
        self.finish(len(lines), end)

    def _problem_with(self, row: Any) -> str | None:
        """Takes a row; why not, where it cannot be used."""
        try:
            self._take_row(row)
        except RowError as error:
            return str(error)
        return None

    def refuse(self, line: Line, reason: str) -> None:
        text = storable(line.data.decode("utf-8", "replace"))[:MAX_LINE_KEPT]
        self._rows["ingest_errors"].append((self._run_id, line.offset, text, storable(reason), self._now))

    def finish(self, count: int, end: int) -> None:
        self._planter.flush()
        for table, rows in self._rows.items():
            insert_rows(self._writer.cursor, table, rows)
        if self._rows["verdicts"]:
            self._writer.touch("verdicts", questions={row[2] for row in self._rows["verdicts"]})
        if self._rows["metrics"] or self._rows["shifts"] or self._rows["answers"]:
            self._writer.touch("metrics", runs=[self._run_id])
        if self._rows["ingest_errors"]:
            self._writer.touch("runs", runs=[self._run_id])
        if self._moved:
            save_standing(self._writer, self._standing)
        self._writer.cursor.execute(
            "UPDATE ingest_offsets SET byte_offset = ?, n_rows = n_rows + ? WHERE run_id = ?",
            [end, count, self._run_id],
        )

    def _load(self, rows: Sequence[Any]) -> None:
        """Reads what the rows lean on in one go."""
        on_trees = TrajectoryRow | BranchesRow | GrownRow | AnswerRow
        questions = {row.question_id for row in rows if isinstance(row, on_trees)}
        if questions:
            self._trees = self._writer.forest.load(self._writer.cursor, questions)
        self._judged = {row.action_id for row in rows if isinstance(row, VerdictRow)}
        self._look_up_judged()

    def _look_up_judged(self) -> None:
        """Reads which questions the judged actions belong to."""
        self._question_of = questions_of_actions(self._writer.cursor, self._judged)

    def _take_row(self, row: Any) -> None:
        match row:
            case TrajectoryRow():
                self._trajectory(row)
            case BranchesRow():
                self._branches(row)
            case GrownRow():
                self._grown(row)
            case VerdictRow():
                self._verdict(row)
            case MetricsRow():
                self._rows["metrics"] += [
                    (self._run_id, row.step, name, value, self._now) for name, value in row.values
                ]
            case ShiftsRow():
                self._rows["shifts"] += [(self._run_id, row.step, *shift) for shift in row.shifts]
            case AnswerRow():
                self._tree(row.question_id)
                self._rows["answers"].append(
                    (
                        self._run_id,
                        row.question_id,
                        row.text,
                        row.strict,
                        row.flexible,
                        row.is_correct,
                        row.n_tokens,
                    )
                )
            case PromptRow():
                self._writer.cursor.execute(
                    "INSERT OR IGNORE INTO prompts VALUES (?, ?, ?)", [row.sha, row.purpose, row.text]
                )
            case dict():
                self._standing_row(row)
                return
        self._moved |= note_work(self._standing)

    def _standing_row(self, row: dict[str, Any]) -> None:
        kind = str(row.get("t"))
        if kind == "resume":
            self._resume(Fields(row).integer("from_step", high=INT64))
        elif kind in STANDING_ROWS:
            STANDING_ROWS[kind](self._standing, Fields(row))
            self._moved = True
        elif kind not in ("checkpoint", "best"):  # the run's own business
            raise RowError(f"rows of kind `{kind}` are unknown here")

    def _resume(self, from_step: int) -> None:
        """Rows of earlier attempts beyond the step that a training run goes on from are void."""
        for table in ("metrics", "shifts"):
            self._rows[table] = [row for row in self._rows[table] if row[1] <= from_step]
            self._writer.cursor.execute(
                f"DELETE FROM {table} WHERE run_id = ? AND step > ?", [self._run_id, from_step]
            )
        self._writer.touch("metrics", runs=[self._run_id])

    def _tree(self, question_id: int) -> KnownTree:
        tree = self._trees.get(question_id)
        if tree is None:
            raise RowError(f"there is no question {question_id}")
        return tree

    def _trajectory(self, row: TrajectoryRow) -> None:
        tree = self._tree(row.question_id)
        if (self._run_id, row.number) in tree.trajectories:
            raise RowError(f"trajectory {row.number} of question {row.question_id} is there already")
        trajectory = self._planter.trajectory(
            tree,
            row.number,
            self._external_id(tree, row.number),
            row.policy,
            answer=row.answer,
            is_correct=row.is_correct,
        )
        place: tuple[int, int] | None = None
        for number, step in enumerate(row.steps, start=1):
            if place is None:
                state_id = self._planter.first_state(tree)
            else:
                state_id = self._planter.state_after(tree, place, number - 1)
            action_id = self._planter.action(tree, state_id, number, step.text, is_answer=step.is_answer)
            place = (state_id, action_id)
            facts = SampleFacts(number, 0, True, step.n_tokens, step.logprob, step.finish, step.tokens)
            self._planter.sample(tree, trajectory, place, facts, row.sampler)
        if row.unparsed:
            self._planter.unparsed(tree, trajectory, row.unparsed.text)

    def _branches(self, row: BranchesRow) -> None:
        tree = self._tree(row.question_id)
        trajectory = tree.trajectories.get((self._run_id, row.number))
        if trajectory is None:
            raise RowError(f"question {row.question_id} has no trajectory {row.number} in this run")
        taken = {sample.branch_id for sample in row.samples}
        if len(taken) != len(row.samples) or any(
            (trajectory.trajectory_id, row.step, branch_id) in tree.samples for branch_id in taken
        ):
            raise RowError(f"step {row.step} of trajectory {row.number} has such a branch already")
        if row.step in trajectory.path:
            state_id = trajectory.path[row.step][0]
        elif row.step - 1 in trajectory.path:
            state_id = self._planter.state_after(tree, trajectory.path[row.step - 1], row.step - 1)
        elif row.step == 1:
            state_id = self._planter.first_state(tree)
        else:
            raise RowError(f"trajectory {row.number} has no step {row.step - 1}")
        self._plant(tree, trajectory, state_id, row, 0)

    def _grown(self, row: GrownRow) -> None:
        """Further samples at a state of an earlier run; their numbers go on from what its step has."""
        tree = self._tree(row.question_id)
        trajectory = tree.by_external_id.get(row.trajectory)
        if trajectory is None:
            raise RowError(f"question {row.question_id} has no trajectory `{row.trajectory}`")
        if row.state_id not in tree.states.values():
            raise RowError(f"question {row.question_id} has no state {row.state_id}")
        taken = {
            branch_id
            for trajectory_id, step, branch_id in tree.samples
            if (trajectory_id, step) == (trajectory.trajectory_id, row.step)
        }
        if not taken:
            raise RowError(f"trajectory `{row.trajectory}` has no step {row.step}")
        if len({sample.branch_id for sample in row.samples}) != len(row.samples):
            raise RowError(f"two samples of state {row.state_id} have the same number")
        self._plant(tree, trajectory, row.state_id, row, max(taken))

    def _plant(
        self,
        tree: KnownTree,
        trajectory: KnownTrajectory,
        state_id: int,
        row: BranchesRow | GrownRow,
        first: int,
    ) -> None:
        """The samples of a row as branches at a state; `first` is added to their numbers."""
        for sample in row.samples:
            action_id = self._planter.action(
                tree, state_id, row.step, sample.text, is_answer=sample.is_answer
            )
            facts = SampleFacts(
                row.step,
                first + sample.branch_id,
                False,
                sample.n_tokens,
                sample.logprob,
                sample.finish,
                sample.tokens,
            )
            self._planter.sample(tree, trajectory, (state_id, action_id), facts, row.sampler)
        for item in row.unparsed:
            branch_id = None if item.branch_id is None else first + item.branch_id
            self._planter.unparsed(
                tree, trajectory, item.text, step=row.step, branch_id=branch_id, finish=item.finish
            )

    def _external_id(self, tree: KnownTree, number: int) -> str:
        """A name for the trajectory that no other of the question has."""
        uid = self._standing.run_uid
        for shown in (uid[:8], uid):
            name = f"{shown}-{tree.external_id}-{number}"
            if name not in tree.by_external_id:
                return name
        raise RowError(f"trajectory {number} of {tree.external_id} was imported before")

    def _verdict(self, row: VerdictRow) -> None:
        if row.action_id not in self._question_of and self._planter.touched:
            self._planter.flush()
            self._look_up_judged()
        question_id = self._question_of.get(row.action_id)
        if question_id is None:
            raise RowError(f"there is no action {row.action_id}")
        key = (row.judge, row.model, row.prompt_sha)
        if key not in self._judges:
            self._judges[key] = find_or_add_judge(self._writer, *key)
        self._rows["verdicts"].append(
            (
                self._writer.numbers.next("verdicts"),
                row.action_id,
                question_id,
                self._run_id,
                self._judges[key],
                row.status,
                row.correct,
                row.progress,
                row.reward,
                row.rationale,
                row.raw,
                row.latency_ms,
                self._now,
                row.votes,
                row.cost,
                row.prompt_tokens,
                row.completion_tokens,
                row.duplicate_of,
            )
        )


def _read(line: Line) -> tuple[Any, str | None]:
    """A line as a checked row (a plain dict where it is about the run itself), or why it is none."""
    try:
        row = json.loads(line.data)
    except (ValueError, RecursionError) as error:
        return None, f"not valid JSON: {error}"
    if not isinstance(row, dict):
        return None, "not a JSON object"
    parser = _PARSERS.get(str(row.get("t")))
    if parser is None:
        return row, None
    try:
        return parser(row), None
    except RowError as error:
        return None, str(error)
