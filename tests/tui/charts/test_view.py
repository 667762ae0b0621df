"""Which panels there are, and how they are looked at."""

from __future__ import annotations

import pytest

from bswirl.curves import name_pattern
from bswirl_tui.charts.panels import filtered, panels_of
from bswirl_tui.charts.series import RunCurves
from bswirl_tui.charts.view import View, lines_of, newest_step, whole_window

NAMES = [
    "zebra", "loss", "kl", "shift/positive", "shift/positive_low", "shift/positive_high", "shift/negative",
    "validation/accuracy", "validation/accuracy_low", "odd_low", "entropy",
]  # fmt: skip


def run(number: int, last: int, *, live: bool = False, first: int = 1) -> RunCurves:
    curves = RunCurves(number, live=live)
    curves.extend({"loss": [(step, 1.0) for step in range(first, last + 1)]})
    return curves


class TestPanels:
    """Every curve is somewhere."""

    def test_usual_ones_first_then_the_rest(self) -> None:
        """Intervals belong to their curve; an end without a curve is one itself."""
        assert [panel.title for panel in panels_of(NAMES)] == [
            "Loss", "KL to the base", "Log-prob shift, p R=1 n R=0", "Validation accuracy", "entropy",
            "odd_low", "zebra",
        ]  # fmt: skip

    def test_one_of_two_curves_makes_a_panel(self) -> None:
        """A probe without negatives."""
        (panel,) = panels_of(["shift/positive"])
        assert [trace.metric for trace in panel.traces] == ["shift/positive"]

    def test_filter_looks_at_titles_and_names(self) -> None:
        panels = panels_of(NAMES)
        assert [panel.title for panel in filtered(panels, name_pattern("^(KL|zeb)"))] == [
            "KL to the base",
            "zebra",
        ]
        assert [panel.title for panel in filtered(panels, name_pattern("positive$"))] == [panels[2].title]
        assert filtered(panels, name_pattern("nothing")) == []
        assert filtered(panels, None) == panels

    def test_which_lead_to_actions(self) -> None:
        assert {panel.title for panel in panels_of([*NAMES, "shift/margin"]) if panel.from_probe} == {
            "KL to the base", "Log-prob shift, p R=1 n R=0", "Shift margin",
        }  # fmt: skip


class TestWindow:
    """The steps in sight."""

    def test_whole(self) -> None:
        """To the end of runs that ended; to a round number for one that goes on."""
        assert whole_window([]) == (0, 1)
        assert whole_window([run(1, 312)]) == (0, 312)
        assert whole_window([run(1, 312), run(2, 40, live=True)]) == (0, 400)
        assert whole_window([run(1, 90, first=50)]) == (50, 90)

    def test_zoom_stays_around_the_cursor_and_inside(self) -> None:
        view, whole = View(cursor=300), (0, 1000)
        view.zoom(whole, 1000, closer=True)
        assert view.window == (50, 550)
        view.zoom(whole, 1000, closer=True)
        assert view.window == (175, 425)
        for _ in range(20):
            view.zoom(whole, 1000, closer=True)
        first, last = view.shown_window(whole)
        assert last - first == 4
        assert first <= 300 <= last
        for _ in range(20):
            view.zoom(whole, 1000, closer=False)
        assert view.window is None

    def test_window_follows_what_leaves_it(self) -> None:
        """The cursor on either side, or the newest step where there is no cursor."""
        view, whole = View(window=(100, 200)), (0, 1000)
        view.keep_in_sight(whole, 205)
        assert view.window == (130, 230)
        view.keep_in_sight(whole, 229)
        assert view.window == (130, 230)
        view.cursor = 20
        view.keep_in_sight(whole, 229)
        assert view.window == (0, 100)

    def test_arriving_points_move_nothing_that_is_zoomed_at(self) -> None:
        """With a cursor the window stays, however far the run gets; without one it follows the newest."""
        view = View(cursor=150, window=(100, 200))
        for newest in (220, 400, 9000):
            view.keep_in_sight((0, newest), newest)
            assert (view.window, view.cursor) == ((100, 200), 150)
        view.cursor = None
        view.keep_in_sight((0, 10_000), 9000)
        assert view.window is not None
        assert view.window[0] <= 9000 <= view.window[1]

    def test_a_run_that_began_again_takes_cursor_and_window_along(self) -> None:
        """What lies beyond its end is let go; the zoom stays where there is room for it."""
        view = View(cursor=900, window=(850, 950))
        view.keep_in_sight((0, 400), 320)
        assert view.cursor is None
        assert view.window == (300, 400)
        view.keep_in_sight((0, 60), 41)
        assert view.window is None

    def test_smoothing_comes_round(self) -> None:
        view, seen = View(), []
        for _ in range(8):
            seen.append(view.half_life)
            view.smoother()
        assert seen == [0, 3, 10, 30, 100, 300, 1000, 0]


class TestLines:
    """Runs and curves, told apart."""

    @pytest.fixture
    def runs(self) -> list[RunCurves]:
        both = []
        for number in (4, 9):
            curves = RunCurves(number)
            curves.extend({name: [(1, 1.0), (2, 3.0)] for name in ("shift/positive", "shift/negative")})
            curves.extend({f"shift/positive_{end}": [(1, 0.0), (2, 4.0)] for end in ("low", "high")})
            both.append(curves)
        return both

    def test_one_run(self, runs: list[RunCurves]) -> None:
        """Its curves have colours and letters."""
        (panel,) = panels_of(runs[0].series)
        lines = lines_of(panel, runs[:1], 0)
        assert [(line.letters, line.style) for line in lines] == [("p", "c0"), ("n", "c1")]
        assert lines[0].low is not None
        assert lines[1].low is None

    def test_several_runs(self, runs: list[RunCurves]) -> None:
        """A colour and a letter a run; smoothed where asked for."""
        (panel,) = panels_of(runs[0].series)
        lines = lines_of(panel, runs, 1)
        assert [(line.letters, line.style) for line in lines] == [
            ("Ap", "c0"), ("An", "c0"), ("Bp", "c1"), ("Bn", "c1"),
        ]  # fmt: skip
        assert lines[0].series.values[1] == pytest.approx(3.5 / 1.5)
        assert newest_step(runs) == 2
