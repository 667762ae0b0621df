"""Failures in the background: a dialog that says what to do, which neither stacks up nor takes a vote."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text
from textual.pilot import Pilot

from bswirl.client import Client
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl_tui import troubles
from bswirl_tui.screens.audit import AuditScreen
from bswirl_tui.screens.dialogs import Ask, Problem, Shown
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.troubles import ProblemsDialog
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, says, settled, shown, typed, until

FULL = BswirlError("the disk is full", "make room, then try again")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step's details can be read."""

    def fail(_self: Client, _action: int) -> Any:
        raise FULL

    monkeypatch.setattr(Client, "action", fail)


def dialogs(pilot: Pilot[Any]) -> int:
    return sum(isinstance(screen, ProblemsDialog) for screen in pilot.app.screen_stack)


def tell(pilot: Pilot[Any], *messages: str) -> None:
    for message in messages:
        main_screen(pilot).bswirl.tell_problem(BswirlError(message, "do something"))


class TestDialog:
    """What happened, and what to do."""

    @pytest.mark.parametrize("size", [NARROW, WIDE])
    async def test_a_failed_read(self, shared: Project, broken: None, size: tuple[int, int]) -> None:
        async with opened(shared, size) as pilot:
            await press(pilot, "j")
            assert dialogs(pilot) == 1
            assert "the disk is full" in shown(pilot)
            assert "make room, then try again" in shown(pilot)
            await press(pilot, "1", "0", "u")  # no label keys here
            assert dialogs(pilot) == 1
            await press(pilot, "enter")
            assert isinstance(pilot.app.screen, MainScreen)
            assert pilot.app.state.stats["labels"] == 0  # type: ignore[attr-defined]

    async def test_a_burst_counts_up_in_one(self, shared: Project) -> None:
        async with opened(shared, NARROW) as pilot:
            tell(pilot, "one", "other", "one", "one")
            await settled(pilot)
            await until(pilot, lambda: "one (3 times)" in shown(pilot))
            assert dialogs(pilot) == 1
            assert "other" in shown(pilot)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, MainScreen)

    async def test_what_goes_on_opens_no_second_one(
        self, shared: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is counted at the foot; after a while of quiet it is news again."""
        now = [0.0]
        monkeypatch.setattr(troubles, "clock", lambda: now[0])
        async with opened(shared, NARROW) as pilot:
            tell(pilot, "one")
            await press(pilot, "escape")
            now[0] += 30
            tell(pilot, "one")
            await settled(pilot)
            assert dialogs(pilot) == 0
            assert "Again, 2 times now: one" in says(pilot)
            await press(pilot, "exclamation_mark")
            assert "do something" in shown(pilot)
            await press(pilot, "escape")
            now[0] += 61
            tell(pilot, "one")
            await settled(pilot)
            assert dialogs(pilot) == 1

    async def test_nothing_wrong(self, shared: Project) -> None:
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "exclamation_mark")
            assert "Nothing has gone wrong" in says(pilot)


class TestAsked:
    """What a key asked for and did not get."""

    async def test_fast_keys_have_one_dialog(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Labels on a full disk: each failure is counted, none is taken for recorded."""

        def fail(_self: Client, *_given: Any, **_named: Any) -> Any:
            raise FULL

        async with opened(project, NARROW) as pilot:
            monkeypatch.setattr(Client, "set_label", fail)
            main = main_screen(pilot)
            for _ in range(3):
                main.action_label_good()
            await settled(pilot)
            await until(pilot, lambda: "the disk is full (3 times)" in shown(pilot))
            assert sum(isinstance(screen, Problem) for screen in pilot.app.screen_stack) == 1
            assert "make room, then try again" in shown(pilot)
            await press(pilot, "enter")
            assert pilot.app.screen is main
        assert bob.labels() == []


class TestTyping:
    """No dialog comes between a person and the keys."""

    async def test_votes_go_on(self, project: Project, bob: Client) -> None:
        """The head names the problem until it was read; leaving the queue shows it."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a", "enter", "1")
            tell(pilot, "one", "one")
            await settled(pilot)
            assert "one; ! says what to do" in says(pilot)
            assert "1 problem: ! says what to do" in shown(pilot).splitlines()[0]
            await press(pilot, "0", "u")
            assert isinstance(pilot.app.screen, AuditScreen)
            assert [label.value for label in bob.labels()] == ["unsure", "0", "1"]
            assert "1 problem" in shown(pilot).splitlines()[0]
            await press(pilot, "q")
            await until(pilot, lambda: dialogs(pilot) == 1)
            await settled(pilot)
            await until(pilot, lambda: "one (2 times)" in shown(pilot))
            await press(pilot, "enter")
            assert "1 problem" not in shown(pilot)

    async def test_it_can_be_read_in_the_queue(self, project: Project) -> None:
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a", "enter")
            tell(pilot, "one")
            await press(pilot, "exclamation_mark")
            assert "do something" in shown(pilot)
            await press(pilot, "enter")
            assert isinstance(pilot.app.screen, AuditScreen)
            assert "problem" not in shown(pilot).splitlines()[0]

    async def test_words_are_typed_to_their_end(self, shared: Project) -> None:
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "j", "slash")
            await typed(pilot, "sa")
            tell(pilot, "one")
            await typed(pilot, "le")
            assert dialogs(pilot) == 0
            await press(pilot, "enter")
            await until(pilot, lambda: dialogs(pilot) == 1)
            await press(pilot, "enter")
            assert main_screen(pilot).words == "sale"

    async def test_an_unsent_vote_waits_for_the_reason(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`d` gives a vote up: it must not be taken from the words of a reason."""

        def fail(_self: Client, *_given: Any, **_named: Any) -> Any:
            raise FULL

        async with opened(project, NARROW) as pilot:
            await press(pilot, "a", "enter", "r", "t")
            monkeypatch.setattr(Client, "audit_label", fail)
            app = main_screen(pilot).bswirl
            assert app.sitting is not None
            app.sitting.vote("1")
            await settled(pilot)
            assert isinstance(pilot.app.screen, Ask)
            await typed(pilot, "dud")
            assert len(app.sitting.outbox) == 1
            await press(pilot, "enter")
            await until(pilot, lambda: "Not recorded" in shown(pilot))
            assert "make room, then try again" in shown(pilot)


class TestMessages:
    """Plain words stay at the foot, until the next key."""

    async def test_the_next_key_ends_them(self, shared: Project) -> None:
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "left_square_bracket")
            assert "Nothing was seen before this." in says(pilot)
            await press(pilot, "g")
            assert "1 good" in says(pilot)

    @pytest.mark.parametrize("size", [NARROW, WIDE])
    async def test_long_ones_can_be_read_whole(self, shared: Project, size: tuple[int, int]) -> None:
        words = " ".join(f"word{number}" for number in range(30))
        async with opened(shared, size) as pilot:
            await press(pilot, "g")
            before = shown(pilot).splitlines()
            app = main_screen(pilot).bswirl
            app.say(Text(words, no_wrap=True, end=""))
            await settled(pilot)
            lines = shown(pilot).splitlines()
            wanted = -(-len(words) // (size[0] - 2))
            foot = lines[-wanted:] if wanted > 1 else lines[-1:]
            assert " ".join(" ".join(foot).split()) == words
            assert lines[: -len(foot)] == before[: -len(foot)]  # nothing else moved
            await press(pilot, "g")
            assert shown(pilot).splitlines() == before

    async def test_very_long_ones_have_a_window(self, shared: Project) -> None:
        words = " ".join(f"word{number}" for number in range(80))
        async with opened(shared, NARROW) as pilot:
            main_screen(pilot).bswirl.say(Text(words))
            await settled(pilot)
            assert isinstance(pilot.app.screen, Shown)
            assert "word79" in shown(pilot)

    async def test_no_window_over_what_is_typed(self, shared: Project) -> None:
        """As much as fits is said then."""
        words = " ".join(f"word{number}" for number in range(80))
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "slash")
            main_screen(pilot).bswirl.say(Text(words))
            await settled(pilot)
            assert isinstance(pilot.app.screen, MainScreen)
            assert "word20" in shown(pilot)
            assert "word79" not in shown(pilot)

    async def test_they_reach_a_person_in_a_dialog(self, shared: Project) -> None:
        """On the screen below, where they are when the dialog is closed."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "f")
            main_screen(pilot).bswirl.warn("late words")
            await settled(pilot)
            assert "late words" in says(pilot)

    async def test_the_theme_is_named(self, shared: Project) -> None:
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "f9")
            assert "Theme: light." in says(pilot)
