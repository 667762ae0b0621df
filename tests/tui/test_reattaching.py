"""Reattaching shows where one was: the list's filter, and the screen that was open, as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import Client, connect
from bswirl.errors import InputError
from bswirl.project import Project
from bswirl_tui import runs_text
from bswirl_tui.app import BswirlApp
from bswirl_tui.memory import Memory, Place
from bswirl_tui.query import Query
from bswirl_tui.reopening import made
from bswirl_tui.screens.audit import AuditScreen
from bswirl_tui.screens.audit_entry import AuditEntry
from bswirl_tui.screens.audit_report import AuditReportScreen
from bswirl_tui.screens.audit_setup import AuditSetup
from bswirl_tui.screens.base import ProjectScreen
from bswirl_tui.screens.conflicts import ConflictsScreen
from bswirl_tui.screens.curves import CurvesScreen
from bswirl_tui.screens.evaluations import EvaluationsScreen
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.screens.moved import MovedScreen
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.screens.runs import RunsScreen
from bswirl_tui.votes_cast import QueueOptions
from bswirl_tui.widgets.row_list import RowList
from tests.tui.driving import NARROW, WIDE, main_screen, press, says, settled, shown, typed, until
from tests.tui.rich import rich_project
from tests.tui.terminal import Terminal
from tests.tui.test_rounds import record

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Curves of two runs lie over each other."""
    yield from rich_project(tmp_path_factory.mktemp("rich"), training_runs=2)


@asynccontextmanager
async def sitting_down(
    project: Project, folder: Path, size: tuple[int, int] = NARROW, **how: Any
) -> AsyncIterator[Pilot[int]]:
    """The app with a memory in that folder; it ends as when the terminal goes away."""
    app = BswirlApp(project, "alice", memory=Memory(project.root, folder), tour=False, **how)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot
        app.exit(129)


def stack(pilot: Pilot[Any]) -> list[str]:
    return [type(screen).__name__ for screen in pilot.app.screen_stack[1:]]


def seen(pilot: Pilot[Any]) -> list[str]:
    """What the top screen shows, its foot left out."""
    return shown(pilot).splitlines()[:-1]


