"""Keys that arrive together, as over a slow line, do what they would one by one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from bswirl.client import Client
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl_tui import typing_order
from bswirl_tui.app import BswirlApp
from bswirl_tui.screens.audit import AuditScreen
from bswirl_tui.screens.audit_setup import AuditSetup
from bswirl_tui.screens.dialogs import Ask, Problem
from tests.tui.driving import NARROW, main_screen, opened, press, says, until


@pytest.fixture(autouse=True)
def _no_key_is_held_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the machine takes; the test of what becomes of such keys sets its own time."""
    monkeypatch.setattr(typing_order, "HELD_SECONDS", 300.0)


def burst(pilot: Pilot[Any], keys: str) -> None:
    """All at once."""
    driver = pilot.app._driver
    assert driver is not None
    for character in keys:
        name = {"\r": "enter", " ": "space"}.get(character) or _character_to_key(character)
        event = events.Key(name, character)
        event.set_sender(pilot.app)
        driver.send_message(event)


class TestBurst:
    """A dialog gets the keys behind the one that opens it, and none behind the one that closes it."""

    async def test_reason_in_words_and_the_vote_behind_it(self, project: Project, bob: Client) -> None:
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a", "enter")
            burst(pilot, "rtof 10 us\r0r31rtno\ru")
            await until(pilot, lambda: len(bob.labels()) == 3)
        found = [(label.value, label.reason) for label in reversed(bob.labels())]
        assert found == [("0", "of 10 us"), ("1", "does not follow"), ("unsure", "no")]

    async def test_a_question_its_answer_and_a_vote(self, project: Project, bob: Client) -> None:
        """Nobody looked at the tree: the vote is blind."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a", "enter")
            burst(pilot, "on0")
            await until(pilot, lambda: len(bob.labels()) == 1)
        assert [(label.value, label.blind) for label in bob.labels()] == [("0", True)]


async def at_a_step(pilot: Pilot[Any], other_than: int | None = None) -> int:
    """The cursor on a step of the tree, where one is named on another than that; its number."""
    tree = main_screen(pilot).tree_view
    tree.focus()
    for _ in range(4):
        await press(pilot, "j")
        here = tree.action_here
        if here is not None and here.action_id != other_than:
            return here.action_id
    raise AssertionError("the tree has no other step")


class SlowOwner:
    """An owner that does not say where the auditor was before it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_answer, self.asked = threading.Event(), threading.Event()
        self.error: BswirlError | None = None
        monkeypatch.setattr(Client, "audit_position", self._wait(Client.audit_position))

    def _wait(self, answer: Any) -> Any:
        def audit_position(client: Client) -> Any:
            self.asked.set()
            assert self.may_answer.wait(60)
            if self.error is not None:
                raise self.error
            return answer(client)

        return audit_position


class TestHeld:
    """What a key opens may have to be read first: the keys behind it are meant for that."""

    async def test_a_vote_behind_the_key_that_opens_the_queue(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(project, NARROW) as pilot:
            await press(pilot, "a", "enter")
            assert isinstance(pilot.app, BswirlApp)
            assert pilot.app.sitting is not None
            assert pilot.app.sitting.current is not None
            wanted = pilot.app.sitting.current.detail.action.action_id
        owner = SlowOwner(monkeypatch)
        async with opened(project, NARROW) as pilot:
            await at_a_step(pilot, other_than=wanted)
            burst(pilot, "a1")
            await until_asked(pilot, owner)
            assert bob.labels() == []
            owner.may_answer.set()
            await until(pilot, lambda: len(bob.labels()) == 1)
            assert isinstance(pilot.app.screen, AuditScreen)
        assert [(label.action_id, label.value) for label in bob.labels()] == [(wanted, "1")]

    async def test_keys_behind_one_that_fails_go_to_what_says_so(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        owner = SlowOwner(monkeypatch)
        owner.error = BswirlError("no disk", "buy one")
        owner.may_answer.set()
        async with opened(project, NARROW) as pilot:
            await at_a_step(pilot)
            burst(pilot, "a1")
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))
            assert bob.labels() == []
            await press(pilot, "escape", "1")
            assert len(bob.labels()) == 1

    async def test_an_owner_that_never_answers(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was keyed for the queue labels nothing in the tree, and keys work again."""
        monkeypatch.setattr(typing_order, "HELD_SECONDS", 0.05)
        owner = SlowOwner(monkeypatch)
        async with opened(project, NARROW) as pilot:
            under_cursor = await at_a_step(pilot)
            burst(pilot, "a1j")
            await until_said(pilot, "2 keys not taken")
            assert bob.labels() == []
            burst(pilot, "0")
            while not bob.labels():
                await pilot.pause(0.05)
            owner.may_answer.set()
            await until(pilot, lambda: isinstance(pilot.app.screen, AuditSetup))
        assert [(label.action_id, label.value) for label in bob.labels()] == [(under_cursor, "0")]

    async def test_words_of_a_reason_that_is_read_first(self, project: Project, bob: Client) -> None:
        async with opened(project, NARROW) as pilot:
            await at_a_step(pilot)
            await press(pilot, "1")
            burst(pilot, "rso 0\r")
            await until(pilot, lambda: len(bob.labels()) == 2)
            assert not isinstance(pilot.app.screen, Ask)
        assert bob.labels()[0].reason == "so 0"


async def until_asked(pilot: Pilot[Any], owner: SlowOwner) -> None:
    while not owner.asked.is_set():
        await pilot.pause(0.02)
    for _ in range(3):
        await pilot.pause()


async def until_said(pilot: Pilot[Any], words: str) -> None:
    while words not in says(pilot):
        await pilot.pause(0.02)
