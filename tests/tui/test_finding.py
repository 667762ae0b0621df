"""Searching through questions and steps, and going back and forth through what one has seen."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import Client, connect
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.project import Project
from bswirl_tui.outline import ROOT
from bswirl_tui.query import Query
from bswirl_tui.visits import Visit, Visits
from tests.tui import content
from tests.tui.driving import NARROW, lines_of, main_screen, opened, press, says, settled, shown, typed


def here(pilot: Pilot[Any]) -> tuple[str, int]:
    """The question on screen and the action under the cursor."""
    outline, key = main_screen(pilot).tree_view.outline, main_screen(pilot).tree_view.key
    assert outline is not None
    assert key is not None
    return outline.tree.question.external_id, key


async def search(pilot: Pilot[Any], words: str) -> None:
    await press(pilot, "slash")
    await typed(pilot, words)
    await press(pilot, "enter", "tab")
    main_screen(pilot).tree_view.focus()


class TestSearch:
    """Words in steps are found like words in questions."""

    async def test_step_texts_are_searched(self, shared: Project) -> None:
        """The list holds the questions with such a step, and the cursor goes to it."""
        async with opened(shared) as pilot:
            await search(pilot, "3+4=")
            main = main_screen(pilot)
            assert main.questions.total == 1
            assert here(pilot)[0] == "q01"
            action = main.tree_view.action_here
            assert action is not None
            assert "3+4=7" in action.text
            marked = [line for line in lines_of(main.tree_view) if line.startswith("»")]
            assert len(marked) == 1
            assert "3+4=7" in marked[0]

    async def test_says_how_to_go_on(self, shared: Project) -> None:
        """After Enter; not where nothing was searched for."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "slash")
            await typed(pilot, "sale")
            await press(pilot, "enter")
            assert "n goes to the next step with these words, N back; c shows all questions." in says(pilot)
            await press(pilot, "c", "slash", "enter")
            assert "with these words" not in shown(pilot)

    async def test_cursor_goes_to_a_match_on_the_question_in_sight(self, shared: Project) -> None:
        """Unless it stands on one."""
        async with opened(shared) as pilot:
            await search(pilot, "sale")
            action = main_screen(pilot).tree_view.action_here
            assert here(pilot)[0] == "q00"
            assert action is not None
            assert "After the sale" in action.text

    async def test_n_and_N_go_from_match_to_match_across_questions(self, shared: Project) -> None:
        """Closed lines are opened; the ends are said."""
        async with opened(shared) as pilot:
            await search(pilot, "let us think")
            await press(pilot, "E")
            first = here(pilot)[0]
            await press(pilot, "n")
            seen = [here(pilot)]
            for _ in range(5):
                await press(pilot, "n")
                seen.append(here(pilot))
            assert [question for question, _ in seen] == ["q00", "q01", "q02", "q03", "q04", "q05"]
            assert first == "q00"
            await press(pilot, "n")
            assert "No match beyond this one." in says(pilot)
            assert here(pilot) == seen[-1]
            await press(pilot, "N", "N")
            assert here(pilot) == seen[-3]

    async def test_matches_in_the_questions_own_words_are_left_as_they_came(self, shared: Project) -> None:
        """The question's line is a place to go to, in both directions."""
        async with opened(shared) as pilot:
            await search(pilot, "a shop has")
            seen = []
            for _ in range(3):
                await press(pilot, "n")
                seen.append(here(pilot))
            assert len({question for question, _ in seen}) == 3
            assert {key for _, key in seen} == {ROOT}
            await press(pilot, "N", "N")
            assert here(pilot) == seen[0]

    async def test_side_by_side_the_questions_own_words_are_no_place_to_go_to(self, shared: Project) -> None:
        """It is the question before, not the group that is on screen already."""
        async with opened(shared) as pilot:
            await search(pilot, "a shop has")
            await press(pilot, *["J"] * 5, "enter")
            assert main_screen(pilot).comparing
            seen = [here(pilot)[0]]
            for _ in range(2):
                await press(pilot, "N")
                seen.append(here(pilot)[0])
            await press(pilot, "n")
            assert here(pilot)[0] == seen[1]
            assert len(set(seen)) == 3

    async def test_matches_within_a_tree(self, shared: Project) -> None:
        """From top to bottom, the question among them."""
        async with opened(shared) as pilot:
            await search(pilot, "2*3")
            await press(pilot, "g")
            assert here(pilot) == ("q00", ROOT)
            keys = []
            for _ in range(2):
                await press(pilot, "n")
                keys.append(here(pilot))
            assert keys[0][0] == "q00"
            assert main_screen(pilot).questions.total == 1
            await press(pilot, "n")
            assert "No match beyond this one." in says(pilot)

    async def test_without_words_it_says_what_to_do(self, shared: Project) -> None:
        """And clearing forgets the marks."""
        async with opened(shared) as pilot:
            await press(pilot, "n")
            assert "Search first" in says(pilot)
            await search(pilot, "sale")
            assert any(line.startswith("»") for line in lines_of(main_screen(pilot).tree_view))
            await press(pilot, "c")
            assert not any(line.startswith("»") for line in lines_of(main_screen(pilot).tree_view))

    async def test_hidden_list_does_not_stop_it(self, empty: Project) -> None:
        """Rows beyond those that were fetched come when they are gone to."""
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([small(number) for number in range(260)], "many")
        async with opened(empty) as pilot:
            await search(pilot, "needle")
            await press(pilot, "t")
            main = main_screen(pilot)
            main.questions.cursor = 198
            await settled(pilot)
            await press(pilot, "n", "n", "n")
            assert here(pilot)[0] == "s201"

    @pytest.mark.parametrize("words", ["[/foo]", "\\", "(", "漢字"])
    async def test_hostile_words(self, empty: Project, words: str) -> None:
        """They are words, no markup and no pattern."""
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([content.hostile_question()], "evil")
        async with opened(empty) as pilot:
            main_screen(pilot).tree_view.show_words(words)
            await press(pilot, "j", "n")
            assert shown(pilot)


