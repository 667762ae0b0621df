"""The screen of curves: panels, runs over each other, one cursor, files, and the way to the actions."""

from __future__ import annotations

import asyncio
import csv
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.pilot import Pilot
from textual.widgets import Input

from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import FileLock
from bswirl_tui.charts.series import MOST_POINTS
from bswirl_tui.screens import curves
from bswirl_tui.screens.curves import CurvesScreen, read_new
from bswirl_tui.screens.dialogs import Confirm, Problem
from bswirl_tui.screens.moved import MovedScreen, amounts
from bswirl_tui.screens.pick_runs import PickRuns
from bswirl_tui.widgets.panel_grid import PanelGrid
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, says, settled, shown, typed, until
from tests.tui.trained import append, step_rows, trained


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two training runs, numbers 2 and 3."""
    folder = tmp_path_factory.mktemp("trained")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        trained(client, folder / "one", 1)
        trained(client, folder / "two", 2)
        yield project
        client.stop_owner()


def screen_of(pilot: Pilot[Any]) -> CurvesScreen:
    screen = pilot.app.screen
    assert isinstance(screen, CurvesScreen)
    return screen


async def show_curves(pilot: Pilot[Any]) -> CurvesScreen:
    await press(pilot, "V")
    await until(pilot, lambda: "newest step" in shown(pilot))
    return screen_of(pilot)


class TestPanels:
    """As many as fit, the rest on further pages."""

    async def test_grows_as_a_whole(self, two_runs: Project) -> None:
        """With a line more, no line of the smaller page stays."""
        async with opened(two_runs, NARROW) as pilot:
            await show_curves(pilot)
            grid = pilot.app.screen.query_one(PanelGrid)
            for height in range(15, 21):
                grid.styles.height = height
                await settled(pilot)
                seen = [grid.screen.find_widget(grid).region.y, *shown(pilot).splitlines()]
                top = seen.pop(0)
                assert [line.rstrip() for line in seen[top : top + height]] == [
                    line.rstrip() for line in grid.plain.splitlines()
                ]

    @pytest.mark.parametrize(("size", "panels"), [(NARROW, 2), ((120, 40), 6), (WIDE, 12)])
    async def test_page(self, two_runs: Project, size: tuple[int, int], panels: int) -> None:
        """By size; the newest run is shown."""
        async with opened(two_runs, size) as pilot:
            screen = await show_curves(pilot)
            assert screen.grid.grid.page == min(panels, 12)
            assert "3 bswirl 2 done" in screen.grid.plain
            axes = [line for line in screen.grid.plain.split("\n") if "────" in line]
            assert len(axes) == screen.grid.grid.rows

    async def test_paging_reaches_every_panel(self, two_runs: Project) -> None:
        """Page by page, and panel by panel."""
        async with opened(two_runs, NARROW) as pilot:
            screen = await show_curves(pilot)
            seen = set()
            for _ in range(6):
                seen |= {spec.title for spec in screen._panels if spec.title in screen.grid.plain}
                await press(pilot, "pagedown")
            assert len(seen) == len(screen._panels) == 11
            assert "page 6 of 6" in shown(pilot)
            await press(pilot, *["pageup"] * 6)
            assert "page 1 of 6" in shown(pilot)
            await press(pilot, "tab", "tab", "tab")
            assert "page 2 of 6" in shown(pilot)
            assert screen.panel is not None
            assert f"▸{screen.panel.title}" in shown(pilot)

    async def test_one_panel_alone(self, two_runs: Project) -> None:
        """Enter, and enter goes back."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "tab", "enter")
            assert "KL to the base" in shown(pilot)
            assert "Loss" not in shown(pilot)
            await press(pilot, "enter")
            assert "Loss" in shown(pilot)
            assert screen.view.focus == "KL to the base"

    async def test_filter(self, two_runs: Project) -> None:
        """By regular expression; a broken one is explained, one that fits nothing too."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "slash")
            await typed(pilot, "^(kl|entropy)$")
            await press(pilot, "enter")
            assert [spec.title for spec in screen._panels] == ["KL to the base", "entropy"]
            assert "/^(kl|entropy)$" in shown(pilot)
            await press(pilot, "slash", "(", "enter")
            assert isinstance(pilot.app.screen, Problem)
            await press(pilot, "enter", "slash", *["backspace"] * 20, "q", "q", "enter")
            assert "No curve fits the filter" in shown(pilot)
            await press(pilot, "slash", "backspace", "backspace", "k", "l", "backslash", "space", "enter")
            assert isinstance(pilot.app.screen, Problem)  # as it is kept, without the space, it is none
            await press(pilot, "enter", "slash", *["backspace"] * 20, "enter")
            assert len(screen._panels) == 11


class TestReading:
    """One cursor for all panels."""

    async def test_cursor_is_one_for_all(self, two_runs: Project) -> None:
        """Every panel says its value there."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "H", "H")
            step = screen.view.cursor
            assert step is not None
            assert 60 < step < 110
            assert f"step {step}" in shown(pilot)
            axes = [line for line in screen.grid.plain.split("\n") if "▲" in line]
            assert [line.count("▲") for line in axes] == [3, 3, 3, 2]
            loss = step_rows(step, 2)[0]["values"]["loss"]
            assert f"▸Loss  {loss:.4g}" in shown(pilot)
            assert f"entropy  {1 - step / 400:.4g}" in shown(pilot)
            probe = step // 10 * 10
            assert f"Shift margin  {0.03 * probe:+.4g} [{0.03 * probe - 0.1:+.4g}" in shown(pilot)
            assert (f"@{probe}" in shown(pilot)) == (probe != step)
            await press(pilot, "G")
            assert "newest step 120" in shown(pilot)

    async def test_cursor_goes_from_point_to_point(self, two_runs: Project) -> None:
        """On a panel of the probe, ten steps at a time; at the ends it stays."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "tab", "tab", "h", "h")
            assert screen.view.cursor == 100
            await press(pilot, "l")
            assert screen.view.cursor == 110
            await press(pilot, "g", "h", "h")
            assert screen.view.cursor == 10
            await press(pilot, "shift+tab", "shift+tab", "g", "tab", "tab")
            assert screen.view.cursor == 1  # before this panel's first point
            await press(pilot, "h")
            assert screen.view.cursor == 1
            await press(pilot, "G", "l")
            assert screen.view.cursor is None

    async def test_zoom_and_scales(self, two_runs: Project) -> None:
        """Around the cursor; one panel's scale is its own."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "H", "H", "H", "+", "plus")
            window = screen.view.window
            assert window is not None
            assert window[1] - window[0] == 30
            assert f"steps {window[0]} to {window[1]}" in shown(pilot)
            await press(pilot, "y", "s")
            assert "  log" in shown(pilot).split("\n")[2]
            assert "smoothed, half-life 3 steps" in shown(pilot)
            await press(pilot, "y", "0", "minus")
            assert screen.view.window is None
            assert "log" not in shown(pilot).split("\n")[2].lower().replace("log-prob", "")

    async def test_click_puts_the_cursor(self, two_runs: Project) -> None:
        """The mouse is optional, but works."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await pilot.click(PanelGrid, offset=(100, 18))
            await settled(pilot)
            assert screen.view.focus == "Policy loss"
            assert screen.view.cursor is not None


class TestRuns:
    """Runs over each other."""

    async def test_two_runs(self, two_runs: Project) -> None:
        """With letters, so that no colour is needed."""
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "r")
            assert isinstance(pilot.app.screen, PickRuns)
            await press(pilot, "space", "space", "enter")
            assert "space takes another one" in says(pilot)
            await press(pilot, "r", "space", "enter")
            await until(pilot, lambda: "B 2 bswirl 1" in shown(pilot))
            loss = [step_rows(120, number)[0]["values"]["loss"] for number in (2, 1)]
            assert f"▸Loss  A {loss[0]:.4g}  B {loss[1]:.4g}" in shown(pilot)
            assert {"c0", "c1", "c0*", "c1*"} <= {style for row in screen.grid._sheet.styles for style in row}

    async def test_what_was_seen_is_seen_again(self, two_runs: Project) -> None:
        """After going back to the questions."""
        async with opened(two_runs) as pilot:
            await show_curves(pilot)
            await press(pilot, "tab", "H", "s", "q")
            assert pilot.app.screen is main_screen(pilot)
            await press(pilot, "V")
            assert "▸KL to the base" in shown(pilot)
            assert "half-life 3" in shown(pilot)

    async def test_from_the_list_of_runs(self, two_runs: Project) -> None:
        """The run under the cursor; and from its own screen."""
        async with opened(two_runs) as pilot:
            await press(pilot, "v", "j", "V")
            await until(pilot, lambda: "2 bswirl 1 done" in shown(pilot))
            assert screen_of(pilot).view.runs == (2,)
            await press(pilot, "escape", "k", "enter", "V")
            await until(pilot, lambda: "3 bswirl 2 done" in shown(pilot))
            assert screen_of(pilot).view.runs == (3,)

    async def test_without_runs(self, empty: Project) -> None:
        """It says where curves come from; no key fails."""
        async with opened(empty, NARROW) as pilot:
            await press(pilot, "V")
            assert "No training runs yet" in shown(pilot)
            await press(
                pilot, *"hljkHLgGsy0mwz", "plus", "minus", "tab", "pagedown", "slash", "a", "enter", "r"
            )
            await press(pilot, "space", "enter", "escape", "escape")
            assert not isinstance(pilot.app.screen, CurvesScreen)


class TestLong:
    """Curves of which only some points are held."""

    @pytest.fixture
    def long(self, project: Project, bob: Client) -> RunFolder:
        """A run of 5,000 steps that goes on; its loss is a quarter of the step."""
        run = trained(bob, project.root.parent / "away", steps=0, ended=False)
        folder = RunFolder(Path(run.folder))
        append(folder.journal_file, *(self.row(step) for step in range(1, 5001)))
        bob.attach_run(folder.path)
        return folder

    @staticmethod
    def row(step: int) -> dict[str, Any]:
        value = math.nan if step == 2600 else math.inf if step == 2601 else step / 4
        values = {"loss": value, "kl": 1.0} if step % 3 else {"loss": value}
        return {"t": "metrics", "step": step, "values": values}

    @pytest.mark.parametrize("size", [NARROW, WIDE])
    async def test_read_out_is_the_stored_point(
        self, project: Project, long: RunFolder, size: tuple[int, int]
    ) -> None:
        """At any step, zoomed or not; a curve without a point there says whose step it is."""
        async with opened(project, size) as pilot:
            screen = await show_curves(pilot)
            run = screen.curves[0]
            assert run.series["loss"].thinned
            screen.view.cursor = 1234  # between points that are held
            assert 1234 not in run.series["loss"].steps
            screen._show()
            await until(pilot, lambda: "Loss  308.5" in shown(pilot))
            assert "KL to the base  1  " in shown(pilot).replace("\n", " ")
            screen.view.cursor = 1236
            screen._show()
            await until(pilot, lambda: "KL to the base  1 @1,235" in shown(pilot))
            assert run.at("loss", 1236) == (1236, 309.0)

    async def test_zoom_shows_every_point_and_stays(
        self, project: Project, long: RunFolder, bob: Client
    ) -> None:
        """While new points arrive; what is not finite is counted in sight only."""
        async with opened(project, NARROW) as pilot:
            screen = await show_curves(pilot)
            run = screen.curves[0]
            screen.view.cursor = 2590
            await press(pilot, *["plus"] * 6)
            window = screen.view.window
            assert window is not None
            in_sight = {*range(window[0], window[1] + 1)}

            def drawn() -> set[int]:
                curve = run.curve("loss")
                assert curve is not None
                return set(curve.steps)

            await until(pilot, lambda: in_sight <= drawn())
            assert len(drawn()) < MOST_POINTS
            assert "2 not finite" in shown(pilot)
            append(long.journal_file, *(self.row(step) for step in range(5001, 5101)))
            bob.attach_run(long.path)
            await until(pilot, lambda: run.newest == 5100)
            assert (screen.view.window, screen.view.cursor) == (window, 2590)
            assert in_sight <= drawn()
            await press(pilot, "G")
            assert screen.view.window is not None
            assert screen.view.window[0] <= 5100 <= screen.view.window[1]

    async def test_run_that_went_back_takes_the_view_along(
        self, project: Project, long: RunFolder, bob: Client
    ) -> None:
        """A zoom on steps that are void now is let go."""
        async with opened(project, NARROW) as pilot:
            screen = await show_curves(pilot)
            screen.view.cursor = 4500
            await press(pilot, *["plus"] * 4)
            await until(pilot, lambda: screen.curves[0].close is not None)
            rows = [{"t": "start", "attempt": 2, "pid": 1, "host": "box", "at": content.MADE_AT}]
            append(long.journal_file, *rows, {"t": "resume", "from_step": 40}, self.row(41))
            bob.attach_run(long.path)
            await until(pilot, lambda: "newest step 41" in shown(pilot))
            assert screen.view.window is None
            assert "Loss  10.25" in shown(pilot)


class TestSlowReading:
    """A store that takes longer than the pause between two readings."""

    async def test_runs_chosen_meanwhile_are_read_after_it(
        self, two_runs: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They do not wait for somebody to change something."""
        go_on = threading.Event()

        def slow(*asked: Any) -> Any:
            assert go_on.wait(20)
            return read_new(*asked)

        monkeypatch.setattr(curves, "read_new", slow)
        monkeypatch.setattr(curves, "READ_SECONDS", 0.05)
        async with opened(two_runs) as pilot:
            await pilot.press("V")
            async with asyncio.timeout(20):
                while not (isinstance(pilot.app.screen, CurvesScreen) and pilot.app.screen._loading):
                    await pilot.pause(0.02)
                screen = screen_of(pilot)
                screen.view.runs = (2, 3)
                screen._load()
                while screen._pause is not None:
                    await pilot.pause(0.02)
            go_on.set()
            await until(pilot, lambda: [run.run_id for run in screen.curves] == [2, 3])


