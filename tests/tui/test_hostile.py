"""Text that would break a terminal or a markup parser, in every field, on every pane."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from bswirl.client import connect
from bswirl.project import Project
from bswirl_tui.app import BswirlApp
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
