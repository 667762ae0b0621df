"""Keys that arrive together, as over a slow line, do what they would one by one."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from bswirl.client import Client
from bswirl.project import Project
from tests.tui.driving import NARROW, opened, press, until


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
