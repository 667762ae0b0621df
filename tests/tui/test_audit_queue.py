"""The audit queue at the keyboard: what is keyed is what is recorded, and nothing is shown too early."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import Client, connect
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl.records import Label
from bswirl.settings.audit import DEFAULT_REASONS
from bswirl_tui.app import BswirlApp
from bswirl_tui.audit_text import ORDERS, agreement_words
from bswirl_tui.memory import Memory
from bswirl_tui.screens.audit import AuditScreen
from bswirl_tui.screens.audit_setup import AuditSetup, Unsent
from bswirl_tui.screens.dialogs import ChoiceList, Confirm
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.screens.reader import Reader
from bswirl_tui.sitting import Sitting
from bswirl_tui.steps_ahead import AHEAD
from tests.tui.driving import NARROW, main_screen, opened, press, says, settled, shown, typed, until

JUDGE_SAYS = ("the operation is that", "no step of the gold", "reference", "reward")


def queue(pilot: Pilot[Any]) -> AuditScreen:
    screen = pilot.app.screen
    assert isinstance(screen, AuditScreen)
    return screen


def sitting(pilot: Pilot[Any]) -> Sitting:
    app = pilot.app
    assert isinstance(app, BswirlApp)
    assert app.sitting is not None
    return app.sitting


def action_here(pilot: Pilot[Any]) -> int:
    """The action that is to be judged."""
    item = sitting(pilot).shown
    assert item is not None
    assert f"action {item.detail.action.action_id}" in queue(pilot).item_view.plain
    return item.detail.action.action_id


def record(client: Client) -> list[tuple[int, str]]:
    """All that was ever recorded, in its order."""
    return [(label.action_id, label.value) for label in reversed(client.labels(1000))]


async def begin(pilot: Pilot[Any]) -> None:
    await press(pilot, "a", "enter")
    queue(pilot)


async def begin_question_by_question(pilot: Pilot[Any]) -> None:
    """In an order in which siblings follow each other, and nothing is mixed in."""
    await press(pilot, "a")
    setup = pilot.app.screen
    assert isinstance(setup, AuditSetup)
    setup.query_one(ChoiceList).place_cursor(list(ORDERS).index("unaudited"))
    for field in setup.fields:
        if field.option.name in ("slice", "repeats"):
            field.fill("0")
    await press(pilot, "enter")
    queue(pilot)


class TestVotes:
    """One key a vote."""

    async def test_keys_faster_than_the_owner_are_recorded_in_their_order(
        self, project: Project, bob: Client
    ) -> None:
        """Each with the draw that asked for it, its time, and that it was blind."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await pilot.press("1", "0", "u")
            await settled(pilot)
            await pilot.press("s", "1", "1", "0")
            await settled(pilot)
            entries = sitting(pilot).entries
            assert [entry.now.value for entry in entries] == ["1", "0", "unsure", "skip", "1", "1", "0"]
            assert len(sitting(pilot).outbox) == 0
        labels = list(reversed(bob.labels()))
        assert [(label.action_id, label.value, label.draw_id) for label in labels] == [
            (entry.item.detail.action.action_id, entry.now.value, entry.item.draw_id) for entry in entries
        ]
        assert all(label.blind and not label.after_reveal and label.auditor == "alice" for label in labels)
        assert all(label.seconds is not None and 0 <= label.seconds < 60 for label in labels)

    async def test_next_step_is_there_before_the_owner_answers(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is not acknowledged is said."""
        gate = threading.Event()
        vote = Client.audit_label

        def held(self: Client, *given: Any, **named: Any) -> Any:
            assert gate.wait(20)
            return vote(self, *given, **named)

        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            monkeypatch.setattr(Client, "audit_label", held)
            first = action_here(pilot)
            await pilot.press("1", "0")
            async with asyncio.timeout(20):
                while "2 on the way" not in shown(pilot):
                    await pilot.pause(0.02)
            assert action_here(pilot) != first
            assert "not acknowledged yet" in queue(pilot).last_view.plain
            assert sitting(pilot).labelled == 2
            gate.set()
            await settled(pilot)
            assert "on the way" not in shown(pilot)
            assert "not acknowledged yet" not in queue(pilot).last_view.plain

    async def test_reasons_and_flag(self, project: Project, bob: Client) -> None:
        """From the short list by a key, in words, and none carried over to the next step."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await pilot.press("r", "2", "0")  # as fast as they come
            await settled(pilot)
            await press(pilot, "r", "t")
            await typed(pilot, "a note [/x]")
            await press(pilot, "enter", "f")
            assert "flagged" in shown(pilot)
            assert "because a note [/x]" in shown(pilot)
            await press(pilot, "1", "1")
        found = [(label.value, label.reason, label.flagged) for label in reversed(bob.labels())]
        assert found == [("0", "wrong quantity", False), ("1", "a note [/x]", True), ("1", None, False)]

    async def test_reasons_are_in_sight_where_guidelines_were(self, project: Project, bob: Client) -> None:
        """The list takes their place, so that nobody takes the next digit for a vote."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "t", "tab")
            assert queue(pilot).focused is queue(pilot).guide_view
            assert "Judge this step alone" in shown(pilot)
            await press(pilot, "r")
            assert "Why?" in shown(pilot)
            assert "2 wrong quantity" in shown(pilot)
            assert "Judge this step alone" not in shown(pilot)
            assert queue(pilot).focused is queue(pilot).item_view
            await press(pilot, "2", "1")
        assert [(label.value, label.reason) for label in bob.labels()] == [("1", "wrong quantity")]

    async def test_foot_says_what_keys_mean_while_reasons_are_open(self, project: Project) -> None:
        """And votes again afterwards; a message from before does not hide it."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            assert "1 good" in says(pilot)
            await press(pilot, "c")
            assert "further back" in says(pilot)
            await press(pilot, "r")
            assert says(pilot).rstrip() == (
                " a number gives the reason  t types one  - none  esc leaves it as it is"
            )
            for key in ("escape", "2", "minus", "t"):
                if key != "escape":
                    await press(pilot, "r")
                assert "a number gives the reason" in says(pilot)
                await press(pilot, key)
                if key == "t":
                    await press(pilot, "escape")
                assert "1 good" in says(pilot)

    async def test_no_other_key_acts_while_reasons_are_open(self, project: Project, bob: Client) -> None:
        """What the foot does not name neither votes nor moves on nor leaves."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "1")
            step = action_here(pilot)
            await press(
                pilot, "r", "u", "s", "f", "c", "enter", "space", "backspace", "m", "o", "q", "O", "A", "C"
            )
            assert action_here(pilot) == step
            assert "a number gives the reason" in says(pilot)
            assert not sitting(pilot).draft.flagged
            assert sitting(pilot).advance
            await press(pilot, "2", "u")
        found = [(label.value, label.reason) for label in reversed(bob.labels())]
        assert found == [("1", None), ("unsure", "wrong quantity")]

    async def test_a_skip_is_taken_back_in_its_own_words(self, project: Project) -> None:
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "s", "backspace")
            assert "Took back your skip." in says(pilot)
            await press(pilot, "1", "backspace")
            assert "Took back your vote 1." in says(pilot)

    @pytest.mark.parametrize("width", [40, 80, 200])
    async def test_reasons_stay_beside_their_numbers(self, project: Project, width: int) -> None:
        """Lines are broken between reasons alone."""
        async with opened(project, (width, 40)) as pilot:
            await begin(pilot)
            await press(pilot, "r")
            lines = queue(pilot).last_view.plain.splitlines()
            assert len(lines) > 1
            pieces = [piece for line in lines for piece in line.split("   ")]
        others = ["t in words", "- no reason"]
        numbered = [f"{number} {reason}" for number, reason in enumerate(DEFAULT_REASONS, 1)]
        assert [piece.rstrip() for piece in pieces] == numbered + others

    async def test_guidelines_stay_beside_the_reasons(self, project: Project) -> None:
        """On a wide screen both fit."""
        async with opened(project) as pilot:
            await begin(pilot)
            await press(pilot, "t", "r")
            assert "Why?" in shown(pilot)
            assert "Judge this step alone" in shown(pilot)

    async def test_it_can_stay_on_a_step_until_enter(self, project: Project, bob: Client) -> None:
        """Without auto-advance the reveal comes on the same step, and a second vote changes the first."""
        async with opened(project) as pilot:
            await begin(pilot)
            await press(pilot, "m")
            first = action_here(pilot)
            await press(pilot, "1")
            assert action_here(pilot) == first
            assert "reference" in queue(pilot).last_view.plain
            await press(pilot, "0")
            assert action_here(pilot) == first
            await press(pilot, "enter")
            assert action_here(pilot) != first
        assert record(bob) == [(first, "1"), (first, "0")]

    async def test_a_vote_does_not_become_a_skip(self, project: Project, bob: Client) -> None:
        """On a step that was voted on `s` is not taken, and says so; a skipped one can be voted on."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "m")
            first = action_here(pilot)
            await press(pilot, "1", "r", "s")
            assert "Why?" in shown(pilot)  # no skip there either
            await press(pilot, "escape", "s")
            assert action_here(pilot) == first
            assert "A skip is not taken here: 1, 0 or u votes anew, backspace undoes." in says(pilot)
            assert "Why?" not in shown(pilot)
            assert "You voted good." in shown(pilot)
            await press(pilot, "enter")
            second = action_here(pilot)
            await press(pilot, "s")
            assert "You skipped it. 1, 0 or u votes after all" in shown(pilot)
            assert "voted skipped" not in shown(pilot)
            await press(pilot, "0")
            assert "You voted not good." in shown(pilot)
        assert record(bob) == [(first, "1"), (second, "skip"), (second, "0")]

    def test_which_of_several_judges_agrees(self, project: Project, bob: Client) -> None:
        """The one that decides; with a single judge there is no other."""
        detail = bob.action(2)
        assert agreement_words(detail, agrees=True) == "the judge agrees"
        other = dataclasses.replace(detail.verdicts[0], judge="another", reward=1.0)
        detail = dataclasses.replace(detail, verdicts=(*detail.verdicts, other))
        assert agreement_words(detail, agrees=False) == "the deciding judge reference disagrees"

    async def test_empty_project(self, empty: Project) -> None:
        """It says why there is nothing, and a vote is none."""
        async with opened(empty, NARROW) as pilot:
            await begin(pilot)
            assert "No step to judge: no step there has a verdict yet; `bswirl judge`" in shown(pilot)
            await press(pilot, "1", "backspace")
            assert "You have no label left to take back." in says(pilot)
            assert sitting(pilot).entries == []

    async def test_steps_come_when_there_are_some(self, empty: Project) -> None:
        """Without a key: somebody imports some."""
        from tests.tui import content

        async with opened(empty, NARROW) as pilot:
            await begin(pilot)
            with connect(empty, auditor="bob") as bob:
                content.fill(bob, 1)
            await until(pilot, lambda: sitting(pilot).current is not None)
            action_here(pilot)


class TestBlind:
    """The judge is hidden until the vote."""

    async def test_no_cell_holds_what_the_judge_said(self, project: Project) -> None:
        """Nor what others said, on any step, before its vote; afterwards it is there."""
        with connect(project, auditor="bob") as bob:
            for action in bob.tree("shop:q00").actions:
                bob.set_label(action.action_id, "0", reason="bob's reason")
        async with opened(project) as pilot:
            await press(pilot, "a")
            setup = pilot.app.screen
            assert isinstance(setup, AuditSetup)
            next(field for field in setup.fields if field.option.name == "overlap").fill("1")
            await press(pilot, "enter")
            for _ in range(5):
                item = sitting(pilot).shown
                assert item is not None
                assert item.detail.verdicts == item.detail.labels == ()
                assert {one.reward for one in (item.detail.action, *item.detail.siblings)} == {None}
                for words in (*JUDGE_SAYS, "bob"):
                    assert words not in queue(pilot).item_view.plain
                if not sitting(pilot).entries:
                    assert not any(words in shown(pilot) for words in (*JUDGE_SAYS, "bob"))
                await press(pilot, "1")
                last = queue(pilot).last_view.plain
                assert "reference · reward" in last
                assert JUDGE_SAYS[0] in last or JUDGE_SAYS[1] in last
                assert "bob · not good · bob's reason" in last

    async def test_reveal_says_how_often_it_turned_the_vote(self, project: Project, bob: Client) -> None:
        """`c` goes back to the step; the second vote is one after the reveal."""
        async with opened(project) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await press(pilot, "1")
            second = action_here(pilot)
            await press(pilot, "c")
            assert action_here(pilot) == first
            assert "You voted good." in shown(pilot)
            await press(pilot, "0")
            assert action_here(pilot) == second
            assert "seeing the judge turned 1 of 1 vote" in shown(pilot)
            await press(pilot, "1")
            assert "seeing the judge turned 1 of 2 votes" in shown(pilot)
        labels = list(reversed(bob.labels()))
        assert [(one.action_id, one.value, one.blind, one.after_reveal) for one in labels] == [
            (first, "1", True, False),
            (first, "0", False, True),
            (second, "1", True, False),
        ]

    async def test_guidelines_give_way_to_the_reveal(self, project: Project) -> None:
        """Where both do not fit: what counts as seen was in sight."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "t")
            assert "Judge this step alone" in shown(pilot)
            await press(pilot, "1")
            assert "reference · reward" in shown(pilot)
            assert "Judge this step alone" not in shown(pilot)
            await press(pilot, "t", "c", "0")
            assert "seeing the judge turned 1 of 1 vote" in shown(pilot)
        async with opened(project) as pilot:
            await begin(pilot)
            await press(pilot, "t", "1")
            assert "Judge this step alone" in shown(pilot)
            assert "reference · reward" in shown(pilot)

    async def test_open_audits_show_the_judge_at_once(self, project: Project, bob: Client) -> None:
        """And say so; such votes are not blind."""
        async with opened(project) as pilot:
            await press(pilot, "a")
            setup = pilot.app.screen
            assert isinstance(setup, AuditSetup)
            next(field for field in setup.fields if field.option.name == "blind").fill("no")
            await press(pilot, "enter")
            assert "reference · reward" in queue(pilot).item_view.plain
            assert "the judge in sight" in shown(pilot)
            await press(pilot, "1")
        assert [label.blind for label in bob.labels()] == [False]

    async def test_a_look_at_the_tree_is_asked_for_and_recorded(self, project: Project, bob: Client) -> None:
        """Before the vote; and `a` leads back to the same step."""
        async with opened(project) as pilot:
            await begin_question_by_question(pilot)
            first = action_here(pilot)
            await press(pilot, "o")
            assert isinstance(pilot.app.screen, Confirm)
            await press(pilot, "n", "o", "y")
            assert isinstance(pilot.app.screen, MainScreen)
            assert main_screen(pilot).tree_view.key == first
            assert main_screen(pilot).comparing
            await press(pilot, "a")
            assert action_here(pilot) == first
            await press(pilot, *"1" * len(bob.tree("shop:q00").actions))
        assert 2 < sum(not one.blind for one in bob.labels()) == len(bob.tree("shop:q00").actions) - 1
        assert bob.labels()[0].blind

    async def test_a_look_back_at_a_tree_is_asked_for_where_its_steps_wait(
        self, project: Project, bob: Client, tmp_path: Path
    ) -> None:
        """What it shows of them is on record, so that a new start takes no vote on them for a blind one."""
        memory = Memory(project.root, tmp_path)
        for start in range(2):
            app = BswirlApp(project, "alice", memory=memory, tour=False)
            async with app.run_test(size=NARROW) as pilot:
                await settled(pilot)
                if start == 0:
                    await begin_question_by_question(pilot)
                    await press(pilot, "1", "c", "o")
                    assert isinstance(pilot.app.screen, Confirm)
                    await press(pilot, "n")
                    assert memory.trees_seen() == set()
                    await press(pilot, "o", "y")
                    assert isinstance(pilot.app.screen, MainScreen)
                    assert memory.trees_seen() == {"shop:q00"}
                else:
                    await until(pilot, lambda: main_screen(pilot).tree_view.outline is not None)
                    if not isinstance(pilot.app.screen, AuditScreen):
                        await press(pilot, "a")
                    await press(pilot, "0", "1")
        assert [one.blind for one in reversed(bob.labels())] == [True, False, False]

    async def test_a_label_on_the_step_asked_is_its_vote(self, project: Project, bob: Client) -> None:
        """With what was keyed for it; the audit goes on. Undone in the tree, it is no vote any more."""
        async with opened(project) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await press(pilot, "f", "r", "3", "o", "y", "0")
            assert f"Voted on action {first}: 0" in says(pilot)
            (label,) = bob.labels()
            assert (label.action_id, label.value, label.flagged, label.blind) == (first, "0", True, False)
            assert label.reason == DEFAULT_REASONS[2]
            await press(pilot, "escape")
            assert sitting(pilot).labelled == 1
            second = action_here(pilot)
            assert second != first
            await press(pilot, "o")
            if isinstance(
                pilot.app.screen, Confirm
            ):  # not where it is a step of the question looked at before
                await press(pilot, "y")
            await press(pilot, "1", "backspace")
            assert f"Withdrew your label 1 from action {second}" in says(pilot)
            await press(pilot, "escape")
            assert (sitting(pilot).labelled, action_here(pilot)) == (1, second)
            await press(pilot, "backspace")
            assert action_here(pilot) == first
        assert record(bob) == [(first, "0"), (second, "1"), (second, "withdrawn"), (first, "withdrawn")]

    async def test_an_undo_in_the_tree_behind_a_vote_that_failed_waits_for_it(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It goes out in the order of the keys, and the app does not end before it."""
        vote, gate, broken = Client.audit_label, threading.Event(), True

        def failing(self: Client, *given: Any, **named: Any) -> Any:
            gate.wait()
            if broken:
                raise BswirlError("no space is left", "free some")
            return vote(self, *given, **named)

        async with opened(project) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await press(pilot, "1", "escape")
            monkeypatch.setattr(Client, "audit_label", failing)
            await pilot.press("a", "0", "escape", "backspace")
            gate.set()
            await until(pilot, lambda: isinstance(pilot.app.screen, Unsent))
            assert len(sitting(pilot).outbox) == 2
            broken = False
            await press(pilot, "enter")
            assert "Withdrew your label 0" in says(pilot)
            assert [entry.item.detail.action.action_id for entry in sitting(pilot).entries] == [first]
        assert [value for _, value in record(bob)] == ["1", "0", "withdrawn"]


class TestHelp:
    """`?` in the queue."""

    async def test_no_key_is_cut(self, project: Project) -> None:
        """Digits in a row are shown as a range, with a gap before what they do."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "question_mark")
            assert isinstance(pilot.app.screen, Reader)
            lines = pilot.app.screen.plain.splitlines()
            assert any(line.startswith("2-9 -           In the list of reasons: ") for line in lines)
            assert not any("…" in line[:16] for line in lines)


class TestTakingBack:
    """`backspace`, without limit."""

    async def test_ten_times(self, project: Project, bob: Client) -> None:
        """Each shows its step again, and is in the record."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            seen = []
            for key in "1010u10s11":
                seen.append(action_here(pilot))
                await press(pilot, key)
            for action_id in reversed(seen):
                await press(pilot, "backspace")
                assert action_here(pilot) == action_id
            assert sitting(pilot).labelled == 0
            await press(pilot, "0")
            assert action_here(pilot) == seen[1]
        rows = record(bob)
        assert [action for action, _ in rows] == [*seen, *reversed(seen), seen[0]]
        assert [value for _, value in rows[10:]] == ["withdrawn"] * 10 + ["0"]

    async def test_of_a_change_the_first_vote_stands_again(self, project: Project, bob: Client) -> None:
        """A change is a vote of its own."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await press(pilot, "1", "c", "0", "backspace")
            assert "stands again" in says(pilot)
            assert bob.action(first).action.human_reward == 1.0
            await press(pilot, "backspace")
            assert action_here(pilot) == first
            assert bob.action(first).action.human_reward is None

    async def test_what_comes_after_is_not_blind(self, project: Project, bob: Client) -> None:
        """The judge was shown: neither the record nor the sitting counts the vote anew as a reveal."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "1")
            assert sitting(pilot).reveals == (1, 0)
            await press(pilot, "backspace", "0", "c", "1")
            assert sitting(pilot).reveals == (0, 0)
        with connect(project, auditor="alice") as alice:
            position = alice.audit_position()
        assert (position.reveals, position.turned) == (0, 0)

    async def test_takes_back_its_own_vote(self, project: Project, bob: Client) -> None:
        """And not a newer label of the same person, from another screen, on the same step."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await press(pilot, "1")
            with connect(project, auditor="alice") as elsewhere:
                elsewhere.set_label(first, "0", reason="from the tree")
            await press(pilot, "backspace")
            assert action_here(pilot) == first
        assert bob.action(first).action.human_reward == 0.0
        assert [label.withdraws for label in bob.labels()] == [bob.labels()[2].client_uid, None, None]

    async def test_beyond_this_sitting(self, project: Project, bob: Client) -> None:
        """What was voted before the app was started is taken back, too."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await press(pilot, "1", "0")
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            here = action_here(pilot)
            await press(pilot, "backspace", "backspace")
            assert action_here(pilot) == first
            await press(pilot, "0")
            assert len(record(bob)) == 5
            await press(pilot, "1")
            assert action_here(pilot) == here
        assert bob.action(first).action.human_reward == 0.0

    async def test_fast_keys_undo_what_is_on_its_way(self, project: Project, bob: Client) -> None:
        """Vote, undo and vote again before anything is acknowledged."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            first = action_here(pilot)
            await pilot.press("1", "backspace", "0")
            await settled(pilot)
        assert record(bob) == [(first, "1"), (first, "withdrawn"), (first, "0")]


class TestLosses:
    """Lines drop, owners die, votes fail."""

    async def test_owner_killed_in_between(self, project: Project, bob: Client) -> None:
        """The next vote starts another; every vote is recorded once."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "1", "0")
            os.kill(bob.owner["pid"], signal.SIGKILL)
            await pilot.press("1", "u", "backspace", "0")
            await until(pilot, lambda: len(sitting(pilot).outbox) == 0)
            entries = sitting(pilot).entries
        rows = record(bob)
        assert [value for _, value in rows] == ["1", "0", "1", "unsure", "withdrawn", "0"]
        assert [row[0] for row in rows if row[1] != "withdrawn"][:3] == [
            entry.item.detail.action.action_id for entry in entries[:3]
        ]

    async def test_failed_vote_is_kept(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A dialog says so; later votes wait behind it, and enter sends all of them."""
        broken = True
        vote = Client.audit_label

        def failing(self: Client, *given: Any, **named: Any) -> Any:
            if broken:
                raise BswirlError("no space is left", "free some")
            return vote(self, *given, **named)

        monkeypatch.setattr(Client, "audit_label", failing)
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "1")
            assert isinstance(pilot.app.screen, Unsent)
            assert "no space is left" in shown(pilot)
            await press(pilot, "escape", "0")
            assert "2 votes NOT recorded" in shown(pilot)
            await press(pilot, "q", "q")
            assert isinstance(pilot.app.screen, Confirm)  # leaving would lose them
            await press(pilot, "n", "a")
            broken = False
            await press(pilot, "enter")
            assert "NOT recorded" not in shown(pilot)
        assert [value for _, value in record(bob)] == ["1", "0"]

    async def test_vote_that_is_refused_can_be_given_up(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It and what was about it; the others are recorded."""
        vote = Client.audit_label

        def failing(self: Client, item: Any, value: str, **named: Any) -> Any:
            if value == "0":
                raise BswirlError("never", "give up")
            return vote(self, item, value, **named)

        monkeypatch.setattr(Client, "audit_label", failing)
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "0")
            await press(pilot, "escape", "1", "c", "c")
            assert isinstance(pilot.app.screen, AuditScreen)
            await press(pilot, "enter")
            await press(pilot, "d")
            assert [entry.now.value for entry in sitting(pilot).entries] == ["1"]
            assert len(sitting(pilot).outbox) == 0
        assert [value for _, value in record(bob)] == ["1"]

    async def test_giving_up_is_about_the_vote_that_was_named(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not about one that failed while the dialog was open, when the one in it had been recorded."""
        refused = {"1": True, "0": True}
        vote = Client.audit_label

        def failing(self: Client, item: Any, value: str, **named: Any) -> Any:
            if refused[value]:
                raise BswirlError(f"no {value}", "wait")
            return vote(self, item, value, **named)

        monkeypatch.setattr(Client, "audit_label", failing)
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            for keys in ("1", "escape", "0", "enter"):
                await press(pilot, keys)
                asks = keys in ("1", "enter")
                await until(pilot, lambda asks=asks: isinstance(pilot.app.screen, Unsent) == asks)  # type: ignore[misc]
            refused["1"] = False
            sitting(pilot).outbox.again()  # as when the owner is there again
            await until(pilot, lambda: sitting(pilot).outbox.problem is not None)
            assert [value for _, value in record(bob)] == ["1"]
            assert "no 1" in shown(pilot)
            await press(pilot, "d")
            await until(pilot, lambda: isinstance(pilot.app.screen, Unsent) and "no 0" in shown(pilot))
            refused["0"] = False
            await press(pilot, "enter")
        assert [value for _, value in record(bob)] == ["1", "0"]

    async def test_reason_of_a_step_that_is_drawn_anew_meanwhile(self, project: Project, bob: Client) -> None:
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "r", "t")
            await typed(pilot, "why")
            current = sitting(pilot).current
            assert current is not None
            sitting(pilot)._renew(replace(current, draw_id=current.draw_id))
            await press(pilot, "enter", "0")
        assert [(label.value, label.reason) for label in bob.labels()] == [("0", "why")]

    async def test_leaving_waits_for_the_last_vote(self, project: Project, bob: Client) -> None:
        """`q` right behind a vote."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await pilot.press("1", "0", "ctrl+q")
            await until(pilot, lambda: pilot.app._exit)
        assert [value for _, value in record(bob)] == ["1", "0"]

    async def test_a_new_start_goes_on_at_the_same_step(self, project: Project, bob: Client) -> None:
        """And at those that had been fetched ahead, so that no draw is lost."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "1")
            here = action_here(pilot)
            ahead = [one.item.draw_id for one in sitting(pilot)._ahead]
        assert len(ahead) == AHEAD
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a")
            assert "You go on where you were" in says(pilot)
            assert action_here(pilot) == here
            assert re.search(r"0 labelled\W+1 before", shown(pilot))
            await press(pilot, "O")
            assert "in the order `random`" in shown(pilot)
            await press(pilot, "escape")
            assert action_here(pilot) == here
            await press(pilot, *"10" * (AHEAD + 1))
            drawn = {entry.item.draw_id for entry in sitting(pilot).entries}
        assert set(ahead) <= drawn

    async def test_leaving_the_queue_keeps_the_step(self, project: Project) -> None:
        """`a` comes back to it, without a dialog."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "1")
            here = action_here(pilot)
            await press(pilot, "q")
            assert isinstance(pilot.app.screen, MainScreen)
            await press(pilot, "a")
            assert action_here(pilot) == here


class TestSeveralAuditors:
    """Two apps on one project."""

    async def test_nobody_is_asked_of_anothers_step(self, project: Project, bob: Client) -> None:
        """Until there is none left: every step has one label, by one of them."""
        async with opened(project, NARROW, "ann") as one, opened(project, NARROW, "ben") as two:
            await begin(one)
            await begin(two)
            for _ in range(40):
                for pilot in (one, two):
                    if sitting(pilot).current is not None:
                        await press(pilot, "1")
            for pilot in (one, two):  # a vote of the other may have it ask once more
                await until(pilot, lambda pilot=pilot: bool(sitting(pilot).why))  # type: ignore[misc]
        labels = bob.labels(1000)
        firsts: dict[int, list[Label]] = {}
        for label in labels:
            firsts.setdefault(label.action_id, []).append(label)
        assert len(firsts) == 30  # five steps of six questions, answers left out
        once: Callable[[list[Label]], bool] = lambda found: len({one.auditor for one in found}) == 1  # noqa: E731
        assert all(once(found) for found in firsts.values())
        assert {label.auditor for label in labels} == {"ann", "ben"}

    async def test_a_step_on_screen_is_kept_while_there_are_keys(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No call while its time is young; in the tree, nothing is kept."""
        kept: list[tuple[int, float | None]] = []
        keep = Client.audit_keep

        def noted(client: Client, item: Any, minutes: float | None = None) -> bool:
            kept.append((item.draw_id, minutes))
            return keep(client, item, minutes)

        monkeypatch.setattr(Client, "audit_keep", noted)
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "j", "k")
            assert kept == []
            sitting(pilot)._reserved = None  # as for a step that an earlier start left
            await press(pilot, "j")
            current = sitting(pilot).current
            assert current is not None
            assert kept == [(current.draw_id, 10.0)]
            await press(pilot, "escape")
            sitting(pilot)._reserved = None
            await press(pilot, "j")
            assert len(kept) == 1


class TestSetup:
    """The dialog before the queue."""

    async def test_wrong_numbers_are_refused(self, project: Project) -> None:
        """Beside the field, and the dialog stays."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a")
            setup = pilot.app.screen
            assert isinstance(setup, AuditSetup)
            depth = next(field for field in setup.fields if field.option.name == "depth")
            depth.fill("none")
            await press(pilot, "enter")
            assert pilot.app.screen is setup
            assert depth.problem
            depth.fill("2")
            await press(pilot, "ctrl+s")
            for _ in range(4):
                item = sitting(pilot).shown
                assert item is not None
                assert item.detail.action.depth == 2
                await press(pilot, "1")

    async def test_order_can_be_changed(self, project: Project) -> None:
        """The step on screen stays; what it needs is said."""
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            here = action_here(pilot)
            await press(pilot, "O", "j")
            assert "closest to a tie" in shown(pilot)
            await press(pilot, "enter")
            assert action_here(pilot) == here
            assert sitting(pilot).options.order == "judge-split"
            assert "judge split" in shown(pilot)

    async def test_reasons_of_the_settings(self, project: Project) -> None:
        """And the guidelines in the side panel."""
        (project.root / "guide.md").write_text("Look at the\x1b[31m units.")
        with project.settings_file.open("a") as file:
            file.write('\n[audit]\nreasons = ["unit"]\nguidelines = "guide.md"\n')
        async with opened(project, NARROW) as pilot:
            await begin(pilot)
            await press(pilot, "t")
            assert "Look at the" in queue(pilot).guide_view.plain
            assert "\x1b" not in queue(pilot).guide_view.plain
            await press(pilot, "t", "r")
            assert "1 unit   t in words" in shown(pilot)
