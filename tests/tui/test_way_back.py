"""A step that was opened from a list leads back to it: by escape, and by the key that goes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl_tui.screens.audit import AuditScreen
from bswirl_tui.screens.audit_report import AuditReportScreen, CellItems, CellScreen
from bswirl_tui.screens.comparison import ComparisonScreen, PairScreen
from bswirl_tui.screens.conflicts import ConflictRows, ConflictsScreen
from bswirl_tui.screens.curves import CurvesScreen
from bswirl_tui.screens.dialogs import Confirm
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.screens.moved import MovedList
from bswirl_tui.visits import Visit, Visits
from bswirl_tui.way_back import KEPT
from bswirl_tui.widgets.evaluation_list import AnsweredList
from bswirl_tui.widgets.row_list import RowList
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, says, settled, shown, until
from tests.tui.rich import rich_project

BACK = ("escape", "left_square_bracket")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One training run is enough here."""
    yield from rich_project(tmp_path_factory.mktemp("rich"), training_runs=1)


def tree_is_on(pilot: Pilot[Any], action_id: int) -> bool:
    return isinstance(pilot.app.screen, MainScreen) and main_screen(pilot).tree_view.key == action_id


async def opens_and_leads_back(
    pilot: Pilot[Any], rows: type[RowList], action_id: int, name: str, back: str
) -> None:
    """From the row under the cursor into the tree, and back to that row on the same screen."""
    screen, row = pilot.app.screen, pilot.app.screen.query_one(rows).cursor
    seen = shown(pilot)
    assert row > 0
    await press(pilot, "enter")
    await until(pilot, lambda: tree_is_on(pilot, action_id))
    assert f"esc back to {name}" in says(pilot)
    await press(pilot, back)
    assert pilot.app.screen is screen
    assert screen.query_one(rows).cursor == row
    assert shown(pilot) == seen


@pytest.mark.parametrize(("size", "back"), [(NARROW, BACK[0]), (WIDE, BACK[1])], ids=["80x24", "200x50"])
class TestLists:
    """Every list from which steps open."""

    async def test_moved_most(self, rich: Project, size: tuple[int, int], back: str) -> None:
        async with opened(rich, size) as pilot:
            await press(pilot, "V")
            await until(pilot, lambda: bool(pilot.app.screen.curves))  # type: ignore[attr-defined]
            await press(pilot, "tab", "m", "j", "j")
            found = pilot.app.screen.query_one(MovedList).found
            assert found is not None
            await opens_and_leads_back(pilot, MovedList, found["rows"][2]["action_id"], "moved most", back)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, CurvesScreen)  # what was below is there, too

    async def test_conflicts(self, rich: Project, size: tuple[int, int], back: str) -> None:
        async with opened(rich, size) as pilot:
            await press(pilot, "C", "j", "j")
            current = pilot.app.screen.query_one(ConflictRows).current
            assert current is not None
            await opens_and_leads_back(pilot, ConflictRows, current.action_id, "conflicts", back)

    async def test_steps_of_a_cell(self, rich: Project, size: tuple[int, int], back: str) -> None:
        async with opened(rich, size) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(pilot.app.screen.rows.rows))  # type: ignore[attr-defined]
            await press(pilot, "1", "j")
            step = pilot.app.screen.query_one(CellItems).items[1].action_id
            await opens_and_leads_back(pilot, CellItems, step, "the report's steps", back)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, AuditReportScreen)

    async def test_evaluations(self, rich: Project, size: tuple[int, int], back: str) -> None:
        """From the list of questions, and from both answers to one."""
        async with opened(rich, size) as pilot:
            await press(pilot, "M", "j", "space", "k", "enter", "j", "t")
            assert isinstance(pilot.app.screen, MainScreen)
            assert "esc back to the comparison" in says(pilot)
            await press(pilot, back)
            assert isinstance(pilot.app.screen, ComparisonScreen)
            assert pilot.app.screen.query_one(AnsweredList).cursor == 1
            await press(pilot, "enter", "J")
            pair = pilot.app.screen
            assert isinstance(pair, PairScreen)
            wanted = pair.here.question_id
            await press(pilot, "t")
            outline = main_screen(pilot).tree_view.outline
            assert outline is not None
            assert outline.tree.question.question_id == wanted
            await press(pilot, back)
            assert pilot.app.screen is pair
            assert pair.here.question_id == wanted

    async def test_audit(self, project: Project, size: tuple[int, int], back: str) -> None:
        """At the same step, whose time in sight goes on; the key that opens the queue leads there, too."""
        async with opened(project, size) as pilot:
            await press(pilot, "a", "enter", "1", "c", "o")
            if isinstance(pilot.app.screen, Confirm):  # where steps of that question wait to be judged
                await press(pilot, "y")
            assert "esc back to the audit" in says(pilot)
            await press(pilot, back)
            queue = pilot.app.screen
            assert isinstance(queue, AuditScreen)
            assert queue.sitting.looked_at is not None
            await press(pilot, "o", "a")
            assert pilot.app.screen is queue
            assert len(pilot.app.screen_stack) == 2