class TestHeads:
    """What must not be lost where there is little room."""

    async def test_smoothing_intervals_and_log_are_said(self, two_runs: Project) -> None:
        """Two runs over each other in 80 columns."""
        async with opened(two_runs, NARROW) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "r")
            await until(pilot, lambda: isinstance(pilot.app.screen, PickRuns))
            await press(pilot, "space", "enter")
            await until(pilot, lambda: len(screen.curves) == 2)
            await press(pilot, "H", "tab", "tab", "s", "y", "plus")
            rows = screen.grid.plain.split("\n")
            assert "A 3 bswirl 2 done" in rows[0]
            assert "B 2 bswirl 1 done" in rows[0]
            assert "smoothed" in rows[1]
            assert "page 2 of 6" in rows[1]
            head = " ".join(rows[2:5])
            for letters in ("Ap", "An", "Bp", "Bn"):
                assert re.search(rf"{letters} [+-][\d.]+ (~[+-][\d.]+ )?\S?\[[^]]+\]", head), letters
            assert re.search(r"log, ?\d+( not above 0|<=0)", head)
            assert all(len(row) == 80 for row in screen.grid._sheet.signs)


class TestGrowing:
    """A run that goes on."""

    async def test_new_points_are_appended(self, project: Project, bob: Client) -> None:
        """Also those that come late for the newest step; only what changed is redrawn."""
        run = trained(bob, project.root.parent / "away", steps=25)
        folder = RunFolder(Path(run.folder))
        async with opened(project, (120, 40)) as pilot:
            screen = await show_curves(pilot)
            before = dict(screen._runs[run.run_id][1].series)
            append(
                folder.journal_file, {"t": "metrics", "step": 25, "values": {"late": 7.25}}, *step_rows(26)
            )
            bob.attach_run(folder.path)
            await until(pilot, lambda: "newest step 26" in shown(pilot))
            curves = screen._runs[run.run_id][1]
            assert curves.series["loss"] is before["loss"]
            assert list(curves.series["loss"].steps) == list(range(1, 27))
            assert list(curves.series["late"].steps) == [25]

    async def test_another_attempt_begins_anew(self, project: Project, bob: Client) -> None:
        """Void points are gone."""
        run = trained(bob, project.root.parent / "away", steps=25)
        folder = RunFolder(Path(run.folder))
        async with opened(project, NARROW) as pilot:
            screen = await show_curves(pilot)
            rows = [{"t": "start", "attempt": 2, "pid": 1, "host": "box", "at": content.MADE_AT}]
            append(folder.journal_file, *rows, {"t": "resume", "from_step": 4}, *step_rows(5))
            bob.attach_run(folder.path)
            await until(pilot, lambda: "newest step 5" in shown(pilot))
            assert list(screen._runs[run.run_id][1].series["loss"].steps) == [1, 2, 3, 4, 5]

    async def test_progress_behind_the_points_begins_nothing_anew(
        self, project: Project, bob: Client
    ) -> None:
        """Fast steps: progress is written twice a second, metrics at each step."""
        run = trained(bob, project.root.parent / "away", steps=25, ended=False)
        folder = RunFolder(Path(run.folder))
        behind = {"t": "progress", "done": 20, "total": 90, "unit": "steps", "rate": 9.0}
        async with opened(project, NARROW) as pilot:
            screen = await show_curves(pilot)
            begun = screen.curves[0].beginnings
            for step in (26, 27):
                append(folder.journal_file, behind, *step_rows(step))
                bob.attach_run(folder.path)
                await until(pilot, lambda step=step: screen.curves[0].newest == step)
            assert screen.curves[0].beginnings == begun

    async def test_resumed_run_that_is_past_its_void_points(self, project: Project, bob: Client) -> None:
        """Between two looks it went back and beyond: what was void is drawn no longer."""
        run = trained(bob, project.root.parent / "away", steps=25)
        folder = RunFolder(Path(run.folder))
        async with opened(project, NARROW) as pilot:
            screen = await show_curves(pilot)
            append(
                folder.journal_file,
                {"t": "start", "attempt": 2, "pid": 1, "host": "box", "at": content.MADE_AT},
                {"t": "progress", "done": 25, "total": 90, "unit": "steps", "rate": 9.0},
            )
            bob.attach_run(folder.path)
            await until(pilot, lambda: screen._runs[run.run_id][0].attempt == 2)
            rows = [row for step in range(21, 31) for row in step_rows(step, 2)]
            end = {"t": "progress", "done": 30, "total": 90, "unit": "steps", "rate": 9.0}
            append(folder.journal_file, {"t": "resume", "from_step": 20}, *rows, end)
            bob.attach_run(folder.path)
            await until(pilot, lambda: screen.curves[0].newest == 30)
            with connect(project) as client:
                expected = client.metrics(run.run_id)["loss"]
            loss = screen.curves[0].series["loss"]
            assert list(zip(loss.steps, loss.values, strict=True)) == [tuple(point) for point in expected]

    async def test_live_run_keeps_its_axis(self, project: Project, bob: Client) -> None:
        """It ends at a round number ahead, so that a new point changes few cells."""
        run = trained(bob, project.root.parent / "away", steps=25, ended=False)
        folder = RunFolder(Path(run.folder))
        lock = FileLock(folder.lock_file)
        assert lock.acquire({"pid": 1, "host": "box"}, patience=3.0)
        try:
            async with opened(project, (120, 40)) as pilot:
                screen = await show_curves(pilot)
                append(folder.journal_file, *step_rows(26))
                await until(pilot, lambda: "newest step 26" in shown(pilot) and "running" in shown(pilot))
                before = screen.grid._sheet
                append(folder.journal_file, *step_rows(27))
                await until(pilot, lambda: "newest step 27" in shown(pilot))
                after = screen.grid._sheet
                changed = sum(
                    old != new
                    for rows in zip(before.signs, after.signs, strict=True)
                    for old, new in zip(*rows, strict=True)
                )
                assert 0 < changed < 150
        finally:
            lock.release()


