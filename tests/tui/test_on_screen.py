"""What one looks at stays on screen, and keys go on from there, whatever the list of questions shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from bswirl.client import Client, connect
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl_tui.link import ProjectChanged
from bswirl_tui.outline import ROOT
from bswirl_tui.query import Query
from bswirl_tui.widgets.question_list import QuestionList
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, says, settled, until


def question_here(pilot: Pilot[Any]) -> str | None:
    """The question whose tree is on screen."""
    outline = main_screen(pilot).tree_view.outline
    return outline.tree.question.external_id if outline is not None else None


def disagree(alice: Client, bob: Client, question: str) -> int:
    """Has two people disagree about a first step of that question; returns its number."""
    action = alice.tree(f"shop:{question}").actions[0].action_id
    alice.set_label(action, "1")
    bob.set_label(action, "0")
    return action


@pytest.fixture
def conflict(project: Project, bob: Client) -> Project:
    """The project with a conflict on its fifth question."""
    with connect(project, auditor="alice") as alice:
        disagree(alice, bob, "q04")
    return project


class TestOnward:
    """From a question that was opened apart from the list."""

    @pytest.mark.parametrize(("key", "next_one"), [("J", "q05"), ("K", "q03")])
    async def test_from_a_conflict(self, conflict: Project, key: str, next_one: str) -> None:
        """To the questions beside the one on screen, not to those beside the list's cursor."""
        async with opened(conflict) as pilot:
            assert question_here(pilot) == "q00"
            await press(pilot, "C", "enter")
            assert question_here(pilot) == "q04"
            await press(pilot, key)
            assert question_here(pilot) == next_one

    @pytest.mark.parametrize("held", [True, False])
    async def test_typed_fast(self, conflict: Project, monkeypatch: pytest.MonkeyPatch, held: bool) -> None:
        """Each key is a question on, also where the owner has to say where in the list one is."""
        if not held:
            monkeypatch.setattr(QuestionList, "index_of", lambda *_: None)
        async with opened(conflict) as pilot:
            await press(pilot, "C", "enter")
            await pilot.press("K", "K", "K")
            await settled(pilot)
            assert question_here(pilot) == "q01"

    async def test_enter_opens_the_row_under_the_cursor(self, conflict: Project) -> None:
        async with opened(conflict) as pilot:
            await press(pilot, "C", "enter")
            main_screen(pilot).leave_comparing()
            main_screen(pilot).questions.focus()
            await press(pilot, "enter")
            assert question_here(pilot) == "q00"

    async def test_question_that_left_the_list(self, project: Project, bob: Client) -> None:
        """No question is passed over: the next has come to its place."""
        with connect(project, auditor="carol") as carol:
            actions = [disagree(carol, bob, f"q0{number}") for number in range(3)]
            async with opened(project) as pilot:
                main = main_screen(pilot)
                main.show_query(Query(filter="conflict"))
                await settled(pilot)
                await press(pilot, "J")
                assert question_here(pilot) == "q01"
                bob.set_label(actions[1], "1")
                await until(pilot, lambda: main.questions.total == 2)
                assert question_here(pilot) == "q01"
                await press(pilot, "J")
                assert question_here(pilot) == "q02"


class TestStays:
    """A tree is not taken away by what happens to the list."""

    async def test_apart_from_an_empty_list(self, conflict: Project, bob: Client) -> None:
        async with opened(conflict) as pilot:
            main = main_screen(pilot)
            main.show_query(Query(search="no such words"))
            await settled(pilot)
            await press(pilot, "C", "enter")
            assert question_here(pilot) == "q04"
            bob.set_label(1, "1")
            await until(pilot, lambda: main.state.stats["labels"] == 3)
            assert question_here(pilot) == "q04"
            assert main.questions.total == 0

    async def test_a_question_that_comes_into_an_empty_list(self, conflict: Project, bob: Client) -> None:
        async with opened(conflict) as pilot:
            main = main_screen(pilot)
            main.show_query(Query(search="brand new"))
            await settled(pilot)
            await press(pilot, "C", "enter")
            bob.import_questions([replace(content.question(70), text="A brand new one")])
            await until(pilot, lambda: main.questions.total == 1)
            assert question_here(pilot) == "q04"

    async def test_last_that_fits(self, conflict: Project, bob: Client) -> None:
        """The question that one has just decided about can still be read."""
        async with opened(conflict) as pilot:
            main = main_screen(pilot)
            main.show_query(Query(filter="conflict"))
            await settled(pilot)
            assert question_here(pilot) == "q04"
            await press(pilot, "0")
            await until(pilot, lambda: main.questions.total == 0)
            assert question_here(pilot) == "q04"
            await press(pilot, "u")
            assert "Labelled" in says(pilot)

    async def test_none_fits(self, shared: Project) -> None:
        """Keys for steps say so."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)
            main.show_query(Query(search="no such words"))
            await settled(pilot)
            await press(pilot, "1")
            assert "still being read" not in says(pilot)
            await press(pilot, "n")
            assert "still being read" not in says(pilot)


class TestReading:
    """Trees that come late, or not at all."""

    async def test_tree_that_was_not_read(self, shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once the owner is back, the question that was wanted is shown, and its steps take keys."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)

            def lost(*_: object) -> None:
                raise BswirlError("the owner went away")

            with monkeypatch.context() as patch:
                patch.setattr(main.ahead, "tree", lost)
                await press(pilot, "J")
            await press(pilot, "enter")
            assert question_here(pilot) == "q00"
            main.bswirl.on_project_changed(ProjectChanged.everything())
            await until(pilot, lambda: question_here(pilot) == "q01")
            assert not main.awaits_tree

    async def test_other_tree_arrives_first(self, shared: Project) -> None:
        """It is not shown, and the cursor still goes to the step that was wanted."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)
            before = main.tree_view.outline
            assert before is not None
            with connect(shared) as client:
                wanted = client.tree("shop:q03")
            last = wanted.actions[-1].action_id
            main.open_step(wanted.question.question_id, last)
            main._tree_read((before.tree, before.shifts))
            await settled(pilot)
            assert question_here(pilot) == "q03"
            assert main.tree_view.key == last


