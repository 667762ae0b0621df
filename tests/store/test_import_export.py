"""Samples in and out: the same rows come back, nothing comes twice, contradictions are named."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.interchange import PlacedQuestion, PlacedSample, SampleRow
from bswirl.records import NewQuestion
from bswirl.store.exports import export_samples
from bswirl.store.imports import (
    QuestionCounts,
    SampleCounts,
    end_import,
    end_interrupted_imports,
    import_questions,
    import_samples,
)
from bswirl.store.judges import apply_ranking
from bswirl.store.runs import find_run
from bswirl.store.trees import read_tree
from tests.store.kit import Kit, branches, kit_in, memory_folder, trajectory, verdict

UID = "11111111-2222-4333-8444-55555555555{}"


def bring(kit: Kit, *placed: PlacedQuestion, number: int = 0) -> SampleCounts:
    counts = SampleCounts()
    with kit.writer.transaction():
        import_samples(kit.writer, placed, "file.jsonl", UID.format(number), counts)
    with kit.writer.transaction():
        end_import(kit.writer, counts)
    return counts


def placed(rows: list[SampleRow]) -> list[PlacedQuestion]:
    """Exported rows as a reader would place them (its own way of finding the prefix is not at stake here)."""
    by_question: dict[str, list[SampleRow]] = defaultdict(list)
    for row in rows:
        by_question[row.question_id].append(row)
    found = []
    for name, samples in by_question.items():
        first = samples[0]
        text = min((row.state for row in samples), key=len)
        found.append(
            PlacedQuestion(
                NewQuestion(first.dataset or "", first.split or "", name, text, first.gold, first.solution),
                tuple(
                    PlacedSample(
                        trajectory_id=row.trajectory_id or "",
                        step=row.step,
                        branch_id=row.branch_id,
                        is_backbone=row.is_backbone,
                        prefix=tuple(row.state[len(text) + 1 :].split("\n")) if row.step > 1 else (),
                        action=row.action,
                        is_answer=row.action.startswith("Answer"),
                        reward=row.reward,
                        judge=row.judge,
                        rationale=row.rationale,
                        label=row.label,
                        auditor=row.auditor,
                        logprob=row.logprob,
                        n_tokens=row.n_tokens,
                        line=line,
                    )
                    for line, row in enumerate(samples, start=1)
                ),
            )
        )
    return found


def sample(step: int, action: str, *prefix: str, branch: int = 0, **more: Any) -> PlacedSample:
    return PlacedSample(
        trajectory_id="t1",
        step=step,
        branch_id=branch,
        is_backbone=branch == 0,
        prefix=prefix,
        action=action,
        is_answer=action.startswith("Answer"),
        line=step * 10 + branch,
        **more,
    )


QUESTION = NewQuestion("toy", "train", "q1", "How many?", "24", None)


class TestQuestions:
    def test_known_questions_are_left_alone(self, kit: Kit) -> None:
        """Again gives nothing new; other content under the same name is named."""
        counts = QuestionCounts()
        other = NewQuestion("toy", "train", "q1", "How many then?", "24", None)
        more = NewQuestion("toy", "test", "q2", "x\ud800", None, None)
        with kit.writer.transaction():
            import_questions(kit.writer, [QUESTION, QUESTION, more], counts)
        with kit.writer.transaction():
            import_questions(kit.writer, [QUESTION, other, more], counts)
        assert (counts.new, counts.known, counts.changed) == (2, 4, ["toy:q1"])
        assert kit.all("SELECT question_id, text FROM questions ORDER BY 1") == [
            (1, "How many?"),
            (2, "x\ufffd"),
        ]


class TestSamples:
    def test_importing_twice_adds_nothing(self, kit: Kit) -> None:
        """Samples, verdicts and labels are recognised; no second run appears."""
        rows = PlacedQuestion(
            QUESTION,
            (
                sample(1, "a", reward=1.0, judge="llm", rationale="fine", label="0", auditor="ann"),
                sample(1, "b", branch=1, reward=0.0, judge="llm"),
                sample(2, "Answer: 24", "a", reward=1.0, judge="answer-check"),
            ),
        )
        first = bring(kit, rows)
        assert (first.new, first.known, first.conflicts) == (3, 0, [])
        assert (first.questions, first.verdicts, first.labels, first.run_id) == (1, 3, 1, 1)
        again = bring(kit, rows, number=1)
        assert (again.new, again.known, again.conflicts, again.run_id) == (0, 3, [], None)
        assert (again.verdicts, again.labels) == (0, 0)
        run = find_run(kit.cursor, kit.folder, 1)
        assert (run.kind, run.status, run.name, run.summary) == (
            "import",
            "done",
            "file.jsonl",
            {"new": 3, "known": 0},
        )
        assert kit.all("SELECT external_id, answer, is_correct FROM trajectories") == [("t1", "24", True)]

    def test_imported_judges_rank_last(self, kit: Kit) -> None:
        """They decide where nobody ranked did; the settings' own judge of that name goes before."""
        with kit.writer.transaction():
            apply_ranking(kit.writer, ["answer-check", "reference"])
        bring(
            kit,
            PlacedQuestion(
                QUESTION,
                (
                    sample(1, "a", reward=0.0, judge="llm"),
                    sample(1, "b", branch=1, reward=0.0, judge="reference"),
                ),
            ),
        )
        rewards = {a.text: (a.reward, a.judge) for a in read_tree(kit.cursor, 1).actions}
        assert rewards == {"a": (0.0, "llm"), "b": (0.0, "reference")}
        kit.feed(kit.run("judge", 2), verdict(1, 1.0), verdict(2, 1.0))
        rewards = {a.text: (a.reward, a.judge) for a in read_tree(kit.cursor, 1).actions}
        assert rewards == {"a": (1.0, "reference"), "b": (1.0, "reference")}

    def test_contradictions_are_named_by_line(self, kit: Kit) -> None:
        """Another step in the same place, another reward, label or question: left out, with the reason."""
        bring(
            kit,
            PlacedQuestion(QUESTION, (sample(1, "a", reward=1.0, judge="llm", label="1", auditor="ann"),)),
        )
        counts = bring(
            kit,
            PlacedQuestion(
                QUESTION,
                (
                    sample(1, "other", reward=1.0),
                    sample(1, "a", branch=1, reward=0.0, judge="llm", label="0", auditor="ann"),
                ),
            ),
            PlacedQuestion(NewQuestion("toy", "train", "q1", "Another text"), (sample(1, "a", branch=5),)),
            number=1,
        )
        assert [conflict["line"] for conflict in counts.conflicts] == [10, 15, 11, 11]
        reasons = " ".join(conflict["reason"] for conflict in counts.conflicts)
        for words in (
            "another step is stored",
            "text differs",
            "reward 1 before, 0 here",
            "labelled this step otherwise",
        ):
            assert words in reasons
        assert counts.new == 1

    def test_a_withdrawn_label_stays_withdrawn(self, kit: Kit) -> None:
        """Importing the same file again does not bring it back."""
        rows = PlacedQuestion(QUESTION, (sample(1, "a", label="1", auditor="ann"),))
        bring(kit, rows)
        kit.label(1, "withdrawn", "ann")
        assert bring(kit, rows, number=1).labels == 0
        assert read_tree(kit.cursor, 1).actions[0].label is None

    def test_a_prefix_without_samples_is_there(self, kit: Kit) -> None:
        """Steps that only the state's text knows become actions without samples."""
        bring(kit, PlacedQuestion(QUESTION, (sample(3, "c", "a", "b"),)))
        tree = read_tree(kit.cursor, 1)
        assert [(a.text, a.samples) for a in tree.actions] == [("a", 0), ("b", 0), ("c", 1)]
        assert len(tree.states) == 3

    def test_an_interrupted_import_is_failed_at_the_next_start(self, kit: Kit) -> None:
        """Its samples stay, and importing again completes it."""
        counts = SampleCounts()
        with kit.writer.transaction():
            import_samples(
                kit.writer, [PlacedQuestion(QUESTION, (sample(1, "a"),))], "f", UID.format(0), counts
            )
        with kit.writer.transaction():
            end_interrupted_imports(kit.writer)
        run = find_run(kit.cursor, kit.folder, 1)
        assert run.status == "failed"
        assert "import the file again" in (run.error or "")


