"""What siblings are compared by, and the search through their texts."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.records import ActionShift, QuestionShifts, StoredPrompt
from bswirl.store.candidates import read_group_verdicts, read_prompt, read_question_shifts
from bswirl.store.judges import rank_judge
from bswirl.store.queries import SORTS, list_questions, place_of_question
from bswirl.store.statistics import refresh_statistics
from tests.store.kit import Kit, branches, trajectory, verdict


@pytest.fixture
def trees(kit: Kit) -> Kit:
    """Two questions, each with a group of three first steps: actions 1, 3, 4 and 5, 7, 8."""
    kit.questions(3)
    run = kit.run()
    for question in (1, 2):
        kit.feed(
            run,
            trajectory(question, 1, f"Step 1: Take {question} PENS.", "Answer: 24"),
            branches(question, 1, 1, f"Step 1: Count {question}.", "Step 1: Straße 5%_x"),
        )
    return kit


class TestVerdicts:
    """Those in force on a whole group."""

    def test_first_ranked_judge_and_its_newest(self, trees: Kit) -> None:
        """One an action at most; unjudged ones and other groups' are left out."""
        run = trees.run("judge", 2)
        trees.feed(
            run,
            verdict(1, 0.0, votes={"correct": [1, 2], "asked": 3}),
            verdict(1, 1.0, votes={"correct": [2, 1], "asked": 3}, raw="Correct: yes"),
            verdict(1, 0.0, "other"),
            verdict(3, 1.0, "other"),
            verdict(4, None),
            verdict(5, 1.0),
        )
        with trees.writer.transaction():
            rank_judge(trees.writer, "reference", 1)
            rank_judge(trees.writer, "other", 2)
        found = read_group_verdicts(trees.cursor, 4)
        assert [(one.action_id, one.judge, one.reward) for one in found] == [
            (1, "reference", 1.0),
            (3, "other", 1.0),
        ]
        assert found[0].votes == {"correct": [2, 1], "asked": 3}
        assert found[0].raw == "Correct: yes"
        assert read_group_verdicts(trees.cursor, 99) == []


class TestShifts:
    """What training runs measured on a question's actions."""

    def test_newest_run_at_its_last_step(self, trees: Kit) -> None:
        """Or the run that is asked for; runs that measured other questions do not count."""
        for number, (step, rows) in enumerate(
            [(1, [[1, 1.0, 0.1, 7]]), (1, [[1, 1.0, 0.2, 7], [3, 0.0, -0.2, 6]]), (1, [[5, 1.0, 9.0, 7]])], 2
        ):
            run = trees.run("train", number)
            trees.feed(run, {"t": "shifts", "step": step, "rows": rows})
        second = 3
        trees.feed(second, {"t": "shifts", "step": 2, "rows": [[1, 1.0, 0.3, 7], [3, 0.0, None, None]]})
        expected = (ActionShift(1, 0.3, 7), ActionShift(3, None, None))
        assert read_question_shifts(trees.cursor, 1) == QuestionShifts(3, 2, expected, (3, 2))
        assert read_question_shifts(trees.cursor, 1, 2).shifts == (ActionShift(1, 0.1, 7),)
        assert read_question_shifts(trees.cursor, 1, 4) == QuestionShifts(runs=(3, 2))
        assert read_question_shifts(trees.cursor, 3) == QuestionShifts()


class TestPrompts:
    """Their texts by hash."""

    def test_stored_or_not(self, trees: Kit) -> None:
        """None where no run brought it."""
        trees.feed(trees.run("judge", 2), {"t": "prompt", "sha": "abc", "purpose": "judge", "text": "[/x]"})
        assert read_prompt(trees.cursor, "abc") == StoredPrompt("abc", "judge", "[/x]")
        assert read_prompt(trees.cursor, "abd") is None


class TestSearch:
    """Through addresses, questions and steps."""

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("pens", [1, 2]),
            ("take 2 pens", [2]),
            ("QUESTION 3", [3]),
            ("toy:q1", [1]),
            ("straße 5%_x", [1, 2]),
            ("5%x", []),
            ("answer: 24", [1, 2]),
            ("' OR 1", []),
        ],
    )
    def test_any_case_and_no_wildcards(self, trees: Kit, words: str, found: list[int]) -> None:
        """The words are a plain text, wherever they stand."""
        refresh_statistics(trees.writer)
        query: dict[str, Any] = {"dataset": None, "split": None, "sort": "id", "descending": False}
        rows, total = list_questions(trees.cursor, search=words, only="all", offset=0, limit=9, **query)
        assert [row.question_id for row in rows] == found
        assert total == len(found)
        rows, total = list_questions(trees.cursor, search=words, only="all", offset=1, limit=9, **query)
        assert ([row.question_id for row in rows], total) == (found[1:], len(found))

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize(
        ("words", "only"), [("", "all"), ("pens", "all"), ("", "sampled"), ("q1", "all")]
    )
    def test_place_of_each(self, trees: Kit, sort: str, descending: bool, words: str, only: str) -> None:
        """As the list has it; a question that is not listed has none."""
        refresh_statistics(trees.writer)
        order = {"sort": sort, "descending": descending}
        query: dict[str, Any] = {"dataset": None, "split": None, **order, "search": words, "only": only}
        rows, total = list_questions(trees.cursor, offset=0, limit=99, **query)
        listed = {row.question_id: place for place, row in enumerate(rows)}
        assert len(listed) == total > 0
        every, _ = list_questions(trees.cursor, offset=0, limit=99, **{**query, "search": "", "only": "all"})
        for row in every:
            place = place_of_question(trees.cursor, row.question_id, **query)
            assert place == listed.get(row.question_id)
