"""Text that would break a terminal or a markup parser, in every field, on every pane."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from bswirl.client import connect
from bswirl.project import Project
from bswirl_tui.app import BswirlApp
from bswirl_tui.widgets.entry import Entry, NameEntry, shown_in_place
from tests.tui import content, evaluated
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, settled, shown, typed
from tests.tui.test_text import UNSAFE


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose every text is hostile; its auditor's name, too."""
    folder = tmp_path_factory.mktemp("evil")
    project = Project.create(folder / "[bold]p\x1b[31m")
    with connect(project, auditor="[/mallory]\x1b[5m") as client:
        client.import_samples([content.hostile_question(), content.placed(1)], content.HOSTILE)
        for number in (1, 2):
            policy = f"{content.HOSTILE[:30]}{number}"
            evaluated.evaluation(client, folder / f"{number}", policy, (True, False), number=number)
        content.finished_evaluation(project, client, folder / "evaluate")
        tree = client.tree(1)
        for action in tree.actions:
            client.set_label(action.action_id, "1", reason=content.HOSTILE)
    try:
        yield project
    finally:
        with connect(project) as client:
            client.stop_owner()


def assert_safe(pilot: Pilot[Any]) -> None:
    """Nothing on screen is a control, and every line is as wide as the terminal."""
    for line in shown(pilot).splitlines():
        assert not {unicodedata.category(character) for character in line} & UNSAFE
        assert cell_len(line) == pilot.app.size.width


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
class TestEveryPane:
    """Shown, never obeyed."""

    async def test_main_screen(self, evil: Project, size: tuple[int, int]) -> None:
        """List, tree and detail of steps of 100 kB, wide, combining and controlling."""
        async with opened(evil, size, "[/mallory]\x1b[5m") as pilot:
            assert_safe(pilot)
            words = "[/foo] [link=" if size == NARROW else "[/foo] [l"  # beside the address, ten cells
            assert words in shown(pilot)
            for _ in range(5):
                await press(pilot, "j")
                assert_safe(pilot)
            main_screen(pilot).detail_view.focus()
            await press(pilot, "s", "G", "ctrl+u", "g")
            assert_safe(pilot)

    async def test_dialogs(self, evil: Project, size: tuple[int, int]) -> None:
        """Reasons, choices and help."""
        async with opened(evil, size, "[/mallory]\x1b[5m") as pilot:
            for key in ("r", "R", "d", "f", "question_mark", "colon"):
                await press(pilot, key)
                assert_safe(pilot)
                await press(pilot, "escape")
            await press(pilot, "slash")
            await typed(pilot, "[/foo]")
            await press(pilot, "enter")
            assert main_screen(pilot).questions.total == 1
            assert_safe(pilot)

    async def test_evaluations(self, evil: Project, size: tuple[int, int]) -> None:
        """Their list, what changed between two, both answers, and a log that is searched."""
        async with opened(evil, size, "[/mallory]\x1b[5m") as pilot:
            await press(pilot, "M", "j", "space", "j")
            assert_safe(pilot)
            await press(pilot, "enter", "f")
            assert_safe(pilot)
            await press(pilot, "G", "enter")
            assert_safe(pilot)
            assert "[/foo]" in shown(pilot)
            await press(pilot, "enter")
            assert_safe(pilot)
            assert "desrever" in shown(pilot)
            await press(pilot, "t")
            assert_safe(pilot)
            assert pilot.app.screen is main_screen(pilot)
            await press(pilot, "v", "enter", "tab", "slash")
            await typed(pilot, "[/foo]")
            await press(pilot, "enter")
            assert_safe(pilot)

    async def test_audit(self, evil: Project, size: tuple[int, int]) -> None:
        """Queue, reveal, reasons, report and conflicts."""
        async with opened(evil, size, "[/eve]\x1b[5m") as pilot:
            await press(pilot, "a")
            assert_safe(pilot)
            await press(pilot, "enter")
            for key in (
                "1",
                "0",
                "r",
                "1",
                "u",
                "c",
                "c",
                "enter",
                "backspace",
                "G",
                "t",
                "A",
                "escape",
                "C",
            ):
                await press(pilot, key)
                assert_safe(pilot)

    async def test_runs(self, evil: Project, size: tuple[int, int]) -> None:
        """List, answers, log and settings."""
        async with opened(evil, size, "[/mallory]\x1b[5m") as pilot:
            await press(pilot, "v")
            assert_safe(pilot)
            await press(pilot, "enter")
            assert_safe(pilot)
            await press(pilot, "tab")
            assert_safe(pilot)
            await press(pilot, "tab")
            assert_safe(pilot)
            await press(pilot, "escape", "G", "enter")
            assert_safe(pilot)

    async def test_messages(self, evil: Project, size: tuple[int, int]) -> None:
        """Errors and notices may quote anything."""
        from bswirl.errors import InputError

        async with opened(evil, size) as pilot:
            app = pilot.app
            assert isinstance(app, BswirlApp)
            app.tell_problem(InputError(content.HOSTILE, content.HOSTILE))
            await settled(pilot)
            assert_safe(pilot)
            app.show_problem(InputError(content.HOSTILE, content.HOSTILE))
            await settled(pilot)
            assert_safe(pilot)
            assert "[/foo]" in shown(pilot)


class Line(App[None]):
    """A line to type in, and nothing else."""

    def compose(self) -> ComposeResult:
        yield NameEntry(compact=True)


def drawn(entry: Entry) -> str:
    """What the line sends."""
    return entry.render_line(0).text


class TestEntries:
    """What is typed, pasted or taken is kept to the letter, and shown safe."""

    NAME = "wiki\x1b]0;pwned\x07\u202eevil"

    @given(st.text())
    def test_a_safe_character_for_each(self, foreign: str) -> None:
        """So that the cursor stands where it is."""
        plain = shown_in_place(foreign)
        assert len(plain) == len(foreign)
        assert not {unicodedata.category(character) for character in plain} & UNSAFE
        assert not any(0xFE00 <= ord(character) <= 0xFE0F for character in plain)

    async def test_name_that_is_taken(self) -> None:
        """The right arrow completes it; the dataset is found by what the line holds."""
        async with Line().run_test(size=(60, 1)) as pilot:
            entry = pilot.app.query_one(NameEntry)
            entry.names = [self.NAME]
            await pilot.press("w", "i", "right")
            assert entry.value == self.NAME
            assert drawn(entry).rstrip() == "wiki␛]0;pwned␇\ufffdevil"
            assert entry._cursor_offset == len(self.NAME) + 1

    async def test_text_that_is_pasted(self) -> None:
        """With old and new escapes, and what has no width."""
        async with Line().run_test(size=(60, 1)) as pilot:
            entry = pilot.app.query_one(NameEntry)
            pilot.app.post_message(events.Paste("a\x1b[31mb\u200bc\x9b1md\ue000e\tf漢g"))
            await pilot.pause()
            assert entry.value == "a\x1b[31mb\u200bc\x9b1md\ue000e\tf漢g"
            assert drawn(entry).rstrip() == "a␛[31mb\ufffdc\ufffd1md\ufffde␉f漢g"
            await pilot.click(NameEntry, offset=(drawn(entry).index("f"), 0))
            assert entry.value[entry.cursor_position] == "f"
            await pilot.click(NameEntry, offset=(59, 0))
            assert entry.cursor_at_end
