"""Labels at the keyboard: set, explained, withdrawn, disputed."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl.records import Action
from bswirl_tui import glyphs
from bswirl_tui.screens.dialogs import Ask
from bswirl_tui.widgets import bars
from tests.tui.driving import lines_of, main_screen, opened, press, says, settled, shown, typed, until


def step(pilot: Pilot[Any]) -> Action:
    """The step under the cursor."""
    action = main_screen(pilot).tree_view.action_here
    assert action is not None
    return action


class TestSetting:
    """One key a label; the record and the screen agree."""

    async def test_label_overrides_the_judge(self, project: Project, bob: Client) -> None:
        """Reward, source and advantage of the whole group change at once."""
        async with opened(project) as pilot:
            before = step(pilot)
            assert (before.reward, before.source, before.advantage) == (1.0, "judge", 0.5)
            await press(pilot, "0")
            after = step(pilot)
            assert (after.reward, after.source, after.label) == (0.0, "human", "0")
            group = main_screen(pilot).tree_view.outline
            assert group is not None
            assert {action.advantage for action in group.group_of(after).actions} == {0.0}
            assert lines_of(main_screen(pilot).tree_view)[2].split()[:3] == ["✗", "0H", "0.00"]
            assert "the judge said 1" in shown(pilot)
            assert f"Labelled action {after.action_id} as 0" in says(pilot)
            (label,) = bob.labels()
            assert (label.action_id, label.value, label.auditor) == (after.action_id, "0", "alice")

    async def test_label_shows_in_the_question_list(self, project: Project) -> None:
        """As one more labelled action, and one live group less."""
        async with opened(project) as pilot:
            questions = main_screen(pilot).questions
            assert questions.selected is not None
            live = questions.selected.live_groups
            await press(pilot, "0")
            assert (questions.selected.labelled, questions.selected.live_groups) == (1, live - 1)

    async def test_unsure_leaves_the_verdict_in_force(self, project: Project) -> None:
        """And shows as a question mark."""
        async with opened(project) as pilot:
            await press(pilot, "u")
            action = step(pilot)
            assert (action.reward, action.source, action.label) == (1.0, "judge", "unsure")
            assert lines_of(main_screen(pilot).tree_view)[2].split()[:2] == ["?", "1J"]

    async def test_question_line_takes_no_label(self, project: Project, bob: Client) -> None:
        """It says where labels go."""
        async with opened(project) as pilot:
            await press(pilot, "k", "1")
            assert "Put the cursor on a step" in says(pilot)
            assert bob.labels() == []

    async def test_key_before_the_next_tree_is_not_taken(self, project: Project, bob: Client) -> None:
        """A label must not land on the question one has just left."""
        async with opened(project) as pilot:
            main = main_screen(pilot)
            main.action_question_next()
            main.action_label_bad()
            await settled(pilot)
            assert bob.labels() == []
            assert "still being read" in says(pilot)
            await press(pilot, "0")
            (label,) = bob.labels()
            assert label.action_id == step(pilot).action_id


class TestReasons:
    """Why is optional, and can be said later."""

    @pytest.mark.parametrize("signs", [glyphs.UNICODE, glyphs.ASCII])
    def test_reason_to_change_is_as_it_was_given(
        self, monkeypatch: pytest.MonkeyPatch, signs: glyphs.Glyphs
    ) -> None:
        """What is shown in its place elsewhere would be saved with it."""
        monkeypatch.setattr(glyphs, "_active", signs)
        assert Ask("Why?", value="क्योंकि 3 ≤ 4")._value == "क्योंकि 3 ≤ 4"

    async def test_tree_that_changes_below_the_question_why(self, project: Project, bob: Client) -> None:
        """The label goes to the step it was asked about, and the app goes on."""
        async with opened(project) as pilot:
            asked = step(pilot).action_id
            await press(pilot, "R", "1")
            main_screen(pilot).load_question(bob.tree("shop:q03").question.question_id)
            await settled(pilot)
            assert isinstance(pilot.app.screen, Ask)
            await press(pilot, "enter")
            assert [label.action_id for label in bob.labels()] == [asked]
            assert f"Labelled action {asked}" in says(pilot)

    async def test_reason_is_added_to_a_label(self, project: Project, bob: Client) -> None:
        """As a newer label of the same value."""
        async with opened(project) as pilot:
            await press(pilot, "1", "r")
            await typed(pilot, "sound [/x] arithmetic")
            await press(pilot, "enter")
            newest = bob.labels()[0]
            assert (newest.value, newest.reason) == ("1", "sound [/x] arithmetic")
            assert "sound [/x] arithmetic" in main_screen(pilot).detail_view.plain
            await press(pilot, "r")
            assert isinstance(pilot.app.screen, Ask)
            assert "sound [/x] arithmetic" in shown(pilot)
            await press(pilot, "escape")
            assert len(bob.labels()) == 2

    async def test_reason_left_as_it_is_stays_so_to_the_letter(self, project: Project) -> None:
        """Though a line can show it only with pictures in it; a word more is all that changes."""
        reason = " no\u200cbreak,\ntwo lines, a heart \u2764\ufe0f "
        with connect(project, auditor="alice") as alice:
            async with opened(project) as pilot:
                alice.set_label(step(pilot).action_id, "1", reason=reason)
                await press(pilot, "r")
                assert "no\ufffdbreak,⏎two lines, a heart \u2764\ufffd" in shown(pilot)
                await press(pilot, "enter", "r", "end", "x", "enter")
                now, left = alice.labels()[:2]
                assert (left.reason, now.reason) == (reason, f"{reason}x".strip())

    async def test_reason_needs_a_label(self, project: Project, bob: Client) -> None:
        """Without one it says how to set one."""
        async with opened(project) as pilot:
            await press(pilot, "r")
            assert "no label on this step yet" in says(pilot)
            assert bob.labels() == []

    async def test_label_with_reason_in_one_go(self, project: Project, bob: Client) -> None:
        """R asks for the value, then for the reason."""
        async with opened(project) as pilot:
            await press(pilot, "R", "0")
            await typed(pilot, "restates the question")
            await press(pilot, "enter")
            (label,) = bob.labels()
            assert (label.value, label.reason) == ("0", "restates the question")


class TestMessages:
    """In the line of keys."""

    async def test_end_by_themselves(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a while, without a key."""
        monkeypatch.setattr(bars, "MESSAGE_SECONDS", 0.3)
        async with opened(project) as pilot:
            keys = says(pilot)
            await press(pilot, "r")
            await until(pilot, lambda: says(pilot) == keys)

    async def test_end_with_the_next_key(self, project: Project) -> None:
        async with opened(project) as pilot:
            keys = says(pilot)
            await press(pilot, "r")
            assert says(pilot) != keys
            await press(pilot, "j")
            assert says(pilot) == keys