class TestScreens:
    """What was open is open again, over the main screen."""

    @pytest.mark.parametrize(
        ("size", "keys", "screens"),
        [
            (NARROW, ("C", "j", "j"), ["ConflictsScreen"]),
            (WIDE, ("v", "j", "j"), ["RunsScreen"]),
            (NARROW, ("M", "j", "space", "o", "k"), ["EvaluationsScreen"]),
            (
                WIDE,
                ("M", "j", "space", "k", "enter", "j", "j", "enter", "K"),
                ["EvaluationsScreen", "ComparisonScreen", "PairScreen"],
            ),
            (NARROW, ("v", "j", "j", "enter", "tab"), ["RunsScreen", "RunView"]),
        ],
        ids=["conflicts", "runs", "evaluations", "pair", "run"],
    )
    async def test_lists(
        self,
        rich: Project,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        size: tuple[int, int],
        keys: tuple[str, ...],
        screens: list[str],
    ) -> None:
        """With the cursor on its row."""
        monkeypatch.setattr(runs_text, "age", lambda stamp, now: "5m")
        async with sitting_down(rich, tmp_path, size) as pilot:
            await press(pilot, *keys)
            assert stack(pilot) == screens
            before = seen(pilot)
        async with sitting_down(rich, tmp_path, size) as pilot:
            await until(pilot, lambda: stack(pilot) == screens)
            await until(pilot, lambda: seen(pilot) == before)
            await until(pilot, lambda: "You are where you were" in says(pilot))
            await press(pilot, *["escape"] * len(screens))
            assert isinstance(pilot.app.screen, MainScreen)

    async def test_report_and_cell(self, rich: Project, tmp_path: Path) -> None:
        async with sitting_down(rich, tmp_path) as pilot:
            await press(pilot, "A", "b", "b")
            await until(pilot, lambda: "step 2" in shown(pilot))
            await press(pilot, "j", "1", "j")
            before, screens = seen(pilot), stack(pilot)
            assert screens == ["AuditReportScreen", "CellScreen"]
        async with sitting_down(rich, tmp_path) as pilot:
            await until(pilot, lambda: stack(pilot) == screens)
            await until(pilot, lambda: seen(pilot) == before)
            await press(pilot, "escape")
            assert pilot.app.screen.rows.cursor == 1  # type: ignore[attr-defined]
            assert "by depth" in shown(pilot)

    @SIZES
    async def test_curves(self, rich: Project, tmp_path: Path, size: tuple[int, int]) -> None:
        """Runs, panel, cursor, zoom, smoothing, scale and filter."""
        async with sitting_down(rich, tmp_path, size) as pilot:
            await press(pilot, "V")
            screen = pilot.app.screen
            assert isinstance(screen, CurvesScreen)
            await until(pilot, lambda: bool(screen.curves))
            await press(pilot, "r", "j", "space", "enter")
            await until(pilot, lambda: len(screen.curves) == 2)
            await press(pilot, "slash")
            await typed(pilot, "kl|shift|loss")
            await press(pilot, "enter", "tab", "s", "y", "h", "h", "plus", "z")
            view, before = screen.view, seen(pilot)
            assert view.log
            assert view.window is not None
        async with sitting_down(rich, tmp_path, size) as pilot:
            await until(pilot, lambda: stack(pilot) == ["CurvesScreen"])
            again = pilot.app.screen
            assert isinstance(again, CurvesScreen)
            await until(pilot, lambda: len(again.curves) == 2)
            assert again.view == view
            await until(pilot, lambda: seen(pilot) == before)
            await press(pilot, "m", "enter", "j")
            assert isinstance(pilot.app.screen, MovedScreen)
            moved = seen(pilot)
        async with sitting_down(rich, tmp_path, size) as pilot:
            await until(pilot, lambda: stack(pilot) == ["CurvesScreen", "MovedScreen"])
            await until(pilot, lambda: pilot.app.screen.query_one(RowList).cursor == 1)
            await until(pilot, lambda: seen(pilot) == moved)

    async def test_log_that_was_searched(self, rich: Project, tmp_path: Path) -> None:
        with connect(rich) as client:
            log = Path(client.run(5).folder) / "log"
        log.write_text("".join(f"line {number}\n" for number in range(500)) + "needle here\n" + "end\n" * 200)
        async with sitting_down(rich, tmp_path, WIDE) as pilot:
            await press(pilot, "v", "enter")
            view = pilot.app.screen
            assert isinstance(view, RunView)
            assert view.run_here.run_id == 5
            await until(pilot, lambda: "end" in shown(pilot))
            await press(pilot, "slash")
            await typed(pilot, "needle")
            await press(pilot, "enter")
            await until(pilot, lambda: "needle here" in shown(pilot))
        async with sitting_down(rich, tmp_path, WIDE) as pilot:
            await until(pilot, lambda: stack(pilot) == ["RunsScreen", "RunView"])
            await until(pilot, lambda: "needle here" in shown(pilot))
            view = pilot.app.screen
            assert isinstance(view, RunView)
            assert view.log_view.has_focus
            assert not view.log_view.following

    async def test_rounds(self, project: Project, tmp_path: Path) -> None:
        """On their screen, over the list with the cursor on their line."""
        record(project, status="cancelled", stopped="cancelled", ended="2026-03-01T11:20:00.000Z")
        async with sitting_down(project, tmp_path) as pilot:
            await press(pilot, "v", "enter")
            screens = stack(pilot)
            assert screens == ["RunsScreen", "RoundsView"]
        async with sitting_down(project, tmp_path) as pilot:
            await until(pilot, lambda: stack(pilot) == screens and "cancelled" in shown(pilot))
            await press(pilot, "escape")
            assert pilot.app.screen.work_here is not None  # type: ignore[attr-defined]

    async def test_what_is_gone_is_passed_over(
        self, rich: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Silently: the screens below it are there, and no dialog is."""
        async with sitting_down(rich, tmp_path) as pilot:
            await press(pilot, "v", "enter")
            assert stack(pilot) == ["RunsScreen", "RunView"]

        def gone(_self: Client, _run: int) -> Any:
            raise InputError("there is no such run", "look")

        monkeypatch.setattr(Client, "run", gone)
        async with sitting_down(rich, tmp_path) as pilot:
            await until(pilot, lambda: stack(pilot) == ["RunsScreen"])

    @pytest.mark.parametrize(
        "screens",
        [
            [{}],
            [{"screen": "attic"}],
            [{"screen": "run", "run": "x"}],
            [{"screen": "run", "run": 999}],
            [{"screen": "curves", "view": {"runs": [999]}}],
            [{"screen": "curves", "view": {"runs": [2], "half_life": 7}}],
            [{"screen": "curves", "view": {"runs": [2], "pattern": "("}}],
            [{"screen": "audit", "options": {"order": "random"}}],
            [{"screen": "audit", "options": None}],
            [{"screen": "comparison", "a": 3}],
        ],
        ids=str,
    )
    async def test_what_cannot_be_opened(
        self, rich: Project, tmp_path: Path, screens: list[dict[str, Any]]
    ) -> None:
        Memory(rich.root, tmp_path).keep(Place("shop:q01", 0, screens=screens))
        async with sitting_down(rich, tmp_path) as pilot:
            assert stack(pilot) == []
            outline = main_screen(pilot).tree_view.outline
            assert outline is not None
            assert outline.tree.question.address == "shop:q01"

    @pytest.mark.parametrize(
        "kind",
        [AuditReportScreen, ConflictsScreen, EvaluationsScreen, RunsScreen],
        ids=lambda kind: kind.__name__,
    )
    async def test_screen_that_is_still_being_made(
        self, rich: Project, tmp_path: Path, kind: type[ProjectScreen]
    ) -> None:
        """It can be noted where one is, and the app can end, before a screen has anything to show."""
        async with sitting_down(rich, tmp_path) as pilot:
            screen = kind(main_screen(pilot).state)
            screen.kept = {"screen": "runs"}
            pilot.app.push_screen(screen)
            assert not screen.is_mounted
            screen.bswirl.reattaching.look()
            screen.bswirl.reattaching.keep()
            found = Memory(rich.root, tmp_path).place()
            assert found is not None
            assert found.screens == [{"screen": "runs"}]

    async def test_fresh(self, rich: Project, tmp_path: Path) -> None:
        async with sitting_down(rich, tmp_path) as pilot:
            await press(pilot, "C")
        async with sitting_down(rich, tmp_path, fresh=True) as pilot:
            assert stack(pilot) == []
        async with sitting_down(rich, tmp_path) as pilot:  # and that is where one was last
            assert stack(pilot) == []

    def test_fields_that_a_version_does_not_know(self) -> None:
        assert made(QueueOptions, {"order": "depth", "blind": 0, "new": 1}) == QueueOptions(
            "depth", blind=False
        )
        with pytest.raises(TypeError):
            made(QueueOptions, [1])
        with pytest.raises(ValueError, match="could not convert"):
            made(QueueOptions, {"slice": "much"})


class TestList:
    """The questions that were listed are listed."""

    @SIZES
    async def test_filter_and_order(self, shared: Project, tmp_path: Path, size: tuple[int, int]) -> None:
        async with sitting_down(shared, tmp_path, size) as pilot:
            await press(pilot, "f", "j", "j", "j", "j", "enter", "o", "j", "j", "enter", "J", "j")
            query = main_screen(pilot).questions.query_shown
            assert query.narrows
            assert query.sort != "id"
            before = seen(pilot)
        async with sitting_down(shared, tmp_path, size) as pilot:
            await until(pilot, lambda: main_screen(pilot).questions.query_shown == query)
            await until(pilot, lambda: seen(pilot) == before)
            await press(pilot, "c")
            assert not main_screen(pilot).questions.query_shown.narrows

    async def test_search(self, shared: Project, tmp_path: Path) -> None:
        """With the matches marked, and `n` going on."""
        async with sitting_down(shared, tmp_path) as pilot:
            await press(pilot, "slash")
            await typed(pilot, "=")
            await press(pilot, "enter", "n")
            before = seen(pilot)
        async with sitting_down(shared, tmp_path) as pilot:
            await until(pilot, lambda: main_screen(pilot).words == "=")
            await until(pilot, lambda: seen(pilot) == before)
            key = main_screen(pilot).tree_view.key
            await press(pilot, "n")
            assert main_screen(pilot).tree_view.key != key

    async def test_question_that_is_not_in_the_list(self, shared: Project, tmp_path: Path) -> None:
        """Its tree stays on screen though the list begins elsewhere."""
        Memory(shared.root, tmp_path).keep(
            Place("shop:q03", 0, query={"search": "A shop has 2", "descending": True})
        )
        async with sitting_down(shared, tmp_path) as pilot:
            await until(pilot, lambda: main_screen(pilot).questions.selected is not None)
            outline = main_screen(pilot).tree_view.outline
            assert outline is not None
            assert outline.tree.question.address == "shop:q03"
            assert not main_screen(pilot).awaits_tree
            await press(pilot, "J")
            after = main_screen(pilot).tree_view.outline
            assert after is not None
            assert after.tree.question.address != "shop:q03"

    def test_what_was_kept(self) -> None:
        query = Query("a", "d", "train", "live", "reward", True)
        assert Query.from_kept({"search": "a", "dataset": "d", "split": "train"}) == Query("a", "d", "train")
        assert Query.from_kept({"filter": "live", "sort": "reward", "descending": True}) == Query(
            filter=query.filter, sort=query.sort, descending=True
        )
        assert Query.from_kept({"filter": "odd", "sort": ["id"], "search": 3, "descending": "yes"}) == Query()


class TestWayBack:
    """Escape in the tree leads back to the list from which the step was opened."""

    @pytest.mark.parametrize(
        ("size", "keys", "name"),
        [
            (NARROW, ("C", "j", "j", "enter"), "conflicts"),
            (WIDE, ("M", "j", "space", "k", "enter", "j", "j", "enter", "K", "t"), "both answers"),
        ],
        ids=["conflicts", "pair"],
    )
    async def test_after_a_restart(
        self, rich: Project, tmp_path: Path, size: tuple[int, int], keys: tuple[str, ...], name: str
    ) -> None:
        """As often as one starts again before."""
        async with sitting_down(rich, tmp_path, size) as pilot:
            await press(pilot, *keys)
            assert f"back to {name}" in says(pilot)
            tree = seen(pilot)
            await press(pilot, "escape")
            screens, before = stack(pilot), seen(pilot)
            await press(pilot, keys[-1])
        for _ in range(2):
            async with sitting_down(rich, tmp_path, size) as pilot:
                await until(pilot, lambda: seen(pilot) == tree)
        async with sitting_down(rich, tmp_path, size) as pilot:
            await until(pilot, lambda: seen(pilot) == tree)
            await press(pilot, "escape")
            await until(pilot, lambda: stack(pilot) == screens and seen(pilot) == before)
            assert main_screen(pilot).bswirl.way_back.newest is None

    async def test_list_that_is_not_there_any_more(self, shared: Project, tmp_path: Path) -> None:
        """It says so, and one stays in the tree."""
        gone = {"called": "moved most", "screens": [{"screen": "moved", "run": 99, "step": None}]}
        Memory(shared.root, tmp_path).keep(Place("shop:q03", 0, aside=gone))
        async with sitting_down(shared, tmp_path) as pilot:
            await press(pilot, "escape")
            assert stack(pilot) == []
            assert "not there any more" in says(pilot)
            await press(pilot, "j")
            assert "back to" not in says(pilot)

    @pytest.mark.parametrize("aside", [{"screens": "odd"}, {"screens": []}, {"screens": [3]}, {"called": 1}])
    async def test_what_nobody_understands(
        self, shared: Project, tmp_path: Path, aside: dict[str, Any]
    ) -> None:
        Memory(shared.root, tmp_path).keep(Place("shop:q03", 0, aside=aside))
        async with sitting_down(shared, tmp_path) as pilot:
            assert main_screen(pilot).bswirl.way_back.newest is None


class TestAudit:
    """The queue goes straight on."""

    @SIZES
    async def test_it_was_open(self, project: Project, tmp_path: Path, size: tuple[int, int]) -> None:
        """At the step that was on screen, as the queue was set up."""
        async with sitting_down(project, tmp_path, size) as pilot:
            await press(pilot, "a", "j", "j", "j", "j", "enter", "1")
            queue = pilot.app.screen
            assert isinstance(queue, AuditScreen)
            assert queue.sitting.current is not None
            step, options = queue.sitting.current.draw_id, queue.sitting.options
            assert options.order != "random"
        async with sitting_down(project, tmp_path, size) as pilot:
            await until(pilot, lambda: stack(pilot) == ["AuditScreen"])
            queue = pilot.app.screen
            assert isinstance(queue, AuditScreen)
            assert queue.sitting.current is not None
            assert queue.sitting.current.draw_id == step
            assert queue.sitting.options == options
            await press(pilot, "q")
        async with sitting_down(project, tmp_path, size) as pilot:
            assert stack(pilot) == []
            await press(pilot, "a")
            queue = pilot.app.screen
            assert isinstance(queue, AuditScreen)
            assert queue.sitting.current is not None
            assert queue.sitting.current.draw_id == step
            assert queue.sitting.options == options
            assert "O opens the set-up" in says(pilot)
            await press(pilot, "O")
            assert isinstance(pilot.app.screen, AuditSetup)

    async def test_key_was_pressed_twice(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second answer to the same key makes no second sitting, whose votes nobody would wait for."""
        once = AuditEntry._go_on

        def twice(screen: AuditEntry, found: Any) -> None:
            once(screen, found)
            once(screen, found)

        async with sitting_down(project, tmp_path) as pilot:
            await press(pilot, "a", "enter", "q")
        monkeypatch.setattr(AuditEntry, "_go_on", twice)
        async with sitting_down(project, tmp_path) as pilot:
            await press(pilot, "a")
            queue = pilot.app.screen
            assert isinstance(queue, AuditScreen)
            assert stack(pilot) == ["AuditScreen"]
            assert queue.bswirl.sitting is queue.sitting

    @pytest.mark.parametrize("leaves", [True, False])
    async def test_settings_were_changed(self, project: Project, tmp_path: Path, leaves: bool) -> None:
        """What the set-up asks stays as it was answered; what it does not ask is as the settings have it."""
        async with sitting_down(project, tmp_path) as pilot:
            await press(pilot, "a", "enter", "1", *["q"] * leaves)
            before = pilot.app.sitting.options  # type: ignore[attr-defined]
        with project.settings_file.open("a") as file:
            file.write("\n[audit]\nslice = 0.5\nreserve_minutes = 45\n")
        async with sitting_down(project, tmp_path) as pilot:
            if leaves:
                await press(pilot, "a")
            await until(pilot, lambda: stack(pilot) == ["AuditScreen"])
            now = pilot.app.sitting.options  # type: ignore[attr-defined]
            assert (now.slice, now.reserve_minutes) == (before.slice, 45.0)

    @pytest.mark.parametrize("down", [0, 4])
    async def test_memory_was_lost(self, project: Project, tmp_path: Path, down: int) -> None:
        """The order is in the record; the rest is as the settings have it."""
        with project.settings_file.open("a") as file:
            file.write("\n[audit]\nslice = 0.5\nrepeats = 0.0\nblind = false\n")
        async with sitting_down(project, tmp_path) as pilot:
            await press(pilot, "a", *["j"] * down, "enter", "1")
            order = pilot.app.sitting.options.order  # type: ignore[attr-defined]
            assert (order == "random") == (down == 0)
        async with sitting_down(project, tmp_path / "other") as pilot:
            await press(pilot, "a")
            assert isinstance(pilot.app.screen, AuditScreen)
            assert pilot.app.screen.sitting.options == QueueOptions(
                order, slice=0.5, repeats=0.0, blind=False
            )

    async def test_first_time(self, project: Project, tmp_path: Path) -> None:
        async with sitting_down(project, tmp_path) as pilot:
            await press(pilot, "a")
            assert isinstance(pilot.app.screen, AuditSetup)


def test_a_killed_terminal(rich: Project, tmp_path: Path) -> None:
    """In a real one: the line drops with the conflicts on screen, and they are there again."""
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with Terminal(rich.root, options=(), **state) as terminal:
        terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
        terminal.press(b"C")
        terminal.wait_for(b"alice 1, bob 0")
        terminal.close()
        terminal.ended()
    with Terminal(rich.root, options=(), **state) as terminal:
        terminal.wait_for(b"where you were")
        terminal.wait_for(b"alice 1, bob 0")
