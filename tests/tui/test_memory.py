"""What the app remembers: where one was, that the tour was seen; and that losing it harms nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.project import Project
from bswirl_tui import reattaching
from bswirl_tui.app import BswirlApp
from bswirl_tui.memory import Memory, Place
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.widgets.tour import Tour
from tests.tui.driving import NARROW, main_screen, press, says, settled, shown, until
from tests.tui.terminal import Terminal


@asynccontextmanager
async def started(
    project: Project, folder: Path, size: tuple[int, int] = NARROW, **how: Any
) -> AsyncIterator[Pilot[int]]:
    """The app as a user starts it, with a memory in that folder."""
    app = BswirlApp(project, "alice", memory=Memory(project.root, folder), **how)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await until(pilot, lambda: not main_screen(pilot).awaits_tree)
        yield pilot


def where(pilot: Pilot[int]) -> tuple[str, int | None, bool]:
    """The question, the line under the cursor, and the mode."""
    screen = main_screen(pilot)
    assert screen.tree_view.outline is not None
    return screen.tree_view.outline.tree.question.address, screen.tree_view.key, screen.comparing


class TestPlace:
    """Reattaching shows where one was."""

    async def test_question_step_and_mode(self, shared: Project, tmp_path: Path) -> None:
        async with started(shared, tmp_path, tour=False) as pilot:
            first = where(pilot)
            await press(pilot, "J", "J", "j", "enter", "l")
            left = where(pilot)
            assert left != first
            assert left[2]
        async with started(shared, tmp_path, tour=False) as pilot:
            assert where(pilot) == left
            assert "where you were" in says(pilot)
            assert main_screen(pilot).questions.selected is not None
            assert main_screen(pilot).questions.selected.address == left[0]  # type: ignore[union-attr]
            await press(pilot, "escape", "j")
            assert where(pilot)[2] is False
        async with started(shared, tmp_path, tour=False, fresh=True) as pilot:
            assert where(pilot) == first

    async def test_is_kept_without_leaving(
        self, shared: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A line that drops takes the app away before it can say goodbye."""
        monkeypatch.setattr(reattaching, "KEEP_SECONDS", 0.01)
        async with started(shared, tmp_path, tour=False) as pilot:
            await press(pilot, "J")
            address = where(pilot)[0]
            await until(
                pilot, lambda: (Memory(shared.root, tmp_path).place() or Place("", 0)).address == address
            )

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"address": "no:where", "key": 1, "comparing": false}'])
    async def test_what_cannot_be_used_is_passed_over(
        self, shared: Project, tmp_path: Path, text: str
    ) -> None:
        memory = Memory(shared.root, tmp_path)
        memory.keep(Place("shop:q00", 1))
        [file] = (tmp_path / "places").iterdir()
        file.write_text(text)
        async with started(shared, tmp_path, tour=False) as pilot:
            assert where(pilot)[0] == "shop:q00"
            assert "where you were" not in says(pilot)

    async def test_no_folder_no_harm(self, shared: Project) -> None:
        async with started(shared, Path(os.devnull)) as pilot:
            await press(pilot, "J")
            assert where(pilot)[0] == "shop:q01"

    def test_each_project_has_its_own(self, tmp_path: Path) -> None:
        one, other = Memory(Path("/a"), tmp_path), Memory(Path("/b"), tmp_path)
        one.keep(Place("a:1", 5, True))
        assert one.place() == Place("a:1", 5, True)
        assert other.place() is None
        assert Memory(Path("/a"), tmp_path).place() == Place("a:1", 5, True)

    def test_each_auditor_has_their_own(self, tmp_path: Path) -> None:
        """Who shares an account does not begin at a colleague's step, which may be one to judge blind."""
        names = (None, "bob", "carol")
        for key, name in enumerate(names):
            Memory(Path("/a"), tmp_path, auditor=name).keep(Place("a:1", key))
        found = [Memory(Path("/a"), tmp_path, auditor=name).place() for name in names]
        assert [place and place.key for place in found] == [0, 1, 2]

    def test_trees_that_were_seen_are_kept_beside_each_other(self, tmp_path: Path) -> None:
        """By two apps at once, and where the last line was cut off."""
        first, second = (Memory(Path("/a"), tmp_path, auditor="bob") for _ in range(2))
        assert first.trees_seen() == set()
        first.see_tree("a:1")
        second.see_tree("a:2\n")
        assert first.trees_seen() == {"a:1", "a:2\n"}
        with next((tmp_path / "places").glob("*.seen")).open("a") as file:
            file.write('"a:3')
        assert first.trees_seen() >= {"a:1", "a:2\n"}
        assert Memory(Path("/a"), tmp_path, auditor="carol").trees_seen() == set()

    def test_a_dropped_line(self, project: Project, tmp_path: Path) -> None:
        """In a real terminal: the line drops, and the next session shows the same question."""
        state = {"XDG_STATE_HOME": str(tmp_path / "state")}
        with Terminal(project.root, options=(), **state) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"J")
            terminal.wait_for(b"3*4=12")
            terminal.close()
            terminal.ended()
        with Terminal(project.root, options=(), **state) as terminal:
            terminal.wait_for(b"where you were")
            terminal.wait_for(b"Step 1: There are 3*4=12 pens.")
        with Terminal(project.root, options=("--as", "bob"), **state) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")


class TestTour:
    """Once per user, beside the first tree."""

    async def test_leaves_the_tree_in_sight(self, shared: Project, tmp_path: Path) -> None:
        async with started(shared, tmp_path) as pilot:
            text = shown(pilot)
            assert "each line is a step" in text
            assert "T hides these lines" in text
            assert main_screen(pilot).query_one(Tour).size.height == 6  # unwrapped
            assert "Step 1: There are 2*3=6 pens." in text
            assert max(map(len, text.splitlines())) <= NARROW[0]
            await press(pilot, "j")  # keys go on working
            assert isinstance(pilot.app.screen, MainScreen)
            await press(pilot, "T")
            assert "each line is a step" not in shown(pilot)
            await press(pilot, "T")
            assert "each line is a step" in shown(pilot)
        async with started(shared, tmp_path) as pilot:
            assert not pilot.app.screen.query_one(Tour).display

    async def test_speaks_of_candidates_beside_each_other(self, shared: Project, tmp_path: Path) -> None:
        """In two lines, so that there is room for them."""
        async with started(shared, tmp_path) as pilot:
            await press(pilot, "enter")
            assert "other ways on from the same steps" in shown(pilot)
            assert "each line is a step" not in shown(pilot)
            assert main_screen(pilot).query_one(Tour).size.height == 2
            await press(pilot, "escape")
            assert "each line is a step" in shown(pilot)

    async def test_is_left_out(self, shared: Project, tmp_path: Path) -> None:
        async with started(shared, tmp_path, tour=False) as pilot:
            assert not pilot.app.screen.query_one(Tour).display
            assert not Memory(shared.root, tmp_path).tour_seen
