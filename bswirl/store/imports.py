"""Bringing in questions and ready-made samples. What is there already is recognised and not stored twice."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.records import NewQuestion
from bswirl.store.bulk import insert_rows
from bswirl.store.database import storable, utc_now
from bswirl.store.forest import KnownTrajectory, KnownTree
from bswirl.store.journal_rows import Sampler
from bswirl.store.judges import find_or_add_judge
from bswirl.store.labels import NewLabel, add_labels
from bswirl.store.lookups import among, rows_for
from bswirl.store.planting import Planter, SampleFacts
from bswirl.store.runs import register_run, run_exists, save_standing, standing_of
from bswirl.store.writing import StoreWriter

IMPORTED = "imported"  # who judged or labelled where a file does not say
_NO_SAMPLER = Sampler(seed=None, temperature=None, prompt_sha=None)


@dataclass(slots=True)
class QuestionCounts:
    """What became of imported questions; `changed` are addresses whose stored content is another."""

    new: int = 0
    known: int = 0
    changed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class SampleCounts:
    """What became of imported samples."""

    new: int = 0
    known: int = 0
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    questions: int = 0
    verdicts: int = 0
    labels: int = 0
    run_id: int | None = None
    created_by: str = ""  # who imports

    def conflict(self, sample: PlacedSample, reason: str) -> None:
        """Notes a sample that contradicts the store."""
        self.conflicts.append({"line": sample.line, "reason": reason})


def import_questions(writer: StoreWriter, questions: Iterable[NewQuestion], counts: QuestionCounts) -> None:
    """Stores the questions that are new, in their order."""
    batch = [_clean(question) for question in questions]
    known = _known_questions(writer, batch)
    rows = []
    for question in batch:
        key = (question.dataset, question.external_id)
        content = (question.split, question.text, question.gold, question.solution)
        if key not in known:
            number = writer.numbers.next("questions")
            rows.append((number, question.dataset, question.split, question.external_id, *content[1:]))
            known[key] = (number, *content)
            counts.new += 1
        else:
            counts.known += 1
            if known[key][1:] != content:
                counts.changed.append(f"{question.dataset}:{question.external_id}")
    insert_rows(writer.cursor, "questions", rows)
    if rows:
        writer.touch("questions", questions=[row[0] for row in rows])


def import_samples(
    writer: StoreWriter, questions: Sequence[PlacedQuestion], name: str, run_uid: str, counts: SampleCounts
) -> None:
    """Stores the samples that are new as part of import run `run_uid`, with their verdicts and labels.

    The run is made with its first new sample, verdict or label. A sample is known by question, trajectory,
    step and branch.
    """
    fresh = QuestionCounts()
    import_questions(writer, [placed.question for placed in questions], fresh)
    counts.questions += fresh.new
    known = _known_questions(writer, [_clean(placed.question) for placed in questions])
    numbers = {key: row[0] for key, row in known.items()}
    trees = writer.forest.load(writer.cursor, set(numbers.values()))
    importer = _Importer(writer, name, run_uid, counts)
    for placed in questions:
        key = (storable(placed.question.dataset), storable(placed.question.external_id))
        importer.add(trees[numbers[key]], placed)
    importer.finish()


def end_import(writer: StoreWriter, counts: SampleCounts) -> None:
    """Ends the import's run, where it has one."""
    if counts.run_id is not None:
        _end(writer, counts.run_id, "done", None, {"new": counts.new, "known": counts.known})


def abandon_import(writer: StoreWriter, counts: SampleCounts, reason: str) -> None:
    """Ends the import's run as failed, where it has one; what it stored so far stays."""
    if counts.run_id is not None and run_exists(writer.cursor, counts.run_id):
        _end(writer, counts.run_id, "failed", reason, {})


def end_interrupted_imports(writer: StoreWriter) -> None:
    """Imports that were going on when an owner died did not finish."""
    for (run_id,) in writer.cursor.execute(
        "SELECT run_id FROM runs WHERE kind = 'import' AND status = 'running'"
    ).fetchall():
        _end(writer, run_id, "failed", "interrupted — import the file again: what is there is kept", {})