class TestHistory:
    """`[` goes back, `]` forward."""

    async def test_question_cursor_and_mode_come_back(self, shared: Project) -> None:
        """Also where the list shows another selection by now."""
        async with opened(shared) as pilot:
            await press(pilot, "j")
            one = here(pilot)
            await press(pilot, "J", "j", "j")
            two = here(pilot)
            await press(pilot, "enter", "h")
            main = main_screen(pilot)
            three = here(pilot)
            await press(pilot, "left_square_bracket")
            assert (here(pilot), main.comparing) == (two, False)
            await press(pilot, "left_square_bracket")
            assert here(pilot) == one
            await press(pilot, "left_square_bracket")
            assert "Nothing was seen before this." in says(pilot)
            await press(pilot, "right_square_bracket", "right_square_bracket")
            assert (here(pilot), main.comparing) == (three, True)
            assert main.focused is main.compare_view
            await press(pilot, "right_square_bracket")
            assert "Nothing was seen after this." in says(pilot)

    async def test_labels_go_to_what_is_on_screen(self, project: Project, bob: Client) -> None:
        """After going back it is the question before that is labelled, and the next one is the next to it."""
        async with opened(project) as pilot:
            first = here(pilot)[1]
            await press(pilot, "J", "left_square_bracket", "0")
            assert here(pilot) == ("q00", first)
            assert [label.action_id for label in bob.labels()] == [first]
            await press(pilot, "J")
            assert here(pilot)[0] == "q01"

    async def test_moving_on_after_going_back_drops_the_rest(self, shared: Project) -> None:
        """As a browser does."""
        async with opened(shared) as pilot:
            await press(pilot, "J", "J", "left_square_bracket", "enter", "right_square_bracket")
            assert here(pilot)[0] == "q01"
            assert "Nothing was seen after this." in says(pilot)

    async def test_where_no_question_fits_it_is_back_to_the_last_one(self, shared: Project) -> None:
        """Which is no step further back than what is on screen."""
        async with opened(shared) as pilot:
            await press(pilot, "J", "j")
            last = here(pilot)
            main_screen(pilot).show_query(Query(search="no such words"))
            await settled(pilot)
            assert main_screen(pilot).tree_view.outline is None
            await press(pilot, "left_square_bracket")
            assert here(pilot) == last
            await press(pilot, "left_square_bracket")
            assert here(pilot)[0] != last[0]
            await press(pilot, "right_square_bracket")
            assert here(pilot) == last

    def test_visits(self) -> None:
        """Moving changes the visit; leaving, another question or mode begins one; the oldest go."""
        visits = Visits()
        for visit in (Visit(1, 5), Visit(1, 6), Visit(2, 7), Visit(2, 7, True)):
            visits.see(visit)
        assert visits.go(-1) == Visit(2, 7)
        assert visits.go(-1) == Visit(1, 6)
        assert visits.go(-1) is None
        visits.leave()
        visits.see(Visit(1, 9))
        assert visits.go(1) is None
        assert visits.go(-1) == Visit(1, 6)
        for number in range(500):
            visits.see(Visit(number, 0))
        steps = 0
        while visits.go(-1) is not None:
            steps += 1
        assert steps == 199


def small(number: int) -> PlacedQuestion:
    """A question with one step."""
    asked = content.question(number)
    asked = type(asked)("many", "train", f"s{number}", f"How many {number}?", "1")
    sample = PlacedSample(f"t{number}", 1, 0, True, (), f"Step 1: a needle {number}", False)
    return PlacedQuestion(asked, (sample,))
