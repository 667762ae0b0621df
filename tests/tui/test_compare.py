"""A group's candidates side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import Client, connect
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.project import Project
from bswirl.records import Action, Question, QuestionTree, State, Verdict
from bswirl_tui.candidates import Comparison, card_caption, card_line
from bswirl_tui.inspection import judge_paragraphs
from bswirl_tui.outline import Group, Outline
from bswirl_tui.screens.reader import Reader
from bswirl_tui.widgets.compare_view import CompareView
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, lines_of, main_screen, opened, press, says, shown, until
from tests.tui.plain import COLOURS


def compare(pilot: Pilot[Any]) -> CompareView:
    return main_screen(pilot).compare_view


def row(pilot: Pilot[Any], name: str) -> list[str]:
    """A named row of the columns, cell by cell."""
    line = next(line for line in lines_of(compare(pilot)) if line.strip().startswith(name))
    return [cell.strip() for cell in line.split("│")[1:]]


class TestColumns:
    """Where there is room, each candidate has a column."""

    async def test_enter_shows_what_siblings_are_compared_by(self, shared: Project) -> None:
        """Number, key, reward and source, advantage, samples, log-prob, what it leads to."""
        async with opened(shared) as pilot:
            await press(pilot, "enter")
            numbers = [action.action_id for action in compare(pilot).comparison.actions]  # type: ignore[union-attr]
            seen = shown(pilot)
            assert "Candidates for step 1  live group · 3 actions · 4 samples · mean 0.50" in seen
            title = next(line for line in lines_of(compare(pilot)) if f"action {numbers[0]}" in line)
            assert [cell.strip() for cell in title.split("│")[1:]] == [
                f"▸2 action {numbers[0]}  ● backbone",
                f"3 action {numbers[1]}",
                f"4 action {numbers[2]}",
            ]
            assert row(pilot, "reward") == [
                "✓ 1 judge reference",
                "✗ 0 judge reference",
                "✗ 0 judge reference",
            ]
            assert row(pilot, "advantage") == ["+0.50", "−0.50", "−0.50"]
            assert row(pilot, "samples") == ["×2", "×1", "×1"]
            assert row(pilot, "log-prob") == ["−1.50", "−3.00", "−3.00"]
            assert row(pilot, "per token") == ["−0.167", "−0.300", "−0.300"]
            assert row(pilot, "leads to") == ["◇ dead, 2", "–", "–"]
            assert row(pilot, "step")[1].startswith("Step 1: There are 2+3=5 pens.")
            assert row(pilot, "judge")[0].startswith("the operation is that of the gold solution")

    async def test_shift_and_votes_have_rows(self, project: Project, tmp_path: Path) -> None:
        """The shift of the newest run that probed the question; votes yes to no."""
        with connect(project, auditor="bob") as bob:
            content.finished_training(project, bob, tmp_path / "train")
            content.voted(project, bob, tmp_path / "judge", "shop:q01")
        async with opened(project) as pilot:
            await press(pilot, "J")
            assert "shift" in lines_of(main_screen(pilot).tree_view)[0]
            assert "+0.25" in lines_of(main_screen(pilot).tree_view)[2]
            assert "votes correct 2:1, progress 3:0; 4 replies" in " ".join(
                main_screen(pilot).detail_view.plain.split()
            )
            await press(pilot, "enter")
            assert row(pilot, "votes") == [
                "correct 2:1, progress 3:0; 4 replies",
                *["correct 0:3, progress 3:0; 4 replies"] * 2,
            ]
            assert row(pilot, "shift")[0] == "+0.25  +0.025 a token"
            assert row(pilot, "shift")[1] == "−0.50  −0.050 a token"

    async def test_columns_that_do_not_fit_scroll_sideways(self, empty: Project) -> None:
        """As many as fit; the rest is a key away, and the line above says which are in sight."""
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([crowded(12)], "many")
        async with opened(empty) as pilot:
            await press(pilot, "enter")
            assert "1 to 6 of 12" in shown(pilot)
            assert row(pilot, "step")[0].startswith("Step 1: It is 0")
            await press(pilot, "G")
            assert "7 to 12 of 12" in shown(pilot)
            assert row(pilot, "step")[-1].startswith("Step 1: It is 11")
            await press(pilot, "9")
            assert row(pilot, "step")[1].startswith("Step 1: It is 7")
            await press(pilot, "g")
            assert "1 to 6 of 12" in shown(pilot)

    async def test_long_steps_scroll_by_line(self, empty: Project) -> None:
        """All columns together."""
        long = "Step 1: " + "word " * 900
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([crowded(3, long)], "long")
        async with opened(empty) as pilot:
            await press(pilot, "enter")
            assert "THE END" not in shown(pilot)
            await press(pilot, *["pagedown"] * 4)
            assert "THE END" in shown(pilot)
            bottom = compare(pilot).scroll_offset.y
            await press(pilot, "k", "k", "j")
            assert compare(pilot).scroll_offset.y == bottom - 1
            await press(pilot, "pageup")
            assert "THE END" not in shown(pilot)


class TestCards:
    """In a small terminal, candidates stand below each other."""

    async def test_facts_line_up(self, shared: Project) -> None:
        """One line of facts a candidate, then its words and its judge's."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "enter")
            lines = lines_of(compare(pilot))
            caption = next(line for line in lines if "log-prob" in line)
            first, second = (next(line for line in lines if f"{key} " in line[:4]) for key in "23")
            for name, one, two in (("adv", "+0.50", "−0.50"), ("log-prob", "−1.50", "−3.00")):
                end = caption.index(name) + len(name)
                assert (first[:end].endswith(one), second[:end].endswith(two)) == (True, True)
            await press(pilot, "j")
            assert compare(pilot).comparison.place == 1  # type: ignore[union-attr]
            assert any(line.startswith(" ▸3") for line in lines_of(compare(pilot)))

    async def test_card_under_the_cursor_is_in_sight(self, empty: Project) -> None:
        """However many there are above it."""
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([crowded(12)], "many")
        async with opened(empty, NARROW) as pilot:
            await press(pilot, "enter", "G")
            assert "Step 1: It is 11" in shown(pilot)
            await press(pilot, "g")
            assert "Step 1: It is 0" in shown(pilot)

    def test_soft_rewards_line_up(self) -> None:
        """With each other and under the caption, whole ones among them."""
        rewards = (1 / 3, 0.996, 1.0)
        actions = tuple(
            Action(number, 1, 1, False, "x", 1, reward=reward, source="judge", advantage=0.25)
            for number, reward in enumerate(rewards, 1)
        )
        tree = QuestionTree(Question(9, "d", "train", "q", "What?"), (State(1, 9, 0),), actions)
        comparison = Comparison(Outline(tree), Group(1, actions), 1)
        cards = [card_line(comparison, place, COLOURS).plain for place in range(3)]
        assert [card[13:26] for card in cards] == ["✗  .33 judge ", "✓ >.99 judge ", "✓    1 judge "]
        end = card_caption(comparison).index("adv") + len("adv")
        assert [card[:end].split()[-1] for card in cards] == ["+0.25"] * 3