class TestUndo:
    """Backspace withdraws, and the record keeps it."""

    async def test_newest_label_is_withdrawn(self, project: Project, bob: Client) -> None:
        """The one before is in force again, then the judge."""
        async with opened(project) as pilot:
            await press(pilot, "0", "1", "backspace")
            assert "Withdrew your label 1" in says(pilot)
            assert (step(pilot).reward, step(pilot).source) == (0.0, "human")
            await press(pilot, "backspace")
            assert (step(pilot).reward, step(pilot).source) == (1.0, "judge")
            await press(pilot, "backspace")
            assert "no label left" in says(pilot)
            assert [label.value for label in bob.labels()] == ["withdrawn", "withdrawn", "1", "0"]

    async def test_cursor_goes_back_to_the_step(self, project: Project) -> None:
        """Opening what hides it."""
        async with opened(project) as pilot:
            await press(pilot, "j", "0")
            labelled = step(pilot).action_id
            await press(pilot, "E", "j", "j", "backspace")
            assert step(pilot).action_id == labelled

    async def test_label_on_another_question_is_named(self, project: Project) -> None:
        """Undo works wherever one has gone since."""
        async with opened(project) as pilot:
            labelled = step(pilot).action_id
            await press(pilot, "0", "J", "backspace")
            assert f"Withdrew your label 0 from action {labelled}, on another question." in says(pilot)

    async def test_labels_of_others_stay(self, project: Project, bob: Client) -> None:
        """Undo is for one's own."""
        async with opened(project) as pilot:
            bob.set_label(step(pilot).action_id, "0")
            await press(pilot, "backspace")
            assert "no label left" in says(pilot)
            assert [label.auditor for label in bob.labels()] == ["bob"]


class TestConflicts:
    """Where auditors disagree the judge stands, and everyone sees it."""

    async def test_conflict_is_marked(self, project: Project, bob: Client) -> None:
        """On the line, in the detail pane, and by the filter."""
        async with opened(project) as pilot:
            await press(pilot, "0")
            bob.set_label(step(pilot).action_id, "1", reason="it is fine")
            await until(pilot, lambda: step(pilot).conflict)
            assert lines_of(main_screen(pilot).tree_view)[2].split()[:2] == ["?", "1J"]
            text = main_screen(pilot).detail_view.plain
            assert "Auditors disagree" in text
            assert "it is fine" in text
            await press(pilot, "f", "G", "k", "enter")
            assert main_screen(pilot).questions.query_shown.filter == "conflict"
            assert main_screen(pilot).questions.total == 1
