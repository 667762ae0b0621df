"""Selections saved by name, and what filters leave of trees whose every reward is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import InputError, UsageError
from bswirl.selections import Filters, Selection
from bswirl.store.database import open_database
from bswirl.store.judges import apply_ranking
from bswirl.store.migrations import MIGRATIONS, applied
from bswirl.store.selection import Outcome, Scope, count_selection, select_to_train
from bswirl.store.selections import delete_selection, list_selections, save_selection
from tests.store.kit import Kit, branches, trajectory, verdict


def save(kit: Kit, name: str, selection: Selection, who: str = "ann", *, replace: bool = False) -> Any:
    with kit.writer.transaction():
        return save_selection(kit.writer, name, selection, who, replace=replace)


HARD = Selection("toy", "train", 7, "both", (0.2, 1 / 3), "question")


class TestSaving:
    def test_comes_back_whole_by_name(self, kit: Kit) -> None:
        """With whose it is and when it was saved."""
        kit.questions(1)
        save(kit, "zz", Selection())
        made = save(kit, "hard", HARD)
        assert list_selections(kit.cursor)[0] == made
        assert [one.name for one in list_selections(kit.cursor)] == ["hard", "zz"]
        assert (made.selection, made.created_by) == (HARD, "ann")
        assert made.created_at.endswith("Z")

    def test_the_same_again_changes_nothing(self, kit: Kit) -> None:
        """So that a client may repeat itself; another one needs to be told to replace."""
        first = save(kit, "a", Selection())
        assert save(kit, "a", Selection(), "bob") == first
        assert save(kit, "a", Selection(), "bob", replace=True) == first
        with pytest.raises(InputError, match=r"selection a is there already: any dataset, train — --replace"):
            save(kit, "a", Selection(filter="process"))
        replaced = save(kit, "a", Selection(filter="process"), "bob", replace=True)
        assert (replaced.created_by, replaced.selection.filter) == ("bob", "process")
        assert list_selections(kit.cursor) == [replaced]

    def test_deleting(self, kit: Kit) -> None:
        """Says whether there was one."""
        save(kit, "a", Selection())
        with kit.writer.transaction():
            assert delete_selection(kit.writer, "a")
            assert not delete_selection(kit.writer, "a")
        assert list_selections(kit.cursor) == []
        assert save(kit, "a", Selection(limit=2)).selection.limit == 2

    def test_what_cannot_be_is_refused(self, kit: Kit) -> None:
        """Before anything is kept."""
        kit.questions(1)
        with pytest.raises(InputError, match=r"no dataset `gsm`.*toy"):
            save(kit, "a", Selection("gsm"))
        with pytest.raises(UsageError, match="`dev` is no split"):
            save(kit, "a", Selection(split="dev"))
        with pytest.raises(UsageError, match="limit of 0"):
            save(kit, "a", Selection(limit=0))
        with pytest.raises(UsageError, match="no name"):
            save(kit, "a b", Selection())
        assert list_selections(kit.cursor) == []

    def test_others_hear_of_it(self, kit: Kit) -> None:
        """No question's statistics are stale for it."""
        save(kit, "a", Selection())
        assert kit.writer.take_changes().topics == {"selections"}
        assert not kit.stale()

    def test_an_old_store_gets_the_table(self, tmp_path: Path) -> None:
        """A store from before selections keeps what it has."""
        before = [name for name, _ in MIGRATIONS].index("m007_selections")
        old = open_database(tmp_path / "store.duckdb", tmp_path / "tmp", MIGRATIONS[:before])
        old.execute("INSERT INTO questions VALUES (1, 'd', 'train', 'q', 'text', NULL, NULL)")
        old.close()
        new = open_database(tmp_path / "store.duckdb", tmp_path / "tmp")
        assert applied(new) == [name for name, _ in MIGRATIONS]
        assert list_selections(new) == []
        assert new.execute("SELECT text FROM questions").fetchall() == [("text",)]
        new.close()


@pytest.fixture
def judged(kit: Kit) -> Kit:
    """Two questions. The first has four solutions, two of which begin alike; the second one without a reward.

    x: good, wrong answer. y: good, right answer, along x's first step. z: a bad step, right answer.
    v: cut off after a good step.
    """
    kit.questions(2)
    run = kit.run()
    kit.feed(
        run,
        trajectory(1, 0, "good", "x2", "Answer: 9"),
        trajectory(1, 1, "good", "y2", "Answer: 24"),
        trajectory(1, 2, "bad", "Answer: 24"),
        trajectory(1, 3, "good", answer=False, unparsed="Step 2: and", is_correct=False),
        trajectory(2, 0, "unjudged", "Answer: 24", is_correct=None),
        branches(1, 0, 1, "good", "bad", "other"),
    )
    rewards = {"good": 1.0, "bad": 0.0, "other": 0.0, "x2": 1.0, "y2": 1.0}
    judging = kit.run("judge", 2)
    for action_id, text in kit.all(
        "SELECT action_id, text FROM actions WHERE question_id = 1 ORDER BY action_id"
    ):
        if text in rewards:
            kit.feed(judging, verdict(action_id, rewards[text]))
        else:
            kit.feed(judging, verdict(action_id, float(text == "Answer: 24"), "answer-check"))
    with kit.writer.transaction():
        apply_ranking(kit.writer, ["answer-check", "reference"])
    return kit