class TestDifferences:
    """What differs between siblings, on a key."""

    async def test_w_marks_words_that_the_best_has_not(self, shared: Project) -> None:
        """Underlined, so that it shows without colour too."""
        async with opened(shared) as pilot:
            await press(pilot, "enter")
            assert marked(pilot) == []
            await press(pilot, "w")
            assert marked(pilot) == ["+", "5", "Let us think about"]
            assert "compared" in shown(pilot)
            await press(pilot, "l", "W")
            assert marked(pilot) == ["*", "6", "Let us think about"]
            await press(pilot, "w")
            assert marked(pilot) == []

    async def test_one_candidate_has_no_words_to_compare(self, shared: Project) -> None:
        """Which is said; the marks of other groups stay as they are."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "enter", "w", "enter", "enter")
            assert len(compare(pilot).comparison.actions) == 1  # type: ignore[union-attr]
            for key in ("w", "W"):
                await press(pilot, key)
                assert "Only one candidate is here" in says(pilot)
            assert compare(pilot).marked
            assert compare(pilot).against is None

    async def test_missing_words_leave_a_sign(self, empty: Project) -> None:
        """Where the other text has more."""
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([crowded(2, "Step 1: 6 red pens are left.", "Step 1: 6 pens are left.")], "x")
        async with opened(empty) as pilot:
            await press(pilot, "enter", "w")
            assert "Step 1: 6 ‸pens are left.‸" in shown(pilot)


class TestMoving:
    """Through the tree, group by group."""

    async def test_enter_and_minus_go_down_and_up(self, shared: Project) -> None:
        """To the group that follows the candidate, and back to the one before."""
        async with opened(shared) as pilot:
            await press(pilot, "enter", "enter")
            assert "Candidates for step 2" in shown(pilot)
            assert "1  Step 1: There are 2*3=6 pens." in shown(pilot)
            await press(pilot, "minus")
            assert "Candidates for step 1" in shown(pilot)

    @pytest.mark.parametrize("key", ["escape", "q"])
    async def test_leaving_keeps_the_candidate(self, shared: Project, key: str) -> None:
        """The outline's cursor stands where the comparison's stood."""
        async with opened(shared) as pilot:
            await press(pilot, "enter", "3", key)
            main = main_screen(pilot)
            assert main.focused is main.tree_view
            assert main.tree_view.action_here is not None
            assert "2+3=5" in main.tree_view.action_here.text
            assert "2+3=5" in main.detail_view.plain

    async def test_next_question_goes_on_comparing(self, shared: Project) -> None:
        """J and K work as everywhere."""
        async with opened(shared) as pilot:
            await press(pilot, "enter", "J")
            assert "Compare shop:q01" in shown(pilot)
            assert "Candidates for step 1" in shown(pilot)
            await press(pilot, "K", "s")
            assert "2*3=6 pens" in shown(pilot)
            await press(pilot, "s")
            assert "2*3=<<2*3=6>>6 pens" in shown(pilot)

    async def test_question_line_leads_to_the_first_group(self, shared: Project) -> None:
        """And a question without steps says so."""
        async with opened(shared) as pilot:
            await press(pilot, "g", "enter")
            assert "Candidates for step 1" in shown(pilot)
            await press(pilot, "escape", "tab", "tab", "g", "enter", "enter")
            assert "There are no steps to compare yet." in says(pilot)


class TestLabels:
    """Set right there."""

    async def test_keys_label_the_candidate_under_the_cursor(self, project: Project, bob: Client) -> None:
        """The whole group's advantages follow at once; digits from 2 never label."""
        async with opened(project) as pilot:
            await press(pilot, "enter", "3", "1")
            await until(pilot, lambda: row(pilot, "label")[1] == "1")
            assert row(pilot, "reward")[1] == "✓ 1 human, judge 0"
            assert row(pilot, "advantage") == ["+0.25", "+0.25", "−0.75"]
            await press(pilot, "2", "u", "4", "0", "backspace")
            await until(pilot, lambda: row(pilot, "label") == ["unsure", "1", "–"])
        record = [(label.action_id, label.value) for label in reversed(bob.labels())]
        assert record == [(2, "1"), (1, "unsure"), (3, "0"), (3, "withdrawn")]

    async def test_another_auditors_label_appears(self, project: Project, bob: Client) -> None:
        """Without a key press."""
        async with opened(project) as pilot:
            await press(pilot, "enter")
            bob.set_label(3, "1")
            await until(pilot, lambda: "✓ 1 human, judge 0" in shown(pilot))