class TestRoundTrip:
    @settings(max_examples=5, deadline=None)
    @given(st.integers(0, 10**9))
    def test_export_import_export_is_the_same(self, seed: int) -> None:
        """Generated, judged and labelled samples come back row for row, order and floats included."""
        with memory_folder() as folder:
            self.round_trip(folder, random.Random(seed))

    def round_trip(self, folder: Path, rng: random.Random) -> None:
        (folder / "b").mkdir()
        with kit_in(folder) as kit:
            kit.questions(3)
            with kit.writer.transaction():
                apply_ranking(kit.writer, ["answer-check", "reference"])
            rows = []
            for question in (1, 3):
                for number in range(2):
                    steps = [
                        rng.choice(["x", "y ", "[/b]", "\x1b[0m", "é"]) for _ in range(rng.randint(0, 3))
                    ]
                    row = trajectory(question, number, *steps, "Answer: 24")
                    for step in row["steps"]:
                        step["logprob"] = -rng.random() * 100
                    rows.append(row)
                    rows.append(branches(question, number, 1, "x", "z", "z"))
            kit.feed(kit.run(), *rows)
            actions = [number for (number,) in kit.all("SELECT action_id FROM actions")]
            kit.feed(
                kit.run("judge", 2),
                *(verdict(rng.choice(actions), rng.choice([0.0, 1.0, 0.1])) for _ in range(8)),
            )
            for _ in range(6):
                kit.label(rng.choice(actions), rng.choice(["0", "1", "unsure"]), rng.choice(["ann", "bob"]))
            exported = list(export_samples(kit.cursor))
            effective = {
                (row.state, row.action): float(row.label) if row.label in ("0", "1") else row.reward
                for row in exported
            }
            for question in (1, 3):
                tree = read_tree(kit.cursor, question)
                for action in tree.actions:
                    state = "\n".join((tree.question.text, *tree.prefixes()[action.state_id]))
                    assert effective[state, action.text] == action.reward
        with kit_in(folder / "b") as kit:
            counts = bring(kit, *placed(exported))
            assert counts.conflicts == []
            assert counts.new == len(exported)
            assert list(export_samples(kit.cursor)) == exported
            assert list(export_samples(kit.cursor, "toy")) == exported