class TestMoved:
    """From a point of a curve to the actions behind it."""

    async def test_from_the_curve_into_the_tree(self, two_runs: Project) -> None:
        """The probe at the cursor, largest change first; enter opens the action among all questions."""
        async with opened(two_runs) as pilot:
            await show_curves(pilot)
            await press(pilot, "tab", "tab", "h", "h", "m")
            assert isinstance(pilot.app.screen, MovedScreen)
            seen = shown(pilot)
            assert "probe at step 100, change since step 90" in seen
            assert "12 held-out actions" in seen
            with connect(two_runs) as client:
                found = client.moved(3, until=100)
            changes = [abs(row["change"]) for row in found["rows"]]
            assert changes == sorted(changes, reverse=True)
            await press(pilot, "j", "enter")
            wanted = found["rows"][1]
            screen = main_screen(pilot)
            await until(pilot, lambda: screen.tree_view.key == wanted["action_id"])
            assert pilot.app.screen is screen
            outline = screen.tree_view.outline
            assert outline is not None
            assert outline.tree.question.question_id == wanted["question_id"]

    @pytest.mark.parametrize(
        ("change", "shift", "words"),
        [
            (1.5, -0.25, "   +1.50    \u22120.25 "),
            (None, None, "                  "),
            (math.nan, math.nan, "not finite        "),
            (-math.inf, -math.inf, "not finite        "),
            (math.nan, -12.5, "not finite \u221212.50 "),
        ],
    )
    def test_what_is_not_finite_has_no_sign_and_no_colour(
        self, change: float | None, shift: float | None, words: str
    ) -> None:
        red = Style(color="red")
        cells = amounts(change, shift, red)
        assert "".join(text for text, _ in cells) == words
        assert (cells[0][1] == red) == (change is None or math.isfinite(change))

    async def test_several_runs_are_asked_about(self, two_runs: Project) -> None:
        async with opened(two_runs) as pilot:
            screen = await show_curves(pilot)
            await press(pilot, "r")
            await until(pilot, lambda: isinstance(pilot.app.screen, PickRuns))
            await press(pilot, "space", "enter")
            await until(pilot, lambda: len(screen.curves) == 2)
            await press(pilot, "tab", "m", "j", "enter")
            assert isinstance(pilot.app.screen, MovedScreen)
            assert "run 2" in shown(pilot).splitlines()[0]
            await press(pilot, "q")
            assert isinstance(pilot.app.screen, CurvesScreen)

    async def test_other_panels_lead_nowhere(self, two_runs: Project) -> None:
        """And say so."""
        async with opened(two_runs) as pilot:
            await show_curves(pilot)
            await press(pilot, "m")
            assert isinstance(pilot.app.screen, CurvesScreen)
            assert "shift or KL" in says(pilot)

    async def test_run_without_a_probe(self, project: Project, bob: Client) -> None:
        """An explaining line."""
        run = trained(bob, project.root.parent / "away", steps=5)
        async with opened(project, NARROW) as pilot:
            await show_curves(pilot)
            await press(pilot, "tab", "m")
            assert "has not measured held-out actions" in " ".join(shown(pilot).split())
            assert run.run_id == 2


