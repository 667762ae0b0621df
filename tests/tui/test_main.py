"""The main screen: what is on it when it opens, and how one moves about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bswirl.client import connect
from bswirl.project import Project
from bswirl.records import Action, ActionDetail, Label
from bswirl_tui import document
from bswirl_tui.gold import Gold
from bswirl_tui.outline import ROOT
from bswirl_tui.query import Query
from bswirl_tui.screens.dialogs import Choose
from bswirl_tui.screens.help import HelpReader
from tests.tui import content
from tests.tui.driving import (
    NARROW,
    WIDE,
    lines_of,
    main_screen,
    opened,
    press,
    says,
    settled,
    shown,
    typed,
    until,
)
from tests.tui.plain import COLOURS


class TestOpening:
    """The first step is on screen without a key press."""

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_first_question_with_samples_is_selected(
        self, shared: Project, size: tuple[int, int]
    ) -> None:
        """Its backbone is open, its first step under the cursor and in the detail pane."""
        async with opened(shared, size) as pilot:
            main = main_screen(pilot)
            selected, outline = main.questions.selected, main.tree_view.outline
            assert selected is not None
            assert selected.address == "shop:q00"
            assert main.questions.cursor == 2  # two questions without samples come before it
            assert outline is not None
            step = main.tree_view.action_here
            assert step is not None
            assert step.depth == 1
            assert step.backbone == 2
            assert outline.lines[-1].action is not None
            assert [line.action.depth for line in outline.lines[1:5] if line.action] == [1, 2, 3, 2]
            seen = shown(pilot)
            assert "Step 1: There are 2*3=6 pens." in seen
            assert "reward 1" in seen
            assert main.focused is main.tree_view

    async def test_empty_project_says_what_to_do(self, empty: Project) -> None:
        """And shows what another client brings in, without a key press."""
        async with opened(empty, NARROW) as pilot:
            assert "bswirl import gsm8k FILE" in shown(pilot)
            with connect(empty, auditor="bob") as client:
                client.import_samples([content.placed(1)], "late")
            await until(pilot, lambda: main_screen(pilot).tree_view.outline is not None)
            assert "Step 1: There are 3*4=12 pens." in shown(pilot)

    async def test_status_line_counts(self, shared: Project) -> None:
        """Questions, actions, labels, and who is looking."""
        async with opened(shared) as pilot:
            first = shown(pilot).splitlines()[0]
            assert "pens" in first
            assert "alice" in first
            assert "8 questions" in first


class TestTree:
    """Columns that compare siblings, and vim keys."""

    async def test_line_shows_reward_source_advantage_samples_and_number(self, shared: Project) -> None:
        """In columns left of the outline; the number on the right."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)
            row = lines_of(main.tree_view)[2]
            action = main.tree_view.action_here
            assert action is not None
            assert row.split()[:5] == ["✓", "1J", "+0.50", "×2", "●"]
            assert row.split()[-1] == str(action.action_id)

    async def test_answers_come_from_the_answer_check(self, shared: Project) -> None:
        """Their letter is A."""
        async with opened(shared) as pilot:
            await press(pilot, "j", "j")
            action = main_screen(pilot).tree_view.action_here
            assert action is not None
            assert action.is_answer
            assert "from the answer check" in shown(pilot)

    async def test_live_and_dead_groups_are_marked_where_they_begin(self, shared: Project) -> None:
        """The question leads to a live group, its first step to a dead one."""
        async with opened(shared) as pilot:
            rows = lines_of(main_screen(pilot).tree_view)
            assert "▾◆" in rows[1]
            assert "▾◇" in rows[2]

    async def test_h_and_l_close_and_open(self, shared: Project) -> None:
        """h closes, then goes to the parent; l opens, then goes to the first child."""
        async with opened(shared) as pilot:
            tree = main_screen(pilot).tree_view
            outline = tree.outline
            assert outline is not None
            before = len(outline.lines)
            await press(pilot, "h")
            assert len(outline.lines) < before
            await press(pilot, "h")
            assert tree.key == ROOT
            await press(pilot, "j", "l")
            assert len(outline.lines) == before
            await press(pilot, "l")
            assert tree.action_here is not None
            assert tree.action_here.depth == 2

    async def test_children_are_added_when_opened(self, shared: Project) -> None:
        """A closed tree has lines for its first group alone; e opens all, E closes all."""
        async with opened(shared) as pilot:
            tree = main_screen(pilot).tree_view
            assert tree.outline is not None
            await press(pilot, "E")
            assert tree.row_count() == 4
            await press(pilot, "e")
            assert tree.row_count() == 1 + len(tree.outline.tree.actions)

    async def test_siblings_are_a_key_away(self, shared: Project) -> None:
        """Past everything open between them."""
        async with opened(shared) as pilot:
            tree = main_screen(pilot).tree_view
            first = tree.action_here
            await press(pilot, "right_curly_bracket")
            second = tree.action_here
            assert first is not None
            assert second is not None
            assert (second.state_id, second.action_id > first.action_id) == (first.state_id, True)
            await press(pilot, "left_curly_bracket")
            assert tree.action_here == first

    async def test_g_and_G_go_to_the_ends(self, shared: Project) -> None:
        """As in vim; ctrl+d and ctrl+u go by pages."""
        async with opened(shared) as pilot:
            tree = main_screen(pilot).tree_view
            await press(pilot, "G")
            assert tree.cursor == tree.row_count() - 1
            await press(pilot, "g")
            assert tree.key == ROOT
            assert "First step" in shown(pilot)

    async def test_soft_rewards_line_up(self, shared: Project) -> None:
        """Their column is as wide as the longest of them; where all are whole, as its heading."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)
            assert main.tree_view.outline is not None
            tree = main.tree_view.outline.tree
            before = lines_of(main.tree_view)[2].index("J")
            rewards = (1 / 3, 0.004, 0.5)
            soft = [
                replace(action, reward=reward) for action, reward in zip(tree.actions, rewards, strict=False)
            ]
            main.tree_view.show_tree(replace(tree, actions=(*soft, *tree.actions[len(soft) :])))
            await settled(pilot)
            header, _, *rows = lines_of(main.tree_view)
            places = {row.index("J") for row in rows if "J" in row}
            assert places == {before + 2}
            assert header.index("rew") + len("rew") == before + 2
            seen = "\n".join(rows)
            assert all(words in seen for words in (" .33J", "<.01J", "  .5J"))


class TestDetail:
    """Everything that is known of a step."""

    async def test_step_shows_problem_steps_verdict_and_samples(self, shared: Project) -> None:
        """What only the owner knows comes a moment later."""
        async with opened(shared) as pilot:
            await press(pilot, "j")
            text = main_screen(pilot).detail_view.plain
            assert "A shop has 2 boxes with 3 pens in each" in text.replace("\n ", " ").replace("\n", " ")
            for words in (
                "Gold answer 2",
                "1  Step 1: There are 2*3=6 pens.",
                "Step 2: After the sale 6-4=2 pens are left.",
                "dead group",
                "the operation is that of the gold solution",
                "−1.50",
            ):
                assert words in text

    async def test_gold_solution_is_on_a_key(self, shared: Project) -> None:
        """s shows it to read, then as the dataset has it, and hides it."""
        async with opened(shared) as pilot:
            detail = main_screen(pilot).detail_view
            assert "Gold solution" not in detail.plain
            await press(pilot, "s")
            assert "\n2*3=6 pens" in detail.plain
            assert "<<2*3" not in detail.plain
            assert "s shows them" in detail.plain
            await press(pilot, "s")
            assert "2*3=<<2*3=6>>6 pens" in detail.plain
            await press(pilot, "s")
            assert "Gold solution" not in detail.plain

    async def test_gold_solution_comes_into_sight(self, shared: Project) -> None:
        """Also in a pane that is smaller than what stands before it; then the step is back."""
        async with opened(shared, (80, 16)) as pilot:
            detail = main_screen(pilot).detail_view
            before = lines_of(detail)
            assert "pens" not in before[-1]
            await press(pilot, "s")
            seen = "\n".join(lines_of(detail))
            assert "Gold solution" in seen
            assert "2*3=6 pens" in seen
            await press(pilot, "s", "s")
            assert lines_of(detail) == before

    async def test_step_is_in_sight_in_a_small_pane(self, shared: Project) -> None:
        """The pane scrolls down to the step, no farther than it must."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "j", "j")
            seen = "\n".join(lines_of(main_screen(pilot).detail_view))
            assert "Answer: 2" in seen
            assert "reward 1" in seen

    async def test_why_is_in_sight_in_a_small_pane(self, shared: Project) -> None:
        """On one line below the reward; all of it is farther down."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "j")
            seen = [line.strip() for line in lines_of(main_screen(pilot).detail_view)]
            assert "the operation is that of the gold solution" in seen
            assert not any("log-prob" in line for line in seen)

    def test_why_is_what_who_decided_said(self, shared: Project) -> None:
        """People over judges, an adjudication over votes, the verdict in force over others."""
        with connect(shared) as client:
            known = client.action(1)
        (verdict,) = known.verdicts
        other = replace(verdict, verdict_id=99, judge="another", rationale="in another's eyes")
        labels = (
            Label("a", 1, "1", "ann", reason="no", label_id=1),
            Label("b", 1, "0", "bob", reason="wrong sum", label_id=2, adjudicates=True),
            Label("c", 1, "0", "eve", reason="so too", label_id=3),
        )
        detail = replace(known, verdicts=(verdict, other), labels=labels)
        action = known.action

        def why(action: Action, detail: ActionDetail) -> list[str]:
            return [one.text.plain for one in document._why(action, detail, COLOURS)]

        assert why(action, detail) == [verdict.rationale]
        assert why(replace(action, source="human", human_reward=0.0), detail) == ["wrong sum"]
        assert why(replace(action, source="human", human_reward=0.0), known) == []
        assert why(action, replace(detail, verdicts=(other,))) == []


class TestQuestions:
    """The list: filter, sort, search, and pages that come when they are needed."""

    async def test_filter_by_choice(self, shared: Project) -> None:
        """f offers the filters; c shows all again."""
        async with opened(shared) as pilot:
            questions = main_screen(pilot).questions
            assert questions.total == 8
            await press(pilot, "f")
            assert isinstance(pilot.app.screen, Choose)
            await press(pilot, "j", "enter")
            assert questions.query_shown.filter == "sampled"
            assert questions.total == 6
            assert "sampled" in shown(pilot).splitlines()[1]
            await press(pilot, "c")
            assert questions.total == 8

    async def test_sort_by_choice_and_turned_around(self, shared: Project) -> None:
        """The same order once more turns it around."""
        async with opened(shared) as pilot:
            questions = main_screen(pilot).questions
            await press(pilot, "o", "j", "enter")
            assert (questions.query_shown.sort, questions.query_shown.descending) == ("address", False)
            first = questions.row(0)
            await press(pilot, "o", "enter")
            assert questions.query_shown.descending
            assert first is not None
            assert questions.row(0) != first

    async def test_dataset_or_split_alone(self, shared: Project) -> None:
        """d offers those that the project has."""
        async with opened(shared) as pilot:
            questions = main_screen(pilot).questions
            await press(pilot, "d")
            assert "shop test" in shown(pilot)
            await press(pilot, "j", "enter")
            assert (questions.query_shown.split, questions.total) == ("test", 1)

    async def test_search_follows_what_is_typed(self, shared: Project) -> None:
        """Enter keeps it, escape goes back to the words before."""
        async with opened(shared) as pilot:
            questions = main_screen(pilot).questions
            await press(pilot, "slash")
            await typed(pilot, "has 5 boxes")
            await until(pilot, lambda: questions.total == 1)
            await press(pilot, "enter")
            assert main_screen(pilot).focused is questions
            assert questions.selected is not None
            assert questions.selected.external_id == "q03"
            await press(pilot, "slash", "x", "escape")
            assert questions.query_shown.search == "has 5 boxes"

    async def test_search_that_finds_nothing_says_so(self, shared: Project) -> None:
        """With the key that shows all again."""
        async with opened(shared) as pilot:
            await press(pilot, "slash")
            await typed(pilot, "zebra")
            await press(pilot, "enter")
            assert "No question fits." in shown(pilot)
            assert "No tree: no question fits." in shown(pilot)
            assert main_screen(pilot).tree_view.outline is None
            assert "Nothing matches; c shows all questions." in says(pilot)
            await press(pilot, "c")
            assert main_screen(pilot).tree_view.outline is not None

    async def test_J_and_K_go_through_questions_from_the_tree(self, shared: Project) -> None:
        """The tree keeps the focus."""
        async with opened(shared) as pilot:
            main = main_screen(pilot)
            await press(pilot, "J")
            assert main.tree_view.outline is not None
            assert main.tree_view.outline.tree.question.external_id == "q01"
            assert main.focused is main.tree_view
            await press(pilot, "K", "K")
            assert main.tree_view.outline.tree.question.external_id == "q91"
            assert "No steps yet." in shown(pilot)

    async def test_goes_on_from_a_question_opened_from_elsewhere(self, empty: Project) -> None:
        """Far from the pages that are held as well as near."""
        with connect(empty) as client:
            client.import_questions([content.question(number) for number in range(1000)])
        async with opened(empty) as pilot:
            main = main_screen(pilot)
            questions = main.questions
            assert questions.row(900) is None
            for wanted in (901, 3):  # the numbers of the questions in places 900 and 2
                main.open_question(wanted)
                await settled(pilot)
                await press(pilot, "J")
                assert main.tree_view.outline is not None
                assert main.tree_view.outline.tree.question.question_id == wanted + 1

    async def test_pages_come_when_they_are_in_sight(self, empty: Project) -> None:
        """Of a thousand questions only those around the cursor are held."""
        with connect(empty) as client:
            client.import_questions([content.question(number) for number in range(1000)])
        async with opened(empty) as pilot:
            questions = main_screen(pilot).questions
            assert questions.total == 1000
            assert questions.row(0) is not None
            assert questions.row(999) is None
            await press(pilot, "tab", "tab")
            assert main_screen(pilot).focused is questions
            await press(pilot, "G")
            last = questions.row(999)
            assert last is not None
            assert questions.row(500) is None
            assert questions.selected == last
            assert "A shop has 1001 boxes" in shown(pilot)


class TestAddresses:
    """Where there is room, ids stand whole."""

    @pytest.mark.parametrize(
        ("dataset", "shown_as"),
        [
            ("a_dataset", "a_dataset:q01 "),
            ("some_dataset_1", " some_dataset_1:q01 "),
            ("d" * 40, "ddddd:q01 "),
        ],
    )
    async def test_longest_of_the_list(self, empty: Project, dataset: str, shown_as: str) -> None:
        """And some of the question's words stay beside the longest."""
        with connect(empty) as client:
            client.import_questions([content.question(1, dataset=dataset), content.question(2)])
        async with opened(empty, WIDE) as pilot:
            questions = main_screen(pilot).questions
            header, long, short = lines_of(questions)[:3]
            assert shown_as in long
            assert "A shop ha" in long
            assert header.index("text") == long.index("A shop") == short.index("A shop")
            questions.reset(Query(search="shop:"))
            await settled(pilot)
            assert lines_of(questions)[0].index("text") == 31