class TestReading:
    """Long readings on keys."""

    async def test_judges_prompt_and_raw_reply(self, project: Project, tmp_path: Path) -> None:
        """The messages as they were sent; where no text is stored, that is said."""
        with connect(project, auditor="bob") as bob:
            content.voted(project, bob, tmp_path / "judge", "shop:q00")
        async with opened(project) as pilot:
            await press(pilot, "i")
            assert isinstance(pilot.app.screen, Reader)
            text = pilot.app.screen.plain
            for words in ("sha256", "<step_to_judge>\n  Step 1: There are 2*3=6 pens.", "I reason about 0."):
                assert words in text.replace("\n   ", "\n  ")
            assert "votes correct 2:1" in text
            assert "None is stored with this verdict." in text  # the imported one's
            assert "This verdict names no prompt." in text
            assert "\x1b" not in text

    async def test_a_judge_by_rules_has_neither(self, shared: Project) -> None:
        """That is said in place of an empty prompt and reply; what it found is there."""
        with connect(shared) as client:
            detail = client.action(1)
        verdict = Verdict(1, 1, 1, "reference", "rules", "a" * 64, "judged", rationale="2 * 3 is 6")
        found = judge_paragraphs(replace(detail, verdicts=(verdict,)), {}, COLOURS)
        text = "\n".join(paragraph.text.plain for paragraph in found)
        assert "2 * 3 is 6" in text
        assert "judges by rules" in text
        assert "Raw reply" not in text

    async def test_history_of_labels(self, project: Project, bob: Client) -> None:
        """Withdrawn ones too, with who, why and how."""
        bob.set_label(1, "0", reason="no [/units]", blind=True)
        bob.undo_label()
        async with opened(project) as pilot:
            await press(pilot, "L")
            assert isinstance(pilot.app.screen, Reader)
            text = pilot.app.screen.plain
            assert "bob" in text
            assert "withdrawn" in text
            assert "blind" in text
            assert "no [/units]" in text
            assert text.count("UTC") == 3
            assert "UTC · the label 0 of 2" in text

    async def test_logprobs_by_sample(self, project: Project, tmp_path: Path) -> None:
        """Sums and means; why an imported sample has no tokens."""
        with connect(project, auditor="bob") as bob:
            content.finished_training(project, bob, tmp_path / "train")
        async with opened(project) as pilot:
            await press(pilot, "J", "p")
            assert isinstance(pilot.app.screen, Reader)
            text = pilot.app.screen.plain
            assert "−1.50    −0.167" in text
            assert "Its tokens are not known: it was imported" in text
            assert "+0.25 in run 2 at step 24, +0.0250 a token over 10 tokens" in text
            await press(pilot, "escape", "P", "j", "enter")
            assert main_screen(pilot).shift_run == 2