class TestSearchGivenUp:
    """Escape leads back to where one was."""

    @pytest.mark.parametrize("keys", [("J", "j"), ("J", "J", "enter"), ("C", "enter")])
    async def test_question_and_step(self, conflict: Project, keys: tuple[str, ...]) -> None:
        """Also beside siblings, and where the question was opened from another list."""
        async with opened(conflict) as pilot:
            main = main_screen(pilot)
            await press(pilot, *keys)
            before = question_here(pilot), main.tree_view.key, main.comparing, main.questions.cursor
            await press(pilot, "slash")
            main.query_one(Input).value = "2*3"
            await until(pilot, lambda: main.questions.total == 1)
            await press(pilot, "escape")
            after = question_here(pilot), main.tree_view.key, main.comparing, main.questions.cursor
            assert after == before
            assert main.focused is (main.compare_view if main.comparing else main.questions)
            await press(pilot, "J")
            assert question_here(pilot) == f"q0{int(str(before[0])[1:]) + 1}"


class TestSearchBesideSiblings:
    """While candidates stand side by side."""

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    @pytest.mark.parametrize("words", ["q90", "nowhere"])
    async def test_letters_stay_letters(self, project: Project, size: tuple[int, int], words: str) -> None:
        """Also where what is found has no steps."""
        async with opened(project, size) as pilot:
            main = main_screen(pilot)
            await press(pilot, "enter", "slash")
            field = main.query_one(Input)
            field.value = words
            await until(pilot, lambda: main.questions.query_shown.search == words)
            await until(pilot, lambda: (main.questions.total or 0) < 2)
            assert main.focused is field
            await press(pilot, "enter")
            assert not main.comparing
            assert main.focused is not None
            assert main.focused.display

    async def test_gold_solution_is_this_question_s(self, project: Project, bob: Client) -> None:
        """Whether it can be seen as the dataset has it does not depend on the question one came from."""
        plain = content.placed(40)
        asked = replace(plain.question, solution="It has no notes.")
        bob.import_samples([replace(plain, question=asked)], "plain")
        async with opened(project) as pilot:
            main = main_screen(pilot)
            main.load_question(bob.tree("shop:q40").question.question_id)
            await settled(pilot)
            await press(pilot, "enter")
            main.load_question(bob.tree("shop:q00").question.question_id)
            await settled(pilot)
            await press(pilot, "s", "s")
            assert main.comparing
            assert "2*3=<<2*3=6>>6 pens" in main.compare_view.plain

    async def test_no_verdicts_and_a_change(self, shared: Project) -> None:
        """What one has scrolled to stays in sight."""
        async with opened(shared, (80, 12)) as pilot:
            main = main_screen(pilot)
            await press(pilot, "enter")
            action = main.tree_view.action_here
            assert action is not None
            main._verdicts[action.state_id] = {}
            main.show_candidates()
            main.compare_view.jump(99)
            await settled(pilot)
            before = main.compare_view.scroll_offset.y
            assert before > main.compare_view._layout.focus[0]
            main.show_candidates()
            await settled(pilot)
            assert main.compare_view.scroll_offset.y == before

    async def test_question_without_steps(self, shared: Project) -> None:
        """Its own words are in the pane beside the tree."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)
            await press(pilot, "enter", "K")
            assert question_here(pilot) == "q91"
            assert (main.comparing, main.tree_view.key) == (False, ROOT)
            assert "Step 1" not in main.detail_view.plain
            assert "93 boxes" in main.detail_view.plain
