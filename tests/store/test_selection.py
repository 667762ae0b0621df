"""What new runs get to work on, and what they are told was left out."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.errors import InputError, UsageError
from bswirl.records import FrozenTree, Question
from bswirl.store.judges import apply_ranking
from bswirl.store.selection import (
    Outcome,
    Scope,
    held_out,
    select_questions,
    select_to_judge,
    select_to_train,
)
from tests.store.kit import Kit, branches, trajectory, verdict


@pytest.fixture
def seeded(kit: Kit) -> Kit:
    """Six training questions, two test ones, two of another dataset; the first five sampled."""
    kit.questions(6)
    kit.questions(2, dataset="other")
    with_test = kit.writer
    del with_test
    kit.database.execute("INSERT INTO questions VALUES (9, 'toy', 'test', 't1', 'T1', '24', NULL)")
    kit.database.execute("INSERT INTO questions VALUES (10, 'toy', 'test', 't2', 'T2', NULL, NULL)")
    run = kit.run()
    for question in (1, 2, 3, 4, 5, 9, 10):
        kit.feed(run, trajectory(question, 0, f"a{question}", "Answer: 24"), branches(question, 0, 1, "b"))
    with kit.writer.transaction():
        apply_ranking(kit.writer, ["answer-check", "reference"])
    return kit


def judge(kit: Kit, scope: Scope | None = None, **options: Any) -> tuple[list[FrozenTree], dict[str, Any]]:
    outcome = Outcome()
    rows = list(select_to_judge(kit.cursor, scope or Scope(), outcome, **{"judge": "reference", **options}))
    return rows, outcome.to_json()


def texts(rows: list[FrozenTree]) -> list[str]:
    return [a.text for row in rows for a in row.tree.actions if a.action_id in row.selected]


class TestQuestions:
    def ids(self, kit: Kit, scope: Scope, **options: Any) -> tuple[list[int], dict[str, Any]]:
        outcome = Outcome()
        found = [q.question_id for q in select_questions(kit.cursor, scope, outcome, **options)]
        return found, outcome.to_json()

    def test_dataset_split_and_limit(self, seeded: Kit) -> None:
        """In the order of their numbers, with what each filter left out."""
        found, outcome = self.ids(seeded, Scope("toy", ("train",), 4))
        assert found == [1, 2, 3, 4]
        assert outcome == {
            "rows": 4,
            "considered": 10,
            "reasons": {"other dataset": 2, "other split": 2, "beyond the limit": 2},
        }

    def test_evaluation_prefers_the_test_split(self, seeded: Kit) -> None:
        """Where there is one and none was asked for."""
        assert self.ids(seeded, Scope("toy"), prefer_test=True)[0] == [9, 10]
        assert self.ids(seeded, Scope("other"), prefer_test=True)[0] == [7, 8]
        assert self.ids(seeded, Scope("toy", ("train",)), prefer_test=True)[0] == [1, 2, 3, 4, 5, 6]

    def test_names_that_do_not_exist(self, seeded: Kit) -> None:
        """Datasets and splits are checked, and the error names those there are."""
        with pytest.raises(InputError, match=r"no dataset `gsm`.*other, toy"):
            self.ids(seeded, Scope("gsm"))
        with pytest.raises(UsageError, match="`dev` is no split"):
            Scope("toy", ("dev",))
        with pytest.raises(UsageError, match="limit of 0"):
            Scope(limit=0)


class TestJudging:
    def test_what_was_judged_is_left_out(self, seeded: Kit) -> None:
        """Steps by this judge, answers by the answer check; an unjudged reply does not count."""
        run = seeded.run("judge", 2)
        rows, outcome = judge(seeded)
        assert len(texts(rows)) == 20
        assert outcome["reasons"] == {"no gold answer": 1}
        first, answer, branch = seeded.all(
            "SELECT action_id, text FROM actions WHERE question_id = 1 ORDER BY action_id"
        )
        assert (first[1], answer[1], branch[1]) == ("a1", "Answer: 24", "b")
        seeded.feed(
            run, verdict(first[0], 1.0), verdict(answer[0], 1.0, "answer-check"), verdict(branch[0], None)
        )
        rows, outcome = judge(seeded)
        assert texts(rows[:1]) == ["b"]
        assert outcome["reasons"] == {"no gold answer": 1, "already judged": 2}
        rows, _ = judge(seeded, again=True)
        assert texts(rows[:1]) == ["a1", "Answer: 24", "b"]
        rows, _ = judge(seeded, judge="llm")
        assert texts(rows[:1]) == ["a1", "b"]
        rows, _ = judge(seeded, prompt_sha="other prompt")
        assert texts(rows[:1]) == ["a1", "b"]

    def test_the_limit_counts_actions(self, seeded: Kit) -> None:
        """The first N of those that are to be judged, over trees."""
        rows, outcome = judge(seeded, Scope(limit=4))
        assert texts(rows) == ["a1", "Answer: 24", "b", "a2"]
        assert outcome["reasons"]["beyond the limit"] == 16
        assert len(rows[1].tree.actions) == 3

    def test_the_answer_check_takes_answers_alone(self, seeded: Kit) -> None:
        """Steps are not even considered."""
        rows, outcome = judge(seeded, judge="answer-check")
        assert set(texts(rows)) == {"Answer: 24"}
        assert outcome["considered"] == 7


class TestTraining:
    def select(self, kit: Kit, scope: Scope, **options: Any) -> tuple[list[FrozenTree], dict[str, Any]]:
        outcome = Outcome()
        return list(select_to_train(kit.cursor, scope, outcome, **options)), outcome.to_json()

    def test_rewarded_actions_of_the_split(self, seeded: Kit) -> None:
        """Verdicts and labels count; questions without any are left out with the reason."""
        run = seeded.run("judge", 2)
        actions = dict(seeded.all("SELECT text, action_id FROM actions WHERE question_id = 1"))
        seeded.feed(run, verdict(actions["a1"], 1.0), verdict(actions["b"], 0.0, "unranked"))
        seeded.label(seeded.one("SELECT min(action_id) FROM actions WHERE question_id = 2"), "0")
        seeded.label(seeded.one("SELECT min(action_id) FROM actions WHERE question_id = 9"), "0")
        rows, outcome = self.select(seeded, Scope(splits=("train",)))
        assert [row.tree.question.question_id for row in rows] == [1, 2]
        assert texts(rows) == ["a1", "a2"]
        assert outcome == {
            "rows": 2,
            "considered": 10,
            "reasons": {"other split": 2, "not sampled": 3, "without a reward": 13},
        }

    def test_nothing_rewarded(self, seeded: Kit) -> None:
        """No row, and the reasons say why."""
        rows, outcome = self.select(seeded, Scope("toy", ("train",)))
        assert rows == []
        assert outcome["reasons"]["without a reward"] == 15

    def test_a_probe_is_held_out(self, seeded: Kit) -> None:
        """Deterministic by seed, at least one, marked in its row."""
        for (action_id,) in seeded.all("SELECT action_id FROM actions"):
            seeded.label(action_id, "1")
        rows, _ = self.select(seeded, Scope("toy", ("train",)), probe_fraction=0.01)
        assert sum(row.probe for row in rows) == 1
        again, _ = self.select(seeded, Scope("toy", ("train",)), probe_fraction=0.01)
        assert [row.probe for row in again] == [row.probe for row in rows]
        with pytest.raises(UsageError, match="probe fraction"):
            self.select(seeded, Scope(), probe_fraction=1.0)


class TestHeldOut:
    def questions(self, count: int) -> list[Question]:
        return [Question(n, "d", "train", f"q{n}", "t") for n in range(1, count + 1)]

    def test_adding_questions_moves_no_other(self) -> None:
        """Membership is by hash, so a larger project keeps its probe."""
        few, many = held_out(self.questions(300), 0.2, 7), held_out(self.questions(600), 0.2, 7)
        assert few == {number for number in many if number <= 300}
        assert 30 < len(few) < 90
        assert held_out(self.questions(300), 0.2, 8) != few

    @pytest.mark.parametrize(
        ("count", "fraction", "least", "most"),
        [(4, 0.9, 0, 0), (5, 0.001, 1, 1), (5, 0.999, 4, 4), (9, 0.0, 0, 0)],
    )
    def test_never_none_and_never_all(self, count: int, fraction: float, least: int, most: int) -> None:
        """From five questions on at least one is held out, and one stays."""
        assert least <= len(held_out(self.questions(count), fraction, 0)) <= most