class TestWays:
    """What else escape and the history do meanwhile."""

    async def test_wandering_off(self, rich: Project) -> None:
        """Escape leads back from anywhere; the history step by step."""
        async with opened(rich, NARROW) as pilot:
            await press(pilot, "C", "j", "enter", "q", "J", "j")
            assert "esc back to conflicts" in says(pilot)
            for _ in range(4):  # the question, the outline, the candidates, the list
                assert isinstance(pilot.app.screen, MainScreen)
                await press(pilot, "[")
                if isinstance(pilot.app.screen, ConflictsScreen):
                    break
            assert pilot.app.screen.query_one(ConflictRows).cursor == 1

    async def test_own_comparison_is_left_first(self, rich: Project) -> None:
        """Escape leads from candidates that one went to oneself to the outline, then to the list."""
        async with opened(rich, NARROW) as pilot:
            await press(pilot, "C", "j", "enter", "q", "enter")
            assert main_screen(pilot).comparing
            assert "esc outline" in shown(pilot) or "back to" not in says(pilot)
            await press(pilot, "escape")
            assert not main_screen(pilot).comparing
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, ConflictsScreen)

    async def test_used_up(self, rich: Project) -> None:
        """Once back, and out of the list, escape leads nowhere and the foot says nothing of it."""
        async with opened(rich, NARROW) as pilot:
            await press(pilot, "C", "j", "enter", "escape", "escape", "q")
            main = pilot.app.screen
            assert isinstance(main, MainScreen)
            assert "esc" not in says(pilot)
            await press(pilot, "escape")
            assert pilot.app.screen is main

    async def test_lists_within_lists(self, rich: Project) -> None:
        """The newest first; there are only so many."""
        async with opened(rich, NARROW) as pilot:
            await press(pilot, "C", "j", "enter", "A")
            await until(pilot, lambda: bool(pilot.app.screen.rows.rows))  # type: ignore[attr-defined]
            await press(pilot, "1", "enter", "escape")
            assert isinstance(pilot.app.screen, CellScreen)
            await press(pilot, "q", "q", "escape")
            assert isinstance(pilot.app.screen, ConflictsScreen)
            for _ in range(KEPT + 2):
                await press(pilot, "enter", "C")
            await settled(pilot)
            screens = len(pilot.app._registry)
            for _ in range(5):
                await press(pilot, "enter", "C")
            await settled(pilot)
            assert len(pilot.app._registry) == screens  # none is kept for ever

    async def test_what_changed_meanwhile_is_read_anew(self, project: Project, bob: Client) -> None:
        with connect(project, auditor="ann") as ann:
            for action in (2, 3):
                ann.set_label(action, "1")
                bob.set_label(action, "0")
            async with opened(project, NARROW) as pilot:
                await press(pilot, "C", "j", "enter", "f9")
                ann.set_label(5, "1")
                bob.set_label(5, "0")
                await until(pilot, lambda: main_screen(pilot).state.stats["conflicts"] == 3)
                await pilot.resize_terminal(*WIDE)
                await press(pilot, "escape")
                await until(pilot, lambda: "Conflicts 3" in shown(pilot))
                current = pilot.app.screen.query_one(ConflictRows).current
                assert current is not None
                assert current.action_id == 3


class TestHistory:
    """The list that led to a visit is known as long as one moves about there."""

    def test_moving_about_keeps_it(self) -> None:
        visits = Visits()
        visits.see(Visit(1, 1))
        visits.leave(7)
        visits.see(Visit(2, 5, True))
        visits.see(Visit(2, 6, True))
        assert visits.came_from == 7
        visits.see(Visit(2, 6))
        assert visits.came_from is None
        assert visits.go(-1) == Visit(2, 6, True)
        assert visits.came_from == 7
        assert visits.go(-1) == Visit(1, 1)
        assert visits.came_from is None

    def test_the_step_that_is_on_screen_already(self) -> None:
        visits = Visits()
        visits.see(Visit(1, 1))
        visits.leave(7)
        visits.see(Visit(1, 1))
        assert visits.came_from == 7
        assert visits.go(-1) is None