def _end(writer: StoreWriter, run_id: int, status: str, error: str | None, summary: dict[str, Any]) -> None:
    standing = standing_of(writer.cursor, run_id)
    standing.status, standing.error, standing.summary, standing.ended_at = status, error, summary, utc_now()
    standing.exit_code = 0 if error is None else 1
    save_standing(writer, standing)


def _clean(question: NewQuestion) -> NewQuestion:
    return NewQuestion(
        storable(question.dataset),
        question.split,
        storable(question.external_id),
        storable(question.text),
        None if question.gold is None else storable(question.gold),
        None if question.solution is None else storable(question.solution),
    )


def _known_questions(
    writer: StoreWriter, batch: Sequence[NewQuestion]
) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Number, split, text, gold and solution of those questions that are stored, by dataset and id."""
    rows = writer.cursor.execute(
        "SELECT dataset, external_id, question_id, split, text, gold, solution FROM questions"
        " JOIN (SELECT DISTINCT unnest(?::VARCHAR[]) AS dataset, unnest(?::VARCHAR[]) AS external_id)"
        " USING (dataset, external_id)",
        [[question.dataset for question in batch], [question.external_id for question in batch]],
    ).fetchall()
    return {(row[0], row[1]): row[2:] for row in rows}


class _Importer:
    """Adds placed samples within one transaction."""

    def __init__(self, writer: StoreWriter, name: str, run_uid: str, counts: SampleCounts) -> None:
        self._writer = writer
        self._name = name
        self._run_uid = run_uid
        self._counts = counts
        self._planter: Planter | None = None
        self._verdicts: list[tuple[Any, ...]] = []
        self._labels: list[tuple[PlacedSample, int]] = []
        self._pending_verdicts: list[tuple[PlacedSample, int, int]] = []

    def add(self, tree: KnownTree, placed: PlacedQuestion) -> None:
        """Adds a question's samples, each trajectory's in the order of its steps."""
        if storable(placed.question.text) != tree.text:
            for sample in placed.samples:
                self._counts.conflict(sample, "the question's text differs from the stored one")
            return
        backbones: dict[str, list[PlacedSample]] = {}
        for sample in placed.samples:
            if sample.is_backbone:
                backbones.setdefault(storable(sample.trajectory_id), []).append(sample)
        for sample in placed.samples:
            self._add_sample(tree, sample, backbones.get(storable(sample.trajectory_id), []))

    def finish(self) -> None:
        """Inserts everything collected."""
        if self._planter is not None:
            self._planter.flush()
        self._add_verdicts()
        self._add_labels()

    def _run(self) -> int:
        if self._counts.run_id is None:
            self._counts.run_id = register_run(
                self._writer,
                run_uid=self._run_uid,
                kind="import",
                name=self._name,
                config={"kind": "import", "name": self._name},
                input_sha=None,
                created_by=self._counts.created_by,
                status="running",
            )
        return self._counts.run_id

    def _planting(self) -> Planter:
        if self._planter is None:
            self._planter = Planter(self._writer, self._run())
        return self._planter

    def _add_sample(self, tree: KnownTree, sample: PlacedSample, backbone: Sequence[PlacedSample]) -> None:
        prefix = [storable(step) for step in sample.prefix]
        text = storable(sample.action)
        trajectory = tree.by_external_id.get(storable(sample.trajectory_id))
        if trajectory is not None:
            stored = tree.samples.get((trajectory.trajectory_id, sample.step, sample.branch_id))
            if stored is not None:
                if stored != _find(tree, prefix, text):
                    self._counts.conflict(sample, "another step is stored in this place of the trajectory")
                    return
                self._counts.known += 1
                self._note_opinions(sample, tree.question_id, stored)
                return
        planter = self._planting()
        if trajectory is None:
            trajectory = self._new_trajectory(planter, tree, sample, backbone)
        state_id = planter.walk(tree, prefix)
        action_id = planter.action(tree, state_id, len(prefix) + 1, text, is_answer=sample.is_answer)
        facts = SampleFacts(
            sample.step, sample.branch_id, sample.is_backbone, sample.n_tokens, sample.logprob, None
        )
        planter.sample(tree, trajectory, (state_id, action_id), facts, _NO_SAMPLER)
        self._counts.new += 1
        self._note_opinions(sample, tree.question_id, action_id)

    def _new_trajectory(
        self, planter: Planter, tree: KnownTree, sample: PlacedSample, backbone: Sequence[PlacedSample]
    ) -> KnownTrajectory:
        from bswirl.answers import plain_match, read_answer  # an owner starts without them

        stated = next((step.action for step in backbone if step.is_answer), None)
        answer = None if stated is None else read_answer(stated)
        return planter.trajectory(
            tree,
            sum(1 for run_id, _ in tree.trajectories if run_id == self._run()),
            storable(sample.trajectory_id),
            IMPORTED,
            answer=answer,
            is_correct=None if tree.gold is None or answer is None else plain_match(answer, tree.gold),
        )

    def _note_opinions(self, sample: PlacedSample, question_id: int, action_id: int) -> None:
        if sample.reward is not None:
            self._pending_verdicts.append((sample, question_id, action_id))
        if sample.label is not None:
            self._labels.append((sample, action_id))

    def _add_verdicts(self) -> None:
        """One verdict an action and judge, unless that judge said something of the action before."""
        if not self._pending_verdicts:
            return
        said = self._said_by_judges()
        rows = []
        for sample, question_id, action_id in self._pending_verdicts:
            judge = storable(sample.judge or IMPORTED)
            before = said.get((action_id, judge))
            if before is not None:
                if before != sample.reward:
                    self._counts.conflict(
                        sample, f"`{judge}` gave this step reward {before:g} before, {sample.reward:g} here"
                    )
                continue
            assert sample.reward is not None  # noqa: S101 - collected so
            said[action_id, judge] = sample.reward
            rows.append(
                (
                    self._writer.numbers.next("verdicts"),
                    action_id,
                    question_id,
                    self._run(),
                    find_or_add_judge(self._writer, judge, imported=True),
                    "judged",
                    None,
                    None,
                    sample.reward,
                    None if sample.rationale is None else storable(sample.rationale),
                    None,
                    None,
                    utc_now(),
                    *(None,) * 5,
                )
            )
        insert_rows(self._writer.cursor, "verdicts", rows)
        self._counts.verdicts += len(rows)
        if rows:
            self._writer.touch("verdicts", questions={row[2] for row in rows})

    def _said_by_judges(self) -> dict[tuple[int, str], float]:
        """The newest reward that each judge gave to each of the actions at hand."""
        rows = rows_for(
            self._writer.cursor,
            "SELECT action_id, name, arg_max(reward, verdict_id) FROM verdicts JOIN judges USING (judge_id)"
            f" WHERE {among('action_id')} AND status = 'judged' GROUP BY action_id, name",
            {action_id for _, _, action_id in self._pending_verdicts},
        )
        return {(action_id, name): reward for action_id, name, reward in rows}

    def _add_labels(self) -> None:
        """One label an action, auditor and value, also where it was withdrawn since."""
        if not self._labels:
            return
        rows = rows_for(
            self._writer.cursor,
            f"SELECT action_id, auditor, value FROM labels WHERE {among('action_id')}",
            {action_id for _, action_id in self._labels},
        )
        there = set(rows)
        new = []
        spoken = {(action_id, auditor) for action_id, auditor, _ in rows}
        for sample, action_id in self._labels:
            auditor = storable(sample.auditor or IMPORTED)
            if (action_id, auditor, sample.label) in there:
                continue
            if (action_id, auditor) in spoken:
                self._counts.conflict(sample, f"`{auditor}` labelled this step otherwise before")
                continue
            new.append(NewLabel(str(uuid.uuid4()), action_id, str(sample.label), auditor))
            there.add((action_id, auditor, sample.label))
            spoken.add((action_id, auditor))
        if new:
            self._run()
            add_labels(self._writer, new)
            self._counts.labels += len(new)


def _find(tree: KnownTree, prefix: Sequence[str], text: str) -> int | None:
    """The action of that text behind that prefix, where the tree has one."""
    state_id = tree.states.get(None)
    for step in prefix:
        if state_id is None:
            return None
        action_id = tree.actions.get((state_id, step))
        state_id = None if action_id is None else tree.states.get(action_id)
    return None if state_id is None else tree.actions.get((state_id, text))