class TestHostile:
    """Whatever a model wrote, a screen stays a screen."""

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_hostile_texts(self, empty: Project, size: tuple[int, int]) -> None:
        """Escapes, markup, wide and combining characters, steps of 100 kB, with differences marked."""
        with connect(empty, auditor="bob") as bob:
            bob.import_samples([content.hostile_question()], "evil")
        async with opened(empty, size) as pilot:
            await press(
                pilot, "enter", "w", "l", "l", "W", "pagedown", "l", "G", "i", "escape", "L", "escape", "p"
            )
            await press(pilot, "escape", "g")
            seen = shown(pilot)
            assert "[/foo]" in seen
            assert not any(sign in seen for sign in "\x1b\x07\u202e\u200b\ufe0f")
            for strip in pilot.app.screen._compositor.render_strips():
                assert strip.cell_length == size[0]


def marked(pilot: Pilot[Any]) -> list[str]:
    """The stretches that are underlined in the comparison."""
    view = compare(pilot)
    found: list[str] = []
    for y in range(view.scrollable_content_region.height):
        found += [s.text.strip() for s in view.render_line(y) if s.style and s.style.underline]
    return found


def crowded(candidates: int, *texts: str) -> PlacedQuestion:
    """A question with that many first steps."""
    filled = [*texts, *(f"Step 1: It is {number}" for number in range(len(texts), candidates))]
    if texts:
        filled[0] += " THE END"
    samples = [
        PlacedSample(
            "t1", 1, number, number == 0, (), text, False, float(number == 0), "reference", "so it is"
        )
        for number, text in enumerate(filled)
    ]
    return PlacedQuestion(content.question(1), tuple(samples))