class TestFiles:
    """A panel as CSV."""

    async def test_every_point_is_written_and_nothing_overwritten(
        self, project: Project, bob: Client
    ) -> None:
        """Under a name that is free; another file is replaced after a yes only."""
        run = trained(bob, project.root.parent / "away", steps=30)
        async with opened(project) as pilot:
            await show_curves(pilot)
            await press(pilot, "tab", "tab", "w", "enter")
            path = project.root / "curves" / "run-2-shift-positive.csv"
            await until(pilot, path.exists)
            assert "Wrote 18 points to" in says(pilot)
            with path.open() as file:
                rows = list(csv.DictReader(file))
            assert len(rows) == 18
            with connect(project) as client:
                expected = client.metrics(run.run_id)["shift/positive"]
            assert [
                (int(r["step"]), float(r["value"])) for r in rows if r["metric"] == "shift/positive"
            ] == expected
            await press(pilot, "w")
            assert "run-2-shift-positive-2.csv" in shown(pilot)
            path.write_text("mine")
            await press(pilot, "end", *["backspace"] * 60)
            await typed(pilot, "curves/run-2-shift-positive.csv")
            await press(pilot, "enter")
            assert isinstance(pilot.app.screen, Confirm)
            await press(pilot, "n")
            assert path.read_text() == "mine"

    async def test_impossible_place_is_a_dialog(self, project: Project, bob: Client) -> None:
        trained(bob, project.root.parent / "away", steps=3)
        (project.root / "curves").write_text("a file")
        async with opened(project) as pilot:
            await show_curves(pilot)
            await press(pilot, "w", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))

    @pytest.mark.parametrize("name", ["x" * 300 + ".csv", "/", "."])
    async def test_name_that_no_file_can_have(self, shared: Project, bob: Client, name: str) -> None:
        """Too long, none at all, a folder: said, and the app goes on."""
        async with opened(shared) as pilot:
            await show_curves(pilot)
            await press(pilot, "w", *["backspace"] * 60)
            pilot.app.screen.query_one(Input).value = name
            await press(pilot, "enter")
            if isinstance(pilot.app.screen, Confirm):
                await press(pilot, "y")
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))
            assert "cannot write" in shown(pilot)

    async def test_a_tilde_before_nobody_is_a_name(self, project: Project, bob: Client) -> None:
        trained(bob, project.root.parent / "away", steps=3)
        async with opened(project) as pilot:
            await show_curves(pilot)
            await press(pilot, "w")
            pilot.app.screen.query_one(Input).value = "~nobody-here/loss.csv"
            await press(pilot, "enter")
            await until(pilot, lambda: (project.root / "~nobody-here" / "loss.csv").exists())