class TestLayout:
    """Readable in 80 columns, well used in 200."""

    async def test_panes_stand_side_by_side_when_there_is_room(self, shared: Project) -> None:
        """From 120 columns on, and again below after a resize."""
        async with opened(shared, WIDE) as pilot:
            main = main_screen(pilot)
            assert main.tree_view.region.y == main.detail_view.region.y
            await pilot.resize_terminal(*NARROW)
            await settled(pilot)
            assert main.tree_view.region.y < main.detail_view.region.y
            assert main.questions.region.width < main.tree_view.region.width
            assert "Step 1: There are" in shown(pilot)

    async def test_list_can_be_hidden(self, shared: Project) -> None:
        """Then tree and detail have the whole width."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "t")
            main = main_screen(pilot)
            assert main.tree_view.region.width == 80
            await press(pilot, "t")
            assert main.tree_view.region.width < 60

    @pytest.mark.parametrize("size", [(20, 5), (1, 1), (240, 70)], ids=str)
    async def test_any_size_can_be_drawn(self, shared: Project, size: tuple[int, int]) -> None:
        """However small or large."""
        async with opened(shared, NARROW) as pilot:
            await pilot.resize_terminal(*size)
            await settled(pilot)
            await press(pilot, "j", "s", "v", "escape", "question_mark")
            shown(pilot)


class TestHelp:
    """What the keys do, from the registry."""

    async def test_footer_shows_what_works_here(self, shared: Project) -> None:
        """The keys beside their names."""
        async with opened(shared) as pilot:
            assert "1 good  0 bad  u unsure  backspace undo" in says(pilot)
            await pilot.resize_terminal(*NARROW)
            await settled(pilot)
            assert says(pilot).rstrip().endswith("? help")

    async def test_help_lists_the_keys_of_this_view(self, shared: Project) -> None:
        """And what the signs mean."""
        async with opened(shared) as pilot:
            await press(pilot, "question_mark")
            seen = shown(pilot)
            assert "Withdraw your newest label" in seen
            await press(pilot, "G")
            assert "leads to a dead group" in shown(pilot)
            await press(pilot, "escape")
            assert pilot.app.screen is main_screen(pilot)

    async def test_help_offers_nothing_that_does_nothing(self, shared: Project) -> None:
        """Side by side there is no list to show or hide."""
        async with opened(shared) as pilot:
            await press(pilot, "question_mark", "question_mark")
            assert pilot.app.screen is main_screen(pilot)
            for comparing in (False, True):
                await press(pilot, "question_mark")
                assert isinstance(pilot.app.screen, HelpReader)
                assert ("Show or hide the list" in pilot.app.screen.plain) != comparing
                await press(pilot, "escape", "enter")

    async def test_help_in_a_window_to_read_in(self, shared: Project) -> None:
        """It lies over the window, and leads back to it."""
        async with opened(shared) as pilot:
            await press(pilot, "L")
            reader = pilot.app.screen
            await press(pilot, "question_mark")
            assert isinstance(pilot.app.screen, HelpReader)
            assert "Go down a page." in pilot.app.screen.plain
            assert pilot.app.screen.plain.count("Show what the keys do here.") == 1
            await press(pilot, "question_mark")
            assert pilot.app.screen is reader
            await press(pilot, "q")
            assert pilot.app.screen is main_screen(pilot)

    async def test_command_palette_carries_out_an_action(self, shared: Project) -> None:
        """Found by a word of its description."""
        async with opened(shared) as pilot:
            await press(pilot, "colon")
            await typed(pilot, "gold")
            await until(pilot, lambda: "Show the gold solution" in shown(pilot))
            await press(pilot, "enter")
            assert main_screen(pilot).detail_view.show_gold is Gold.READABLE