def action(kit: Kit, text: str) -> int:
    return int(kit.one("SELECT min(action_id) FROM actions WHERE text = ?", text))


def own(kit: Kit, filters: Filters) -> tuple[dict[str, int], dict[str, int]]:
    """The steps that kept solutions took themselves, and what was left out."""
    outcome = Outcome()
    rows = list(select_to_train(kit.cursor, Scope("toy", ("train",)), outcome, filters=filters))
    texts = {a.action_id: f"{a.depth} {a.text}" for row in rows for a in row.tree.actions}
    found = {texts[number]: kept for row in rows for number, kept in row.kept or ()}
    return found, outcome.to_json()["reasons"]


class TestFilters:
    def test_process(self, judged: Kit) -> None:
        """Every step good: a bad one, an unread rest and an unjudged one each leave a solution out."""
        found, reasons = own(judged, Filters("process"))
        assert found == {"1 good": 2, "2 x2": 1, "2 y2": 1, "3 Answer: 9": 1, "3 Answer: 24": 1}
        assert reasons == {
            "without a reward": 2,
            "trajectories with a bad step": 1,
            "trajectories with an unjudged step": 1,
            "groups on no kept trajectory": 1,
        }

    def test_outcome(self, judged: Kit) -> None:
        """A right answer, whatever led to it."""
        found, reasons = own(judged, Filters("outcome"))
        assert found == {"1 good": 1, "1 bad": 1, "2 y2": 1, "3 Answer: 24": 1, "2 Answer: 24": 1}
        assert reasons["trajectories with a wrong answer"] == 1
        assert reasons["trajectories without an answer"] == 1

    def test_both(self, judged: Kit) -> None:
        """A shared step counts once, for the solution that is kept."""
        found, reasons = own(judged, Filters("both"))
        assert found == {"1 good": 1, "2 y2": 1, "3 Answer: 24": 1}
        assert reasons["trajectories with a wrong answer"] == 1
        assert reasons["trajectories with a bad step"] == 1

    def test_people_overrule(self, judged: Kit) -> None:
        """A label makes a step bad, and a wrong answer right."""
        judged.label(action(judged, "y2"), "0")
        judged.label(action(judged, "Answer: 9"), "1")
        assert own(judged, Filters("both"))[0] == {"1 good": 1, "2 x2": 1, "3 Answer: 9": 1}

    def test_an_answer_nobody_checked(self, judged: Kit) -> None:
        """Counts as what it was when it came in; where that is not known either, it is left out."""
        kit = judged
        kit.label(action(kit, "unjudged"), "1")
        assert own(kit, Filters("outcome"))[1]["trajectories with an unchecked answer"] == 1
        kit.database.execute("UPDATE trajectories SET is_correct = true WHERE question_id = 2")
        found, reasons = own(kit, Filters("outcome"))
        assert found["1 unjudged"] == 1
        assert "trajectories with an unchecked answer" not in reasons

    def test_an_answer_alone_shows_no_process(self, judged: Kit) -> None:
        """It has no step that could be good."""
        judged.feed(judged.run(number=3), trajectory(1, 0, "Answer: 24"))
        assert own(judged, Filters("process"))[1]["trajectories without a step before the answer"] == 1

    @pytest.mark.parametrize(
        ("difficulty", "by", "groups", "reasons"),
        [
            ((0.2, 0.8), "group", 1, {"groups too easy": 3, "groups too hard": 1}),
            ((0.0, 0.0), "group", 1, {"groups too easy": 4}),
            ((0.0, 1.0), "group", 5, {}),
            ((4 / 7, 4 / 7), "group", 1, {"groups too easy": 3, "groups too hard": 1}),
            ((0.8, 1.0), "question", 0, {"questions too hard": 1, "questions with nothing left": 1}),
            ((2 / 3, 2 / 3), "question", 5, {}),
        ],
    )
    def test_difficulty(
        self, judged: Kit, difficulty: tuple[float, float], by: str, groups: int, reasons: dict[str, int]
    ) -> None:
        """Means count samples; both ends are in."""
        counts = count_selection(judged.cursor, Selection("toy", difficulty=difficulty, difficulty_by=by))
        assert counts.groups == groups
        assert {k: v for k, v in counts.reasons.items() if k != "without a reward"} == reasons

    def test_counts(self, judged: Kit) -> None:
        """Groups whole, and of them what kept solutions took."""
        counts = count_selection(judged.cursor, Selection(filter="both"))
        assert (counts.questions, counts.considered, counts.trajectories) == (1, 2, 1)
        assert (counts.groups, counts.live_groups, counts.dead_groups) == (3, 1, 2)
        assert (counts.actions, counts.samples) == (6, 10)
        assert (counts.own_actions, counts.own_samples) == (3, 3)

    def test_nothing_is_left_behind(self, judged: Kit) -> None:
        """What was computed goes with the transaction."""
        judged.cursor.execute("BEGIN")
        own(judged, Filters("both"))
        judged.cursor.execute("ROLLBACK")
        assert judged.all("SELECT table_name FROM duckdb_tables() WHERE temporary") == []