class TestHostile:
    """Names that come from anywhere."""

    @pytest.mark.parametrize("size", [NARROW, WIDE])
    async def test_names_and_values(self, project: Project, bob: Client, size: tuple[int, int]) -> None:
        """Nothing of it reaches the terminal; the file's name is plain."""
        run = trained(bob, project.root.parent / "away", steps=3, name=content.HOSTILE)
        odd = {
            content.HOSTILE: 1.0, "[/foo]": math.nan, "漢" * 90: math.inf, "a\u0301" * 80: -1e308,
            "\x1b[2J": 0.0,
        }  # fmt: skip
        folder = RunFolder(Path(run.folder))
        append(folder.journal_file, *({"t": "metrics", "step": step, "values": odd} for step in (4, 5)))
        bob.attach_run(folder.path)
        async with opened(project, size) as pilot:
            screen = await show_curves(pilot)
            seen = []
            for _ in screen._panels:
                seen.append(shown(pilot))
                assert all(len(row) == size[0] for row in screen.grid._sheet.signs)
                await press(pilot, "y", "tab")
            text = "\n".join(seen)
            assert not {"\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\u200b"} & set(text)
            assert "[/foo]" in text
            assert "␛[2J" in text
            await press(pilot, "slash")
            await typed(pilot, "2J$")
            await press(pilot, "enter", "w", "enter")
            await until(pilot, lambda: any((project.root / "curves").glob("*.csv")))
            (path,) = (project.root / "curves").iterdir()
            assert path.name == "run-2-2j.csv"
